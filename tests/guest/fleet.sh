#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# fleet.sh KO COUNT - many records reach a collector in another network namespace, with the
# package's templates for rsyslog and for systemd's journal; the collector is down for a while
#
# The recorder stores all records. The test checks that none of them is lost on the way to the
# collector, whatever is interrupted.
#
# where: tracers
# on: trixie
# from: disk
# payload: deb tools-deb module sequence connect docs/fleet.md
# arguments: /payload/tcp-connect-logger.ko "$([ -n "$ALL" ] && echo 100000 || echo 20000)"
# later: 100,000 records; `make test` uses 20,000

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

ko=$1
templates=/usr/share/tcp-connect-logger received=/var/log/tcp-connect-logger.json
service=tcp-connect-logger-record logs=/var/log/tcp-connect-logger
drop_in=/etc/systemd/system/rsyslog.service.d/tcp-connect-logger.conf

network() {
	ip netns add collector
	ip link add to-collector type veth peer name eth0 netns collector
	ip address add 192.0.2.1/24 dev to-collector
	ip link set to-collector up
	ip -n collector address add 192.0.2.2/24 dev eth0
	ip -n collector link set eth0 up
	echo "192.0.2.2 collector.example" >>/etc/hosts
}

# ---- The recorder

# Most records have few fields, so that this test does not take longer than it must.
few="fields = $lean_fields"
fields=$few

# recorder_reads: true if the recorder has enabled the event that has these fields, and not only an
# earlier one
recorder_reads() {
	reads=tcp_connect_origin
	[ -z "$fields" ] || reads=tcp_connect
	grep -q 1 $tracing/instances/$service/events/tcp_connect_logger/$reads/enable
}

# records_with OPTION...: start the recorder with $fields and these options in a new record.conf
records_with() {
	printf '%s\n' "$fields" "$@" >/etc/tcp-connect-logger/record.conf
	systemctl restart $service
	await 60 recorder_reads
}

# totals: print how many connections recorders have stored and lost since the machine booted
totals() {
	tcp-connect-logger status --json | jq -r '.recorder | "\(.stored) \(.buffer_full + .not_written)"'
}

# stored NUMBER: true if so many are stored since the machine booted
stored() {
	[ "$(totals | cut -d ' ' -f 1)" -ge "$1" ]
}

# makes FROM TO: make the connections with these numbers, and wait until they are stored
makes() {
	before=$(totals)
	/payload/sequence "$1" "$2"
	await 120 stored $((${before% *} + $2 - $1))
}

# address NUMBER: the address that sequence connects to
address() {
	echo 198.$((18 + $1 / 65536)).$(($1 / 256 % 256)).$(($1 % 256))
}

# addresses FROM TO: those of the connections with these numbers, in order
addresses() {
	awk -v from="$1" -v to="$2" 'BEGIN {
		for (i = from; i < to; i++)
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
	"${name}_has" "$last"
}

