#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tracers.sh KO - the tools that trace connects, before and after ours is loaded,
# and while it goes: each sees every connect exactly once, and so do we
#
# In a guest with systemd that has the tools.

# shellcheck source=tests/lib.sh
. /payload/lib.sh

ko=$1

# The tools have a buffer for each CPU, and read one after the other: on one CPU,
# what is seen is in order.
taskset -p -c 0 $$ >/dev/null

# pids_of COMM: the processes of that name of which the tool has printed a line
pids_of() {
	awk -v comm="$1" '{ for (i = 2; i <= NF; i++) if ($i == comm) print $(i - 1) }' /tmp/seen
}

sees() {
	pids_of "$1" | grep -q -x "${2:-.*}"
}

# Only what it sees tells that a tool is ready; or it has ended.
ready_or_gone() {
	connection -n trial blocking 127.0.0.1 9
	sleep 1		# which it needs more than the trials
	sees trial || ! kill -0 "$tracer"
}

attach() {
	"$@" >/tmp/seen 2>/tmp/stderr &
	tracer=$! expected=
	wait_until 100 ready_or_gone	# or 500 trials, in fact
	if sees trial; then
		echo "ok $tool: it is ready"
	else
		echo "not ok $tool: it is ready: $(one_line "$(cat /tmp/stderr)")"
		exit
	fi
}

detach() {
	kill $tracer
	wait $tracer 2>/dev/null
	tracer=
}

load() {
	insmod "$ko" enabled=1
	succeeds "$1: the transition ends" wait_until 60 transition_over $patch
}

unload() {
	succeeds "$1: the patch can be disabled" disable_patch $patch
	succeeds "$1: rmmod" rmmod tcp_connect_logger
}

# connects NAME: three; what the tool and we see of them. The tool's list goes on
# from when it was attached.
connects() {
	mark
	records=
	for _ in 1 2 3; do
		connection blocking 127.0.0.1 9
		equals "$1: a connect works" ECONNREFUSED "$result"
		records="$records$(record "$pid" 0 connect 127.0.0.1 9)
"
		expected="$expected$pid
"
	done
	[ -e $patch ] || records=
	equals "$1: what we log" "${records%?}" "$(log)"
	[ -n "$tracer" ] || return
	wait_until 60 sees connect "$pid"
	equals "$1: what it sees" "${expected%?}" "$(pids_of connect)"
}

# scenario TOOL COMMAND...
scenario() {
	tool=$1 start=$(date +%s)
	shift
	attach "$@"
	connects "$tool alone"
	load "$tool, then ours"
	connects "$tool, then ours"
	unload "$tool, ours goes"
	connects "$tool, ours gone"
	load "$tool, ours again"
	connects "$tool, ours again"
	detach
	connects "$tool gone, ours stays"
	attach "$@"
	connects "ours, then $tool"
	detach
	connects "ours, $tool gone"
	unload "$tool gone, ours goes"
	connects "$tool gone, ours gone"
	equals "$tool: nobody is left at the function" "" "$(grep -w tcp_v4_connect /sys/kernel/tracing/enabled_functions)"
	nothing_left "$tool"
	note "$tool: $(($(date +%s) - start)) s"
}

tracer=
scenario "bpftrace's fentry" bpftrace -e 'kfunc:tcp_v4_connect { printf("%d %s\n", pid, comm); }'
scenario "bpftrace's fexit" bpftrace -e 'kretfunc:tcp_v4_connect { printf("%d %s\n", pid, comm); }'
# bcc's, compiled beforehand (libbpf-tools): the compiler of bpfcc-tools takes too
# long in an emulated machine.
scenario "bcc's tcpconnect" stdbuf -oL tcpconnect
# At tcp_connect(), which tcp_v4_connect() calls.
scenario "bpftrace's tcpconnect" bpftrace /usr/sbin/tcpconnect.bt
echo end
