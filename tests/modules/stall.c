// SPDX-License-Identifier: GPL-2.0
/*
 * stall - a thread that holds up every livepatch transition while it is loaded
 *
 * It sleeps in a function that objtool is told to leave alone, so that its
 * stack cannot be unwound reliably and no transition can be sure of it.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/objtool.h>
#include <linux/sched.h>

static struct task_struct *thread;

static noinline int stall_sleep(void *unused)
{
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

STACK_FRAME_NON_STANDARD(stall_sleep);

static int __init stall_init(void)
{
	thread = kthread_run(stall_sleep, NULL, "stall");
	return PTR_ERR_OR_ZERO(thread);
}

static void __exit stall_exit(void)
{
	kthread_stop(thread);
}

module_init(stall_init);
module_exit(stall_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test neighbour: stalls livepatch transitions");
