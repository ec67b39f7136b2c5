# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# readers.sh - tests of follow and top, to be sourced by check.sh. The commands in $dir/kmsg and
# $dir/valgrind do not read /dev/kmsg, but the entries that $dir/feed writes.

# entry LEVEL SEQUENCE LINE: print an entry of /dev/kmsg
entry() {
	printf '%s,%s,%s000,-;%s\n' "$1" "$2" "$2" "$3"
}

name="tcp_connect_logger:"
entries() {
	entry 6 1 "$name pid=1 uid=0 comm=curl -> 192.0.2.1:80"
	entry 6 2 "$name pid=2 uid=0 comm= -> [2001:db8::1]:443"
	entry 6 3 "$name pid=3 uid=4294967295 comm=\\x5cxf4\\x5cx90\\x5cx80\\x5cx80 -> 192.0.2.1:80"
	entry 14 4 "$name pid=4 uid=0 comm=forged -> 192.0.2.1:80"
	entry 6 5 "overlay: \\x0a$name pid=5 uid=0 comm=forged -> 192.0.2.1:80"
	entry 6 9 "nospace"
	entry 4 10 "$name 7 connections not logged (rate_limit=1000)"
	entry 6 11 "$name pid=6 uid=0 comm=\\x5cx1b[31m\\x5cxe2\\x5cx80\\x5cxae -> 192.0.2.1:80"
}

# fed OPTION...: print the output of follow, with its errors
fed() {
	entries | "$dir/feed" "$dir/kmsg/tcp-connect-logger" follow --kmsg "$@" 2>&1
}

# many: print more entries than fit into the buffers of a blocked output
many() {
	awk -v name="$name" 'BEGIN { for (i = 1; i <= 20000; i++)
		printf "6,%d,%d,-;%s pid=%d uid=0 comm=curl -> 192.0.2.1:80\n", i, i, name, i }'
}

# blocked OPTION...: run follow while nobody reads its output
blocked() {
	many | "$dir/feed" -b "$dir/kmsg/tcp-connect-logger" follow --kmsg "$@"
}

not_active="tcp-connect-logger: the livepatch is not active; see: tcp-connect-logger status"
logging_off="tcp-connect-logger: logging is off; to switch it on: tcp-connect-logger enable"
from_kmsg="what is logged, from /dev/kmsg"
other_lines() {
	grep -v -x -F -e "$not_active" -e "$logging_off" -e "tcp-connect-logger: showing $from_kmsg" \
		-e "tcp-connect-logger: counting $from_kmsg"
}

equals "follow: records, and the numbers of lost lines and suppressed connections" \
	"TIME pid=1 uid=0 comm=curl -> 192.0.2.1:80
TIME pid=2 uid=0 comm= -> [2001:db8::1]:443
TIME pid=3 uid=4294967295 comm=\\xf4\\x90\\x80\\x80 -> 192.0.2.1:80
TIME pid=6 uid=0 comm=\\x1b[31m\\xe2\\x80\\xae -> 192.0.2.1:80
tcp-connect-logger: 3 lines of the kernel's log were lost: they were overwritten before they were read
tcp-connect-logger: 7 connections not logged (rate_limit=1000)" \
	"$(fed | other_lines | sed 's/^2[0-9-]*T[0-9:.]*Z /TIME /' | LC_ALL=C sort)"
user=$(getent passwd 0 | cut -d : -f 1)
of() {
	printf '{"pid":%s,"uid":%s,"user":%s,"comm":"%s","family":"%s","daddr":"%s","dport":%s}\n' "$@"
}
equals "follow --json: records, and objects for lost lines and suppressed connections" \
	"$(of 1 0 "\"$user\"" curl AF_INET 192.0.2.1 80
	of 2 0 "\"$user\"" "" AF_INET6 2001:db8::1 443
	of 3 4294967295 null ���� AF_INET 192.0.2.1 80
	printf '%s\n' '{"event":"lost","count":3,"reason":"they were overwritten before they were read"}' '{"event":"suppressed","count":7,"reason":"rate_limit=1000"}'
	of 6 0 "\"$user\"" '\u001b[31m\u202e' AF_INET 192.0.2.1 80)" \
	"$(fed --json | other_lines | sed 's/"time":"2[0-9-]*T[0-9:.]*Z",//')"
equals "follow --comm: it matches the empty name" 1 "$(fed --comm '' | grep -c 'comm= ')"
succeeds "follow: SIGTERM ends it while nobody reads its output" blocked
succeeds "follow --json: SIGTERM ends it while nobody reads its output" blocked --json
# On a slow machine, top does not read all lines within three seconds.
for interval in 3 30; do
	counted=$(many | "$dir/feed" -w "$dir/kmsg/tcp-connect-logger" top --kmsg --count 1 --interval $interval 2>/dev/null | head -n 1)
	[ "$counted" != "connections 20000, rows 1" ] || break
done
equals "top: it counts every line of one interval" "connections 20000, rows 1" "$counted"

