#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# build.sh PRETEND NEIGHBOURS KERNEL... - install the package in a chroot for all kernels of a
# suite; on the first kernel, check the compiler's warnings
#
# The test leaves the module for each kernel in /payload/KERNEL, for the guests. NEIGHBOURS are the
# kernels whose guests also load other modules. If PRETEND is not empty, the test also makes headers
# of kernels that do not exist: some of these kernels cannot be patched, and others have no headers.
#
# where: chroot
# on: every suite
# payload: deb command tests/chroot/chroot.sh src tests/modules linux/samples/livepatch/livepatch-sample.c
# arguments: "'$(has_other_dkms "$suite")'" "'$(neighbours_for "$suite")'" $(built_of "$suite")

pretend=$1 neighbours_for=$2
shift 2
# shellcheck source=tests/chroot/chroot.sh
. /payload/chroot.sh

# Kernels that cannot be patched, each for a different reason: NAME REASON
unsupported="
6.99.1-without-livepatch tcp-connect-logger needs CONFIG_LIVEPATCH=y: boot a kernel that has it
6.99.2-changed tcp_v4_connect() has a type in this kernel that this version of tcp-connect-logger does not know: look for a newer one"

pretend_kernels() {
	pretend 6.99.1-without-livepatch
	sed -i '/CONFIG_LIVEPATCH[ =]/d' "$fake/.config" "$fake/include/config/auto.conf" \
		"$fake/include/generated/autoconf.h"
	pretend 6.99.2-changed
	sed -i '/^int tcp_v4_connect(/s/addr_len/addr_len, int flags/' "$fake_common/include/net/tcp.h"
	pretend 6.99.3-broken
	printf 'all modules:\n\tfalse\n' >"$fake/Makefile"
	mkdir -p /lib/modules/6.99.4-without-headers
}

# for_unsupported COMMAND: run the command with the name and the reason of each unsupported kernel
for_unsupported() {
	echo "$unsupported" | while read -r name reason; do
		[ -z "$name" ] || "$1" "$name" "$reason"
	done
}

# says_why NAME REASON: check that $output has the reason
says_why() {
	matches "$1: the message says why, and what to do" "*
tcp-connect-logger: kernel $1 cannot be patched, and its module refuses to load: $2
*" "$output"
}

# refuses NAME: check that the module for this kernel is the one that refuses to load
refuses() {
	equals "$1: its module is no livepatch" "" "$(modinfo -F livepatch "$(module_of "$1")")"
	for module in tcp-connect-logger tcp-connect-logger-event; do
		matches "$1: the description of $module says so" "Not the livepatch,*" \
			"$(modinfo -F description "$(module_of "$1" $module)")"
	done
}

# hooks NAME REASON: run the hooks that run when the headers and the kernel are installed. DKMS's
# hooks build the module. If a hook fails, apt fails.
hooks() {
	dkms remove -m tcp-connect-logger -v "$version" -k "$1" >/dev/null 2>&1
	fails "$1: the module has been removed" test -e "$(module_of "$1")"
	succeeds "$1: the headers' hook succeeds" run-parts --arg="$1" /etc/kernel/header_postinst.d
	says_why "$@"
	refuses "$@"
	succeeds "$1: the kernel's hook succeeds" /etc/kernel/postinst.d/dkms "$1"
}

# package KERNEL...: install the package for these kernels, check what is built, and purge it
package() {
	for dir in /lib/modules/*; do
		case " $* " in
		*" ${dir##*/} "*) ;;
		*) rm -r "$dir" ;;	# not requested, but part of the root
		esac
	done
	command_alone
	all_files >/tmp/before
	if [ -n "$pretend" ]; then pretend_kernels; else unsupported=; fi
	succeeds "chroot: apt install" apt_get install /payload/*.deb
	# bullseye's C library is older than this machine's.
	if tcp-connect-logger --version >/dev/null 2>&1; then
		matches "chroot: the message says that the command cannot load here" "*
tcp-connect-logger: cannot load from a chroot or a container.*" "$output"
	else
		skip "chroot: the message says that the command cannot load here" \
			"the command was built for a newer suite"
	fi
	[ -z "$pretend" ] || matches "chroot: the message says that nothing was built for 6.99.3-broken" \
		"*tcp-connect-logger: nothing could be built for kernel 6.99.3-broken, see*" "$output"
	for_unsupported says_why
	for_unsupported refuses
	equals "chroot: the module is installed for every kernel with working headers" "$(
		{
			printf '%s\n' "$@"
			echo "$unsupported" | sed -n 's/ .*//p'
		} | sed "s!.*!tcp-connect-logger/$version, &, x86_64: installed!" | sort
	)" "$(dkms_status)"
	for kernel in "$@"; do
		module
	done
	kernel=$1
	before=$(dkms_status)
	[ -z "$unsupported" ] || echo "$unsupported" | tail -n 1 | while read -r name reason; do
		hooks "$name" "$reason"
	done
	equals "chroot: the other kernels keep their modules" "$before" "$(dkms_status)"
	cp -a "$sources" /tmp/sources

	succeeds "chroot: apt purge" apt_get purge tcp-connect-logger-dkms
	rm -rf /usr/src/linux-headers-6.99.* /lib/modules/6.99.*
	equals "chroot: purge leaves no file" "" "$(all_files | diff /tmp/before - | grep '^[<>]')"
	sources=/tmp/sources
}

