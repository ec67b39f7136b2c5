#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# guest-growth.sh TURNS - measure how the cost grows with the number of processes that connect at
# once, in a guest with busybox and several CPUs
#
# If the guest's clock is the host's, only ratios are meaningful. Each one is measured several
# times, and briefly, so that the host is idle during some of them. Prints, separated by tabs:
# growth RELEASE CPUS PROCESSES SUBJECT NS. NS is the machine's time for a connect; the lowest
# value counts.

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

for cpu in /sys/devices/system/cpu/cpu[1-9]*; do
	[ ! -e "$cpu/online" ] || echo 1 >"$cpu/online"
done
cpus=$(grep -c ^processor /proc/cpuinfo)

measure() {
	for processes in 1 4 16 64; do
		printf 'growth\t%s\t%s\t%s\t%s\t%s\n' "$(uname -r)" "$cpus" $processes "$1" \
			"$(/payload/cost -n 6 -p $processes connect 198.51.100.1 9)"
	done
}

echo 4 >/proc/sys/kernel/printk
sleep 5
for _ in $(seq "$1"); do
	measure nothing
done
load /payload/tcp-connect-logger.ko
load_event /payload/tcp-connect-logger.ko
for _ in $(seq "$1"); do
	measure off
	echo 0 >$rate_limit
	echo 1 >$switch
	measure log
	echo 1000 >$rate_limit
	measure limited
	echo 0 >$switch
	echo 1 >$event/enable
	measure event
	echo 0 >$event/enable
done
echo end