# all_come NAME COUNT LEAVES RETURNS: make COUNT connections while the collector is down for a
# while, and check that all records arrive in order. The command LEAVES stops the collector, and
# RETURNS starts it again. NAME_collected prints the addresses that have arrived, and NAME_has is
# true if this address is among the last that have arrived.
all_come() {
	name=$1 count=$2 half=$(($2 / 2)) leaves=$3 returns=$4 last=$(address $(($2 - 1)))
	equals "$name: no record has arrived before the test" 0 "$("${name}_collected" | wc -l)"
	begun=$(totals)
	/payload/sequence 0 $half &
	await 120 has_begun
	sequence=$!
	$leaves
	then=$("${name}_collected" | wc -l)
	wait $sequence
	makes $half "$count"
	await 120 stored $((${begun% *} + count))
	equals "$name: the collector stops during the transfer" 1 $((then < count))
	equals "$name: no record arrives while the collector is down" "$then" "$("${name}_collected" | wc -l)"
	equals "$name: the recorder has lost nothing" "${begun#* }" "$(totals | cut -d ' ' -f 2)"
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
	sort -u /tmp/collected >/tmp/unique
	addresses 0 "$count" >/tmp/expected
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

rsyslog_has() {
	tail -n 50 $received | grep -q -F "\"$1\""
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

# record_comes NAME ADDRESS: connect to the address, and check that the record arrives
record_comes() {
	connection -n genuine blocking "$2" 9
	succeeds "$1: a record arrives" wait_until 60 has "\"$2\""
}

syntax() {
	for set in sender "sender local" "receiver file" "receiver kafka" "receiver elasticsearch"; do
		# shellcheck disable=SC2046 # words
		configure syntax /etc/tcp-connect-logger \
			$(for one in $set; do echo "$templates/rsyslog-$one.conf"; done)
		succeeds "rsyslogd -N 1 accepts $set" rsyslogd -N 1 -f /tmp/syntax/conf
		equals "rsyslogd -N 1 prints no warning for $set" "" \
			"$(echo "$output" | grep -v -e 'version .*, config validation run' -e 'End of config validation run')"
	done
}

# as_stored: print what the recorder has stored, in order, as the collector should have it
as_stored() {
	cat $logs/connections-*.json $logs/connections.json 2>/dev/null |
		jq -c '{ host: "guest" } + . + { from: "192.0.2.1" }'
}

# differ: print what only one of the recorder and the collector has
differ() {
	as_stored | sort >/tmp/stored
	jq -c . $received | sort -u | diff /tmp/stored - | head -n 5
}

# install_sender: use Debian's rsyslog.conf as far as possible
install_sender() {
	cp $templates/rsyslog-sender.conf /etc/rsyslog.d/10-tcp-connect-logger.conf
	install -D -m 644 $templates/rsyslog-resend.conf $drop_in
	# It is started often, and an emulated machine on a busy host may stall.
	printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nTimeoutStartSec=infinity\n' >${drop_in%/*}/rig.conf
	systemctl daemon-reload
}

# forge_all: forge records in each way that an unprivileged process can try, and as root in the log
forge_all() {
	echo 1 >$switch
	forge 6.6.6.6
	connection -n '","uid":7,"a":"' blocking 198.51.100.7 9
	echo 0 >$switch
	author=$pid
}

# objects_are_exact: check what arrives of each kind of object
objects_are_exact() {
	fields=
	records_with "file-size = 64"
	forge_all
	connection -n '\x0a\xc3\xa9\x5c\xff' -u 33 blocking 2001:db8::1 443
	await 60 has '"2001:db8::1"'
	matches "rsyslog: a record has all members" \
		"{ \"host\": \"guest\", \"time\": \"20*Z\", \"pid\": $pid, \"tid\": $pid, \"uid\": 33, \"comm\": \"\\\\né\\\\\\\\�\", \"start\": [1-9]*, \"exe\": \"*payload*connect\", \"ppid\": [1-9]*, \"parents\": *, \"family\": \"AF_INET6\", \"daddr\": \"2001:db8::1\", \"dport\": 443, \"ret\": -101, \"netns\": $(stat -Lc %i /proc/self/ns/net), \"cgroup\": [1-9]*, \"cookie\": [1-9]*, \"from\": \"192.0.2.1\" }" \
		"$(grep -F '"2001:db8::1"' $received)"
	equals "rsyslog: the name of a process cannot add members" \
		"[[\"guest\",$author,0,\"\\\",\\\"uid\\\":7,\\\"a\\\":\\\"\",\"198.51.100.7\"]]" \
		"$(grep -F '"198.51.100.7"' $received | jq -c '[.host, .pid, .uid, .comm, .daddr]' | jq -s -c .)"
	long=/tmp
	for _ in 1 2 3 4 5 6 7 8 9; do
		long=$long/$(printf '\001%.0s' $(seq 200))
	done
	mkdir -p "$long"
	cp /payload/connect "$long"
	"$long/connect" blocking 198.51.100.6 9 >/dev/null
	await 60 has '"198.51.100.6"'
	equals "rsyslog: a record of 12 KiB arrives as a whole" "[$((${#long} + 8)),9]" \
		"$(grep -F '"198.51.100.6"' $received | jq -c '[(.exe | length), .dport]')"
	matches "forged records are in the log" "*-> 6.6.6.6:22*" "$(dmesg)"
	equals "rsyslog: no forged record is collected" "" "$(grep -F 6.6.6.6 $received)"

	# A loss, and the gap while the module is reloaded
	records_with "buffer = 1"
	recorder=$(systemctl show -P MainPID $service)
	kill -STOP "$recorder"
	connection -n flood -c $((40000 / $(nproc))) blocking 127.0.0.1 9
	kill -CONT "$recorder"
	succeeds "rsyslog: the number of lost connections arrives" \
		wait_until 60 has '"event": "lost", "count": '
	succeeds "unload" tcp-connect-logger unload
	load "$ko"
	load_event "$ko"
	succeeds "rsyslog: the gap arrives" wait_until 60 has '"event": "gap", "since": "20'
	await 60 recorder_reads
	record_comes "after a gap" 198.51.100.14
	await 60 is_complete
	equals "rsyslog: the collector has each loss and gap, too" "" "$(differ)"
	fields=$few
	records_with "file-size = 64"
}

# noted: print how many bytes imfile has noted as read, in all files
noted() {
	sed -s 's/.*"curr_offs": *\([0-9]*\).*/\1/' /var/spool/rsyslog/imfile-state* | awk '{ sum += $1 } END { print sum + 0 }'
}

has_noted() {
	[ "$(noted)" -gt "$1" ]
}

# interrupted FROM COUNT COMMAND...: make COUNT connections while the collector is down, end the
# sender with the command after it has read some of them, and start both. Set $lost to the number of
# records that do not arrive.
interrupted() {
	from=$1 to=$(($1 + $2))
	shift 2
	ends collector
	noted_before=$(noted)
	makes "$from" "$to"
	# The sender has read as many as there is room for: more than 1000, at least 150 bytes each.
	await 60 has_noted $((noted_before + 150000))
	"$@"
	await 60 systemctl start syslog.socket rsyslog
	collector_starts
	# This one comes last.
	connection -n last blocking "203.0.113.$((from / 1000 % 256))" 9
	await 120 has "\"203.0.113.$((from / 1000 % 256))\""
	addresses "$from" "$to" | sort >/tmp/expected
	rsyslog_collected | sort >/tmp/collected
	lost=$(sort -u /tmp/collected | comm -23 /tmp/expected - | wc -l)
	note "interrupted by $*: $lost lost, $(uniq -d /tmp/collected | wc -l) arrived more than once"
}

rsyslog_stops() {
	systemctl stop syslog.socket rsyslog
}

# Without the socket, systemd starts it again only when this is over.
rsyslog_killed() {
	systemctl kill -s KILL rsyslog
}

# nothing_is_lost: interrupt the sender in each way
nothing_is_lost() {
	mv $drop_in /tmp/drop-in
	systemctl daemon-reload
	interrupted 110000 5000 rsyslog_killed
	equals "without rsyslog-resend.conf: records are lost" 1 $((lost > 0))
	mv /tmp/drop-in $drop_in
	systemctl daemon-reload
	interrupted 115000 5000 rsyslog_killed
	equals "the sender is killed while the collector is down: nothing is lost" 0 "$lost"
	interrupted 120000 5000 rsyslog_stops
	equals "the sender restarts while the collector is down: nothing is lost" 0 "$lost"

	# Records that are made while the sender is not running
	rsyslog_stops
	connection -n gap blocking 198.51.100.9 9
	systemctl start syslog.socket rsyslog
	succeeds "nothing is lost while the sender is not running" wait_until 60 has '"198.51.100.9"'
}

# files COUNT: true if the recorder has so many older files
files() {
	[ "$(find $logs -name 'connections-*.json' | wc -l)" -ge "$1" ]
}

# recorder_rotates: the recorder begins new files while the collector is down, and while it is up
recorder_rotates() {
	records_with "file-size = 1"
	ends collector
	makes 0 15000
	await 60 files 2
	collector_starts
	makes 15000 30000
	await 60 files 4
	await 120 is_complete
	equals "new files of the recorder: nothing is lost, and nothing else comes" "" "$(differ)"
	sed 's/.*"time": "\([^"]*\)".*/\1/' $received | awk '!seen[$0]++' >/tmp/times
	for file in "$logs"/connections-*.json; do
		sed 's/.*"time":"\([^"]*\)".*/\1/' "$file" >/tmp/expected
		grep -x -F -f /tmp/expected /tmp/times >/tmp/collected
		equals "new files of the recorder: the lines of ${file##*/} are in order" "" \
			"$(diff /tmp/expected /tmp/collected | head -n 5)"
	done
}

# is_complete: true if the collector has as many different objects as the recorder
is_complete() {
	number=$(cat $logs/*.json | wc -l)
	[ "$(wc -l <$received)" -ge "$number" ] && [ "$(sort -u $received | wc -l)" -ge "$number" ]
}

# torn: the power has failed in the middle of a line
torn() {
	systemctl stop $service
	printf '{"time":"20' >>$logs/connections.json
	records_with "file-size = 64"
	record_comes "after a torn line" 198.51.100.16
	equals "a torn line arrives as it is" \
		'{"originalmsg":"{\"host\":\"guest\",\"time\":\"20","from":"192.0.2.1"}' \
		"$(grep -F originalmsg $received | sort -u | jq -c .)"
}

by_rsyslog() {
	install_sender
	records_with "file-size = 64"
	systemctl start syslog.socket rsyslog
	all_come rsyslog "$1" collector_ends collector_starts
	await 60 is_complete
	equals "rsyslog: the collector has exactly what the recorder has stored" "" "$(differ)"
	figure "fleet: a record takes $(($(cat $logs/*.json | wc -c) / $(cat $logs/*.json | wc -l))) bytes in the" \
		"recorder's file and $(($(wc -c <$received) / $(wc -l <$received))) in the collector's"
	objects_are_exact
	nothing_is_lost
	torn
	again
	recorder_rotates
	keeps_out
	rsyslog_stops
	rm -f /etc/rsyslog.d/??-tcp-connect-logger.conf
	rm -r ${drop_in%/*}
	systemctl daemon-reload
}

# again: begin without records
again() {
	rsyslog_stops
	systemctl stop $service
	rm -f $logs/* /var/spool/rsyslog/*
	collector_ends
	: >$received
	collector_starts
	systemctl start syslog.socket rsyslog
}

# in_journal ADDRESS: true if the recorder has written this connection to the journal
in_journal() {
	journalctl -q -n 50 -o cat MESSAGE_ID=3c7b4ff1d7a84c0f9d3c0e6e0a4f6b51 | grep -q -F -e "-> $1:9"
}

# helped NUMBER: true if rsyslogd has read so many help texts that the kernel has printed. imklog
# ignores what processes write to the kernel's log.
helped() {
	[ "$(grep -c 'sysrq: HELP' /var/log/kern.log)" -ge "$1" ]
}

# local_records ADDRESS NUMBER: make a record in the log and one in the journal, and print which of
# them are in rsyslog's own files after a later message of each source is there. NUMBER counts the calls.
local_records() {
	echo 1 >$switch
	connection -n local blocking "$1" 9
	echo 0 >$switch
	echo h >/proc/sysrq-trigger
	await 60 in_journal "$1"
	logger -t rig "after $1"
	await 60 helped "$2"
	await 60 grep -q "rig: after $1\$" /var/log/syslog
	cat /var/log/kern.log /var/log/syslog | grep -F -e "-> $1:9" |
		sed 's/.* \(tcp[-_]connect[-_]logger\).*: pid=.*/\1/' | LC_ALL=C sort -u | xargs
}

keeps_out() {
	records_with "output = journal"
	equals "without rsyslog-local.conf: rsyslog's own files have both kinds of records" \
		"tcp-connect-logger tcp_connect_logger" "$(local_records 198.51.100.21 1)"
	cp $templates/rsyslog-local.conf /etc/rsyslog.d/12-tcp-connect-logger.conf
	systemctl restart rsyslog
	equals "rsyslog-local.conf: rsyslog's own files have no records" "" "$(local_records 198.51.100.22 2)"
	records_with "output = file"
}

# reads_anew SENDER CERTIFICATES: configure a sender that reads all of the recorder's files, with the
# certificates in this directory
reads_anew() {
	rm -rf "/tmp/$1"
	configure "$1" "$2" $templates/rsyslog-sender.conf
}

# refused NAME COLLECTOR WHO WHY: check that no record arrives, and that WHO (collector or sender)
# prints the reason WHY. The collector's certificates are in the directory COLLECTOR, and the
# sender's certificates are in /tmp/certificates.NAME.
refused() {
	configure collector "$2" $templates/rsyslog-receiver.conf $templates/rsyslog-file.conf
	reads_anew sender "/tmp/certificates.$1"
	rm -f /tmp/collector/messages
	: >$received
	starts collector
	starts sender
	succeeds "$1: the $3 reports the reason" wait_until 60 says "$3" "$4"
	ends sender
	ends collector
	equals "$1: the collector gets nothing" "" "$(cat $received)"
}

# accepted: check that records arrive if the certificates are right
accepted() {
	configure collector /etc/collector $templates/rsyslog-receiver.conf $templates/rsyslog-file.conf
	reads_anew sender /etc/tcp-connect-logger
	: >$received
	starts collector
	starts sender
	succeeds "right certificates: the collector gets the records" wait_until 60 has '"198.51.100.10"'
	ends sender
	ends collector
}

# certificates_of NAME AUTHORITY CERTIFICATE
certificates_of() {
	mkdir -p "/tmp/certificates.$1"
	cp "$2" "/tmp/certificates.$1/ca.pem"
	cp "$3.pem" "/tmp/certificates.$1/cert.pem"
	cp "$3.key" "/tmp/certificates.$1/key.pem"
}

wrong_certificates() {
	# Few records, so that each sender has little to send
	systemctl stop $service
	rm -f $logs/*
	records_with "output = file"
	connection -n refused blocking 198.51.100.10 9
	accepted
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
		module(load="imfile")
		module(load="omrelp")
		input(type="imfile" file="/tmp/liar/lies" tag="lies")
		template(name="lie" type="string" string="%msg%")
		template(name="no-json" type="string" string="no %msg%\n{\"host\":\"other\",\"from\":\"192.0.2.99\"}")
	END
	for template in lie no-json; do
		sed -n '/^	action(type="omrelp"/,/^	*tls.myPrivKey/p' $templates/rsyslog-sender.conf |
			sed "s/template=\"[^\"]*\"/template=\"$template\"/; s/ name=\"[^\"]*\"/ name=\"$template\"/; \$s/\$/ action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\")/"
	done >>/tmp/liar.conf
	configure liar /etc/tcp-connect-logger /tmp/liar.conf
	echo '{"host":"other","from":"192.0.2.99","daddr":"198.51.100.11"}' >/tmp/liar/lies
	: >$received
	starts collector
	starts liar
	succeeds "false sender: its objects arrive" wait_until 60 lines_received 2
	ends liar
	ends collector
	equals "false sender: the collector adds the true address, and each message is one object" \
		'{"host":"other","from":"192.0.2.1","daddr":"198.51.100.11"}
{"originalmsg":"no {\"host\":\"other\",\"from\":\"192.0.2.99\",\"daddr\":\"198.51.100.11\"}#012{\"host\":\"other\",\"from\":\"192.0.2.99\"}","from":"192.0.2.1"}' \
		"$(jq -c . $received | LC_ALL=C sort)"
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
	reads_anew sender /etc/tcp-connect-logger
	starts sender
	record_comes "before the rotation" 198.51.100.12
	succeeds "rotation: logrotate succeeds" \
		/payload/logrotate -f -s /tmp/logrotate.state /etc/logrotate.d/tcp-connect-logger
	await 60 record_in_new_file
	equals "rotation: the first record is in the old file" 1 "$(grep -c -F 198.51.100.12 $received.1)"
	equals "rotation: the later records are in a new file" "0 1" \
		"$(grep -c -F 198.51.100.12 $received) $(($(grep -c -F 198.51.100.13 $received) > 0))"
	for _ in 1 2; do
		/payload/logrotate -f -s /tmp/logrotate.state /etc/logrotate.d/tcp-connect-logger
		await 60 record_in_new_file
	done
	succeeds "rotation: old files are compressed" test -s $received.2.gz
	ends sender
	rsyslog_stops
	rm -f /etc/rsyslog.d/??-tcp-connect-logger.conf
}

# record_in_new_file: make another record, because rsyslogd acts on the signal only at the next
# message; true if a record is in the new file
record_in_new_file() {
	connection -n genuine blocking 198.51.100.13 9
	[ -s $received ]
}

rsyslog_begins() {
	rsyslog_certificates
	syntax
	configure collector /etc/collector $templates/rsyslog-receiver.conf $templates/rsyslog-file.conf
	collector_starts
}

# ---- systemd's journal

# documented OPTION...: run the command that the template documents
documented() {
	$(sed -n 's/^#\t\(journalctl .*\)/\1/p' $templates/journal-remote.conf | sed 's/ -o json//') "$@" 2>/dev/null
}

journal_collected() {
	documented -o cat --output-fields=CONNECTION_DADDR | grep '^198\.1[89]\.'
}

journal_has() {
	documented -o cat --output-fields=CONNECTION_DADDR -n 50 | grep -q -x -F -e "$1"
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

# forge_entry: as an unprivileged user, write an entry that looks like one of the recorder
forge_entry() {
	printf '%s\n' MESSAGE=forged MESSAGE_ID=3c7b4ff1d7a84c0f9d3c0e6e0a4f6b51 CONNECTION_DADDR=6.6.6.6 \
		_SYSTEMD_UNIT=$service.service OBJECT_SYSTEMD_UNIT=$service.service \
		SYSLOG_IDENTIFIER=tcp-connect-logger | $as_nobody logger --journald
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
	records_with "output = journal"
	all_come journal "$1" remote_ends remote_starts
	forge_all
	forge_entry
	connection -n '","uid":7,"a":"' -u 33 blocking 198.51.100.8 443
	await 60 journal_has 198.51.100.8
	equals "journal: an entry has all fields, and the name of a process cannot add fields" \
		"{\"CONNECTION_PID\":\"$pid\",\"CONNECTION_UID\":\"33\",\"CONNECTION_COMM\":\"\\\",\\\"uid\\\":7,\\\"a\\\":\\\"\",\"CONNECTION_FAMILY\":\"AF_INET\",\"CONNECTION_DPORT\":\"443\",\"CONNECTION_RET\":\"-101\"}" \
		"$(documented -o json CONNECTION_DADDR=198.51.100.8 | jq -c '{ CONNECTION_PID, CONNECTION_UID, CONNECTION_COMM, CONNECTION_FAMILY, CONNECTION_DPORT, CONNECTION_RET }')"
	equals "journal: a forged entry has arrived" forged \
		"$(journalctl -D /var/log/journal/remote -q -o cat CONNECTION_DADDR=6.6.6.6)"
	equals "journal: the documented command shows nothing forged" "" "$(documented -o json | grep -F 6.6.6.6)"
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
load_event "$ko"
journal "$2"
rsyslog_begins
by_rsyslog "$2"
collector_ends
wrong_certificates
liar
rotation
systemctl stop $service
unload tcp_connect_logger
equals "fleet: no unit has failed" "" "$(systemctl --failed --plain --no-legend)"
echo end
