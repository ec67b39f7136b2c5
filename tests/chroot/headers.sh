#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
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

# doctored NAME FILE COMMAND PATTERN: change FILE with COMMAND, and check that the build fails with
# one error, which matches PATTERN
doctored() {
	cp -a "$2" "$2.rig"
	eval "$3 \$2"
	if cmp -s "$2" "$2.rig"; then
		not_ok "$1" "the command did not change $2"
	elif output=$(build); then
		not_ok "$1" "the build succeeded"
	else
		errors=$(echo "$output" | sed -n 's/.* error: //p')
		equals "$1: the build reports one error" 1 "$(echo "$errors" | wc -l)"
		matches "$1: the error says why" "$4" "$errors"
	fi
	mv "$2.rig" "$2"
}

doctored_headers() {
	autoconf=$headers/include/generated/autoconf.h
	doctored "no CONFIG_LIVEPATCH" "$autoconf" "sed -i '/CONFIG_LIVEPATCH /d'" \
		'#error "tcp-connect-logger needs CONFIG_LIVEPATCH=y: boot a kernel that has it"'
	doctored "another architecture" "$autoconf" "sed -i '/CONFIG_X86_64 /d'" \
		'#error "tcp-connect-logger runs on x86_64 only: remove it from this machine"'
	doctored "no static calls" "$include/linux/static_call.h" rm \
		'#error "tcp-connect-logger needs static calls (Linux 5.10, RHEL 8.5): boot a newer kernel"'

	doctored "IBT, and static calls that are indirect" "$autoconf" \
		"sed -i '/CONFIG_HAVE_STATIC_CALL /d; \$a #define CONFIG_X86_KERNEL_IBT 1'" \
		'#error "tcp-connect-logger needs CONFIG_HAVE_STATIC_CALL=y for IBT: boot a kernel that has it"'
	configure HAVE_STATIC_CALL=n HAVE_STATIC_CALL_INLINE=n X86_KERNEL_IBT=n \
		PREEMPT_DYNAMIC=n HAVE_PREEMPT_DYNAMIC_CALL=n	# needs static calls
	succeeds "the module builds for static calls that are indirect, without IBT" build
	restore

	for change in 's/addr_len/addr_len, int flags/' 's/^int /long /' \
		's/struct sockaddr[_a-z]* /void /' 's/int addr_len/size_t addr_len/'; do
		doctored "a changed prototype, $change" "$include/net/tcp.h" \
			"sed -i '/^int tcp_v4_connect(/$change'" \
			'static assertion failed: "tcp_v4_connect() has a type in this kernel that this version of tcp-connect-logger does not know: look for a newer one"'
	done

	doctored "a changed prototype of tcp_v6_connect()" "$include/net/sock.h" \
		"sed -i '/(\*connect)(struct sock \*sk,/,/;/s/int addr_len/size_t addr_len/'" \
		'static assertion failed: "tcp_v6_connect() has a type in this kernel that this version of tcp-connect-logger does not know: look for a newer one"'

	# The module must build with both types of the address, independent of this kernel's type.
	for type in sockaddr sockaddr_unsized; do
		cp -a "$include/net/tcp.h" "$include/net/sock.h" /tmp
		sed -i "/^int tcp_v4_connect(/s/struct sockaddr[_a-z]* /struct $type /" "$include/net/tcp.h"
		sed -i "/(\*connect)(struct sock \*sk,/,/;/s/struct sockaddr[_a-z]* /struct $type /" "$include/net/sock.h"
		succeeds "the module builds if the address is a struct $type" build
		mv /tmp/tcp.h /tmp/sock.h "$include/net"
		build clean >/dev/null
	done
}

# sets FIELD...: check that the module builds, and that its struct klp_patch sets these fields
sets() {
	succeeds "$test: the module builds" build
	build patch.i >/dev/null
	fields=$(sed -n '/^static struct klp_patch tcl_patch = {/,/^}/p' "$sources/patch.i")
	for field in "$@"; do
		matches "$test: sets $field" "*[[:space:]]$field,*" "$fields"
	done
	equals "$test: obsoletes nothing" "" "$(echo "$fields" | grep obsoletes)"
	mv "/tmp/$(basename "$livepatch")" "$livepatch"
	build clean >/dev/null
}

# change NAME COMMAND...: change livepatch.h with sed commands
change() {
	test=$1
	shift
	cp -a "$livepatch" /tmp
	for command in "$@"; do
		before=$(cat "$livepatch")
		sed -i "$command" "$livepatch"
		fails "$test: each command changes livepatch.h" test "$before" = "$(cat "$livepatch")"
	done
}

