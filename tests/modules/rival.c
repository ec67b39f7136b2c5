// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * rival - redirect tcp_v4_connect(), or the function in function= of the module in object=, as
 * another module may
 *
 * how=livepatch: a livepatch that makes every such connect fail with ENETDOWN. With
 * replace=1 it replaces all other livepatches.
 * how=ftrace: an ftrace_ops with IPMODIFY that changes nothing.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"

#include <linux/livepatch.h>
#include <linux/module.h>

static char *how = "livepatch";
module_param(how, charp, 0444);
MODULE_PARM_DESC(how, "livepatch (default) or ftrace");

static char *function = "tcp_v4_connect";
module_param(function, charp, 0444);
MODULE_PARM_DESC(function, "tcp_v4_connect (default) or tcp_v6_connect");

static char *object;
module_param(object, charp, 0444);
MODULE_PARM_DESC(object, "the module that has the function; default: the kernel itself");

static bool replace;
module_param(replace, bool, 0444);
MODULE_PARM_DESC(replace, "replace all other livepatches");

static int rival_connect(struct sock *sk, tcl_sockaddr *uaddr, int addr_len)
{
	return -ENETDOWN;
}

static struct klp_func funcs[] = {
	{ .new_func = rival_connect },
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs };

static void notrace rival_callback(unsigned long ip, unsigned long parent_ip,
				   struct ftrace_ops *op, tcl_ftrace_regs *regs)
{
}

static struct ftrace_ops ops = {
	.func	= rival_callback,
	.flags	= FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY,
};

static bool by_ftrace(void)
{
	return !strcmp(how, "ftrace");
}

static int __init rival_init(void)
{
	int ret;

	funcs[0].old_name = function;
	objs[0].name = object;
	patch.replace = replace;
	if (!by_ftrace())
		return klp_enable_patch(&patch);

	ret = ftrace_set_filter(&ops, function, strlen(function), 1);
	return ret ?: register_ftrace_function(&ops);
}

static void __exit rival_exit(void)
{
	if (by_ftrace())
		unregister_ftrace_function(&ops);
}

module_init(rival_init);
module_exit(rival_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("Test neighbour: redirects tcp_v4_connect() too");
