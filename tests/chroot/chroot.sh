# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# For tests in a chroot with the headers of some kernels; $kernel is the first one

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

kernel=$1
headers=/usr/src/linux-headers-$kernel
version=$(dpkg-deb -f /payload/*.deb Version)
sources=/usr/src/tcp-connect-logger-$version

# For make: build without BTF
without_btf=CONFIG_DEBUG_INFO_BTF_MODULES=

# command_alone: install the command as a package that needs no other: its libraries, which it loads
# when it uses them, are not here, and in a chroot it refuses before that
command_alone() {
	dpkg-deb -R /payload/command/*.deb /tmp/command
	rm -f /tmp/command/DEBIAN/p*
	sed -i '/^\(Depends\|Breaks\|Replaces\|Recommends\):/d; s/^Version:.*/Version: 999/' \
		/tmp/command/DEBIAN/control
	dpkg-deb -b /tmp/command /tmp/command.deb >/dev/null
	dpkg -i /tmp/command.deb >/dev/null || exit
	rm -r /tmp/command /tmp/command.deb
}

# one_kernel: remove all kernels except the first
one_kernel() {
	find /lib/modules -mindepth 1 -maxdepth 1 ! -name "$kernel" -exec rm -r {} +
}

# common_of HEADERS: the directory of what Debian's flavours share
common_of() {
	sed -n 's/^include \(.*\)\/Makefile$/\1/p' "$1/Makefile"
}
all_files() {
	find / -xdev \( -path /proc -o -path /payload -o -path /tmp -o -path /var/log -o -path /var/lib/apt -o -path /var/cache \) -prune -o -print |
		grep -v -e '^/var/lib/dkms/mok\.' -e /.rpmdb -e /var/lib/rpm | sort
}

# build ARGUMENT...: compile the sources as a user's make would, but without BTF, because reading
# the kernel's BTF takes longer than compiling the module
build() {
	make -C "$headers" "M=$sources" "TCL_VERSION=$version" $without_btf modules "$@" 2>&1
}

# module_of KERNEL: the module, compressed or not
module_of() {
	echo "/lib/modules/$1/updates/dkms"/*
}

# The output format of "dkms status" has changed several times.
dkms_status() {
	dkms status tcp-connect-logger | sed 's!^tcp-connect-logger, !tcp-connect-logger/!' | sort
}

# is_signed NAME FILE: signed, if this DKMS signs modules
is_signed() {
	signer=
	! grep -q sign_file "$(command -v dkms)" || signer="DKMS module signing key"
	equals "$1: signed with DKMS's key, if it has one" "$signer" "$(modinfo -F signer "$2")"
}

