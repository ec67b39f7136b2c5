#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# install.sh - apt installs the package by name from a signed repository, in a guest with systemd:
# what it prints, what is installed, and who may use the switch
#
# where: systemd
# on: bookworm
# payload: deb apt warm tests/guest/system.sh README.md
# saves: yes

# shellcheck source=tests/guest/system.sh
. /payload/system.sh

permissions() {
	useradd -G adm alice
	for by in root alice nobody; do
		uid=$(id -u $by)
		case $by in nobody) gid=nogroup ;; *) gid=$by ;; esac
		equals "permissions: $by can read the switch" 0 \
			"$(setpriv --reuid "$uid" --regid $gid --init-groups cat $switch)"
		for value in 1 0; do
			set -- setpriv --reuid "$uid" --regid $gid --init-groups sh -c "echo $value >$switch"
			if [ $by = nobody ]; then
				fails "permissions: $by cannot write $value" "$@"
				equals "permissions: the switch is still 0 after $by's $value" 0 \
					"$(cat $switch)"
			else
				succeeds "permissions: $by can write $value" "$@"
				equals "permissions: the switch is $value after $by's write" $value \
					"$(cat $switch)"
			fi
		done
	done
}

# as_documented: print the commands of README.md that add a repository, with this guest as the server
as_documented() {
	sed -n '/^mkdir .*keyrings/,/^END/p' /payload/README.md | sed 's!https://SERVER!http://127.0.0.1!'
}

# update: let apt read the lists of our repository. Leave out sources.list: its mirrors cannot be
# reached from the guest.
update() {
	apt_get update -o Dir::Etc::SourceList=/dev/null
}

repository() {
	fails "no repository: curl fails" sh -ec "$(as_documented)"
	equals "no repository: there is no key" "" "$(ls /etc/apt/keyrings)"
	ln -s /payload/apt /tmp/www/apt
	sh -ec "$(as_documented | sed '/^Signed-By:/d')" 2>/dev/null
	fails "repository without Signed-By: apt update fails" update
	fails "repository without Signed-By: apt does not find the package" apt_get install $tools
	succeeds "repository: the commands of README.md" sh -ec "$(as_documented)"
	succeeds "repository: apt update succeeds" update
}

installed() {
	equals "before: the guest has no file of ours" "" "$(files_of_ours)"
	nothing_left "before"
	curl_logs "before" 0
	fails "before: apt does not find the package" apt_get install $tools

	repository
	mark
	succeeds "install: apt installs both packages by name" apt_get install $tools
	matches "install: the message says what is loaded and what to do" "*
tcp-connect-logger: loaded, logging is off. To switch: tcp-connect-logger enable, or disable; to see the connections: tcp-connect-logger follow*" "$output"
	equals "install: the package prints nothing else" 1 "$(echo "$output" | grep -c '^tcp-connect-logger: ')"
	equals "install: there is no warning" "" "$(echo "$output" | grep -i -e warning -e error)"
	equals "install: the system log has the message, too" \
		"$(echo "$output" | sed -n 's/^tcp-connect-logger: //p')" \
		"$(journalctl -q -o cat -t tcp-connect-logger)"
	equals "install: the module's line in the log" \
		"<6>tcp_connect_logger: loaded, logging disabled" "$(log)"
	in_dkms "install" "$kernel"
	equals "install: dkms_status agrees with dkms" "$(dkms status tcp-connect-logger)" "$(dkms_status)"
	equals "install: the module is signed with DKMS's key" "DKMS module signing key" "$(modinfo -F signer tcp_connect_logger)"
	loaded "install"
	works "install"
	permissions
	healthy "install"
	# The tests that continue from here list files of ours.
	rm /etc/apt/keyrings/* /etc/apt/sources.list.d/*
	apt_get clean
}

installed
echo end
