#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# body.sh KO - a task sleeps in the body of tcp_v4_connect() while livepatches come and go
#
# The livepatch "asleep" makes it sleep there. As long as it does, no livepatch of tcp_v4_connect()
# that the task has passed through may be removed, and no other may replace it.
#
# where: bare
# on: line
# payload: module connect
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
asleep=/sys/module/asleep/parameters

sleeps() {
	[ "$(cat $asleep/inside)" = 1 ]
}

# enter: begin a connect, and wait until it sleeps in the body
enter() {
	echo 0 >$asleep/woken
	/payload/connect blocking 127.0.0.1 9 >connected &
	await 60 sleeps
}

# leave: wake it, and check that it ends with the error of "asleep"
leave() {
	echo 1 >$asleep/woken
	wait $!
	matches "$1: the connect ends as asleep lets it" "pid=* result=ENETDOWN" "$(cat connected)"
}

# tried: true if livepatch has tried three times to complete the transition since begin_counting
tried() {
	[ "$(grep -c klp_try_complete_transition $tracing/trace)" -ge 3 ]
}

# blocked NAME PATCH: check that the transition of PATCH waits for the task
blocked() {
	echo >$tracing/trace
	await 60 tried
	equals "$1: the transition waits for the task in the body" "1 1" \
		"$(cat $livepatches/"$2"/transition $asleep/inside | xargs)"
}

# over NAME PATCH: check that the transition of PATCH completes
over() {
	succeeds "$1: the transition completes" wait_until 60 transition_over "$livepatches/$2"
}

disable() {
	echo 0 >"$livepatches/$1/enabled"
}

# removed NAME MODULE: check that the disabled livepatch goes, and its module with it
removed() {
	succeeds "$1: the livepatch is gone" wait_until 60 test ! -d "$livepatches/$2"
	succeeds "$1: rmmod" wait_until 20 rmmod "$2"
}

# How the kernel treats a task in the body when we are not there
without_ours() {
	enter
	insmod /payload/rival.ko
	blocked "without ours, a rival comes" rival
	disable rival
	removed "without ours, the rival goes while the task is in the body" rival
	leave "without ours"
}

# with_ours ENABLED: a rival comes over ours with the task in the body; then both leave, in each
# order, as far as the kernel allows it before the task leaves
with_ours() {
	case $1 in 0) off=off ;; 1) off=on ;; esac
	load "$ko" enabled="$1"

	mark
	enter
	matches "$off: what is logged before the connect is attempted" \
		"$([ "$1" = 0 ] || record "[1-9]*" 0 connect 127.0.0.1 9)" "$(log)"
	insmod /payload/rival.ko
	blocked "$off, a rival comes" rival
	disable rival
	removed "$off, the rival goes while the task is in the body" rival
	disable tcp_connect_logger
	blocked "$off, ours is disabled" tcp_connect_logger
	echo 1 >$patch/enabled
	over "$off, ours is enabled again while the task is in the body" tcp_connect_logger
	disable tcp_connect_logger
	blocked "$off, ours is disabled again" tcp_connect_logger
	leave "$off, ours is disabled again"
	removed "$off, the task has left" tcp_connect_logger

	for first in ours rival; do
		load "$ko" enabled="$1"
		enter
		insmod /payload/rival.ko
		blocked "$off, $first will go first" rival
		leave "$off, $first will go first"
		over "$off, $first will go first, the task has left" rival
		if [ $first = rival ]; then
			disable rival
			removed "$off, the rival goes first" rival
			enter
			disable tcp_connect_logger
			blocked "$off, then ours is disabled" tcp_connect_logger
			leave "$off, then ours is disabled"
			removed "$off, then ours goes" tcp_connect_logger
		else
			disable tcp_connect_logger
			removed "$off, ours goes first" tcp_connect_logger
			disable rival
			removed "$off, then the rival goes" rival
		fi
	done
}

# The trace event comes after the original, with its result.
traces_result() {
	load "$ko"
	load_event "$ko"
	echo 1 >$event/enable
	enter
	equals "event: none before the connect returns" "" "$(events_in <$tracing/trace)"
	leave "event"
	matches "event: the result" "pid=* ret=-100 *" "$(events_in <$tracing/trace)"
	echo 0 >$event/enable
	unload tcp_connect_logger
}

cd /tmp || exit
fails "the livepatch asleep is not there before" test -d $livepatches/asleep
load /payload/asleep.ko || exit
traces_result
echo klp_try_complete_transition >$tracing/set_ftrace_filter
echo function >$tracing/current_tracer
without_ours
with_ours 0
with_ours 1
echo nop >$tracing/current_tracer
echo >$tracing/set_ftrace_filter
echo 1 >$asleep/woken
succeeds "the livepatch asleep leaves" unload asleep
echo end
