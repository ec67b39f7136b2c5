# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# The test rig, to be sourced. It runs chroots and guests. bench/ uses it, too.
#
# A test uses the functions of rig/lib.sh to report its results on standard output. In a guest,
# standard output is the second serial port. Each report is one line:
#
#	ok - NAME
#	ok - NAME # SKIP WHY
#	not ok - NAME
#	# TEXT			a remark; "# figure: TEXT" is also shown at the end of the job
#	kernel RELEASE		boot this kernel from the guest's disk from now on
#	reboot [ARGUMENTS]	the guest powers off; start it again with these kernel arguments
#	end			the test is complete; a test without this line has failed
#
# rig/tap.awk converts this to TAP.

: "${ACCEL:=tcg}"

top=$(cd "$(dirname "$0")/.." && pwd)
cache=${TCL_CACHE:-/var/cache/tcp-connect-logger}
work=$top/build/rig

timeout=3000	# seconds, for a chroot or one boot of a guest

rig_packages="apt-utils build-essential clang cpio createrepo-c curl debhelper e2fsprogs fakeroot
	fish gdb-minimal gpg gpg-agent jq libbpf-dev libclang-rt-dev libelf-dev libjansson-dev
	libkmod-dev libncurses-dev libsmartcols-dev libsystemd-dev libtraceevent-dev libtracefs-dev
	lintian mmdebstrap pkgconf qemu-system-x86 qemu-utils rpm rpmlint shellcheck valgrind zlib1g-dev
	zsh"

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
	# Use Debian's tools, even if the user has others in the path: mmdebstrap starts python3 for
	# each package
	export PATH=/usr/sbin:/usr/bin:/sbin:/bin
	mkdir -p "$cache" "$work"
}

# missing_packages: print the packages of $rig_packages that are not installed
missing_packages() {
	for package in $rig_packages; do
		[ "$(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			printf ' %s' "$package"
	done
}

need_packages() {
	missing=$(missing_packages)
	[ -n "$missing" ] || return 0

	say "installing on this machine with apt:$missing"
	apt-get -q update
	# shellcheck disable=SC2086 # a list
	DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing
}

# need_source: get files of the kernel's source into $cache/linux: checkpatch, and the kernel's
# livepatch sample
need_source() {
	[ ! -e "$cache/linux" ] || return 0

	say "downloading files of the kernel's source"
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
	) || die "cannot download the kernel's source"
	mv "$cache/linux.new" "$cache/linux"
}

# shellcheck source=tests/rig/root.sh
. "$top/tests/rig/root.sh"

# plan_of SUITE: print the kernels that tests/run found for the suite, one per line: suite, archive,
# release, role, and use. The role is "line" for the kernel that represents its line (6.1, 6.12) and
# gets most tests, or else "other". The use is "wanted" if $KERNELS matches, or else "guest" if
# guests with systemd have the kernel, or else "-".
plan_of() {
	awk -v suite="$1" '$1 == suite' "$work/plan"
}

# built_of SUITE: print the releases of the kernels for which modules are built
built_of() {
	plan_of "$1" | awk '$5 != "-" { printf "%s%s", n++ ? " " : "", $3 }'
}

# neighbours_for SUITE: print the releases of the kernels whose guests also load other modules
neighbours_for() {
	plan_of "$1" | awk -v all="${ALL-}" '$5 != "-" && (all || $4 == "line" || $5 == "guest" || /-cloud-/) {
		printf "%s%s", n++ ? " " : "", $3 }'
}

