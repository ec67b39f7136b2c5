# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The test rig, to be sourced: what runs in a chroot, and what runs in a guest. bench/ uses
# it too.
#
# A test reports on its standard output, in a guest that is the second serial port, line
# by line, as rig/lib.sh does it:
#
#	ok - NAME
#	ok - NAME # SKIP WHY
#	not ok - NAME
#	# TEXT			for people; "# figure: TEXT" is shown when the job is done
#	kernel RELEASE		from now on the guest is booted with this kernel of its disk
#	reboot [ARGUMENTS]	the guest goes down and wants to be started again,
#				with these kernel arguments
#	end			the test's end is reached; without it, the test has failed
#
# rig/tap.awk makes TAP of it.

: "${ACCEL:=tcg}"

top=$(cd "$(dirname "$0")/.." && pwd)
cache=${TCL_CACHE:-/var/cache/tcp-connect-logger}
work=$top/build/rig

timeout=3000	# seconds after which a chroot or a guest is given up

rig_packages="apt-utils build-essential clang cpio createrepo-c curl debhelper e2fsprogs fakeroot
	gdb-minimal gpg gpg-agent libbpf-dev libclang-rt-dev libelf-dev libjansson-dev
	libncurses-dev libsmartcols-dev libsystemd-dev libtraceevent-dev libtracefs-dev lintian
	mmdebstrap pkgconf qemu-system-x86 qemu-utils rpm rpmlint shellcheck valgrind zlib1g-dev"

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
		exec sudo --preserve-env=ALL,MATRIX,SUITES,KERNELS,GUEST,RUN,TESTS,QUICK,ACCEL,TCL_CACHE "$0" "$@"
	mkdir -p "$cache" "$work"
}

# missing_packages: of $rig_packages, those that are not installed
missing_packages() {
	for package in $rig_packages; do
		[ "$(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			printf ' %s' "$package"
	done
}

need_packages() {
	missing=$(missing_packages)
	[ -n "$missing" ] || return 0

	say "installing on this machine:$missing"
	apt-get -q update
	# shellcheck disable=SC2086 # a list
	DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing
}

# need_source: files of the kernel's source, in $cache/linux: what checks the style
# of the module's, and the livepatch that the kernel shows as a sample
need_source() {
	[ ! -e "$cache/linux" ] || return 0

	say "getting files of the kernel's source"
	source=$(apt-cache depends linux-source | sed -n 's/ *Depends: //p')
	rm -rf "$cache/linux.new"
	mkdir -p "$cache/linux.new"
	(
		cd "$cache/linux.new"
		apt-get -qq -o APT::Sandbox::User=root download "$source"
		dpkg-deb --fsys-tarfile "$source"_*.deb | tar -xO --wildcards '*.tar.xz' |
			tar -xJ --strip-components=1 --wildcards '*/scripts/checkpatch.pl' \
				'*/scripts/spelling.txt' '*/scripts/const_structs.checkpatch' \
				'*/samples/livepatch/livepatch-sample.c'
		rm "$source"_*.deb
	) || die "no kernel source"
	mv "$cache/linux.new" "$cache/linux"
}

# shellcheck source=tests/rig/root.sh
. "$top/tests/rig/root.sh"

# plan_of SUITE: the kernels that tests/run has found for it, a line each: suite, archive,
# release, "line" if it is the one of its line (6.1, 6.12) on which most is tested, else
# "other"; "wanted", or if $KERNELS leaves it out, "guest" if guests with systemd have it,
# else "-"
plan_of() {
	awk -v suite="$1" '$1 == suite' "$work/plan"
}

# built_of SUITE: the releases of those that modules are built for
built_of() {
	plan_of "$1" | awk '$5 != "-" { printf "%s%s", n++ ? " " : "", $3 }'
}

# neighbours_for SUITE: the releases of those whose guests load more than the module
neighbours_for() {
	plan_of "$1" | awk -v all="${ALL-}" '$5 != "-" && (all || $4 == "line" || $5 == "guest" || /-cloud-/) {
		printf "%s%s", n++ ? " " : "", $3 }'
}

