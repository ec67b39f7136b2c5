#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# upgrade.sh KERNEL apart|together - the package keeps working when KERNEL is installed and the old
# one is removed, in a guest with systemd, with one reboot
#
# KERNEL's packages are in /payload/image and /payload/headers. They are installed together, or
# apart: the headers last, with a power cut.
#
# where: systemd
# on: bookworm
# on-later: trixie
# from: saved install
# payload: deb module warm tests/guest/system.sh
# arguments: "$next" "$how"
# later: Debian 13, where image and headers are installed together

# shellcheck source=tests/guest/system.sh
. /payload/system.sh

next=$1 how=$2

# A kernel for which the livepatch does not compile, tested as far as a boot can show.
unsupported() {
	unload tcp_connect_logger
	ko=$(modinfo -n tcp_connect_logger)
	cp "$ko" /root/ko
	case $ko in
	*.xz) xz --check=crc32 -c /payload/unsupported.ko >"$ko" ;; # the only check that the kernel knows
	*) cp /payload/unsupported.ko "$ko" ;;
	esac
	at_boot "unsupported"
	nothing_left "unsupported"
	exits "unsupported: load" 1 tcp-connect-logger load
	why="Not the livepatch, which does not compile for this kernel: refuses to load"
	equals "unsupported: says why not" "tcp-connect-logger: $why" "$output"
	status_is "unsupported" 3 "not loaded" "not loaded" "no switch" "not built: $why"
	curl_logs "unsupported" 0
	mv /root/ko "$ko"
	at_boot "supported again"
	loaded "supported again"
}

# undisturbed NAME: the running module, while kernels are installed and removed
undisturbed() {
	loaded "$1"
	equals "$1: it has not been reloaded" "$since" "$(loaded_since)"
	works "$1"
	healthy "$1"
}

first_boot() {
	loaded "before"
	unsupported
	since=$(loaded_since)

	# With all modules, an initramfs would take minutes in an emulated machine.
	echo MODULES=dep >/etc/initramfs-tools/conf.d/rig
	fails "before $next: it is not there" test -e "/boot/vmlinuz-$next"
	if [ "$how" = apart ]; then
		succeeds "kernel without headers: apt install" apt_get install /payload/image/*.deb
		note "$(echo "$output" | grep -i -e dkms -e headers | tail -n 3 | tr '\n' ' ')"
		in_dkms "kernel without headers" "$kernel"
		undisturbed "kernel without headers"
		power_cut cut build apt-get -y -o Dpkg::Use-Pty=0 install /payload/headers/*.deb
	else
		succeeds "kernel with headers: apt install" \
			apt_get install /payload/image/*.deb /payload/headers/*.deb
		upgraded
	fi
}

# The power fails while DKMS builds for the new kernel
cut_boot() {
	loaded "cut as headers come"
	works "cut as headers come"
	equals "cut as headers come: no unit has failed" "" "$(failed_units)"
	matches "cut as headers come: dpkg --audit lists them" "*linux-headers-$next*" "$(dpkg --audit)"
	succeeds "cut as headers come: dpkg --configure -a" dpkg --configure -a
	since=$(loaded_since)
	upgraded
}

upgraded() {
	in_dkms "upgrade" "$kernel" "$next"
	equals "upgrade: initramfs-tools leaves the module out of the initramfs" "" \
		"$(lsinitramfs "/boot/initrd.img-$next" | grep 'tcp-connect-logger\.ko')"
	equals "upgrade: signed with DKMS's key" "DKMS module signing key" \
		"$(modinfo -k "$next" -F signer tcp_connect_logger)"
	undisturbed "upgrade"

	echo "$kernel" >/root/old
	echo "kernel $next"
	reboot_into second
}

second_boot() {
	equals "new kernel: it runs" "$next" "$kernel"
	loaded "new kernel"
	equals "new kernel: logging is off" 0 "$(cat $switch)"
	works "new kernel"
	healthy "new kernel"

	since=$(loaded_since)
	old=$(cat /root/old)
	succeeds "old kernel removed: apt purge" apt_get purge "linux-image-$old" "linux-headers-$old"
	in_dkms "old kernel removed" "$kernel"
	fails "old kernel removed: so is its module" modinfo -k "$old" tcp_connect_logger
	undisturbed "old kernel removed"

	succeeds "purge: apt" apt_get purge $package $tools
	nothing_left "purge"
	not_in_dkms "purge"
	equals "purge: no file is left" "" "$(files_of_ours)"
	curl_logs "purge" 0
	healthy "purge"
}

case $stage in
first)
	first_boot
	;;
cut)
	cut_boot
	;;
second)
	second_boot
	echo end
	;;
esac
