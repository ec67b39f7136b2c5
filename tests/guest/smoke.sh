#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# smoke.sh KO - the modules load, make one line and one event, and unload
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
succeeds "smoke: load the event" load_event "$1"
echo 1 >$event/enable
connection blocking 127.0.0.1 9
equals "smoke: one event" "$(event_of 127.0.0.1)" "$(events_in <$tracing/trace)"
echo 0 >$event/enable
succeeds "smoke: unload" unload tcp_connect_logger
nothing_left "smoke: unloaded"
mark
connection blocking 127.0.0.1 9
equals "smoke: unloaded: nothing is logged" "" "$(log)"
echo end
