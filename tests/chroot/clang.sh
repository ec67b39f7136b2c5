#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# clang.sh KERNEL... - clang compiles the module for a kernel that clang compiled, with link-time
# optimization and with CFI; for arm64 it must refuse
#
# where: chroot
# on-later: trixie
# payload: deb tests/chroot/chroot.sh
# arguments: $(built_of "$suite")
# later: everything: it needs another compiler, and Debian has no such kernel

# shellcheck source=tests/chroot/chroot.sh
. /payload/chroot.sh

# The options of each kind of kernel that are not as in a kernel that gcc compiled
by_clang="CC_IS_GCC=n CC_IS_CLANG=y LD_IS_BFD=n LD_IS_LLD=y CC_HAS_MIN_FUNCTION_ALIGNMENT=n
	FTRACE_MCOUNT_USE_CC=n FTRACE_MCOUNT_USE_OBJTOOL=y GCC_VERSION=0 CLANG_VERSION=190000
	CC_IMPLICIT_FALLTHROUGH=-Wimplicit-fallthrough CC_HAS_NAMED_AS=n USE_X86_SEG_SUPPORT=n"
lto="LTO=y LTO_NONE=n LTO_CLANG=y LTO_CLANG_THIN=y"
cfi="CFI_CLANG=y FINEIBT=y"

# built_by_clang NAME OPTION=VALUE...: build with these options, and check the replacements
built_by_clang() {
	name=$1
	shift
	# shellcheck disable=SC2086 # words
	configure $by_clang "$@"
	# Debian's headers name the compiler that they were made with.
	succeeds "$name: the module builds" build LLVM=1 CC=clang
	equals "$name: no warnings" "" \
		"$(echo "$output" | grep -i warning | grep -v 'the compiler differs')"
	matches "$name: the compiler" "*clang version*" \
		"$(readelf -p .comment "$sources/tcp-connect-logger.ko")"
	for ip in v4 v6; do
		matches "$name: $ip: a static call leads to the original" "[1-9]*" \
			"$(llvm-objdump -dr "$sources/tcp-connect-logger.ko" |
				grep -c "__SCT__tcl_original_$ip")"
	done
	restore
}

# arm64's own headers are not there, but nothing in them is read before the error.
arm64() {
	# shellcheck disable=SC2086 # words
	configure $by_clang X86_64=n
	if output=$(build LLVM=1 CC=clang ARCH=arm64); then
		not_ok "arm64: refused" "the build succeeded"
	else
		equals "arm64: refused, with one error for each file" \
			'"tcp-connect-logger runs on x86_64 only: remove it from this machine"' \
			"$(echo "$output" | sed -n 's/.* error: //p' | sort -u)"
	fi
	restore
}

apt_get install /payload/clang/*.deb >/dev/null 2>&1 || exit
dpkg-deb -x /payload/*.deb /tmp/deb
mv "/tmp/deb$sources" /tmp/sources
sources=/tmp/sources
note "$(clang --version | head -n 1), kernel $kernel"
built_by_clang "clang"
# shellcheck disable=SC2086 # words
built_by_clang "clang with LTO" $lto
# shellcheck disable=SC2086 # words
built_by_clang "clang with CFI" $cfi
arm64
echo end
