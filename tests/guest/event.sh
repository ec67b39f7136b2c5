#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# event.sh KO - the trace events, and how those who use them hold their module
#
# where: bare
# on: line
# payload: module connect bpf
# arguments: /payload/tcp-connect-logger.ko

# shellcheck disable=SC2086 # the paths have no spaces
# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1

# traced: the events since the buffer was cleared
traced() {
	events_in <$tracing/trace
	echo >$tracing/trace
}

# fields: the fields of the event's format; char is signed on some kernels
fields() {
	cat <<-EOF
		const void * skaddr;offset:8;size:8;signed:0;
		u64 cookie;offset:16;size:8;signed:0;
		u64 cgroup;offset:24;size:8;signed:0;
		u64 daddr6_hi;offset:32;size:8;signed:0;
		u64 daddr6_lo;offset:40;size:8;signed:0;
		u32 daddr;offset:48;size:4;signed:0;
		u16 dport;offset:52;size:2;signed:0;
		u16 family;offset:54;size:2;signed:0;
		pid_t pid;offset:56;size:4;signed:1;
		uid_t uid;offset:60;size:4;signed:0;
		unsigned int netns;offset:64;size:4;signed:0;
		int ret;offset:68;size:4;signed:1;
		char comm[16];offset:72;size:16;
		u8 sockaddr[28];offset:88;size:28;signed:0;
	EOF
}

# fields_of EVENT: print the fields that the format of an event has behind those of every event
fields_of() {
	sed -n '/skaddr/,$s/^\tfield://p' $tracing/events/tcp_connect_logger/"$1"/format | tr -d '\t' |
		sed 's/;.*//'
}

kinds_of_event() {
	for to in "127.0.0.1 127.0.0.1" "198.51.100.1 198.51.100.1" "::1 ::1" "2001:db8::1 2001:db8::1" \
		"::ffff:127.0.0.1 127.0.0.1"; do
		connection blocking "${to% *}" 9
		equals "event: to ${to% *}" "$(event_of "${to#* }")" "$(traced)"
	done
	connection uring-async 127.0.0.1 9
	equals "event: a worker of io_uring has its process's name" "$(event_of 127.0.0.1)" "$(traced)"
	connection short 127.0.0.1 9
	equals "event: none without an address" "" "$(traced)"

	connection cookie 127.0.0.1 9
	cookie=${output#*cookie=}
	cookie=${cookie%% *}
	equals "event: SO_COOKIE's cookie, made by the first and found by the second" "$cookie $cookie" \
		"$(sed -n 's/.* cookie=\([0-9]*\) .*/\1/p' $tracing/trace | xargs)"
	traced >/dev/null

	enter_cgroup
	connection blocking 127.0.0.1 9
	equals "event: from another cgroup" "$(event_of 127.0.0.1)" "$(traced)"
	leave_cgroup
}

# Filters, which ftrace provides.
filters() {
	for filter in "dport == 443" "daddr == 0x7f000002" "daddr >= 0x0a000000 \&\& daddr <= 0x0affffff" \
		"daddr6_hi == 0x20010db800000000" "comm == \"curl\"" "family == 10" "uid != 0"; do
		echo "$filter" | sed 's/\\//g' >$event/filter
		connection blocking 127.0.0.1 9
		equals "event: filtered out: $filter" "" "$(traced)"
	done
	for filter in "dport == 9" "daddr == 0x7f000001" "daddr >= 0x7f000000 \&\& daddr <= 0x7fffffff" \
		"comm == \"connect\"" "family == 2 \&\& uid == 0"; do
		echo "$filter" | sed 's/\\//g' >$event/filter
		connection blocking 127.0.0.1 9
		equals "event: let through: $filter" "$(event_of 127.0.0.1)" "$(traced)"
	done
	echo 0 >$event/filter
}

histogram() {
	if ! has_histograms; then
		fails "event: this kernel has no histograms" sh -c "echo hist:keys=comm >$event/trigger"
		matches "event: this kernel has no histograms: the error" "*nvalid argument*" "$output"
		return
	fi
	echo 'hist:keys=comm,daddr.hex,dport' >$event/trigger
	for name in one two two; do
		connection -n $name blocking 127.0.0.1 9
	done
	connection -n two blocking 127.0.0.1 10
	equals "event: a histogram by process and destination" \
		"one 7f000001 9 1;two 7f000001 10 1;two 7f000001 9 2;" "$(sed -n \
		's/^{ comm: \([a-z]*\) *, daddr: *\([0-9a-f]*\), dport: *\([0-9]*\) } hitcount: *\([0-9]*\)$/\1 \2 \3 \4/p' \
		$event/hist | sort | tr '\n' ';')"
	echo '!hist:keys=comm,daddr.hex,dport' >>$event/trigger
	traced >/dev/null
}

# start USER: use the event in this way. stop USER: stop it. seen USER SEEN: print how many
# connections the user has seen since the last call, which is how many it has SEEN before.
instance=$tracing/instances/rig
other=$tracing/events/module/module_free

# about EVENT: from now on, use this event
about() {
	named=$1
	event=$tracing/events/tcp_connect_logger/$1
	event_there=$instance/events/tcp_connect_logger/$1
	enabler=enable_event:tcp_connect_logger:$1
}

start() {
	case $1 in
	*instance*) mkdir $instance ;;
	esac
	case $1 in
	enable) echo 1 >$event/enable ;;
	filter) echo "dport == 9" >$event/filter && echo 1 >$event/enable ;;
	instance) echo 1 >$event_there/enable ;;
	hist) echo hist:keys=comm >$event/trigger ;;
	hist-in-instance) echo hist:keys=comm >$event_there/trigger ;;
	trigger) echo "traceoff if dport == 9" >$event/trigger ;;
	trigger-of-another) echo $enabler >$other/trigger ;;
	perf | event) start_bpf "$1" "$(cat $event/id)" && bpf on >/dev/null ;;
	raw) start_bpf raw $named && bpf on >/dev/null ;;
	esac
}

