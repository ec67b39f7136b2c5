#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# guest-cost.sh ROUND BURST COUNT SUBJECT... - measure what each subject adds to a connect, in a
# guest with systemd in which an instruction takes a nanosecond
#
# To count how many records a subject keeps, it makes BURST connections at full speed; 0 skips this.
# It measures at most COUNT connects that fail at once, and COUNT / 10 to a listener.
# Prints, separated by tabs: bench ROUND SUBJECT MEASURE VALUE. It skips a subject that this
# guest does not have.

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

round=$1 burst=$2 count=$3
shift 3
out=/tmp/out stored=/var/log/tcp-connect-logger
consumer=

result() {
	printf 'bench\t%s\t%s\t%s\t%s\n' "$round" "$subject" "$1" "$2"
}

# cost ARGUMENT...: set $thread and $whole to the cost for the thread and for the machine
cost() {
	figures=$(/payload/cost "$@") || figures="- -"
	thread=${figures% *} whole=${figures#* }
}

# consume COMMAND...: run it in the background; its output goes to $out
consume() {
	"$@" >$out 2>/tmp/stderr &
	consumer=$!
}

records() {
	grep -a -c -e '-> 198\.51\.100\.1:9' -e '-> 127\.0\.0\.1:7777' "$@"
}

ours() {
	load /payload/tcp-connect-logger.ko rate_limit=1000000 "$@"
}

# ---- The subjects. start_X fails if X is not available. kept_X, if defined, prints the number
# of records. stop_X, if defined, does more than unload our module and end the consumer.

start_nothing() { :; }

start_empty() { load /payload/empty.ko; }
stop_empty() { unload empty; }

start_off() { ours; }

start_log() { ours enabled=1; }
kept_log() { dmesg | records; }

start_kmsg() {
	ours enabled=1
	consume cat /dev/kmsg
}
kept_kmsg() { records $out; }

start_rsyslogd() {
	ours enabled=1
	dmesg -C
	systemctl start rsyslog
	consumer=$(systemctl show -P MainPID rsyslog)
}
stop_rsyslogd() {
	systemctl stop rsyslog.socket syslog.socket rsyslog
	rm -f /var/log/syslog /var/log/kern.log
}
kept_rsyslogd() { records /var/log/kern.log; }

start_journald() {
	ours enabled=1
	systemctl start systemd-journald
	consumer=$(systemctl show -P MainPID systemd-journald)
}
stop_journald() {
	no_journald
	rm -rf /var/log/journal/*
}
kept_journald() { journalctl -k -o cat | records; }

start_event() {
	ours
	load_event /payload/tcp-connect-logger.ko
	echo 1 >$event/enable
	consume cat $tracing/trace_pipe
}
stop_event() { echo 0 >$event/enable; }
kept_event() { grep -c ' tcp_connect: ' $out; }

start_hist() {
	ours
	load_event /payload/tcp-connect-logger.ko
	has_histograms || return
	echo 'hist:keys=comm,daddr,dport' >$event/trigger
}
stop_hist() { echo '!hist:keys=comm,daddr,dport' >>$event/trigger; }
kept_hist() { sed -n 's/^ *Hits: //p' $event/hist; }

# recorder OPTION...
recorder() {
	ours
	load_event /payload/tcp-connect-logger.ko
	mkdir -p $stored
	consume /payload/tcp-connect-logger record --directory $stored "$@"
	wait_until 60 waits "$consumer"
}

start_record() { recorder --fields $lean_fields; }
stop_record() {
	rmdir $tracing/instances/tcp-connect-logger-record
	rm -rf $stored
}
kept_record() {
	cat $stored/*.json | grep -v '"event":' |
		grep -c -e '"198\.51\.100\.1","dport":9,' -e '"127\.0\.0\.1","dport":7777,'
}

start_record_origin() { recorder; }
stop_record_origin() { stop_record; }
kept_record_origin() { kept_record; }

start_record_result() { recorder --result; }
stop_record_result() { stop_record; }

start_kprobe() { insmod /payload/kprobe.ko; }
stop_kprobe() { rmmod kprobe; }
kept_kprobe() { dmesg | records; }

start_kprobe_event() {
	echo 'p:bench tcp_v4_connect family=+0(%si):u16 port=+2(%si):u16 addr=+4(%si):u32' \
		>$tracing/kprobe_events
	echo 1 >$tracing/events/kprobes/bench/enable
	consume cat $tracing/trace_pipe
}
stop_kprobe_event() {
	echo 0 >$tracing/events/kprobes/bench/enable
	echo >$tracing/kprobe_events
}
kept_kprobe_event() { grep -c ' bench: ' $out; }

start_perf_trace() { consume perf trace -e connect -o $out; }
kept_perf_trace() { grep -c 'connect(' $out; }

start_auditd() {
	systemctl start auditd
	auditctl -a always,exit -F arch=b64 -S connect >/dev/null
	consumer=$(systemctl show -P MainPID auditd)
}
stop_auditd() {
	auditctl -D >/dev/null
	auditctl -e 0 >/dev/null
	kill "$consumer"
	rm -f /var/log/audit/*
}
kept_auditd() { cat /var/log/audit/audit.log* | grep -c 'type=SYSCALL.* comm="cost"'; }

start_libbpf() {
	tool=$(command -v tcpconnect-libbpf || command -v tcpconnect) || return
	consume stdbuf -oL "$tool"
}
kept_libbpf() { grep -c ' cost ' $out; }

start_bcc() { consume stdbuf -oL python3 -u /usr/sbin/tcpconnect-bpfcc; }
kept_bcc() { grep -c ' cost ' $out; }

start_bpftrace() { consume bpftrace /usr/sbin/tcpconnect.bt; }
kept_bpftrace() { grep -c ' cost ' $out; }

# ---- The measures

memory() {
	sed -n "s/^$1 \([0-9]*\) .*/\1/p" /proc/modules
}

# ready: a tool that starts slowly has seen a connect
ready() {
	/payload/cost -n 1 listener 127.0.0.1 7777 >/dev/null
	sleep 1
	[ "$("kept_$subject" 2>/dev/null)" != 0 ]
}

# burst KIND: set $kept to the number of records of $burst connections, made at full speed
burst() {
	dmesg -C
	# At this rate, printing takes more than half of each second.
	[ ! -e $rate_limit ] || echo 0 >$rate_limit
	before=$("kept_$subject")
	# shellcheck disable=SC2086 # words
	/payload/cost -n "$burst" $1 >/dev/null
	sleep 60
	kept=$(($("kept_$subject") - before))
	[ $kept -le "$burst" ] || kept=$burst	# the warm-up adds some
}

stop() {
	case $subject in
	rsyslogd | journald | auditd) ;;
	*)
		[ -z "$consumer" ] || kill "$consumer"
		wait
		;;
	esac
	! command -v "stop_$subject" >/dev/null || "stop_$subject"
	[ ! -d $patch ] || unload tcp_connect_logger
	consumer=
	rm -f $out
}

