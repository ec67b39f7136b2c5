// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * int3 - an int3 at a function's fentry site, as while the kernel changes the site
 *
 * The byte there is restored at the call number "sleeps" of msleep(), or when this module
 * is unloaded. Nobody may call the function meanwhile.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#define INT3 0xcc

static unsigned long address;
module_param(address, ulong, 0444);
MODULE_PARM_DESC(address, "address of the function, which may begin with an ENDBR64");

static unsigned int sleeps;
module_param(sleeps, uint, 0444);
MODULE_PARM_DESC(sleeps, "calls of msleep() until it is restored; 0: never");

static void *alias;	/* the page of the byte, writable */
static u8 *byte, original;

static int count_sleep(struct kprobe *probe, struct pt_regs *regs)
{
	if (sleeps && !--sleeps)
		WRITE_ONCE(*byte, original);
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "msleep",
	.pre_handler = count_sleep,
};

static int __init int3_init(void)
{
	struct page *page;
	int ret;

	if (*(u32 *)address == 0xfa1e0ff3)
		address += 4;
	page = virt_to_page((void *)address);
	alias = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	if (!alias)
		return -ENOMEM;

	ret = register_kprobe(&probe);
	if (ret) {
		vunmap(alias);
		return ret;
	}

	byte = alias + offset_in_page(address);
	original = *byte;
	WRITE_ONCE(*byte, INT3);
	return 0;
}

static void __exit int3_exit(void)
{
	unregister_kprobe(&probe);
	/* If it is restored, it may have changed again. */
	if (READ_ONCE(*byte) == INT3)
		WRITE_ONCE(*byte, original);
	vunmap(alias);
}

module_init(int3_init);
module_exit(int3_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test neighbour: an int3 in a function");
