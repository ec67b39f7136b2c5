#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# build.sh some|more|all NEIGHBOURS KERNEL... - the package in a chroot, for kernels of
# which the headers are there; on the first of them what the compiler says of the code; if
# it is to be more, one version after another; and if all, what the compiler must refuse
# and how people build by hand
#
# All neighbours are built for those kernels that NEIGHBOURS names, and for others those
# that the contract has.
# Leaves in /payload/KERNEL what was built for each.

# shellcheck source=tests/lib.sh
. /payload/lib.sh

amount=$1 with_neighbours=$2
shift 2
kernel=$1
headers=/usr/src/linux-headers-$kernel
version=$(dpkg-deb -f /payload/*.deb Version)
sources=/usr/src/tcp-connect-logger-$version

# common_of HEADERS: where Debian has what the flavours share
common_of() {
	sed -n 's/^include \(.*\)\/Makefile$/\1/p' "$1/Makefile"
}
include=$(common_of "$headers")/include

all_files() {
	find / -xdev \( -path /proc -o -path /payload -o -path /tmp -o -path /var/log -o -path /var/lib/apt -o -path /var/cache \) -prune -o -print |
		grep -v -e '^/var/lib/dkms/mok\.' -e /.rpmdb -e /var/lib/rpm | sort
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

# pretend NAME: headers of a kernel that is not there, in $fake and $fake_common
pretend() {
	fake=/usr/src/linux-headers-$1 fake_common=/usr/src/linux-headers-$1-common
	common=$(common_of "$headers")
	cp -a "$headers" "$fake"
	cp -as "$common" "$fake_common"
	sed -i "s!$headers\$!$fake!; s!$common!$fake_common!" "$fake/Makefile"
	mkdir -p "/lib/modules/$1"
	ln -s "$fake" "/lib/modules/$1/build"
}

# Its module, however it is compressed
module_of() {
	echo "/lib/modules/$1/updates/dkms"/*
}

# Kernels that cannot be patched, each for a reason of its own: NAME REASON
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

# for_unsupported COMMAND: run it with name and reason of each
for_unsupported() {
	echo "$unsupported" | while read -r name reason; do
		[ -z "$name" ] || "$1" "$name" "$reason"
	done
}

# says_why NAME REASON: the sentence that the user sees, in $output
says_why() {
	matches "$1: says why and what to do" "*
tcp-connect-logger: kernel $1 cannot be patched, and its module refuses to load: $2
*" "$output"
}

refuses() {
	equals "$1: its module is no livepatch" "" "$(modinfo -F livepatch "$(module_of "$1")")"
	matches "$1: its module says so" "Not the livepatch,*" \
		"$(modinfo -F description "$(module_of "$1")")"
}

# hooks NAME REASON: as the kernel's headers do it when they are installed, and the
# kernel itself. What DKMS put there does the work; its failure would be apt's.
hooks() {
	dkms remove -m tcp-connect-logger -v "$version" -k "$1" >/dev/null 2>&1
	fails "$1: the module is gone" test -e "$(module_of "$1")"
	succeeds "$1: the headers' hook succeeds" run-parts --arg="$1" /etc/kernel/header_postinst.d
	says_why "$@"
	refuses "$@"
	succeeds "$1: the kernel's hook succeeds" /etc/kernel/postinst.d/dkms "$1"
}

# DKMS has had several ways to write it.
dkms_status() {
	dkms status tcp-connect-logger | sed 's!^tcp-connect-logger, !tcp-connect-logger/!' | sort
}

package() {
	for dir in /lib/modules/*; do
		case " $* " in
		*" ${dir##*/} "*) ;;
		*) rm -r "$dir" ;;	# not asked for, but in the root
		esac
	done
	all_files >/tmp/before
	pretend_kernels
	succeeds "chroot: apt install" apt_get install /payload/*.deb
	matches "chroot: says that it does not load" "*
tcp-connect-logger: cannot load from a chroot or a container.*" "$output"
	matches "chroot: says that nothing was built for 6.99.3-broken" \
		"*tcp-connect-logger: nothing could be built for kernel 6.99.3-broken, see*" "$output"
	for_unsupported says_why
	for_unsupported refuses
	equals "chroot: built and installed for every kernel with headers that work" "$(
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
	echo "$unsupported" | tail -n 1 | while read -r name reason; do
		hooks "$name" "$reason"
	done
	equals "chroot: the other kernels keep theirs" "$before" "$(dkms_status)"
	cp -a "$sources" /tmp/sources

	succeeds "chroot: apt purge" apt_get purge tcp-connect-logger-dkms
	rm -rf /usr/src/linux-headers-6.99.* /lib/modules/6.99.*
	equals "chroot: purge leaves no file" "" "$(all_files | diff /tmp/before - | grep '^[<>]')"
	sources=/tmp/sources
}

# is_signed NAME FILE: if this DKMS signs
is_signed() {
	signer=
	! grep -q sign_file "$(command -v dkms)" || signer="DKMS module signing key"
	equals "$1: signed with DKMS's key, if it has one" "$signer" "$(modinfo -F signer "$2")"
}

# What DKMS made for $kernel
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
	case $file in
	*.xz) xz -dc "$file" ;;
	*) cat "$file" ;;
	esac >"$ko"
	disassembly
	# For the table; the compiler as it has signed its work
	echo "$(dpkg-query -Wf '${source:Upstream-Version}' dkms);$(readelf -p .comment "$ko" |
		sed -n 's/.*GCC: ([^)]*) \([0-9.]*\).*/gcc \1/p' | head -n 1)" >"/payload/$kernel/built"
}

