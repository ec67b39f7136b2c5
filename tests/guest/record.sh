#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# record.sh KO - the recorder: it stores each connection once, whatever interrupts it
#
# where: tracers
# on: trixie
# payload: tools-deb module connect
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
instance=$tracing/instances/tcp-connect-logger-record
logs=/var/log/tcp-connect-logger
current=$logs/connections.json

# starts OPTION...: start the recorder
starts() {
	tcp-connect-logger record "$@" 2>/tmp/errors &
	recorder=$!
}

# waits: true if the recorder waits for more
idle() {
	waits "$recorder"
}

# ends SIGNAL NAME: end the recorder
ends() {
	status=0
	kill -"$1" $recorder
	wait $recorder 2>/dev/null || status=$?
	[ "$1" = KILL ] || equals "$2: SIG$1 ends it" 0 $status
}

# stored NUMBER: true if this many lines are stored
stored() {
	[ "$(cat $logs/*.json | wc -l)" -ge "$1" ]
}

# connects NUMBER: make this many connections on each CPU
connects() {
	connection -c "$1" blocking 127.0.0.1 9
}

# sum: print how many records there are, and how many were lost
sum() {
	jq -s -c '[map(select(.pid)), map(select(.event == "lost"))] | [(.[0] | length), (.[1] | map(.count) | add)]' $logs/*.json
}

forget() {
	rm -f $logs/*
	[ ! -e $instance ] || rmdir $instance
}

cpus=$(nproc)
mkdir -p $logs
dpkg -i /payload/tcp-connect-logger_*.deb >/dev/null 2>&1

# Without the event, it waits.
starts
await 60 grep -q waiting /tmp/errors
equals "no event: it says so" "tcp-connect-logger: waiting for the trace event; see: tcp-connect-logger status" \
	"$(cat /tmp/errors)"
load "$ko" || exit
connection blocking 127.0.0.1 9
load_event "$ko"
await 60 test -e $instance
await 60 grep -q 1 $instance/events/tcp_connect_logger/tcp_connect/enable
connection -n alpha -u 33 blocking 198.51.100.1 443
first=$pid
connection -n 'be\x22\x0a\xff' blocking 2001:db8::1 80
await 60 stored 2
equals "it stores what the event has" \
	"{\"pid\":$first,\"uid\":33,\"comm\":\"alpha\",\"family\":\"AF_INET\",\"daddr\":\"198.51.100.1\",\"dport\":443,\"ret\":-101}
{\"pid\":$pid,\"uid\":0,\"comm\":\"be\\\"\\n�\",\"family\":\"AF_INET6\",\"daddr\":\"2001:db8::1\",\"dport\":80,\"ret\":-101}" \
	"$(jq -c 'del(.time, .netns, .cgroup, .cookie)' $current)"
cat $current
cat /tmp/errors
ls -la $logs
ends TERM first
succeeds "the instance stays" test -e $instance
connects 100
starts
await 60 stored $((2 + 100 * cpus))
equals "restart: nothing is lost" "[$((2 + 100 * cpus)),null]" "$(sum)"
await 60 idle

# A burst is stored whole.
before=$(cat $logs/*.json | wc -l)
connects $((100000 / cpus))
await 60 stored $((before + 100000))
equals "burst: nothing is lost" "[$((before + 100000)),null]" "$(sum)"
cat $instance/per_cpu/cpu*/stats
grep -E 'VmHWM|VmRSS' /proc/$recorder/status
await 60 idle
ends KILL burst
starts
sleep 2
cat /tmp/errors
sum
ends TERM end
forget

# More than fits in the buffer
starts --buffer 1
await 60 grep -q 1 $instance/events/tcp_connect_logger/tcp_connect/enable
kill -STOP $recorder
connects $((40000 / cpus))
kill -CONT $recorder
sleep 3
cat /tmp/errors
sum
tail -n 3 $current
ends TERM end
ls -la $logs
echo end
