#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# guest-profile.sh - make connects whose instructions the rig records, in a guest with busybox
#
# It prints where the kernel's functions are, and when to record:
#
#	symbol ADDRESS NAME	from /proc/kallsyms
#	profile SUBJECT		record now, then answer

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

# profile SUBJECT
profile() {
	while :; do
		/payload/cost -n 100000 connect 198.51.100.1 9 >/dev/null
	done &
	sleep 0.1
	echo "profile $1"
	read -r _ </dev/ttyS1
	kill $!
	killall cost
}

echo 4 >/proc/sys/kernel/printk
sleep 45
profile nothing
load /payload/tcp-connect-logger.ko rate_limit=0
load_event /payload/tcp-connect-logger.ko
awk '$2 ~ /^[tTwW]$/ { print "symbol", $1, $3 }' /proc/kallsyms
profile off
echo 1 >$switch
profile log
echo 0 >$switch
echo 1 >$event/enable
profile event
echo end
