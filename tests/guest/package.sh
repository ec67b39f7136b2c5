#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# package.sh - the life of the package in a guest with systemd, over two reboots

# shellcheck source=tests/guest/system.sh
. /payload/system.sh

conffile=/etc/modprobe.d/tcp-connect-logger.conf

permissions() {
	useradd -G adm alice
	for by in root alice nobody; do
		uid=$(id -u $by)
		case $by in nobody) gid=nogroup ;; *) gid=$by ;; esac
		equals "permissions: $by reads" 0 \
			"$(setpriv --reuid "$uid" --regid $gid --init-groups cat $switch)"
		for value in 1 0; do
			set -- setpriv --reuid "$uid" --regid $gid --init-groups sh -c "echo $value >$switch"
			if [ $by = nobody ]; then
				fails "permissions: $by cannot write $value" "$@"
				equals "permissions: $by changed nothing" 0 "$(cat $switch)"
			else
				succeeds "permissions: $by writes $value" "$@"
				equals "permissions: $by's $value is there" $value "$(cat $switch)"
			fi
		done
	done
}

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

# repository [OPTION]: apt is told of ours
repository() {
	echo "deb ${1-} file:/payload/apt ./" >/etc/apt/sources.list.d/rig.list
	apt_get update -o Dir::Etc::SourceList=sources.list.d/rig.list -o Dir::Etc::SourceParts=-
}

first_boot() {
	equals "before: no file" "" "$(files_of_ours)"
	nothing_left "before"
	curl_logs "before" 0
	fails "before: apt does not know it" apt_get install $tools
	fails "repository, its key is not known: apt update" repository
	fails "repository, its key is not known: apt does not know it" apt_get install $tools
	succeeds "repository: apt update" repository "[signed-by=/payload/apt/tcp-connect-logger.asc]"

	mark
	succeeds "install: apt, by name, what needs it" apt_get install $tools
	matches "install: says what is running and what to do" "*
tcp-connect-logger: loaded, logging is off. To switch: tcp-connect-logger enable, or disable; to see the connections: tcp-connect-logger follow
*" "$output"
	equals "install: the line" "<6>tcp_connect_logger: loaded, logging disabled" "$(log)"
	in_dkms "install" "$kernel"
	equals "install: signed with DKMS's key" "DKMS module signing key" "$(modinfo -F signer tcp_connect_logger)"
	loaded "install"
	works "install"
	permissions
	healthy "install"
}

# This kernel has no trace event: top counts what is logged. More is in tools.sh.
watched() {
	echo 1 >$switch
	tcp-connect-logger follow >/tmp/followed &
	follower=$!
	succeeds "follow: starts" wait_until 20 waits $follower
	tcp-connect-logger top --interval 1 >/tmp/counted &
	counter=$!
	succeeds "top: starts" wait_until 20 waits $counter
	curl_logs "watched" 1
	echo 0 >$switch
	succeeds "top: counts" wait_until 20 grep -q '^connections 1,' /tmp/counted
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

	# A kernel without its headers, and then with them.
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

	# Nobody can make stall.ko's thread let go: a removal that cannot finish.
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

# Booted as with Secure Boot: only modules that are signed with an enrolled key.
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
	equals "purge: no file is left" "" "$(files_of_ours)"
	equals "purge: dpkg has nothing to do" "" "$(dpkg --audit)"
}

case $stage in
first)
	first_boot
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
