#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# examples.sh - every command in README, docs/ and the man pages, in tools.sh's guest, except for
# the sections that other tests cover

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh

# in_man PAGE: print the examples, one per line
in_man() {
	zcat "/usr/share/man/$1.gz" | sed -n '/^\.EX/,/^\.EE/ {
		/^\.E/d
		s/\\-/-/g; s/\\(aq/'"'"'/g; s/\\e/\\/g
		p
	}'
}

# in_document FILE...: print all lines in sh fences, and what follows the prompt in console fences.
# Omits what other tests cover, and what needs firmware with Secure Boot.
in_document() {
	cat "$@" | sed -e ':more' -e '/\\$/N; s/\\\n *//; t more' | awk '
		/^#+ / && !fence { section = $0 }
		/^```/ { fence = fence ? "" : substr($0, 4); next }
		section ~ /^## Install$|Try it first|A repository|Secure Boot/ { next }
		fence == "sh" { print }
		fence == "console" && sub(/^# /, "") { print }'
}

# Commands that run until interrupted get five seconds. Logging is on.
runs() {
	case $2 in
	"cd "*)
		directory=${2#cd }
		return
		;;
	esac
	[ ! -e $switch ] || echo 1 >$switch
	status=0 limit=5
	case $2 in *timeout* | systemctl*) limit=60 ;; esac
	output=$(cd "$directory" && timeout -k 120 -s INT $limit sh -c "$2" 2>&1) || status=$?
	case $status in
	0 | 124 | 130) ok "$1: $2" ;;
	*) not_ok "$1: $2" "exit status $status
$output" ;;
	esac
}

# all_run NAME: run each command on standard input
all_run() {
	directory=/ count=0
	while IFS= read -r line; do
		runs "$1" "$line" </dev/null
		count=$((count + 1))
	done
	equals "$1: there are examples" 1 $((count > 5))
}

# Put the modules where modprobe finds it
mkdir -p "/lib/modules/$(uname -r)/extra"
cp /payload/tcp-connect-logger.ko /payload/tcp-connect-logger-event.ko "/lib/modules/$(uname -r)/extra"
depmod

# An example shows what was recorded.
mkdir -p /var/log/tcp-connect-logger
tcp-connect-logger record &
await 60 test -e /var/log/tcp-connect-logger/connections.json
kill $!
wait $!
[ ! -d $tracing/instances/tcp-connect-logger-record ] || rmdir $tracing/instances/tcp-connect-logger-record

{
	in_man man8/tcp-connect-logger.8
	in_man man4/tcp_connect_logger.4
} | all_run "man pages"

# The commands of the man pages show no forged records.
showing() {
	{
		in_man man8/tcp-connect-logger.8
		in_man man4/tcp_connect_logger.4
	} | grep -e '^grep .*tcp_connect_logger: ' -e '^dmesg' -e '^journalctl'
}
echo 1 >$switch
forge 6.6.6.6
connection -n genuine blocking 198.51.100.7 9
forge 6.6.6.6
journalctl --sync
showing >/tmp/showing
while IFS= read -r line; do
	output=$(timeout -s INT 20 sh -c "$line" </dev/null 2>&1)
	matches "shows the record: $line" "*pid=$pid uid=0 comm=genuine -> 198.51.100.7:9*" "$output"
	equals "shows nothing forged: $line" "" "$(echo "$output" | grep -F 6.6.6.6)"
done </tmp/showing
equals "there is a command that shows records" 1 "$(wc -l </tmp/showing)"
matches "they have been forged" "*-> 6.6.6.6:22*-> 6.6.6.6:22*" "$(journalctl -o cat -n 20)"

in_document /payload/README.md /payload/docs/*.md | all_run documents
nothing_left "documents, how to remove it by hand"

# The man page has everything that --help lists.
words_of() {
	"$@" --help | grep -o -E -e '--[a-z]+|^  [a-z]+' | sort -u
}
for command in "" follow record top; do
	# shellcheck disable=SC2086 # perhaps none
	for word in $(words_of tcp-connect-logger $command); do
		succeeds "man page: has $word of ${command:-the command}" \
			sh -c "man 8 tcp-connect-logger | col -b | grep -q -w -e $word"
	done
done
for page in "8 tcp-connect-logger" "4 tcp_connect_logger"; do
	# shellcheck disable=SC2086 # words
	equals "man $page: no warnings" "" "$(man --warnings $page 2>&1 >/dev/null)"
done
