#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# fleet.sh KO COUNT - many records reach a collector in another network namespace, with the
# package's templates for rsyslog and for systemd's journal; the collector is down for a while
#
# The kernel's log has room for all records. The test checks that none of them is lost on the way
# to the collector.
#
# where: tracers
# on: trixie
# from: disk
# boot: log_buf_len=64M
# payload: deb tools-deb module sequence connect docs/fleet.md
# arguments: /payload/tcp-connect-logger.ko "$([ -n "$ALL" ] && echo 100000 || echo 20000)"
# later: 100,000 records; `make test` uses 20,000

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
templates=/usr/share/tcp-connect-logger received=/var/log/tcp-connect-logger.json

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

# Check only every two seconds: everything runs in one emulated machine.
has_begun() {
	sleep 2
	[ "$("${name}_collected" | wc -l)" -gt $((count / 20)) ]
}

has_ended() {
	sleep 2
	"${name}_has_last"
}

# all_come NAME COUNT LEAVES RETURNS: make COUNT connections while the collector is down for a
# while, and check that all records arrive in order. The command LEAVES stops the collector, and
# RETURNS starts it again. NAME_collected prints the addresses that have arrived, and NAME_has_last
# is true if the last address has arrived.
all_come() {
	name=$1 count=$2 half=$(($2 / 2)) leaves=$3 returns=$4
	last=198.$((18 + (count - 1) / 65536)).$(((count - 1) / 256 % 256)).$(((count - 1) % 256))
	equals "$name: no record has arrived before the test" 0 "$("${name}_collected" | wc -l)"
	# shellcheck disable=SC2046 # words
	set -- $(counters)
	echo 1 >$switch
	/payload/sequence 0 $half &
	await 120 has_begun
	sequence=$!
	$leaves
	then=$("${name}_collected" | wc -l)
	wait $sequence
	/payload/sequence $half "$count"
	echo 0 >$switch
	equals "$name: the collector stops during the transfer" 1 $((then < count))
	equals "$name: no record arrives while the collector is down" "$then" "$("${name}_collected" | wc -l)"
	# The counters include the connections that send the records.
	# shellcheck disable=SC2046 # words
	set -- $(since "$@")
	equals "$name: the kernel has logged all connections" "1 $1 0" \
		"$(($1 >= count && $1 < count + 20)) $2 $3"
	$returns
	if wait_until 60 has_ended; then
		ok "$name: the last record arrives"
	else
		not_ok "$name: the last record arrives" "$("${name}_collected" | wc -l) records have arrived"
		journalctl --no-pager -n 30 -u systemd-journald -u systemd-journal-upload -u systemd-journal-remote |
			sed 's/^/# /'
		df / /run | sed 's/^/# /'
	fi
	"${name}_collected" >/tmp/collected
	sort /tmp/collected | uniq >/tmp/unique
	addresses >/tmp/expected
	equals "$name: no record is lost" 0 "$(sort /tmp/expected | comm -23 - /tmp/unique | wc -l)"
	note "$name: $(($(wc -l </tmp/collected) - $(wc -l </tmp/unique))) records arrived twice;" \
		"$then had arrived when the collector stopped"
	awk '!seen[$0]++' /tmp/collected >/tmp/first
	equals "$name: the records are in order" "" "$(diff /tmp/expected /tmp/first | head -n 5)"
}

# ---- rsyslog

rsyslog_collected() {
	sed -n 's/.*"daddr": "\(198\.1[89]\.[0-9.]*\)".*/\1/p' $received 2>/dev/null
}

rsyslog_has_last() {
	tail -n 20 $received | grep -q -F "\"$last\""
}

# starts NAME: start another rsyslogd in addition to rsyslog.service, with /tmp/NAME/conf. The
# collector runs in its own network namespace.
starts() {
	who=$1
	shift
	[ "$who" != collector ] || set -- ip netns exec collector
	"$@" rsyslogd -n -i "/tmp/$who/pid" -f "/tmp/$who/conf" >>"/tmp/$who/messages" 2>&1 &
	echo $! >"/tmp/$who/process"
}

ends() {
	kill "$(cat "/tmp/$1/process")"
	wait "$(cat "/tmp/$1/process")"
}

# reads INPUT: wait until rsyslogd reads this input, so that it sees all messages from now on.
# There is no colon in the message, because journald would take what is before it for a name.
reads() {
	await 60 probed "$1"
}

