// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * unsupported - the module that DKMS builds if the source rejects the kernel
 *
 * DKMS's kernel hooks pass a failed build on to dpkg and rpm, which leaves the
 * kernel's own package half installed. Before DKMS 3.0.11, the same happens with
 * a kernel that BUILD_EXCLUSIVE_* tells DKMS to skip (dkms issue 302). So DKMS
 * installs this module on such a kernel, and it refuses to load. It returns
 * ENODEV because systemd-modules-load does not treat that as a failure: the boot
 * is not degraded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

static int __init unsupported_init(void)
{
	pr_err("not loading: version %s does not compile for this kernel; look for a newer one, or boot another kernel; the reason is in make.log under /var/lib/dkms/tcp-connect-logger\n",
	       TCL_VERSION);
	return -ENODEV;
}

module_init(unsupported_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Not the livepatch, which does not compile for this kernel: refuses to load");
MODULE_AUTHOR("tcp-connect-logger maintainers");
MODULE_VERSION(TCL_VERSION);
