#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# neighbours.sh KO - the module beside other livepatches, and tracers of the same function
#
# KO is the module's file. Each module or tracer has a name; "ours" is the module under test.
# walk takes the steps of a scenario, and checks everyone after each step.
#
# where: bare
# on: line
# payload: module connect bpf
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
sysctl=/proc/sys/kernel/ftrace_enabled
cmdline=$(cat /proc/cmdline)

there=" "	# who is, between spaces
meeting=sees	# see meets
busy="*esource busy*"

is_there() {
	[ "${there#* "$1" }" != "$there" ]
}

# Kprobe events: at the function's entry; at its return; and after the fentry site and maybe an
# ENDBR64, to which the module jumps.
kprobes() {
	echo "p:entry tcp_v4_connect" >$tracing/kprobe_events &&
		echo "r:return tcp_v4_connect" >>$tracing/kprobe_events &&
		{
			echo "p:body tcp_v4_connect+5" >>$tracing/kprobe_events ||
				echo "p:body tcp_v4_connect+9" >>$tracing/kprobe_events
		} 2>/dev/null &&
		echo 1 >$tracing/events/kprobes/enable
}

come() {
	case $1 in
	ours) load "$ko" enabled=1 ;;
	sample) load /payload/livepatch-sample.ko ;;
	rival) load /payload/rival.ko ;;
	replacing) load /payload/rival.ko replace=1 ;;
	kprobes) kprobes ;;
	function | function_graph) echo "$1" >$tracing/current_tracer ;;
	fentry | fexit) bpf on ;;
	sysctl) echo 0 >$sysctl ;;
	esac
}

leave() {
	case $1 in
	ours) unload tcp_connect_logger ;;
	sample) unload livepatch_sample ;;
	rival | replacing) unload rival ;;
	kprobes) echo 0 >$tracing/events/kprobes/enable && echo >$tracing/kprobe_events ;;
	function | function_graph) echo nop >$tracing/current_tracer ;;
	fentry | fexit) bpf off ;;
	esac
}

# done_by_neighbour: what $neighbour has done since the last call. due_to_neighbour: what it should
# have done for two connects.
done_by_neighbour() {
	case $neighbour in
	sample) cat /proc/cmdline ;;
	sysctl) cat $sysctl ;;
	rival | replacing) ;;
	kprobes) sed -n 's/.* \([a-z]*\): (.*/\1/p' $tracing/trace | sort | uniq -c | xargs ;;
	function | function_graph) grep -c tcp_v4_connect $tracing/trace ;;
	fentry | fexit) bpf count ;;
	esac
	echo >$tracing/trace
}

due_to_neighbour() {
	case $neighbour in
	sample) if is_there sample; then echo "this has been live patched"; else echo "$cmdline"; fi ;;
	sysctl) echo 1 ;;
	rival | replacing) ;;
	kprobes) ! is_there kprobes || echo "2 body 2 entry 2 return" ;;
	*) if is_there "$neighbour" && ! is_blind; then echo 2; else echo 0; fi ;;
	esac
}

is_blind() {
	[ "$meeting" = blind ] && { is_there ours || is_there rival; }
}

# Make two connects: check their results, what we log, and what the neighbour does.
look() {
	results='' lines=''
	dmesg -c >/dev/null	# a short log is read faster
	mark
	for kind in blocking data; do
		connection $kind 127.0.0.1 9
		results="$results $result" lines="$lines
$(record "$pid" 0 connect 127.0.0.1 9)"
	done
	due=" ECONNREFUSED connected"
	! is_there rival && ! is_there replacing || due=" ENETDOWN ENETDOWN" lines=
	is_there ours || lines=
	equals "$path: the connects end as they are to" "$due" "$results"
	equals "$path: a line for each while it comes to us" "${lines#
}" "$(log)"
	equals "$path: and the neighbour does its part" "$(due_to_neighbour)" "$(done_by_neighbour)"
}

