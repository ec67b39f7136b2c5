#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# cast.sh - follow and top on a terminal, for tests/cast

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

address=192.0.2.80

# connections: some programs connect, again and again
connections() {
	while :; do
		curl -s -o /dev/null http://$address/
		setpriv --reuid www-data --regid www-data --clear-groups curl -s "http://[2001:db8::80]:8080/"
		sleep 0.3
		setpriv --reuid nobody --regid nogroup --clear-groups bash -c "exec 3<>/dev/tcp/$address/5432"
		bash -c 'exec 3<>/dev/tcp/127.0.0.1/80'
		sleep 0.4
	done >/dev/null 2>&1
}

# types COMMAND: show it at a prompt, character by character
types() {
	printf '# '
	printf %s "$1" | while IFS= read -r -n 1 character; do
		printf %s "${character:- }"
		sleep 0.05
	done
	sleep 0.5
	echo
}

# interrupted SECONDS COMMAND: type and run it, and interrupt it after that time
interrupted() {
	types "$2"
	# shellcheck disable=SC2086 # words
	timeout -s INT "$1" $2
	echo "^C"
	sleep 1
}

stty cols 80 rows 20
export TERM=xterm LC_ALL=C.UTF-8
{
	unpack tcp-connect-logger-dkms
	unpack tcp-connect-logger
	load /payload/tcp-connect-logger.ko
	load_event /payload/tcp-connect-logger.ko
	mkdir -p /tmp/www
	echo "a page" >/tmp/www/index.html
	busybox httpd -p 80 -h /tmp/www
	ip address add $address/32 dev lo
	ip address add 2001:db8::80/128 dev lo nodad
	connections &
	wait_until 60 curl -s http://$address/
	tcp-connect-logger top --count 1 # so that it starts fast below
} >/dev/null 2>&1

printf 'begin cast\033[H\033[2J'
types "tcp-connect-logger enable"
tcp-connect-logger enable
interrupted 4 "tcp-connect-logger follow"
interrupted 7 "tcp-connect-logger top"
types "tcp-connect-logger disable"
tcp-connect-logger disable
types ""
sleep 2
