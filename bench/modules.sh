#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# modules.sh KERNEL - build our module and those it is compared with, in a chroot with this
# kernel's headers

set -e

build() {
	make -C "/usr/src/linux-headers-$kernel" TCL_VERSION=bench modules "$@" >&2
}

kernel=$1
cp -a /payload/src /payload/modules /tmp
build M=/tmp/src
echo "obj-m := empty.o kprobe.o" >>/tmp/modules/Kbuild
build M=/tmp/modules
cp /tmp/src/*.ko /tmp/modules/*.ko /payload
echo end
