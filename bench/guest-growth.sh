#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# guest-growth.sh - how the cost grows with the processes that connect at once, in a
# guest with busybox and some CPUs
#
# Its time is the host's, so only ratios mean anything, and each is taken in turn, five
# times and shortly, so that some are when the host does nothing else. Prints, split by
# tabs: growth RELEASE CPUS PROCESSES SUBJECT NS, of a connect; the least counts.

# shellcheck source=tests/lib.sh
. /payload/lib.sh

cpus=$(grep -c ^processor /proc/cpuinfo)

measure() {
	for processes in 1 4 16 64; do
		printf 'growth\t%s\t%s\t%s\t%s\t%s\n' "$(uname -r)" "$cpus" $processes "$1" \
			"$(/payload/cost -n 8000 -p $processes connect 198.51.100.1 9)"
	done
}

echo 4 >/proc/sys/kernel/printk
sleep 5
for _ in 1 2 3 4 5; do
	measure nothing
	load /payload/tcp-connect-logger.ko rate_limit=0
	measure off
	echo 1 >$switch
	measure log
	echo 1000 >$rate_limit
	measure limited
	echo 0 >$switch
	if takes_events; then
		echo 1 >$event/enable
		measure event
		echo 0 >$event/enable
	fi
	unload tcp_connect_logger
done
echo end
