#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
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
succeeds "unpacked: dpkg succeeds" dpkg --unpack /payload/versions/99.1.0.deb
equals "unpacked: dkms status" "tcp-connect-logger/$version, $kernel, x86_64: installed" "$(dkms_status)"
# If a new kernel is installed now, DKMS still has the source of the old version.
succeeds "unpacked: the hook of a new kernel succeeds" run-parts --arg="$kernel" /etc/kernel/header_postinst.d
succeeds "unpacked: dpkg --configure -a succeeds" dpkg --configure -a
is "configured" 99.1.0 ""
succeeds "purge: apt succeeds" apt_get purge tcp-connect-logger-dkms
leaves_no_file "purge"
echo end
