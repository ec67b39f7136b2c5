#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# package.sh - the package in use, in a guest with systemd, with two reboots: boot, the command in
# every state of the livepatch, removal, a removal that stalls, purge
#
# where: systemd
# on: bookworm
# from: saved install
# payload: deb module bpf warm tests/guest/system.sh tests/guest/command.sh

# shellcheck source=tests/guest/system.sh
. /payload/system.sh

conffile=/etc/modprobe.d/tcp-connect-logger.conf

# udev_again: apply the udev rules
udev_again() {
	udevadm control --reload
	udevadm trigger --settle --action=change /sys/module/tcp_connect_logger
}

another_group() {
	groupadd netadmin
	echo 'SUBSYSTEM=="module", KERNEL=="tcp_connect_logger", ENV{TCP_CONNECT_LOGGER_GROUP}="netadmin"' \
		>/etc/udev/rules.d/60-tcp-connect-logger.rules
	udev_again
	equals "another group: it owns the switch" "root:netadmin 664" "$(stat -c '%U:%G %a' $switch)"
	rm /etc/udev/rules.d/60-tcp-connect-logger.rules
	udev_again
	equals "another group: adm owns the switch again" "root:adm 664" "$(stat -c '%U:%G %a' $switch)"
}

# watched: follow and top show a connection. tools.sh tests these commands in detail.
watched() {
	echo 1 >$switch
	tcp-connect-logger follow >/tmp/followed &
	follower=$!
	succeeds "follow: it starts" wait_until 120 waits $follower
	tcp-connect-logger top --interval 1 >/tmp/counted &
	counter=$!
	succeeds "top: it starts" wait_until 120 waits $counter
	curl_logs "watched" 1
	echo 0 >$switch
	succeeds "top: it counts the connection" wait_until 120 grep -q '^connections 1,' /tmp/counted
	kill $counter
	wait $counter
	equals "top: it ends" 0 $?
	kill $follower
	wait $follower
	equals "follow: it ends" 0 $?
	matches "follow: it shows the record" \
		"20*Z pid=$pid uid=0 comm=curl -> 127.0.0.1:80" "$(cat /tmp/followed)"
	equals "top: its table" "$(printf 'connections 1, rows 1\n\n%10s %10s %-15s %s\n%10s %10s %-15s %s' \
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
	equals "remove: only the options and the command's package are left" "$conffile" \
		"$(files_of_ours | grep -v -e /dpkg/ -e /deb-systemd-helper -e /doc/ -e -metrics -e -record |
			grep -v -x -F "$(dpkg -L $tools)")"
	exits "remove: the command" 3 tcp-connect-logger status
	missing="the package tcp-connect-logger-dkms, which has the module, is not installed: apt install tcp-connect-logger-dkms, or dnf install tcp-connect-logger-dkms"
	equals "remove: status names the missing package" "package    $version
kernel     $kernel: not built: $missing
module     not loaded
livepatch  not loaded
logging    no switch" "$output"
	exits "remove: load" 1 tcp-connect-logger load
	equals "remove: load names the missing package" "tcp-connect-logger: $missing" "$output"
	curl_logs "remove" 0
	healthy "remove"

	# Install the package without the kernel's headers, and add the headers later.
	mv "/lib/modules/$kernel/build" /root/build
	succeeds "no headers: apt install" apt_get install "$deb"
	matches "no headers: the message says what to do" "*
tcp-connect-logger: the running kernel $kernel has no headers here: install linux-headers-$kernel (on Fedora kernel-devel-$kernel), and DKMS builds the module; then: tcp-connect-logger load" "$output"
	status_is "no headers" 3 "not loaded" "not loaded" "no switch" \
		"not built: the running kernel $kernel has no headers here: install linux-headers-$kernel (on Fedora kernel-devel-$kernel), and DKMS builds the module; then: tcp-connect-logger load"
	nothing_left "no headers"
	healthy "no headers"
	at_boot "no headers"

	mv /root/build "/lib/modules/$kernel/build"
	succeeds "headers added: their hook builds the module" \
		run-parts --arg="$kernel" /etc/kernel/header_postinst.d
	in_dkms "headers added" "$kernel"
	mark
	succeeds "headers added: modprobe succeeds" modprobe tcp_connect_logger
	equals "headers added: the options take effect" \
		"<6>tcp_connect_logger: loaded, logging enabled" "$(log)"
	loaded "headers added"
	curl_logs "headers added, logging is on from the start" 1
	echo 0 >$switch
	works "headers added"

	# The kernel cannot move stall.ko's thread, so the module cannot be unloaded.
	echo 1 >$switch
	insmod /payload/stall.ko
	succeeds "stalled removal: apt does not fail" apt_get remove $package
	matches "stalled removal: the message names the task" "*
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

	succeeds "after a stalled removal: apt install" apt_get install "$deb"
	matches "after a stalled removal: the message says that the module stays" "*
