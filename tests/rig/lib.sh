# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# Functions for scripts in a guest or a chroot: they report results (see rig.sh) and inspect the
# system. They work with busybox's sh and with dash.

switch=/sys/kernel/tcp_connect_logger/enabled
parameter=/sys/module/tcp_connect_logger/parameters/enabled
rate_limit=/sys/module/tcp_connect_logger/parameters/rate_limit
livepatches=/sys/kernel/livepatch
patch=$livepatches/tcp_connect_logger
tracing=/sys/kernel/tracing
event=$tracing/events/tcp_connect_logger/tcp_connect
event_module=/sys/module/tcp_connect_logger_event

note() {
	echo "# $*"
}

figure() {
	echo "# figure: $*"
}

# name_of NAME: print the name of an assertion on one line
name_of() {
	case $1 in
	*"
"*) printf %s "$1" | tr '\n' '|' ;;
	*) printf %s "$1" ;;
	esac
}

ok() {
	echo "ok - $(name_of "$1")"
}

# not_ok NAME [WHY]: report a failure, and print the last lines of WHY, indented
not_ok() {
	echo "not ok - $(name_of "$1")"
	[ -z "${2-}" ] || printf '%s\n' "$2" | tail -n 40 | cut -c 1-400 | sed 's/^/#   /'
}

skip() {
	echo "ok - $(name_of "$1") # SKIP $2"
}

# differences EXPECTED ACTUAL
differences() {
	printf '%s\n' "$1" >/tmp/rig.expected
	printf '%s\n' "$2" >/tmp/rig.actual
	diff -U 2 -L expected -L actual /tmp/rig.expected /tmp/rig.actual
}

# equals NAME EXPECTED ACTUAL
equals() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "$(differences "$2" "$3")"
	fi
}

# matches NAME PATTERN ACTUAL: PATTERN is a shell pattern
matches() {
	# shellcheck disable=SC2254 # it is a pattern
	case $3 in
	$2) ok "$1" ;;
	*) not_ok "$1" "expected to match:
$2
actual:
$3" ;;
	esac
}

# succeeds NAME COMMAND...: set $output to the command's output
succeeds() {
	test_name=$1
	shift
	if output=$("$@" 2>&1); then
		ok "$test_name"
	else
		not_ok "$test_name" "$* failed:
$output"
	fi
}

fails() {
	test_name=$1
	shift
	if output=$("$@" 2>&1); then
		not_ok "$test_name" "$* succeeded:
$output"
	else
		ok "$test_name"
	fi
}

# exits NAME STATUS COMMAND...: set $output to the command's output
exits() {
	test_name=$1 expected=$2 status=0
	shift 2
	output=$("$@" 2>&1) || status=$?
	equals "$test_name: exit status" "$expected" "$status"
}

# reports_nothing NAME COMMAND...
reports_nothing() {
	test_name=$1
	shift
	output=$("$@" 2>&1)	# in a subshell
	equals "$test_name reports nothing" "" "$output"
}

# apt_get ARGUMENT...: run apt-get without questions and without a pty. If $in_chroot is set, run it
# in this chroot.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

apt_get() {
	${in_chroot:+chroot "$in_chroot"} apt-get -y -o Dpkg::Use-Pty=0 "$@"
}

# stop_at COMMAND PATTERN: from now on, COMMAND stops forever if its arguments match the shell
# pattern, and otherwise runs as usual. go_on or a reboot restores the command.
stops=/tmp/rig.stops

stop_at() {
	stopping=$(readlink -f "$(command -v "$1")")
	mkdir -p $stops
	rm -f $stops/stopped
	cp "$stopping" "$stops/$1"
	cat >"$stops/$1.stop" <<-EOF
		#!/bin/sh
		case "\$*" in
		$(echo "$2" | sed 's/ /\\ /g'))
			echo "\$0 \$*" >$stops/stopped
			exec sleep infinity
			;;
		esac
		exec $stops/$1 "\$@"
	EOF
	chmod +x "$stops/$1.stop"
	mount --bind "$stops/$1.stop" "$stopping"
}

go_on() {
	umount "$stopping"
}

# has_stopped: true if COMMAND has stopped, or if it cannot stop any more because the interrupted
# program has ended
has_stopped() {
	[ -e $stops/stopped ] || ! kill -0 $interrupted
}