# module: check what DKMS built for $kernel
module() {
	mkdir "/payload/$kernel"
	file=$(modinfo -k "$kernel" -n tcp_connect_logger) || exit
	is_signed "$kernel" "$file"
	equals "$kernel: name" tcp_connect_logger "$(modinfo -F name "$file")"
	equals "$kernel: version" "$version" "$(modinfo -F version "$file")"
	equals "$kernel: license" GPL "$(modinfo -F license "$file")"
	equals "$kernel: livepatch" Y "$(modinfo -F livepatch "$file")"
	matches "$kernel: vermagic" "$kernel *" "$(modinfo -F vermagic "$file")"
	matches "$kernel: description" "?*" "$(modinfo -F description "$file")"
	matches "$kernel: author" "?*" "$(modinfo -F author "$file")"
	matches "$kernel: parameters" "enabled:*(0 or 1)
rate_limit:*(uint)" "$(modinfo -F parm "$file" | sort)"
	ko=/payload/$kernel/tcp-connect-logger.ko
	content_of "$file" >"$ko"
	event
	disassembly
	# For make matrix: the version of DKMS, and the compiler, whose name is in the module
	echo "$(dpkg-query -Wf '${source:Upstream-Version}' dkms);$(readelf -p .comment "$ko" |
		sed -n 's/.*GCC: ([^)]*) \([0-9.]*\).*/gcc \1/p' | head -n 1)" >"/payload/$kernel/built"
}

# content_of FILE: print the content of a module's file
content_of() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*) cat "$1" ;;
	esac
}

# event: check the module of the trace event
event() {
	file=$(module_of "$kernel" tcp-connect-logger-event)
	name="$kernel: event"
	is_signed "$name" "$file"
	equals "$name: name" tcp_connect_logger_event "$(modinfo -F name "$file")"
	equals "$name: version" "$version" "$(modinfo -F version "$file")"
	equals "$name: it is no livepatch" "" "$(modinfo -F livepatch "$file")"
	equals "$name: it needs the livepatch" tcp_connect_logger "$(modinfo -F depends "$file" | tr - _)"
	matches "$name: description" "?*" "$(modinfo -F description "$file")"
	matches "$name: author" "?*" "$(modinfo -F author "$file")"
	content_of "$file" >"/payload/$kernel/tcp-connect-logger-event.ko"
	# The same for another version of the livepatch, see event.sh
	sed "s/$(echo "$version" | sed 's/\./\\./g')/$(echo "$version" | tr 0-9 1-90)/g" \
		"/payload/$kernel/tcp-connect-logger-event.ko" >"/payload/$kernel/foreign-event.ko"
	equals "$name: modprobe loads it after the livepatch" "tcp_connect_logger tcp_connect_logger_event" \
		"$(modprobe -S "$kernel" --show-depends tcp_connect_logger | sed 's!.*/!!; s/\.ko.*//; s/-/_/g' | uniq | xargs)"
}

# disassembly: check how the replacement functions in the module reach the originals. Older versions
# of objdump write jmpq and callq.
disassembly() {
	code=$(objdump -dr --no-show-raw-insn -j .text "$ko")
	equals "$kernel: code: the kernel patches the static calls" 1 \
		"$(readelf -SW "$ko" | grep -c ' \.static_call_sites ')"
	for ip in v4 v6; do
		wrapper=$(echo "$code" | sed -n "/<tcl_tcp_${ip}_connect>:/,/^\$/p")
		name="$kernel: code: $ip:"
		equals "$name there is no indirect branch and no retpoline" "" \
			"$(echo "$wrapper" | grep -E '(jmp|call)q? +\*|__x86_indirect')"
		equals "$name a direct call leads to the original" 1 \
			"$(echo "$wrapper" | grep -A 1 -E '\scallq?\s' | grep -c "__SCT__tcl_original_$ip")"
		equals "$name no jump leads to the original" 0 \
			"$(echo "$wrapper" | grep -A 1 -E '\sjmpq?\s' | grep -c '__SCT__tcl_original')"
		equals "$name there is one flag test" 1 \
			"$(echo "$wrapper" | grep -c -E '\s(test|cmp)[bl]?\s')"
		equals "$name there are three calls: to ftrace, to the original and to make the record" 3 \
			"$(echo "$wrapper" | grep -c -E '\scallq?\s')"
		# If nobody wants the record, the path to the original is only a test and a jump.
		matches "$name no register is saved before the flag test" "[1-9]*" \
			"$(echo "$wrapper" | grep -E -m 1 -n '\s(push|sub|test|cmp)[bl]?\s' | grep -E '(test|cmp)')"
		equals "$name the compiler has not split the replacement" "" \
			"$(nm "$ko" | grep "tcl_tcp_${ip}_connect\.")"
	done
}

warnings() {
	# W=1 applies only to the module. The warnings of W=1 and sparse name the module's files.
	succeeds "compiler: a build with W=1 and sparse succeeds" build W=1 C=2 CF=-D__CHECK_ENDIAN__
	equals "compiler: W=1 and sparse report no warnings" "" \
		"$(echo "$output" | grep -E 'warning:|error:')"
	build clean >/dev/null
}

# neighbours: build the modules that guests load beside our module, and the module for unsupported
# kernels
neighbours() {
	for one in $neighbours_for; do
		rm -rf /tmp/modules
		cp -a /payload/modules /payload/src /tmp
		cp /payload/livepatch-sample.c "$sources/unsupported.c" /tmp/modules
		succeeds "$one: the other modules are built" \
			make -C "/usr/src/linux-headers-$one" M=/tmp/modules TCL_VERSION="$version" $without_btf modules
		mv /tmp/modules/tcp-connect-logger.ko "/payload/$one/unsupported.ko"
		cp /tmp/modules/*.ko "/payload/$one"
	done
}

note "DKMS $(dpkg-query -Wf '${Version}' dkms), $(gcc --version | head -n 1), kernels $*"
package "$@"
neighbours
warnings
echo end
