# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# For what runs in a chroot with the headers of some kernels: $kernel is the first of them

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

kernel=$1
headers=/usr/src/linux-headers-$kernel
version=$(dpkg-deb -f /payload/*.deb Version)
sources=/usr/src/tcp-connect-logger-$version

# For make
without_btf=CONFIG_DEBUG_INFO_BTF_MODULES=

# one_kernel: only the first remains
one_kernel() {
	find /lib/modules -mindepth 1 -maxdepth 1 ! -name "$kernel" -exec rm -r {} +
}

# common_of HEADERS: where Debian has what the flavours share
common_of() {
	sed -n 's/^include \(.*\)\/Makefile$/\1/p' "$1/Makefile"
}
all_files() {
	find / -xdev \( -path /proc -o -path /payload -o -path /tmp -o -path /var/log -o -path /var/lib/apt -o -path /var/cache \) -prune -o -print |
		grep -v -e '^/var/lib/dkms/mok\.' -e /.rpmdb -e /var/lib/rpm | sort
}

# build ARGUMENT...: compile the sources, as a user's make would, but without BTF: reading the
# kernel's takes longer than compiling the module
build() {
	make -C "$headers" "M=$sources" "TCL_VERSION=$version" $without_btf modules "$@" 2>&1
}

# Its module, however it is compressed
module_of() {
	echo "/lib/modules/$1/updates/dkms"/*
}

# DKMS has had several ways to write it.
dkms_status() {
	dkms status tcp-connect-logger | sed 's!^tcp-connect-logger, !tcp-connect-logger/!' | sort
}

# is_signed NAME FILE: if this DKMS signs
is_signed() {
	signer=
	! grep -q sign_file "$(command -v dkms)" || signer="DKMS module signing key"
	equals "$1: signed with DKMS's key, if it has one" "$signer" "$(modinfo -F signer "$2")"
}