# begin_and_stop NAME COMMAND...: run the program in a new session, and wait until it reaches the
# command of stop_at
begin_and_stop() {
	test_name=$1
	shift
	setsid "$@" >/tmp/rig.interrupted 2>&1 &
	interrupted=$!
	wait_until 1500 has_stopped
	if [ -e $stops/stopped ]; then
		ok "$test_name"
	else
		not_ok "$test_name" "$(cat /tmp/rig.interrupted)"
	fi
}

# no_process_of GROUP: true if no process of this group runs: only then are all its locks free
no_process_of() {
	sed 's/.*) //' /proc/[0-9]*/stat |
		awk -v group="$1" '$3 == group && $1 != "Z" { runs = 1 } END { exit runs }'
}

# kill_stopped: kill the interrupted program and all its child processes
kill_stopped() {
	kill -KILL -$interrupted
	wait $interrupted 2>/dev/null
	await 60 no_process_of $interrupted
	go_on
}

# The points at which an upgrade is interrupted. stop_at_point has the command that stops at each
# point.
points="prerm unpacked postinst build swapped"

stop_at_point() {
	case $1 in
	prerm) stop_at ln '*kept-source *' ;;			# maintain keep
	unpacked) stop_at dpkg '*--configure*' ;;		# by apt
	postinst) stop_at dkms 'add *' ;;			# maintain install
	build) stop_at ld '*tcp-connect-logger.ko*' ;;		# Kbuild
	swapped) stop_at rm '-rf /run/tcp-connect-logger' ;;	# the end of maintain install
	esac
}

# nothing_left NAME: check that nothing of the module is left in the kernel
nothing_left() {
	equals "$1: nothing of the module is left" "" \
		"$(ls -d /sys/module/tcp_connect_logger* ${switch%/*} $patch $event 2>/dev/null)"
}

# mark: log() prints only lines of the kernel's log after this mark
marks=0
mark() {
	[ $marks -gt 0 ] || echo on >/proc/sys/kernel/printk_devkmsg # no rate limit
	marks=$((marks + 1))
	echo "rig: mark $$.$marks" >/dev/kmsg
}

# ours: from the output of dmesg -r, print the module's lines, with their level and without their
# time. Leave out the lines that the kernel itself prints in the module's name when it loads the
# module.
ours() {
	sed -n '/taint/d; s/^\(<[0-9]*>\)\[[^]]*\] \(tcp_connect_logger: \)/\1\2/p'
}

# log: print the module's lines since the mark
log() {
	dmesg -r | sed -n "/rig: mark $$.$marks\$/,\$p" | ours
}

