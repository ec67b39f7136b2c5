#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# contract.sh KO OWNER - what the module promises, point by point
#
# KO is the module's file. OWNER is the switch's owner, group and mode in this guest, such as
# "0:0 644".
#
# where: bare
# on: line
# on-later: small
# payload: module connect ipv6
# arguments: /payload/tcp-connect-logger.ko "'0:0 644'"

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1 owner=$2

switch_is_ready() {
	transition_over $patch && [ "$(stat -c '%u:%g %a' $switch)" = "$owner" ]
}

# logs_nothing NAME, logs_one NAME
logs_nothing() {
	mark
	connection blocking 127.0.0.1 9
	equals "$1: a connect logs nothing" "" "$(log)"
	equals "$1: a connect works" ECONNREFUSED "$result"
}

logs_one() {
	mark
	connection blocking 127.0.0.1 9
	equals "$1: a connect logs one line" "$(record "$pid" 0 connect 127.0.0.1 9)" "$(log)"
	equals "$1: a connect works" ECONNREFUSED "$result"
}

# refused NAME PATTERN ERROR [PARAMETER...]: load fails and changes nothing; PATTERN is for the
# log, and ERROR for insmod's message
refused() {
	test=$1 sentence=$2 error=$3
	shift 3
	mark
	fails "$test: not loaded" insmod "$ko" "$@"
	matches "$test: the error" "*$error*" "$output"
	# busybox's insmod tries twice
	matches "$test: the sentence" "$sentence" "$(log | uniq)"
	nothing_left "$test"
}

# The kinds that are one record each, and those that are none.
kinds="blocking nonblocking thrice thread userns pidns netns container int80 fastopen fastopen-connect
	uring uring-async uring-sqpoll"
[ ! -e /proc/sys/net/mptcp ] || kinds="$kinds mptcp"
no_kinds="short family udp fastopen-nowhere unix listening"

# results_of_all_kinds: print the result of each
results_of_all_kinds() {
	for address in 127.0.0.1 ::1; do
		for kind in $kinds $no_kinds data; do
			connection "$kind" $address 9
			echo "$kind to $address=$result"
		done
	done
	for address in 198.51.100.1 2001:db8::1 fe80::1 fe80::1%1; do
		connection blocking $address 9
		echo "$address=$result"
	done
}

contract_load() {
	nothing_left "before"
	logs_nothing "before"
	results=$(results_of_all_kinds)

	mark
	succeeds "load" insmod "$ko"
	equals "load: the line" "<6>tcp_connect_logger: loaded, logging disabled" "$(log)"
	succeeds "load: the transition ends, the switch has its permissions" wait_until 60 switch_is_ready
	[ -e $switch ] || exit	# nothing below would be meaningful
	equals "load: the patch is enabled" 1 "$(cat $patch/enabled)"
	equals "load: the switch is off" 0 "$(cat $switch)"
	equals "load: the parameter shows the start value" 0 "$(cat $parameter)"
	equals "load: the parameter is read-only" 444 "$(stat -c %a $parameter)"
	logs_nothing "off"
	equals "off: every kind of connect ends as without the module" "$results" "$(results_of_all_kinds)"
}

contract_switch() {
	for start in 0 1; do
		echo $start >$switch
		equals "switch: reads what was written, $start" $start "$(cat $switch)"
		printf %s $start >$switch
		equals "switch: takes $start without a newline" $start "$(cat $switch)"
		for bad in 2 00 01 10 -1 +1 1.0 '1 ' ' 1' 0x1 y n on off true nonsense '1\n\n' '1\n1' '\n' '1\0' '1\0\n' '\0'; do
			# shellcheck disable=SC2059 # with escapes
			fails "switch at $start: refuses '$bad'" sh -c "printf -- '$bad' | dd of=$switch conv=notrunc"
			matches "switch at $start: '$bad' is EINVAL" '*nvalid argument*' "$output"
			equals "switch at $start: '$bad' changes nothing" $start "$(cat $switch)"
		done
	done
	equals "switch: the parameter still shows the start value" 0 "$(cat $parameter)"
}

