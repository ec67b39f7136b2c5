# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# One version of the package replaces another, and the expected result, which is the same for
# the .deb and the .rpm

# shellcheck source=tests/chroot/chroot.sh
. /payload/chroot.sh

# is NAME VERSION ELSE: the version that DKMS has installed for $kernel, and what else it has;
# the package has one source tree
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

# to NAME FILE: install the .deb or .rpm; rpm does not know Debian's packages
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

# leaves_no_file NAME: no file that /tmp/before does not list
leaves_no_file() {
	equals "$1: leaves no file, of whatever version" "" \
		"$(all_files | diff /tmp/before - | grep '^[<>]')"
}

# one_after_another KIND FILE: replace that version by others (KIND is deb or rpm); the old
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
	# A power cut may leave it empty.
	for key in /var/lib/dkms/mok.*; do [ ! -e "$key" ] || : >"$key"; done
	to "$1: same again" "/payload/versions/99.1.0.$1"
	is "$1: same again" 99.1.0 ""
	is_signed "$1: same again, DKMS's key was empty" "$(modinfo -k "$kernel" -n tcp_connect_logger)"

	to "$1: downgrade" "$2"
	is "$1: downgrade" "$version" ""
	to "$1: revision" "/payload/versions/$version-2.$1"
	is "$1: revision" "$version" ""
}
