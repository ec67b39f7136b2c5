#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# failures.sh KERNEL... - failures that have nothing to do with the kernel: apt succeeds, the module
# that works stays, and the next "dkms autoinstall" builds what could not be built
#
# where: chroot
# on: bookworm
# on-later: trixie forky sid bullseye
# payload: deb command versions tests/chroot/chroot.sh tests/chroot/versions.sh
# arguments: $(built_of "$suite")
# later: the DKMS of the other suites

# shellcheck source=tests/chroot/versions.sh
. /payload/versions.sh

tree=/var/lib/dkms
maintain=/usr/libexec/tcp-connect-logger/maintain
removed=6.99.5-removed

# built: if DKMS has built modules for $kernel, print what they are: "livepatch", "refuses" or "broken"
built() {
	dir=$(echo "$tree/tcp-connect-logger/$version/$kernel"/*/module)
	[ -d "$dir" ] || return
	case $(for module in "$dir"/tcp-connect-logger.ko* "$dir"/tcp-connect-logger-event.ko*; do
		modinfo -F version "$module"
		modinfo -F livepatch "$module"
	done 2>/dev/null | xargs) in
	"$version Y $version") echo livepatch ;;
	"$version $version") echo refuses ;;
	*) echo broken ;;
	esac
}

# autoinstall NAME: the failure is over, so DKMS builds and installs the livepatch
autoinstall() {
	fails "$1: no module is installed" test -e "$(module_of "$kernel")"
	succeeds "$1, and then: dkms autoinstall succeeds" dkms autoinstall -k "$kernel"
	is "$1, and then" "$version" ""
	dkms uninstall -m tcp-connect-logger -v "$version" -k "$kernel" >/dev/null
	rm -rf "$tree/tcp-connect-logger/$version/$kernel"
}

# full_disk: install the package while DKMS's file system is almost full. Then build in file systems
# of all sizes, so that the disk is full at every stage of the build.
full_disk() {
	mount -t tmpfs -o size=1000k rig $tree
	succeeds "full disk: apt install succeeds" apt_get install /payload/*.deb
	matches "full disk: the message says that nothing was built" "*
tcp-connect-logger: nothing could be built for kernel $kernel, see $tree/tcp-connect-logger/$version/build/make.log.*" "$output"
	mount -o remount,size=100m $tree
	autoinstall "full disk"

	results=
	for size in $(seq 200 100 6000); do
		used=$(du -sk $tree | cut -f 1)
		mount -o "remount,size=$((used + size))k" $tree
		dkms build -m tcp-connect-logger -v "$version" -k "$kernel" >/tmp/dkms.log 2>&1
		mount -o remount,size=100m $tree
		result=$(built)
		results="$results ${result:-nothing}"
		[ -z "$result" ] || break
	done
	note "full disk: built with 200 KiB, 300 KiB, ...:$results"
	matches "full disk: with less space, DKMS builds nothing" " nothing nothing nothing * livepatch" "$results"
	rm -rf "$tree/tcp-connect-logger/$version/$kernel"
}

# full_target: the file system of the kernel's modules is full
full_target() {
	mkdir -p "/lib/modules/$kernel/updates"
	mount -t tmpfs -o size=16k rig "/lib/modules/$kernel/updates"
	succeeds "full /lib/modules: apt install --reinstall succeeds" apt_get install --reinstall /payload/*.deb
	matches "full /lib/modules: the message says that nothing was installed" "*
tcp-connect-logger: nothing could be installed for kernel $kernel; the reason is above.*" "$output"
	umount "/lib/modules/$kernel/updates"
	rmdir "/lib/modules/$kernel/updates"
	autoinstall "full /lib/modules"
}

# killed_compiler: the linker is killed once, while it links the livepatch
killed_compiler() {
	ld=$(readlink -f "$(command -v ld)")
	cp "$ld" /tmp/ld
	cat >/tmp/killed-ld <<-'END'
		#!/bin/sh
		case "$*" in
		*-o*tcp-connect-logger.o*)
			[ -e /tmp/killed ] || { touch /tmp/killed; kill -KILL $$; }
			;;
		esac
		exec /tmp/ld "$@"
	END
	chmod +x /tmp/killed-ld
	mount --bind /tmp/killed-ld "$ld"
	fails "killed linker: dkms install fails" dkms install -m tcp-connect-logger -v "$version" -k "$kernel"
	umount "$ld"
	equals "killed linker: DKMS has built nothing" "" "$(built)"
	autoinstall "killed linker"
}

# stale: modules.dep names a file that no longer exists, and DKMS thinks that it is installed
stale() {
	succeeds "stale modules.dep: dkms install succeeds" dkms install -m tcp-connect-logger -v "$version" -k "$kernel"
	rm "$(module_of "$kernel")"
	matches "stale modules.dep: it names the file" "/lib/modules/$kernel/updates/dkms/tcp-connect-logger.ko*" \
		"$(modinfo -k "$kernel" -n tcp_connect_logger)"
	succeeds "stale modules.dep: apt install --reinstall succeeds" apt_get install --reinstall /payload/*.deb
	is "stale modules.dep" "$version" ""
}

# no_index: only headers are installed, without modules.dep. A version that does not know the kernel
# must not replace the one that does.
no_index() {
	mkdir /tmp/index
	mv "/lib/modules/$kernel"/modules.* /tmp/index
	fails "headers only: modinfo does not find the module" modinfo -k "$kernel" tcp_connect_logger
	succeeds "headers only: apt install succeeds" apt_get install /payload/versions/99.3.0.deb
	stays "headers only" "$version"
	equals "headers only: the livepatch stays" "$version Y" \
		"$(modinfo -F version "$(module_of "$kernel")") $(modinfo -F livepatch "$(module_of "$kernel")")"
	mv /tmp/index/* "/lib/modules/$kernel"
}

# removed_kernel: a kernel's directory is removed by hand. The next upgrade clears what DKMS has for it.
removed_kernel() {
	succeeds "removed kernel: apt installs the version before" apt_get install --allow-downgrades /payload/*.deb
	pretend $removed
	succeeds "removed kernel: the hook of its headers succeeds" dkms autoinstall -k $removed
	equals "removed kernel: dkms status" "$(printf "tcp-connect-logger/$version, %s, x86_64: installed\n" \
		"$kernel" $removed)" "$(dkms_status)"
	rm -rf "/lib/modules/$removed" "$fake" "$fake_common"
	succeeds "removed kernel: apt upgrades the package" apt_get install /payload/versions/99.1.0.deb
	is "removed kernel" 99.1.0 ""
	equals "removed kernel: DKMS's tree has nothing else" "99.1.0 kernel-$kernel-x86_64" \
		"$(find $tree/tcp-connect-logger -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs)"
}

# broken_dkms: no failure of DKMS may stop dpkg
broken_dkms() {
	dkms=$(readlink -f "$(command -v dkms)")
	mount --bind /bin/false "$dkms"
	for verb in keep install remove; do
		succeeds "broken dkms: maintain $verb succeeds" $maintain $verb
	done
	umount "$dkms"
	mkdir -p /run
	echo >/run/tcp-connect-logger	# a file instead of the directory
	succeeds "no directory in /run: maintain install succeeds" $maintain install
	is "no directory in /run" 99.1.0 ""
}

one_kernel
rm -f "$headers/vmlinux"	# no BTF, see $without_btf
command_alone
mkdir -p /run/mount	# mount makes it
all_files >/tmp/before
full_disk
full_target
killed_compiler
stale
no_index
removed_kernel
broken_dkms
succeeds "purge: apt succeeds" apt_get purge tcp-connect-logger-dkms
umount $tree
leaves_no_file "purge"
echo end
