#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# follow.sh KO - follow shows the connections of the trace event, and what was recorded before
#
# where: tracers
# on: trixie
# payload: tools-deb module sequence connect
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
instances=$tracing/instances
logs=/var/log/tcp-connect-logger
says="tcp-connect-logger:"

# starts NAME OPTION...: start follow. /tmp/NAME gets its output, and /tmp/NAME.err its errors.
starts() {
	name=$1
	shift
	tcp-connect-logger follow "$@" >"/tmp/$name" 2>"/tmp/$name.err" &
	eval "$name=$!"
	await 60 waits $!
}

# ends NAME
ends() {
	status=0
	eval "follower=\$$1"
	# shellcheck disable=SC2154 # eval
	kill "$follower"
	wait "$follower" || status=$?
	equals "$1: SIGTERM ends it" 0 $status
}

# shows NAME OPTION...: print what follow shows until it ends; /tmp/NAME.err gets its errors
shows() {
	name=$1
	shift
	timeout 60 tcp-connect-logger follow "$@" 2>"/tmp/$name.err"
}

timeless() {
	sed 's/^20[0-9-]*T[0-9:]*\.[0-9]\{9\}Z /TIME /' "$@"
}

# ---- The trace event

live() {
	starts all
	equals "it says what it shows" "$says showing the connections of the trace event" "$(cat /tmp/all.err)"
	starts json --json
	starts filtered --port 443 --not-net 198.51.100.0/24
	starts not --not-comm 'be*' --not-user 12345 --not-port 443
	starts bracket --comm '[b]e ta'
	starts cgroup --cgroup /rig-follow
	starts logged --log
	equals "--log: it says what it shows" "$says showing what is logged, from the journal
$says logging is off; to switch it on: tcp-connect-logger enable" "$(cat /tmp/logged.err)"
	equals "each has a trace instance of its own" 6 \
		"$(find $instances -maxdepth 1 -name 'tcp-connect-logger-[0-9]*' | wc -l)"
	# shellcheck disable=SC2154 # eval
	equals "the kernel filters" \
		'(dport == 443) && ((family != 2 || daddr < 0xc6336400 || daddr > 0xc63364ff))' \
		"$(cat $instances/tcp-connect-logger-"$filtered"/events/tcp_connect_logger/tcp_connect/filter)"
	series
	for one in "all 4" "json 4" "filtered 1" "not 1" "bracket 1"; do
		# shellcheck disable=SC2086 # words
		await 60 lines $one
	done
	(
		echo 0 >$cgroups/rig-follow/cgroup.procs
		exec /payload/connect -n delta blocking 127.0.0.1 9 >/dev/null
	)
	await 60 lines cgroup 1
	await 60 lines all 5
	equals "it shows all connections, although logging is off" "$(those 1 2 3 4)" "$(head -n 4 /tmp/all | timeless)"
	equals "filters" "$(those 3)" "$(timeless /tmp/filtered)"
	equals "negated filters" "$(those 1)" "$(head -n 1 /tmp/not | timeless)"
	equals "a filter that the kernel lacks" "$(those 2)" "$(timeless /tmp/bracket)"
	matches "cgroup: only this one" "TIME pid=[1-9]* uid=0 comm=delta -> 127.0.0.1:9" "$(timeless /tmp/cgroup)"
	# shellcheck disable=SC2154 # eval
	equals "--json" "{\"pid\":$pid_1,\"uid\":0,\"user\":\"root\",\"comm\":\"alpha\",\"family\":\"AF_INET\",\"daddr\":\"127.0.0.1\",\"dport\":9,\"ret\":0}
{\"pid\":$pid_2,\"uid\":33,\"user\":\"www-data\",\"comm\":\"be ta\",\"family\":\"AF_INET\",\"daddr\":\"198.51.100.1\",\"dport\":443,\"ret\":-101}
{\"pid\":$pid_3,\"uid\":0,\"user\":\"root\",\"comm\":\"gamma\",\"family\":\"AF_INET6\",\"daddr\":\"2001:db8::1\",\"dport\":443,\"ret\":-101}
{\"pid\":$pid_4,\"uid\":12345,\"user\":null,\"comm\":\"\\né\\\\x�\",\"family\":\"AF_INET6\",\"daddr\":\"::1\",\"dport\":9,\"ret\":0}" \
		"$(head -n 4 /tmp/json | jq -c '{ pid, uid, user, comm, family, daddr, dport, ret }')"
	equals "--json: the other members" "number number number" \
		"$(head -n 1 /tmp/json | jq -r '(.netns, .cgroup, .cookie) | type' | xargs)"
	equals "--log shows nothing, because logging is off" "" "$(cat /tmp/logged)"
	for one in json filtered not bracket cgroup logged; do
		ends $one
	done
	fails "a cgroup, in the log" timeout 60 tcp-connect-logger follow --log --cgroup /
	equals "a cgroup, in the log: it says so" \
		"$says the log has no cgroups: --cgroup and --not-cgroup need the trace event" \
		"$output"
}

# ---- Who made it, and what became of it

# rows NAME: print what follow shows, with one space between two columns, and without latencies
rows() {
	sed 's/  */ /g; s/ $//; s/after [0-9.]* s/after T/' "/tmp/$1"
}

chosen() {
	exits "no such column" 2 tcp-connect-logger follow -o pid,shoe
	equals "no such column: it says so" "$says there is no field shoe" "$output"
	exits "the log has no executables" 2 tcp-connect-logger follow --log -o exe
	equals "the log has no executables: it says so" \
		"$says the log does not have this: --result and these columns need the trace event" "$output"
	starts columns -o comm,exe,dport,ret,result --result --not-comm noise
	starts fields --json -o comm,exe --exe '*/connect'
	starts unit -o unit,comm --unit rig-follow
	starts not_unit -o comm --not-unit rig-follow.service --not-exe '/none/*'
	starts text --result
	starts names --json -o domain,domain_source,daddr --names
	echo '192.0.2.77 named.example' >>/etc/hosts
	ip address add 192.0.2.77/32 dev lo
	connection -n noise blocking 192.0.2.77 9
	connection -n alpha blocking 192.0.2.77 9
	systemd-run -q --wait --unit rig-follow /payload/connect -n inside blocking 198.51.100.1 9
	await 60 lines unit 2
	await 60 lines not_unit 3
	await 60 lines columns 4
	await 60 lines fields 3
	await 60 lines text 5
	# The first record asks for the name, and a later one has it.
	named() {
		connection -n again blocking 192.0.2.77 9
		grep -q named.example /tmp/names
	}
	await 60 named
	for one in columns fields unit not_unit text names; do
		ends $one
	done
	equals "columns, with the result" "COMM EXE DPORT RET RESULT
alpha /payload/connect 9 0 -
alpha - 9 -111 refused
inside /payload/connect 9 -101 -" "$(rows columns | head -n 4)"
	equals "members, by executable" '{"comm":"noise","exe":"/payload/connect"}
{"comm":"alpha","exe":"/payload/connect"}
{"comm":"inside","exe":"/payload/connect"}' "$(head -n 3 /tmp/fields)"
	equals "by unit" "UNIT COMM
rig-follow.service inside" "$(rows unit)"
	equals "not by unit" "COMM
noise
alpha" "$(rows not_unit | head -n 3)"
	matches "text, with the result" "*Z pid=[1-9]* uid=0 comm=noise -> 192.0.2.77:9
*Z pid=[1-9]* uid=0 comm=noise -> 192.0.2.77:9: refused after T
*Z pid=[1-9]* uid=0 comm=alpha -> 192.0.2.77:9
*Z pid=[1-9]* uid=0 comm=alpha -> 192.0.2.77:9: refused after T
*Z pid=[1-9]* uid=0 comm=inside -> 198.51.100.1:9*" "$(rows text)"
	equals "names" '{"daddr":"192.0.2.77","domain":"named.example","domain_source":"reverse"}' \
		"$(grep -m 1 named /tmp/names)"
}

# queried_names: names that a process has asked systemd-resolved for. A reverse lookup finds the first
# name that /etc/hosts has for an address.
queried_names() {
	echo '192.0.2.78 first.example second.example' >>/etc/hosts
	starts queries --json -o domain,domain_source,daddr --names
	# shows NAME: true if a connection has this name
	shows_name() {
		connection -n again blocking 192.0.2.78 9
		grep -q "$1" /tmp/queries
	}
	await 60 shows_name first
	succeeds "names: systemd-resolved is installed" dpkg -i /payload/resolved/*.deb
	# dbus-daemon may not have read yet what the package lets systemd-resolved do.
	systemctl reload dbus
	systemctl restart systemd-resolved
	# The first query may come before systemd-resolved has taken the subscription.
	query() {
		timeout 10 resolvectl query second.example >/dev/null && shows_name second
	}
	await 20 query
	ends queries
	equals "names: of a reverse lookup, then of a query" \
		'{"daddr":"192.0.2.78","domain":"first.example","domain_source":"reverse"}
{"daddr":"192.0.2.78","domain":"second.example","domain_source":"query"}' \
		"$(grep domain /tmp/queries | uniq)"
}

# counts NAME: print the rows of the last object of top, without times
counts() {
	tail -n 1 "/tmp/$1" | jq -c '.rows[] | del(.new, .rate, .latency, .longest)'
}

top_starts() {
	name=$1
	shift
	tcp-connect-logger top --json --interval 1 "$@" >"/tmp/$name" 2>"/tmp/$name.err" &
	eval "$name=$!"
	await 60 grep -q '"connections":0' "/tmp/$name"
}

top_chosen() {
	exits "top: --failed and --latency" 2 tcp-connect-logger top --failed --latency
	equals "top: --failed and --latency: it says so" "$says --failed and --latency exclude each other" "$output"
	exits "top: the log has no units" 2 tcp-connect-logger top --log --group unit
	top_starts failed --failed --comm 'to*'
	top_starts latency --latency --sort latency --group exe
	top_starts units --group unit
	connection -n tofail blocking 127.0.0.1 9
	connection -n tofail blocking 127.0.0.1 9
	connection -n tonowhere blocking 198.51.100.1 9
	connection -n other data 127.0.0.1 99
	systemd-run -q --wait --unit rig-follow /payload/connect -n inside blocking 198.51.100.1 9
	await 60 grep -q '"connections":3' /tmp/failed
	await 60 grep -q '"connections":1' /tmp/latency
	await 60 grep -q '"connections":5' /tmp/units
	equals "top --failed" '{"comm":"tofail","family":"AF_INET","daddr":"127.0.0.1","dport":9,"result":"refused","count":2}
{"comm":"tonowhere","family":"AF_INET","daddr":"198.51.100.1","dport":9,"result":"unreachable","count":1}' \
		"$(counts failed)"
	equals "top --latency --group exe" '{"exe":"/payload/connect","count":1}' "$(counts latency)"
	equals "top --latency: it is not 0, and the average of one is the longest" true \
		"$(tail -n 1 /tmp/latency | jq -c '.rows[0] | .latency > 0 and .latency == .longest')"
	equals "top --group unit" 1 "$(counts units | grep -c '"unit":"rig-follow.service","count":1')"
	for one in failed latency units; do
		eval "process=\$$one"
		# shellcheck disable=SC2154 # eval
		kill "$process"
		wait "$process"
		equals "top: SIGTERM ends $one" 0 $?
	done
	tcp-connect-logger top --failed --interval 1 >/tmp/table 2>&1 &
	table=$!
	await 60 grep -q '^connections 0' /tmp/table
	connection -n tofail blocking 127.0.0.1 9
	await 60 grep -q refused /tmp/table
	kill $table
	wait $table
	equals "top --failed: its table" "COUNT NEW RESULT COMM DESTINATION
1 1 refused tofail 127.0.0.1:9" "$(grep -B 1 -m 1 refused /tmp/table | sed 's/  */ /g; s/^ //')"
}

# killed: the next follow removes the trace instance of one that was killed
killed() {
	starts dead
	# shellcheck disable=SC2154 # eval
	kill -KILL "$dead"
	wait "$dead" 2>/dev/null
	equals "killed: its trace instance stays" "$instances/tcp-connect-logger-$dead" "$(ls -d "$instances/tcp-connect-logger-$dead")"
	starts next
	equals "killed: the next one removes it" "" "$(ls -d "$instances/tcp-connect-logger-$dead" 2>/dev/null)"
	ends next
}

# reloaded: it lets go of the event when the module is unloaded, and goes on afterwards
reloaded() {
	starts gap --json
	connection -n before blocking 127.0.0.1 9
	succeeds "unload: follow does not prevent it" tcp-connect-logger unload
	nothing_left unload
	load "$ko"
	load_event "$ko"
	# shellcheck disable=SC2154 # eval
	for follower in $gap $all; do
		await 60 test -e "$instances/tcp-connect-logger-$follower"
		await 60 waits "$follower"
	done
	connection -n after blocking 127.0.0.1 9
	await 60 lines gap 3
	await 60 grep -q comm=after /tmp/all
	equals "it shows what came before, the gap, and what comes after" "before gap after" \
		"$(jq -r '.comm // .event' /tmp/gap | xargs)"
	matches "it shows the gap as text, too" \
		"*$says the module was unloaded, so nothing was seen from 20*Z to 20*Z" "$(cat /tmp/all.err)"
	ends gap
	ends all
	equals "nothing stays in the kernel" "" "$(ls $instances)"
}

# top_reloaded: top lets go of the event, too, and keeps its counts
top_reloaded() {
	tcp-connect-logger top --json --interval 1 --comm counted >/tmp/top 2>/tmp/top.err &
	top=$!
	await 60 grep -q '"connections":0' /tmp/top
	equals "top: it says what it counts" "$says counting the connections of the trace event" "$(cat /tmp/top.err)"
	connection -n counted blocking 127.0.0.1 9
	await 60 grep -q '"connections":1' /tmp/top
	succeeds "unload: top does not prevent it" tcp-connect-logger unload
	load "$ko"
	load_event "$ko"
	await 60 test -e "$instances/tcp-connect-logger-$top"
	await 60 grep -q comm,daddr "$instances/tcp-connect-logger-$top/events/tcp_connect_logger/tcp_connect/trigger"
	connection -n counted blocking 127.0.0.1 9
	await 60 grep -q '"connections":2' /tmp/top
	equals "top: it adds to the counts from before" '{"comm":"counted","daddr":"127.0.0.1","dport":9,"count":2}' \
		"$(tail -n 1 /tmp/top | jq -c '.rows[] | {comm, daddr, dport, count}')"
	kill $top
	wait $top
	equals "top: SIGTERM ends it" 0 $?
}

# overflow: more than its buffer holds
overflow() {
	starts full --buffer 1 --json
	# shellcheck disable=SC2154 # eval
	kill -STOP "$full"
	/payload/sequence 0 30000
	kill -CONT "$full"
	await 60 grep -q lost /tmp/full
	await 60 waits "$full"
	equals "overflow: each connection is shown or counted" 30000 \
		"$(jq -n 'reduce inputs as $one (0; if $one.event == "lost" then . + $one.count else . + 1 end)' /tmp/full)"
	ends full
}

# ---- What was recorded

# recorded FILE COMM SECONDS: add a record of an earlier time
recorded() {
	printf '{"time":"%s.000000042Z","pid":1,"uid":0,"comm":"%s","family":"AF_INET","daddr":"192.0.2.1","dport":80,"ret":0,"netns":1,"cgroup":1,"cookie":1}\n' \
		"$(date -u -d "@$3" +%Y-%m-%dT%H:%M:%S)" "$2" >>$logs/"$1"
}

history() {
	exits "nothing was recorded" 1 tcp-connect-logger follow --lines 3
	equals "nothing was recorded: it says so" \
		"$says nothing has been recorded in $logs: see tcp-connect-logger-record.service" "$output"
	mkdir -m 750 $logs
	# The files' times are those of their last lines.
	hour=$(($(date +%s) / 3600 * 3600 - 7200))
	old=connections-$(date -u -d "@$((hour + 10))" +%Y-%m-%dT%H:%M:%S).000000000Z.json
	recorded "$old" one $hour
	recorded "$old" two $((hour + 10))
	touch -d "@$((hour + 10))" $logs/"$old"
	recorded connections.json three $((hour + 3600))
	printf '{"time":"torn\n' >>$logs/connections.json
	printf '{"time":"%s","event":"lost","count":5,"reason":"the buffer was full"}\n' \
		"$(date -u -d "@$((hour + 3601))" +%Y-%m-%dT%H:%M:%SZ)" >>$logs/connections.json
	recorded connections.json four $((hour + 3602))

	equals "--until ends it: all that was recorded" "one two three four" \
		"$(shows all --until now | sed 's/.*comm=\([a-z]*\) .*/\1/' | xargs)"
	equals "--until: the times have nanoseconds, and are those of the connections" \
		"$(date -u -d "@$hour" +%Y-%m-%dT%H:%M:%S).000000042Z pid=1 uid=0 comm=one -> 192.0.2.1:80" \
		"$(shows all --until now | head -n 1)"
	equals "what was lost is shown, and a damaged line is reported" \
		"$says a damaged line in $logs is not shown
$says $(date -u -d "@$((hour + 3601))" +%Y-%m-%dT%H:%M:%S).000000000Z: 5 connections were lost: the buffer was full" \
		"$(cat /tmp/all.err)"
	equals "--since: not what is earlier" "two three four" \
		"$(shows all --since "$(date -d "@$((hour + 1))" '+%Y-%m-%d %H:%M:%S')" --until now | sed 's/.*comm=\([a-z]*\) .*/\1/' | xargs)"
	equals "--until: not what is later" "one two" \
		"$(shows all --until "@$((hour + 20))" | sed 's/.*comm=\([a-z]*\) .*/\1/' | xargs)"
	equals "-n: the last ones" "three four" \
		"$(shows all -n 2 --until now | sed 's/.*comm=\([a-z]*\) .*/\1/' | xargs)"
	equals "-n: more than there are" "one two three four" \
		"$(shows all -n 9 --until now | sed 's/.*comm=\([a-z]*\) .*/\1/' | xargs)"
	equals "-n counts what the filters select" two \
		"$(shows all -n 1 --comm 't[!h]*' --until now | sed 's/.*comm=\([a-z]*\) .*/\1/' | xargs)"
	equals "--json: with what was lost" "one two three lost four" \
		"$(shows all --json --until now | jq -r '.comm // .event' | xargs)"

	starts live -n 1
	connection -n five blocking 127.0.0.1 9
	await 60 lines live 2
	equals "after what was recorded, it goes live" "four five" "$(sed 's/.*comm=\([a-z]*\) .*/\1/' /tmp/live | xargs)"
	ends live

	for wrong in "--since tomorrow-ish" "--until 25:00" "--lines x" "-n" "--since now --until -1h" "--log -n 3"; do
		# shellcheck disable=SC2086 # words
		exits "follow $wrong" 2 tcp-connect-logger follow $wrong
	done
	# shellcheck disable=SC2086 # words
	exits "not root" 4 $as_nobody tcp-connect-logger follow -n 1
	equals "not root: it says so" "$says only root can read the files in $logs: try sudo" "$output"
}

# while_recording: with a recorder, what was recorded and what comes are one sequence
while_recording() {
	tcp-connect-logger record --file-size 1 --total-size 64 2>/tmp/recorder.err &
	recorder=$!
	await 60 grep -q 1 $instances/tcp-connect-logger-record/events/tcp_connect_logger/tcp_connect_origin/enable
	/payload/sequence 0 100
	await 60 grep -q -F 198.18.0.99 $logs/connections.json
	starts both --since "@$hour" --net 198.18.0.0/15
	await 60 lines both 100
	/payload/sequence 100 20000
	await 60 lines both 20000
	equals "with a recorder: nothing is lost or repeated, whatever files it takes" "$(awk 'BEGIN {
			for (i = 0; i < 20000; i++)
				printf "198.18.%d.%d:9\n", i / 256, i % 256
		}' | cksum)" "$(sed 's/.* -> //' /tmp/both | cksum)"
	equals "with a recorder: there are several files" 1 $(($(find $logs -name "*.json" | wc -l) > 3))
	kill $recorder
	wait $recorder
	await 60 grep -q 'the recorder has ended' /tmp/both.err
	ends both
	rmdir $instances/tcp-connect-logger-record
}

# lockdown: the kernel forbids the use of tracefs, until the next boot
lockdown() {
	echo confidentiality >/sys/kernel/security/lockdown
	starts locked
	equals "lockdown: it shows what is logged" "$says showing what is logged, from the journal
$says logging is off; to switch it on: tcp-connect-logger enable" "$(cat /tmp/locked.err)"
	ends locked
	tcp-connect-logger top --count 1 --interval 1 >/tmp/top 2>/tmp/top.err
	equals "lockdown: top counts what is logged" "$says counting what is logged, from the journal
$says logging is off; to switch it on: tcp-connect-logger enable" "$(cat /tmp/top.err)"
}

unpack tcp-connect-logger
mkdir $cgroups/rig-follow
load "$ko"
fails "without the event, there is no trace instance" ls -d $instances/tcp-connect-logger-*
starts early
equals "without the event: what is logged" "$says showing what is logged, from the journal
$says logging is off; to switch it on: tcp-connect-logger enable" "$(cat /tmp/early.err)"
ends early
load_event "$ko"
live
chosen
queried_names
top_chosen
killed
reloaded
top_reloaded
overflow
history
while_recording
lockdown
unload tcp_connect_logger
echo end
