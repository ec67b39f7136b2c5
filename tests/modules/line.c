// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * line - print a record's line with one bare pr_info() for each write to /proc/line, to measure
 * what printk itself costs
 */
#define pr_fmt(fmt) "tcp_connect_logger: " fmt

#include <linux/cred.h>
#include <linux/in.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/uidgid.h>

static bool print;
module_param(print, bool, 0644);
MODULE_PARM_DESC(print, "whether to; else a write does nothing");

static ssize_t line_write(struct file *file, const char __user *text, size_t count, loff_t *pos)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(0xc6336401),	/* 198.51.100.1 */
	};

	if (READ_ONCE(print))
		pr_info("pid=%d uid=%u comm=%s -> %pISpc\n", task_tgid_nr(current),
			__kuid_val(current_uid()), current->comm, &to);
	return count;
}

static const struct proc_ops line_ops = {
	.proc_write = line_write,
};

static int __init line_init(void)
{
	return proc_create("line", 0200, NULL, &line_ops) ? 0 : -ENOMEM;
}

static void __exit line_exit(void)
{
	remove_proc_entry("line", NULL);
}

module_init(line_init);
module_exit(line_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test neighbour: prints a line");
