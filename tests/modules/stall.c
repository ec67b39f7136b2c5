// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * stall - a thread that holds up every livepatch transition while it is loaded
 *
 * It sleeps below a function that objtool ignores, so its stack cannot be unwound reliably,
 * and no transition can complete. The function that sleeps is separate, because objtool must
 * find one in the section. Otherwise it writes no ORC data for the section, and the result of
 * orc_find() depends on where the module's sections are.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/objtool.h>
#include <linux/sched.h>

static struct task_struct *thread;
static DECLARE_COMPLETION(begun);

static noinline void stall_sleep(void)
{
	schedule_timeout_interruptible(HZ);
	barrier();	/* no tail call */
}

static int stall_thread(void *unused)
{
	complete(&begun);
	while (!kthread_should_stop())
		stall_sleep();
	return 0;
}

STACK_FRAME_NON_STANDARD(stall_thread);

static int __init stall_init(void)
{
	thread = kthread_run(stall_thread, NULL, "stall");
	/* Before it is in stall_thread(), it would not hold up a transition. */
	if (!IS_ERR(thread))
		wait_for_completion(&begun);
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