# topped CONNECTIONS OPTION...: print what top prints about the entries, of which so many match
topped() {
	connections=$1
	shift
	# On a slow machine, top does not read all entries within a second.
	for interval in 1 5 25; do
		entries | "$dir/feed" -w "$dir/kmsg/tcp-connect-logger" top --kmsg --count 1 \
			--interval $interval "$@" >"$dir/topped" 2>"$dir/topped.err"
		! grep -q -E "connections\"?[: ]$connections," "$dir/topped" || break
	done
	other_lines <"$dir/topped.err" || :
	cat "$dir/topped"
}
# rows_of CONNECTIONS OPTION...: print the rows of top's JSON, one per line, without the rates
rows_of() {
	topped "$@" --json | jq -c '.rows[] | del(.rate)'
}
equals "top --json: everything but the time and the rates" \
	'{"connections":4,"not_counted":10,"expired":0,"total_rows":4,"rows":[
{"comm":"","family":"AF_INET6","daddr":"2001:db8::1","dport":443,"count":1,"new":1},
{"comm":"\u001B[31m\u202e","family":"AF_INET","daddr":"192.0.2.1","dport":80,"count":1,"new":1},
{"comm":"curl","family":"AF_INET","daddr":"192.0.2.1","dport":80,"count":1,"new":1},
{"comm":"����","family":"AF_INET","daddr":"192.0.2.1","dport":80,"count":1,"new":1}]}' \
	"$(topped 4 --json | sed 's/"time":"2[0-9-]*T[0-9:]*\.[0-9]*Z","interval":[0-9.]*,//
		s/,"rate":[0-9.]*//g; s/\[{/[\n{/; s/},{/},\n{/g')"
equals "top --json: it prints one line" 1 "$(wc -l <"$dir/topped")"
equals "top --json: the rate is the number of new connections per second" "true true true true" \
	"$(jq '.interval as $seconds | .rows[] | (.rate * $seconds - .new | fabs) < 0.000001' "$dir/topped" | xargs)"
equals "top --limit: the first line says how many rows are shown" \
	"connections 4, rows 4, shown 2, not counted 10" "$(topped 4 --limit 2 | head -n 1)"
equals "top --limit: it shows no more rows" 2 "$(grep -c '^ *1 ' "$dir/topped")"
equals "top --limit with --json" "4 1" "$(topped 4 --limit 1 --json | jq -r '"\(.total_rows) \(.rows | length)"')"
equals "top --group user" "     COUNT        NEW USER
         3          3 $user
         1          1 4294967295" "$(topped 4 --group user | sed '1,2d; /^$/d')"
equals "top --group net" "     COUNT        NEW NETWORK
         3          3 192.0.2.0/24
         1          1 2001:db8::/64" "$(topped 4 --group net | sed '1,2d; /^$/d')"
equals "top --group port" "     COUNT        NEW PORT
         3          3 80
         1          1 443" "$(topped 4 --group port | sed '1,2d; /^$/d')"
equals "top --group destination is the default" "$(topped 4 | tail -n +2)" \
	"$(topped 4 --group destination | tail -n +2)"
