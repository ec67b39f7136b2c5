#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# record-cost.sh KO MOST - what the recorder takes for each connection, when nothing happens, and how
# many connections it keeps at full speed, up to MOST
#
# For a guest in which an instruction takes a nanosecond.
#
# where: bare
# on: suite
# boot: instructions 4
# payload: module cost connect recorder
# arguments: /payload/tcp-connect-logger.ko $([ -n "$ALL" ] || [ "$suite" = trixie ] && echo 1000000 || echo 100000)
# later: a million connections; `make test` makes 100,000 on other kernels than Debian 13's

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh
bare_recorder

ko=$1 most=$2
# The instructions for a record on 6.12: of the lean event, of the rich one, and in the thread that
# connects, for each. Other kernels may take a tenth more.
limit=2200 rich_limit=3850 thread_limit=770 rich_thread_limit=2860
case $(uname -r) in 6.12.*) limit=2000 rich_limit=3500 thread_limit=700 rich_thread_limit=2600 ;; esac

# at_most NAME LIMIT NUMBER UNIT
at_most() {
	if [ "$3" -le "$2" ]; then
		ok "$1"
	else
		not_ok "$1" "$3 $4, not more than $2 expected"
	fi
	figure "record, $(uname -r), $1: $3 $4"
}

# Since 7.2, the kernel does not say in nanoseconds how long it was idle.
tells_idle_time() {
	grep -q -F .idle_sleeptime /proc/timer_list
}

# costs: set $fails and $full to what the machine takes for a connect that fails at once, and for one
# to a listener, and $thread to what the first takes in the thread
costs() {
	tells_idle_time || return 0
	sleep 5
	fails=$(/payload/cost -n 50000 -w 10000 connect 198.51.100.1 9)
	full=$(/payload/cost -n 16000 -w 1000 listener 127.0.0.1 7777)
	thread=${fails% *} fails=${fails#* } full=${full#* }
}

# dearer WHAT LIMIT [THREAD_LIMIT]: compare the costs with those before the recorder
dearer() {
	if [ -n "${3-}" ] && tells_idle_time; then
		at_most "$1, in the thread" "$3" $((thread - off_thread)) instructions
	fi
	for kind in "that fails at once:$fails:$off_fails" "to a listener:$full:$off_full"; do
		name="$1 ${kind%%:*}" kind=${kind#*:}
		if ! tells_idle_time; then
			skip "$name" "this kernel does not tell how long it was idle"
		elif [ $((${kind%:*})) -le $((${kind#*:})) ]; then
			not_ok "$name" "$kind: the same or less than without the recorder"
		else
			at_most "$name" "$2" $((${kind%:*} - ${kind#*:})) instructions
		fi
	done
}

# costs_differing: set $ports and $names to what the machine takes for a connect of a process to two
# ports in turn, and of a process that has two names in turn. A recorder then formats what differs from
# the record before, or all of it.
costs_differing() {
	tells_idle_time || return 0
	ports=$(/payload/cost -n 30000 -w 10000 -d connect 198.51.100.1 9)
	names=$(/payload/cost -n 30000 -w 10000 -r connect 198.51.100.1 9)
	ports=${ports#* } names=${names#* }
}

# differing WHAT LIMIT_OF_PORTS LIMIT_OF_NAMES: the same as dearer
differing() {
	tells_idle_time || return 0
	costs_differing
	at_most "$1, each to another destination than the one before" "$2" $((ports - off_ports)) instructions
	at_most "$1, each by another process than the one before" "$3" $((names - off_names)) instructions
}

# of_status NAME: the number in this line of the recorder's /proc/PID/status
of_status() {
	sed -n "s/^$1:[[:space:]]*\([0-9]*\).*/\1/p" /proc/$recorder/status
}

# switches COMMAND...: print how many times the recorder has waited meanwhile
switches() {
	before=$(of_status voluntary_ctxt_switches)
	"$@" >/dev/null
	echo $(($(of_status voluntary_ctxt_switches) - before))
}

trickle() {
	for _ in $(seq 200); do
		connection blocking 198.51.100.1 9
		sleep 0.1
	done
}

# burst NUMBER CPUS OPTION...: make so many connections at full speed; set $records and $lost
burst() {
	number=$1 cpus=$2
	shift 2
	starts "$@"
	set -- "$number" "$cpus"
	connection -c $(($1 / $2)) blocking 198.51.100.1 9
	await 600 accounted "$1"
	# shellcheck disable=SC2046 # words
	set -- $(sums)
	records=$1 lost=$2
	ends
}

# online CPUS: let so many CPUs run
online() {
	for cpu in 1 2 3; do
		echo $((cpu < $1)) >/sys/devices/system/cpu/cpu$cpu/online
	done
	equals "CPUs are online" "$1" "$(nproc)"
}

echo 4 >/proc/sys/kernel/printk
sleep 45			# let the boot finish
load "$ko"
load_event "$ko"
# The process is in a unit and in a container.
container=docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope
mkdir -p $cgroups/system.slice/$container
echo $$ >$cgroups/system.slice/$container/cgroup.procs
costs	# While the slabs are new, a connect to a listener takes some 130 instructions less.
costs
off_fails=$fails off_full=$full off_thread=$thread
costs_differing
off_ports=$ports off_names=$names
starts --fields $lean_fields
costs
dearer "a record of a connect" $limit $thread_limit
differing "a record of a connect" 4000 5000
at_most "resident set" 10240 "$(of_status VmHWM)" KiB

sleep 5
at_most "nothing happens for a minute" 0 "$(switches sleep 60)" wake-ups
start=$(cut -d . -f 1 /proc/uptime)
count=$(switches trickle)
seconds=$(($(cut -d . -f 1 /proc/uptime) - start))
at_most "ten connections a second for $seconds s" $((2 * seconds + 2)) "$count" wake-ups
ends

starts --fields pid,uid,comm,exe,parents,unit,container,daddr,dport,ret,cookie
costs
dearer "who made a connect" $rich_limit $rich_thread_limit
differing "who made a connect" 6000 9000
at_most "resident set with who made a connect" 20480 "$(of_status VmHWM)" KiB
# Where nothing is counted, nothing has connected yet.
tells_idle_time || /payload/cost -n 1 connect 198.51.100.1 9 >/dev/null
await 60 accounted 1
equals "who made a connect" "/payload/cost $container ${container#docker-}" "$(tail -n 1 $logs/connections.json |
	sed 's/.*"exe":"\([^"]*\)".*"unit":"\([^"]*\)","container":"\([^"]*\)".*/\1 \2 \3.scope/')"
ends
starts
costs
dearer "who made a connect, with all fields" 6000
ends
starts --result
costs
dearer "who made a connect and what became of it" 7500
ends

starts --fields $lean_fields --not-port 9 --not-net 127.0.0.0/8
costs
dearer "a filtered connect" 900
equals "the filtered connects are not recorded" "0 0" "$(sums)"
ends

for cpus in 1 2 4; do
	online $cpus
	burst 100000 $cpus
	equals "burst on $cpus CPUs: 100,000 of 100,000 are stored" "100000 0" "$records $lost"
done
if [ "$most" -gt 100000 ]; then
	burst "$most" 4 --fields $lean_fields	# the guest's memory is too small for more fields
	equals "burst on 4 CPUs: $most are stored or counted" "$most" $((records + lost))
	figure "record, $(uname -r), burst on 4 CPUs: $records stored, $lost lost"
fi
unload tcp_connect_logger
echo end
