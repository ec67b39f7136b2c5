// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * tcp-connect-logger - log outbound TCP connections, by livepatch
 *
 * The livepatch replaces tcp_v4_connect() and tcp_v6_connect(). A replacement calls
 * the original with the same arguments. If anybody wants records, it also records
 * the destination, the process and the result (log.c). Every way to connect calls
 * one of these two functions with the address already in kernel memory:
 * connect(2), sendto(2) with MSG_FASTOPEN, io_uring, MPTCP subflows and sockets
 * of the kernel itself.
 *
 * To unload, as "tcp-connect-logger unload" and modprobe -r do:
 *
 *	echo 0 > /sys/kernel/livepatch/tcp_connect_logger/enabled
 *	cat /sys/kernel/livepatch/tcp_connect_logger/transition   # until it is gone
 *	rmmod tcp_connect_logger
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"

#include <linux/build_bug.h>
#include <linux/delay.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/static_call.h>

#include "destination.h"
#include "log.h"
#include "prologue.h"

/* ---- The replacements ---- */

/*
 * The bodies of the originals. A static call is a direct call, which the kernel
 * patches in place (arch/x86/kernel/static_call.c). An indirect call would fault
 * on a CPU with IBT, because a body does not begin with an ENDBR64.
 */
static int no_original(struct sock *sk, tcl_sockaddr *uaddr, int addr_len)
{
	return -ENXIO;	/* never called: tcl_pre_patch() sets the targets first */
}

DEFINE_STATIC_CALL(tcl_original_v4, no_original);
DEFINE_STATIC_CALL(tcl_original_v6, no_original);

/*
 * Record a connection: log it before the original runs, trace it with its result
 * afterwards. noinline, so that the replacements save no registers for it. The
 * destination is written as a whole or not read, and no array in it is indexed, so
 * clearing it first and guarding the stack would only take time.
 */
static noinline __no_stack_protector int tcl_recorded(struct sock *sk, tcl_sockaddr *uaddr,
						      int addr_len, bool v6)
{
	union tcl_destination to __uninitialized;
	bool recorded;
	int ret;

	recorded = v6 ? tcl_destination_v6(&to, sk, uaddr, addr_len) :
			tcl_destination_v4(&to, sk, uaddr, addr_len);
	if (recorded && READ_ONCE(tcl_logging))
		tcl_log(&to.sa);

	ret = v6 ? static_call(tcl_original_v6)(sk, uaddr, addr_len) :
		   static_call(tcl_original_v4)(sk, uaddr, addr_len);
	if (recorded)
		tcl_trace(sk, &to.sa, ret);

	return ret;
}

/*
 * The replacements must be on the stack while the original runs, because it may
 * sleep. When another livepatch of the same function is applied over ours, its
 * transition waits for every task that has our replacement on its stack
 * (klp_check_stack_func() in kernel/livepatch/transition.c). barrier() keeps the
 * compiler from turning the call into a jump.
 */
static int tcl_tcp_v4_connect(struct sock *sk, tcl_sockaddr *uaddr, int addr_len)
{
	int ret;

	if (tcl_wanted())
		ret = tcl_recorded(sk, uaddr, addr_len, false);
	else
		ret = static_call(tcl_original_v4)(sk, uaddr, addr_len);
	barrier();

	return ret;
}

static int tcl_tcp_v6_connect(struct sock *sk, tcl_sockaddr *uaddr, int addr_len)
{
	int ret;

	if (tcl_wanted())
		ret = tcl_recorded(sk, uaddr, addr_len, true);
	else
		ret = static_call(tcl_original_v6)(sk, uaddr, addr_len);
	barrier();

	return ret;
}

static_assert(__same_type(tcl_tcp_v4_connect, tcp_v4_connect),
	      "tcp_v4_connect() has a type in this kernel that this version of tcp-connect-logger does not know: look for a newer one");
