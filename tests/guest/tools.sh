#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# tools.sh KO - follow, top and the service for Prometheus, in a guest with systemd,
# rsyslogd and node_exporter
#
# where: tracers
# on: trixie
# payload: deb tools-deb module connect cost tests/guest/examples.sh README.md docs
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
instances=$tracing/instances

# starts NAME COMMAND...: run the command in the background. /tmp/NAME gets its output,
# /tmp/NAME.err gets its errors, and /tmp/NAME.pid gets its process ID.
starts() {
	started=/tmp/$1
	shift
	env --default-signal=INT "$@" >"$started" 2>"$started.err" &
	echo $! >"$started.pid"
	succeeds "$*: it starts" wait_until 120 waits $!
}

# ends NAME SIGNAL TEST: check that the signal ends the command
ends() {
	status=0
	pid=$(cat "/tmp/$1.pid")
	kill -"$2" "$pid"
	wait "$pid" || status=$?
	equals "$3: SIG$2 ends it" 0 $status
}

# all_read NAME: wait until the command waits for more, so that it has read everything up to now
all_read() {
	journalctl --sync
	await 60 waits "$(cat "/tmp/$1.pid")"
}

# errors NAME: print the messages of a command, without the one that says what it shows
errors() {
	sed '/^tcp-connect-logger: showing /d; /^tcp-connect-logger: counting /d' "/tmp/$1.err"
}

# Mask the time of each line
timeless() {
	sed "s/^$(date -u +%Y-%m-%d)T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\.[0-9]\{6\}Z /TIME /" "$@"
}