tcp-connect-logger: version $version is loaded already, and is what is installed." "$output"
	loaded "after a stalled removal"
	in_dkms "after a stalled removal" "$kernel"
	healthy "after a stalled removal"
	locked
}

# as_it_was NAME: check that the module has not been unloaded since $since was set, and still logs
as_it_was() {
	loaded "$1"
	equals "$1: the module has not been reloaded" "$since" "$(loaded_since)"
	curl_logs "$1: logging continues" 1
}

# refuses NAME VERB WHY: check that the command refuses, prints the reason WHY, and does not touch
# the module
refuses() {
	exits "$1" 1 tcp-connect-logger "$2"
	equals "$1: the message" "tcp-connect-logger: $3" "$output"
	as_it_was "$1"
}

# locked: set lockdown and modules_disabled, which stay set until the next boot
locked() {
	since=$(loaded_since)
	as_it_was "before lockdown"
	another_version
	echo integrity >/sys/kernel/security/lockdown
	refuses "lockdown: reload" reload "lockdown (integrity) refuses $ko, which is not signed; still loaded, logging is on."
	kept_version
	ko=$(modinfo -n tcp_connect_logger)
	exits "lockdown: reload of what is loaded" 0 tcp-connect-logger reload
	LC_ALL=C sed -i "s/\([^a-z]version=\)$version/\1${version%?}9/" "$ko"
	exits "lockdown: a changed file" 1 tcp-connect-logger reload
	matches "lockdown: a changed file: the message" "tcp-connect-logger: * refuses $ko, *; still loaded, logging is on.*" "$output"
	as_it_was "lockdown: a changed file"

	echo 1 >/proc/sys/kernel/modules_disabled
	why="kernel.modules_disabled is 1: no module can be loaded or removed until the next boot"
	refuses "modules_disabled: reload" reload "$why; still loaded, logging is on."
	refuses "modules_disabled: unload" unload "$why; still loaded, logging is on."
	fails "modules_disabled: modprobe -r" modprobe -r tcp_connect_logger
	as_it_was "modules_disabled: modprobe -r"
	kept_version
	succeeds "modules_disabled: apt does not fail" apt_get remove $package
	matches "modules_disabled: apt: the message states the reason" "*
tcp-connect-logger: $why; still loaded, logging is on.
tcp-connect-logger: the module stays in the running kernel.
*" "$output"
	as_it_was "modules_disabled: apt"
	succeeds "modules_disabled: apt install" apt_get install "$deb"
	as_it_was "modules_disabled: apt install"
}

# third_boot: as with Secure Boot, the kernel accepts only modules signed with an enrolled key
third_boot() {
	nothing_left "key not enrolled"
	curl_logs "key not enrolled" 0
	note "units that fail at such a boot: $(failed_units)"
	exits "key not enrolled: load" 1 tcp-connect-logger load
	refused="tcp-connect-logger: not loaded: signature enforcement (module.sig_enforce) refuses $(modinfo -n tcp_connect_logger)"
	equals "key not enrolled: the message names the key, and says why it cannot be enrolled" \
		"$refused, because the kernel does not know the key \"DKMS module signing key\", which signed it. No key can be enrolled on this machine, because it has not booted with UEFI." "$output"
	mount -t tmpfs tmpfs /sys/firmware
	mkdir /sys/firmware/efi
	exits "key not enrolled, UEFI: load" 1 tcp-connect-logger load
	equals "key not enrolled, UEFI: the message says how to enrol the key" \
		"$refused, because the kernel does not know the key \"DKMS module signing key\", which signed it. Enrol the key with mokutil --import /var/lib/dkms/mok.pub, reboot, and confirm it there." "$output"
	umount /sys/firmware
	another_version
	exits "not signed: load" 1 tcp-connect-logger load
	equals "not signed: the message says so" "$refused, which is not signed." "$output"
	kept_version
	nothing_left "no load has succeeded"

	succeeds "purge: apt" apt_get purge $package $tools
	equals "purge: there is no warning" "" "$(echo "$output" | grep -i -e warning -e error)"
	not_in_dkms "purge"
	equals "purge: DKMS lists no module" "" "$(dkms status tcp-connect-logger)"
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
