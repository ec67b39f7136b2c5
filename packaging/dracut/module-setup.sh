# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# A dracut module, see dracut.modules(7): keep the livepatch out of the initramfs. There
# it would be loaded without the options in /etc, and even after the package is removed.
# omit-driver.conf omits the module, and this script omits the file that names it.

check() {
	return 0
}

install() {
	# shellcheck disable=SC2154 # dracut sets it
	rm -f "$initdir#MODULESLOADDIR#/tcp-connect-logger.conf"
}