probed() {
	echo "probe of the rig" >/dev/kmsg
	sleep 1
	[ -s "/var/log/rig.$1" ]
}

# starts_reading NAME: start such an rsyslogd, and wait until it reads /dev/kmsg
starts_reading() {
	rm -f /var/log/rig.imkmsg
	starts "$1"
	reads imkmsg
}

# probe INPUT: print the rule that reads() relies on
probe() {
	rm -f "/var/log/rig.$1"
	echo "if \$inputname == \"$1\" and \$msg contains \"probe of the rig\" then /var/log/rig.$1"
}

collector_starts() {
	starts collector
}

collector_ends() {
	ends collector
}

# rsyslog_certificates: make the certificates with the commands in docs/fleet.md, and more
# certificates from a different authority of the same name
rsyslog_certificates() {
	sed -n '/^### Certificates/,/^### Disk/p' /payload/fleet.md |
		awk '/^```/ { shell = /sh$/; next } shell' >/tmp/certificates
	succeeds "certificates: the documented commands succeed" sh -euc ". /tmp/certificates"
	mkdir -p /etc/collector
	cp /root/authority/ca.pem /etc/collector
	cp /root/authority/collector.pem /etc/collector/cert.pem
	cp /root/authority/collector.key /etc/collector/key.pem
	sed '/^install/d; s!/root/authority!/root/wrong!' /tmp/certificates >/tmp/wrong
	succeeds "certificates: another authority of the same name is made" sh -euc ". /tmp/wrong"
	equals "certificates: a machine's certificate cannot sign others" "CA:FALSE" \
		"$(openssl x509 -in /root/authority/web1.pem -noout -ext basicConstraints | sed -n 's/^ *\(CA:\)/\1/p')"
}

# configure NAME CERTIFICATES TEMPLATE...: make /tmp/NAME/conf from the templates, with the
# certificates in the directory CERTIFICATES
configure() {
	who=$1 certificates=$2
	shift 2
	mkdir -p "/tmp/$who"
	{
		echo "global(workDirectory=\"/tmp/$who\")"
		cat "$@" | sed "s!/etc/tcp-connect-logger/!$certificates/!"
	} >"/tmp/$who/conf"
}

says() {
	grep -q -e "$2" "/tmp/$1/messages"
}

has() {
	grep -q -F -e "$1" $received
}

# logs COMM ADDRESS: switch logging on for one connection
logs() {
	echo 1 >$switch
	connection -n "$1" blocking "$2" 9
	echo 0 >$switch
}

# record_comes NAME ADDRESS: connect to the address, and check that the record arrives
record_comes() {
	connection -n genuine blocking "$2" 9
	succeeds "$1: a record arrives" wait_until 60 has "\"$2\""
}

# forgeries_stay NAME: check that the module's records are collected, and forged ones are not
forgeries_stay() {
	echo 1 >$switch
	forge 6.6.6.6
	head -c 900 /dev/zero | tr '\0' '\1' >/dev/kmsg
	record_comes "$1, after forged records" 198.51.100.7
	connection -n '' blocking 198.51.100.8 9
	await 60 has '"198.51.100.8"'
	echo 0 >$switch
	equals "$1: no forged record is collected" "" "$(grep -F 6.6.6.6 $received)"
	equals "$1: the record of a process without a name is collected" \
		'{"dport":9,"daddr":"198.51.100.8","comm":"","uid":0}' \
		"$(grep -F '"198.51.100.8"' $received | jq -c '{dport, daddr, comm, uid}')"
}

syntax() {
	for set in sender "journal sender" "journal sender local" "receiver file" "receiver kafka" \
		"receiver elasticsearch"; do
		# shellcheck disable=SC2046 # words
		configure syntax /etc/tcp-connect-logger \
			$(for one in $set; do echo "$templates/rsyslog-$one.conf"; done)
		succeeds "rsyslogd -N 1 accepts $set" rsyslogd -N 1 -f /tmp/syntax/conf
		equals "rsyslogd -N 1 prints no warning for $set" "" \
			"$(echo "$output" | grep -v -e 'version .*, config validation run' -e 'End of config validation run')"
	done
}