# connection [OPTION...] KIND ADDRESS PORT: make a connection, and set $pid and $result
connection() {
	output=$(/payload/connect "$@")
	pid=${output#pid=}
	pid=${pid%% *}
	result=${output#*result=}
}

# record PID UID COMM ADDRESS PORT: print the expected log line of a connection
record() {
	case $4 in
	*:*) set -- "$1" "$2" "$3" "[$4]" "$5" ;;
	esac
	echo "<6>tcp_connect_logger: pid=$1 uid=$2 comm=$3 -> $4:$5"
}

# lines_since_mark: print the number of records since the mark
lines_since_mark() {
	log | grep -c -e ' -> '
}

# reported_since_mark REASON: print the number of connections that were reported as not logged for
# this reason, which is a sed pattern
reported_since_mark() {
	log | sed -n "s/^<4>tcp_connect_logger: \([1-9][0-9]*\) connections not logged ($1)\$/\1/p" |
		awk '{ sum += $1 } END { print sum + 0 }'
}

# for_all_kinds: set up the network for all kinds of connections. If ipv6 is a module, the payload has
# it, and this function loads it first.
for_all_kinds() {
	[ ! -e /payload/ipv6.ko ] || insmod /payload/ipv6.ko
	echo 7 >/proc/sys/net/ipv4/tcp_fastopen	# fastopen-connect then waits for data
	ip route add 203.0.113.0/24 dev lo	# nobody answers from this network
}

# has_histograms: true if the kernel has hist triggers (CONFIG_HIST_TRIGGERS); Debian's 5.10 has none
has_histograms() {
	[ -e $event/hist ]
}

# load_event FILE: load the module of the trace event that belongs to this livepatch
load_event() {
	insmod "${1%.ko}-event.ko"
}

# enter_cgroup: move this shell and its children to a new cgroup; leave_cgroup: move it back to
# the root cgroup
cgroups=/sys/fs/cgroup

enter_cgroup() {
	mkdir $cgroups/rig
	echo $$ >$cgroups/rig/cgroup.procs
}

leave_cgroup() {
	echo $$ >$cgroups/cgroup.procs
	rmdir $cgroups/rig
}

as_nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"

# forge ADDRESS: forge records of connections to the address. As an unprivileged user, write them to
# the kernel's log (after a line break in a message of the kernel), to the journal and to /dev/log.
# As root, write one to /dev/kmsg.
forge() {
	forged="tcp_connect_logger: pid=1 uid=0 comm=forged -> $1:22"
	modprobe -q overlay
	$as_nobody unshare -Urm mount -t overlay overlay /mnt \
		-o "lowerdir=/,workdir=/,upperdir=/none
$forged
" 2>/dev/null
	printf '%s\n' "MESSAGE=$forged" _TRANSPORT=kernel SYSLOG_FACILITY=0 PRIORITY=6 SYSLOG_IDENTIFIER=kernel |
		$as_nobody logger --journald 2>/dev/null
	$as_nobody logger -p kern.info -t kernel "$forged" 2>/dev/null
	echo "<6>$forged" >/dev/kmsg
}

# events_in: extract the events from a tracer's output, with unpredictable values masked
events_in() {
	sed -n 's/^.*tcp_connect: *pid=/pid=/p' |
		sed 's/ cookie=[1-9][0-9]* / cookie=C /; s/ skaddr=[0-9a-f(][^ ]*$/ skaddr=A/'
}

# event_of ADDRESS [COMM]: print the expected event of the last connection, which a process in this
# shell's cgroup has made. If a port refuses it, the kernel learns that after the call.
event_of() {
	case $result in
	ECONNREFUSED) ret=0 ;;
	ENETUNREACH) ret=-101 ;;
	esac
	cgroup=$cgroups$(sed -n 's/^0:://p' /proc/self/cgroup)
	family=AF_INET
	case $1 in *:*) family=AF_INET6 ;; esac
	echo "pid=$pid uid=0 comm=${2:-connect} family=$family daddr=$1 dport=9" \
		"ret=$ret netns=$(stat -Lc %i /proc/self/ns/net) cgroup=$(stat -c %i "$cgroup") cookie=C skaddr=A"
}

