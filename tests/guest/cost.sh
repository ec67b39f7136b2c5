#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# cost.sh KO - what the module adds to a connect, in instructions
#
# For a guest in which an instruction takes a nanosecond. The destination is unreachable, so the
# connect itself takes few instructions.
#
# where: bare
# on: line
# boot: instructions
# payload: module cost
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
v4="connect 198.51.100.1 9" v6="connect 2001:db8::1 9"

# cost ARGUMENT...: measure once the guest is idle
cost() {
	sleep 5
	/payload/cost "$@"
}

# at_most NAME LIMIT INSTRUCTIONS
at_most() {
	if [ "$3" -le "$2" ]; then
		ok "$1"
	else
		not_ok "$1" "$3 instructions, not more than $2 expected"
	fi
	figure "cost, $(uname -r), $1: $3 instructions"
}

# costs: set $cost4 and $cost6 to the cost of a connect by IPv4 and by IPv6
costs() {
	# shellcheck disable=SC2086 # words
	cost4=$(cost $v4) cost6=$(cost $v6)
}

most_off=110 most_event=740
case $(uname -r) in
5.10.*) most_off=140 most_event=680 ;;	# an empty livepatch takes 129
7.*) most_event=800 ;;
esac

echo 4 >/proc/sys/kernel/printk	# exclude the cost of the console
sleep 45			# let the boot finish
costs
bare4=$cost4 bare6=$cost6
figure "cost, $(uname -r), a connect alone: $bare4, IPv6 $bare6 instructions"

load /payload/empty.ko
costs
empty4=$cost4 empty6=$cost6
unload empty

load "$ko" rate_limit=1000000
costs
off4=$cost4 off6=$cost6
at_most "off, over none" $most_off $((off4 - bare4))
at_most "off, over none, IPv6" $most_off $((off6 - bare6))
at_most "off, over an empty livepatch" 12 $((off4 - empty4))
at_most "off, over an empty livepatch, IPv6" 12 $((off6 - empty6))

load_event "$ko"
costs
at_most "off, with the event's module, over off" 10 $((cost4 - off4))
at_most "off, with the event's module, over off, IPv6" 10 $((cost6 - off6))
echo 1 >$event/enable
costs
at_most "the trace event, over off" $most_event $((cost4 - off4))
at_most "the trace event, over off, IPv6" $most_event $((cost6 - off6))
echo 0 >$event/enable

insmod /payload/line.ko
nothing=$(cost write /proc/line)
echo 1 >/sys/module/line/parameters/print
line=$(($(cost write /proc/line) - nothing))
figure "cost, $(uname -r), one bare pr_info: $line instructions"
echo 1 >$switch
costs
at_most "a line, over off" $((line * 106 / 100)) $((cost4 - off4))

# A line takes 7 ms on this console. Lines may take half of a second, so 71 or 72 are printed. The
# module counts in jiffies of 4 ms, which makes a small difference.
slow_console() {
	insmod /payload/serial.ko
	echo 1000 >$rate_limit
	echo 7 >/proc/sys/kernel/printk
	before=$(counters)
	# With the 50 that it makes first, these are 1000 connects.
	# shellcheck disable=SC2086 # words
	cost -n 950 $v4 >/dev/null
	echo 4 >/proc/sys/kernel/printk
	echo 1000000 >$rate_limit
	rmmod serial
	# shellcheck disable=SC2046,SC2086 # words
	set -- $(since $before)
	equals "slow console: all are accounted for" "1000 1000" "$1 $(($2 + $3))"
	equals "slow console: lines take half of a second" 1 $(($2 >= 66 && $2 <= 78))
	figure "cost, $(uname -r), slow console: $2 of 1000 lines are printed"
}
slow_console

echo 0 >$switch
costs
at_most "off again, over off" 10 $((cost4 - off4))
at_most "off again, over off, IPv6" 10 $((cost6 - off6))
unload tcp_connect_logger
costs
at_most "gone, over none" 10 $((cost4 - bare4))
at_most "gone, over none, IPv6" 10 $((cost6 - bare6))
echo end
