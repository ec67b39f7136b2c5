#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# storm.sh KO ROUNDS - rounds of load, enable, disable and unload, also of the trace event, while
# other processes connect at full speed and flip the switch
#
# A round waits until the next full second twice: then klp_transition_work_fn() in
# kernel/livepatch, which runs once a second, checks whether the last tasks are patched.
#
# where: bare
# on: first
# boot: slub_debug=FZP
# payload: module storm
# arguments: /payload/tcp-connect-logger.ko "$([ -n "$ALL" ] && echo 95 || echo 25)"
# later: 100 rounds; `make test` has 30, which show a leak in each round, too

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1 rounds=$2
warm_up=5
bound=120000	# ms, like hung_task_timeout_secs; the machine is emulated and slow

# soon COMMAND...: like wait_until, but checks often, so as not to miss the next second
soon() {
	tries=1200
	until "$@"; do
		[ $tries -gt 0 ] || return 1
		tries=$((tries - 1))
		sleep 0.05
	done
}

# opens: the number of connections that this machine has opened
opens() {
	awk '/^Tcp: [0-9]/ { print $6 }' /proc/net/snmp
}

opened_more() {
	[ $(($(opens) - opened)) -ge "$1" ]
}

flip() {
	echo "$1" >$switch
}

# round: other processes may change the switch meanwhile. The log is saved before its buffer is full.
round() {
	insmod "$ko" && dmesg -r -c >>/tmp/log && soon transition_over $patch && flip 1 && flip 0 &&
		load_event "$ko" && echo 1 >$event/enable && echo 0 >$event/enable &&
		rmmod tcp_connect_logger_event && echo 0 >$patch/enabled && soon test ! -e $patch && rmmod tcp_connect_logger
}

# storm NAME ROUNDS: stop at the first round that fails
storm() {
	dmesg -c >/dev/null
	: >/tmp/log
	/payload/storm $switch >/tmp/storm 2>&1 &
	storm=$! done=0
	while [ $done -lt "$2" ] && output=$(round 2>&1); do
		done=$((done + 1))
	done
	equals "$1: rounds done" "$2" "$done${output:+: $output}"

	# What happens after the last round.
	mark
	opened=$(opens)
	succeeds "$1: connections go on" soon opened_more 500
	equals "$1: nothing is logged afterwards" "" "$(log)"
	kill $storm
	succeeds "$1: the connections end" soon test ! -e /proc/$storm/exe
	wait $storm
	matches "$1: no connect fails, the data are intact" \
		"connects=[1-9]* failed=0 corrupt=0 slowest_ms=*" "$(cat /tmp/storm)"
	slowest=$(sed -n 's/.* slowest_ms=\([0-9]*\).*/\1/p' /tmp/storm)
	equals "$1: no connect takes more than $bound ms" "" \
		"$([ "${slowest:-$bound}" -lt $bound ] || echo "$slowest ms")"

	record=$(record $storm 0 storm '127\.0\.0\.[1-4]' 4242)
	logged=$(ours </tmp/log | grep -c -x -e "$record")
	matches "$1: connections are logged" "[1-9]*" "$logged"
	equals "$1: and nothing else is" "<6>tcp_connect_logger: loaded, logging disabled" \
		"$(ours </tmp/log | grep -v -x -e "$record" | sort -u)"
	figure "$1: $done rounds, $(cat /tmp/storm), $logged lines looked at"
	nothing_left "$1"
}

# objects: the objects in use in each slab cache; slub_debug makes this exact (mm/slub.c). sysfs
# leaves entries in the dentry cache, which is no leak; they go gradually. vmap_area objects are
# freed in batches (lazy_max_pages() in mm/vmalloc.c); areas counts these areas instead.
objects() {
	for _ in 1 2 3; do
		sleep 1
		echo 2 >/proc/sys/vm/drop_caches
	done
	sleep 1		# wait for RCU
	awk 'NR > 2 && $1 != "vmap_area" { print $1, $2 }' /proc/slabinfo
}

# none_has_grown: true if no slab cache has grown by an object in each round. On a busy host, RCU
# frees objects late; only a leak remains.
none_has_grown() {
	objects >/tmp/objects.new
	awk 'NR == FNR { was[$1] = $2; next } $2 > was[$1] { print $1, $2 - was[$1] }' \
		/tmp/objects /tmp/objects.new >/tmp/grown
	leaks=$(awk -v rounds="$rounds" '$2 >= rounds / 2' /tmp/grown)
	[ -z "$leaks" ]
}

# areas: the number of memory areas for modules
areas() {
	grep -c -E 'module_alloc|move_module|load_module|execmem' /proc/vmallocinfo
}

# The console still shows splats, but no connections.
echo 6 >/proc/sys/kernel/printk

storm "warm-up" $warm_up
objects >/tmp/objects
modules=$(cat /proc/modules) areas=$(areas)

storm "storm" "$rounds"
wait_until 6 none_has_grown || :	# about two minutes, as a check takes four seconds
equals "storm: the modules are those of before" "$modules" "$(cat /proc/modules)"
equals "storm: and their memory" "$areas" "$(areas)"
equals "storm: no slab cache has grown by an object in each round" "" "$leaks"
note "slab caches that have grown: $(tr '\n' ',' </tmp/grown)"

kmemleak=/sys/kernel/debug/kmemleak
mount -t debugfs debugfs /sys/kernel/debug
if [ -e $kmemleak ]; then
	echo scan >$kmemleak
	equals "storm: kmemleak finds nothing" "" "$(cat $kmemleak)"
else
	note "no kmemleak in this kernel"
fi

insmod "$ko"
fails "one more module would be seen by its memory" test "$(areas)" = "$areas"
echo end