measure() {
	if ! "start_$subject"; then
		note "$subject: not to be had here"
		return
	fi
	case $subject in
	perf_trace | libbpf | bcc | bpftrace)
		if ! wait_until 60 ready; then
			note "$subject: records nothing: $(name_of "$(cat /tmp/stderr)")"
			stop
			return
		fi
		;;
	esac
	sleep 5
	# Enough connects that fail at once to outweigh the machine's own work. If a consumer
	# reads the records, a batch is limited to the number that may wait for it.
	fails=$count batch=10000 full_batch=250
	case $subject in
	record*) full_batch=3000 ;;	# it reads a buffer that is larger than any batch
	kmsg) batch=1000 ;;
	rsyslogd) batch=250 ;;	# in larger batches its threads alternate in a pattern that differs between runs
	journald) fails=$((count * 3 / 10)) batch=1000 ;;	# it is slow
	event | kprobe_event | perf_trace | auditd) fails=$((count / 10)) batch=1000 ;;
	esac
	cost -n "$fails" -w $batch connect 198.51.100.1 9
	result fails_thread "$thread"
	result fails_whole "$whole"
	cost -n $((count / 10)) -w $full_batch listener 127.0.0.1 7777
	result full_thread "$thread"
	result full_whole "$whole"
	[ -z "$consumer" ] ||
		result consumer_kib "$(sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$consumer/smaps_rollup")"
	for module in tcp_connect_logger kprobe; do
		[ ! -e /sys/module/$module ] || result module_bytes "$(memory $module)"
	done
	if [ "$burst" -gt 0 ] && command -v "kept_$subject" >/dev/null; then
		burst "connect 198.51.100.1 9"
		[ "$kept" != 0 ] || burst "listener 127.0.0.1 7777"
		result kept "$kept"
	fi
	stop
}

printf 'bench\t0\tkernel\trelease\t%s\n' "$(uname -r)"
echo 4 >/proc/sys/kernel/printk
systemctl stop rsyslog.socket syslog.socket rsyslog auditd prometheus-node-exporter '*.timer' 2>/dev/null
no_journald
# The host decides when writes to a disk happen, so use tmpfs.
for directory in /tmp /var/log; do
	mount -t tmpfs -o size=2G rig $directory
done
mkdir /var/log/journal		# otherwise the journal is in /run, which limits its size
mkdir -m 750 /var/log/audit
sleep 60
for subject in "$@"; do
	measure
done
echo end
