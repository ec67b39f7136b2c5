# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# For tests in a chroot with the headers of some kernels. $kernel is the first kernel.

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

kernel=$1
headers=/usr/src/linux-headers-$kernel
version=$(dpkg-deb -f /payload/*.deb Version)
version=${version%-*}	# without the revision of the packaging
sources=/usr/src/tcp-connect-logger-$version

# An argument for make, to build without BTF
without_btf=CONFIG_DEBUG_INFO_BTF_MODULES=

# command_alone: install the command from a package without dependencies. The chroot does not have
# the libraries that the command loads when it uses them, but in a chroot it does not get that far.
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

# common_of HEADERS: print the directory with the headers that all of Debian's flavours share
common_of() {
	sed -n 's/^include \(.*\)\/Makefile$/\1/p' "$1/Makefile"
}

# pretend NAME: make the headers of a kernel that does not exist, in $fake and $fake_common
pretend() {
	fake=/usr/src/linux-headers-$1 fake_common=/usr/src/linux-headers-$1-common
	common=$(common_of "$headers")
	cp -a "$headers" "$fake"
	rm -f "$fake/vmlinux"	# no BTF, see $without_btf
	cp -as "$common" "$fake_common"
	sed -i "s!$headers\$!$fake!; s!$common!$fake_common!" "$fake/Makefile"
	mkdir -p "/lib/modules/$1"
	ln -s "$fake" "/lib/modules/$1/build"
}

# all_files: list all files that a package could leave behind
all_files() {
	find / -xdev \( -path /proc -o -path /payload -o -path /tmp -o -path /var/log -o -path /var/lib/apt -o -path /var/cache \) -prune -o -print |
		grep -v -e '^/var/lib/dkms/mok\.' -e /.rpmdb -e /var/lib/rpm | sort
}

# build ARGUMENT...: compile the sources as a user does with make, but without BTF, because it takes
# longer to read the kernel's BTF than to compile the module
build() {
	make -C "$headers" "M=$sources" "TCL_VERSION=$version" $without_btf modules "$@" 2>&1
}

# configure OPTION=VALUE...: set these options in the headers, until restore; the value is y, m or n
configure() {
	cp -a "$headers/include/config/auto.conf" "$headers/include/generated/autoconf.h" /tmp
	for option in "$@"; do
		value=${option#*=} option=CONFIG_${option%=*}
		sed -i "/^$option=/d" "$headers/include/config/auto.conf"
		sed -i "/^#define $option\(_MODULE\)\? /d" "$headers/include/generated/autoconf.h"
		[ "$value" != n ] || continue
		echo "$option=$value" >>"$headers/include/config/auto.conf"
		[ "$value" != m ] || option=${option}_MODULE
		echo "#define $option 1" >>"$headers/include/generated/autoconf.h"
	done
}

restore() {
	mv /tmp/auto.conf "$headers/include/config"
	mv /tmp/autoconf.h "$headers/include/generated"
	build clean >/dev/null
}

# module_of KERNEL [MODULE]: print the file of the livepatch, or of another module. It may be
# compressed.
module_of() {
	echo "/lib/modules/$1/updates/dkms/${2-tcp-connect-logger}".ko*
}

# dkms_status: print the output of "dkms status" in one format, because the format has changed
# several times
dkms_status() {
	dkms status tcp-connect-logger | sed 's!^tcp-connect-logger, !tcp-connect-logger/!' | sort
}

# is_signed NAME FILE: check that the module is signed, if this version of DKMS signs modules and the
# kernel has the program for it
is_signed() {
	signer=
	built_for=$(modinfo -F vermagic "$2" | cut -d ' ' -f 1)
	if grep -q sign_file "$(command -v dkms)" && [ -e "/lib/modules/$built_for/build/scripts/sign-file" ]; then
		signer="DKMS module signing key"
	fi
	equals "$1: the module is signed with DKMS's key, if DKMS has one" "$signer" \
		"$(modinfo -F signer "$2")"
}