/* tcp_v6_connect() is static: compare with connect in struct proto instead (tcpv6_prot). */
static_assert(__same_type(&tcl_tcp_v6_connect, ((struct proto *)NULL)->connect),
	      "tcp_v6_connect() has a type in this kernel that this version of tcp-connect-logger does not know: look for a newer one");

/* ---- The patch ---- */

/* The callback of an ops that changes nothing, see tcl_claim(). */
static void notrace tcl_ftrace_nop(unsigned long ip, unsigned long parent_ip,
				   struct ftrace_ops *op,
				   tcl_ftrace_regs *regs)
{
}

#define TCL_CLAIM_OPS {							\
	.func	= tcl_ftrace_nop,					\
	.flags	= FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY |	\
		  FTRACE_OPS_FL_PERMANENT,				\
}

/* One for each function. Each is used when its object is patched: ipv6 may come again. */
static struct ftrace_ops tcl_claim_v4 = TCL_CLAIM_OPS, tcl_claim_v6 = TCL_CLAIM_OPS;

/**
 * tcl_claim() - make sure that nobody else redirects a function
 * @ops: the ops to register for this check
 * @site: address of the function's fentry site
 *
 * A call of the original body would silently undo another livepatch, perhaps a
 * security fix. ftrace allows one IPMODIFY user per function, and all livepatches
 * together are one user (klp_ops in kernel/livepatch/patch.c). So ftrace refuses
 * @ops exactly when the function has another IPMODIFY user. The caller holds
 * klp_mutex, so no other livepatch can come before ours. If any other IPMODIFY
 * user comes first, ftrace refuses when livepatch registers for us.
 *
 * @ops is permanent, like livepatch's own ops, in case kernel.ftrace_enabled is 0:
 * then ftrace refuses a permanent ops at once (__register_ftrace_function() in
 * kernel/trace/ftrace.c). It would accept any other ops, and leave the function
 * marked after that ops is unregistered. When the next ops is unregistered, ftrace
 * would find the mark, warn, and shut down for good.
 *
 * Return: 0; -EBUSY if the function has another IPMODIFY user; -EOPNOTSUPP if
 * ftrace is switched off; -EINVAL if @site is not an fentry site; -EAGAIN while
 * BPF changes its trampoline for the function (bpf_tramp_ftrace_ops_func() in
 * kernel/bpf/trampoline.c); or another error from ftrace.
 */
static int tcl_claim(struct ftrace_ops *ops, unsigned long site)
{
	int ret;

	ret = ftrace_set_filter_ip(ops, site, 0, 0);
	if (ret)
		return ret;

	ret = register_ftrace_function(ops);
	if (!ret) {
		ret = unregister_ftrace_function(ops);
	} else if (ret == -EBUSY) {
		/* Without IPMODIFY, ftrace refuses only if it is switched off. */
		ops->flags &= ~FTRACE_OPS_FL_IPMODIFY;
		if (register_ftrace_function(ops))
			ret = -EOPNOTSUPP;
		else
			unregister_ftrace_function(ops);
		ops->flags |= FTRACE_OPS_FL_IPMODIFY;
	}

	/* Set an empty filter: 5.10 does not export ftrace_free_filter(). */
	ftrace_set_filter(ops, NULL, 0, 1);
	return ret;
}

/* Whether tcl_pre_patch() was called, and succeeded: tells tcl_init() why loading failed. */
static bool tcl_asked, tcl_claimed;

/*
 * Find the body of one original, or say why the patch is refused, and what follows.
 * Try again if the function is being changed: for some microseconds, its first byte
 * is then an int3 (text_poke_bp() in arch/x86/kernel/alternative.c).
 */
