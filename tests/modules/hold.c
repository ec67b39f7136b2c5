// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * hold - hold a reference to the module under test while this one is loaded
 *
 * Load it first: it uses the module notifier to find the other module.
 */
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/string.h>

static struct module *held;

static int hold_notify(struct notifier_block *nb, unsigned long state, void *data)
{
	struct module *mod = data;

	if (state == MODULE_STATE_LIVE && !held &&
	    !strcmp(mod->name, "tcp_connect_logger") && try_module_get(mod))
		held = mod;
	return NOTIFY_OK;
}

static struct notifier_block hold_block = { .notifier_call = hold_notify };

static int __init hold_init(void)
{
	return register_module_notifier(&hold_block);
}

static void __exit hold_exit(void)
{
	unregister_module_notifier(&hold_block);
	module_put(held);
}

module_init(hold_init);
module_exit(hold_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test neighbour: holds a reference to tcp_connect_logger");
