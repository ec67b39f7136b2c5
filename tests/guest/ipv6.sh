#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# ipv6.sh KO - ipv6 is a module that comes while the livepatch is active: alone, and when another
# livepatch of its function came first
#
# ipv6 cannot be unloaded, so ipv6.host boots two guests. The kernel passes $scenario to init.
#
# where: bare
# on-later: small
# boot: -
# payload: module connect ipv6
# arguments: /payload/tcp-connect-logger.ko
# later: everything: Debian's kernels have IPv6 built in, so another kernel must be built first

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
because="tcp_v6_connect() is already patched by another livepatch or redirected by another IPMODIFY user, which this one would undo"

# look NAME RESULT4 LOGGED4 RESULT6 LOGGED6: connect with IPv4 and with IPv6
look() {
	mark
	connection blocking 127.0.0.1 9
	equals "$1: IPv4: the connect" "$2" "$result"
	due=
	[ "$3" = silent ] || due=$(record "$pid" 0 connect 127.0.0.1 9)
	connection blocking ::1 9
	equals "$1: IPv6: the connect" "$4" "$result"
	[ "$5" = silent ] || due="$due
$(record "$pid" 0 connect ::1 9)"
	equals "$1: what is logged" "$due" "$(log)"
}

alone() {
	load "$ko" enabled=1
	look "alone, without ipv6" ECONNREFUSED logged EAFNOSUPPORT silent
	mark
	succeeds "alone: ipv6 comes" insmod /payload/ipv6.ko
	equals "alone, ipv6 comes: no message" "" "$(log)"
	look "alone, with ipv6" ECONNREFUSED logged ECONNREFUSED logged
	mark
	connection blocking ::ffff:127.0.0.1 9
	equals "alone: an IPv4-mapped address is one line" "$(record "$pid" 0 connect 127.0.0.1 9)" "$(log)"
	succeeds "alone: unload" unload tcp_connect_logger
	look "alone, unloaded" ECONNREFUSED silent ECONNREFUSED silent
}

# The other livepatch makes each connect fail with ENETDOWN. Ours must never undo that, and ipv6 must
# load in any case.
rival() {
	load /payload/rival.ko function=tcp_v6_connect object=ipv6
	load "$ko" enabled=1
	look "rival, without ipv6" ECONNREFUSED logged EAFNOSUPPORT silent
	mark
	succeeds "rival: ipv6 comes" insmod /payload/ipv6.ko
	equals "rival, ipv6 comes: the message" "<3>tcp_connect_logger: not logging IPv6: $because" "$(log)"
	insmod /payload/ipv6.ko 2>/dev/null	# what a user does next if it has failed
	look "rival, with ipv6" ECONNREFUSED logged ENETDOWN silent
	[ ! -e $patch/ipv6/patched ] ||	# since 6.1
		equals "rival: sysfs shows that ipv6 is not patched" 0 "$(cat $patch/ipv6/patched)"

	succeeds "rival: it leaves" unload rival
	look "rival gone" ECONNREFUSED logged ECONNREFUSED silent

	# stall.ko keeps the transition from completing, so that it can be reversed. Livepatch then
	# searches the stacks for each function that it believes to be patched.
	insmod /payload/stall.ko
	echo 0 >$patch/enabled
	echo 1 >$patch/enabled
	rmmod stall
	await 60 transition_over $patch
	equals "rival gone: ours is disabled for a moment, and enabled again" 1 "$(cat $patch/enabled)"
	look "rival gone, ours enabled again" ECONNREFUSED logged ECONNREFUSED silent

	succeeds "rival gone: unload ours" unload tcp_connect_logger
	nothing_left "rival gone, ours unloaded"
	load "$ko" enabled=1
	look "rival gone, ours loaded again" ECONNREFUSED logged ECONNREFUSED logged
	unload tcp_connect_logger

	load /payload/rival.ko function=tcp_v6_connect object=ipv6
	mark
	fails "rival, ipv6 is there: ours is refused" insmod "$ko" enabled=1
	equals "rival, ipv6 is there: the message" "<3>tcp_connect_logger: not loading: $because" \
		"$(log | uniq)"	# busybox's insmod tries twice
	look "rival, ours refused" ECONNREFUSED silent ENETDOWN silent
}

# shellcheck disable=SC2154 # from the kernel
$scenario
echo end