# counters: print the module's counters as "seen logged suppressed"
counters() {
	(cd ${switch%/*} && cat seen logged suppressed) | tr '\n' ' ' | sed 's/ $//'
}

# since SEEN LOGGED SUPPRESSED: print how much the counters have grown from these values
since() {
	# shellcheck disable=SC2046 # words
	set -- "$@" $(counters)
	echo "$(($4 - $1)) $(($5 - $2)) $(($6 - $3))"
}

# wait_until SECONDS COMMAND...: repeat the command until it succeeds; fail after this time
wait_until() {
	tries=$(($1 * 5))
	shift
	while ! "$@" 2>/dev/null; do
		[ $tries -gt 0 ] || return 1
		tries=$((tries - 1))
		sleep 0.2
	done
}

# await SECONDS COMMAND...: the same, for a step of a test: report it if the time runs out
await() {
	wait_until "$@" || not_ok "within $1 s: $(shift; echo "$*")"
}

# waits PROCESS: true if the process waits for input in poll(2) or ppoll(2)
waits() {
	case $(cut -d ' ' -f 1 "/proc/$1/syscall") in
	7 | 271) ;;
	*) return 1 ;;
	esac
}

# waits_for_more PROCESS: true if the process sleeps in a system call, so that it has nothing left to
# read
waits_for_more() {
	case $(cut -d ' ' -f 1 "/proc/$1/syscall") in
	running | -1 | "") return 1 ;;
	esac
}

# start_bpf ARGUMENT...: start tests/guest/bpf.c with these arguments; only one can run at a time
start_bpf() {
	mkfifo /tmp/rig.commands /tmp/rig.answers
	/payload/bpf "$@" </tmp/rig.commands >/tmp/rig.answers &
	bpf_process=$!
	exec 3>/tmp/rig.commands 4</tmp/rig.answers
}

# bpf COMMAND: send it to the program that start_bpf started, and print the answer; fail unless it is
# the command itself
bpf() {
	echo "$1" >&3
	read -r answer <&4
	echo "$answer"
	[ "$answer" = "$1" ]
}

stop_bpf() {
	exec 3>&- 4<&-
	rm /tmp/rig.commands /tmp/rig.answers
	wait "$bpf_process"
}

# transition_over PATCH: true if the livepatch is not in transition, or is gone
transition_over() {
	[ "$(cat "$1/transition" 2>/dev/null || echo 0)" = 0 ]
}

# no_journald: stop journald, and the sockets that would start it again
no_journald() {
	systemctl stop systemd-journald.socket systemd-journald-dev-log.socket \
		systemd-journald-audit.socket systemd-journald
}

# unpack PACKAGE: install only the files of the package, and do not configure it
unpack() {
	dpkg --unpack --force-depends /payload/"$1"_*.deb >/dev/null 2>&1
}

# disable_patch PATCH: disable a livepatch as Documentation/livepatch/livepatch.rst describes
disable_patch() {
	echo 0 >"$1/enabled"
	wait_until 60 test ! -d "$1"
}

# load FILE [PARAMETER...]: load a livepatch, and wait for its transition
load() {
	loaded=$(basename "$1" .ko | tr - _)
	insmod "$@" && wait_until 60 transition_over "$livepatches/$loaded"
}

# unload MODULE: unload the module. If it is an active livepatch, disable it first. If it is ours,
# remove the module of the trace event before it.
unload() {
	[ "$1" != tcp_connect_logger ] || [ ! -e $event_module ] ||
		wait_until 20 rmmod tcp_connect_logger_event || return
	[ ! -d "$livepatches/$1" ] || disable_patch "$livepatches/$1"
	wait_until 20 rmmod "$1"
}

# ---- Readers of the trace event

# lines NAME NUMBER: true if /tmp/NAME has at least so many lines
lines() {
	[ "$(wc -l <"/tmp/$1")" -ge "$2" ]
}

# makes NAME UID ADDRESS PORT: make connection number N, and set $pid_N to its process ID and
# $line_N to its record
makes() {
	connection -n "$1" -u "$2" blocking "$3" "$4"
	line=$(record "$pid" "$2" "$1" "$3" "$4")
	number=$((number + 1))
	eval "pid_$number=$pid line_$number='${line#<6>tcp_connect_logger: }'"
}

# series: make four connections that differ in each filter's field
series() {
	number=0
	makes alpha 0 127.0.0.1 9
	makes 'be\x20ta' 33 198.51.100.1 443
	makes gamma 0 2001:db8::1 443
	makes '\x0a\xc3\xa9\x5cx\xff' 12345 ::1 9
}

# those NUMBER...: print these records of the series as follow writes them to a pipe
those() {
	for one in "$@"; do
		eval "echo \"TIME \$line_$one\""
	done
}

# records: true if the recorder with the process ID $recorder waits for records. $recorded is the
# event's directory in its trace instance.
records() {
	cat "$recorded"*/enable | grep -q 1 && waits "$recorder"
}

# The fields that the event tcp_connect has: a recorder then uses it, and not the more expensive one.
lean_fields=pid,uid,comm,family,daddr,dport,ret,netns,cgroup,cookie

# bare_recorder: from now on, "starts OPTION..." starts a recorder in a guest without the package, which
# has it in its payload; "ends" ends it and removes what it has left, and "objects" prints what it has
# stored.
bare_recorder() {
	command=/payload/recorder
	instance=$tracing/instances/tcp-connect-logger-record
	recorded=$instance/events/tcp_connect_logger/tcp_connect
	logs=/tmp/logs

	starts() {
		mkdir -p /run $logs
		$command/ld-linux-x86-64.so.2 --library-path $command $command/tcp-connect-logger \
			record --directory $logs "$@" 2>/tmp/errors &
		recorder=$!
		await 60 records
		[ ! -s /tmp/errors ] || note "$(cat /tmp/errors)"
	}

	ends() {
		kill $recorder
		wait $recorder
		rmdir $instance
		rm -r $logs
	}

	objects() {
		cat $logs/*.json
	}
}

# sums: print the number of records, and the number of connections that were lost. objects is a
# function of the test that prints what is stored.
sums() {
	objects | awk -F '"count":' '
		/"event":"lost"/ { lost += $2 + 0 }
		!/"event":/ { records++ }
		END { print records + 0, lost + 0 }'
}

# total: print the sum of both
total() {
	sums | awk '{ print $1 + $2 }'
}

# accounted NUMBER: true if so many connections are stored or lost
accounted() {
	[ "$(total)" -ge "$1" ]
}
