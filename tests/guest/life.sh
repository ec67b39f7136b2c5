#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# life.sh - one version of the package after another, in a guest with systemd, of
# which the power is cut twice
#
# In /payload/versions are others, see job_versions in tests/job.

# shellcheck source=tests/guest/system.sh
. /payload/system.sh

this=$version
other=99.1.0
conffile=/etc/modprobe.d/tcp-connect-logger.conf

# to NAME DEB: install that one
to() {
	mark
	succeeds "$1: apt" apt_get install --allow-downgrades "$2"
}

# is NAME RUNNING INSTALLED [ELSE [DEB]]: which version runs, which is installed
# for this kernel, what else DKMS has, which the package is
is() {
	equals "$1: dkms status" "$(printf %s "tcp-connect-logger/$3, $kernel, x86_64: installed${4:+
$4}" | sort)" "$(dkms status tcp-connect-logger | sort)"
	equals "$1: one source in /usr/src" "/usr/src/tcp-connect-logger-${5:-$3}" \
		"$(ls -d /usr/src/tcp-connect-logger-*)"
	loaded "$1" "$2"
	equals "$1: lsmod" "tcp_connect_logger" "$(lsmod | sed -n 's/^\(tcp_connect_logger\) .*/\1/p')"
	is_other=
	[ "$2" = "$3" ] || is_other=", not the one that is installed: tcp-connect-logger reload"
	status_is "$1" 0 "loaded, version $2$is_other" enabled on \
		"built, version $3, signed by DKMS module signing key" "${5:-$3}"
	curl_logs "$1" 1
	equals "$1: the administrator's options are kept" "$options" "$(cat $conffile)"
	healthy "$1"
}

# swapped NAME FROM TO
swapped() {
	gap=$(echo "$output" | sed -n "s/^tcp-connect-logger: version $3 has taken the place of version $2, logging is on; connections were not seen for \(.*\) s\.\$/\1/p")
	matches "$1: says what was exchanged, and how long it took" "[0-9]*.[0-9][0-9]" "$gap"
	figure "$1: connections were not seen for $gap s"
}

# not_swapped NAME: the very same module runs on
not_swapped() {
	matches "$1: says that it is the same" "*
tcp-connect-logger: version $version is loaded already, and is what is installed." "$output"
	equals "$1: the module that runs is the very same" "$since" "$(loaded_since)"
}

# watch: what runs and what is installed, as it changes, to /root/watched
watch() {
	while :; do
		echo "$(cat /sys/module/tcp_connect_logger/version 2>/dev/null)" \
			"$(modinfo -F version tcp_connect_logger 2>/dev/null)"
		sleep 2
	done >/root/watched &
	watcher=$!
}

upgrade() {
	watch
	to "upgrade" /payload/versions/$other.deb
	kill $watcher
	swapped "upgrade" "$this" $other
	is "upgrade" $other $other
	# At no time was there nothing to load at a boot, and the old one ran until the
	# new one was there.
	note "runs, installed: $(uniq /root/watched | tr '\n' ';')"
	equals "upgrade: the new module is installed while the old one runs" "$this $other" \
		"$(grep -m 1 " $other\$" /root/watched)"
}

not_built() {
	to "does not build" /payload/versions/99.2.0.deb
	matches "does not build: says so" "*
tcp-connect-logger: nothing could be built for kernel $kernel, see /var/lib/dkms/tcp-connect-logger/99.2.0/build/make.log.
tcp-connect-logger: version $other stays there.
tcp-connect-logger: version $other is loaded already, and is what is installed.*" "$output"
	is "does not build" $other $other "tcp-connect-logger/99.2.0: added" 99.2.0
}

stalled_downgrade() {
	insmod /payload/stall.ko
	to "stalled downgrade" "$deb"
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

same_again() {
	since=$(loaded_since)
	succeeds "reinstall: apt" apt_get install --reinstall "$deb"
	not_swapped "reinstall"
	is "reinstall" "$this" "$this"

	to "revision" "/payload/versions/$this-2.deb"
	equals "revision: it is another" "$this-2" "$(dpkg-query -Wf '${Version}' $package)"
	not_swapped "revision"
	is "revision" "$this" "$this"
}

# What apt does in a chroot is no affair of the kernel, and of nobody outside.
chroot_upgrade() {
	mkdir -p /mnt/chroot /mnt/tmp
	mount -t tmpfs tmpfs /mnt/tmp
	mkdir /mnt/tmp/upper /mnt/tmp/work
	mount -t overlay -o lowerdir=/,upperdir=/mnt/tmp/upper,workdir=/mnt/tmp/work overlay /mnt/chroot
	for tree in proc sys dev payload; do
		mkdir -p /mnt/chroot/$tree
		mount --bind /$tree /mnt/chroot/$tree
	done
	in_chroot=/mnt/chroot
	to "chroot: upgrade" /payload/versions/$other.deb
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
	same_again
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
