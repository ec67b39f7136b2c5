#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# build.sh KERNEL - the package in a chroot, and what the compiler is to refuse
#
# Leaves the modules that DKMS and the compiler made in /payload.

# shellcheck source=tests/lib.sh
. /payload/lib.sh

kernel=$1
headers=/usr/src/linux-headers-$kernel
version=$(dpkg-deb -f /payload/*.deb Version)
sources=/usr/src/tcp-connect-logger-$version

# Where Debian has what the flavours share.
include=$(sed -n 's/^include \(.*\)\/Makefile$/\1/p' "$headers/Makefile")/include

all_files() {
	find / -xdev \( -path /proc -o -path /payload -o -path /tmp -o -path /var/log -o -path /var/lib/apt -o -path /var/cache \) -prune -o -print |
		grep -v -e '^/var/lib/dkms/mok\.' | sort
}

# build ARGUMENT...: compile the sources, as a user's make would
build() {
	make -C "$headers" "M=$sources" "TCL_VERSION=$version" modules "$@" 2>&1
}

# doctored NAME FILE COMMAND PATTERN: after COMMAND FILE the build stops with one
# error
doctored() {
	cp -a "$2" "$2.rig"
	eval "$3 \$2"
	if cmp -s "$2" "$2.rig"; then
		echo "not ok $1: nothing to doctor in $2"
	elif output=$(build); then
		echo "not ok $1: it was built"
	else
		errors=$(echo "$output" | sed -n 's/.* error: //p')
		equals "$1: one error" 1 "$(echo "$errors" | wc -l)"
		matches "$1: the sentence" "$4" "$errors"
	fi
	mv "$2.rig" "$2"
}

# pretend_kernel NAME: headers of our own for a kernel that is not there
pretend_kernel() {
	mkdir -p "/lib/modules/$1"
	cp -a "$headers" "/lib/modules/$1/build"
}

package() {
	pretend_kernel 6.1.0-without-livepatch
	for config in .config include/config/auto.conf; do
		sed -i '/^CONFIG_LIVEPATCH=/d' /lib/modules/6.1.0-without-livepatch/build/$config
	done
	pretend_kernel 5.4.0-old
	pretend_kernel 6.0.0-broken
	printf 'all modules:\n\tfalse\n' >/lib/modules/6.0.0-broken/build/Makefile
	mkdir -p /lib/modules/6.1.1-without-headers

	all_files >/tmp/before
	succeeds "chroot: apt install" apt_get install /payload/*.deb
	matches "chroot: says that it does not load" "*
tcp-connect-logger: not loading in a chroot or a container.*" "$output"
	for other in 6.1.0-without-livepatch 5.4.0-old; do
		matches "chroot: skips $other" "*tcp-connect-logger: kernel $other is not one that can be patched: skipped.*" "$output"
	done
	matches "chroot: says that the build for 6.0.0-broken failed" \
		"*tcp-connect-logger: the module could not be built for kernel 6.0.0-broken, see*" "$output"
	equals "chroot: built and installed for the kernel that can be had, and no other" \
		"tcp-connect-logger/$version, $kernel, x86_64: installed" "$(dkms status tcp-connect-logger)"
	ko=$(modinfo -k "$kernel" -n tcp_connect_logger) || exit
	matches "chroot: signed with DKMS's key" "DKMS module signing key" "$(modinfo -F signer "$ko")"
	equals "module: name" tcp_connect_logger "$(modinfo -F name "$ko")"
	equals "module: version" "$version" "$(modinfo -F version "$ko")"
	equals "module: license" GPL "$(modinfo -F license "$ko")"
	equals "module: livepatch" Y "$(modinfo -F livepatch "$ko")"
	matches "module: description" "?*" "$(modinfo -F description "$ko")"
	matches "module: author" "?*" "$(modinfo -F author "$ko")"
	matches "module: parameter" "enabled:*(0 or 1)" "$(modinfo -F parm "$ko")"
	case $ko in
	*.xz) xz -dc "$ko" ;;
	*) cat "$ko" ;;
	esac >/payload/tcp-connect-logger.ko
	cp -a "$sources" /tmp/sources

	succeeds "chroot: apt purge" apt_get purge tcp-connect-logger-dkms
	equals "chroot: purge leaves no file" "" "$(all_files | diff /tmp/before - | grep '^[<>]')"
	sources=/tmp/sources
}

# The replacement in the module that DKMS built: how it gets to the original.
disassembly() {
	code=$(objdump -dr --no-show-raw-insn -j .text "$ko")
	wrapper=$(echo "$code" | sed -n '/<tcl_tcp_v4_connect>:/,/^$/p')

	equals "code: no indirect branch, no retpoline" "" \
		"$(objdump -dr --no-show-raw-insn "$ko" | grep -E '(jmp|call) +\*|__x86_indirect|__x86_return.*\*')"
	matches "code: the way to the original is a direct jump" "[1-9]*" \
		"$(echo "$wrapper" | grep -A 1 -E '\sjmp\s' | grep -c '__SCT__tcl_original')"
	equals "code: and no call, which would stay on the stack" 0 \
		"$(echo "$wrapper" | grep -B 1 '__SCT__tcl_original' | grep -c -E '\scall\s')"
	equals "code: patched by the kernel as a static call" 1 \
		"$(readelf -SW "$ko" | grep -c ' \.static_call_sites ')"
	equals "code: one flag test" 1 "$(echo "$wrapper" | grep -c -E '\s(test|cmp)[bl]?\s')"
	equals "code: one call, for the record" 1 \
		"$(echo "$wrapper" | grep -E '\scall\s' | grep -c '<tcl_log>')"
	equals "code: no part of the replacement is elsewhere" "" \
		"$(nm "$ko" | grep 'tcl_tcp_v4_connect\.')"
}

compiler() {
	# W=1 is for the module alone; its warnings and sparse's name its files.
	succeeds "compiler: W=1 and sparse" build W=1 C=2 CF=-D__CHECK_ENDIAN__
	equals "compiler: no warning of W=1 and sparse" "" "$(echo "$output" | grep -E 'warning:|error:')"
	build clean >/dev/null

	autoconf=$headers/include/generated/autoconf.h
	doctored "no CONFIG_LIVEPATCH" "$autoconf" "sed -i '/CONFIG_LIVEPATCH /d'" \
		'#error "tcp-connect-logger needs CONFIG_LIVEPATCH=y: boot a kernel that has it"'
	doctored "another architecture" "$autoconf" "sed -i '/CONFIG_X86_64 /d'" \
		'#error "tcp-connect-logger runs on x86_64 only: remove it from this machine"'
	doctored "a kernel before 5.10" "$include/linux/static_call.h" rm \
		'#error "tcp-connect-logger needs Linux 5.10 or later: boot a newer kernel"'

	for change in 's/addr_len/addr_len, int flags/' 's/^int /long /' \
		's/struct sockaddr[_a-z]* /void /' 's/int addr_len/size_t addr_len/'; do
		doctored "a changed prototype, $change" "$include/net/tcp.h" \
			"sed -i '/^int tcp_v4_connect(/$change'" \
			'static assertion failed: "tcp_v4_connect() has a type in this kernel that this version of tcp-connect-logger does not know: look for a newer one"'
	done

	# Both spellings of the address's type build, whichever this kernel has.
	for type in sockaddr sockaddr_unsized; do
		cp -a "$include/net/tcp.h" /tmp
		sed -i "/^int tcp_v4_connect(/s/struct sockaddr[_a-z]* /struct $type /" "$include/net/tcp.h"
		succeeds "the address is a struct $type" build
		mv /tmp/tcp.h "$include/net"
		build clean >/dev/null
	done
}

# made_by NAME ARGUMENT...: the tree's own make builds it for this kernel
made_by() {
	name=$1
	shift
	succeeds "$name: builds" make -C /tmp/tree "$@"
	matches "$name: for this kernel" "$kernel *" "$(modinfo -F vermagic /tmp/tree/src/tcp-connect-logger.ko)"
	equals "$name: has the package's version" "$version" "$(modinfo -F version /tmp/tree/src/tcp-connect-logger.ko)"
	succeeds "$name: cleans" make -C /tmp/tree "$@" clean
	equals "$name: leaves nothing" "" "$(diff -r /tmp/clean /tmp/tree/src)"
}

by_hand() {
	mkdir /tmp/tree
	cp -a /payload/Makefile /payload/debian /payload/src /tmp/tree
	make -C /tmp/tree "KVER=$kernel" clean >/dev/null
	cp -a /tmp/tree/src /tmp/clean
	fails "make without headers" make -C /tmp/tree KVER=none
	matches "make without headers: says what to do" "*no kernel headers in /lib/modules/none/build: install them, or name others with KVER= or KDIR=*" "$output"
	made_by "make KVER=" "KVER=$kernel"
	made_by "make KDIR=" "KDIR=$headers"
	mkdir -p "/lib/modules/$(uname -r)"
	ln -sfn "$headers" "/lib/modules/$(uname -r)/build"
	made_by "plain make"
}

neighbours() {
	cp -a /payload/modules /payload/src /tmp
	succeeds "the neighbours are built" make -C "$headers" M=/tmp/modules modules
	cp /tmp/modules/*.ko /payload
}

note "kernel $kernel, DKMS $(dpkg-query -Wf '${Version}' dkms), $(gcc --version | head -n 1)"
package
ko=/payload/tcp-connect-logger.ko
disassembly
by_hand
neighbours
compiler
echo end
