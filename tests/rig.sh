# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The test rig, to be sourced: what runs in a chroot, and what runs in a guest.
#
# A chroot on its standard output, a guest on its second serial port, report
# line by line:
#
#	ok NAME
#	not ok NAME: WHY
#	skip NAME: WHY
#	# TEXT			for people
#	reboot [ARGUMENTS]	the guest goes down and wants to be started again,
#				with these kernel arguments
#	end			its end is reached; what has no such line has failed

: "${SUITE:=bookworm}" "${FLAVOUR:=amd64}" "${ACCEL:=tcg}" "${TESTS:=}"

top=$(cd "$(dirname "$0")/.." && pwd)
cache=${TCL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcp-connect-logger}
work=$top/build/rig/$SUITE-$FLAVOUR

timeout=1800	# seconds after which a chroot or a guest is given up

rig_packages="build-essential cpio debhelper dh-dkms e2fsprogs fakeroot gdb-minimal
	lintian mmdebstrap qemu-system-x86 qemu-utils shellcheck"

say() {
	echo "== $*"
}

die() {
	echo "$*" >&2
	exit 1
}

# Roots, disk images and mounts need root.
become_root() {
	[ "$(id -u)" = 0 ] ||
		exec sudo --preserve-env=SUITE,FLAVOUR,ACCEL,TESTS,TCL_CACHE "$0" "$@"
	mkdir -p "$cache" "$work"
}

need_packages() {
	missing=
	for package in $rig_packages; do
		[ "$(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0

	say "installing$missing"
	apt-get -q update
	# shellcheck disable=SC2086 # a list
	DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing
}

# shellcheck source=tests/root.sh
. "$top/tests/root.sh"

# make_package: set $deb, built from this tree.
make_package() {
	say "building the package"
	make -s -C "$top" deb build="$work/deb" dist="$work/dist" >"$work/deb.log" 2>&1 || {
		cat "$work/deb.log"
		die "make deb failed"
	}
	deb=$(echo "$work"/dist/*.deb)
}

# new_payload NAME COMMAND FILE...: make $dir, the place of one chroot or guest;
# in $dir/payload are copies of the files, and run, which runs the command.
new_payload() {
	dir=$work/$1
	rm -rf "$dir"
	mkdir -p "$dir/payload"
	printf '#!/bin/sh\nexec %s\n' "$2" >"$dir/payload/run"
	chmod +x "$dir/payload/run"
	shift 2
	[ $# = 0 ] || cp -a "$@" "$dir/payload"
}

# in_root: run /payload/run in a chroot of $root; what it writes elsewhere than in
# /payload is thrown away. Prints its report.
in_root() {
	# shellcheck disable=SC2016 # for the inner shell
	timeout $timeout unshare --mount sh -euc '
		root=$1 payload=$2
		mount -t tmpfs -o size=4G rig /mnt
		mkdir /mnt/upper /mnt/work /mnt/root
		mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" rig /mnt/root
		mkdir /mnt/root/payload
		mount --bind "$payload" /mnt/root/payload
		mount --bind /proc /mnt/root/proc
		mount --rbind /dev /mnt/root/dev
		exec chroot /mnt/root /payload/run
	' sh "$root" "$dir/payload"
}

# qemu APPEND [OPTION...]: one run of a guest. Its kernel's console goes to
# $dir/console, its report to standard output.
qemu() {
	append=$1
	shift
	timeout $timeout qemu-system-x86_64 -nodefaults -no-user-config -no-reboot \
		-accel "$ACCEL" -smp 2 -m 1G -display none \
		-chardev "file,id=console,path=$dir/console,append=on" -serial chardev:console \
		-chardev stdio,id=report,signal=off -serial chardev:report \
		-kernel "$vmlinuz" -append "console=ttyS0 panic=-1 oops=panic $append" "$@"
}

# guest_disks: a throw-away copy of $disk, and the payload, for guest_boot
guest_disks() {
	qemu-img create -q -f qcow2 -b "$disk" -F raw "$dir/disk.qcow2"
	mke2fs -q -t ext2 -d "$dir/payload" "$dir/payload.img" 64M >/dev/null
	: >"$dir/report"
}

# guest_boot ARGUMENTS: boot a guest with systemd from $dir's disks, with these
# kernel arguments besides; rig.service in it runs /payload/run. Prints and keeps
# its report.
guest_boot() {
	qemu "root=/dev/vda rw $1" -initrd "$initrd" \
		-drive "file=$dir/disk.qcow2,if=virtio,cache=unsafe" \
		-drive "file=$dir/payload.img,format=raw,if=virtio,readonly=on" \
		</dev/null | tee -a "$dir/report"
}

# guest_full: a guest with systemd, booted as often as it asks for
guest_full() {
	guest_disks
	arguments=
	while :; do
		guest_boot "$arguments"
		last=$(tail -n 1 "$dir/report")
		[ "${last#reboot}" != "$last" ] || break
		arguments=${last#reboot}
	done
	rm -f "$dir/disk.qcow2"
}

# guest_bare [OPTION...]: a guest with nothing but busybox and /payload, whose
# first process runs /payload/run. Prints and keeps its report.
guest_bare() {
	rm -rf "$dir/initramfs"
	mkdir -p "$dir/initramfs/bin" "$dir/initramfs/proc" "$dir/initramfs/sys" "$dir/initramfs/dev"
	cp "$root/bin/busybox" "$dir/initramfs/bin"
	cp "$top/tests/guest/init" "$dir/initramfs/init"
	cp -a "$dir/payload" "$dir/initramfs/payload"
	(cd "$dir/initramfs" && find . | cpio --quiet -oH newc) >"$dir/initramfs.cpio"
	qemu "" -initrd "$dir/initramfs.cpio" "$@" | tee "$dir/report"
}
