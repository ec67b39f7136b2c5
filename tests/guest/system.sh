# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# For tests in a guest with systemd: the package, and assertions about it for use after each step

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

# shellcheck disable=SC2034 # for scripts that source this
package=tcp-connect-logger-dkms tools=tcp-connect-logger
deb=$(echo /payload/*-dkms_*.deb)
version=$(dpkg-deb -f "$deb" Version)
version=${version%-*}	# without the revision of the packaging
kernel=$(uname -r)
stage_file=/root/stage

# files_of_ours: list the package's files anywhere on the disk
files_of_ours() {
	find / -xdev \( -path /payload -o -path /var/log \) -prune -o \
		-name '*tcp[-_]connect[-_]logger*' -print | sort
}

failed_units() {
	systemctl --failed --plain --no-legend
}

# audit: print the problems that the package manager reports
audit() {
	dpkg --audit
}

# healthy NAME: for use after each step
healthy() {
	equals "$1: no unit has failed" "" "$(failed_units)"
	equals "$1: the package manager reports no problems" "" "$(audit)"
}

# loaded NAME [VERSION]: check that the module is loaded, in this version, and active
loaded() {
	succeeds "$1: the transition ends" wait_until 60 transition_over $patch
	udevadm settle
	equals "$1: the loaded version" "${2:-$version}" "$(cat /sys/module/tcp_connect_logger/version)"
	equals "$1: the patch is enabled" 1 "$(cat $patch/enabled)"
	succeeds "$1: the trace event is there" test -e $event
	equals "$1: the switch belongs to root and adm" "root:adm 664" "$(stat -c '%U:%G %a' $switch)"
}

# loaded_since: print a value that changes whenever the module is loaded
loaded_since() {
	stat -c %i /sys/module/tcp_connect_logger
}

# dkms_status: print what "dkms status" prints for the package, from the links that dkms reads
# (module_status() in dkms). dkms itself takes two seconds of CPU in a chroot, and much more in an
# emulated machine. install.sh checks that the two outputs agree.
dkms_status() {
	tree=/var/lib/dkms/tcp-connect-logger
	for link in $tree/kernel-*; do
		[ ! -L "$link" ] || readlink "$link" |
			sed 's!\(.*\)/\(.*\)/\(.*\)!tcp-connect-logger/\1, \2, \3: installed!'
	done
	for source in $tree/*/source; do
		[ -L "$source" ] || continue
		dkms_version=${source%/source} dkms_version=${dkms_version##*/}
		[ -n "$(find $tree/"$dkms_version" -path '*/*/module' ! -path '*-kept/*')" ] ||
			echo "tcp-connect-logger/$dkms_version: added"
	done
}

# in_dkms NAME KERNEL...: check that the module is built for exactly these kernels
in_dkms() {
	step=$1
	shift
	equals "$step: dkms status" "$(printf "tcp-connect-logger/$version, %s, x86_64: installed\n" "$@")" \
		"$(dkms_status | sort -V)"
	for in_dkms in "$@"; do
		for module in tcp_connect_logger tcp_connect_logger_event; do
			equals "$step: modinfo finds $module for $in_dkms" "$version" \
				"$(modinfo -k "$in_dkms" -F version $module)"
		done
	done
}

not_in_dkms() {
	equals "$1: dkms status" "" "$(dkms_status)"
	equals "$1: /usr/src has no source of ours" "" "$(ls -d /usr/src/tcp-connect-logger-* 2>/dev/null)"
	fails "$1: modinfo does not find the module" modinfo tcp_connect_logger
	fails "$1: modinfo does not find the event's module" modinfo tcp_connect_logger_event
}

# What "status" shows for the trace event: nobody uses it
event_line="tcp_connect_logger:tcp_connect, off"

# status_is NAME STATUS MODULE LIVEPATCH LOGGING [KERNEL [PACKAGE]]: check the exit status and the
# exact output of "status", except the values of the counters
status_is() {
	exits "$1: status" "$2" tcp-connect-logger status
	counters='' events=
	[ "$5" = "no switch" ] || counters="
counters   seen N, logged N, suppressed N"
	[ "$3" = "not loaded" ] || events="
event      $event_line"
	equals "$1: output of status" "package    ${7:-$version}
kernel     $kernel: ${6:-built, version $version, signed by DKMS module signing key}
module     $3
livepatch  $4
logging    $5$counters$events" "$(echo "$output" | sed '/^counters/s/[0-9][0-9]*/N/g')"
}

# both FILE: print two file names: FILE, the package of the module, and the package of the command of
# the same version
both() {
	case $1 in
	*/versions/*) echo "$1 ${1%.*}.command.${1##*.}" ;;
	*.deb) echo "$1" /payload/command/*.deb ;;
	*) echo "$1" /payload/command/*.rpm ;;
	esac
}

# another_version: change the version in the file of the installed module. Remove the signature,
# because the kernel refuses a wrong one. kept_version restores the file.
another_version() {
	ko=$(modinfo -n tcp_connect_logger)
	another=${version%?}9
	cp "$ko" /root/kept.ko
	strip -g "$ko"
	LC_ALL=C sed -i "s/\([^a-z]version=\)$version/\1$another/" "$ko"
}

kept_version() {
	cp /root/kept.ko "$ko"
}

# curl_logs NAME COUNT: check that a real curl to a real server is logged COUNT times (0 or 1)
curl_logs() {
	mark
	output=$(sh -c 'echo $$; exec curl -s http://127.0.0.1:80/')
	equals "$1: curl gets the page" "a page" "${output#*
}"
	pid=${output%%
*}
	expected=
	[ "$2" = 0 ] || expected=$(record "$pid" 0 curl 127.0.0.1 80)
	equals "$1: the records of curl in the log ($2 expected)" "$expected" "$(log)"
}

# works NAME: check that the switch works: off, on, off
works() {
	curl_logs "$1, off" 0
	echo 1 >$switch
	curl_logs "$1, on" 1
	echo 0 >$switch
	curl_logs "$1, off again" 0
}

# at_boot NAME: load the module as systemd does at boot
at_boot() {
	succeeds "$1: systemd-modules-load does not fail" systemctl restart systemd-modules-load
	equals "$1: no unit has failed after systemd-modules-load" "" "$(failed_units)"
}

# The cache that run_warm() in tests/job has filled
[ ! -d /payload/ccache ] || cp -a /payload/ccache /var/cache

# Serve a page to curl.
mkdir -p /tmp/www
echo "a page" >/tmp/www/index.html
busybox httpd -p 127.0.0.1:80 -h /tmp/www

stage=$(cat $stage_file 2>/dev/null || echo first)
note "boot of stage $stage, kernel $kernel"

# power_cut STAGE POINT COMMAND...: cut the power while COMMAND runs, at this point (see
# stop_at_point). The next boot is the stage STAGE. Data that COMMAND has not synced is lost, because
# the kernel does not write anything back by itself.
power_cut() {
	reboot_into "$1"
	point=$2
	shift 2
	stop_at_point "$point"
	sync
	mount -o remount,commit=10000 /
	echo 0 >/proc/sys/vm/dirty_writeback_centisecs
	begin_and_stop "power cut at $point: the command reaches this point" "$@" >/dev/null
	if [ -e $stops/stopped ]; then
		echo b >/proc/sysrq-trigger
		exit
	fi
	not_ok "power cut at $point: the command reaches this point" "$(cat /tmp/rig.interrupted)"
}

# reboot_into STAGE [ARGUMENTS]: reboot into this stage, with these kernel arguments
reboot_into() {
	echo "$1" >$stage_file
	shift
	echo reboot "$@"
}
