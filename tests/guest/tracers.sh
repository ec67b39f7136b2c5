#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# tracers.sh KO - tools that trace connects, before and after our module is loaded and while it is
# unloaded: each tool and our module see every connect exactly once
#
# where: tracers
# on: trixie
# payload: module connect
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1

# The tools have a buffer for each CPU, and read one after the other. On one CPU, the order is
# right.
taskset -p -c 0 $$ >/dev/null

# pids_of COMM: the processes of that name for which the tool has printed a line
pids_of() {
	awk -v comm="$1" '{ for (i = 2; i <= NF; i++) if ($i == comm) print $(i - 1) }' /tmp/seen
}

sees() {
	pids_of "$1" | grep -q -x "${2:-.*}"
}

# A tool is ready when it sees a connect. Stop waiting if it has ended.
ready_or_gone() {
	connection -n trial blocking 127.0.0.1 9
	sleep 1		# the tool needs CPU time to start
	sees trial || ! kill -0 "$tracer"
}

attach() {
	"$@" >/tmp/seen 2>/tmp/stderr &
	tracer=$! expected=
	wait_until 100 ready_or_gone	# or 500 trials, whichever is longer
	if sees trial; then
		ok "$tool: it is ready"
	else
		not_ok "$tool: it is ready" "$(cat /tmp/stderr)"
		exit
	fi
}

detach() {
	kill $tracer
	wait $tracer 2>/dev/null
	tracer=
}

# connects NAME: make three connects; check what the tool and our module see. $expected grows from
# the moment when the tool was attached.
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
	await 60 sees connect "$pid"
	equals "$1: what it sees" "${expected%?}" "$(pids_of connect)"
}

# scenario TOOL COMMAND...
scenario() {
	tool=$1 start=$(date +%s)
	shift
	attach "$@"
	connects "$tool alone"
	succeeds "$tool, then ours" load "$ko" enabled=1
	connects "$tool, then ours"
	succeeds "$tool, ours goes" unload tcp_connect_logger
	connects "$tool, ours gone"
	succeeds "$tool, ours again" load "$ko" enabled=1
	connects "$tool, ours again"
	detach
	connects "$tool gone, ours stays"
	attach "$@"
	connects "ours, then $tool"
	detach
	connects "ours, $tool gone"
	succeeds "$tool gone, ours goes" unload tcp_connect_logger
	connects "$tool gone, ours gone"
	equals "$tool: nobody is left at the function" "" "$(grep -w tcp_v4_connect /sys/kernel/tracing/enabled_functions)"
	nothing_left "$tool"
	note "$tool: $(($(date +%s) - start)) s"
}

# between FILE NUMBER: the number of lines between the previous marker and this one
between() {
	awk -v from="m$(($2 - 1))." -v to="m$2." '
		index($0, to) { exit }
		index($0, from) { seen = 1; n = 0; next }
		seen { n++ }
		END { print n + 0 }' "$1"
}

# all_see NUMBER: all tools have seen this marker
all_see() {
	for file in /tmp/audit /tmp/bcc /tmp/bpftrace; do
		grep -q -F "m$1." $file || return 1
	done
}

# A tool is ready when it sees something, which may take several trials.
peers_ready() {
	connection -n m0. blocking 127.0.0.1 9
	sleep 1
	all_see 0
}

logs_at_least() {
	[ "$(lines_since_mark)" -ge "$1" ]
}

# seen_by_all KIND ADDRESS OURS: make one connection, and count how often each tool sees it
seen_by_all() {
	mark
	connection "$1" "$2" 9
	await 60 logs_at_least "$3"
	ours=$(lines_since_mark) became=$result
	number=$((number + 1))
	connection -n "m$number." blocking 127.0.0.1 9
	succeeds "peers: $1 to $2: the marker behind it is seen" wait_until 120 all_see $number
	equals "peers: $1 to $2: our records ($became)" "$3" "$ours"
	figure "| $1 to $2 | $ours | $(between /tmp/audit $number) | $(between /tmp/bcc $number) |" \
		"$(between /tmp/bpftrace $number) |"
	note "$(log | tr '\n' ';')"
}

