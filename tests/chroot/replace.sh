#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# replace.sh KERNEL... - one version of the .deb replaces another in a chroot: which module is
# installed at the end, and which files are left
#
# where: chroot
# on: bookworm
# on-later: trixie forky sid bullseye
# payload: deb command versions tests/chroot/chroot.sh tests/chroot/versions.sh
# arguments: $(built_of "$suite")
# later: the DKMS of the other suites; `build` installs, rebuilds and removes with each of them

# shellcheck source=tests/chroot/versions.sh
. /payload/versions.sh

one_kernel
command_alone
one_after_another deb /payload/*.deb
succeeds "unpacked: dpkg" dpkg --unpack /payload/versions/99.1.0.deb
equals "unpacked: dkms status" "tcp-connect-logger/$version, $kernel, x86_64: installed" "$(dkms_status)"
# When a new kernel arrives, DKMS still has the source of the old version.
succeeds "unpacked: a new kernel's hook" run-parts --arg="$kernel" /etc/kernel/header_postinst.d
succeeds "unpacked: dpkg --configure" dpkg --configure -a
is "configured" 99.1.0 ""
succeeds "purge: apt" apt_get purge tcp-connect-logger-dkms
leaves_no_file "purge"
echo end
