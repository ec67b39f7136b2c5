#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# prologue.sh KO - a function whose prologue the module does not know, or that is being changed
#
# prologue.host changes the function's fentry site in the guest's memory on request.
#
# where: bare
# on: line
# boot: -
# payload: module connect
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
address=$(sed -n 's/ [Tt] tcp_v4_connect$//p' /proc/kallsyms)

# doctor nops|original
doctor() {
	echo "doctor $1 0x$address"
	read -r answer </dev/ttyS1
	equals "the rig has put the $1 there" "$1" "$answer"
}

# refused NAME BYTES: BYTES is a pattern
refused() {
	mark
	fails "$1: not loaded" insmod "$ko" enabled=1
	matches "$1: the error" "*o such device*" "$output"
	matches "$1: the sentence" \
		"<3>tcp_connect_logger: not loading: tcp_v4_connect() begins with the bytes $2, which this version does not know; look for a newer one, or report them" \
		"$(log | uniq)"
	nothing_left "$1"
}

doctor nops
refused "unknown prologue" "*90 90 90 90 90*"
mark
connection data 127.0.0.1 80
equals "unknown prologue: connections work" connected "$result"
equals "unknown prologue: and are not logged" "" "$(log)"
doctor original

# Without end, and for a moment
insmod /payload/int3.ko "address=0x$address"
refused "an int3" "*cc *"
rmmod int3
insmod /payload/int3.ko "address=0x$address" sleeps=3
succeeds "an int3 for a moment: loaded" load "$ko" enabled=1
equals "an int3 for a moment: the module has waited for its end" 0 "$(cat /sys/module/int3/parameters/sleeps)"
rmmod int3
mark
connection data 127.0.0.1 80
equals "known prologue: connections work" connected "$result"
equals "known prologue: and are logged" "$(record "$pid" 0 connect 127.0.0.1 80)" "$(log)"
echo end
