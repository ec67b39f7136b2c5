#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# storm.sh KO ROUNDS - rounds of load, enable, disable and unload, while connections
# are made flat out and the switch is flipped by others
#
# A round waits for the second twice: klp_transition_work_fn() in kernel/livepatch
# looks once in each, on it, whether the last tasks have gone over.
#
# where: bare
# on: first
# boot: slub_debug=FZP
# payload: module storm
# arguments: /payload/tcp-connect-logger.ko "$([ -n "$ALL" ] && echo 95 || echo 25)"
# later: 100 rounds; `make test` has 30. What leaks in each round is seen in 30, too

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1 rounds=$2
warm_up=5
bound=120000	# ms: none hangs, as hung_task_timeout_secs has it; the machine is emulated

# soon COMMAND...: as wait_until, but in time for the next second
soon() {
	tries=1200
	until "$@"; do
		[ $tries -gt 0 ] || return 1
		tries=$((tries - 1))
		sleep 0.05
	done
}

# opens: the connections that this machine has asked for
opens() {
	awk '/^Tcp: [0-9]/ { print $6 }' /proc/net/snmp
}

opened_more() {
	[ $(($(opens) - opened)) -ge "$1" ]
}

flip() {
	echo "$1" >$switch
}

# A round, of which the switch may be what others make of it. The log is kept
# before its buffer is full.
round() {
	insmod "$ko" && dmesg -r -c >>/tmp/log && soon transition_over $patch && flip 1 && flip 0 &&
		echo 0 >$patch/enabled && soon test ! -e $patch && rmmod tcp_connect_logger
}

# storm NAME ROUNDS: up to the first that fails
storm() {
	dmesg -c >/dev/null
	: >/tmp/log
	/payload/storm $switch >/tmp/storm 2>&1 &
	storm=$! done=0
	while [ $done -lt "$2" ] && output=$(round 2>&1); do
		done=$((done + 1))
	done
	equals "$1: rounds done" "$2" "$done${output:+: $output}"

	# The last of them.
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

# objects: in use of each slab cache, exactly so with slub_debug (mm/slub.c). What
# sysfs leaves in the dentry cache is no leak, and goes little by little. Those of vmap_area
# are freed in batches (lazy_max_pages() in mm/vmalloc.c); areas counts what they stand for.
objects() {
	for _ in 1 2 3; do
		sleep 1
		echo 2 >/proc/sys/vm/drop_caches
	done
	sleep 1		# for RCU
	awk 'NR > 2 && $1 != "vmap_area" { print $1, $2 }' /proc/slabinfo
}

# areas: how many there are of memory for modules
areas() {
	grep -c -E 'module_alloc|move_module|load_module|execmem' /proc/vmallocinfo
}

# Splats still come to the console, connections do not.
echo 6 >/proc/sys/kernel/printk

storm "warm-up" $warm_up
objects >/tmp/objects
modules=$(cat /proc/modules) areas=$(areas)

storm "storm" "$rounds"
objects >/tmp/objects.new
equals "storm: the modules are those of before" "$modules" "$(cat /proc/modules)"
equals "storm: and their memory" "$areas" "$(areas)"
awk 'NR == FNR { was[$1] = $2; next } $2 > was[$1] { print $1, $2 - was[$1] }' \
	/tmp/objects /tmp/objects.new >/tmp/grown
equals "storm: no slab cache has grown by an object in each round" "" \
	"$(awk -v rounds="$rounds" '$2 >= rounds / 2' /tmp/grown)"
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