stop() {
	case $1 in
	enable | filter) echo 0 >$event/enable ;;	# the filter stays
	hist) echo '!hist:keys=comm' >>$event/trigger ;;
	trigger) echo '!traceoff' >>$event/trigger ;;
	trigger-of-another) echo "!$enabler" >>$other/trigger ;;
	perf | event | raw) stop_bpf ;;
	esac
	[ ! -e $instance ] || rmdir $instance
}

seen() {
	case $1 in
	enable | filter)
		grep -c " $named: " $tracing/trace
		echo >$tracing/trace
		;;
	instance)
		grep -c " $named: " $instance/trace
		echo >$instance/trace
		;;
	hist*)
		[ "$1" = hist ] || event=$event_there
		echo $(($(sed -n 's/^ *Hits: //p' $event/hist) - $2))
		;;
	trigger)
		echo $((1 - $(cat $tracing/tracing_on)))
		echo 1 >$tracing/tracing_on
		;;
	trigger-of-another) echo 1 ;;	# it only waits for that other event
	perf | event | raw) bpf count ;;
	esac
}

# held USER: while the event is used in this way, its module cannot be removed, and the attempt changes
# nothing; afterwards it can be removed
held() {
	about "${2:-tcp_connect}"
	name="$named: used by $1"
	load_event "$ko"
	start "$1" || not_ok "$name: it starts"
	connection blocking 127.0.0.1 9
	equals "$name: it sees a connection" 1 "$(seen "$1" 0)"
	fails "$name: the module cannot be removed" rmmod tcp_connect_logger_event
	matches "$name: the module cannot be removed: the error" "*temporarily unavailable*" "$output"
	connection blocking 127.0.0.1 9
	equals "$name: it sees the next connection" 1 "$(seen "$1" 1)"
	stop "$1"
	# The kernel frees a BPF program later.
	succeeds "$name: the module can be removed afterwards" wait_until 20 rmmod tcp_connect_logger_event
	fails "$name: the event is gone" test -e $event
	connection blocking 127.0.0.1 9
	equals "$name: a connect works without it" ECONNREFUSED "$result"
}

