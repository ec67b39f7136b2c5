# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# Functions that replace one version of the package by another, and check the result. The expected
# result is the same for the .deb and the .rpm.

# shellcheck source=tests/chroot/chroot.sh
. /payload/chroot.sh

# is NAME VERSION ELSE: check that DKMS has installed VERSION for $kernel, that "dkms status" has no
# other line but ELSE, and that there is one source tree
is() {
	equals "$1: dkms status" "$(printf %s "tcp-connect-logger/$2, $kernel, x86_64: installed${3:+
$3}" | sort)" "$(dkms_status)"
	equals "$1: version in modinfo" "$2 Y" "$(modinfo -k "$kernel" -F version tcp_connect_logger) \
$(modinfo -k "$kernel" -F livepatch tcp_connect_logger)"
	equals "$1: version of the event in modinfo" "$2" \
		"$(modinfo -k "$kernel" -F version tcp_connect_logger_event)"
	equals "$1: /usr/src has only the package's source" "/usr/src/tcp-connect-logger-$(
		dpkg-query -Wf '${source:Upstream-Version}' tcp-connect-logger-dkms 2>/dev/null ||
			rpm -q --qf '%{VERSION}\n' tcp-connect-logger-dkms
	)" "$(ls -d /usr/src/tcp-connect-logger-*)"
}

# to NAME FILE: install the .deb or .rpm, without dependencies for rpm, which does not know Debian's
# packages
to() {
	case $2 in
	*.deb) succeeds "$1: apt succeeds" apt_get install --allow-downgrades "$2" ;;
	*.rpm) succeeds "$1: rpm succeeds" rpm -U --nodeps --oldpackage --replacepkgs "$2" ;;
	esac
}

# stays NAME VERSION: check that $output says that this version stays
stays() {
	matches "$1: the message says which version stays" "*
tcp-connect-logger: version $2 stays there.*" "$output"
}

# leaves_no_file NAME: check that there is no file that /tmp/before does not list
leaves_no_file() {
	equals "$1: no file of any version is left" "" \
		"$(all_files | diff /tmp/before - | grep '^[<>]')"
}

# one_after_another KIND FILE: install FILE, and replace it by other versions (KIND is deb or rpm).
# The old module stays until a new one is built.
one_after_another() {
	all_files >/tmp/before
	to "$1: first" "$2"
	is "$1: first" "$version" ""
	to "$1: upgrade" "/payload/versions/99.1.0.$1"
	is "$1: upgrade" 99.1.0 ""

	to "$1: upgrade that does not build" "/payload/versions/99.2.0.$1"
	matches "$1: upgrade that does not build: the message says so" "*
tcp-connect-logger: nothing could be built for kernel $kernel, see /var/lib/dkms/tcp-connect-logger/99.2.0/build/make.log.*" "$output"
	stays "$1: upgrade that does not build" 99.1.0
	is "$1: upgrade that does not build" 99.1.0 "tcp-connect-logger/99.2.0: added"

	to "$1: upgrade that does not know the kernel" "/payload/versions/99.3.0.$1"
	matches "$1: upgrade that does not know the kernel: the message says so" "*
tcp-connect-logger: kernel $kernel cannot be patched, and its module refuses to load: tcp-connect-logger does not know this kernel: look for a newer version than 99.3.0
*" "$output"
	stays "$1: upgrade that does not know the kernel" 99.1.0
	is "$1: upgrade that does not know the kernel" 99.1.0 "tcp-connect-logger/99.3.0: added"

	to "$1: revision that does not build" "/payload/versions/99.1.0-2.$1"
	stays "$1: revision that does not build" 99.1.0
	is "$1: revision that does not build" 99.1.0 ""
	# Empty DKMS's key, as a power cut may do.
	for key in /var/lib/dkms/mok.*; do [ ! -e "$key" ] || : >"$key"; done
	to "$1: same again" "/payload/versions/99.1.0.$1"
	is "$1: same again" 99.1.0 ""
	is_signed "$1: same again, with an empty key of DKMS" "$(modinfo -k "$kernel" -n tcp_connect_logger)"

	to "$1: downgrade" "$2"
	is "$1: downgrade" "$version" ""
	to "$1: revision" "/payload/versions/$version-2.$1"
	is "$1: revision" "$version" ""
}