contract_records() {
	echo 1 >$switch
	logs_one "on"

	# Ports 443 and 80 reveal a wrong byte order.
	mark
	connection data 127.0.0.1 443
	equals "on: data pass unharmed" connected "$result"
	equals "on: a connection that carries data" "$(record "$pid" 0 connect 127.0.0.1 443)" "$(log)"

	mark
	connection blocking 198.51.100.1 80
	equals "on: unroutable: the error" ENETUNREACH "$result"
	equals "on: unroutable: one line" "$(record "$pid" 0 connect 198.51.100.1 80)" "$(log)"

	for to in "127.0.0.1 127.0.0.1" "::1 ::1" "::ffff:127.0.0.1 127.0.0.1"; do
		logged=${to#* }
		to=${to% *}
		for kind in $kinds data; do
			mark
			connection "$kind" "$to" 9
			equals "on: $kind to $to: one line" "$(record "$pid" 0 connect "$logged" 9)" "$(log)"
		done
		for kind in $no_kinds; do
			mark
			connection "$kind" "$to" 9
			equals "on: $kind to $to: no line" "" "$(log)"
		done
	done
	# KIND ADDRESS and the address as it is logged
	while read -r kind to logged; do
		mark
		connection "$kind" "$to" 9
		equals "on: $kind to $to: one line" "$(record "$pid" 0 connect "$logged" 9)" "$(log)"
	done <<-EOF
		blocking 2001:db8::1 2001:db8::1
		blocking 2001:0db8:0:0:1:0:0:1 2001:db8::1:0:0:1
		blocking :: ::
		blocking fe80::1 fe80::1
		blocking fe80::1%1 fe80::1%1
		without-scope fe80::1%1 fe80::1
		without-scope ::1 ::1
		bound fe80::1 fe80::1%1
		bound ::1 ::1
		timed-out 203.0.113.1 203.0.113.1
	EOF

	mark
	connection -u 1053 blocking 127.0.0.1 9
	equals "on: another user" "$(record "$pid" 1053 connect 127.0.0.1 9)" "$(log)"
	mark
	connection -u 4294967290 userns 127.0.0.1 9
	equals "on: the uid is the initial user namespace's" "$(record "$pid" 4294967290 connect 127.0.0.1 9)" "$(log)"

	enter_cgroup
	mark
	connection -n app container 127.0.0.1 9
	equals "on: from a container: one line" "$(record "$pid" 0 app 127.0.0.1 9)" "$(log)"
	leave_cgroup

	equals "on: every kind of connect ends as without the module" "$results" "$(results_of_all_kinds)"

	# A name is logged as one word, whatever the process calls itself.
	for name in sshd kworker/0:1 '[a]-b+c,d;e!' ; do
		mark
		connection -n "$name" blocking 127.0.0.1 9
		equals "on: a plain name: $name" "$(record "$pid" 0 "$name" 127.0.0.1 9)" "$(log)"
	done
	for name in '\x0a<0>forged' 'x\x20->\x206.6.6.6:22' 'a\x20uid=0' '\x5c"\x27' '\x7f\x80\xff\xc3\xa9' \
		'\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0b\x0c\x0d\x0e\x1b\x1f'; do
		escaped=$(printf %s "$name" | sed "s/>/\\\\x3e/g; s/=/\\\\x3d/g; s/\"/\\\\x22/g")
		mark
		connection -n "$name" blocking 127.0.0.1 9
		equals "on: a worst name: $name" "$(record "$pid" 0 "$escaped" 127.0.0.1 9)" "$(log)"
	done

	echo 0 >$switch
	logs_nothing "off again"
}

contract_counters() {
	for counter in seen logged suppressed; do
		equals "counters: $counter is read-only" 444 "$(stat -c %a ${switch%/*}/$counter)"
	done
	before=$(counters)
	connection blocking 127.0.0.1 9
	connection short 127.0.0.1 9
	equals "counters: nothing is counted while it is off" "$before" "$(counters)"
	echo 1 >$switch
	connection blocking 127.0.0.1 9
	connection blocking ::1 9
	connection blocking ::ffff:127.0.0.1 9
	connection short 127.0.0.1 9
	# shellcheck disable=SC2086 # words
	equals "counters: each connection once" "3 3 0" "$(since $before)"
	echo 0 >$switch
}

contract_rate_limit() {
	equals "rate limit: 1000 from the start" "1000 644" "$(cat $rate_limit) $(stat -c %a $rate_limit)"
	for bad in -1 x '' 4294967296; do
		fails "rate limit: refuses '$bad'" sh -c "echo '$bad' >$rate_limit"
		equals "rate limit: '$bad' changes nothing" 1000 "$(cat $rate_limit)"
	done

	echo 1 >$switch
	echo 5 >$rate_limit
	sleep 1.1	# start a new rate-limit window
	before=$(counters) start=$(cut -d . -f 1 /proc/uptime)
	mark
	connection -c 50 blocking 127.0.0.1 9
	seconds=$(($(cut -d . -f 1 /proc/uptime) - start))
	equals "rate limit: connections end as ever" ECONNREFUSED "$result"
	await 60 reported_since "$before"
	# shellcheck disable=SC2086,SC2046 # words
	{
		set -- $(since $before)
		equals "rate limit: all are seen" 100 "$1"
		equals "rate limit: none is lost" "$1" $(($2 + $3))
		equals "rate limit: what is logged has a line" "$2" "$(lines_since_mark)"
		succeeds "rate limit: no more lines than may be" test "$2" -ge 5 -a "$2" -le $((5 * (seconds + 2)))
		equals "rate limit: what is suppressed is reported" "$3" "$(reported_since_mark 'rate_limit=[0-9]*')"
	}

	echo 0 >$rate_limit
	before=$(counters)
	mark
	connection -c 100 blocking 127.0.0.1 9
	# shellcheck disable=SC2086 # words
	equals "rate limit: 0 is none" "200 200 0" "$(since $before)"
	equals "rate limit: 0: a line for each" 200 "$(lines_since_mark)"

	echo 1000 >$rate_limit
	echo 0 >$switch
}

# reported_since COUNTERS: all connections suppressed since then are reported
reported_since() {
	# shellcheck disable=SC2086,SC2046 # words
	set -- $(since $1)
	[ "$3" = "$(reported_since_mark 'rate_limit=[0-9]*')" ]
}

contract_unload() {
	sleep 1.1	# start a new rate-limit window
	before=$(cat ${switch%/*}/suppressed)
	echo 1 >$rate_limit
	echo 1 >$switch
	mark
	connection -c 5 blocking 127.0.0.1 9
	held_back=$(($(cat ${switch%/*}/suppressed) - before))
	matches "unload: some connections are suppressed" "[1-9]*" "$held_back"
	fails "unload: refused while the patch is active" rmmod tcp_connect_logger
	equals "unload: refused, and still loaded" live "$(cat /sys/module/tcp_connect_logger/initstate)"
	succeeds "unload: the patch can be disabled" disable_patch $patch
	fails "unload: with the patch goes the switch" test -e $switch
	lines=$(lines_since_mark)
	connection blocking 127.0.0.1 9
	equals "disabled: a connect works" ECONNREFUSED "$result"
	equals "disabled: a connect logs nothing" "$lines" "$(lines_since_mark)"
	succeeds "unload: rmmod" rmmod tcp_connect_logger
	equals "unload: what was suppressed is reported" "$held_back" "$(reported_since_mark 'rate_limit=[0-9]*')"
	equals "unload: prints nothing else" "" "$(log | grep -v -e ' -> ' -e ' not logged ')"
	nothing_left "unload"
	logs_nothing "unloaded"
}

contract_parameter() {
	mark
	succeeds "enabled=1: load" insmod "$ko" enabled=1
	equals "enabled=1: the line" "<6>tcp_connect_logger: loaded, logging enabled" "$(log)"
	await 60 switch_is_ready
	logs_one "enabled=1"
	echo 0 >$switch
	logs_nothing "enabled=1, switched off"
	equals "enabled=1, switched off: the parameter shows the start value" 1 "$(cat $parameter)"
	unload tcp_connect_logger

	for bad in 2 y nonsense ''; do
		refused "enabled='$bad'" "<3>tcp_connect_logger: * invalid for parameter *" "nvalid" "enabled=$bad"
	done
}

contract_refusals() {
	line="<3>tcp_connect_logger: not loading: tcp_v4_connect() is already patched by another livepatch or redirected by another IPMODIFY user, which this one would undo"
	for how in livepatch ftrace; do
		load /payload/rival.ko how=$how
		connection blocking 127.0.0.1 9
		before=$result
		refused "rival by $how" "$line" "esource busy"
		connection blocking 127.0.0.1 9
		equals "rival by $how: works on" "$before" "$result"
		unload rival
		insmod "$ko"
		succeeds "rival by $how: once it is gone we load" wait_until 60 switch_is_ready
		echo 1 >$switch
		logs_one "rival by $how gone"
		unload tcp_connect_logger
	done

	# The livepatch core refuses, as the last step of init. 7.3 does not let ftrace be switched
	# off any more: writing 0 gives EOPNOTSUPP and a message that this is deprecated.
	if (echo 0 >/proc/sys/kernel/ftrace_enabled) 2>/dev/null; then
		refused "without ftrace" "<3>tcp_connect_logger: not loading: ftrace is switched off; sysctl kernel.ftrace_enabled must be 1" "esource busy"
		echo 1 >/proc/sys/kernel/ftrace_enabled
		logs_nothing "without ftrace"
	else
		equals "without ftrace: not on this kernel" 1 "$(cat /proc/sys/kernel/ftrace_enabled)"
	fi

	# stall.ko's thread cannot be patched, so the rival's transition cannot finish.
	insmod /payload/stall.ko
	insmod /payload/rival.ko
	refused "rival in transition" "<3>tcp_connect_logger: not loading: another livepatch is in transition; try again when it is over" "esource busy"
	rmmod stall
	await 60 transition_over $livepatches/rival
	unload rival
}

# The module that is built where the livepatch does not compile.
contract_unsupported() {
	real=$ko ko=/payload/unsupported.ko
	refused "unsupported" "<3>tcp_connect_logger: not loading: version * does not compile for this kernel; look for a newer one, or boot another kernel; the reason is in make.log under /var/lib/dkms/tcp-connect-logger" "o such device"
	logs_nothing "unsupported"
	ko=$real
}

for_all_kinds

contract_load
contract_switch
contract_records
contract_counters
contract_rate_limit
contract_unload
contract_parameter
contract_refusals
contract_unsupported
echo end