# The replacements in the module that DKMS built: how they get to the originals. (An
# old objdump writes jmpq and callq.)
disassembly() {
	code=$(objdump -dr --no-show-raw-insn -j .text "$ko")
	equals "$kernel: code: patched by the kernel as static calls" 1 \
		"$(readelf -SW "$ko" | grep -c ' \.static_call_sites ')"
	for ip in v4 v6; do
		wrapper=$(echo "$code" | sed -n "/<tcl_tcp_${ip}_connect>:/,/^\$/p")
		name="$kernel: code: $ip:"
		equals "$name no indirect branch, no retpoline" "" \
			"$(echo "$wrapper" | grep -E '(jmp|call)q? +\*|__x86_indirect')"
		matches "$name the way to the original is a direct jump" "[1-9]*" \
			"$(echo "$wrapper" | grep -A 1 -E '\sjmpq?\s' | grep -c "__SCT__tcl_original_$ip")"
		equals "$name and no call, which would stay on the stack" 0 \
			"$(echo "$wrapper" | grep -B 1 '__SCT__tcl_original' | grep -c -E '\scallq?\s')"
		equals "$name one flag test" 1 "$(echo "$wrapper" | grep -c -E '\s(test|cmp)[bl]?\s')"
		equals "$name one call, for the record" 1 \
			"$(echo "$wrapper" | grep -A 1 -E '\scallq?\s' | grep -c "tcl_connect_$ip")"
		# Up to the jump to the original, if nobody wants to know.
		matches "$name nothing is saved before the flag test" "[1-9]*" \
			"$(echo "$wrapper" | grep -E -m 1 -n '\s(push|sub|test|cmp)[bl]?\s' | grep -E '(test|cmp)')"
		equals "$name no part of the replacement is elsewhere" "" \
			"$(nm "$ko" | grep "tcl_tcp_${ip}_connect\.")"
	done
}

warnings() {
	# W=1 is for the module alone; its warnings and sparse's name its files.
	succeeds "compiler: W=1 and sparse" build W=1 C=2 CF=-D__CHECK_ENDIAN__
	equals "compiler: no warning of W=1 and sparse" "" "$(echo "$output" | grep -E 'warning:|error:')"
	build clean >/dev/null
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

	# Both spellings of the address's type build, whichever this kernel has.
	for type in sockaddr sockaddr_unsized; do
		cp -a "$include/net/tcp.h" "$include/net/sock.h" /tmp
		sed -i "/^int tcp_v4_connect(/s/struct sockaddr[_a-z]* /struct $type /" "$include/net/tcp.h"
		sed -i "/(\*connect)(struct sock \*sk,/,/;/s/struct sockaddr[_a-z]* /struct $type /" "$include/net/sock.h"
		succeeds "the address is a struct $type" build
		mv /tmp/tcp.h /tmp/sock.h "$include/net"
		build clean >/dev/null
	done
}

# RHEL's kernels have the number of an old one, and much that has come since. So
# nothing may depend on the number.
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

