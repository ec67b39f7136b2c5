#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# prologue.sh KO - a function whose prologue the module does not know
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

doctor nops
mark
fails "unknown prologue: not loaded" insmod "$ko" enabled=1
matches "unknown prologue: the error" "*o such device*" "$output"
matches "unknown prologue: the sentence" \
	"<3>tcp_connect_logger: not loading: tcp_v4_connect() begins with the bytes *90 90 90 90 90*, which this version does not know; look for a newer one, or report them" \
	"$(log | uniq)"
nothing_left "unknown prologue"
mark
connection data 127.0.0.1 80
equals "unknown prologue: connections work" connected "$result"
equals "unknown prologue: and are not logged" "" "$(log)"

doctor original
succeeds "known prologue: loaded" load "$ko" enabled=1
mark
connection data 127.0.0.1 80
equals "known prologue: connections work" connected "$result"
equals "known prologue: and are logged" "$(record "$pid" 0 connect 127.0.0.1 80)" "$(log)"
echo end
