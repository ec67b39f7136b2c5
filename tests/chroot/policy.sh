#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# policy.sh SUITE - build the packages from their sources with a suite's tools, and examine them with its
# lintian, rpmlint, licensecheck, piuparts, adequate, rpm and dnf
#
# where: packaging
# on-later: bookworm trixie sid
# payload: source srpm rpm/rpmlint.toml tests/guest/debian.spec
# arguments: $suite
# later: everything; `lint` checks the packages with this machine's lintian and rpmlint, and builds
#	them twice

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

suite=$1 name=tcp-connect-logger dkms=tcp-connect-logger-dkms
dsc=$(echo /payload/*.dsc) srpm=$(echo /payload/*.src.rpm)
version=$(sed -n 's/^Version: \(.*\)-.*/\1/p' "$dsc")
tree=$name-$version
tarball=/payload/$tree.tar.gz

# sums DIRECTORY: print checksums of the .deb packages in it
sums() {
	(cd "$1" && sha256sum ./*.deb)
}

# build_debs: build the .deb packages from their source, clean up, and build them again
build_debs() {
	mkdir /tmp/deb
	cd /tmp/deb || exit
	dpkg-source -x "$dsc" "$tree" >/dev/null 2>&1
	cp -a "$tree" clean
	cd "$tree" || exit
	succeeds "dpkg-buildpackage builds the packages from their source" dpkg-buildpackage -us -uc
	first=$(sums /tmp/deb)
	succeeds "debian/rules clean succeeds" debian/rules clean
	equals "debian/rules clean leaves no file" "" "$(diff -r /tmp/deb/clean .)"
	rm /tmp/deb/*.deb
	succeeds "dpkg-buildpackage builds the packages again" dpkg-buildpackage -us -uc
	matches "the second build compiles again" "* -c -o build/main.o cmd/main.c*" "$output"
	equals "the second build makes identical packages" "$first" "$(sums /tmp/deb)"
}

# build_elsewhere: build them from the tarball of the release, as another user, with other settings,
# in the future, and in a directory whose name has a space. Turkish has two letters i.
build_elsewhere() {
	localedef -i tr_TR -f UTF-8 tr_TR.UTF-8
	mkdir "/tmp/else where"
	tar -C "/tmp/else where" -xzf "$tarball"
	chown -R 65534:65534 "/tmp/else where"
	cd "/tmp/else where/$tree" || exit
	umask 077
	# shellcheck disable=SC2086 # a command and its arguments
	succeeds "make deb builds the packages elsewhere" \
		env TZ=Asia/Tokyo LC_ALL=tr_TR.UTF-8 $as_nobody faketime -f +400d make deb
	umask 022
	equals "make deb makes identical packages elsewhere" "$first" "$(sums dist)"
	succeeds "make deb makes an identical release elsewhere" cmp "$tarball" "dist/$tree.tar.gz"
}

# hardening PROGRAM: print how the program is hardened
hardening() {
	readelf -lhdW --dyn-syms "$1" | grep -o -E -w 'PIE|GNU_RELRO|BIND_NOW|__[a-z_]+_chk|__stack_chk_fail' |
		sed 's/^__[a-z_]*_chk$/fortified/' | sort -u
}

is_hardened() {
	equals "$1: the program is hardened" "BIND_NOW
GNU_RELRO
PIE
__stack_chk_fail
fortified" "$(hardening "$2")"
}

# rebuild_rpms DIRECTORY NAME OPTION...: rebuild the .rpm packages from their source
rebuild_rpms() {
	rpms=$1 test_of=$2
	shift 2
	succeeds "$test_of: rpmbuild rebuilds the packages" rpmbuild --rebuild --nodeps \
		--define "_topdir $rpms" --define '_buildhost localhost' "$@" "$srpm"
	equals "$test_of: rpmbuild prints no warning" "" \
		"$(echo "$output" | grep -i -A 2 -e 'warnings*:' -e deprecated)"
	mkdir "$rpms/files"
	(cd "$rpms/files" && rpm2cpio "$rpms"/RPMS/x86_64/*.rpm | cpio -id --quiet)
	is_hardened "$test_of" "$rpms/files/usr/sbin/$name"
}

# Nobody has asked Debian for this package, so there is no bug to close. Whoever uploads it must see
# this tag, so the package does not override it. Debian 12's lintian does not know the other tags,
# and rejects overrides for them: its dpkg needs both fields, and the file in /etc/modprobe.d is for
# the administrator's options.
suppressed="initial-upload-closes-no-bugs file-in-etc-modprobe.d
	redundant-priority-optional-field redundant-rules-requires-root-no-field"
# What lintian reports if it is older than the Standards-Version: it asks for an init script, which
# this version of the policy does not, and does not use all overrides.
reports_of_old=" newer-standards-version | unused-override |^N: [0-9]* hints overridden;|\
 package-supports-alternative-init-but-no-init\.d-script "

# known TAG...: print the tags that are in /tmp/tags, because this lintian rejects others
known() {
	printf '%s\n' "$@" | grep -Fx -f /tmp/tags
}

check_debs() {
	lintian=$(lintian --version)
	lintian-explain-tags --list-tags >/tmp/tags
	# shellcheck disable=SC2086 # a list
	linted=$(lintian -EI --pedantic --allow-root --fail-on none \
		--suppress-tags "$(known $suppressed | paste -sd ,)" /tmp/deb/*.changes 2>&1)
	echo "$lintian: $linted" | sed "s/^/# /"
	case $linted in
	*" newer-standards-version "*)
		linted=$(echo "$linted" | grep -v -E "$reports_of_old")
		skip "lintian uses all overrides" "$lintian is older than the Standards-Version"
		;;
	esac
	equals "lintian reports nothing" "" "$linted"
	[ -n "$(known aliased-location)" ] ||
		skip "lintian finds no aliased location" "$lintian does not know the tag aliased-location"
	dpkg-deb -x /tmp/deb/"$name"_*.deb /tmp/deb/files
	is_hardened ".deb" "/tmp/deb/files/usr/sbin/$name"
}

check_rpms() {
	case $(rpm --version) in
	*" 4."*)
		skip "rpmbuild prints no warning of rpm 6" "$(rpm --version) does not know what rpm 6 deprecates"
		;;
	esac
	mkdir /tmp/srpm
	(cd /tmp/srpm && rpm2cpio "$srpm" | cpio -id --quiet)
	matches "rpmlint reports nothing" "* 3 packages and 1 specfiles checked; 0 errors, 0 warnings, *" \
		"$(rpmlint -c /payload/rpmlint.toml /tmp/rpm/RPMS/*/*.rpm "$srpm" /tmp/srpm/*.spec 2>&1)"
}

# Files that are not source: documentation, results, inputs of tests, and what Debian's tools define
no_source='\.(md|csv|json|png|svg)$|^\./(\.gitignore|LICENSE|tests/(host/corpus/.*|known-failures|rig/ccache\.conf))$'
no_source="$no_source|^\./debian/(.*/)?(changelog|control|copyright|format|gbp\.conf|metadata|salsa-ci\.yml|watch|\
[^/]*docs|[^/]*lintian-overrides)\$"

check_licenses() {
	tar -C /tmp -xzf "$tarball"
	equals "licensecheck finds the license and the copyright holder in each source file" "" \
		"$(cd "/tmp/$tree" && licensecheck --recursive --ignore "$no_source" --machine --copyright . |
			grep -v '	GNU General Public License, Version 2	2026 tcp-connect-logger maintainers$')"
}

# repositories: make two repositories for piuparts: older versions, which it upgrades, and the packages
repositories() {
	mkdir -p /tmp/repositories/older /tmp/repositories/newer /tmp/scripts
	cp -a /tmp/deb/clean /tmp/repositories/older/tree
	(
		cd /tmp/repositories/older/tree &&
			sed -i '1s/(.*)/(0.0.1-1)/' debian/changelog &&
			DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -us -uc -b
	) >/dev/null 2>&1
	rm -r /tmp/repositories/older/tree
	cp /tmp/deb/*.deb /tmp/repositories/newer
	for repository in /tmp/repositories/*; do
		(cd "$repository" && apt-ftparchive packages . >Packages) 2>/dev/null
	done
	cat >/tmp/scripts/post_chroot_unpack_older <<-EOF
	#!/bin/sh
	echo "deb [trusted=yes] file:/tmp/repositories/older ./" >/etc/apt/sources.list.d/older.list
	EOF
	chmod +x /tmp/scripts/post_chroot_unpack_older
}

# install_with_piuparts PACKAGE: install, upgrade and purge the package in the root of /base.tar.
# Debian 13's systemd and udev leave /usr/lib/udev behind, also where nothing of ours was installed.
install_with_piuparts() {
	succeeds "$1: piuparts succeeds" piuparts --basetgz=/tmp/base.tar.gz --distribution="$suite" \
		--ignore=/usr/lib/udev/ \
		--keep-sources-list --scriptsdir=/tmp/scripts --bindmount=/tmp/repositories \
		--testdebs-repo=/tmp/repositories/newer /tmp/deb/"$1"_*.deb
	equals "$1: piuparts installs, upgrades and purges it" "Installation and purging test.
Installation, upgrade and purging tests." "$(echo "$output" | sed -n 's/.* PASS: \(Installation.*\)/\1/p')"
}

install_debs() {
	repositories
	gzip -1 </base.tar >/tmp/base.tar.gz	# Debian 12's piuparts needs a compressed archive.
	install_with_piuparts $name
	install_with_piuparts $dkms
	succeeds "dpkg installs the packages" dpkg -i /tmp/deb/*.deb
	# The metrics exist only while their service runs.
	equals "adequate reports only the link to the metrics" \
		"$name: broken-symlink /var/lib/$name-metrics -> /run/$name-metrics" "$(adequate $name $dkms 2>&1)"
	succeeds "dpkg purges the packages" dpkg --purge $dkms $name
}

# install_rpms: sign a repository of the packages. dnf installs them from it by name, and checks each
# signature.
install_rpms() {
	mkdir /tmp/dist
	cp /tmp/deb/*.deb /payload/*.dsc /payload/*.tar.?z /tmp/rpm/RPMS/*/*.rpm "$srpm" /tmp/dist
	succeeds "make-repo makes repositories" "/tmp/$tree/packaging/make-repo" /tmp/dist "$version-1" 90
	equals "make-repo prints no warning" "no KEY= given: signing with a key that nobody will ever have again
/tmp/dist/apt is valid until" "$(echo "$output" | sed 's/ until .*/ until/')"
	rpmbuild -bb --define "_topdir /tmp/debian" --define "suite $suite" \
		--define "dkms $(dpkg-query -W -f '${source:Upstream-Version}' dkms)" \
		--define "command $(echo /tmp/dist/rpm/$name-[0-9]*.x86_64.rpm)" /payload/debian.spec >/dev/null 2>&1
	rpm -i /tmp/debian/RPMS/noarch/debian-*.rpm
	mkdir -p /etc/yum.repos.d
	cat >/etc/yum.repos.d/rig.repo <<-EOF
	[rig]
	name=rig
	baseurl=file:///tmp/dist/rpm
	gpgkey=file:///tmp/dist/rpm/tcp-connect-logger.asc
	gpgcheck=1
	repo_gpgcheck=1
	EOF
	dnf=$(command -v dnf5 || command -v dnf)
	note "dnf is $("$dnf" --version | head -n 1)"
	succeeds "dnf installs both packages by name" "$dnf" -y install $dkms
	equals "rpm: both packages are installed" "$dkms-$version-1
$name-$version-1" "$(rpm -q --qf '%{NAME}-%{VERSION}-%{RELEASE}\n' $dkms $name)"
	equals "rpm: each file is as it was packaged" "" "$(rpm -V $dkms $name)"
	succeeds "dnf removes both packages" "$dnf" -y remove $dkms $name
}

build_debs
build_elsewhere
rebuild_rpms /tmp/rpm rpm
# Another vendor's rpm would make packages with the debugging information. That needs elfutils.
rebuild_rpms /tmp/other-rpm "rpm of another vendor" --define '_vendor redhat' --define 'debian 0' \
	--define 'debug_package %{nil}'
check_debs
check_rpms
check_licenses
install_debs
install_rpms
echo end
