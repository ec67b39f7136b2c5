# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Debian roots, to be sourced by rig.sh. One is kept for as long as nothing that
# it is made of changes: this file, the unit, the mirrors, the kernel's version.

# What is in a root beside the kernel and its headers. sparse is for make check.
root_packages="systemd-sysv udev dbus kmod procps iproute2 busybox-static curl
	dkms gcc make openssl initramfs-tools sparse"

# Sources of a suite on the mirrors that this machine is configured for.
sources() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(LABEL) $(SITE)' 'Created-By: Packages' 'Origin: Debian' |
		sort -u |
		while read -r label site; do
			case $label in
			Debian) echo "deb $site $1 main" ;;
			Debian-Security) echo "deb $site $1-security main" ;;
			esac
		done
}

# suite_apt SUITE COMMAND [ARG...]: apt-get or apt-cache on a suite's package
# lists, kept apart from this machine's.
suite_apt() {
	state=$cache/apt/$1
	mkdir -p "$state/lists/partial"
	sources "$1" >"$state/sources.list"
	shift
	"$@" -q -o Dir::State::Lists="$state/lists" \
		-o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root
}

# make_root: for $SUITE and $FLAVOUR, set $kernel (its release), $root (a
# directory, for chroots), $disk (an ext4 image of it), $vmlinuz and $initrd.
make_root() {
	suite_apt "$SUITE" apt-get update >/dev/null ||
		say "no fresh package lists of $SUITE: going on with the old ones"
	image=$(suite_apt "$SUITE" apt-cache --no-all-versions show "linux-image-$FLAVOUR" |
		sed -n '/^Depends:/s/.*\(linux-image-[^ ,]*\).*/\1/p')
	[ -n "$image" ] || die "$SUITE has no linux-image-$FLAVOUR"
	version=$(suite_apt "$SUITE" apt-cache --no-all-versions show "$image" |
		sed -n 's/^Version: //p')
	kernel=${image#linux-image-}

	key=$({
		echo "$version"
		sources "$SUITE"
		cat "$top/tests/root.sh" "$top/tests/guest/rig.service"
	} | sha256sum | cut -c 1-12)
	store=$cache/root/$SUITE-$kernel
	root=$store/root disk=$store/disk.img
	vmlinuz=$root/boot/vmlinuz-$kernel initrd=$root/boot/initrd.img-$kernel
	[ "$(cat "$store/key" 2>/dev/null)" != "$key" ] || return 0

	say "making a root of $SUITE with kernel $kernel"
	rm -rf "$store"
	mkdir -p "$store"
	# shellcheck disable=SC2016,SC2086 # $1 is for the hook; a list
	sources "$SUITE" | mmdebstrap --variant=minbase \
		--include="$(echo $root_packages "$image" "linux-headers-$kernel" | tr ' ' ,)" \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--customize-hook="copy-in $top/tests/guest/rig.service /etc/systemd/system" \
		--customize-hook='chroot "$1" systemctl -q enable rig.service' \
		--customize-hook='chroot "$1" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer' \
		--customize-hook='echo guest >"$1/etc/hostname"' \
		"$SUITE" "$root" -
	mke2fs -q -t ext4 -d "$root" "$disk" 4G
	echo "$key" >"$store/key"
}