follows() {
	starts all tcp-connect-logger follow --log
	starts json tcp-connect-logger follow --log --json
	starts kmsg tcp-connect-logger follow --kmsg
	starts comm tcp-connect-logger follow --log --comm 'be t?'
	starts user tcp-connect-logger follow --log --user www-data
	starts uid tcp-connect-logger follow --log --user 12345
	starts port tcp-connect-logger follow --log --port 443
	starts net tcp-connect-logger follow --log --net 198.51.100.0/23
	starts net6 tcp-connect-logger follow --log --net 2001:db8::/32
	starts host tcp-connect-logger follow --log --net ::1
	starts both tcp-connect-logger follow --log --port 443 --user 0
	starts either tcp-connect-logger follow --log --comm alpha --comm gamma
	script -qefc "env LC_ALL=C.UTF-8 tcp-connect-logger follow --log" /tmp/terminal </dev/null >/dev/null 2>&1 &
	script=$!
	await 120 grep -q DESTINATION /tmp/terminal
	series
	await 60 lines terminal 6
	for one in all json kmsg comm user uid port net net6 host both either; do
		all_read $one
	done

	equals "follow shows all records" "$(those 1 2 3 4)" "$(timeless /tmp/all)"
	equals "follow --kmsg shows all records" "$(those 1 2 3 4)" "$(timeless /tmp/kmsg)"
	equals "follow --comm filters by name" "$(those 2)" "$(timeless /tmp/comm)"
	equals "follow --user NAME filters by user" "$(those 2)" "$(timeless /tmp/user)"
	equals "follow --user NUMBER filters by user" "$(those 4)" "$(timeless /tmp/uid)"
	equals "follow --port filters by port" "$(those 2 3)" "$(timeless /tmp/port)"
	equals "follow --net filters by IPv4 network" "$(those 2)" "$(timeless /tmp/net)"
	equals "follow --net filters by IPv6 network" "$(those 3)" "$(timeless /tmp/net6)"
	equals "follow --net filters by address" "$(those 4)" "$(timeless /tmp/host)"
	equals "follow: a record must match different options" "$(those 3)" "$(timeless /tmp/both)"
	equals "follow: a record may match any value of one option" "$(those 1 3)" "$(timeless /tmp/either)"
	# shellcheck disable=SC2154 # eval
	equals "follow --json shows all records" "{\"pid\":$pid_1,\"uid\":0,\"user\":\"root\",\"comm\":\"alpha\",\"family\":\"AF_INET\",\"daddr\":\"127.0.0.1\",\"dport\":9}
{\"pid\":$pid_2,\"uid\":33,\"user\":\"www-data\",\"comm\":\"be ta\",\"family\":\"AF_INET\",\"daddr\":\"198.51.100.1\",\"dport\":443}
{\"pid\":$pid_3,\"uid\":0,\"user\":\"root\",\"comm\":\"gamma\",\"family\":\"AF_INET6\",\"daddr\":\"2001:db8::1\",\"dport\":443}
{\"pid\":$pid_4,\"uid\":12345,\"user\":null,\"comm\":\"\\né\\\\x�\",\"family\":\"AF_INET6\",\"daddr\":\"::1\",\"dport\":9}" \
		"$(jq -c 'del(.time)' /tmp/json)"
	# The two processes read the clocks at different moments.
	equals "follow --json: the time differs from follow's by at most a second" "0 0 0 0" "$(
		{ sed 's/Z .*//; s/T/ /' /tmp/all; jq -r .time /tmp/json | sed 's/Z//; s/T/ /'; } |
			date -u -f - +%s.%N | awk '{ at[NR] = $1 }
				END { for (i = 1; i <= NR / 2; i++) {
					late = at[i + NR / 2] - at[i]
					printf "%s%d", (i > 1 ? " " : ""), (late < -1 || late > 1) } }')"
	equals "follow on a terminal shows columns" "$(echo "tcp-connect-logger: showing what is logged, from the journal"
		printf '%-12s %7s %-10s %-15s %s\n' TIME PID USER COMM DESTINATION \
		CLOCK "$pid_1" root alpha 127.0.0.1:9 CLOCK "$pid_2" www-data 'be ta' 198.51.100.1:443 \
		CLOCK "$pid_3" root gamma '[2001:db8::1]:443' CLOCK "$pid_4" 12345 '\x0aé\x5cx\xff ' '[::1]:9')" \
		"$(tr -d '\r' </tmp/terminal | sed '/^Script/d
			s/^[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\.[0-9][0-9][0-9] /CLOCK        /')"
	pkill -INT -P "$(pgrep -P $script)" || pkill -INT -P $script
	wait $script
	for one in json kmsg comm user uid port net net6 host both; do
		ends $one INT "follow, $one"
		equals "follow, $one: prints no errors" "" "$(errors $one)"
	done
	ends all TERM "follow"
	ends either HUP "follow, either"
}

# of_one_process: follow one process, which starts before follow and connects after it
of_one_process() {
	mkfifo /tmp/go
	sh -c 'read -r _ </tmp/go; exec busybox nc 127.0.0.1 9' 2>/dev/null &
	one=$!
	starts pid tcp-connect-logger follow --log --pid $one
	connection blocking 127.0.0.1 9
	echo >/tmp/go
	await 120 lines pid 1
	equals "follow --pid filters by process" \
		"TIME pid=$one uid=0 comm=busybox -> 127.0.0.1:9" "$(timeless /tmp/pid)"
	ends pid INT "follow --pid"
}

the_follower_waits() {
	follower=$(pgrep -f '^tcp-connect-logger follow') && waits "$follower"
}

# closed_pipe: check that follow ends when its reader ends, even if no further line comes
closed_pipe() {
	rm -f /tmp/status
	(
		tcp-connect-logger follow --log
		echo $? >/tmp/status
	) | head -n 1 >/tmp/head &
	await 120 the_follower_waits
	connection -n alpha blocking 127.0.0.1 9
	succeeds "closed pipe: follow ends" wait_until 120 test -s /tmp/status
	equals "closed pipe: the exit status is 0" 0 "$(cat /tmp/status)"
	equals "closed pipe: the reader got the record" \
		"TIME pid=$pid uid=0 comm=alpha -> 127.0.0.1:9" "$(timeless /tmp/head)"
}

# sum_of NAME: print the number of lines that follow has shown, plus the number that it has
# reported as lost
sum_of() {
	echo $(($(wc -l <"/tmp/$1") + $(sed -n 's/^tcp-connect-logger: \([0-9]*\) lines of .*/\1/p' "/tmp/$1.err" |
		paste -sd +) + 0))
}

sum_is_at_least() {
	[ "$(sum_of "$1")" -ge "$2" ]
}

journal_has() {
	journalctl -q -k -o cat -n 100 | grep -q -x -e "$1"
}

# lost NAME PROCESS: stop the process until the kernel has overwritten lines of its log, and check
# that follow reports how many
lost() {
	echo 0 >$rate_limit
	kill -STOP "$2"
	/payload/cost -n 19950 connect 198.51.100.1 9 >/dev/null
	kill -CONT "$2"
	succeeds "$1: follow reports overwritten lines" wait_until 100 grep -q overwritten "/tmp/$1.err"
	await 100 sum_is_at_least "$1" 20000
	sum=$(sum_of "$1")
	# The kernel may have logged lines of its own.
	equals "$1: the shown and the lost lines add up to all" 1 $((sum >= 20000 && sum < 20005))
	[ "$sum" = 20000 ] || note "$1: the sum is $sum, and 20000 connections were made"
	echo 1000 >$rate_limit
}

held_sum() {
	echo $(($(wc -l </tmp/held) + $(sed -n 's/^tcp-connect-logger: \([0-9]*\) connections.*/\1/p' /tmp/held.err |
		paste -sd +) + 0))
}

held_is() {
	[ "$(held_sum)" = "$1" ]
}

held_back() {
	echo 5 >$rate_limit
	starts held tcp-connect-logger follow --log
	/payload/cost -n 50 connect 198.51.100.1 9 >/dev/null
	await 60 held_is 100
	equals "suppressed: the shown and the suppressed connections add up to all" 100 "$(held_sum)"
	equals "suppressed: follow prints no other messages" "" "$(errors held |
		sed '/^tcp-connect-logger: [1-9][0-9]* connections not logged (rate_limit=5)$/d')"
	matches "suppressed: follow reports suppressed connections" \
		"tcp-connect-logger: [1-9]*" "$(errors held)"
	ends held INT "suppressed"
	echo 1000 >$rate_limit

	starts lost_kmsg tcp-connect-logger follow --kmsg
	lost lost_kmsg "$(cat /tmp/lost_kmsg.pid)"
	ends lost_kmsg INT "lost_kmsg"
	# A slow journald may still be reading the lines of the test before.
	echo "all was read" >/dev/kmsg
	await 120 journal_has "all was read"
	starts lost_journal tcp-connect-logger follow --log
	lost lost_journal "$(systemctl show -P MainPID systemd-journald)"
	ends lost_journal INT "lost_journal"
}

no_journal() {
	no_journald
	mkdir /tmp/journal
	mv /var/log/journal/* /run/log/journal/* /tmp/journal 2>/dev/null
	starts none tcp-connect-logger follow --log
	series
	await 120 lines none 4
	equals "no journal: follow shows all records" "$(those 1 2 3 4)" "$(timeless /tmp/none)"
	ends none INT "no journal"
	systemctl start systemd-journald.socket systemd-journald
}

usage() {
	for wrong in "follow x" "follow --nonsense" "follow --port" "follow --port 65536" "follow --port 8o" \
		"follow --pid -1" "follow --user no-such" "follow --net 1.2.3" "follow --net 1.2.3.4/33" \
		"follow --net ::1/129" "follow --net 1.2.3.4/" "follow --net ::ffff:192.0.2.0/120" \
		"follow --comm abcdefghijklmnop" "follow --pid 0" "follow --nonsense=x" "top x" "top --interval 0" "top --count x" \
		"top --count 99999" "top --group x" "top --sort x" "top --limit 0" "top --port x" "top --cgroup no-such" \
		"top --kmsg --cgroup /" "top --kmsg --not-cgroup /" "follow --log --cgroup /"; do
		# shellcheck disable=SC2086 # words
		exits "'$wrong' is wrong usage" 2 tcp-connect-logger $wrong
		matches "'$wrong' prints an error message" "tcp-connect-logger: *" "$output"
	done
	exits "follow by nobody" 4 runuser -u nobody -- tcp-connect-logger follow
	equals "follow by nobody: error message" \
		"tcp-connect-logger: only root and the groups adm and systemd-journal may read the log: ask to be added, or try sudo." "$output"
	useradd -G adm carol
	restrict=$(sysctl -n kernel.dmesg_restrict)
	sysctl -q kernel.dmesg_restrict=1
	exits "follow --kmsg by a member of adm" 4 \
		setpriv --reuid carol --regid carol --init-groups tcp-connect-logger follow --kmsg
	equals "follow --kmsg by a member of adm: error message" "tcp-connect-logger: cannot read /dev/kmsg: only root may, because kernel.dmesg_restrict is 1. Try sudo, or do without --kmsg." "$output"
	sysctl -q kernel.dmesg_restrict="$restrict"
	starts adm setpriv --reuid carol --regid carol --init-groups tcp-connect-logger follow --log --comm alpha
	connection -n alpha blocking 127.0.0.1 9
	await 120 lines adm 1
	equals "follow by a member of adm shows the record" \
		"TIME pid=$pid uid=0 comm=alpha -> 127.0.0.1:9" "$(timeless /tmp/adm)"
	pkill -TERM -f '^tcp-connect-logger follow'
	wait
}

# ---- Forged and missing entries

# forged LINE FIELD...: write this entry to the journal as an unprivileged user
forged() {
	{
		printf 'MESSAGE=%s\n' "$1"
		shift
		printf '%s\n' "$@"
	} | setpriv --reuid nobody --regid nogroup --clear-groups logger --journald
}

forgeries() {
	starts forged tcp-connect-logger follow --log
	starts forged_json tcp-connect-logger follow --log --json
	record="tcp_connect_logger: pid=1 uid=0 comm=sshd -> 6.6.6.6:22"
	missed=MESSAGE_ID=e9bf28e6e834481bb6f48f548ad13606
	forged "$record" $missed
	forged "$record" $missed _TRANSPORT=kernel PRIORITY=6 SYSLOG_FACILITY=0
	forged "$record" $missed _TRANSPORT=driver PRIORITY=6 SYSLOG_FACILITY=0 SYSLOG_IDENTIFIER=kernel
	forged "Missed 666 kernel messages" $missed
	forged "$(printf 'tcp_connect_logger: \033[31mred')" $missed
	forged "tcp_connect_logger: 666 connections not logged (slow console)" $missed PRIORITY=4
	echo "<6>$record" >/dev/kmsg		# facility user
	printf '<6>x\n%s\n' "$record" >/dev/kmsg
	connection -n alpha blocking 127.0.0.1 9
	await 120 lines forged 1
	await 120 lines forged_json 1
	all_read forged
	equals "forged entries: follow does not show them" \
		"TIME pid=$pid uid=0 comm=alpha -> 127.0.0.1:9" "$(timeless /tmp/forged)"
	equals "forged entries: follow prints no messages" "" "$(errors forged)"
	equals "forged entries: follow --json does not show them" "$pid" "$(jq .pid /tmp/forged_json)"
	ends forged INT "forged"
	ends forged_json INT "forged_json"
}

# slewed_clock: check the time of a record while the clock runs too fast. follow uses the time at
# which the journal received the record.
slewed_clock() {
	starts late tcp-connect-logger follow --log
	starts late_kmsg tcp-connect-logger follow --kmsg
	busybox adjtimex -q -t 11000	# 10 % too fast
	sleep 20
	connection -n alpha blocking 127.0.0.1 9
	busybox adjtimex -q -t 10000
	await 120 lines late 1
	await 120 lines late_kmsg 1
	journalctl --sync
	arrived=$(journalctl -o json -n 100 _TRANSPORT=kernel |
		jq -r "select(.MESSAGE | tostring | contains(\"pid=$pid uid=0 comm=alpha\")) | .__REALTIME_TIMESTAMP")
	equals "slewed clock: follow shows the journal's time" \
		"$(date -u -d "@${arrived%??????}.${arrived#"${arrived%??????}"}" +%FT%T.%6NZ)" "$(cut -d ' ' -f 1 /tmp/late)"
	late=$(date -u -d "$(cut -d ' ' -f 1 /tmp/late_kmsg)" +%s%6N)
	equals "slewed clock: follow --kmsg differs from the journal by less than half a second" 1 \
		$((late - arrived < 500000 && arrived - late < 500000))
	[ "$late" = "$arrived" ] ||
		note "slewed clock: follow --kmsg and the journal differ by $((late - arrived)) microseconds"
	ends late INT "late"
	ends late_kmsg INT "late_kmsg"
}

# blind: the journal has entries of this boot, but no lines of the kernel
blind() {
	mkdir -p /run/systemd/journald.conf.d
	printf '[Journal]\nMaxLevelStore=warning\n' >/run/systemd/journald.conf.d/rig.conf
	systemctl restart systemd-journald
	starts blind tcp-connect-logger follow --log
	connection -n alpha blocking 127.0.0.1 9
	first=$pid
	await 120 lines blind 1
	connection -n beta blocking 127.0.0.1 9
	await 120 lines blind 2
	equals "journal without the kernel's lines: follow shows all records" \
		"TIME pid=$first uid=0 comm=alpha -> 127.0.0.1:9
TIME pid=$pid uid=0 comm=beta -> 127.0.0.1:9" "$(timeless /tmp/blind)"
	matches "journal without the kernel's lines: follow warns" \
		"tcp-connect-logger: the journal does not get the kernel's lines; reading /dev/kmsg instead" \
		"$(errors blind)"
	equals "journal without the kernel's lines: follow prints only one message" \
		1 "$(errors blind | wc -l)"
	ends blind INT "blind"
	rm /run/systemd/journald.conf.d/rig.conf
	systemctl restart systemd-journald
}

# is_blocked NAME: true if the command is blocked in write(2)
is_blocked() {
	[ "$(cut -d ' ' -f 1 "/proc/$(cat "/tmp/$1.pid")/syscall")" = 1 ]
}

# has_ended NAME: true if the command has ended, even if nobody has waited for it yet
has_ended() {
	! grep -q '^State:[[:space:]]*[^Z[:space:]]' "/proc/$(cat "/tmp/$1.pid")/status"
}

# blocked: the reader of follow's output does not read
blocked() {
	mkfifo /tmp/stuck
	exec 5<>/tmp/stuck
	tcp-connect-logger follow --kmsg >/tmp/stuck 2>/tmp/stuck.err &
	echo $! >/tmp/stuck.pid
	await 120 waits "$(cat /tmp/stuck.pid)"
	echo 0 >$rate_limit
	/payload/cost -n 1950 connect 198.51.100.1 9 >/dev/null
	echo 1000 >$rate_limit
	succeeds "blocked output: follow is blocked" wait_until 120 is_blocked stuck
	kill -TERM "$(cat /tmp/stuck.pid)"
	succeeds "blocked output: SIGTERM ends follow" wait_until 10 has_ended stuck
	kill -KILL "$(cat /tmp/stuck.pid)" 2>/dev/null
	wait "$(cat /tmp/stuck.pid)"
	exec 5>&-
	rm /tmp/stuck
}

# ---- top

traces() {
	ls $instances
	cat $tracing/events/tcp_connect_logger/*/trigger $tracing/events/tcp_connect_logger/*/enable 2>/dev/null
}

counts() {
	for one in 0 0 0 12345; do connection -n alpha -u $one blocking 127.0.0.1 9; done
	for one in 1 2 3; do connection -n '\x0a{ comm: x' blocking 198.51.100.1 443; done
	for one in 1 2; do connection -n gamma blocking 2001:db8::1 443; done
	connection -n gamma -u 33 blocking 2001:db8::2 443
}

# table TOTAL ROW...: print the expected table, without the column NEW. A ROW is COUNT, NAME and
# DESTINATION, separated by "|".
table() {
	total=$1
	shift
	printf 'connections %s, rows %s\n\n%10s %-15s %s\n' "$total" $# COUNT COMM DESTINATION
	for row in "$@"; do
		IFS='|' read -r count name to <<-EOF
		$row
		EOF
		printf '%10s %-15s %s\n' "$count" "$name" "$to"
	done
}

# grouped COLUMN TOTAL ROW...: print the expected table of another group, without the column NEW. A
# ROW is COUNT and the text in COLUMN, separated by "|".
grouped() {
	column=$1 total=$2
	shift 2
	printf 'connections %s, rows %s\n\n%10s %s\n' "$total" $# COUNT "$column"
	for row in "$@"; do
		printf '%10s %s\n' "${row%%|*}" "${row#*|}"
	done
}

# table_of NAME TOTAL: print the first table that shows TOTAL connections, without the column NEW
table_of() {
	awk -v total="$2" '/^connections / { if (shown) exit; shown = index($0, "connections " total ",") == 1 }
		shown { if (/^ /) $0 = substr($0, 1, 10) substr($0, 22); print }' "/tmp/$1" | sed '${/^$/d}'
}

# unlike_new NAME: print the rows whose sum of NEW over all tables differs from their last COUNT,
# with both numbers
unlike_new() {
	awk '/^ *[0-9]/ { row = substr($0, 22); new[row] += substr($0, 12, 10); count[row] = substr($0, 1, 10) + 0 }
		END { for (row in new) if (new[row] != count[row]) print new[row], count[row], row }' "/tmp/$1"
}

# shows NAME TOTAL: true if top has shown a complete table with TOTAL connections. The table is
# complete if another one follows it.
shows() {
	grep -A 100 "^connections $2," "/tmp/$1" | grep -c '^connections ' | grep -q -x -v '[01]'
}

# tops [--kmsg]: test top. The kernel counts the connections, or with --kmsg, top counts them.
tops() {
	top="top${1:+ $1}" before=$(traces)
	starts top tcp-connect-logger top "$@" --interval 1
	starts other tcp-connect-logger top "$@" --interval 1
	counts
	for one in top other; do
		await 60 shows $one 10
		equals "$top, $one: the table of ten connections" \
			"$(table 10 '4|alpha|127.0.0.1:9' '3|\x0a{ comm: x|198.51.100.1:443' \
			'2|gamma|[2001:db8::1]:443' '1|gamma|[2001:db8::2]:443')" "$(table_of $one 10)"
	done
	connection -n gamma blocking 2001:db8::1 80
	# The kernel cannot count IPv6 by address, name and port together.
	set -- "$1" '3|gamma|[2001:db8::1]:*' '1|gamma|[2001:db8::2]:443'
	[ -z "$1" ] ||
		set -- "$1" '2|gamma|[2001:db8::1]:443' '1|gamma|[2001:db8::1]:80' '1|gamma|[2001:db8::2]:443'
	kmsg=$1
	shift
	await 60 shows top 11
	equals "$top: the table after one more connection" \
		"$(table 11 '4|alpha|127.0.0.1:9' '3|\x0a{ comm: x|198.51.100.1:443' "$@")" \
		"$(table_of top 11)"
	for one in top other; do
		[ -z "$kmsg" ] && continue	# a row's port may have become *
		equals "$top, $one: the column NEW adds up to COUNT" "" "$(unlike_new $one)"
	done
	ends top INT "$top"

	kill -KILL "$(cat /tmp/other.pid)"
	wait
	[ -n "$kmsg" ] ||
		equals "$top, killed: it leaves its trace instance" \
			1 "$(find $instances -name 'tcp-connect-logger-*' | wc -l)"
	# shellcheck disable=SC2086 # perhaps none
	starts third tcp-connect-logger top $kmsg --interval 1
	script -qefc "TERM=xterm tcp-connect-logger $top --interval 1 --count 1" /tmp/terminal </dev/null >/dev/null 2>&1
	equals "$top --count: it ends" 0 $?
	matches "$top on a terminal: it updates the table in place" \
		"*$(printf '\033[H\033[J')connections 0, rows 0*" "$(cat /tmp/terminal)"
	script -qefc "TERM=dumb tcp-connect-logger $top --interval 1 --count 1" /tmp/terminal </dev/null >/dev/null 2>&1
	matches "$top on a dumb terminal: it shows a table" "*connections 0, rows 0*" "$(cat /tmp/terminal)"
	fails "$top on a dumb terminal: it prints no escape sequences" \
		grep -q "$(printf '\033')" /tmp/terminal
	ends third INT "$top"
	equals "$top: it leaves tracefs unchanged" "$before" "$(traces)"
}

# groups [--kmsg]: test top --group. The kernel counts the connections, or with --kmsg, top counts them.
groups() {
	top="top${1:+ $1}"
	for one in user net port; do starts $one tcp-connect-logger top "$@" --group $one --interval 1; done
	counts
	for one in user net port; do await 60 shows $one 10; done
	equals "$top --group user" "$(grouped USER 10 '8|root' '1|www-data' '1|12345')" "$(table_of user 10)"
	equals "$top --group net" "$(grouped NETWORK 10 '4|127.0.0.0/24' '3|198.51.100.0/24' '3|2001:db8::/64')" \
		"$(table_of net 10)"
	equals "$top --group port" "$(grouped PORT 10 '6|443' '4|9')" "$(table_of port 10)"
	for one in user net port; do
		equals "$top --group $one: the column NEW adds up to COUNT" "" "$(unlike_new $one)"
		ends $one INT "$top --group $one"
	done
}

# object NAME: print the last object of top --json: the numbers of connections and rows, and each row
# without what depends on the time
object() {
	tail -n 1 "/tmp/$1" | jq -c '[.connections, .total_rows], (.rows[] | del(.new, .rate))'
}

# row COMM FAMILY ADDRESS PORT COUNT: print an expected row
row() {
	printf '{"comm":"%s","family":"%s","daddr":"%s","dport":%s,"count":%s}\n' "$@"
}

counted() {
	[ "$(tail -n 1 "/tmp/$1" | jq .connections)" = "$2" ]
}

# selects [--kmsg]: test top's filters and top --json. The kernel counts the connections, or with
# --kmsg, top counts them.
selects() {
	top="top${1:+ $1}" before=$(traces)
	tops="every end any digit char both not users six"
	mkdir $cgroups/rig
	starts every tcp-connect-logger top "$@" --json --interval 1
	starts end tcp-connect-logger top "$@" --json --interval 1 --comm '*ha'
	starts any tcp-connect-logger top "$@" --json --interval 1 --comm 'alph?' --group port
	starts digit tcp-connect-logger top "$@" --json --interval 1 --comm '7*'
	starts char tcp-connect-logger top "$@" --json --interval 1 --comm '7z?' --group user
	starts both tcp-connect-logger top "$@" --json --interval 1 --not-net 127.0.0.0/8 --port 443 --limit 1
	starts not tcp-connect-logger top "$@" --json --interval 1 --not-comm '[a-f]*' --group net
	starts users tcp-connect-logger top "$@" --json --interval 1 --user www-data --user 12345 --group user
	starts six tcp-connect-logger top "$@" --json --interval 1 --comm '[g]amma' --net 2001:db8::2
	[ $# = 1 ] || {
		tops="$tops inside outside"
		starts inside tcp-connect-logger top --json --interval 1 --cgroup rig --group user
		starts outside tcp-connect-logger top --json --interval 1 --not-cgroup $cgroups/rig --group port
	}
	counts
	sh -c "echo \$\$ >$cgroups/rig/cgroup.procs; exec /payload/connect -n delta blocking 127.0.0.1 9" >/dev/null
	connection -n gamma blocking 2001:db8::1 80
	connection -n '7z\xc3\xa9' blocking 127.0.0.1 9
	await 60 counted every 13
	for one in $tops; do
		await 60 lines "$one" $(($(wc -l <"/tmp/$one") + 2))
	done

	# The kernel cannot count IPv6 by address, name and port together.
	if [ $# = 0 ]; then
		set -- 6 "$(row gamma AF_INET6 2001:db8::1 null 3)" "$(row delta AF_INET 127.0.0.1 9 1)"
	else
		set -- 7 "$(row gamma AF_INET6 2001:db8::1 443 2)" "$(row delta AF_INET 127.0.0.1 9 1
			row gamma AF_INET6 2001:db8::1 80 1)"
	fi
	equals "$top --json shows all connections" "[13,$1]
$(row alpha AF_INET 127.0.0.1 9 4; row '\n{ comm: x' AF_INET 198.51.100.1 443 3)
$2
$(row 7zé AF_INET 127.0.0.1 9 1)
$3
$(row gamma AF_INET6 2001:db8::2 443 1)" "$(object every)"
	equals "$top --json: its members" "time,interval,connections,not_counted,expired,total_rows,rows 0 0" \
		"$(tail -n 1 /tmp/every | jq -r '"\(keys_unsorted | join(",")) \(.not_counted) \(.expired)"')"
	matches "$top --json: its time" "$(date -u +%Y)-[01][0-9]-[0-3][0-9]T*.?????????Z" \
		"$(tail -n 1 /tmp/every | jq -r .time)"
	equals "$top --json: the new connections add up to all" 13 "$(jq -s '[.[].rows[].new] | add' /tmp/every)"
	equals "$top --json: the rate is the number of new connections per second" true \
		"$(jq -s 'all(.[]; .interval as $seconds | $seconds >= 1 and
			all(.rows[]; (.rate * $seconds - .new | fabs) < 0.000001))' /tmp/every)"
	equals "$top --comm: the end of a name" "[4,1]
$(row alpha AF_INET 127.0.0.1 9 4)" "$(object end)"
	equals "$top --comm: a pattern that the kernel does not know" '[4,1]
{"dport":9,"count":4}' "$(object any)"
	equals "$top --comm: a digit at the start" "[1,1]
$(row 7zé AF_INET 127.0.0.1 9 1)" "$(object digit)"
	equals "$top --comm: any character" '[1,1]
{"uid":0,"user":"root","count":1}' "$(object char)"
	equals "$top --not-net --port --limit" "[6,3]
$(row '\n{ comm: x' AF_INET 198.51.100.1 443 3)" "$(object both)"
	equals "$top --not-comm: a pattern that the kernel does not know" '[8,3]
{"family":"AF_INET6","net":"2001:db8::/64","count":4}
{"family":"AF_INET","net":"198.51.100.0/24","count":3}
{"family":"AF_INET","net":"127.0.0.0/24","count":1}' "$(object not)"
	equals "$top --user --user" '[2,2]
{"uid":33,"user":"www-data","count":1}
{"uid":12345,"user":null,"count":1}' "$(object users)"
	equals "$top --comm --net: a pattern that the kernel does not know, and the port" "[1,1]
$(row gamma AF_INET6 2001:db8::2 443 1)" "$(object six)"
	case $tops in *inside*)
		equals "$top --cgroup" '[1,1]
{"uid":0,"user":"root","count":1}' "$(object inside)"
		equals "$top --not-cgroup" '[12,3]
{"dport":443,"count":6}
{"dport":9,"count":5}
{"dport":80,"count":1}' "$(object outside)"
		# shellcheck disable=SC2046 # words
		exits "$top: more filters than the kernel takes" 1 \
			tcp-connect-logger top $(seq -f --not-port=%g 400)
		equals "$top: more filters than the kernel takes: error message" \
			"tcp-connect-logger: the kernel refuses these filters (Invalid argument): use fewer of them, or --log" \
			"$output"
	esac
	for one in $tops; do
		equals "$top, $one: prints no errors" "" "$(errors "$one")"
		ends "$one" INT "$top, $one"
	done
	rmdir $cgroups/rig
	equals "$top with filters: it leaves tracefs unchanged" "$before" "$(traces)"
}

# sorts [--kmsg]: test top --sort
sorts() {
	top="top${1:+ $1}"
	starts sorted tcp-connect-logger top "$@" --json --sort new --interval 1
	starts default tcp-connect-logger top "$@" --json --interval 1
	for one in 1 2 3; do connection -n alpha blocking 127.0.0.1 9; done
	for one in sorted default; do await 60 counted $one 3; done
	connection -n gamma blocking 127.0.0.1 9
	for one in sorted default; do await 60 counted $one 4; done
	equals "$top --sort new: the new connections come first" "true true" "$(jq -r -s \
		'"\(all(.[]; [.rows[].new] == ([.rows[].new] | sort | reverse))) \(any(.[]; .rows[0].comm == "gamma"))"' /tmp/sorted)"
	equals "$top: the rows with the most connections come first by default" "true false" "$(jq -r -s \
		'"\(all(.[]; [.rows[].count] == ([.rows[].count] | sort | reverse))) \(any(.[]; .rows[0].comm == "gamma"))"' /tmp/default)"
	for one in sorted default; do ends $one INT "$top, $one"; done
}

flat_out() {
	echo 0 >$switch
	starts flat tcp-connect-logger top --interval 5
	equals "top, flat out: it does not warn that logging is off" "" "$(errors flat)"
	/payload/cost -n 99950 connect 198.51.100.1 9 >/dev/null
	await 120 shows flat 100000
	ends flat INT "top, flat out"
	equals "top, flat out: no connection is lost" "$(table 100000 '100000|cost|198.51.100.1:9')" \
		"$(table_of flat 100000)"
	equals "top, flat out: the column NEW adds up to COUNT" "" "$(unlike_new flat)"
	echo 1 >$switch
}

# ---- Prometheus

metrics() {
	curl -s http://127.0.0.1:9100/metrics | sed -n 's/^tcp_connect_logger_//p'
}

expected_metrics() {
	# shellcheck disable=SC2046 # words
	set -- $(counters)
	printf 'livepatch_in_force 1\nlogged_total %s\nlogging 0\nrecorder_running 0\nseen_total %s\nsuppressed_total %s\n' \
		"$2" "$1" "$3"
}

are_metrics() {
	[ "$(metrics)" = "$(expected_metrics)" ]
}

has_metric() {
	metrics | grep -q -x "$1"
}

metrics_file=/run/tcp-connect-logger-metrics/node-exporter/tcp_connect_logger.prom

scrape_error() {
	curl -s http://127.0.0.1:9100/metrics | sed -n 's/^node_textfile_scrape_error //p'
}

# metrics_gone NAME: check that the file is gone, and that node_exporter has no metrics of ours
metrics_gone() {
	succeeds "$1: the file is gone" wait_until 60 test ! -e $metrics_file
	equals "$1: node_exporter shows no metrics of ours, and no error" " 0" "$(metrics) $(scrape_error)"
}

# next_metrics: true once after each new version of the file
next_metrics() {
	[ -n "$(find $metrics_file -newer /tmp/seen)" ] && touch -r $metrics_file /tmp/seen
}

# attack: as the user prometheus, put symbolic links into the directory of Debian's node_exporter,
# in place of each file that root might write
attack() {
	echo untouched >/etc/victim
	# shellcheck disable=SC2016 # the inner shell's
	runuser -u prometheus -- sh -euc 'cd /var/lib/prometheus
		mv node-exporter old
		mkdir node-exporter
		for one in tcp_connect_logger.prom tcp_connect_logger.prom.new new; do
			ln -s /etc/victim node-exporter/$one
		done'
	mv /var/lib/prometheus/node-exporter /var/lib/prometheus/links
	mv /var/lib/prometheus/old /var/lib/prometheus/node-exporter
	cp -a /var/lib/prometheus/links/* /var/lib/prometheus/node-exporter
	rm -r /var/lib/prometheus/links
	rm /var/lib/prometheus/node-exporter/tcp_connect_logger.prom	# node_exporter cannot parse it
}

prometheus() {
	service=tcp-connect-logger-metrics.service
	echo 0 >$switch	# because each query would be counted as a connection
	dpkg --configure --force-depends tcp-connect-logger >/dev/null 2>&1
	attack
	# docs/fleet.md says what to configure.
	sed -n '/^ARGS=/p' /payload/docs/fleet.md >/etc/default/prometheus-node-exporter
	systemctl daemon-reload
	systemctl restart prometheus-node-exporter
	await 120 curl -s -o /dev/null http://127.0.0.1:9100/metrics
	equals "prometheus: the service is disabled by default" disabled "$(systemctl is-enabled $service)"
	equals "prometheus: node_exporter has no metrics of ours before, and no error" " 0" \
		"$(metrics) $(scrape_error)"
	succeeds "prometheus: the service can be enabled" systemctl enable --now $service
	await 120 are_metrics
	equals "prometheus: node_exporter shows the metrics" "$(expected_metrics)" "$(metrics)"
	echo 1 >$switch
	connection blocking 127.0.0.1 9
	echo 0 >$switch
	await 60 are_metrics
	equals "prometheus: node_exporter shows the metrics after one more connection" \
		"$(expected_metrics)" "$(metrics)"
	succeeds "prometheus: promtool accepts the metrics" \
		sh -c "/payload/promtool check metrics <$metrics_file"
	equals "prometheus: promtool reports no problems" "" "$output"

	mkdir /tmp/stored
	tcp-connect-logger record --directory /tmp/stored &
	recorder=$!
	await 60 waits $recorder
	connection blocking 127.0.0.1 9
	await 60 has_metric 'recorder_records_total [1-9].*'
	equals "prometheus: node_exporter shows the recorder" \
		'recorder_lost_total{reason="buffer_full"} 0
recorder_lost_total{reason="not_written"} 0
recorder_results_total{result="closed"} 0
recorder_results_total{result="established"} 0
recorder_results_total{result="failed"} 0
recorder_results_total{result="refused"} 0
recorder_results_total{result="reset"} 0
recorder_results_total{result="timed out"} 0
recorder_results_total{result="unreachable"} 0
recorder_running 1
recorder_unknown_total{what="cmdline"} 0
recorder_unknown_total{what="result"} 0' "$(metrics | grep '^recorder' | grep -v records_total)"
	succeeds "prometheus: promtool accepts the recorder's metrics" \
		sh -c "/payload/promtool check metrics <$metrics_file"
	equals "prometheus: promtool reports no problems with them" "" "$output"
	kill $recorder
	wait $recorder
	rmdir $instances/tcp-connect-logger-record
	rm -r /run/tcp-connect-logger-record /tmp/stored
	await 60 are_metrics

	fails "prometheus: no process of the service runs as root" pgrep -u 0 -f libexec/tcp-connect-logger/metrics
	equals "prometheus: the service does not follow links of the user prometheus" untouched \
		"$(cat /etc/victim)"
	succeeds "prometheus: the exposure level of the service is at most 0.9" \
		systemd-analyze security --threshold=9 $service
	note "$(echo "$output" | grep 'exposure level')"

	touch -r $metrics_file /tmp/seen
	await 60 next_metrics
	journalctl --sync
	journalctl -n 0 --cursor-file=/tmp/cursor >/dev/null
	succeeds "prometheus: the service writes the file again" wait_until 60 next_metrics
	succeeds "prometheus: the service writes the file once more" wait_until 60 next_metrics
	journalctl --sync
	equals "prometheus: the service writes nothing to the journal" "" \
		"$(journalctl -q --cursor-file=/tmp/cursor -o cat UNIT=$service + _SYSTEMD_UNIT=$service)"

	systemctl kill -s KILL $service
	metrics_gone "prometheus: killed"
	succeeds "prometheus: killed: systemd restarts it" wait_until 120 are_metrics
	systemctl stop $service
	metrics_gone "prometheus: stopped"
	systemctl start $service
	await 120 are_metrics
	succeeds "prometheus: dpkg --purge succeeds" dpkg --purge --force-depends tcp-connect-logger
	metrics_gone "prometheus: purged"
	equals "prometheus: purged: no file is left" "" \
		"$(find /etc /run /usr /var/lib -path /var/lib/dpkg -prune -o -name '*tcp-connect-logger-metrics*' -print \
			-o -name 'tcp_connect_logger.prom' -print | grep -v '^/run/tcp-connect-logger-metrics$')"
	equals "prometheus: no unit has failed" "" "$(systemctl --failed --plain --no-legend)"
	unpack tcp-connect-logger
	systemctl daemon-reload
	echo 1 >$switch
}

systemctl stop rsyslog.socket syslog.socket rsyslog auditd 2>/dev/null
for_all_kinds
unpack tcp-connect-logger-dkms
unpack tcp-connect-logger

starts early tcp-connect-logger follow --log
load "$ko"
load_event "$ko"
equals "not loaded: follow warns" \
	"tcp-connect-logger: the livepatch is not active; see: tcp-connect-logger status" "$(errors early | head -n 1)"
starts off tcp-connect-logger follow --log
equals "logging is off: follow warns" \
	"tcp-connect-logger: logging is off; to switch it on: tcp-connect-logger enable" "$(errors off)"
connection blocking 127.0.0.1 9
echo 1 >$switch
connection -n alpha blocking 127.0.0.1 9
await 120 lines off 1
await 120 lines early 1
equals "logging was off: follow shows the record" \
	"TIME pid=$pid uid=0 comm=alpha -> 127.0.0.1:9" "$(timeless /tmp/off)"
equals "module was not loaded: follow shows the record" \
	"TIME pid=$pid uid=0 comm=alpha -> 127.0.0.1:9" "$(timeless /tmp/early)"
matches "module was not loaded: follow shows the module's other lines" "*
tcp-connect-logger: loaded, logging disabled" "$(cat /tmp/early.err)"
ends off INT "logging was off"
ends early INT "module was not loaded"

usage
follows
forgeries
slewed_clock
blocked
blind
of_one_process
closed_pipe
held_back
tops
tops --kmsg
groups
groups --kmsg
selects
selects --kmsg
sorts
sorts --kmsg
flat_out
prometheus
no_journal
/payload/examples.sh
echo end