# by_the_journal: use Debian's rsyslog.conf, which loads imklog and imuxsock. journald forwards the
# messages of processes to imuxsock.
by_the_journal() {
	cp $templates/rsyslog-sender.conf /etc/rsyslog.d/10-tcp-connect-logger.conf
	cp $templates/rsyslog-journal.conf /etc/rsyslog.d/09-tcp-connect-logger.conf
	cp $templates/rsyslog-local.conf /etc/rsyslog.d/12-tcp-connect-logger.conf
	probe imjournal >/etc/rsyslog.d/09-rig.conf
	systemctl start syslog.socket rsyslog
	reads imjournal
	all_come rsyslog 2000 collector_ends collector_starts
	forgeries_stay imjournal
	logger -t rig once
	# Wait until each of rsyslog's inputs has read a message that was sent after this one.
	logger -u /run/systemd/journal/syslog -t rig later
	await 60 grep -q 'rig: later$' /var/log/syslog
	echo 1 >$switch
	record_comes "imjournal, after another message" 198.51.100.14
	echo 0 >$switch
	equals "imjournal: rsyslog gets a message of another process only once" 1 \
		"$(grep -c 'rig: once$' /var/log/syslog)"
	equals "rsyslog-local.conf: rsyslog's own files have no records" "" \
		"$(grep -h 'tcp_connect_logger: pid=.*comm=sequence' /var/log/syslog /var/log/kern.log | head -n 3)"
	equals "imjournal: imklog, which also runs, causes no warning" 0 "$(grep -c 'install rsyslog-journal.conf' $received)"
	kill_gap
	systemctl stop rsyslog.socket syslog.socket rsyslog
	rm -f /etc/rsyslog.d/09-rig.conf /etc/rsyslog.d/??-tcp-connect-logger.conf
}

# kill_gap: check that records arrive later if rsyslogd is not running when they are made
kill_gap() {
	systemctl stop syslog.socket rsyslog
	logs gap 198.51.100.9
	systemctl start syslog.socket rsyslog
	succeeds "imjournal: no record is lost while rsyslogd restarts" wait_until 60 has '"198.51.100.9"'
}

# by_imkmsg COUNT: check that imkmsg delivers all records, in order. By default, it reads the whole
# log again if the machine started less than 90 seconds ago.
by_imkmsg() {
	{ echo 'module(load="imkmsg" readMode="new-only")'; probe imkmsg; cat $templates/rsyslog-sender.conf; } >/tmp/imkmsg.conf
	configure imkmsg /etc/tcp-connect-logger /tmp/imkmsg.conf
	starts_reading imkmsg
	: >$received
	all_come rsyslog "$1" collector_ends collector_starts
	matches "rsyslog: a record has all members" \
		'{ "host": "guest", "time": "20*", "dport": 9, "daddr": "198.18.0.0", "comm": "sequence", "uid": 0, "pid": [1-9]*, "from": "192.0.2.1" }' \
		"$(head -n 1 $received)"
	equals "rsyslog: each line is a JSON object" "$(wc -l <$received)" \
		"$(jq -c .from $received | grep -c -F '"192.0.2.1"')"
	figure "fleet: a record takes $(($(wc -c <$received) / $(wc -l <$received))) bytes in the collector's file"
	forgeries_stay imkmsg

	echo 1 >$switch
	echo 3 >$rate_limit
	/payload/sequence 0 10
	echo 0 >$switch
	succeeds "rsyslog: the number of suppressed connections arrives" \
		wait_until 60 has 'connections not logged (rate_limit=3)'
	echo 0 >$rate_limit
	ends imkmsg
}

# by_imklog: check that imklog delivers no record, and that the collector gets the reason
by_imklog() {
	{ echo 'module(load="imklog")'; cat $templates/rsyslog-sender.conf; } >/tmp/imklog.conf
	configure imklog /etc/tcp-connect-logger /tmp/imklog.conf
	# Read all older messages, so that rsyslogd does not get them.
	cat /proc/kmsg >/dev/null &
	await 60 waits_for_more $!
	kill $!
	starts imklog
	: >$received
	echo 1 >$switch
	forge 6.6.6.6
	connection -n genuine blocking 198.51.100.7 9
	echo 0 >$switch
	succeeds "imklog: the collector gets a warning instead of records" \
		wait_until 60 has "install rsyslog-journal.conf"
	equals "imklog: the collector gets nothing else" 1 "$(wc -l <$received)"
	ends imklog
}

