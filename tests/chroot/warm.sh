#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# warm.sh - store in /payload/ccache what DKMS will compile in a guest: the other versions in the
# payload for the guest's kernel, and the package for that and for the kernel to come

set -e

# build DEB: build this version for all kernels, so that the compiler's results are in ccache
build() {
	# With dpkg-deb -x, the directory lib of the package would replace the link /lib.
	dpkg-deb --fsys-tarfile "$1" | tar -x -C / ./usr/src
	version=$(dpkg-deb -f "$1" Version)
	for kernel in /lib/modules/*/build; do
		kernel=${kernel%/build}
		dkms build "tcp-connect-logger/${version%-*}" -k "${kernel##*/}" || failed=$1
	done
	dkms remove "tcp-connect-logger/${version%-*}" --all
}

touch /tmp/start
for deb in /payload/versions/*.deb; do
	case $deb in
	*'*'* | *.command.deb) ;;
	*) build "$deb" ;;
	esac
done
[ ! -d /payload/headers ] || dpkg --unpack /payload/headers/*.deb
# Some of the other versions do not build. This one must.
failed=
build /payload/tcp-connect-logger-dkms*.deb
[ -z "$failed" ]

# Copy the files that ccache has written or used; it also touches a file when it uses it.
mkdir /payload/ccache
cd /var/cache/ccache && find . -type f -newer /tmp/start -exec cp --parents -t /payload/ccache {} +
# Without results, the guests work, too, but take much longer.
[ -n "$(find /payload/ccache -name '*R')" ]
