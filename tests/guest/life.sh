#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# life.sh - one version of the package after another, in a guest with systemd, of
# which the power is cut twice
#
# In /payload/versions are others, see job_versions in tests/job.

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
	succeeds "$1: apt" apt_get install --allow-downgrades "$(file_of "$2")"
}

not_built() {
	to "does not build" 99.2.0
	matches "does not build: says so" "*
tcp-connect-logger: nothing could be built for kernel $kernel, see /var/lib/dkms/tcp-connect-logger/99.2.0/build/make.log.
tcp-connect-logger: version $other stays there.
tcp-connect-logger: version $other is loaded already, and is what is installed.*" "$output"
	is "does not build" $other $other "tcp-connect-logger/99.2.0: added" 99.2.0
}

stalled_downgrade() {
	insmod /payload/stall.ko
	to "stalled downgrade" "$this"
	matches "stalled downgrade: names the task" "*
tcp-connect-logger: some tasks would not let go of the livepatch within 60 s: still loaded, logging is on. These tasks:
  [1-9]* stall
*" "$output"
	is "stalled downgrade" $other "$this"
	rmmod stall
	succeeds "stalled downgrade: later, reload" tcp-connect-logger reload
	swapped "stalled downgrade" $other "$this"
	is "stalled downgrade: later" "$this" "$this"
}

# What apt does in a chroot is no affair of the kernel, and of nobody outside.
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
	matches "chroot: upgrade leaves the kernel alone" "*
tcp-connect-logger: cannot reload from a chroot or a container." "$output"
	equals "chroot: dkms status there" "tcp-connect-logger/$other, $kernel, x86_64: installed" \
		"$(chroot $in_chroot dkms status tcp-connect-logger)"
	succeeds "chroot: apt remove" apt_get remove $package
	equals "chroot: dkms status there after remove" "" \
		"$(chroot $in_chroot dkms status tcp-connect-logger)"
	in_chroot=
	umount -R /mnt/chroot
	umount /mnt/tmp
	equals "chroot: the module that runs is the very same" "$since" "$(loaded_since)"
	is "chroot" "$this" "$this"
}

# dpkg_killed DEB: dpkg, and all that it has started, between unpack and configure:
# as it says that the package is half-configured, after it was half-installed. (It
# is so once before, while the old version's prerm runs.)
dpkg_killed() {
	mkfifo /root/says
	setsid dpkg --status-fd 3 -i "$1" 3>/root/says >/root/dpkg.log 2>&1 &
	dpkg=$! unpacked=
	while read -r line; do
		case $line in
		"status: $package: half-installed"*) unpacked=yes ;;
		"status: $package: half-configured"*)
			[ -z "$unpacked" ] || kill -KILL "-$dpkg"
			;;
		esac
	done </root/says
	wait $dpkg
}

# In the midst of configuring, the power cuts end it.
interrupted() {
	dpkg_killed /payload/versions/$other.deb
	equals "interrupted: dpkg was killed" 137 $?
	matches "interrupted: the package is not configured" "install ok [hu]*" \
		"$(dpkg-query -Wf '${Status}' $package)"
	equals "interrupted: the module that runs is the very same" "$since" "$(loaded_since)"
	equals "interrupted: it is still installed, and known to DKMS" \
		"tcp-connect-logger/$this, $kernel, x86_64: installed" \
		"$(dkms status tcp-connect-logger | grep installed)"
	curl_logs "interrupted" 1
	succeeds "interrupted: dpkg --configure -a" dpkg --configure -a
	swapped "interrupted" "$this" $other
	is "interrupted, and configured" $other $other
}

# Cut while DKMS builds: the boot is none the worse.
installed() {
	nothing_left "cut in install"
	equals "cut in install: no unit has failed" "" "$(failed_units)"
	matches "cut in install: dpkg knows" "*$package*" "$(dpkg --audit)"
	curl_logs "cut in install" 0
	succeeds "cut in install: dpkg --configure -a" dpkg --configure -a
	options="$(cat $conffile)
options tcp_connect_logger enabled=1"
	echo "$options" >$conffile
	tcp-connect-logger enable
	is "cut in install, and configured" "$this" "$this"
}

# The old one is there until the new one is.
upgraded() {
	loaded "cut in upgrade" $other
	curl_logs "cut in upgrade, as the options say" 1
	equals "cut in upgrade: no unit has failed" "" "$(failed_units)"
	matches "cut in upgrade: dpkg knows" "*$package*" "$(dpkg --audit)"
	succeeds "cut in upgrade: dpkg --configure -a" dpkg --configure -a
	swapped "cut in upgrade" $other 99.4.0
	is "cut in upgrade, and configured" 99.4.0 99.4.0
}

case $stage in
first)
	power_cut second 300 "pgrep -f dkms.mk" apt_get install "$deb"
	;;
second)
	installed
	upgrade
	not_built
	stalled_downgrade
	chroot_upgrade
	interrupted
	echo "$options" >/root/options
	sync
	power_cut third 300 "pgrep -f dkms.mk" apt_get install /payload/versions/99.4.0.deb
	;;
third)
	options=$(cat /root/options)
	upgraded
	succeeds "purge: apt" apt_get purge $package
	nothing_left "purge"
	not_in_dkms "purge"
	equals "purge: no file is left" "" "$(files_of_ours)"
	healthy "purge"
	echo end
	;;
esac
