#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# console.sh KO - which time counts as time on the consoles
#
# For a guest in which an instruction takes a nanosecond, so that these times are certain.
#
# where: bare
# on: first
# boot: instructions
# payload: module connect cost
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

# At 700 baud, a line takes longer than a second. Without a limit, it does not count. With a limit,
# a connection at once after it is not logged. A later one is, when twice the line's time is over.
very_slow_console() {
	insmod /payload/serial.ko baud=700
	echo 0 >$rate_limit
	echo 7 >/proc/sys/kernel/printk
	/payload/connect blocking 198.51.100.1 9 >/dev/null
	echo 1000 >$rate_limit
	before=$(counters)
	# shellcheck disable=SC2086 # words
	for pause in 0 0 4; do
		sleep $pause
		/payload/connect blocking 198.51.100.1 9 >/dev/null
		since $before
	done >/tmp/slow
	echo 4 >/proc/sys/kernel/printk
	echo 1000000 >$rate_limit
	rmmod serial
	equals "a line takes longer than a second: the next one waits for twice that time" \
		"1 1 0|2 1 1|3 2 1|" "$(tr '\n' '|' </tmp/slow)"
}

# Other tasks run while a task is preempted. Their time is not the console's.
preempted() {
	mount -t debugfs debugfs /sys/kernel/debug
	if ! echo full >/sys/kernel/debug/sched/preempt; then
		skip "preempted: the time of other tasks is not the console's" "this kernel cannot change its preemption model"
		return
	fi 2>/dev/null
	sleep 4	# twice the time of the last slow line
	pids=
	for _ in 1 2 3; do
		while :; do :; done &
		pids="$pids $!"
	done
	before=$(counters)
	# With the 50 that it makes first, these are 50000 connects.
	# shellcheck disable=SC2086 # words
	/payload/cost -n 49950 connect 198.51.100.1 9 >/dev/null
	# shellcheck disable=SC2086 # words
	{
		kill $pids
		wait $pids
		equals "preempted: the time of other tasks is not the console's" "50000 50000 0" "$(since $before)"
	}
}

load "$1" enabled=1 || exit
very_slow_console
preempted
succeeds "console: unload" unload tcp_connect_logger
echo end