# What other tools miss.
peers() {
	for_all_kinds
	ip mptcp limits set subflow 2 add_addr_accepted 2
	ip mptcp endpoint add 127.0.0.2 dev lo subflow
	load "$ko" enabled=1
	auditctl -a always,exit -F arch=b64 -S connect -F exe=/payload/connect >/dev/null
	auditctl -a always,exit -F arch=b32 -S connect -F exe=/payload/connect >/dev/null
	tail -n 0 -F /var/log/audit/audit.log 2>/dev/null | grep --line-buffered type=SYSCALL >/tmp/audit &
	stdbuf -oL tcpconnect-libbpf >/tmp/bcc &
	bcc=$!
	bpftrace /usr/sbin/tcpconnect.bt >/tmp/bpftrace &
	bpftrace=$!
	number=0
	succeeds "peers: audit, bcc and bpftrace are ready" wait_until 100 peers_ready
	figure "| kind | ours | audit | bcc | bpftrace |"
	for kind in blocking nonblocking int80 fastopen fastopen-connect uring uring-async \
		uring-sqpoll mptcp userns netns timed-out unix udp; do
		to=127.0.0.1
		[ $kind != timed-out ] || to=203.0.113.1
		ours=1
		case $kind in unix | udp) ours=0 ;; esac
		seen_by_all $kind $to $ours
	done
	seen_by_all blocking ::1 1
	seen_by_all blocking ::ffff:127.0.0.1 1
	seen_by_all blocking 198.51.100.1 1
	seen_by_all mptcp-subflow 127.0.0.1 2
	modprobe nfsv4
	seen_by_all nfs 127.0.0.1 1
	kill $bcc $bpftrace
	auditctl -D >/dev/null
	succeeds "peers: unload" unload tcp_connect_logger
}

# recorded NAME RECORD PRINT EXPECTED: RECORD runs a script with three connections; PRINT must show
# the output of EXPECTED for each address
recorded() {
	rm -rf /tmp/data
	# shellcheck disable=SC2086 # words
	$2 /tmp/three >/tmp/stdout 2>/tmp/stderr
	expected=
	while read -r pid result to; do
		expected="$expected$($4 "$to")
"
	done </tmp/pids
	# shellcheck disable=SC2086 # words
	equals "$1: reads each event, once" "${expected%?}" "$($3 2>>/tmp/stderr)"
	note "$1: $(name_of "$(cat /tmp/stderr)")"
}

perf_script() {
	perf script -i /tmp/data -F comm,event,trace | events_in
}

# "trace-cmd record" ends its reader at once when the script ends, even if it has not read anything.
trace_cmd_extract() {
	trace-cmd start -e tcp_connect_logger:tcp_connect
	$1
	trace-cmd stop
	trace-cmd extract -o /tmp/data
	trace-cmd reset
}

trace_cmd_report() {
	trace-cmd report -i /tmp/data | events_in
}

bpftrace_event() {
	bpftrace -q -o /tmp/data /tmp/event.bt -c "/bin/sh $1"
}

number_of() {
	case $1 in
	127.0.0.1) set -- 7f000001 0 0 ;;
	198.51.100.1) set -- c6336401 0 0 ;;
	::1) set -- 0 0 1 ;;
	esac
	echo "$pid connect $* 9"
}

# Tools that read the trace event.
readers_of_the_event() {
	cat >/tmp/three <<-"EOF"
		#!/bin/sh
		for to in 127.0.0.1 198.51.100.1 ::1; do
			output=$(/payload/connect blocking $to 9)
			output=${output#pid=}
			echo "${output%% *} ${output#*result=} $to"
		done >/tmp/pids
	EOF
	chmod +x /tmp/three
	load "$ko"
	load_event "$ko"
	recorded "perf" "perf record -a -e tcp_connect_logger:tcp_connect -o /tmp/data" perf_script event_of
	recorded "trace-cmd" trace_cmd_extract trace_cmd_report event_of
	cat >/tmp/event.bt <<-"EOF"
		tracepoint:tcp_connect_logger:tcp_connect
		{
			printf("%d %s %x %lx %lx %d\n", args->pid, args->comm, args->daddr,
				args->daddr6_hi, args->daddr6_lo, args->dport);
		}
	EOF
	recorded "bpftrace" bpftrace_event "cat /tmp/data" number_of
	succeeds "readers of the event: unload" unload tcp_connect_logger
}

tracer=
readers_of_the_event
peers
scenario "bpftrace's fentry" bpftrace -e 'kfunc:tcp_v4_connect { printf("%d %s\n", pid, comm); }'
scenario "bpftrace's fexit" bpftrace -e 'kretfunc:tcp_v4_connect { printf("%d %s\n", pid, comm); }'
# libbpf-tools has bcc's tool compiled: the compiler in bpfcc-tools takes too long in an emulated
# machine.
scenario "bcc's tcpconnect" stdbuf -oL tcpconnect-libbpf
# This one traces tcp_connect(), which tcp_v4_connect() calls.
scenario "bpftrace's tcpconnect" bpftrace /usr/sbin/tcpconnect.bt
echo end
