#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# contract.sh KO OWNER [COMMAND...] - what the module promises, point by point
#
# KO is the module's file; OWNER is the owner, group and mode that the switch has
# here, as in "0:0 644"; COMMAND is what comes afterwards, and reports the end.

# shellcheck source=tests/lib.sh
. /payload/lib.sh

ko=$1 owner=$2
shift 2

unload() {
	disable_patch $patch
	rmmod tcp_connect_logger
}

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

# refused NAME PATTERN ERROR [PARAMETER...]: load fails and changes nothing; what
# the log and what insmod then says
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

results_of_all_kinds() {
	for kind in blocking nonblocking short family fastopen fastopen-nowhere udp thread userns pidns data; do
		connection $kind 127.0.0.1 9
		echo "$kind=$result"
	done
	connection blocking 198.51.100.1 9
	echo "unroutable=$result"
}

contract_load() {
	nothing_left "before"
	logs_nothing "before"
	results=$(results_of_all_kinds)

	mark
	succeeds "load" insmod "$ko"
	equals "load: the line" "<6>tcp_connect_logger: loaded, logging disabled" "$(log)"
	succeeds "load: the transition ends, the switch has its permissions" wait_until 60 switch_is_ready
	[ -e $switch ] || exit	# nothing below would mean anything
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

	# 443 and 80 tell host order from network order.
	mark
	connection data 127.0.0.1 443
	equals "on: data pass unharmed" connected "$result"
	equals "on: a connection that carries data" "$(record "$pid" 0 connect 127.0.0.1 443)" "$(log)"

	mark
	connection blocking 198.51.100.1 80
	equals "on: unroutable: the error" ENETUNREACH "$result"
	equals "on: unroutable: one line" "$(record "$pid" 0 connect 198.51.100.1 80)" "$(log)"

	for kind in nonblocking fastopen userns pidns; do
		mark
		connection $kind 127.0.0.1 9
		equals "on: $kind: one line" "$(record "$pid" 0 connect 127.0.0.1 9)" "$(log)"
	done

	mark
	connection thread 127.0.0.1 9
	equals "on: a thread has its process's pid" "$(record "$pid" 0 connect 127.0.0.1 9)" "$(log)"

	mark
	connection -u 1053 blocking 127.0.0.1 9
	equals "on: another user" "$(record "$pid" 1053 connect 127.0.0.1 9)" "$(log)"
	mark
	connection -u 4294967290 userns 127.0.0.1 9
	equals "on: the uid is the initial user namespace's" "$(record "$pid" 4294967290 connect 127.0.0.1 9)" "$(log)"

	for kind in short family udp fastopen-nowhere; do
		mark
		connection $kind 127.0.0.1 9
		equals "on: $kind: no line" "" "$(log)"
	done
	equals "on: every kind of connect ends as without the module" "$results" "$(results_of_all_kinds)"

	# A name is one word, whatever the process calls itself.
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

contract_unload() {
	fails "unload: refused while the patch is active" rmmod tcp_connect_logger
	equals "unload: refused, and still loaded" live "$(cat /sys/module/tcp_connect_logger/initstate)"
	succeeds "unload: the patch can be disabled" disable_patch $patch
	fails "unload: with the patch goes the switch" test -e $switch
	logs_nothing "disabled"
	mark
	succeeds "unload: rmmod" rmmod tcp_connect_logger
	equals "unload: prints nothing" "" "$(log)"
	nothing_left "unload"
	logs_nothing "unloaded"
}

contract_parameter() {
	mark
	succeeds "enabled=1: load" insmod "$ko" enabled=1
	equals "enabled=1: the line" "<6>tcp_connect_logger: loaded, logging enabled" "$(log)"
	wait_until 60 switch_is_ready
	logs_one "enabled=1"
	echo 0 >$switch
	logs_nothing "enabled=1, switched off"
	equals "enabled=1, switched off: the parameter shows the start value" 1 "$(cat $parameter)"
	unload

	for bad in 2 y nonsense ''; do
		refused "enabled='$bad'" "<3>tcp_connect_logger: * invalid for parameter *" "nvalid" "enabled=$bad"
	done
}

contract_refusals() {
	line="<3>tcp_connect_logger: not loading: tcp_v4_connect() is already patched by another livepatch or redirected by another IPMODIFY user, which this one would undo"
	for how in livepatch ftrace; do
		insmod /payload/rival.ko how=$how
		wait_until 60 transition_over /sys/kernel/livepatch/rival
		connection blocking 127.0.0.1 9
		before=$result
		refused "rival by $how" "$line" "esource busy"
		connection blocking 127.0.0.1 9
		equals "rival by $how: works on" "$before" "$result"
		[ $how = ftrace ] || disable_patch /sys/kernel/livepatch/rival
		rmmod rival
		insmod "$ko"
		succeeds "rival by $how: once it is gone we load" wait_until 60 switch_is_ready
		echo 1 >$switch
		logs_one "rival by $how gone"
		unload
	done

	# The core's own refusal, as the last step of init. 7.3 no longer lets ftrace be
	# switched off: writing 0 is EOPNOTSUPP there, and logged as deprecated.
	if (echo 0 >/proc/sys/kernel/ftrace_enabled) 2>/dev/null; then
		refused "without ftrace" "<3>tcp_connect_logger: not loading: ftrace is switched off, or another IPMODIFY user has just come; sysctl kernel.ftrace_enabled must be 1" "esource busy"
		echo 1 >/proc/sys/kernel/ftrace_enabled
		logs_nothing "without ftrace"
	else
		equals "without ftrace: not on this kernel" 1 "$(cat /proc/sys/kernel/ftrace_enabled)"
	fi

	# Nobody can make stall.ko's thread let go: the rival's transition goes on.
	insmod /payload/stall.ko
	insmod /payload/rival.ko
	refused "rival in transition" "<3>tcp_connect_logger: not loading: another livepatch is in transition; try again when it is over" "esource busy"
	rmmod stall
	wait_until 60 transition_over /sys/kernel/livepatch/rival
	disable_patch /sys/kernel/livepatch/rival
	rmmod rival
}

# What is built where the livepatch does not compile.
contract_unsupported() {
	real=$ko ko=/payload/unsupported.ko
	refused "unsupported" "<3>tcp_connect_logger: not loading: version * does not compile for this kernel; look for a newer one, or boot another kernel; the reason is in make.log under /var/lib/dkms/tcp-connect-logger" "o such device"
	logs_nothing "unsupported"
	ko=$real
}

contract_load
contract_switch
contract_records
contract_unload
contract_parameter
contract_refusals
contract_unsupported
[ $# = 0 ] || { "$@"; exit; }
echo end