# walk NEIGHBOUR STEP...: +WHO comes, -WHO leaves, !WHO is refused
walk() {
	neighbour=$1 path="$1:"
	shift
	for step in "$@"; do
		who=${step#?} path="$path $step"
		case $step in
		+*)
			succeeds "$path: comes" come "$who"
			there="$there$who "
			;;
		-*)
			succeeds "$path: leaves" leave "$who"
			there="${there%% "$who" *} ${there#* "$who" }"
			;;
		!*)
			mark
			fails "$path: is refused" come "$who"
			matches "$path: the error" "$busy" "$output"
			[ "$who" != ours ] || refused
			;;
		esac
		look
	done
}

refused() {
	equals "$path: the sentence" "<3>tcp_connect_logger: not loading: tcp_v4_connect() is already patched by another livepatch or redirected by another IPMODIFY user, which this one would undo" \
		"$(log | uniq)"	# busybox's insmod tries twice
	nothing_left "$path"
}

# A livepatch of another function: every order of coming and leaving.
another_function() {
	walk sample +sample +ours -ours +ours -sample +sample -sample +sample -ours -sample
}

# A livepatch of the same function: the later one bypasses ours, or replaces it.
same_function() {
	walk rival +ours +rival -rival +rival -ours !ours -rival +ours -ours

	walk replacing +ours +replacing
	fails "replacing: our patch is gone" test -e $patch
	equals "replacing: our module is not" live "$(cat /sys/module/tcp_connect_logger/initstate)"
	equals "replacing: nor is the switch" 1 "$(cat $switch)"
	walk replacing -ours !ours -replacing +ours -ours
}

# meets TRACER: what happens to it beside another livepatch of the function: it "sees" the calls,
# or is "blind" to them, or the later one is "refused"
meets() {
	come "$1" >/dev/null
	if (come rival) >/dev/null 2>&1; then
		connection blocking 127.0.0.1 9
		if [ "$(done_by_neighbour)" = 0 ]; then echo blind; else echo sees; fi
		leave rival
	else
		echo refused
	fi
	leave "$1" >/dev/null
}

# beside TRACER: it attaches before us and stays, and after us. If the kernel does not allow it
# beside a livepatch, it must treat ours like any other.
beside() {
	neighbour=$1
	meeting=$(meets "$1")
	note "$1 and a livepatch that is not ours: $meeting"
	case $meeting in
	blind) walk "$1" +rival "+$1" -rival "-$1" ;;
	refused)
		walk "$1" "+$1" !rival "-$1" +rival "!$1" -rival
		walk "$1" "+$1" !ours "-$1" +ours "!$1" -ours "+$1" "-$1"
		return
		;;
	esac
	walk "$1" "+$1" +ours -ours +ours "-$1" "+$1" "-$1" -ours
}

# Until 5.15, function_graph looks up the address to which a livepatch has redirected the call
# (ftrace_graph_caller in arch/x86/kernel/ftrace_64.S), and is blind.
tracers() {
	echo tcp_v4_connect >$tracing/set_ftrace_filter
	for tracer in kprobes function function_graph; do
		beside $tracer
	done
	echo >$tracing/set_ftrace_filter
}

# Until 5.19, a BPF trampoline counts as redirecting the function (direct_ops in
# kernel/trace/ftrace.c), and is refused beside a livepatch.
trampolines() {
	for type in fentry fexit; do
		start_bpf $type tcp_v4_connect
		beside $type
		stop_bpf
	done
}

# 7.3 does not let ftrace be switched off.
without_ftrace() {
	if come sysctl 2>/dev/null; then
		echo 1 >$sysctl
	else
		busy="*not supported*"
	fi
	walk sysctl +ours !sysctl -ours
}

# Reduce waiting. With one CPU a transition finishes at its first attempt; with more, the kernel
# tries again after a second for the idle tasks of the others. Loading, unloading and tracing also
# wait for RCU.
echo 0 >/sys/devices/system/cpu/cpu1/online
echo 0 >/sys/kernel/rcu_normal
echo 1 >/sys/kernel/rcu_expedited

another_function
same_function
tracers
trampolines
without_ftrace
echo end
