#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# record.sh KO - the recorder stores each connection once, and counts what it loses, whatever
# interrupts it
#
# where: tracers
# on: trixie
# payload: deb tools-deb module sequence connect
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
instance=$tracing/instances/tcp-connect-logger-record
recorded=$instance/events/tcp_connect_logger/tcp_connect
logs=/var/log/tcp-connect-logger
current=$logs/connections.json
says="tcp-connect-logger:"

# starts OPTION...: start a recorder, and wait until it reads the event
starts() {
	tcp-connect-logger record "$@" 2>/tmp/errors &
	recorder=$!
	await 60 records
}

# ends NAME: end the recorder
ends() {
	status=0
	kill $recorder
	wait $recorder || status=$?
	equals "$1: SIGTERM ends it" 0 $status
}

# killed: kill the recorder
killed() {
	kill -KILL $recorder
	wait $recorder 2>/dev/null
}

# objects: print what is stored, in the order of the files' names. A kill may leave a part of a line.
objects() {
	cat $logs/connections-*.json $current 2>/dev/null | grep '}$'
}

# stored NUMBER: true if there are at least so many lines
stored() {
	[ "$(objects | wc -l)" -ge "$1" ]
}

# connects NUMBER: make so many connections at full speed, on each CPU
connects() {
	connection -n flood -c "$1" blocking 127.0.0.1 9
}

# again: remove what is stored
again() {
	rm -rf $logs
	mkdir -m 750 $logs
	[ ! -e $instance ] || rmdir $instance
}

