#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# life.sh ALL - one version of the package replaces another, in a guest with systemd
#
# The other versions are in /payload/versions; tests/job makes them. tests/chroot/replace.sh
# has the tests that need only DKMS and dpkg.
#
# where: systemd
# on: bookworm
# from: saved install
# payload: deb command versions module warm tests/guest/system.sh tests/guest/versions.sh
# arguments: "'$ALL'"
# later: a version that does not build, an upgrade in a chroot, dpkg killed: `replace`, `build` and
#	`killed` test these in a chroot, without a running module, in `make test`

# shellcheck source=tests/guest/system.sh
. /payload/system.sh
# shellcheck source=tests/guest/versions.sh
. /payload/versions.sh

# file_of VERSION
file_of() {
	file=/payload/versions/$1.deb
	[ "$1" != "$this" ] || file=$deb
	echo "$file"
}

to() {
	mark
	# shellcheck disable=SC2046 # two files
	succeeds "$1: apt" apt_get install --allow-downgrades $(both "$(file_of "$2")")
}

not_built() {
	to "does not build" 99.2.0
	matches "does not build: the message says so" "*
tcp-connect-logger: nothing could be built for kernel $kernel, see /var/lib/dkms/tcp-connect-logger/99.2.0/build/make.log.
tcp-connect-logger: version $other stays there.
tcp-connect-logger: version $other is loaded already, and is what is installed.*" "$output"
	is "does not build" $other $other "tcp-connect-logger/99.2.0: added" 99.2.0
}

stalled_downgrade() {
	insmod /payload/stall.ko
	to "stalled downgrade" "$this"
	matches "stalled downgrade: the message names the task" "*
tcp-connect-logger: some tasks would not let go of the livepatch within 60 s: still loaded, logging is on. These tasks:
  [1-9]* stall
*" "$output"
	is "stalled downgrade" $other "$this"
	rmmod stall
	succeeds "after a stalled downgrade: reload" tcp-connect-logger reload
	swapped "after a stalled downgrade" $other "$this"
	is "after a stalled downgrade" "$this" "$this"
}

# used: somebody uses the trace event during an upgrade and a removal
used() {
	users="the trace event is in use: tcp_connect is enabled in ftrace; still loaded, logging is on. End that use first."
	echo 1 >$event/enable
	to "event in use: upgrade" $other
	matches "event in use: the message says so" "*
tcp-connect-logger: $users" "$output"
	is "event in use" "$this" $other
	echo 0 >$event/enable
	succeeds "event no longer in use: reload" tcp-connect-logger reload
	swapped "event no longer in use" "$this" $other
	is "event no longer in use" $other $other
	to "event no longer in use: downgrade" "$this"
}

# chroot_upgrade: apt in a chroot must not change the running kernel or anything outside
chroot_upgrade() {
	since=$(loaded_since)
	mkdir -p /mnt/chroot /mnt/tmp
	mount -t tmpfs tmpfs /mnt/tmp
	mkdir /mnt/tmp/upper /mnt/tmp/work
	mount -t overlay -o lowerdir=/,upperdir=/mnt/tmp/upper,workdir=/mnt/tmp/work overlay /mnt/chroot
	for tree in proc sys dev payload; do
		mkdir -p /mnt/chroot/$tree
		mount --bind /$tree /mnt/chroot/$tree
	done
	in_chroot=/mnt/chroot
	to "chroot: upgrade" $other
	matches "chroot: the upgrade does not reload the module" "*
tcp-connect-logger: cannot reload from a chroot or a container." "$output"
	equals "chroot: dkms status in the chroot" "tcp-connect-logger/$other, $kernel, x86_64: installed" \
		"$(chroot $in_chroot dkms status tcp-connect-logger)"
	succeeds "chroot: apt remove" apt_get remove $package
	equals "chroot: dkms status in the chroot after the removal" "" \
		"$(chroot $in_chroot dkms status tcp-connect-logger)"
	in_chroot=
	umount -R /mnt/chroot
	umount /mnt/tmp
	equals "chroot: the module has not been reloaded" "$since" "$(loaded_since)"
	is "chroot" "$this" "$this"
}

# killed: dpkg and all its child processes are killed before dpkg configures the package
killed() {
	since=$(loaded_since)
	stop_at_point unpacked
	begin_and_stop "killed: the upgrade reaches this point" apt-get -y -o Dpkg::Use-Pty=0 install \
		/payload/versions/99.4.0.deb /payload/versions/99.4.0.command.deb
	kill_stopped
	matches "killed: the package is not configured" "install ok unpacked" \
		"$(dpkg-query -Wf '${Status}' $package)"
	equals "killed: the module has not been reloaded" "$since" "$(loaded_since)"
	equals "killed: DKMS still lists the old version as installed" \
		"tcp-connect-logger/$this, $kernel, x86_64: installed" \
		"$(dkms_status | grep installed)"
	curl_logs "killed" 1
	succeeds "killed: dpkg --configure -a" dpkg --configure -a
	swapped "killed" "$this" 99.4.0
	is "killed, and configured" 99.4.0 99.4.0
}

options="$(cat $conffile)
options tcp_connect_logger enabled=1"
echo "$options" >$conffile
tcp-connect-logger enable
is "before the upgrade" "$this" "$this"
upgrade
[ -z "$1" ] || not_built
stalled_downgrade
if [ -n "$1" ]; then
	used
	chroot_upgrade
	killed
fi
succeeds "purge: apt" apt_get purge $package $tools
nothing_left "purge"
not_in_dkms "purge"
equals "purge: no file is left" "" "$(files_of_ours)"
healthy "purge"
echo end
