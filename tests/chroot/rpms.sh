#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# rpms.sh KERNEL... - one version of the .rpm replaces another in a chroot: which module is
# installed at the end, and which files are left
#
# where: chroot
# on: bookworm
# on-later: trixie forky sid bullseye
# payload: deb srpm versions tests/chroot/chroot.sh tests/chroot/versions.sh
# arguments: $(built_of "$suite")
# later: other versions of rpm

# shellcheck source=tests/chroot/versions.sh
. /payload/versions.sh

note "$(rpm --version)"
one_kernel
# In distributions that use rpm, other packages own these directories. Here, rpm would leave them.
mkdir -p /usr/lib/modprobe.d /usr/lib/modules-load.d /usr/share/licenses /usr/share/man/man4
succeeds "rpmbuild builds the source package" \
	rpmbuild --rebuild --nodeps --without tools --define "_topdir /tmp/rpm" /payload/*.src.rpm
one_after_another rpm /tmp/rpm/RPMS/noarch/*.rpm
to "rpm: reinstall" "/payload/versions/$version-2.rpm"
is "rpm: reinstall" "$version" ""
succeeds "rpm: erase: rpm succeeds" rpm -e --nodeps tcp-connect-logger-dkms
leaves_no_file "rpm: erase"
echo end