# disabled: the livepatch is disabled while somebody uses the event
disabled() {
	load_event "$ko"
	start enable
	succeeds "event: the livepatch can be disabled while the event is used" disable_patch $patch
	connection blocking 127.0.0.1 9
	equals "event: without the livepatch, it sees nothing" 0 "$(seen enable)"
	fails "event: it also holds the livepatch's module" rmmod tcp_connect_logger
	stop enable
}

fails "event: its module needs the livepatch" load_event "$ko"
load "$ko" || exit
about tcp_connect
fails "event: not there without its module" test -e $event
connection blocking 127.0.0.1 9
equals "event: a connect works without its module" ECONNREFUSED "$result"

version=$(cat /sys/module/tcp_connect_logger/version)
fails "event: a module of another version is refused" insmod "${ko%/*}/foreign-event.ko"
equals "event: a module of another version is refused: the message" \
	"version $(echo "$version" | tr 0-9 1-90) is not for version $version of the livepatch; run: tcp-connect-logger reload" \
	"$(dmesg | sed -n 's/.* tcp_connect_logger_event: //p' | tail -n 1)"
fails "event: a module of another version is not there" test -e $event
load_event "$ko"
equals "event: off" 0 "$(cat $event/enable)"
equals "event: off: nobody uses its module" 0 "$(cat $event_module/refcnt)"
connection blocking 127.0.0.1 9
equals "event: off: nothing is traced" "" "$(traced)"
equals "event: its fields" "$(fields)" \
	"$(sed -n '/skaddr/,$s/^\tfield://p' $event/format | tr -d '\t' | sed '/^char/s/signed:.;//')"
equals "origin: its fields" "const void * skaddr
u64 cookie
u16 sport
$(fields_of tcp_connect | sed 1,2d)
u64 start
pid_t tid
pid_t ppid
u8 source[28]
__data_loc u8[] parents
__data_loc char[] exe
__data_loc char[] cgroup_path" "$(fields_of tcp_connect_origin)"
equals "result: its fields" "const void * skaddr
u64 cookie
u16 sport
u16 dport
u16 family
unsigned int netns
int ret
u8 source[28]" "$(fields_of tcp_connect_result)"
echo 1 >$event/enable
mark
kinds_of_event
filters
histogram
equals "event: on, and the switch is off: no line" "" "$(log)"
echo 1 >$switch
mark
connection blocking 127.0.0.1 9
equals "event: on, and the switch is on: a line" "$(record "$pid" 0 connect 127.0.0.1 9)" "$(log)"
equals "event: on, and the switch is on: an event" "$(event_of 127.0.0.1)" "$(traced)"
echo 0 >$event/enable
mark
connection blocking 127.0.0.1 9
equals "event: off again: a line" "$(record "$pid" 0 connect 127.0.0.1 9)" "$(log)"
equals "event: off again: nothing is traced" "" "$(traced)"
echo 0 >$switch
rmmod tcp_connect_logger_event

taskset -p 1 $$ >/dev/null	# perf's event is for the first CPU
for user in enable filter instance trigger trigger-of-another perf event raw; do
	held $user
done
if has_histograms; then
	held hist
	held hist-in-instance
fi
for user in enable instance perf raw; do
	held $user tcp_connect_origin
done
for user in enable instance trigger-of-another perf; do
	held $user tcp_connect_result
done
about tcp_connect
disabled
succeeds "event: unload" unload tcp_connect_logger
nothing_left "event"
connection blocking 127.0.0.1 9
equals "event: a connect works" ECONNREFUSED "$result"
echo end
