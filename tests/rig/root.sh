# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# Debian's kernels and roots, to be sourced by rig.sh. They come from the mirrors that this machine
# uses. A root is kept until one of the things that it is made from changes.

# Packages to build modules, in a chroot and in a guest.
build_packages="busybox-static dkms gcc kmod make openssl udev"
chroot_packages="$build_packages ccache rpm sparse"
# For the kernel that the rig builds. The plan has it as the only kernel of a suite "small".
small_suite=bookworm small_source=linux-source-6.1
small_packages="bc bison flex libelf-dev $small_source"
guest_packages="$build_packages ccache curl dbus dnf initramfs-tools iproute2 procps rpm systemd-sysv
	libjansson4 libtracefs1"
tracers_packages="$guest_packages auditd bpfcc-tools bpftrace libbpf-tools libc6-dev linux-perf
	trace-cmd jq man-db prometheus-node-exporter rsyslog rsyslog-elasticsearch rsyslog-kafka
	rsyslog-relp systemd-journal-remote"
# The first of two alternatives (dnf5|dnf) that the suite has
packaging_packages="adequate apt-utils build-essential ccache createrepo-c debhelper dkms dnf5|dnf
	fakeroot faketime gpg gpg-agent kmod libjansson-dev libkmod-dev libncurses-dev
	libsmartcols-dev libsystemd-dev libtraceevent-dev libtracefs-dev licensecheck lintian locales
	piuparts pkgconf rpm rpmlint systemd-dev|systemd udev"
# What apt installs with the package, for piuparts
dependencies="dkms kmod libjansson4 libkmod2 libsmartcols1 libsystemd0 libtinfo6 libtracefs1 udev"

# apt_for ARCHIVES COMMAND [ARGUMENT...]: run apt-get or apt-cache with the package lists of some
# archives (bookworm, bookworm-backports), separate from this machine's
apt_for() {
	state=$cache/apt/$(echo "$1" | tr ' ' +) command=$2
	[ -e "$state" ] || mkdir -p "$state/archives/partial"
	for archive in $1; do
		cat "$cache/apt/$archive.list"
	done >"$state/sources.$$"
	# apt rebuilds its cache if this file is newer.
	cmp -s "$state/sources.$$" "$state/sources.list" ||
		cp "$state/sources.$$" "$state/sources.list"
	rm "$state/sources.$$"
	shift 2
	"$command" -q -o Dir::State::status=/dev/null -o Dir::State::Lists="$cache/apt/lists" \
		-o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Cache="$state" -o Dir::Cache::pkgcache=pkgcache.bin \
		-o APT::Get::List-Cleanup=false -o APT::Sandbox::User=root "$@"
}

# first_ones ARCHIVE PACKAGE[|OTHER]...: print the packages; print OTHER if the archive does not have
# PACKAGE
first_ones() {
	archive=$1
	shift
	for package in "$@"; do
		other=${package#*|} package=${package%|*}
		[ "$package" = "$other" ] || apt_for "$archive" apt-cache show "$package" >/dev/null 2>&1 ||
			package=$other
		echo "$package"
	done
}

# locked FILE COMMAND...: run the command while no other run of the rig works on FILE
locked() {
	exec 9>"$1.lock"
	flock -w 3000 9 || die "another run has been working on $1 for 50 minutes"
	shift
	status=0
	"$@" || status=$?
	exec 9>&-
	return $status
}

# need_archive ARCHIVE: fetch the lists of the archive; fail if there is no such archive. sid has no
# -security, and the newest suites have no -backports.
need_archive() {
	mkdir -p "$cache/apt/lists/partial"
	locked "$cache/apt/lists" fetch_lists "$1"
}

fetch_lists() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(LABEL) $(SITE)' 'Created-By: Packages' 'Origin: Debian' |
		sort -u |
		while read -r label site; do
			case $label in
			Debian) name=$1 ;;
			Debian-Security) name=$1-security ;;
			*) continue ;;
			esac
			if /usr/lib/apt/apt-helper download-file "$site/dists/$name/InRelease" \
				"$cache/apt/$1.InRelease" >/dev/null 2>&1; then
				echo "deb $site $name main"
			fi
		done >"$cache/apt/$1.new"
	if [ -s "$cache/apt/$1.new" ]; then
		mv "$cache/apt/$1.new" "$cache/apt/$1.list"
		apt_for "$1" apt-get update >/dev/null || die "apt-get update for $1 has failed"
	elif [ -s "$cache/apt/$1.list" ]; then
		say "cannot reach the mirrors: using the old lists of $1" >&2
	else
		return 1
	fi
}

