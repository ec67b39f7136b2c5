// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * kprobe - print a record's line from a kprobe on tcp_v4_connect(), as one would without
 * livepatch
 */
#define pr_fmt(fmt) "kprobe: " fmt

#include <linux/cred.h>
#include <linux/in.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/uidgid.h>

static int kprobe_hit(struct kprobe *probe, struct pt_regs *regs)
{
	pr_info("pid=%d uid=%u comm=%s -> %pISpc\n", task_tgid_nr(current),
		__kuid_val(current_uid()), current->comm, (struct sockaddr_in *)regs->si);
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "tcp_v4_connect",
	.pre_handler = kprobe_hit,
};

static int __init kprobe_init(void)
{
	return register_kprobe(&probe);
}

static void __exit kprobe_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(kprobe_init);
module_exit(kprobe_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test neighbour: a kprobe that prints a line");
