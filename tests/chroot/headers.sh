#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# headers.sh KERNEL... - headers that the module must refuse, headers that must not change it, and
# a build by hand
#
# where: chroot
# on: bookworm
# on-later: trixie forky sid bullseye
# payload: deb tests/chroot/chroot.sh Makefile debian src
# arguments: $(built_of "$suite")
# later: the headers of the other suites: the changes made to them would be the same

# shellcheck source=tests/chroot/chroot.sh
. /payload/chroot.sh

include=$(common_of "$headers")/include

# doctored NAME FILE COMMAND PATTERN: after COMMAND has changed FILE, the build fails with one
# error
doctored() {
	cp -a "$2" "$2.rig"
	eval "$3 \$2"
	if cmp -s "$2" "$2.rig"; then
		not_ok "$1" "nothing to doctor in $2"
	elif output=$(build); then
		not_ok "$1" "it was built"
	else
		errors=$(echo "$output" | sed -n 's/.* error: //p')
		equals "$1: one error" 1 "$(echo "$errors" | wc -l)"
		matches "$1: the sentence" "$4" "$errors"
	fi
	mv "$2.rig" "$2"
}

doctored_headers() {
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

	doctored "a changed prototype of tcp_v6_connect()" "$include/net/sock.h" \
		"sed -i '/(\*connect)(struct sock \*sk,/,/;/s/int addr_len/size_t addr_len/'" \
		'static assertion failed: "tcp_v6_connect() has a type in this kernel that this version of tcp-connect-logger does not know: look for a newer one"'

	# Both spellings of the address's type must build, whichever one this kernel has.
	for type in sockaddr sockaddr_unsized; do
		cp -a "$include/net/tcp.h" "$include/net/sock.h" /tmp
		sed -i "/^int tcp_v4_connect(/s/struct sockaddr[_a-z]* /struct $type /" "$include/net/tcp.h"
		sed -i "/(\*connect)(struct sock \*sk,/,/;/s/struct sockaddr[_a-z]* /struct $type /" "$include/net/sock.h"
		succeeds "the address is a struct $type" build
		mv /tmp/tcp.h /tmp/sock.h "$include/net"
		build clean >/dev/null
	done
}

# RHEL's kernels have an old version number and many newer features. So nothing may depend on
# the number.
other_numbers() {
	file=$headers/include/generated/uapi/linux/version.h
	succeeds "the kernel's own number: it is built" build
	cp "$sources/tcp-connect-logger.ko" "$file" /tmp
	for number in 4.18.0 5.14.0; do
		build clean >/dev/null
		echo "$number" | tr . ' ' | {
			read -r major patchlevel sublevel
			sed -i -e "/LINUX_VERSION_CODE/s/[0-9]*\$/$((major * 65536 + patchlevel * 256 + sublevel))/" \
				-e "/VERSION_MAJOR/s/[0-9]*\$/$major/; /PATCHLEVEL/s/[0-9]*\$/$patchlevel/" \
				-e "/SUBLEVEL/s/[0-9]*\$/$sublevel/" "$file"
		}
		fails "$number: that is another" cmp -s "$file" /tmp/version.h
		succeeds "$number: it is built" build
		succeeds "$number: it is the same to the bit" cmp "$sources/tcp-connect-logger.ko" /tmp/tcp-connect-logger.ko
		cp /tmp/version.h "$file"
	done
	build clean >/dev/null
}

# made_by NAME ARGUMENT...: the tree's Makefile builds the module for this kernel
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

dpkg-deb -x /payload/*.deb /tmp/deb
mv "/tmp/deb$sources" /tmp/sources
sources=/tmp/sources
by_hand
doctored_headers
other_numbers
echo end
