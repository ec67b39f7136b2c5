#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# package.sh - the package in use, in a guest with systemd, with two reboots: boot, the command in
# every state of the livepatch, removal, a removal that stalls, purge
#
# where: systemd
# on: bookworm
# from: saved install
# payload: deb module warm tests/guest/system.sh tests/guest/command.sh

# shellcheck source=tests/guest/system.sh
. /payload/system.sh

conffile=/etc/modprobe.d/tcp-connect-logger.conf

udev_again() {
	udevadm control --reload
	udevadm trigger --settle --action=change /sys/module/tcp_connect_logger
}

another_group() {
	groupadd netadmin
	echo 'SUBSYSTEM=="module", KERNEL=="tcp_connect_logger", ENV{TCP_CONNECT_LOGGER_GROUP}="netadmin"' \
		>/etc/udev/rules.d/60-tcp-connect-logger.rules
	udev_again
	equals "another group: it has the switch" "root:netadmin 664" "$(stat -c '%U:%G %a' $switch)"
	rm /etc/udev/rules.d/60-tcp-connect-logger.rules
	udev_again
	equals "another group: and back" "root:adm 664" "$(stat -c '%U:%G %a' $switch)"
}

# This kernel has no trace event, so top counts log lines. tools.sh tests more.
watched() {
	echo 1 >$switch
	tcp-connect-logger follow >/tmp/followed &
	follower=$!
	succeeds "follow: starts" wait_until 120 waits $follower
	tcp-connect-logger top --interval 1 >/tmp/counted &
	counter=$!
	succeeds "top: starts" wait_until 120 waits $counter
	curl_logs "watched" 1
	echo 0 >$switch
	succeeds "top: counts" wait_until 120 grep -q '^connections 1,' /tmp/counted
	kill $counter
	wait $counter
	equals "top: ends" 0 $?
	kill $follower
	wait $follower
	equals "follow: ends" 0 $?
	matches "follow: the record" "20*Z pid=$pid uid=0 comm=curl -> 127.0.0.1:80" "$(cat /tmp/followed)"
	equals "top: the count" "$(printf 'connections 1, rows 1\n\n%10s %10s %-15s %s\n%10s %10s %-15s %s' \
		COUNT NEW COMM DESTINATION 1 1 curl 127.0.0.1:80)" "$(sed -n '/^connections 1,/,$p' /tmp/counted | head -n 4)"
}

second_boot() {
	loaded "boot"
	equals "boot: logging is off" 0 "$(cat $switch)"
	works "boot"
	echo 1 >$switch
	curl_logs "boot, for the journal" 1
	echo 0 >$switch
	journalctl --sync
	equals "boot: the journal has it" "tcp_connect_logger: pid=$pid uid=0 comm=curl -> 127.0.0.1:80" \
		"$(journalctl -k -g tcp_connect_logger -o cat -n 1)"
	watched
	healthy "boot"
	another_group
	# shellcheck source=tests/guest/command.sh
	. /payload/command.sh

	echo 'options tcp_connect_logger enabled=1' >>$conffile
	succeeds "remove: apt" apt_get remove $package
	nothing_left "remove"
	not_in_dkms "remove"
	equals "remove: the options are left" "$conffile" "$(files_of_ours | grep -v -e /dpkg/ -e /deb-systemd-helper -e /doc/)"
	curl_logs "remove" 0
	healthy "remove"

	# Install without the kernel's headers, then add them.
	mv "/lib/modules/$kernel/build" /root/build
	succeeds "no headers: apt install" apt_get install "$deb"
	matches "no headers: says what to do" "*
tcp-connect-logger: the running kernel $kernel has no headers here: install linux-headers-$kernel (on Fedora kernel-devel-$kernel), and DKMS builds the module; then: tcp-connect-logger load" "$output"
	status_is "no headers" 3 "not loaded" "not loaded" "no switch" \
		"not built: the running kernel $kernel has no headers here: install linux-headers-$kernel (on Fedora kernel-devel-$kernel), and DKMS builds the module; then: tcp-connect-logger load"
	nothing_left "no headers"
	healthy "no headers"
	at_boot "no headers"

	mv /root/build "/lib/modules/$kernel/build"
	succeeds "headers come: their hook builds the module" \
		run-parts --arg="$kernel" /etc/kernel/header_postinst.d
	in_dkms "headers come" "$kernel"
	mark
	succeeds "headers come: modprobe" modprobe tcp_connect_logger
	equals "headers come: the options count" "<6>tcp_connect_logger: loaded, logging enabled" "$(log)"
	loaded "headers come"
	curl_logs "headers come, from the start" 1
	echo 0 >$switch
	works "headers come"

	# stall.ko's thread cannot be patched, so the removal cannot finish.
	echo 1 >$switch
	insmod /payload/stall.ko
	succeeds "stalled removal: apt does not fail" apt_get remove $package
	matches "stalled removal: says so" "*
tcp-connect-logger: some tasks would not let go of the livepatch within 60 s: still loaded, logging is on. These tasks:
  [1-9]* stall
*
tcp-connect-logger: the module stays in the running kernel.
*" "$output"
	not_in_dkms "stalled removal"
	loaded "stalled removal"
	curl_logs "stalled removal: logging goes on" 1
	rmmod stall
	healthy "stalled removal"

	succeeds "after it: apt install" apt_get install "$deb"
	matches "after it: says that the module stays" "*
tcp-connect-logger: version $version is loaded already, and is what is installed." "$output"
	loaded "after it"
	in_dkms "after it" "$kernel"
	healthy "after it"
}

# Booted as with Secure Boot: the kernel accepts only modules signed with an enrolled key.
third_boot() {
	nothing_left "key not enrolled"
	curl_logs "key not enrolled" 0
	note "units that fail at such a boot: $(failed_units)"
	exits "key not enrolled: load" 1 tcp-connect-logger load
	equals "key not enrolled: says what to do" \
		"tcp-connect-logger: Secure Boot does not accept the key that DKMS signs with. Enrol it with mokutil --import /var/lib/dkms/mok.pub, reboot, and confirm it there." "$output"
	nothing_left "key not enrolled, still"

	succeeds "purge: apt" apt_get purge $package $tools
	not_in_dkms "purge"
	equals "purge: DKMS itself says so" "" "$(dkms status tcp-connect-logger)"
	equals "purge: no file is left" "" "$(files_of_ours)"
	equals "purge: dpkg has nothing to do" "" "$(dpkg --audit)"
}

case $stage in
first)
	reboot_into second
	;;
second)
	second_boot
	reboot_into third module.sig_enforce=1
	;;
third)
	third_boot
	echo end
	;;
esac
