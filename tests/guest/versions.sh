# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# One version of the package replaces another, and the expected result, which is the same for the
# .deb and the .rpm
#
# A script that sources this has sourced system.sh. It defines "to NAME VERSION", which installs
# that version, and leaves the printed text in $output.

# shellcheck disable=SC2154 # of system.sh, and of those who source this

this=$version
other=99.1.0
conffile=/etc/modprobe.d/tcp-connect-logger.conf

# is NAME RUNNING INSTALLED [ELSE [DEB]]: the version that runs, the version installed for this
# kernel, what else DKMS has, and the package's version
is() {
	equals "$1: dkms status" "$(printf %s "tcp-connect-logger/$3, $kernel, x86_64: installed${4:+
$4}" | sort)" "$(dkms_status | sort)"
	equals "$1: one source in /usr/src" "/usr/src/tcp-connect-logger-${5:-$3}" \
		"$(ls -d /usr/src/tcp-connect-logger-*)"
	loaded "$1" "$2"
	equals "$1: lsmod" "tcp_connect_logger" "$(lsmod | sed -n 's/^\(tcp_connect_logger\) .*/\1/p')"
	is_other=
	[ "$2" = "$3" ] || is_other=", not the one that is installed: tcp-connect-logger reload"
	status_is "$1" 0 "loaded, version $2$is_other" enabled on \
		"built, version $3, signed by DKMS module signing key" "${5:-$3}"
	curl_logs "$1" 1
	equals "$1: the administrator's options are kept" "$options" "$(cat $conffile)"
	healthy "$1"
}

# swapped NAME FROM TO
swapped() {
	gap=$(echo "$output" | sed -n "s/^tcp-connect-logger: version $3 has taken the place of version $2, logging is on; connections were not seen for \(.*\) s\.\$/\1/p")
	matches "$1: says how long the exchange took" "[0-9]*.[0-9][0-9]" "$gap"
	figure "$1: connections were not seen for $gap s"
}

# watch: append the running and the installed version to /root/watched, again and again
watch() {
	while :; do
		echo "$(cat /sys/module/tcp_connect_logger/version 2>/dev/null)" \
			"$(modinfo -F version tcp_connect_logger 2>/dev/null)"
		sleep 2
	done >/root/watched &
	watcher=$!
}

upgrade() {
	watch
	to "upgrade" $other
	kill $watcher
	swapped "upgrade" "$this" $other
	is "upgrade" $other $other
	# A boot could load the module at all times, and the old one ran until the new one was
	# installed.
	note "runs, installed: $(uniq /root/watched | tr '\n' ';')"
	equals "upgrade: the new module is installed while the old one runs" "$this $other" \
		"$(grep -m 1 " $other\$" /root/watched)"
}
