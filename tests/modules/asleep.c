// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * asleep - a livepatch of tcp_connect(), in which each connect sleeps until woken
 *
 * tcp_v4_connect() calls tcp_connect(), so its body is on the stack meanwhile. Each
 * connect ends with ENETDOWN. inside= shows how many sleep. Writing to woken= wakes
 * those, and later ones do not sleep until it is 0 again.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/wait.h>
#include <net/tcp.h>

static DECLARE_WAIT_QUEUE_HEAD(queue);
static atomic_t inside;
static bool woken;

static int woken_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_bool(val, kp);

	wake_up_all(&queue);
	return ret;
}

static const struct kernel_param_ops woken_ops = {
	.set = woken_set,
	.get = param_get_bool,
};

module_param_cb(woken, &woken_ops, &woken, 0644);
MODULE_PARM_DESC(woken, "whether connects go on");
module_param_named(inside, inside.counter, int, 0444);
MODULE_PARM_DESC(inside, "number of connects that sleep");

/* Idle: neither livepatch's fake signal nor the hung-task detector minds it. */
static int asleep_connect(struct sock *sk)
{
	atomic_inc(&inside);
	wait_event_idle(queue, READ_ONCE(woken));
	atomic_dec(&inside);
	return -ENETDOWN;
}

static_assert(__same_type(asleep_connect, tcp_connect));

static struct klp_func funcs[] = {
	{
		.old_name = "tcp_connect",
		.new_func = asleep_connect,
	},
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs };

static int __init asleep_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit asleep_exit(void)
{
}

module_init(asleep_init);
module_exit(asleep_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("Test neighbour: connects sleep in tcp_connect()");
