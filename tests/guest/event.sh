#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# event.sh KO - the trace event, on kernels that accept it
#
# where: bare
# on: line
# payload: module connect
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1

# traced: the events since the buffer was cleared
traced() {
	events_in <$tracing/trace
	echo >$tracing/trace
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

	echo 'hist:keys=comm,daddr.hex,dport' >$event/trigger
	for name in one two two; do
		connection -n $name blocking 127.0.0.1 9
	done
	connection -n two blocking 127.0.0.1 10
	equals "event: a histogram by process and destination" \
		"one 7f000001 9 1;two 7f000001 10 1;two 7f000001 9 2;" "$(sed -n \
		's/^{ comm: \([a-z]*\) *, daddr: *\([0-9a-f]*\), dport: *\([0-9]*\) } hitcount: *\([0-9]*\)$/\1 \2 \3 \4/p' \
		$event/hist | sort | tr '\n' ';')"
	echo '!hist:keys=comm,daddr.hex,dport' >$event/trigger
	traced >/dev/null
}

fails "event: not there before" test -e $event
load "$ko" || exit
if takes_events; then
	equals "event: off" 0 "$(cat $event/enable)"
	connection blocking 127.0.0.1 9
	equals "event: off: nothing is traced" "" "$(traced)"
	echo 1 >$event/enable
	mark
	kinds_of_event
	filters
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
	echo 1 >$event/enable	# unload it in this state
else
	fails "event: the kernel takes none of a livepatch" test -e $event
fi
succeeds "event: unload" unload tcp_connect_logger
fails "event: gone with the module" test -e $event
connection blocking 127.0.0.1 9
equals "event: a connect works" ECONNREFUSED "$result"
echo end
