#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fleet.sh KO COUNT - many records reach a collector in another network namespace, with the
# package's templates for rsyslog and for systemd's journal; the collector is down for a while
#
# The kernel's log has room for all records: the test is about what happens to them afterwards.
#
# where: tracers
# on: trixie
# from: disk
# boot: log_buf_len=64M
# payload: deb tools-deb module sequence
# arguments: /payload/tcp-connect-logger.ko "$([ -n "$ALL" ] && echo 100000 || echo 20000)"
# later: 100,000 records; `make test` uses 20,000

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
count=$2 half=$(($2 / 2))
last=198.$((18 + ($2 - 1) / 65536)).$((($2 - 1) / 256 % 256)).$((($2 - 1) % 256))
examples=/usr/share/doc/tcp-connect-logger/examples

network() {
	ip netns add collector
	ip link add to-collector type veth peer name eth0 netns collector
	ip address add 192.0.2.1/24 dev to-collector
	ip link set to-collector up
	ip -n collector address add 192.0.2.2/24 dev eth0
	ip -n collector link set eth0 up
	echo "192.0.2.2 collector.example" >>/etc/hosts
}

# addresses: the addresses that sequence connects to, in order
addresses() {
	awk -v count="$count" 'BEGIN {
		for (i = 0; i < count; i++)
			printf "198.%d.%d.%d\n", 18 + int(i / 65536), int(i / 256) % 256, i % 256
	}'
}

# Check rarely: all of this runs in one emulated machine.
has_begun() {
	sleep 2
	[ "$("${name}_collected" | wc -l)" -gt 1000 ]
}

has_ended() {
	sleep 2
	"${name}_has_last"
}

# all_come NAME LEAVES RETURNS: NAME_collected prints the addresses that have arrived, and
# NAME_has_last is true if the last one has
all_come() {
	name=$1 leaves=$2 returns=$3
	equals "$name: nothing has come before" 0 "$("${name}_collected" | wc -l)"
	# shellcheck disable=SC2046 # words
	set -- $(counters)
	echo 1 >$switch
	/payload/sequence 0 $half &
	wait_until 120 has_begun
	sequence=$!
	$leaves
	then=$("${name}_collected" | wc -l)
	wait $sequence
	/payload/sequence $half "$count"
	echo 0 >$switch
	equals "$name: the collector goes in the midst" 1 $((then < count))
	equals "$name: nothing comes meanwhile" "$then" "$("${name}_collected" | wc -l)"
	# Also count the connections that send the records
	# shellcheck disable=SC2046 # words
	set -- $(since "$@")
	equals "$name: the kernel has logged them all" "1 $1 0" "$(($1 >= count && $1 < count + 20)) $2 $3"
	$returns
	if wait_until 60 has_ended; then
		ok "$name: the last one comes"
	else
		not_ok "$name: the last one comes" "$("${name}_collected" | wc -l) have"
		journalctl --no-pager -n 30 -u systemd-journald -u systemd-journal-upload -u systemd-journal-remote |
			sed 's/^/# /'
		df / /run | sed 's/^/# /'
	fi
	"${name}_collected" >/tmp/collected
	sort /tmp/collected | uniq >/tmp/unique
	addresses >/tmp/expected
	equals "$name: none is lost" 0 "$(sort /tmp/expected | comm -23 - /tmp/unique | wc -l)"
	note "$name: $(($(wc -l </tmp/collected) - $(wc -l </tmp/unique))) came twice; $then had come as the collector went"
	awk '!seen[$0]++' /tmp/collected >/tmp/first
	equals "$name: they are in order" "" "$(diff /tmp/expected /tmp/first | head -n 5)"
}

# ---- rsyslog

rsyslog_collected() {
	sed -n 's/.*"daddr": "\(198\.1[89]\.[0-9.]*\)".*/\1/p' /var/log/tcp-connect-logger.json 2>/dev/null
}

rsyslog_has_last() {
	tail -n 20 /var/log/tcp-connect-logger.json | grep -q -F "\"$last\""
}

collector_starts() {
	ip netns exec collector rsyslogd -n -i /run/collector.pid -f /tmp/collector.conf &
	collector=$!
}

collector_ends() {
	kill $collector
	wait $collector
}

