#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# dracut.sh KERNEL... - dracut keeps the module out of the initramfs, which does not load it when it
# boots; an initramfs that contains it is reported
#
# where: chroot
# on: bookworm
# on-later: trixie forky sid
# payload: deb command tests/chroot/chroot.sh
# arguments: $(built_of "$suite")
# later: the dracut of the other suites

# shellcheck source=tests/chroot/chroot.sh
. /payload/chroot.sh

image=/boot/initrd.img-$kernel

# initramfs NAME: make the initramfs, as the hooks of a kernel do
initramfs() {
	succeeds "$1: dracut succeeds" dracut --quiet --force "$image" "$kernel"
}

# ours_in_initramfs: list the files that would load the module in the initramfs
ours_in_initramfs() {
	lsinitrd "$image" | grep -o -e 'modules-load.d/tcp-connect-logger.*' -e 'tcp-connect-logger[-a-z]*\.ko.*'
}

one_kernel
find /boot -name '*-[0-9]*' ! -name "*-$kernel" -delete
rm -f "$headers/vmlinux"	# no BTF, see $without_btf
command_alone
succeeds "apt installs dracut and systemd" apt_get install /payload/dracut/*.deb
succeeds "apt install succeeds" apt_get install /payload/*.deb
fails "the message mentions no initramfs" expr "$output" : '.*initrd'
initramfs "package"
equals "package: the initramfs has systemd" 1 "$(lsinitrd "$image" | grep -c '/systemd-modules-load$')"
equals "package: the initramfs has nothing of the package" "" "$(ours_in_initramfs)"
cp "$image" /tmp/initrd

# An initramfs that was made before the package had these files
mv /usr/lib/dracut/dracut.conf.d/50-tcp-connect-logger.conf /usr/lib/dracut/modules.d/99tcp-connect-logger /tmp
initramfs "without the files for dracut"
equals "without the files for dracut: the initramfs loads the module" \
	"modules-load.d/tcp-connect-logger.conf tcp-connect-logger-event.ko tcp-connect-logger.ko" \
	"$(ours_in_initramfs | sed 's/\.ko\..*/.ko/' | LC_ALL=C sort | xargs)"
cp "$image" /tmp/initrd-without
mv /tmp/50-tcp-connect-logger.conf /usr/lib/dracut/dracut.conf.d
mv /tmp/99tcp-connect-logger /usr/lib/dracut/modules.d
for step in "install --reinstall /payload/tcp-connect-logger-dkms_*.deb" "purge tcp-connect-logger-dkms"; do
	# shellcheck disable=SC2086 # words
	succeeds "apt ${step%% *} succeeds" apt_get $step
	matches "apt ${step%% *}: the message says what to do" "*
tcp-connect-logger: $image contains the module and loads it at boot: run dracut --force $image $kernel
*" "$output
"
done
succeeds "the command in the message succeeds" dracut --quiet --force "$image" "$kernel"
equals "after the command: the initramfs has nothing of the package" "" "$(ours_in_initramfs)"
# Now dracut.host boots both.
mv /tmp/initrd /tmp/initrd-without /payload
