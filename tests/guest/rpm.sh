#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# rpm.sh ALL - install, upgrade and remove the .rpm in a guest with systemd
#
# The guest runs Debian with rpm and dnf. /payload/rpm is a repository, and /payload/versions has
# other versions; tests/job makes them.
#
# where: systemd
# on: bookworm
# payload: deb command rpm versions module warm tests/guest/system.sh tests/guest/versions.sh
# arguments: "'$ALL'"
# later: a reboot, a reinstall, another release, an erase that stalls: the module and `maintain` are
#	the same as in the .deb, and `rpms` tests rpm and DKMS

# shellcheck source=tests/guest/system.sh
. /payload/system.sh
# shellcheck source=tests/guest/versions.sh
. /payload/versions.sh

all=$1 file=$(echo /payload/rpm/*-dkms-*.rpm)

to() {
	mark
	other_file=/payload/versions/$2.rpm
	[ "$2" != "$this" ] || other_file=$file
	# shellcheck disable=SC2046 # two files
	succeeds "$1: rpm" rpm -U --oldpackage $(both "$other_file")
}

# Verify the installed files; the administrator may change configuration files.
audit() {
	! rpm -q --quiet $package || rpm -V $package | grep -v ' c /etc/'
}

# by_name: install the packages from the repository; dnf checks every signature
by_name() {
	mkdir -p /etc/yum.repos.d
	cat >/etc/yum.repos.d/rig.repo <<-EOF
	[rig]
	name=rig
	baseurl=file:///payload/rpm
	gpgkey=file:///payload/rpm/tcp-connect-logger.asc
	gpgcheck=1
	repo_gpgcheck=1
	EOF
	mark
	succeeds "install: dnf installs both packages by name" dnf -y install $tools
	matches "install: the message says what is loaded and what to do" "*
*tcp-connect-logger: loaded, logging is off. To switch: tcp-connect-logger enable, or disable; to see the connections: tcp-connect-logger follow
*" "$output"
	equals "install: the module's line in the log" \
		"<6>tcp_connect_logger: loaded, logging disabled" "$(log)"
	equals "install: dnf finds the source of both packages" \
		"file:///payload/rpm/$tools-$this-1.src.rpm" "$(dnf -q repoquery --srpm --location \
			$tools $package 2>/dev/null | sort -u)"
	rm -rf /etc/yum.repos.d/rig.repo /var/cache/dnf
}

first_boot() {
	equals "before: the guest has no file of ours" "" "$(files_of_ours)"
	nothing_left "before"
	curl_logs "before" 0
	fails "before: rpm does not find the package" rpm -q $package
	fails "before: rpm refuses the package without its dependencies" rpm -i "$file"
	equals "before: rpm lists the missing dependencies" "dkms >= 2.8.4
kmod
tcp-connect-logger >= $this-1
udev" "$(echo "$output" | sed -n "s! is needed by $package-.*!!p" | sed 's/^\t//; \!^/bin/sh!d' | sort -u)"
	succeeds "before: a package provides the dependencies that the guest has" rpm -i /payload/debian.rpm
	fails "before: rpm refuses the package without the command" rpm -i "$file"
	matches "before: rpm does not know the key of the package" "*: digests SIGNATURES NOT OK" "$(rpm -K "$file")"
	# DKMS then uses Fedora's directory for modules
	sed -i 's/^ID=.*/ID=fedora/' /usr/lib/os-release

	by_name
	matches "install: rpm accepts the package's signature" "*: digests signatures OK" "$(rpm -K "$file")"
	in_dkms "install" "$kernel"
	equals "install: the module is in Fedora's directory" "/lib/modules/$kernel/extra/tcp-connect-logger.ko" \
		"$(modinfo -n tcp_connect_logger)"
	equals "install: the module is signed with DKMS's key" "DKMS module signing key" "$(modinfo -F signer tcp_connect_logger)"
	loaded "install"
	works "install"
	healthy "install"
}

# not_swapped NAME: check that the same module keeps running
not_swapped() {
	matches "$1: the message says that this version is already loaded" "*
tcp-connect-logger: version $version is loaded already, and is what is installed." "$output"
	equals "$1: the module has not been reloaded" "$since" "$(loaded_since)"
}

same_again() {
	since=$(loaded_since)
	succeeds "reinstall: rpm" rpm -U --replacepkgs "$file"
	not_swapped "reinstall"
	is "reinstall" "$this" "$this"

	to "another release" "$this-2"
	equals "another release: rpm has installed it" "$this-2" \
		"$(rpm -q --qf '%{VERSION}-%{RELEASE}' $package)"
	not_swapped "another release"
	is "another release" "$this" "$this"
}

stalled_erase() {
	since=$(loaded_since)
	insmod /payload/stall.ko
	succeeds "stalled erase: rpm does not fail" rpm -e $package
	matches "stalled erase: the message names the task" "*
tcp-connect-logger: some tasks would not let go of the livepatch within 60 s: still loaded, logging is on. These tasks:
  [1-9]* stall
*
tcp-connect-logger: the module stays in the running kernel.
*" "$output"
	not_in_dkms "stalled erase"
	loaded "stalled erase" $other
	curl_logs "stalled erase: logging continues" 1
	equals "stalled erase: rpm keeps the changed options" $conffile.rpmsave \
		"$(files_of_ours | grep rpmsave)"
	equals "stalled erase: the options are unchanged" "$options" "$(cat $conffile.rpmsave)"
	rmmod stall
	healthy "stalled erase"

	version=$other
	succeeds "after a stalled erase: rpm" rpm -i /payload/versions/$other.rpm
	not_swapped "after a stalled erase"
	in_dkms "after a stalled erase" "$kernel"
	loaded "after a stalled erase" $other
	healthy "after a stalled erase"

	rm $conffile.rpmsave
}

erase() {
	succeeds "erase: rpm" rpm -e $package
	exits "erase: the command stays installed" 3 tcp-connect-logger status
	matches "erase: status names the missing package" "*not built: the package tcp-connect-logger-dkms, which has the module, is not installed: *" "$output"
	succeeds "erase: rpm, the command" rpm -e $tools
	rm -f $conffile.rpmsave
	nothing_left "erase"
	not_in_dkms "erase"
	equals "erase: no file is left" "" "$(files_of_ours)"
	curl_logs "erase" 0
	healthy "erase"
}

# used: check that the module works after a boot
used() {
	loaded "boot"
	equals "boot: logging is off" 0 "$(cat $switch)"
	works "boot"
	options="$(cat $conffile)
options tcp_connect_logger enabled=1"
	echo "$options" >$conffile
	tcp-connect-logger enable
	is "boot" "$this" "$this"
	fails "rpm refuses to erase the command while the module's package needs it" rpm -e $tools
	[ -z "$all" ] || same_again
	upgrade
	[ -z "$all" ] || stalled_erase
	erase
	echo end
}

case $stage in
first)
	first_boot
	if [ -n "$all" ]; then
		reboot_into second
	else
		unload tcp_connect_logger
		at_boot "boot"
		used
	fi
	;;
second)
	used
	;;
esac