# make_package DIRECTORY [TREE [TARGETS]]: build the packages in DIRECTORY, from this tree or from
# TREE, with make's TARGETS. Set $deb to the module's package.
make_package() {
	mkdir -p "$1"
	# shellcheck disable=SC2086 # a list
	make -s -C "${2:-$top}" ${3:-deb} build="$1" dist="$1/dist" >"$1/make.log" 2>&1 || {
		cat "$1/make.log"
		die "make ${3:-deb} failed"
	}
	deb=$(echo "$1"/dist/*-dkms_*.deb)
}

# tool NAME OPTION...: compile a program for the guests to $work/NAME
tool() {
	tool=$1
	shift
	gcc -static -O2 -Wall -Wextra -Werror -o "$work/$tool" "$top/tests/guest/$tool.c" "$@"
}

# copy_tree DIRECTORY: copy this tree, without build results
copy_tree() {
	mkdir -p "$1"
	tar -C "$top" --exclude=./.git --exclude=./build --exclude=./dist -c . | tar -C "$1" -x
}

# make_version VERSION[-REVISION] [COMMAND]: in a copy of this tree, change the version, run COMMAND,
# and build the packages: $work/versions/VERSION.deb and .rpm for the module, and VERSION.command.deb
# and .rpm for the command
make_version() {
	tree=$work/versions/$1.tree revision=${1#*-}
	copy_tree "$tree"
	[ "$revision" != "$1" ] || revision=1
	sed -i "1s/(.*)/(${1%-*}-$revision)/" "$tree/debian/changelog"
	(cd "$tree" && eval "${2-}")
	DEB_BUILD_OPTIONS=nocheck make_package "$tree/out" "$tree" "deb rpm debs=binary rpms=--nocheck"
	cp "$deb" "$work/versions/$1.deb"
	cp "$tree"/out/dist/tcp-connect-logger_*.deb "$work/versions/$1.command.deb"
	cp "$tree"/out/dist/*.noarch.rpm "$work/versions/$1.rpm"
	cp "$tree"/out/dist/*.x86_64.rpm "$work/versions/$1.command.rpm"
}

# new_payload NAME COMMAND FILE...: make $dir, the directory of one chroot or guest. $dir/payload
# gets copies of the files, and the script "run", which runs the command.
new_payload() {
	dir=$work/$1
	rm -rf "$dir"
	mkdir -p "$dir/payload"
	printf '#!/bin/sh\nexec %s\n' "$2" >"$dir/payload/run"
	chmod +x "$dir/payload/run"
	shift 2
	[ $# = 0 ] || cp -a "$@" "$dir/payload"
}

# in_root: run /payload/run in a chroot of $root, and print its report. Only changes in /payload and
# in the compiler's cache persist. All roots of a suite share one cache, see ccache.conf. The
# compiler that uses it is in /usr/local/bin.
in_root() {
	kept=$(basename "${root%/root}")
	kept=$cache/ccache/${kept%%-*}
	mkdir -p "$kept"
	printf 'stats = true\nmax_size = 500M\n' >"$kept/ccache.conf"
	# shellcheck disable=SC2016 # for the inner shell
	timeout $timeout unshare --mount sh -euc '
		root=$1 payload=$2 kept=$3
		mount -t tmpfs -o size=4G rig /mnt
		mkdir /mnt/upper /mnt/work /mnt/root
		mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" rig /mnt/root
		mkdir -p /mnt/root/payload /mnt/root/var/cache/ccache
		mount --bind "$payload" /mnt/root/payload
		mount --bind "$kept" /mnt/root/var/cache/ccache
		mount --bind /proc /mnt/root/proc
		mount --rbind /dev /mnt/root/dev
		export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		exec chroot /mnt/root /payload/run
	' sh "$root" "$dir/payload" "$kept"
}

# For qemu: an instruction takes a nanosecond of the guest's time, and idling takes none.
count_instructions="-icount shift=0,sleep=off -smp 1"

# Arguments for the kernel of every guest. QEMU translates code again for each address at which the
# code runs. With randomized addresses, an exec takes six times as long, and an installation by DKMS
# takes three times as long. On a busy host, a guest may get no processor for a minute, and its clock
# goes on: the kernel must not take that for a stall.
kernel_arguments="console=ttyS0 no_timer_check norandmaps panic=-1 oops=panic
	rcupdate.rcu_cpu_stall_timeout=300 watchdog_thresh=60 sysctl.kernel.hung_task_timeout_secs=600"
kernel_arguments=$(echo $kernel_arguments)

# Messages that the kernel prints when something is wrong.
splat='BUG:|WARNING:|Oops|Call Trace|general protection|lockup|stall detected|self-detected stall|blocked for more than|KASAN|UBSAN|Kernel panic|possible .* locking|unreferenced object|refcount_t:'

# qemu APPEND [OPTION...]: run a guest once. The console goes to $dir/console, and the report to
# standard output.
#
# The options avoid faults in QEMU 7.2. With a thread for each CPU ($threads is multi), a CPU may
# execute an int3 forever that another CPU has removed (seen in __schedule(), when a tracepoint was
# switched off). Or the kernel finds this int3 and dies ("Oops: int3", seen when a livepatch was
# loaded). Also, cmpxchg16b corrupts the flags, including the trap flag; Debian 12's 6.12 then dies
# in kmem_cache_alloc() within seconds. On a busy host, the kernel's timer check may fail and panic,
# so it is switched off.
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

# guest_payload: make the disk that the guest's agent mounts. It must have the same size as the disk
# of a saved guest.
guest_payload() {
	mke2fs -q -t ext2 -d "$dir/payload" "$dir/payload.img" 512M >/dev/null
	: >"$dir/report"
	mkfifo "$dir/answers" "$dir/monitor.in" "$dir/monitor.out"
}

# guest_disks [SAVED]: make the payload and a throw-away disk: a copy of a saved guest's disk, or else
# an overlay of $disk
guest_disks() {
	if [ -n "${1-}" ]; then
		cp "$1" "$dir/disk.qcow2"
	else
		qemu-img create -q -f qcow2 -b "$disk" -F raw "$dir/disk.qcow2"
	fi
	guest_payload
}

# guest_answers off|save [run]: pass on the guest's report. When the guest is ready, tell it to run
# its payload, unless the payload is already running. When the guest is ready again, power it off or
# save it.
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

# guest_boot ARGUMENTS [OPTION...]: boot a guest with systemd from $dir's disks, with additional
# kernel arguments and QEMU options. Return when the guest powers off, or if $then is "save", when it
# is saved. The option "-loadvm ready" resumes a saved guest. The agent runs /payload/run if it
# exists. The report is printed and kept. The guest has only one CPU, because a second CPU would make
# it slower by a fifth. The bare guests have two CPUs.
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

# guest_full [SAVED [ARGUMENTS]]: run a guest with systemd: resume SAVED, or boot with these kernel
# arguments. Boot it again whenever it asks for a reboot, but stop after a boot without a report.
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

# take_kernel RELEASE: copy this kernel from the guest's disk, for the next boots
take_kernel() {
	qemu-img convert -O raw "$dir/disk.qcow2" "$dir/disk.img"
	debugfs -c -R "dump /boot/vmlinuz-$1 $dir/vmlinuz-$1" "$dir/disk.img" 2>/dev/null
	debugfs -c -R "dump /boot/initrd.img-$1 $dir/initrd.img-$1" "$dir/disk.img" 2>/dev/null
	rm "$dir/disk.img"
	vmlinuz=$dir/vmlinuz-$1 initrd=$dir/initrd.img-$1
}

# booted: set $saved to the guest of use_guest as it was saved after its boot. It is saved once for
# each disk and version of QEMU.
booted() {
	saved=$store/booted-$({ echo "$store smp 1 $kernel_arguments"; cat "$store/key"; qemu-system-x86_64 --version; } | sha256sum | cut -c 1-12).qcow2
	locked "$store" save_booted
}

save_booted() {
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

# guest_bare ARGUMENTS [OPTION...]: run a guest with only busybox and /payload, with these kernel
# arguments and QEMU options. Its first process runs /payload/run. The report is printed and kept.
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