# refused NAME COLLECTOR WHO WHY: check that no record arrives, and that WHO (collector or sender)
# prints the reason WHY. The collector's certificates are in the directory COLLECTOR, and the
# sender's certificates are in /tmp/certificates.NAME.
refused() {
	configure collector "$2" $templates/rsyslog-receiver.conf $templates/rsyslog-file.conf
	configure sender "/tmp/certificates.$1" /tmp/imkmsg.conf
	rm -f /tmp/collector/messages /tmp/sender/messages
	starts collector
	starts_reading sender
	logs refused 198.51.100.10
	succeeds "$1: the $3 reports the reason" wait_until 60 says "$3" "$4"
	ends sender
	ends collector
	equals "$1: the collector gets no record" "" "$(grep -F '"198.51.100.10"' $received)"
	rm -rf /tmp/sender
}

# certificates_of NAME AUTHORITY CERTIFICATE
certificates_of() {
	mkdir -p "/tmp/certificates.$1"
	cp "$2" "/tmp/certificates.$1/ca.pem"
	cp "$3.pem" "/tmp/certificates.$1/cert.pem"
	cp "$3.key" "/tmp/certificates.$1/key.pem"
}

wrong_certificates() {
	authority=/root/authority/ca.pem
	certificates_of sender-of-another-authority $authority /root/wrong/web1
	certificates_of sender-of-another-domain $authority /root/authority/collector
	certificates_of collector-of-another-authority $authority /root/authority/web1
	certificates_of machine-as-collector $authority /root/authority/web1
	certificates_of wrong-collector $authority /root/wrong/collector
	refused sender-of-another-authority /etc/collector collector "certificate validation failed"
	refused sender-of-another-domain /etc/collector collector "no permited name found"
	refused collector-of-another-authority /tmp/certificates.wrong-collector sender "certificate validation failed"
	refused machine-as-collector /tmp/certificates.machine-as-collector sender "no permited name found"
}

# liar: a machine with a valid certificate pretends to be another machine
liar() {
	configure collector /etc/collector $templates/rsyslog-receiver.conf $templates/rsyslog-file.conf
	cat >/tmp/liar.conf <<-'END'
		module(load="omrelp")
		template(name="lie" type="string" string="%msg%")
		template(name="no-json" type="string" string="no %msg%\n{\"host\":\"other\",\"from\":\"192.0.2.99\"}")
	END
	for template in lie no-json; do
		sed -n '/^	action(type="omrelp"/,/^	*tls.myPrivKey/p' $templates/rsyslog-sender.conf |
			sed "s/template=\"[^\"]*\"/template=\"$template\"/; s/ name=\"[^\"]*\"/ name=\"$template\"/; \$s/\$/)/"
	done >/tmp/liar.actions
	{
		echo "if \$msg contains \"other\" then {"
		cat /tmp/liar.actions
		echo "}"
	} >>/tmp/liar.conf
	{ echo 'module(load="imkmsg" readMode="new-only")'; probe imkmsg; } >/tmp/liar.input
	configure liar /etc/tcp-connect-logger /tmp/liar.input /tmp/liar.conf
	: >$received
	starts collector
	starts_reading liar
	echo '{"host":"other","from":"192.0.2.99","daddr":"198.51.100.11"}' >/dev/kmsg
	succeeds "false sender: its objects arrive" wait_until 60 lines_received 2
	ends liar
	ends collector
	equals "false sender: the collector adds the true address" "192.0.2.1 192.0.2.1" \
		"$(jq -r .from $received | xargs)"
	equals "false sender: each of its two messages becomes one object" 2 "$(wc -l <$received)"
}

lines_received() {
	[ "$(wc -l <$received)" -ge "$1" ]
}

