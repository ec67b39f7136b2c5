#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# warm.sh - fill /payload/ccache with what DKMS will compile in a guest: the packages
# in the payload, for its kernels

export CCACHE_DIR=/payload/ccache

[ ! -d /payload/headers ] || dpkg --unpack /payload/headers/*.deb
for deb in /payload/tcp-connect-logger-dkms*.deb /payload/versions/*.deb; do
	[ -e "$deb" ] || continue
	dpkg-deb -x "$deb" /
	version=$(dpkg-deb -f "$deb" Version)
	for kernel in /lib/modules/*/build; do
		kernel=${kernel%/build}
		dkms build "tcp-connect-logger/${version%-*}" -k "${kernel##*/}"
	done
	dkms remove "tcp-connect-logger/${version%-*}" --all
done
