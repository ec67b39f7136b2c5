#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# cut.sh ALL - the power fails during an install and during upgrades, in a guest with systemd: the
# next boot works, and the steps in docs/packaging.md complete the job
#
# where: systemd
# on: bookworm
# from: saved install
# payload: deb command versions warm tests/guest/system.sh tests/guest/versions.sh
# arguments: "'$ALL'"
# later: a power cut during an install, and during an upgrade after it is unpacked; `killed` kills
#	dpkg at all these points in `make test`, and `upgrade` cuts a build

# shellcheck source=tests/guest/system.sh
. /payload/system.sh
# shellcheck source=tests/guest/versions.sh
. /payload/versions.sh

# cut_at STAGE POINT FILE
cut_at() {
	# shellcheck disable=SC2046 # two files
	power_cut "$1" "$2" apt-get -y -o Dpkg::Use-Pty=0 --allow-downgrades install $(both "$3")
}

# after_cut NAME RUNNING: what works after the boot
after_cut() {
	loaded "$1" "$2"
	curl_logs "$1, as the options say" 1
	equals "$1: no unit has failed" "" "$(failed_units)"
	matches "$1: dpkg knows" "*$package*" "$(dpkg --audit)"
}

# finished NAME FROM TO: the steps in docs/packaging.md complete it
finished() {
	succeeds "$1: dpkg --configure -a" dpkg --configure -a
	[ "$2" = "$3" ] || swapped "$1" "$2" "$3"
	is "$1, and configured" "$3" "$3"
}

# switched_on: switch logging on, now and at each boot
switched_on() {
	options="$(cat $conffile)
options tcp_connect_logger enabled=1"
	echo "$options" >$conffile
	echo "$options" >/root/options
	tcp-connect-logger enable
}

options=$(cat /root/options 2>/dev/null)
case $stage in
first)
	if [ -n "$1" ]; then
		succeeds "before: purge" apt_get purge $package $tools
		cut_at installed build "$deb"
	else
		switched_on
		cut_at prerm prerm /payload/versions/$other.deb
	fi
	;;
installed)
	nothing_left "cut in install"
	equals "cut in install: no unit has failed" "" "$(failed_units)"
	matches "cut in install: dpkg knows" "*$package*" "$(dpkg --audit)"
	curl_logs "cut in install" 0
	succeeds "cut in install: dpkg --configure -a" dpkg --configure -a
	switched_on
	is "cut in install, and configured" "$this" "$this"
	cut_at prerm prerm /payload/versions/$other.deb
	;;
prerm)
	after_cut "cut in prerm" "$this"
	fails "cut in prerm: dpkg --configure -a is not enough" dpkg --configure -a
	matches "cut in prerm: it says what to do" "*you should*reinstall it before attempting configuration*" "$output"
	# shellcheck disable=SC2046 # two files
	succeeds "cut in prerm: apt --fix-broken --reinstall" apt_get --fix-broken --reinstall install $(both /payload/versions/$other.deb)
	swapped "cut in prerm" "$this" $other
	is "cut in prerm, and reinstalled" $other $other
	if [ -z "$1" ]; then
		echo end
		exit
	fi
	cut_at build build /payload/versions/99.4.0.deb
	;;
build)
	after_cut "cut in upgrade" $other
	finished "cut in upgrade" $other 99.4.0
	cut_at swapped swapped "$deb"
	;;
swapped)
	after_cut "cut after the swap" "$this"
	finished "cut after the swap" "$this" "$this"
	cut_at unpacked unpacked /payload/versions/$other.deb
	;;
unpacked)
	after_cut "cut after unpacking" "$this"
	finished "cut after unpacking" "$this" $other
	cut_at postinst postinst /payload/versions/99.4.0.deb
	;;
postinst)
	after_cut "cut in postinst" $other
	finished "cut in postinst" $other 99.4.0
	echo end
	;;
esac