# The successors of .replace and of the objects' callbacks, in the livepatching tree
next_livepatch() {
	livepatch=$include/linux/livepatch.h
	patch='/^struct klp_patch {/,/^}/' number="0x1dbdfe0d"
	change "as it is" "\$a /* */"
	sets ".replace = false"
	change "replace_set" "$patch s/bool replace;/u32 replace_set;/"
	sets ".replace_set = $number"
	change "provides and obsoletes" "$patch s/bool replace;/u64 provides; u64 obsoletes;/"
	sets ".provides = $number"
	change "provides, obsoletes and callbacks of states" \
		"$patch s/bool replace;/u32 provides; u32 obsoletes;/" \
		'/^struct klp_object {/,/^}/ s/.*callbacks;//' \
		'/^struct klp_state {/,/^}/ s/void \*data;/struct { int (*pre_patch)(struct klp_patch *, struct klp_state *); void (*post_unpatch)(struct klp_patch *, struct klp_state *); } callbacks;/' \
		's/^struct klp_object {/struct klp_patch;\n&/'
	sets ".provides = $number" ".states = tcl_states"

	for change in 's/bool replace;//' 's/bool replace;/int replace;/' 's/bool replace;/u32 provides;/' \
		's/bool replace;/u32 *provides; u32 *obsoletes;/'; do
		doctored "another way to replace, $change" "$livepatch" "sed -i '$patch $change'" \
			'static assertion failed: "this version of tcp-connect-logger does not know which livepatches struct klp_patch replaces: look for a newer one"'
	done
	doctored "no callbacks" "$livepatch" "sed -i '/^struct klp_object {/,/^}/ s/.*callbacks;//'" \
		'#error "tcp-connect-logger does not know how livepatch calls it back: look for a newer version"'
}

# code_of FUNCTION: print its instructions in the module
code_of() {
	objdump -d --no-show-raw-insn "$sources/tcp-connect-logger.ko" | sed -n "/<$1>:/,/^\$/p"
}

# objects: print the names of the modules that the livepatch patches, besides the kernel itself
objects() {
	readelf -p .rodata.str1.1 "$sources/tcp-connect-logger.ko" | sed -n 's/.* \(ipv6\)$/\1/p'
}

# other_configurations: build for kernels that are not booted every day. objtool warns if it cannot
# follow the stack.
other_configurations() {
	configure UNWINDER_ORC=n UNWINDER_FRAME_POINTER=y FRAME_POINTER=y STACK_VALIDATION=y
	succeeds "frame pointers: the module builds" build
	equals "frame pointers: no warnings" "" "$(echo "$output" | grep -i warning)"
	equals "frame pointers: the replacements have one" "2 2" "$(for ip in v4 v6; do
		code_of tcl_tcp_${ip}_connect | grep -c -E 'push +%rbp|mov +%rsp,%rbp'; done | xargs)"
	restore

	succeeds "IPv6 in the kernel: the module builds" build
	equals "IPv6 in the kernel: it patches no module" "" "$(objects)"
	build clean >/dev/null
	configure IPV6=m
	succeeds "IPv6 as a module: the module builds" build
	equals "IPv6 as a module: no warnings" "" "$(echo "$output" | grep -i warning)"
	equals "IPv6 as a module: it patches that module" ipv6 "$(objects)"
	restore
}

# other_numbers: check that nothing depends on the kernel's version number, because RHEL's kernels
# have an old number and many newer features
other_numbers() {
	file=$headers/include/generated/uapi/linux/version.h
	succeeds "the module builds with the kernel's own version number" build
	cp "$sources/tcp-connect-logger.ko" "$file" /tmp
	for number in 4.18.0 5.14.0; do
		build clean >/dev/null
		echo "$number" | tr . ' ' | {
			read -r major patchlevel sublevel
			sed -i -e "/LINUX_VERSION_CODE/s/[0-9]*\$/$((major * 65536 + patchlevel * 256 + sublevel))/" \
				-e "/VERSION_MAJOR/s/[0-9]*\$/$major/; /PATCHLEVEL/s/[0-9]*\$/$patchlevel/" \
				-e "/SUBLEVEL/s/[0-9]*\$/$sublevel/" "$file"
		}
		fails "$number: the headers have another number" cmp -s "$file" /tmp/version.h
		succeeds "$number: the module builds" build
		succeeds "$number: the module is identical" \
			cmp "$sources/tcp-connect-logger.ko" /tmp/tcp-connect-logger.ko
		cp /tmp/version.h "$file"
	done
	build clean >/dev/null
}

# made_by NAME ARGUMENT...: check that the tree's Makefile builds the module for this kernel
made_by() {
	name=$1
	shift
	succeeds "$name: it builds the module" make -C /tmp/tree "$@"
	matches "$name: the module is for this kernel" "$kernel *" "$(modinfo -F vermagic /tmp/tree/src/tcp-connect-logger.ko)"
	equals "$name: the module has the package's version" "$version" "$(modinfo -F version /tmp/tree/src/tcp-connect-logger.ko)"
	succeeds "$name: make clean succeeds" make -C /tmp/tree "$@" clean
	equals "$name: make clean leaves no file" "" "$(diff -r /tmp/clean /tmp/tree/src)"
}

by_hand() {
	mkdir /tmp/tree
	cp -a /payload/Makefile /payload/debian /payload/src /tmp/tree
	make -C /tmp/tree "KVER=$kernel" clean >/dev/null
	cp -a /tmp/tree/src /tmp/clean
	fails "make without headers fails" make -C /tmp/tree KVER=none
	matches "make without headers: the message says what to do" "*no kernel headers in /lib/modules/none/build: install them, or name others with KVER= or KDIR=*" "$output"
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
next_livepatch
other_configurations
other_numbers
echo end
