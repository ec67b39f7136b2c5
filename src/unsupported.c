// SPDX-License-Identifier: GPL-2.0
/*
 * unsupported - what DKMS builds where the livepatch cannot be compiled
 *
 * DKMS's kernel hooks hand a failed build on to dpkg and rpm, and leave the
 * kernel's own package half installed; before 3.0.11 a kernel that
 * BUILD_EXCLUSIVE_* tells them to skip as well (dkms issue 302). So such a
 * kernel gets a module that refuses to load. With ENODEV, which
 * systemd-modules-load does not take for a failure: the boot is not degraded.
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