# shown PID STORED BUFFER_FULL NOT_WRITTEN: check what "status" shows, also to other users
shown() {
	# shellcheck disable=SC2086 # words
	equals "status as json: stored $2, lost $3 and $4" \
		"{\"pid\":$1,\"stored\":$2,\"buffer_full\":$3,\"not_written\":$4}" \
		"$($as_nobody tcp-connect-logger status --json | jq -c '.recorder | { pid, stored, buffer_full, not_written }')"
	running=1 process="process $1"
	[ "$1" != null ] || running=0 process="not running"
	equals "status: stored $2, lost $3 and $4" "recorder   $process, stored $2, lost $(($3 + $4))" \
		"$(tcp-connect-logger status | grep ^recorder)"
	equals "metrics: stored $2, lost $3 and $4" "running $running
records_total $2
lost_total{reason=\"buffer_full\"} $3
lost_total{reason=\"not_written\"} $4" \
		"$(tcp-connect-logger status --prometheus | sed -n '/results_total\|unknown_total/d; s/^tcp_connect_logger_recorder_//p')"
}

# plain: mask what differs in each run
plain() {
	jq -c 'del(.time, .netns, .cgroup, .cookie)' "$@"
}

# lean: leave out who made the connection, which "origin" tests
lean() {
	jq -c 'del(.tid, .start, .exe, .ppid, .parents, .unit, .container, .cgroup_path, .saddr, .sport)' "$@"
}

# ---- The records

first_records() {
	equals "status before the first recorder" null "$(tcp-connect-logger status --json | jq -c .recorder)"
	equals "metrics before the first recorder" "running 0" \
		"$(tcp-connect-logger status --prometheus | sed -n 's/^tcp_connect_logger_recorder_//p')"
	tcp-connect-logger record 2>/tmp/errors &
	recorder=$!
	await 60 grep -q waiting /tmp/errors
	equals "without the event: it says so" \
		"$says waiting for the trace event; see: tcp-connect-logger status" "$(cat /tmp/errors)"
	load "$ko"
	connection blocking 127.0.0.1 9
	load_event "$ko"
	await 60 records
	exits "another recorder" 1 tcp-connect-logger record
	equals "another recorder is refused" "$says another recorder, process $recorder, is running." "$output"
	enter_cgroup
	before=$(date +%s%N)
	connection -n alpha -u 33 blocking 198.51.100.1 443
	alpha=$pid
	connection -n '\x22be\x0a\xff' blocking 2001:db8::1 80
	await 60 stored 2
	after=$(date +%s%N)
	equals "a record has what the event has" \
		"{\"pid\":$alpha,\"uid\":33,\"comm\":\"alpha\",\"family\":\"AF_INET\",\"daddr\":\"198.51.100.1\",\"dport\":443,\"ret\":-101,\"netns\":$(stat -Lc %i /proc/self/ns/net),\"cgroup\":$(stat -c %i $cgroups/rig)}
{\"pid\":$pid,\"uid\":0,\"comm\":\"\\\"be\\n�\",\"family\":\"AF_INET6\",\"daddr\":\"2001:db8::1\",\"dport\":80,\"ret\":-101,\"netns\":$(stat -Lc %i /proc/self/ns/net),\"cgroup\":$(stat -c %i $cgroups/rig)}" \
		"$(lean $current | jq -c 'del(.time, .cookie)')"
	leave_cgroup
	# The two clocks differ while the system clock is slewed.
	equals "the time has nanoseconds, and is that of the connection" "true true" \
		"$(jq -r .time $current | sed 's/^\(.*\)\.\([0-9]\{9\}\)Z$/\1Z \2/' | while read -r time rest; do
			one=$(date -d "$time" +%s)$rest
			echo $((one > before - 1000000 && one < after + 1000000))
		done | sed 's/1/true/' | xargs)"
	shown $recorder 2 0 0
	# shellcheck disable=SC2086 # words
	fails "other users cannot lock what a recorder locks" $as_nobody cat /run/tcp-connect-logger-record/lock
	equals "each socket has a cookie of its own" 2 "$(jq .cookie $current | sort -u | wc -l)"
	equals "only root can read the file" "640 root root" "$(stat -c '%a %U %G' $current)"
	ends "first recorder"
	equals "it has printed nothing else" 1 "$(wc -l </tmp/errors)"
	shown null 2 0 0
}

bad_options() {
	exits "no such field" 2 tcp-connect-logger record --fields time,shoe
	equals "no such field: it says so" "$says there is no field shoe" "$output"
	exits "too small in all" 2 tcp-connect-logger record --file-size 4 --total-size 7
	equals "too small in all: it says so" \
		"$says the size of all files must be at least twice the size of a file" "$output"
	exits "no directory" 1 tcp-connect-logger record --directory /none
	equals "no directory: it says so" "$says cannot open /none: No such file or directory" "$output"
	printf 'days = 3\nshoe = 7\n' >/tmp/bad.conf
	exits "bad configuration" 2 tcp-connect-logger record --config /tmp/bad.conf
	equals "bad configuration: it names the line" \
		"$says /tmp/bad.conf, line 2: not an option and its value: shoe" "$output"
	# shellcheck disable=SC2086 # words
	exits "not root" 4 $as_nobody tcp-connect-logger record
	equals "not root: it says so" "$says only root can record: try sudo" "$output"
}

filters() {
	again
	printf '# comment\n\nfields = pid comm dport\nnot-net = 127.0.0.0/8\n  not-net=::1  \n' >/tmp/good.conf
	starts --config /tmp/good.conf --not-port 22 --comm 'be*' --comm alpha
	equals "the kernel filters" \
		'(comm ~ "be*" || comm ~ "alpha") && (dport != 22) && ((family != 2 || daddr < 0x7f000000 || daddr > 0x7fffffff) && (family != 10 || daddr6_hi < 0 || daddr6_hi > 0 || daddr6_lo < 0x1 || daddr6_lo > 0x1))' \
		"$(cat "$recorded/filter")"
	for one in "alpha 127.0.0.1 80" "alpha ::1 80" "alpha 198.51.100.1 22" "gamma 198.51.100.1 80" \
		"alpha 198.51.100.1 80" "beta 2001:db8::1 81"; do
		# shellcheck disable=SC2086 # words
		set -- $one
		connection -n "$1" blocking "$2" "$3"
		pids="${pids-} $pid"
	done
	# shellcheck disable=SC2086 # words
	set -- $pids
	await 60 stored 2
	equals "only what matches is stored, with these fields" \
		"{\"pid\":$5,\"comm\":\"alpha\",\"dport\":80}
{\"pid\":$6,\"comm\":\"beta\",\"dport\":81}" "$(plain $current)"
	ends "with filters"

	# fnmatch(3) and the kernel read brackets in different ways.
	again
	starts --comm '[!a]*' --cgroup /
	equals "the kernel filters what it can" "(cgroup == $(stat -c %i $cgroups))" "$(cat "${recorded}_origin/filter")"
	echo $$ >$cgroups/cgroup.procs
	connection -n alpha blocking 198.51.100.1 80
	connection -n gamma blocking 198.51.100.1 80
	await 60 stored 1
	equals "the recorder filters the rest" "{\"pid\":$pid}" "$(jq -c '{pid}' $current)"
	ends "with a bracket"
}

# A command line is stored if the process still runs, and otherwise counted as unknown.
command_lines() {
	again
	before=$(tcp-connect-logger status --json | jq .recorder.unknown_cmdlines)
	starts --fields pid,cmdline
	bash -c ': </dev/tcp/127.0.0.1/9; sleep 300; :' 'a "name"' 2>/dev/null &
	shell=$!
	await 60 stored 1
	equals "a command line" "{\"pid\":$shell,\"cmdline\":\"bash -c : </dev/tcp/127.0.0.1/9; sleep 300; : a \\\"name\\\"\"}" \
		"$(plain $current)"
	kill $shell
	kill -STOP $recorder
	connection blocking 127.0.0.1 9
	kill -CONT $recorder
	await 60 stored 2
	equals "the process has ended: no command line" "{\"pid\":$pid}" "$(plain $current | tail -n 1)"
	ends "command lines"
	equals "the process has ended: it is counted" $((before + 1)) \
		"$(tcp-connect-logger status --json | jq .recorder.unknown_cmdlines)"
}

# Results are stored, and counted in the metrics.
results() {
	again
	before=$(tcp-connect-logger status --prometheus | sed -n 's/.*result="refused"} //p')
	printf 'result\nfields = comm result\n' >/tmp/result.conf
	starts --config /tmp/result.conf --comm 'kept*'
	connection -n kept blocking 127.0.0.1 9
	connection -n other blocking 127.0.0.1 9
	connection -n kept2 blocking 198.51.100.1 9
	await 60 stored 3
	equals "results" '{"comm":"kept"}
{"event":"result","comm":"kept","ret":-111,"result":"refused"}
{"comm":"kept2"}' "$(jq -c 'del(.time, .cookie, .latency)' $current)"
	equals "a result has the cookie of its connection, and a latency" "number number" \
		"$(sed -n 2p $current | jq -r '(.cookie, .latency) | type' | xargs)"
	ends "with results"
	equals "results are counted" $((before + 1)) \
		"$(tcp-connect-logger status --prometheus | sed -n 's/.*result="refused"} //p')"
	equals "metrics: a line for each result" "established refused timed_out unreachable reset closed failed" \
		"$(tcp-connect-logger status --prometheus | sed -n 's/ /_/; s/.*_results_total{result="\(.*\)"}.*/\1/p' | xargs)"
	printf 'result = yes\n' >/tmp/result.conf
	exits "an option without a value" 2 tcp-connect-logger record --config /tmp/result.conf
}

unknown_results() {
	tcp-connect-logger status --prometheus | sed -n 's/.*{what="result"} //p'
}

# begins NAME: begin a connection that nobody answers
begins() {
	/payload/connect -n "$1" blocking 203.0.113.1 9 >/dev/null &
}

# gives_up NAME...: kill the processes that have begun these connections
gives_up() {
	for one in "$@"; do
		kill -KILL "$(jq -r "select(.comm == \"$one\" and .event == null).pid" $current)"
	done
}

later_results() {
	for_all_kinds
	again
	starts --result
	unknown=$(unknown_results)
	begins early
	await 60 stored 1
	ends "before the result"
	begins between
	starts --result
	await 60 stored 2
	killed
	gives_up early between
	starts --result
	await 60 stored 4
	equals "results come after a restart, and after SIGKILL" "early closed
between closed" "$(jq -r 'select(.event) | "\(.comm) \(.result)"' $current)"
	equals "none of them is unknown" "$unknown" "$(unknown_results)"

	begins late
	await 60 stored 5
	ends "before results are switched off"
	starts
	equals "results that will not be known are counted" $((unknown + 1)) "$(unknown_results)"
	ends "without results"
	fails "and those connections are forgotten" test -e /run/tcp-connect-logger-record/begun

	starts --result
	begins unloaded
	await 60 stored 6
	succeeds "unload, with a connection that has no result" tcp-connect-logger unload
	equals "unload: the results that will not be known are counted" $((unknown + 2)) "$(unknown_results)"
	load "$ko"
	load_event "$ko"
	await 60 records
	ends "after the module was loaded again"
	gives_up late unloaded
}

# ---- Interruptions

restarts() {
	again
	starts
	connects 1
	await 60 stored "$cpus"
	ends "before a restart"
	succeeds "restart: the kernel's buffers stay" test -e $instance
	connects 100
	starts
	await 60 stored $((101 * cpus))
	equals "restart: nothing is lost" "$((101 * cpus)) 0" "$(sums)"
	killed
	connects 100
	starts
	await 60 stored $((201 * cpus))
	equals "after SIGKILL: nothing is lost that was in the buffers" "$((201 * cpus)) 0" "$(sums)"

	# Kill it in the middle of a burst. What it had read and not written is counted.
	/payload/sequence 0 60000 &
	burst=$!
	await 120 stored $((201 * cpus + 1000))
	killed
	note "killed when this was stored or lost: $(sums)"
	starts
	wait $burst
	all=$((201 * cpus + 60000))
	await 120 accounted $all
	equals "killed in a burst: each connection is stored or counted" $all "$(total)"
	equals "killed in a burst: each is stored once" 0 \
		"$(objects | jq -r .daddr | grep '^198\.18\.' | sort | uniq -d | wc -l)"
	equals "killed in a burst: the records are in order" "" \
		"$(objects | jq -r 'select(.daddr != "127.0.0.1" and .pid) | .time' | LC_ALL=C sort -c 2>&1)"
	ends "after it was killed"
}

burst() {
	again
	starts
	connects $((100000 / cpus))
	await 300 accounted 100000
	equals "burst: 100,000 of 100,000 are stored" "100000 0" "$(sums)"
	# The kernel shows the size without the headers of pages.
	equals "burst: the buffers take at most 64 MiB" 1 \
		$(($(cat $instance/buffer_total_size_kb) <= 65536 * 4080 / 4096))
	ends "after the burst"
}

overflow() {
	again
	starts --buffer 1 --fields $lean_fields
	kill -STOP $recorder
	connects $((40000 / cpus))
	kill -CONT $recorder
	await 120 accounted 40000
	equals "overflow: each connection is stored or counted" 40000 "$(total)"
	lost=$(sums | cut -d " " -f 2)
	equals "overflow: many are lost" 1 $((lost > 20000))
	equals "overflow: the recorder says so" "$says $lost connections were lost: the buffer was full" "$(cat /tmp/errors)"

	# A flood cannot hide its author. The recorder notices that the buffer fills up, and the kernel
	# counts from then on, even if the recorder does not run.
	fill=$(($(cat $instance/buffer_size_kb) * 1024 * 8 / 1300))
	kill -STOP $recorder
	connection -n filling -c $fill blocking 127.0.0.1 9
	kill -CONT $recorder
	await 60 grep -q comm,pid "$recorded/trigger"
	await 60 accounted $((40000 + fill * cpus))
	kill -STOP $recorder
	connection -n noise blocking 127.0.0.1 9
	/payload/sequence 0 40000
	author=$(pgrep -x sequence || :)
	kill -CONT $recorder
	all=$((40000 + fill * cpus + 1 + 40000))
	await 120 accounted $all
	equals "flood: each connection is stored or counted" $all "$(total)"
	equals "flood: the loss names the busiest process, and all of its connections" \
		'{"comm":"sequence","count":40000}' \
		"$(objects | jq -c 'select(.event == "lost") | .busiest | {comm, count}' | tail -n 1)"
	author=$(objects | jq 'select(.comm == "sequence") | .pid' | head -n 1)
	equals "flood: the recorder names it, too" \
		"; process $author (sequence) made 40000" "$(tail -n 1 /tmp/errors | grep -o ';.*')"
	ends "after the overflow"
}

full_disk() {
	again
	mount -t tmpfs -o size=64k tmpfs $logs
	starts
	connects $((1000 / cpus))
	await 60 grep -q 'No space' /tmp/errors
	equals "full disk: it says so" \
		"$says cannot write connections.json: No space left on device; trying again every second" \
		"$(cat /tmp/errors)"
	mount -o remount,size=1m $logs
	await 60 stored 1000
	equals "full disk: nothing is lost" "1000 0" "$(sums)"
	await 60 grep -q 'written again' /tmp/errors
	ends "full disk"
	umount $logs
}

torn_line() {
	again
	starts
	connection blocking 127.0.0.1 9
	await 60 stored 1
	killed
	printf '{"time":"20' >>$current
	starts
	connection blocking 127.0.0.1 9
	await 60 stored 2
	equals "torn line: the next record is on a line of its own" "object string object" \
		"$(jq -r -R 'try (fromjson | type) catch "string"' $current | xargs)"
	ends "torn line"
}

rotation() {
	again
	starts --file-size 1 --total-size 3 --fields $lean_fields
	# Each record takes about 170 bytes.
	/payload/sequence 0 10000
	await 60 stored 10000
	equals "rotation: nothing is lost" "10000 0" "$(sums)"
	equals "rotation: the records are in order" "$(awk 'BEGIN {
			for (i = 0; i < 10000; i++)
				printf "198.18.%d.%d\n", i / 256, i % 256
		}' | cksum)" "$(objects | jq -r .daddr | cksum)"
	/payload/sequence 0 20000
	await 60 grep -q 198.18.78.31 $current
	equals "rotation: no file is larger than it may be" "" "$(find $logs -size +1024k)"
	equals "rotation: all of them are not larger than they may be" 1 $(($(cat $logs/* | wc -c) <= 3 << 20))
	equals "rotation: old files have their time in their name" "" \
		"$(find $logs -name '*.json' ! -name connections.json ! -regex '.*/connections-20[0-9-]*T[0-9:]*\.[0-9]*Z\.json')"
	equals "rotation: the oldest were deleted" 1 $(($(objects | wc -l) < 30000))
	equals "rotation: no line is divided" "$(objects | wc -l)" "$(objects | jq -c .cookie | wc -l)"
	ends "rotation"

	again
	mkdir -p $logs
	echo '{"time":"yesterday"}' >$current
	touch -d yesterday $current
	echo '{"time":"long ago"}' >$logs/connections-2020-01-01T00:00:00.000000000Z.json
	touch -d '31 days ago' $logs/connections-2020-01-01T00:00:00.000000000Z.json
	echo kept >$logs/other
	starts
	connection blocking 127.0.0.1 9
	await 60 grep -q pid $current
	equals "another day: a new file begins" "1 1" "$(wc -l <$current) $(cat $logs/connections-*.json | wc -l)"
	equals "old files are deleted" "" "$(find $logs -name 'connections-2020*')"
	equals "other files are not" kept "$(cat $logs/other)"

	mv $current $logs/moved
	connection blocking 127.0.0.1 9
	await 60 test -s $current
	equals "somebody moves the file: a new one begins" 1 "$(wc -l <$current)"
	ends "another day"
}

# ---- The module is unloaded and loaded again

reload() {
	again
	starts
	connection blocking 127.0.0.1 9
	connects 1000
	succeeds "unload: the recorder lets go" tcp-connect-logger unload
	equals "unload: everything is stored first" "$((1 + 1000 * cpus)) 0" "$(sums)"
	equals "unload: the trace instance is gone" "" "$(ls -d $instance 2>/dev/null)"
	nothing_left unload
	load "$ko"
	load_event "$ko"
	await 60 records
	connection blocking 127.0.0.1 10
	await 60 grep -q '"dport":10,' $current
	equals "load: the recorder goes on, and has stored the gap" "gap,the module was unloaded null,null" \
		"$(tail -n 2 $current | jq -r '"\(.event),\(.reason)"' | xargs)"
	equals "load: the gap has a begin and an end" true \
		"$(jq -c 'select(.event == "gap") | .since < .time and (.since | length) == 30' $current)"
	killed
	connects 10
	succeeds "unload: buffers that nobody reads do not matter" tcp-connect-logger unload
	equals "unload: what was in them is reported" \
		"$says $((10 * cpus)) connections are lost: they were in the buffers of a recorder that has ended" \
		"$(echo "$output" | grep recorder)"
	load "$ko"
	load_event "$ko"
}

# ---- The journal

# found MATCH...: print the entries of connections that journalctl finds
found() {
	journalctl -q -o json "$@" MESSAGE_ID=3c7b4ff1d7a84c0f9d3c0e6e0a4f6b51 | jq -c .CONNECTION_COMM
}

entries() {
	[ "$(found | wc -l)" -ge "$1" ]
}

to_journal() {
	again
	exits "no such output" 2 tcp-connect-logger record --output paper
	equals "no such output: it says so" "$says the output is file or journal, not paper" "$output"
	starts --output journal
	systemd-run -q --unit rig-client sh -c '/payload/connect -n alpha blocking 198.51.100.1 443; exec sleep infinity'
	connection -n 'be\x0ata' -u 33 blocking 2001:db8::1 80
	await 60 entries 2
	note "journal: $(journalctl -q -o cat MESSAGE_ID=3c7b4ff1d7a84c0f9d3c0e6e0a4f6b51 | xargs -d '\n')"
	equals "journal: an entry has all members" \
		"[\"pid=$pid uid=33 comm=be\\\\x0ata -> [2001:db8::1]:80\",\"6\",\"tcp-connect-logger\",\"$pid\",\"33\",\"be\\nta\",\"AF_INET6\",\"2001:db8::1\",\"80\",\"-101\"]" \
		"$(journalctl -q -o json MESSAGE_ID=3c7b4ff1d7a84c0f9d3c0e6e0a4f6b51 CONNECTION_UID=33 |
			jq -c '[.MESSAGE, .PRIORITY, .SYSLOG_IDENTIFIER, .CONNECTION_PID, .CONNECTION_UID, .CONNECTION_COMM, .CONNECTION_FAMILY, .CONNECTION_DADDR, .CONNECTION_DPORT, .CONNECTION_RET]')"
	equals "journal: an entry has who made it" "[\"/payload/connect\",\"$(cat /proc/$$/comm)($$)\"]" \
		"$(journalctl -q -o json MESSAGE_ID=3c7b4ff1d7a84c0f9d3c0e6e0a4f6b51 CONNECTION_UID=33 |
			jq -c '[.CONNECTION_EXE, (.CONNECTION_PARENTS | sub("^[^,]*,"; "") | sub(",.*"; ""))]')"
	equals "journal: journalctl -u finds what a unit has made" '"alpha"' "$(found -u rig-client)"
	equals "journal: journalctl _PID finds what this recorder has stored" 2 "$(found "_PID=$recorder" | wc -l)"
	equals "journal: nothing is in files" "" "$(ls $logs)"
	systemctl stop rig-client

	# While journald does not run, nothing is lost.
	systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald
	connects 10
	await 60 grep -q 'cannot write to the journal' /tmp/errors
	systemctl start systemd-journald
	await 60 entries $((2 + 10 * cpus))
	equals "journal: nothing is lost while journald does not run" $((2 + 10 * cpus)) "$(found | wc -l)"
	ends "journal"
}

# The buffers have events of both kinds: what one tells does not get into the record of the next.
in_turn() {
	again
	before=$(found | wc -l)
	starts --output journal
	killed
	systemd-run -q --wait --unit rig-rich /payload/connect -n rich blocking 198.51.100.1 9
	starts --output journal --fields pid,comm
	connection -n lean blocking 127.0.0.1 9
	await 60 entries $((before + 2))
	equals "both kinds of events: a record has only its own unit" '"rich"' "$(found -u rig-rich)"
	ends "both kinds of events"
}

# ---- The service

service() {
	again
	service=tcp-connect-logger-record
	equals "service: it is disabled" disabled "$(systemctl is-enabled $service)"
	systemctl start $service
	recorder=$(systemctl show -P MainPID $service)
	await 60 records
	connects 10
	await 60 stored $((10 * cpus))
	equals "service: it stores" "$((10 * cpus)) 0" "$(sums)"
	equals "service: it prints nothing" "" "$(journalctl -q -o cat _SYSTEMD_UNIT=$service.service)"
	equals "service: its directory" "750 root root" "$(stat -c '%a %U %G' $logs)"
	matches "service: it is hardened" "[01].[0-9] *" \
		"$(systemd-analyze security $service | sed -n 's/.*Overall exposure level[^:]*: //p')"
	equals "service: it sees the processes of all users, for their command lines" default \
		"$(systemctl show -P ProtectProc $service)"
	equals "service: it has no capability" "CapEff: 0000000000000000" \
		"$(grep CapEff "/proc/$recorder/status" | tr '\t' ' ')"
	systemctl restart $service &
	connects 10000
	wait
	recorder=$(systemctl show -P MainPID $service)
	await 60 records
	await 60 stored $((10010 * cpus))
	equals "service: nothing is lost in a restart" "$((10010 * cpus)) 0" "$(sums)"
	systemctl kill -s KILL $service
	connects 10
	await 60 stored $((10020 * cpus))
	equals "service: it is started again after SIGKILL" "$((10020 * cpus)) 0" "$(sums)"
	systemctl stop $service
	await 60 test ! -e $instance
	equals "service: nothing stays in the kernel when it is stopped" "" "$(ls -d $instance 2>/dev/null)"
	equals "service: it has not failed" "" "$(systemctl --failed --plain --no-legend)"
}

# purged: the package is removed while the service runs, and then purged
purged() {
	dpkg --configure --force-depends tcp-connect-logger >/dev/null 2>&1
	systemctl start $service
	recorder=$(systemctl show -P MainPID $service)
	await 60 records
	succeeds "remove" dpkg --remove --force-depends tcp-connect-logger
	equals "remove: the service has ended, and its buffers are gone" "" \
		"$(pgrep -f 'tcp-connect-logger record'; ls -d $instance 2>/dev/null)"
	succeeds "remove: what was recorded stays" test -s $current
	succeeds "purge" dpkg --purge --force-depends tcp-connect-logger
	equals "purge: nothing stays" "" "$(ls -d $logs /etc/tcp-connect-logger 2>/dev/null)"
}

cpus=$(nproc)
[ -d $logs ] || mkdir -m 750 $logs
unpack tcp-connect-logger
systemctl daemon-reload
first_records
bad_options
filters
command_lines
results
later_results
restarts
burst
overflow
full_disk
torn_line
rotation
reload
to_journal
in_turn
service
purged
unload tcp_connect_logger
echo end
