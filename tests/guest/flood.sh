#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# flood.sh KO [COMMAND...] - 100,000 connections from all CPUs, flat out: each is
# accounted for
#
# COMMAND is what comes afterwards, and reports the end.

# shellcheck source=tests/lib.sh
. /payload/lib.sh

ko=$1
shift

# flood COUNT LEVEL: on each of two CPUs, with this console log level; how long they
# take, in seconds, and how long a bystander waits, in ms
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

slowness_is_reported() {
	dmesg -r | ours | grep -q -x '<4>tcp_connect_logger: [1-9][0-9]* connections not logged (slow console)'
}

flood_of_lines() {
	equals "flood: the console's level was the kernel's default" 7 "$(cut -f 1 /proc/sys/kernel/printk)"
	flood 5000 7
	figure "flood, off: 10000 connections in $seconds s; a bystander waited $late ms"
	off=$seconds

	echo 1 >$switch
	insmod /payload/serial.ko
	flood 5000 7
	rmmod serial
	# shellcheck disable=SC2046 # words
	set -- $(since 0 0 0)
	equals "flood, 115200 baud: all are accounted for" "10000 10000" "$1 $(($2 + $3))"
	figure "flood, 115200 baud: 10000 connections in $seconds s, $2 logged, $3 held back; a bystander waited $late ms"
	# A line takes 7 ms there: all of them, a minute.
	succeeds "flood, 115200 baud: connections go on" test "$seconds" -le $((3 * off + 10))
	# Not always in the first report: what another task prints costs who logs it nothing,
	# and then the limit may be reached first.
	succeeds "flood, 115200 baud: says why so few are logged" wait_until 5 slowness_is_reported

	before=$(counters)
	flood 50000 4
	equals "flood: connections end as ever" ENETUNREACH "$result"
	# shellcheck disable=SC2086,SC2046 # words
	set -- $(since $before)
	equals "flood: all are seen" 100000 "$1"
	equals "flood: none is lost" "$1" $(($2 + $3))
	matches "flood: some are logged" "[1-9]*" "$2"
	matches "flood: some are held back" "[1-9]*" "$3"
	figure "flood, a quiet console: 100000 connections in $seconds s, $2 logged, $3 held back; a bystander waited $late ms"
	echo 0 >$switch
}

drained() {
	! grep -q '^entries: [1-9]' $tracing/per_cpu/cpu*/stats
}

# With a reader: each is read, or lost by the kernel's own count.
flood_of_events() {
	echo 0 >$tracing/tracing_on
	echo >$tracing/trace
	echo 1 >$event/enable
	cat $tracing/trace_pipe >/tmp/pipe &
	reader=$!
	echo 1 >$tracing/tracing_on
	connection -c 50000 blocking 198.51.100.1 9
	wait_until 60 drained
	sleep 1
	kill $reader
	wait $reader
	events=$(grep -c ' tcp_connect: ' /tmp/pipe)
	lost=$(sed -n 's/.*\[LOST \([0-9]*\) EVENTS\].*/\1/p' /tmp/pipe | awk '{ sum += $1 } END { print sum + 0 }')
	figure "flood of events: $events read, $lost lost"
	equals "flood of events: each is read, or lost by the kernel's own count" 100000 $((events + lost))
	matches "flood of events: most are read" "[1-9]????*" "$events"
	rm /tmp/pipe
}

load "$ko" || exit
flood_of_lines
[ ! -e $event ] || flood_of_events
succeeds "flood: unload" unload tcp_connect_logger
nothing_left "flood"
[ $# = 0 ] || { "$@"; exit; }
echo end