# shellcheck disable=SC2016 # rsyslog's own
rsyslog() {
	for one in sender receiver kafka elasticsearch; do
		printf '$WorkDirectory /tmp\nmodule(load="imklog")\n$IncludeConfig %s\n' \
			"$examples/rsyslog-$one.conf" >/tmp/syntax.conf
		succeeds "rsyslogd -N 1 takes rsyslog-$one.conf" rsyslogd -N 1 -f /tmp/syntax.conf
		equals "rsyslogd -N 1 has nothing to say of rsyslog-$one.conf" "" \
			"$(echo "$output" | grep -v -e 'version .*, config validation run' -e 'End of config validation run')"
	done

	mkdir -p /tmp/collector
	printf '$WorkDirectory /tmp/collector\n$IncludeConfig %s\n' $examples/rsyslog-receiver.conf >/tmp/collector.conf
	cp $examples/rsyslog-sender.conf /etc/rsyslog.d/10-tcp-connect-logger.conf
	# rsyslogd must not read what is in the log already.
	cat /proc/kmsg >/dev/null &
	wait_until 60 waits_for_more $!
	kill $!
	systemctl start rsyslog
	collector_starts
	all_come rsyslog collector_ends collector_starts
	matches "rsyslog: a record, whole" \
		'{"host":"guest","time":"20*", "dport": 9, "daddr": "198.18.0.0", "comm": "sequence", "uid": 0, "pid": [1-9]* }' \
		"$(head -n 1 /var/log/tcp-connect-logger.json)"
	equals "rsyslog: each is JSON" "$(wc -l </var/log/tcp-connect-logger.json)" \
		"$(jq -c .daddr /var/log/tcp-connect-logger.json | wc -l)"

	echo 1 >$switch
	echo 3 >$rate_limit
	/payload/sequence 0 10
	echo 0 >$switch
	succeeds "rsyslog: what is suppressed is reported" wait_until 60 \
		grep -q 'connections not logged (rate_limit=3)' /var/log/tcp-connect-logger.json
	echo 0 >$rate_limit
	collector_ends
	systemctl stop rsyslog.socket syslog.socket rsyslog
}

# ---- systemd's journal

journal_collected() {
	journalctl -D /var/log/journal/remote -o cat _TRANSPORT=kernel 2>/dev/null |
		sed -n 's/^tcp_connect_logger: pid=.* -> \(198\.1[89]\.[0-9.]*\):9$/\1/p'
}

journal_has_last() {
	journalctl -D /var/log/journal/remote -o cat _TRANSPORT=kernel -n 20 | grep -q -F -e "> $last:9"
}

# Each has a key signed by an authority that the other trusts.
certificates() {
	mkdir -p /etc/ssl/ca /etc/ssl/private
	cd /etc/ssl/ca || return
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out trusted.pem
	for one in remote upload; do
		openssl req -newkey rsa:2048 -nodes -subj /CN=collector.example -addext "subjectAltName=DNS:collector.example" \
			-keyout /etc/ssl/private/journal-$one.pem -out $one.csr
		openssl x509 -req -days 2 -in $one.csr -CA trusted.pem -CAkey ca.key -CAcreateserial \
			-copy_extensions copy -out /etc/ssl/certs/journal-$one.pem
	done
	chmod 755 /etc/ssl/private
	chmod 644 /etc/ssl/private/journal-*.pem
	cd /
}

remote_starts() {
	systemctl start systemd-journal-remote.socket
}

remote_ends() {
	systemctl stop systemd-journal-remote.socket systemd-journal-remote.service
}

journal() {
	certificates >/tmp/openssl 2>&1
	install -D -m 644 $examples/journal-upload.conf /etc/systemd/journal-upload.conf.d/tcp-connect-logger.conf
	install -D -m 644 $examples/journal-upload-restart.conf \
		/etc/systemd/system/systemd-journal-upload.service.d/tcp-connect-logger.conf
	install -D -m 644 $examples/journal-remote.conf /etc/systemd/journal-remote.conf.d/tcp-connect-logger.conf
	# Listen in the collector's namespace
	mkdir -p /etc/systemd/system/systemd-journal-remote.socket.d
	printf '[Socket]\nNetworkNamespacePath=/run/netns/collector\n' \
		>/etc/systemd/system/systemd-journal-remote.socket.d/rig.conf
	# An emulated machine on a busy host may stall for three minutes.
	for one in systemd-journald systemd-journal-upload systemd-journal-remote; do
		mkdir -p /etc/systemd/system/$one.service.d
		printf '[Service]\nWatchdogSec=0\n' >/etc/systemd/system/$one.service.d/rig.conf
	done
	systemctl daemon-reload
	systemctl restart systemd-journald
	remote_starts
	systemctl start systemd-journal-upload
	all_come journal remote_ends remote_starts
	systemctl stop systemd-journal-upload
	remote_ends
}

unpack tcp-connect-logger-dkms
unpack tcp-connect-logger
echo 4 >/proc/sys/kernel/printk
systemctl stop rsyslog.socket syslog.socket rsyslog auditd prometheus-node-exporter 2>/dev/null
network
load "$ko" rate_limit=0
journal
no_journald
rsyslog
unload tcp_connect_logger
equals "fleet: no unit has failed" "" "$(systemctl --failed --plain --no-legend)"
echo end