static int tcl_prepare(const struct klp_func *func, const char *result)
{
	bool v6 = func->new_func == tcl_tcp_v6_connect;
	u8 *original = func->old_func;
	int tries = 5, ret;
	size_t size;

	for (;;) {
		size = tcl_prologue_size(original);
		ret = !size ? -EINVAL : tcl_claim(v6 ? &tcl_claim_v6 : &tcl_claim_v4,
						  (unsigned long)original + size - TCL_FENTRY_SIZE);
		if ((size && ret != -EAGAIN) || !--tries)
			break;
		msleep(20);
	}

	switch (ret) {
	case 0:
		if (v6)
			static_call_update(tcl_original_v6, (tcl_connect *)(original + size));
		else
			static_call_update(tcl_original_v4, (tcl_connect *)(original + size));
		break;
	case -EINVAL:
		pr_err("%s: %s() begins with the bytes %*ph, which this version does not know; look for a newer one, or report them\n",
		       result, func->old_name, TCL_PROLOGUE_MAX, original);
		/* systemd-modules-load does not treat ENODEV as a failure, see unsupported.c. */
		ret = -ENODEV;
		break;
	case -EBUSY:
		pr_err("%s: %s() is already patched by another livepatch or redirected by another IPMODIFY user, which this one would undo\n",
		       result, func->old_name);
		break;
	case -EOPNOTSUPP:
		pr_err("%s: ftrace is switched off; sysctl kernel.ftrace_enabled must be 1\n",
		       result);
		ret = -EBUSY;
		break;
	default:
		pr_err("%s: ftrace cannot be used on %s(), error %d\n",
		       result, func->old_name, ret);
	}

	return ret;
}

/**
 * tcl_pre_patch() - find the bodies of the originals, or refuse to patch
 * @obj: vmlinux or ipv6, with the addresses of its functions resolved
 *
 * Livepatch calls this before it redirects any call (__klp_enable_patch() in
 * kernel/livepatch/core.c). On error, loading this module fails with that error.
 *
 * If ipv6 is a module and is loaded later, an error would make ipv6 itself fail to
 * load (klp_module_coming()). Then leave its function alone instead: hide it from
 * klp_patch_object(), which walks this list, until tcl_post_patch_ipv6().
 *
 * Return: 0 or a negative errno, see tcl_prepare().
 */
static int tcl_pre_patch(struct klp_object *obj)
{
	bool coming = obj->mod && obj->mod->state == MODULE_STATE_COMING;
	struct klp_func *func;
	int ret;

	tcl_asked = true;
	tcl_claimed = false;
	for (func = obj->funcs; func->old_name; func++) {
		ret = tcl_prepare(func, coming ? "not logging IPv6" : "not loading");
		if (ret && !coming)
			return ret;
		if (ret)
			list_del_init(&func->node);
	}

	tcl_claimed = true;
	return 0;
}

/**
 * tcl_post_unpatch() - remove the switch, which has no effect any more
 * @obj: vmlinux
 *
 * A disabled livepatch cannot be enabled again, only loaded again. Livepatch does
 * not call this when another livepatch replaces ours
 * (klp_unpatch_replaced_patches() in kernel/livepatch/core.c). The switch then
 * stays until the module is removed, and "tcp-connect-logger status" uses it to
 * tell a replaced livepatch from a disabled one.
 */
static void tcl_post_unpatch(struct klp_object *obj)
{
	tcl_remove_switch();
}

#define TCL_V6_FUNC {			\
	.old_name = "tcp_v6_connect",	\
	.new_func = tcl_tcp_v6_connect,	\
}

static struct klp_func tcl_vmlinux_funcs[] = {
	{
		.old_name = "tcp_v4_connect",
		.new_func = tcl_tcp_v4_connect,
	},
#if IS_BUILTIN(CONFIG_IPV6)
	TCL_V6_FUNC,
#endif
	{ }
};

#if IS_MODULE(CONFIG_IPV6)
static struct klp_func tcl_ipv6_funcs[] = {
	TCL_V6_FUNC,
	{ }
};

