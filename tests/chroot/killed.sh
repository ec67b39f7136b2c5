#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# killed.sh POINTS KERNEL... - dpkg and rpm are killed during an upgrade, with all their child
# processes, at each named point; the steps in docs/packaging.md complete the upgrade
#
# where: chroot
# on: bookworm
# on-later: trixie forky sid bullseye
# payload: deb command srpm versions tests/chroot/chroot.sh
# arguments: "$([ -n "$ALL" ] && echo "'prerm postinst build swapped'" || echo build)" $(built_of "$suite")
# later: the dpkg and DKMS of the other suites, and rpm at the points at which dpkg is killed: the
#	scriptlets are the same

rpm_points=$1
shift
# shellcheck source=tests/chroot/chroot.sh
. /payload/chroot.sh

old=$version new=99.1.0

# is_installed NAME VERSION: check that only this version is installed, for $kernel
is_installed() {
	equals "$1: dkms status" "tcp-connect-logger/$2, $kernel, x86_64: installed" "$(dkms_status)"
	equals "$1: version in modinfo" "$2 Y" "$(modinfo -k "$kernel" -F version tcp_connect_logger) \
$(modinfo -k "$kernel" -F livepatch tcp_connect_logger)"
	equals "$1: /usr/src has only this source" "/usr/src/tcp-connect-logger-$2" "$(ls -d /usr/src/tcp-connect-logger-*)"
}

# killed_at NAME POINT COMMAND...: kill the command at this point, and check that the old module is
# still there, or else the new one
killed_at() {
	name=$1 point=$2
	shift 2
	stop_at_point "$point"
	begin_and_stop "$name: the upgrade reaches this point" "$@"
	kill_stopped
	left=$old
	[ "$point" != swapped ] || left=$new
	equals "$name: a module is there" "$left Y" "$(modinfo -k "$kernel" -F version tcp_connect_logger) \
$(modinfo -k "$kernel" -F livepatch tcp_connect_logger)"
}

# turn: swap the old and the new version
turn() {
	was=$old old=$new new=$was
}

deb_of() {
	if [ "$1" = "$version" ]; then
		echo /payload/*.deb
	else
		echo "/payload/versions/$1.deb"
	fi
}

rpm_of() {
	if [ "$1" = "$version" ]; then
		echo /tmp/rpm/RPMS/noarch/*.rpm
	else
		echo "/payload/versions/$1.rpm"
	fi
}

debs() {
	succeeds "deb: apt installs the old version" apt_get install "$(deb_of "$old")"
	for point in $points; do
		name="deb killed, $point"
		killed_at "$name" "$point" apt-get -y -o Dpkg::Use-Pty=0 --allow-downgrades install "$(deb_of "$new")"
		if [ "$point" = prerm ]; then
			fails "$name: dpkg --configure -a is not enough" dpkg --configure -a
			matches "$name: dpkg says what to do" \
				"*you should*reinstall it before attempting configuration*" "$output"
			succeeds "$name: apt --fix-broken --reinstall succeeds" \
				apt_get --fix-broken --reinstall install --allow-downgrades "$(deb_of "$new")"
		else
			succeeds "$name: dpkg --configure -a succeeds" dpkg --configure -a
		fi
		is_installed "$name, and finished" "$new"
		equals "$name, and finished: dpkg reports no problems" "" "$(dpkg --audit)"
		turn
	done
	succeeds "deb: apt purges the package" apt_get purge tcp-connect-logger-dkms
}

# rpms: rpm has no state between unpacked and configured, so it is interrupted at fewer points
rpms() {
	mkdir -p /usr/lib/modprobe.d /usr/lib/modules-load.d /usr/share/licenses /usr/share/man/man4
	rpmbuild --rebuild --nodeps --without tools --define "_topdir /tmp/rpm" /payload/*.src.rpm >/tmp/rpm.log 2>&1
	old=$version new=99.1.0
	succeeds "rpm: rpm installs the old version" rpm -U --nodeps "$(rpm_of "$old")"
	for point in $rpm_points; do
		name="rpm killed, $point"
		killed_at "$name" "$point" rpm -U --nodeps --oldpackage "$(rpm_of "$new")"
		succeeds "$name: rpm -U --replacepkgs succeeds" rpm -U --nodeps --oldpackage --replacepkgs "$(rpm_of "$new")"
		is_installed "$name, and finished" "$new"
		equals "$name, and finished: only one package is installed" "tcp-connect-logger-dkms-$new-1" \
			"$(rpm -q --qf '%{NAME}-%{VERSION}-%{RELEASE}\n' tcp-connect-logger-dkms)"
		turn
	done
	succeeds "rpm: rpm erases the package" rpm -e --nodeps tcp-connect-logger-dkms
	equals "rpm: dkms status after the erase" "" "$(dkms_status)"
}

one_kernel
command_alone
debs
rpms
echo end
