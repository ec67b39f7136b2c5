#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# autopkgtest.sh - autopkgtest runs the tests of debian/tests in a guest with systemd: they pass,
# and one of them fails if the livepatch did not compile
#
# /payload/debs has the packages that autopkgtest and the tests need.
#
# where: systemd
# on-later: trixie
# payload: source deb tools-deb warm tests/guest/system.sh
# later: all of it: `build` checks that DKMS builds the livepatch, and which module it builds if the
#	source rejects the kernel

# shellcheck source=tests/guest/system.sh
. /payload/system.sh

# run NAME STATUS SUMMARY [OPTION]: run the tests with the packages in /payload; check autopkgtest's
# exit status and its summary. /tmp/NAME gets the tests' output. DKMS's test asks for a testbed that
# can be reverted, because it purges the package.
run() {
	exits "$1: autopkgtest" "$2" autopkgtest --output-dir="/tmp/$1" --no-built-binaries \
		--ignore-restrictions=breaks-testbed --timeout-factor=10 ${4:+"$4"} \
		/payload/*.deb /payload/*.dsc -- null
	[ "$status" = "$2" ] || echo "$output" | sed 's/^/# /'
	equals "$1: summary" "$3" "$(cat "/tmp/$1/summary")"
}

# The guest has no network.
: >/etc/apt/sources.list
succeeds "autopkgtest: apt install" apt_get install /payload/debs/*.deb

run livepatch 0 "\
livepatch            PASS
dkms-autopkgtest     PASS (superficial)"
equals "livepatch: what the test prints" "kernel $kernel: version $version" \
	"$(cat /tmp/livepatch/livepatch-stdout)"

# With these headers, the livepatch does not compile. DKMS's own test passes even so; it is left
# out, because it takes two more builds.
sed -i '/CONFIG_LIVEPATCH /d' "/usr/src/linux-headers-$kernel/include/generated/autoconf.h"
succeeds "stub: apt purge" apt_get purge $package $tools
run stub 4 "livepatch            FAIL non-zero exit status 1" --test-name=livepatch
equals "stub: what the test prints" \
	"kernel $kernel: /lib/modules/$kernel/updates/dkms/tcp-connect-logger.ko.xz is not the livepatch" \
	"$(cat /tmp/stub/livepatch-stdout)"
echo end