# rotation: rotate the collector's file while the collector runs as rsyslog.service
rotation() {
	sed 's!/etc/tcp-connect-logger/!/etc/collector/!' $templates/rsyslog-receiver.conf \
		>/etc/rsyslog.d/10-tcp-connect-logger.conf
	cp $templates/rsyslog-file.conf /etc/rsyslog.d/11-tcp-connect-logger.conf
	install -D -m 644 $templates/logrotate.conf /etc/logrotate.d/tcp-connect-logger
	sed -i '/ collector.example$/s/^[^ ]*/127.0.0.1/' /etc/hosts
	rm -f $received*
	systemctl start rsyslog
	starts_reading imkmsg
	echo 1 >$switch
	record_comes "before the rotation" 198.51.100.12
	succeeds "rotation: logrotate succeeds" \
		/payload/logrotate -f -s /tmp/logrotate.state /etc/logrotate.d/tcp-connect-logger
	await 60 record_in_new_file
	echo 0 >$switch
	equals "rotation: the first record is in the old file" 1 "$(grep -c -F 198.51.100.12 $received.1)"
	equals "rotation: the old file gets no later record" 0 "$(grep -c -F 198.51.100.13 $received.1)"
	equals "rotation: the later records are in a new file" 1 \
		$(($(grep -c -F 198.51.100.13 $received) > 0))
	for _ in 1 2; do
		/payload/logrotate -f -s /tmp/logrotate.state /etc/logrotate.d/tcp-connect-logger
		await 60 record_in_new_file
	done
	succeeds "rotation: old files are compressed" test -s $received.2.gz
	ends imkmsg
	systemctl stop syslog.socket rsyslog
	rm -f /etc/rsyslog.d/09-rig.conf /etc/rsyslog.d/??-tcp-connect-logger.conf
}

# record_in_new_file: make another record, because rsyslogd acts on the signal only at the next
# message; true if a record is in the new file
record_in_new_file() {
	logs genuine 198.51.100.13
	[ -s $received ]
}

rsyslog_begins() {
	rsyslog_certificates
	syntax
	configure collector /etc/collector $templates/rsyslog-receiver.conf $templates/rsyslog-file.conf
	collector_starts
}

# ---- systemd's journal

journal_collected() {
	journalctl -D /var/log/journal/remote -o cat _TRANSPORT=kernel 2>/dev/null |
		sed -n 's/^tcp_connect_logger: pid=.* -> \(198\.1[89]\.[0-9.]*\):9$/\1/p'
}

journal_has_last() {
	journalctl -D /var/log/journal/remote -o cat _TRANSPORT=kernel -n 20 | grep -q -F -e "> $last:9"
}

# certificates: make a key for the sender and for the collector, signed by an authority that both
# trust
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
	install -D -m 644 $templates/journal-upload.conf /etc/systemd/journal-upload.conf.d/tcp-connect-logger.conf
	install -D -m 644 $templates/journal-upload-restart.conf \
		/etc/systemd/system/systemd-journal-upload.service.d/tcp-connect-logger.conf
	install -D -m 644 $templates/journal-remote.conf /etc/systemd/journal-remote.conf.d/tcp-connect-logger.conf
	# Listen in the collector's namespace
	mkdir -p /etc/systemd/system/systemd-journal-remote.socket.d
	printf '[Socket]\nNetworkNamespacePath=/run/netns/collector\n' \
		>/etc/systemd/system/systemd-journal-remote.socket.d/rig.conf
	# An emulated machine on a busy host may stall for three minutes, so switch the watchdogs off.
	for one in systemd-journald systemd-journal-upload systemd-journal-remote; do
		mkdir -p /etc/systemd/system/$one.service.d
		printf '[Service]\nWatchdogSec=0\n' >/etc/systemd/system/$one.service.d/rig.conf
	done
	systemctl daemon-reload
	systemctl restart systemd-journald
	remote_starts
	systemctl start systemd-journal-upload
	all_come journal "$1" remote_ends remote_starts
	systemctl stop systemd-journal-upload
	remote_ends
}

# Install without documentation, as some container images do.
mkdir -p /etc/dpkg/dpkg.cfg.d
echo 'path-exclude=/usr/share/doc/*' >/etc/dpkg/dpkg.cfg.d/no-documentation
unpack tcp-connect-logger-dkms
unpack tcp-connect-logger
fails "the documentation is not installed" test -e /usr/share/doc/tcp-connect-logger/fleet.md
echo 4 >/proc/sys/kernel/printk
echo on >/proc/sys/kernel/printk_devkmsg
systemctl stop rsyslog.socket syslog.socket rsyslog auditd prometheus-node-exporter 2>/dev/null
network
load "$ko" rate_limit=0
journal "$2"
rsyslog_begins
by_the_journal
no_journald
by_imkmsg "$2"
by_imklog
collector_ends
wrong_certificates
liar
rotation
unload tcp_connect_logger
equals "fleet: no unit has failed" "" "$(systemctl --failed --plain --no-legend)"
echo end