# What the guests load beside it.
neighbours() {
	for one in "$@"; do
		some="rival.o stall.o"
		case " $with_neighbours " in *" $one "*) some= ;; esac
		rm -rf /tmp/modules /tmp/unsupported
		cp -a /payload/modules /payload/src /tmp
		cp /payload/livepatch-sample.c /tmp/modules
		succeeds "$one: the neighbours are built" \
			make -C "/usr/src/linux-headers-$one" M=/tmp/modules TCL_NEIGHBOURS="$some" modules
		cp -a "$sources" /tmp/unsupported
		succeeds "$one: the module that refuses is built" \
			make -C "/usr/src/linux-headers-$one" M=/tmp/unsupported \
			TCL_VERSION="$version" TCL_UNSUPPORTED=y modules
		cp /tmp/modules/*.ko "/payload/$one"
		cp /tmp/unsupported/tcp-connect-logger.ko "/payload/$one/unsupported.ko"
	done
}

# is NAME VERSION ELSE: what DKMS has installed for $kernel, and what else it has; of
# the package's source there is one
is() {
	equals "$1: dkms status" "$(printf %s "tcp-connect-logger/$2, $kernel, x86_64: installed${3:+
$3}" | sort)" "$(dkms_status)"
	equals "$1: modinfo" "$2 Y" "$(modinfo -k "$kernel" -F version tcp_connect_logger) \
$(modinfo -k "$kernel" -F livepatch tcp_connect_logger)"
	equals "$1: one source in /usr/src" "/usr/src/tcp-connect-logger-$(
		dpkg-query -Wf '${source:Upstream-Version}' tcp-connect-logger-dkms 2>/dev/null ||
			rpm -q --qf '%{VERSION}\n' tcp-connect-logger-dkms
	)" "$(ls -d /usr/src/tcp-connect-logger-*)"
}

# to NAME FILE: install that one, a .deb or an .rpm; rpm knows of nothing that is Debian's
to() {
	case $2 in
	*.deb) succeeds "$1: apt" apt_get install --allow-downgrades "$2" ;;
	*.rpm) succeeds "$1: rpm" rpm -U --nodeps --oldpackage --replacepkgs "$2" ;;
	esac
}

stays() {
	matches "$1: says what stays" "*
tcp-connect-logger: version $2 stays there.*" "$output"
}

# leaves_no_file NAME: since /tmp/before
leaves_no_file() {
	equals "$1: leaves no file, of whatever version" "" \
		"$(all_files | diff /tmp/before - | grep '^[<>]')"
}

# one_after_another KIND FILE: from that version to others, as deb or rpm: the old
# module stays until there is a new one
one_after_another() {
	all_files >/tmp/before
	to "$1: first" "$2"
	is "$1: first" "$version" ""
	to "$1: upgrade" "/payload/versions/99.1.0.$1"
	is "$1: upgrade" 99.1.0 ""

	to "$1: upgrade that does not build" "/payload/versions/99.2.0.$1"
	matches "$1: upgrade that does not build: says so" "*
tcp-connect-logger: nothing could be built for kernel $kernel, see /var/lib/dkms/tcp-connect-logger/99.2.0/build/make.log.*" "$output"
	stays "$1: upgrade that does not build" 99.1.0
	is "$1: upgrade that does not build" 99.1.0 "tcp-connect-logger/99.2.0: added"

	to "$1: upgrade that does not know the kernel" "/payload/versions/99.3.0.$1"
	matches "$1: upgrade that does not know the kernel: says so" "*
tcp-connect-logger: kernel $kernel cannot be patched, and its module refuses to load: look for a newer version than 99.3.0
*" "$output"
	stays "$1: upgrade that does not know the kernel" 99.1.0
	is "$1: upgrade that does not know the kernel" 99.1.0 "tcp-connect-logger/99.3.0: added"

	to "$1: revision that does not build" "/payload/versions/99.1.0-2.$1"
	stays "$1: revision that does not build" 99.1.0
	is "$1: revision that does not build" 99.1.0 ""
	# As a power cut may leave it.
	for key in /var/lib/dkms/mok.*; do [ ! -e "$key" ] || : >"$key"; done
	to "$1: same again" "/payload/versions/99.1.0.$1"
	is "$1: same again" 99.1.0 ""
	is_signed "$1: same again, DKMS's key was empty" "$(modinfo -k "$kernel" -n tcp_connect_logger)"

	to "$1: downgrade" "$2"
	is "$1: downgrade" "$version" ""
	to "$1: revision" "/payload/versions/$version-2.$1"
	is "$1: revision" "$version" ""
}

# The same for both kinds of package, and what only one of them can do
versions() {
	find /lib/modules -mindepth 1 -maxdepth 1 ! -name "$kernel" -exec rm -r {} +
	one_after_another deb /payload/*.deb
	succeeds "unpacked: dpkg" dpkg --unpack /payload/versions/99.1.0.deb
	equals "unpacked: dkms status" "tcp-connect-logger/$version, $kernel, x86_64: installed" "$(dkms_status)"
	# A new kernel comes: the old version's source is there for DKMS.
	succeeds "unpacked: a new kernel's hook" run-parts --arg="$kernel" /etc/kernel/header_postinst.d
	succeeds "unpacked: dpkg --configure" dpkg --configure -a
	is "configured" 99.1.0 ""
	succeeds "purge: apt" apt_get purge tcp-connect-logger-dkms
	leaves_no_file "purge"

	note "$(rpm --version)"
	# Which other packages have where rpm is at home, and which rpm would leave behind.
	mkdir -p /usr/lib/modprobe.d /usr/lib/modules-load.d /usr/share/licenses /usr/share/man/man4
	succeeds "rpm: the source is built" \
		rpmbuild --rebuild --nodeps --without tools --define "_topdir /tmp/rpm" /payload/*.src.rpm
	one_after_another rpm /tmp/rpm/RPMS/noarch/*.rpm
	to "rpm: reinstall" "/payload/versions/$version-2.rpm"
	is "rpm: reinstall" "$version" ""
	succeeds "rpm: erase" rpm -e --nodeps tcp-connect-logger-dkms
	leaves_no_file "rpm: erase"
}

note "DKMS $(dpkg-query -Wf '${Version}' dkms), $(gcc --version | head -n 1), kernels $*"
package "$@"
neighbours "$@"
[ "$amount" = some ] || versions
warnings
if [ "$amount" = all ]; then
	by_hand
	doctored_headers
	other_numbers
fi
echo end
