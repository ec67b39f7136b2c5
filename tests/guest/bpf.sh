#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# bpf.sh KO - BPF programs that redirect or deny connections of a cgroup, before the module sees
# them; BPF programs on the module's raw tracepoint
#
# where: bare
# on: line
# payload: module connect bpf
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1 cgroup=$cgroups/rig
events=$tracing/events/kprobes
gone="No such file or directory"

# one NAME RESULT [ADDRESS PORT]: connect to port 80 of $asked, as $how says; check the result, and
# that the module, if it is loaded, logs this address and port, or nothing
one() {
	mark
	connection "$how" "$asked" 80
	equals "$1: the result" "$2" "$result"
	line=
	[ ! -e $patch ] || [ -z "${3-}" ] || line=$(record "$pid" 0 connect "$3" "$4")
	equals "$1: what is logged" "$line" "$(log)"
}

# asked_for: print what the kprobes have seen since the last call
asked_for() {
	sed -n 's/.*: asked[46]: (.*) //p' $tracing/trace
	echo >$tracing/trace
}

# The kernel runs the BPF programs of a cgroup in tcp_v4_pre_connect() and tcp_v6_pre_connect(), just
# before it calls connect (__inet_stream_connect() in net/ipv4/af_inet.c). They change the address in
# place, so only a probe at these two functions still sees the requested one.
# Columns: program, its destination, requested address, result without and with the program, address
# that is logged, bytes of the requested address
in_cgroup() {
	while read -r program to asked plain changed logged bytes; do
		for how in blocking fastopen uring; do
			name="$1: $program, $how to $asked"
			# shellcheck disable=SC2046 # perhaps none
			start_bpf "$program" $cgroup $([ "$to" = - ] || echo "$to" 9)
			one "$name: before" "$plain" "${asked#::ffff:}" 80
			asked_for >/dev/null
			succeeds "$name: attach" bpf on
			one "$name" "$changed" "${logged#-}" 9
			equals "$name: the program has run" 1 "$(bpf count)"
			equals "$name: a probe sees what was asked for" "port={0,80} to={$bytes}" "$(asked_for)"
			succeeds "$name: detach" bpf off
			one "$name: after" "$plain" "${asked#::ffff:}" 80
			equals "$name: the program has not run" 0 "$(bpf count)"
			stop_bpf
		done
	done <<-EOF
		connect4 127.0.0.1 198.51.100.1 ENETUNREACH ECONNREFUSED 127.0.0.1 198,51,100,1
		connect6 ::1 2001:db8::1:2:3 ENETUNREACH ECONNREFUSED ::1 32,1,13,184,0,0,0,0,0,0,0,1,0,2,0,3
		connect6 ::ffff:127.0.0.1 ::ffff:198.51.100.1 ENETUNREACH ECONNREFUSED 127.0.0.1 0,0,0,0,0,0,0,0,0,0,255,255,198,51,100,1
		deny4 - 127.0.0.1 ECONNREFUSED EPERM - 127,0,0,1
		deny6 - ::1 ECONNREFUSED EPERM - 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1
	EOF
}

translations() {
	# shellcheck disable=SC2016 # the kprobes' argument
	echo 'p:asked4 tcp_v4_pre_connect port=+2($arg2):u8[2] to=+4($arg2):u8[4]' >$tracing/kprobe_events
	# shellcheck disable=SC2016 # the kprobes' argument
	echo 'p:asked6 tcp_v6_pre_connect port=+2($arg2):u8[2] to=+8($arg2):u8[16]' >>$tracing/kprobe_events
	echo 1 >$events/enable
	enter_cgroup
	in_cgroup absent
	load "$ko" enabled=1
	in_cgroup present
	before=$(counters)
	start_bpf deny4 $cgroup
	bpf on >/dev/null
	connection blocking 127.0.0.1 9
	stop_bpf
	# shellcheck disable=SC2086 # words
	equals "present: a denied connection is not counted" "0 0 0" "$(since $before)"
	succeeds "unload" unload tcp_connect_logger
	in_cgroup "absent again"
	leave_cgroup
	echo 0 >$events/enable
	echo >$tracing/kprobe_events
}

# The kernel finds a raw tracepoint in the module that has the event (bpf_get_raw_tracepoint() in
# kernel/trace/bpf_trace.c). event.sh shows that its user holds the module.
raw_tracepoint() {
	start_bpf raw tcp_connect
	load "$ko"
	equals "raw: there is none without the event's module" "$gone" "$(bpf on)"
	load_event "$ko"
	connection blocking 127.0.0.1 9
	equals "raw: not attached: the program does not run" 0 "$(bpf count)"
	echo 0 >$rate_limit
	mark
	for switch_is in 0 1; do
		echo $switch_is >$switch
		name="raw: the switch is $switch_is"
		succeeds "$name: attach" bpf on
		while read -r address arguments; do
			connection blocking "$address" 443
			equals "$name: to $address: the result" ECONNREFUSED "$result"
			equals "$name: to $address: the arguments" "$arguments 443" "$(bpf last)"
		done <<-EOF
			127.0.0.1 2 127.0.0.1
			::1 10 ::1
			::ffff:127.0.0.1 10 127.0.0.1
		EOF
		connection short 127.0.0.1 9
		connection -c 100 blocking 127.0.0.1 9
		equals "$name: each connection once" $((3 + 100 * $(nproc))) "$(bpf count)"
		succeeds "$name: detach" bpf off
		connection blocking 127.0.0.1 9
		equals "$name: detached: the program does not run" 0 "$(bpf count)"
		# The lines with the switch on: those above, and the last one
		equals "$name: the lines" $((switch_is * (4 + 100 * $(nproc)))) "$(lines_since_mark)"
	done

	succeeds "raw: unload" unload tcp_connect_logger
	nothing_left "raw"
	equals "raw: there is none after the module" "$gone" "$(bpf on)"
	stop_bpf
}

translations
raw_tracepoint
echo end
