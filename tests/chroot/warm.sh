#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# warm.sh - store in /payload/ccache what DKMS will compile in a guest, for the packages in the
# payload and the guest's kernels

[ ! -d /payload/headers ] || dpkg --unpack /payload/headers/*.deb
touch /tmp/start
for deb in /payload/tcp-connect-logger-dkms*.deb /payload/versions/*.deb; do
	case $deb in *'*'* | *.command.deb) continue ;; esac
	dpkg-deb -x "$deb" /
	version=$(dpkg-deb -f "$deb" Version)
	for kernel in /lib/modules/*/build; do
		kernel=${kernel%/build}
		dkms build "tcp-connect-logger/${version%-*}" -k "${kernel##*/}"
	done
	dkms remove "tcp-connect-logger/${version%-*}" --all
done

# ccache also touches the files that it hits.
mkdir /payload/ccache
cd /var/cache/ccache && find . -type f -newer /tmp/start -exec cp --parents -t /payload/ccache {} +