# make_package DIRECTORY [TREE [TARGETS]]: set $deb, of the module, built there from this
# tree or another, with what else make's TARGETS are
make_package() {
	mkdir -p "$1"
	# shellcheck disable=SC2086 # a list
	make -s -C "${2:-$top}" ${3:-deb} build="$1" dist="$1/dist" >"$1/make.log" 2>&1 || {
		cat "$1/make.log"
		die "make ${3:-deb} failed"
	}
	deb=$(echo "$1"/dist/*-dkms_*.deb)
}

# tool NAME OPTION...: $work/NAME, a program for the guests
tool() {
	tool=$1
	shift
	gcc -static -O2 -Wall -Wextra -Werror -o "$work/$tool" "$top/tests/guest/$tool.c" "$@"
}

# copy_tree DIRECTORY: this tree, without what is built in it
copy_tree() {
	mkdir -p "$1"
	tar -C "$top" --exclude=./.git --exclude=./build --exclude=./dist -c . | tar -C "$1" -x
}

# make_version VERSION [COMMAND]: $work/versions/VERSION.deb and .rpm, of this tree
# under another version, after COMMAND in it
make_version() {
	tree=$work/versions/$1.tree
	copy_tree "$tree"
	sed -i "1s/(.*)/($1)/" "$tree/debian/changelog"
	(cd "$tree" && eval "${2-}")
	make_package "$tree/out" "$tree" "deb rpm debs=all rpms=--without=tools"
	cp "$deb" "$work/versions/$1.deb"
	cp "$tree"/out/dist/*.noarch.rpm "$work/versions/$1.rpm"
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

# in_root [COMMAND]: run that or /payload/run in a chroot of $root; what it writes
# elsewhere than in /payload is thrown away, except what its compiler keeps for the
# roots of this suite, see ccache.conf. Prints its report.
in_root() {
	kept=$(basename "${root%/root}")
	kept=$cache/ccache/${kept%%-*}
	mkdir -p "$kept"
	printf 'stats = true\nmax_size = 500M\n' >"$kept/ccache.conf"
	# shellcheck disable=SC2016 # for the inner shell
	timeout $timeout unshare --mount sh -euc '
		root=$1 payload=$2 kept=$3 command=$4
		mount -t tmpfs -o size=4G rig /mnt
		mkdir /mnt/upper /mnt/work /mnt/root
		mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" rig /mnt/root
		mkdir -p /mnt/root/payload /mnt/root/var/cache/ccache
		mount --bind "$payload" /mnt/root/payload
		mount --bind "$kept" /mnt/root/var/cache/ccache
		mount --bind /proc /mnt/root/proc
		mount --rbind /dev /mnt/root/dev
		exec chroot /mnt/root "$command"
	' sh "$root" "$dir/payload" "$kept" "${1:-/payload/run}"
}

# warm: let the compiler of a guest find what it will be asked for, see ccache.conf
warm() {
	cp -a "$top/tests/chroot/warm.sh" "$dir/payload"
	in_root /payload/warm.sh >"$dir/warm.log" 2>&1
}

# For qemu: whatever the guest does takes a nanosecond an instruction, and waiting no time.
count_instructions="-icount shift=0,sleep=off -smp 1"

# For every guest's kernel. QEMU translates code again for each address that it runs at: with
# randomized addresses an exec takes six times as long, and an installation by DKMS three times.
kernel_arguments="console=ttyS0 no_timer_check norandmaps panic=-1 oops=panic"

# What the kernel prints when something is wrong with it.
splat='BUG:|WARNING:|Oops|Call Trace|general protection|lockup|stall detected|self-detected stall|blocked for more than|KASAN|UBSAN|Kernel panic|possible .* locking|unreferenced object|refcount_t:'

# qemu APPEND [OPTION...]: one run of a guest. Its kernel's console goes to
# $dir/console, its report to standard output.
#
# Some faults of the emulation in QEMU 7.2 are kept away. With a thread for each CPU
# ($threads is multi), one may go on for ever to execute an int3 that another has taken
# back (seen in __schedule(), as a tracepoint was switched off), or the kernel finds it there
# and dies ("Oops: int3", seen as a livepatch was loaded). And cmpxchg16b leaves rubbish in
# the flags, the trap flag among it: Debian 12's 6.12 dies of it in
# kmem_cache_alloc(), within seconds. And a busy host may be too late for the kernel's
# test of its timer, which then panics.
qemu() {
	append=$1
	shift
	[ "$ACCEL" != tcg ] || set -- -accel "tcg,thread=${threads:-single}" -cpu qemu64,-cx16 "$@"
	[ "$ACCEL" = tcg ] || set -- -accel "$ACCEL" "$@"
	timeout $timeout qemu-system-x86_64 -nodefaults -no-user-config -no-reboot \
		-smp 2 -m 1G -display none \
		-chardev "file,id=console,path=$dir/console,append=on" -serial chardev:console \
		-chardev stdio,id=report,signal=off -serial chardev:report \
		-kernel "$vmlinuz" -append "$kernel_arguments $append" "$@"
}

# guest_payload: the disk that the guest's agent mounts. Its size is that of the disk
# that a saved guest had.
guest_payload() {
	mke2fs -q -t ext2 -d "$dir/payload" "$dir/payload.img" 512M >/dev/null
	: >"$dir/report"
	mkfifo "$dir/answers" "$dir/monitor.in" "$dir/monitor.out"
}

# guest_disks [SAVED]: a throw-away disk, that of a saved guest or else a copy of $disk,
# and the payload
guest_disks() {
	if [ -n "${1-}" ]; then
		cp "$1" "$dir/disk.qcow2"
	else
		qemu-img create -q -f qcow2 -b "$disk" -F raw "$dir/disk.qcow2"
	fi
	guest_payload
}

# guest_answers off|save [run]: pass on what the guest reports. Whenever it is ready, tell it
# what to do: run its payload, unless that is running already, and then go, off or saved.
guest_answers() {
	then=$1 ran=${2-}
	[ ! -e "$dir/payload/run" ] || [ -n "$ran" ] || ran=no
	while read -r line; do
		case $line:$ran in
		ready:no)
			ran=yes
			echo "run $(date +%s)" >"$dir/answers"
			;;
		ready:*)
			if [ "$then" = save ]; then
				printf 'savevm ready\nquit\n' >"$dir/monitor.in"
			else
				echo off >"$dir/answers"
			fi
			;;
		*) echo "$line" ;;
		esac
	done
}

# guest_boot ARGUMENTS [OPTION...]: one boot of a guest with systemd from $dir's disks, with
# these kernel arguments and options for QEMU besides, up to its power off; or, if $then is
# save, until it is saved. With the option "-loadvm ready" it is the saved guest that goes on.
# Its agent runs /payload/run, if there is one. Prints and keeps its report. It has one CPU: a
# second one costs a fifth more, and is what the bare guests are about.
guest_boot() {
	arguments=$1 ran=
	shift
	case " $* " in
	*" -loadvm "*)
		ran=yes
		echo "run $(date +%s)" >"$dir/answers" &
		;;
	esac
	qemu "root=/dev/vda rw $arguments" -initrd "$initrd" -smp 1 "$@" \
		-chardev "pipe,id=monitor,path=$dir/monitor" -mon monitor \
		-drive "file=$dir/disk.qcow2,if=virtio,cache=unsafe" \
		-drive "file=$dir/payload.img,format=raw,if=virtio,readonly=on" \
		<>"$dir/answers" | guest_answers "${then:-off}" "$ran" | tee -a "$dir/report"
}

# guest_full [SAVED [ARGUMENTS]]: a guest with systemd, a saved one if there is one, or booted
# with these kernel arguments; then booted as often as it asks for, but not again after a boot
# of which it says nothing
guest_full() {
	guest_disks "${1-}"
	arguments=${2-} size=-1
	set -- ${1:+-loadvm ready}
	while [ "$(stat -c %s "$dir/report")" -gt $size ]; do
		size=$(stat -c %s "$dir/report")
		guest_boot "$arguments" "$@"
		set --
		last=$(tail -n 1 "$dir/report")
		[ "${last#reboot}" != "$last" ] || break
		arguments=${last#reboot}
		next=$(sed -n 's/^kernel //p' "$dir/report" | tail -n 1)
		[ -z "$next" ] || [ -e "$dir/vmlinuz-$next" ] || take_kernel "$next"
	done
}

# take_kernel RELEASE: of the guest's disk, for the next boots
take_kernel() {
	qemu-img convert -O raw "$dir/disk.qcow2" "$dir/disk.img"
	debugfs -c -R "dump /boot/vmlinuz-$1 $dir/vmlinuz-$1" "$dir/disk.img" 2>/dev/null
	debugfs -c -R "dump /boot/initrd.img-$1 $dir/initrd.img-$1" "$dir/disk.img" 2>/dev/null
	rm "$dir/disk.img"
	vmlinuz=$dir/vmlinuz-$1 initrd=$dir/initrd.img-$1
}

# booted: set $saved to the guest of use_guest, as it is when it has booted; it is made
# once for each disk and QEMU
booted() {
	saved=$store/booted-$({ echo "$store smp 1 $kernel_arguments"; cat "$store/key"; qemu-system-x86_64 --version; } | sha256sum | cut -c 1-12).qcow2
	[ ! -e "$saved" ] || return 0
	before=${dir-} dir=$store/booting
	rm -rf "$dir" "$store"/booted-*
	mkdir -p "$dir/payload"
	guest_disks
	then=save
	guest_boot ""
	then=off
	if qemu-img snapshot -l "$dir/disk.qcow2" | grep -q ready; then
		mv "$dir/disk.qcow2" "$saved"
	fi
	dir=$before
	[ -e "$saved" ]
}

# guest_bare ARGUMENTS [OPTION...]: a guest with nothing but busybox and /payload,
# whose first process runs /payload/run; with these arguments for the kernel and
# options for QEMU. Prints and keeps its report.
guest_bare() {
	rm -rf "$dir/initramfs"
	mkdir -p "$dir/initramfs/bin" "$dir/initramfs/proc" "$dir/initramfs/sys" "$dir/initramfs/dev"
	cp "$root/bin/busybox" "$dir/initramfs/bin"
	cp "$top/tests/rig/init" "$dir/initramfs/init"
	cp -a "$dir/payload" "$dir/initramfs/payload"
	(cd "$dir/initramfs" && find . | cpio --quiet -oH newc) >"$dir/initramfs.cpio"
	arguments=$1
	shift
	qemu "$arguments" -initrd "$dir/initramfs.cpio" "$@" | tee "$dir/report"
}