/**
 * tcl_post_patch_ipv6() - return to the list what tcl_pre_patch() took out
 * @obj: ipv6
 *
 * Livepatch frees only the functions in the list. Mark the object as not patched:
 * klp_check_stack_func() relies on livepatch having patched each function of a
 * patched object.
 */
static void tcl_post_patch_ipv6(struct klp_object *obj)
{
	struct klp_func *func;

	for (func = obj->funcs; func->old_name; func++) {
		if (!list_empty(&func->node))
			continue;
		list_add(&func->node, &obj->func_list);
		obj->patched = false;
	}
}
#endif

static struct klp_object tcl_objs[] = {
	{
		/* no .name: vmlinux */
		.funcs = tcl_vmlinux_funcs,
		TCL_OBJECT_CALLBACKS(.pre_patch = tcl_pre_patch,
				     .post_unpatch = tcl_post_unpatch)
	},
#if IS_MODULE(CONFIG_IPV6)
	{
		.name = "ipv6",
		.funcs = tcl_ipv6_funcs,
		TCL_OBJECT_CALLBACKS(.pre_patch = tcl_pre_patch,
				     .post_patch = tcl_post_patch_ipv6,
				     .post_unpatch = tcl_post_patch_ipv6)
	},
#endif
	{ }
};

#ifdef TCL_STATE_CALLBACKS
static int tcl_state_pre_patch(struct klp_patch *patch, struct klp_state *state)
{
	return tcl_pre_patch(patch->objs);
}

static void tcl_state_post_unpatch(struct klp_patch *patch, struct klp_state *state)
{
	tcl_post_unpatch(patch->objs);
}

static struct klp_state tcl_states[] = {
	{
		.id = TCL_NUMBER,
		.callbacks = {
			.pre_patch = tcl_state_pre_patch,
			.post_unpatch = tcl_state_post_unpatch,
		},
	},
	{ }
};
#endif

static struct klp_patch tcl_patch = {
	.mod = THIS_MODULE,
	.objs = tcl_objs,
#ifdef TCL_STATE_CALLBACKS
	.states = tcl_states,
#endif
	.tcl_replace = TCL_REPLACE_NONE,
};

/* ---- Load and unload ---- */

static int __init tcl_init(void)
{
	int ret;

	static_assert(TCL_FENTRY_SIZE == MCOUNT_INSN_SIZE,
		      "fentry sites have a size in this kernel that this version of tcp-connect-logger does not know: look for a newer one");

	ret = tcl_log_init();
	if (ret)
		return ret;

	/* Must be the last step that can fail: after it, only sysfs can undo the load. */
	ret = klp_enable_patch(&tcl_patch);
	if (ret)
		goto refused;

	pr_info("loaded, logging %s\n", tcl_start_enabled ? "enabled" : "disabled");

	/*
	 * For the udev rule. The kernel sends an "add" uevent for the module, but
	 * before 5.12 it did so before it called this function (kernel/module).
	 */
	kobject_uevent(&THIS_MODULE->mkobj.kobj, KOBJ_CHANGE);
	return 0;

refused:
	/* Livepatch does not log these (__klp_enable_patch(), register_ftrace_function()). */
	if (ret == -EBUSY && tcl_claimed)
		pr_err("not loading: ftrace has just been switched off, or another IPMODIFY user has just come; try again\n");
	else if (ret == -EAGAIN)
		pr_err("not loading: a BPF program is just being attached to the same function; try again\n");
	else if (ret == -EBUSY && !tcl_asked)
		pr_err("not loading: another livepatch is in transition; try again when it is over\n");
	tcl_log_exit();
	return ret;
}

/* Called only after the patch is disabled: until then it holds a module reference. */
static void __exit tcl_exit(void)
{
	tcl_log_exit();
}

module_init(tcl_init);
module_exit(tcl_exit);

MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("Log outbound TCP connections and the processes that make them");
MODULE_AUTHOR("tcp-connect-logger maintainers");
MODULE_VERSION(TCL_VERSION);
