#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# demo.sh - install and use the package in a guest with systemd, with one reboot

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

# run COMMAND: show it, then run it
run() {
	echo
	echo "guest# $1"
	sh -c "$1" 2>&1 || echo "(exit status $?)"
}

mkdir -p /tmp/www
echo "hello" >/tmp/www/index.html
busybox httpd -p 80 -h /tmp/www
ip address add 192.0.2.80/32 dev lo

if [ ! -e /root/rebooted ]; then
	run "uname -r; grep PRETTY /etc/os-release"
	run "apt-get install -q -y -o Dpkg::Use-Pty=0 /payload/*.deb"
	run "dkms status"
	echo
	echo "guest# reboot"
	touch /root/rebooted
	echo reboot
	exit
fi

run "lsmod | grep tcp_connect_logger; ls -l $switch; cat $switch"
wait_until 60 transition_over $patch
run "echo 1 > $switch"
run "curl -s http://127.0.0.1/; curl -s http://192.0.2.80/; curl -sS http://192.0.2.80:8080/"
run "setpriv --reuid nobody --regid nogroup --clear-groups curl -s http://192.0.2.80/"
run "journalctl -k SYSLOG_FACILITY=0 -g '^tcp_connect_logger: pid=' -o cat"
lines=$(journalctl -k SYSLOG_FACILITY=0 -g '^tcp_connect_logger: pid=' -o cat | wc -l)
run "echo 0 > $switch"
run "curl -s http://192.0.2.80/"
run "journalctl -k SYSLOG_FACILITY=0 -g '^tcp_connect_logger: pid=' -o cat | tail -n +$((lines + 1))   # nothing new"
quiet=$(journalctl -k SYSLOG_FACILITY=0 -g '^tcp_connect_logger: pid=' -o cat | wc -l)
run "apt-get purge -q -y -o Dpkg::Use-Pty=0 tcp-connect-logger-dkms"
run "lsmod | grep tcp_connect_logger; ls $switch; dkms status"
echo

[ "$lines" = 4 ] && [ "$quiet" = 4 ] && [ ! -e $switch ] && echo end