# kernel_of ARCHIVE NAME: print the release of the kernel that linux-headers-NAME depends on
kernel_of() {
	apt_for "$1" apt-cache --no-all-versions show "linux-headers-$2" |
		sed -n '/^Depends:/s/.*linux-headers-\([^ ,]*\).*/\1/p'
}

# missing ARCHIVE PACKAGE: true if the lists have the package but the mirror does not, which happens
# in old suites
missing() {
	uri=$(apt_for "$1" apt-get --print-uris download "$2" | sed -n "s/^'\([^']*\)'.*/\1/p")
	[ "$(curl -sIL -m 30 -o /dev/null -w '%{http_code}' "$uri")" = 404 ]
}

# base_of SUITE: print the suite from which a root of SUITE is made. experimental has only packages
# that come before those in sid.
base_of() {
	if [ "$1" = experimental ]; then echo sid; else echo "$1"; fi
}

# guest_kernel ARCHIVE: print the release of the kernel that guests with systemd of this suite have
guest_kernel() {
	kernel_of "$1" cloud-amd64
}

# kernels_in ARCHIVE: for each line (linux-headers-amd64, linux-headers-6.12-amd64) and flavour,
# print the newest kernel that the mirror has with its headers, one per line. If the lists have a
# newer kernel that the mirror does not have, report this kernel as skipped.
kernels_in() {
	apt_for "$1" apt-cache pkgnames linux-headers- | sort >"$work/headers.$1"
	sed -n -E 's/^linux-headers-(([0-9.]+-)?(cloud-|rt-)?amd64)$/\1/p' "$work/headers.$1" |
		while read -r name; do
			newest=$(kernel_of "$1" "$name")
			line=$(echo "$newest" | cut -d . -f 1-2) flavour=${name#[0-9]*-} found=
			for version in $(sed -n "s/^linux-headers-\($line\..*\)-$flavour\$/\1/p" "$work/headers.$1" |
				grep -v -e '-cloud$' -e '-rt$' | sort -rV); do
				kernel=$version-$flavour
				if ! missing "$1" "linux-image-$kernel" &&
					! missing "$1" "linux-headers-$kernel"; then
					found=$kernel
					break
				fi
			done
			[ -z "$found" ] || echo "$found"
			[ "$found" = "$newest" ] || echo "$newest: $1 lists it, but the mirror" \
				"does not have it whole; ${found:-nor any older one}${found:+ instead}" \
				>>"$work/plan.skips"
		done | sort -Vu
}

# bootstrap STORE SUITE ARCHIVES PACKAGES [OPTION...]: make a Debian root in STORE/root, unless it
# exists; its compiler is ccache
bootstrap() {
	store=$1 suite=$2 archives=$3 packages=$4
	shift 4
	cd "$top"	# so that the key does not contain the path of this checkout
	# shellcheck disable=SC2016 # $1 is for the hook
	set -- "$@" --customize-hook=": $(sha256sum <tests/rig/ccache.conf)" \
		--customize-hook="copy-in tests/rig/ccache.conf /etc" \
		--customize-hook='cp -P "$1"/usr/lib/ccache/*gcc-[0-9]* "$1/usr/local/bin"'
	lists=$(for archive in $archives; do cat "$cache/apt/$archive.list"; done)
	# shellcheck disable=SC2086 # a list
	versions=$(for archive in $archives; do
		apt_for "$archive" apt-cache --no-all-versions show $packages 2>/dev/null
	done | grep -E '^(Package|Version):')

	key=$(echo "$suite $lists $versions $*" | sha256sum)
	[ "$(cat "$store/key" 2>/dev/null)" != "$key" ] || return 0
	rm -rf --one-file-system "$store"
	mkdir -p "$store"
	# The namespace removes its mounts, even if it is killed. Kernels from backports need
	# the linux-base from there.
	# shellcheck disable=SC2016,SC2086 # $1 is for the hooks; a list
	echo "$lists" | unshare --mount mmdebstrap --variant=minbase \
		--include="$(echo $packages | tr ' ' ,)" \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--setup-hook='mkdir -p "$1/etc/apt/preferences.d"' \
		--setup-hook='printf "Package: linux-*\nPin: release a=*-backports\nPin-Priority: 500\n" \
			>"$1/etc/apt/preferences.d/kernels"' \
		"$@" "$suite" "$store/root" - || return
	echo "$key" >"$store/key"
}

# make_root SUITE: make a root with the plan's kernels and headers. For depmod, it has a few of the
# kernels' modules.
make_root() {
	use_root "$1"
	mkdir -p "$cache/root"
	locked "${root%/root}" fill_root "$1"
}

fill_root() {
	export INITRD=No	# for the kernels' hooks
	if [ "$1" = small ]; then
		fill_small "${root%/root}" "$(plan_of small | cut -d ' ' -f 3)"
		return
	fi
	bootstrap "${root%/root}" "$(base_of "$1")" \
		"$({ base_of "$1"; plan_of "$1" | cut -d ' ' -f 2; } | sort -u)" \
		"$chroot_packages $(plan_of "$1" | awk '{ print "linux-image-" $3, "linux-headers-" $3 }')" \
		--dpkgopt='path-exclude=*/lib/modules/*/kernel/*' \
		--dpkgopt='path-include=*/lib/modules/*/kernel/lib/*'
}

# small_kernel: print the release of the kernel that the rig builds
small_kernel() {
	apt_for $small_suite apt-cache --no-all-versions show $small_source |
		sed -n 's/^Version: \([0-9.]*\).*/\1-small/p'
}

# fill_small STORE KERNEL: make its root
fill_small() {
	bootstrap "$1" $small_suite $small_suite "$chroot_packages $small_packages" \
		--customize-hook="copy-in tests/rig/small-kernel tests/rig/small.config /root" \
		--customize-hook=": $(cat "$top/tests/rig/small-kernel" "$top/tests/rig/small.config" | sha256sum)" \
		--customize-hook="chroot \"\$1\" /root/small-kernel $2 /root/small.config"
}

# use_root SUITE [KERNEL]: set $root, and set $vmlinuz to this kernel in it
use_root() {
	root=$cache/root/$1${ALL:+-all}/root
	vmlinuz=$root/boot/vmlinuz-${2-}
}

# make_packaging SUITE: make a root with the tools that build and check packages
make_packaging() {
	use_packaging "$1"
	mkdir -p "$cache/root"
	locked "$store" fill_packaging
}

fill_packaging() {
	# shellcheck disable=SC2086 # a list
	bootstrap "$store" "$suite" "$suite" "$(first_ones "$suite" $packaging_packages)" || return
	[ -e "$root/base.tar" ] || fill_base
}

# fill_base: make /base.tar in the root, in which piuparts installs packages. It has its own
# repository of $dependencies, so that piuparts needs no network.
fill_base() {
	# shellcheck disable=SC2016,SC2086,SC2116 # $1 is for the hooks; a list
	mmdebstrap --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
		--customize-hook="chroot \"\$1\" apt-get -qy --no-install-recommends --download-only install \
			$(echo $dependencies)" \
		--customize-hook='mkdir "$1/debs"; mv "$1"/var/cache/apt/archives/*.deb "$1/debs"' \
		--customize-hook='cd "$1/debs" && apt-ftparchive packages . >Packages' \
		--customize-hook='echo "deb [trusted=yes] file:/debs ./" >"$1/etc/apt/sources.list"' \
		"$suite" "$root/base.new.tar" - <"$cache/apt/$suite.list" || return
	mv "$root/base.new.tar" "$root/base.tar"
}

# use_packaging SUITE: set $suite, $store and $root
use_packaging() {
	suite=$1 store=$cache/root/$1-packaging
	root=$store/root
}

# Modules that a guest with systemd may load. The guest has no other modules, because depmod and
# initramfs-tools read each module repeatedly.
guest_modules="arch/x86/crypto/crc* crypto/crc* drivers/block/virtio_blk* drivers/net/veth*
	drivers/virtio/* fs/autofs/* fs/binfmt_misc* fs/configfs/* fs/ext4/* fs/fscache/* fs/fuse/* fs/jbd2/* fs/lockd/*
	fs/mbcache* fs/netfs/* fs/nfs/* fs/nfs_common/* fs/overlayfs/* lib/crc* lib/libcrc*
	net/dns_resolver/* net/sunrpc/*"

# make_guest SUITE [systemd|tracers]: make the disk of such a guest, with systemd and a kernel
make_guest() {
	use_guest "$@"
	mkdir -p "$cache/root"
	locked "$store" fill_guest
}

fill_guest() {
	set -f
	includes=
	for module in $guest_modules; do
		includes="$includes --dpkgopt=path-include=*/lib/modules/*/kernel/$module"
	done
	# shellcheck disable=SC2016,SC2086 # $1 is for the hook; a list
	bootstrap "$store" "$suite" "$suite" \
		"$packages linux-image-$kernel linux-headers-$kernel" \
		--dpkgopt='path-exclude=*/lib/modules/*/kernel/*' $includes \
		--customize-hook="copy-in tests/rig/rig.service /etc/systemd/system" \
		--customize-hook="copy-in tests/rig/agent /usr/local/sbin" \
		--customize-hook=": $(cat "$top/tests/rig/agent" "$top/tests/rig/rig.service" | sha256sum)" \
		--customize-hook='chroot "$1" systemctl -q enable rig.service' \
		--customize-hook="chroot \"\$1\" systemctl -q mask $guest_timers" \
		--customize-hook='echo guest >"$1/etc/hostname"' || return
	set +f
	[ -e "$disk" ] || mke2fs -q -t ext4 -d "$root" "$disk" 4G
}

# Timers to mask, because they would expire when the clock of a saved guest is set
guest_timers="apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
	fstrim.timer logrotate.timer man-db.timer systemd-tmpfiles-clean.timer"
guest_timers=$(echo $guest_timers)

# use_guest SUITE [systemd|tracers]: set $suite, $kernel, $vmlinuz and $initrd, set $packages to the
# packages in the guest, and set $disk to an ext4 image of $root
use_guest() {
	suite=$1
	kernel=$(guest_kernel "$1")
	packages=$guest_packages
	[ "${2-}" != tracers ] || packages=$tracers_packages
	store=$cache/root/$1-${2:-systemd}
	root=$store/root disk=$store/disk.img
	vmlinuz=$root/boot/vmlinuz-$kernel initrd=$root/boot/initrd.img-$kernel
}

# packages_for ARCHIVES DIRECTORY PACKAGE...: download the packages that apt would install in $root.
# Without NoLocking, apt would lock dpkg in $root, and fail while another job does the same.
packages_for() {
	archives=$1 debs=$2
	shift 2
	mkdir -p "$debs/partial"
	apt_for "$archives" apt-get -y -o Dir::State::status="$root/var/lib/dpkg/status" \
		-o Debug::NoLocking=true -o Dir::Cache::archives="$debs" \
		--no-install-recommends --download-only install "$@" ||
		die "cannot download $*"
	rm -r "$debs/partial"
}

# debs_for SUITE DIRECTORY PACKAGE...: the same, from the suite's backports
debs_for() {
	from=$1 debs=$2
	shift 2
	packages_for "$from $from-backports" "$debs" -t "$from-backports" "$@"
}

# take_program PACKAGE PATH: copy one program of a package of $suite to the payload
take_program() {
	(
		cd "$dir"
		apt_for "$suite" apt-get -q download "$1"
		dpkg-deb --fsys-tarfile "$1"_*.deb | tar -xO "./$2" >"payload/${2##*/}"
		chmod 755 "payload/${2##*/}"
		rm "$1"_*.deb
	)
}