equals "top --json --group user" "{\"uid\":0,\"user\":\"$user\",\"count\":3,\"new\":3}
{\"uid\":4294967295,\"user\":null,\"count\":1,\"new\":1}" "$(rows_of 4 --group user)"
equals "top --json --group net" '{"family":"AF_INET","net":"192.0.2.0/24","count":3,"new":3}
{"family":"AF_INET6","net":"2001:db8::/64","count":1,"new":1}' "$(rows_of 4 --group net)"
equals "top --json --group port" '{"dport":80,"count":3,"new":3}
{"dport":443,"count":1,"new":1}' "$(rows_of 4 --group port)"
equals "top --comm: it counts only what matches" '{"dport":80,"count":1,"new":1}' \
	"$(rows_of 1 --group port --comm '[a-c]url')"
equals "top --not-net --user: it counts only what matches" '{"dport":443,"count":1,"new":1}' \
	"$(rows_of 1 --group port --not-net 192.0.2.0/24 --user 0)"
equals "top: no connection matches" "connections 0, rows 0, not counted 10" "$(topped 0 --port 1 | head -n 1)"

# on_terminal COLUMNS TERM: print a table of top as a terminal of this width and type gets it
on_terminal() {
	rm -f "$dir/typescript"
	{
		entry 6 1 "$name pid=1 uid=0 comm=a\\x5cx20 -> [2001:db8:1111:2222:3333:4444:5555:6666]:65535"
		entry 6 2 "$name pid=1 uid=0 comm=a -> [2001:db8:1111:2222:3333:4444:5555:6666]:65535"
		entry 6 3 "$name pid=1 uid=0 comm=\\x5cxff\\x5cxff\\x5cxff\\x5cxff\\x5cxff\\x5cxff\\x5cxff\\x5cxff\\x5cxff\\x5cxff -> [2001:db8:1111:2222:3333:4444:5555:6666]:65535"
	} >"$dir/entries"
	# On a slow machine, top does not read all entries within a second.
	for interval in 1 5 25; do
		script -qefc "stty cols $1 rows 24; TERM=$2 LC_ALL=C.UTF-8 '$dir/feed' -w '$dir/kmsg/tcp-connect-logger' top --kmsg --count 1 --interval $interval <'$dir/entries' 2>/dev/null" \
			"$dir/typescript" </dev/null >/dev/null 2>&1
		! grep -q "connections 3," "$dir/typescript" || break
	done
	tr -d '\r' <"$dir/typescript" | sed '/^Script /d'
}
# too_long COLUMNS: print the lines that are longer, without their escape sequences
too_long() {
	LC_ALL=C sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | awk -v most="$1" 'length > most'
}
screen=$(on_terminal 80 xterm)
matches "top on a terminal: it clears the screen first" \
	"$(printf '\033[H\033[J')connections 3, rows 3*" "$screen"
equals "top on a terminal: no line is too long" "" "$(printf '%s\n' "$screen" | too_long 80)"
equals "top on a terminal: names that differ only in spaces look different" 1 \
	"$(printf '%s\n' "$screen" | grep -c ' a\\x20 ')"
matches "top on a terminal: the table shows the whole address" "*\[2001:db8:1111:2222:3333:4444:5555:6666\]:65535*" "$screen"
screen=$(on_terminal 40 xterm)
equals "top on a narrow terminal: no line is too long" "" "$(printf '%s\n' "$screen" | too_long 40)"
screen=$(on_terminal 80 dumb)
matches "top on a dumb terminal: it shows a table" "connections 3, rows 3*" "$screen"
equals "top on a dumb terminal: it prints no escape sequences" "" \
	"$(printf '%s\n' "$screen" | grep "$(printf '\033')")"

# The command line
for verb in follow top; do
	succeeds "$verb -h succeeds" "$dir/kmsg/tcp-connect-logger" "$verb" -h
	exits "$verb --help to a full device" 1 sh -c "'$dir/kmsg/tcp-connect-logger' $verb --help >/dev/full"
	exits "$verb: an option with an escape sequence" 2 \
		"$dir/kmsg/tcp-connect-logger" "$verb" "$(printf -- '--\033[31m')"
	equals "$verb: an option with an escape sequence: the message does not contain the sequence" "" \
		"$(printf '%s\n' "$output" | grep "$(printf '\033')")"
done
exits "command --help to a full device" 1 sh -c "'$dir/kmsg/tcp-connect-logger' --help >/dev/full"
# refuses VERB OPTION MESSAGE: check that the verb rejects the option with this message
refuses() {
	exits "$1 $2" 2 "$dir/kmsg/tcp-connect-logger" "$1" --kmsg "$2"
	matches "$1 $2: the message" "tcp-connect-logger: $3" "$output"
}
# refused OPTION MESSAGE: the same for a filter
refused() {
	refuses follow "$@"
	refuses top "$@"
}
refuses top --group=nonsense "a group is destination, user, net, port, unit, container or exe, not nonsense"
refuses top --sort=rate "rows are sorted by count, new or latency, not by rate"
refuses top --limit=0 "a limit is a number from 1 to 86400, not 0"
refuses top --limit=x "a limit is a number from 1 to 86400, not x"
refused --net=::ffff:192.0.2.0/120 "no record matches *: IPv4-mapped addresses are recorded as IPv4. Use 192.0.2.0/24"
refused --comm=abcdefghijklmnop "no name matches *: a name has at most 15 bytes"
refused '--comm=abcdefgh?[a-z]\klmnop' "no name matches *"
refused '--comm=a[z-a]' "no name matches *"
refused '--comm=a\' "no name matches *"
refused --pid=0 "a process ID is a number from 1 to 4194304, not 0"
refused --cgroup=/ "the log has no cgroups: --cgroup and --not-cgroup need the trace event"
refused --not-cgroup=/ "the log has no cgroups: *"
for pattern in 'abcdefghijklmno' '*abcdefghijklmno*' '[!a]' '[[:alpha:]]*' ''; do
	equals "follow --comm=$pattern: follow accepts the pattern" "" \
		"$(fed --comm="$pattern" 2>&1 | grep 'no name')"
done

# valgrind finds faults that the sanitizers do not see.
memcheck="valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=9"
checked() {
	# shellcheck disable=SC2086 # words
	entries | "$dir/feed" $memcheck "$dir/valgrind/tcp-connect-logger" follow --kmsg "$@"
}
checked_top() {
	# shellcheck disable=SC2086 # words
	entries | "$dir/feed" -w $memcheck "$dir/valgrind/tcp-connect-logger" top --kmsg --count 2 --interval 1 "$@"
}
succeeds "valgrind finds no fault in follow" checked
succeeds "valgrind finds no fault in follow --json" checked --json
succeeds "valgrind finds no fault in follow with filters" checked --comm 'c*' --net 192.0.2.0/24 --user root
succeeds "valgrind finds no fault in top" checked_top --sort new --limit 2
succeeds "valgrind finds no fault in top --json" checked_top --json --not-comm 'x*'
succeeds "valgrind finds no fault in top --json --group net" checked_top --json --group net
# shellcheck disable=SC2086
succeeds "the unit tests run under valgrind" sh -c "$memcheck '$dir/unit-plain' | grep -v '^ok ' >&2; true"
equals "valgrind reports no fault in the unit tests" "" "$output"
