#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# smoke.sh KO - the module loads, logs one line, and unloads
#
# where: bare
# on: every
# on-later: small
# payload: module connect
# arguments: /payload/tcp-connect-logger.ko

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

nothing_left "smoke: before"
mark
connection blocking 127.0.0.1 9
equals "smoke: before: nothing is logged" "" "$(log)"
succeeds "smoke: load" load "$1" enabled=1
mark
connection blocking 127.0.0.1 9
equals "smoke: one line" "$(record "$pid" 0 connect 127.0.0.1 9)" "$(log)"
succeeds "smoke: unload" unload tcp_connect_logger
nothing_left "smoke: unloaded"
mark
connection blocking 127.0.0.1 9
equals "smoke: unloaded: nothing is logged" "" "$(log)"
echo end
