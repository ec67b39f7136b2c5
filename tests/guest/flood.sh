#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# flood.sh KO - 100,000 connections from all CPUs at full speed: each one is accounted for
#
# where: bare
# on: line
# payload: module connect nap
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
cpu1=/sys/devices/system/cpu/cpu1

# flood COUNT LEVEL: COUNT connections on each CPU, with this console log level; set $seconds to the
# duration, and $late to a bystander's longest delay in ms
flood() {
	echo "$2" >/proc/sys/kernel/printk
	/payload/nap >/tmp/nap &
	start=$(cut -d . -f 1 /proc/uptime)
	connection -c "$1" blocking 198.51.100.1 9
	seconds=$(($(cut -d . -f 1 /proc/uptime) - start))
	kill $!
	wait $!
	late=$(cat /tmp/nap)
	echo 7 >/proc/sys/kernel/printk
}

# is_logged: make a connection; true if it is logged
is_logged() {
	mark
	connection blocking 127.0.0.1 9
	[ "$(lines_since_mark)" = 1 ]
}

# One process makes all connections that it can. Others get the last tenth of the lines. The console
# prints none of them: on a busy host, it would be slow enough to silence all.
shared_lines() {
	echo 4 >/proc/sys/kernel/printk
	echo 0 >$cpu1/online	# one process
	echo 20 >$rate_limit
	await 60 is_logged	# the last flood has used up its second
	mark
	connection -c 100 blocking 127.0.0.1 9
	connection -n other blocking 127.0.0.1 9
	equals "flood by one process: the connection of another is logged" \
		"$(record "$pid" 0 other 127.0.0.1 9)" "$(log | grep ' comm=other ')"
	echo 1000 >$rate_limit
	echo 1 >$cpu1/online
	echo 7 >/proc/sys/kernel/printk
}

# slow_console COUNT: so many are reported as not logged because of a slow console
slow_console() {
	[ "$(reported_since_mark 'slow console')" = "$1" ]
}

flood_of_lines() {
	equals "flood: the console's level was the kernel's default" 7 "$(cut -f 1 /proc/sys/kernel/printk)"
	flood 5000 7
	figure "flood, off: 10000 connections in $seconds s; a bystander waited $late ms"

	# A line takes 7 ms on this console; cost.sh tests how many are printed. Use one CPU: with
	# more, one task may print another's line, which costs the other nothing, and rate_limit
	# may be reached first.
	echo 1 >$switch
	insmod /payload/serial.ko
	echo 0 >$cpu1/online
	mark
	flood 5000 7
	# shellcheck disable=SC2046 # words
	set -- $(since 0 0 0)
	equals "flood, 115200 baud, one CPU: all are accounted for" "5000 5000" "$1 $(($2 + $3))"
	figure "flood, 115200 baud, one CPU: 5000 connections in $seconds s, $2 logged, $3 suppressed; a bystander waited $late ms"
	succeeds "flood, 115200 baud, one CPU: says why each one is suppressed" wait_until 120 slow_console "$3"
	echo 1 >$cpu1/online

	before=$(counters)
	flood 5000 7
	rmmod serial
	# shellcheck disable=SC2086,SC2046 # words
	set -- $(since $before)
	equals "flood, 115200 baud: all are accounted for" "10000 10000" "$1 $(($2 + $3))"
	figure "flood, 115200 baud: 10000 connections in $seconds s, $2 logged, $3 suppressed; a bystander waited $late ms"
	succeeds "flood, 115200 baud: most are suppressed" test "$3" -gt 5000

	await 120 is_logged	# the slow console has used up more than its second
	before=$(counters)
	flood 50000 4
	equals "flood: connections end as ever" ENETUNREACH "$result"
	# shellcheck disable=SC2086,SC2046 # words
	set -- $(since $before)
	equals "flood: all are seen" 100000 "$1"
	equals "flood: none is lost" "$1" $(($2 + $3))
	matches "flood: some are logged" "[1-9]*" "$2"
	matches "flood: some are suppressed" "[1-9]*" "$3"
	figure "flood, a quiet console: 100000 connections in $seconds s, $2 logged, $3 suppressed; a bystander waited $late ms"
	shared_lines
	echo 0 >$switch
}

drained() {
	! grep -q '^entries: [1-9]' $tracing/per_cpu/cpu*/stats
}

# With a reader: each event is read, or the kernel counts it as lost.
flood_of_events() {
	echo 0 >$tracing/tracing_on
	echo >$tracing/trace
	echo 1 >$event/enable
	cat $tracing/trace_pipe >/tmp/pipe &
	reader=$!
	echo 1 >$tracing/tracing_on
	connection -c 50000 blocking 198.51.100.1 9
	await 60 drained
	await 60 waits_for_more $reader
	kill $reader
	wait $reader
	echo 0 >$event/enable
	events=$(grep -c ' tcp_connect: ' /tmp/pipe)
	lost=$(sed -n 's/.*\[LOST \([0-9]*\) EVENTS\].*/\1/p' /tmp/pipe | awk '{ sum += $1 } END { print sum + 0 }')
	figure "flood of events: $events read, $lost lost"
	equals "flood of events: each is read, or lost by the kernel's own count" 100000 $((events + lost))
	matches "flood of events: most are read" "[1-9]????*" "$events"
	rm /tmp/pipe
}

load "$ko" || exit
flood_of_lines
load_event "$ko"
flood_of_events
succeeds "flood: unload" unload tcp_connect_logger
nothing_left "flood"
echo end
