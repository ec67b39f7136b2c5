// SPDX-License-Identifier: GPL-2.0
/*
 * tcp-connect-logger - log outbound TCP connections, by livepatch
 *
 * tcp_v4_connect() and tcp_v6_connect() are replaced by functions that record the
 * destination and the process, if anybody wants to know (log.c), and then go on
 * to the original with the same arguments. These two because every way to connect
 * comes through them, with the address already in the kernel: connect(2),
 * sendto(2) with MSG_FASTOPEN, io_uring, MPTCP's subflows, the kernel's own sockets.
 *
 * To unload (what "tcp-connect-logger unload" does, and modprobe -r):
 *
 *	echo 0 > /sys/kernel/livepatch/tcp_connect_logger/enabled
 *	cat /sys/kernel/livepatch/tcp_connect_logger/transition   # until it is gone
 *	rmmod tcp_connect_logger
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"

#include <linux/build_bug.h>
#include <linux/kobject.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/static_call.h>

#include "log.h"
#include "prologue.h"

/* ---- The replacements ---- */

/*
 * The bodies of the originals. A static call is a direct jump, patched in place
 * (arch/x86/kernel/static_call.c): an indirect one would fault on a CPU with
 * IBT, since a body does not begin with an ENDBR64.
 */
static int no_original(struct sock *sk, tcl_sockaddr *uaddr, int addr_len)
{
	return -ENXIO;	/* until tcl_pre_patch(), when nothing calls it yet */
}

DEFINE_STATIC_CALL(tcl_original_v4, no_original);
DEFINE_STATIC_CALL(tcl_original_v6, no_original);

/*
 * They end in a jump, so that they are not on the stack while the original runs,
 * and a connect that sleeps there holds up no transition.
 */
static int tcl_tcp_v4_connect(struct sock *sk, tcl_sockaddr *uaddr, int addr_len)
{
	if (tcl_wanted())
		tcl_connect_v4(sk, uaddr, addr_len);

	return static_call(tcl_original_v4)(sk, uaddr, addr_len);
}

static int tcl_tcp_v6_connect(struct sock *sk, tcl_sockaddr *uaddr, int addr_len)
{
	if (tcl_wanted())
		tcl_connect_v6(sk, uaddr, addr_len);

	return static_call(tcl_original_v6)(sk, uaddr, addr_len);
}

static_assert(__same_type(tcl_tcp_v4_connect, tcp_v4_connect),
	      "tcp_v4_connect() has a type in this kernel that this version of tcp-connect-logger does not know: look for a newer one");
/* tcp_v6_connect() is static, but it is what a struct proto has for connect (tcpv6_prot). */
static_assert(__same_type(&tcl_tcp_v6_connect, ((struct proto *)NULL)->connect),
	      "tcp_v6_connect() has a type in this kernel that this version of tcp-connect-logger does not know: look for a newer one");

/* ---- The patch ---- */

/* As it is given to an ops that changes nothing, see tcl_claim(). */
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

/* One for each function, and each used once. */
static struct ftrace_ops tcl_claim_v4 = TCL_CLAIM_OPS, tcl_claim_v6 = TCL_CLAIM_OPS;

/**
 * tcl_claim() - make sure that nobody else redirects a function
 * @ops: to ask with
 * @site: address of the function's fentry site
 *
 * Going on to the original body would silently undo another livepatch, perhaps
 * a security fix. ftrace lets one IPMODIFY user have a function, and all
 * livepatches together are one (klp_ops in kernel/livepatch/patch.c): so an ops
 * of ours is refused exactly when somebody is there. klp_mutex is held, hence
 * no livepatch can come between this and our own; and any other IPMODIFY user
 * that does is found by ftrace when livepatch registers for us.
 *
 * Permanent, as livepatch's own ops are, for the case that kernel.ftrace_enabled is
 * 0: ftrace then refuses at once (__register_ftrace_function() in
 * kernel/trace/ftrace.c). It would take any other ops, and leave the function
 * marked when that goes; the next one to go from ftrace would find the mark, warn,
 * and shut ftrace down for good.
 *
 * Return: 0; -EBUSY if somebody is there; -EOPNOTSUPP if ftrace is switched off;
 * -EINVAL if @site is no fentry site; or another error of ftrace's.
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
		/* The only thing that can be in the way of an ops that changes nothing */
		ops->flags = FTRACE_OPS_FL_PERMANENT;
		if (register_ftrace_function(ops))
			ret = -EOPNOTSUPP;
		else
			unregister_ftrace_function(ops);
	}

	/* An empty filter instead of ftrace_free_filter(), which 5.10 does not export. */
	ftrace_set_filter(ops, NULL, 0, 1);
	return ret;
}

/* How far loading came: whether it was livepatch that refused, and why. */
static bool tcl_asked, tcl_claimed;

/* Find the body of the original, or refuse, see tcl_pre_patch(). */
static int tcl_prepare(const struct klp_func *func)
{
	bool v6 = func->new_func == tcl_tcp_v6_connect;
	u8 *original = func->old_func;
	size_t size = tcl_prologue_size(original);
	int ret = -EINVAL;

	if (size)
		ret = tcl_claim(v6 ? &tcl_claim_v6 : &tcl_claim_v4,
				(unsigned long)original + size - TCL_FENTRY_SIZE);

	switch (ret) {
	case 0:
		if (v6)
			static_call_update(tcl_original_v6, (tcl_connect *)(original + size));
		else
			static_call_update(tcl_original_v4, (tcl_connect *)(original + size));
		break;
	case -EINVAL:
		pr_err("not loading: %s() begins with the bytes %*ph, which this version does not know; look for a newer one, or report them\n",
		       func->old_name, TCL_PROLOGUE_MAX, original);
		/* As unsupported.c does: to systemd-modules-load no failure of the boot. */
		ret = -ENODEV;
		break;
	case -EBUSY:
		pr_err("not loading: %s() is already patched by another livepatch or redirected by another IPMODIFY user, which this one would undo\n",
		       func->old_name);
		break;
	case -EOPNOTSUPP:
		pr_err("not loading: ftrace is switched off; sysctl kernel.ftrace_enabled must be 1\n");
		ret = -EBUSY;
		break;
	default:
		pr_err("not loading: ftrace cannot be used on %s(), error %d\n",
		       func->old_name, ret);
	}

	return ret;
}

/**
 * tcl_pre_patch() - find the bodies of the originals, or refuse to patch
 * @obj: vmlinux or ipv6, with the address of each function resolved by the core
 *
 * Runs before any call is redirected (kernel/livepatch/core.c,
 * __klp_enable_patch()); an error is what loading the module fails with. Where
 * ipv6 is a module that comes later, an error is what loading that one fails with
 * (klp_module_coming()).
 *
 * Return: 0 or a negative errno.
 */
static int tcl_pre_patch(struct klp_object *obj)
{
	struct klp_func *func;
	int ret;

	tcl_asked = true;
	for (func = obj->funcs; func->old_name; func++) {
		ret = tcl_prepare(func);
		if (ret)
			return ret;
	}

	tcl_claimed = true;
	return 0;
}

/**
 * tcl_post_unpatch() - take the switch away, which has nothing to switch any more
 * @obj: vmlinux
 *
 * A livepatch that has been disabled cannot be enabled again, only loaded again.
 * Not called when another one replaces ours (klp_unpatch_replaced_patches() in
 * kernel/livepatch/core.c): there the switch stays until the module goes, and
 * "tcp-connect-logger status" tells the two apart by it.
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
#endif

static struct klp_object tcl_objs[] = {
	{
		/* no .name: vmlinux */
		.funcs = tcl_vmlinux_funcs,
		.callbacks = {
			.pre_patch = tcl_pre_patch,
			.post_unpatch = tcl_post_unpatch,
		},
	},
#if IS_MODULE(CONFIG_IPV6)
	{
		.name = "ipv6",
		.funcs = tcl_ipv6_funcs,
		.callbacks = {
			.pre_patch = tcl_pre_patch,
		},
	},
#endif
	{ }
};

/* Not .replace: that would drop everybody else's livepatches. */
static struct klp_patch tcl_patch = {
	.mod = THIS_MODULE,
	.objs = tcl_objs,
};

/* ---- Load and unload ---- */

static int __init tcl_init(void)
{
	int ret;

	static_assert(TCL_FENTRY_SIZE == MCOUNT_INSN_SIZE);

	ret = tcl_log_init();
	if (ret)
		return ret;

	/* Last of what can fail: once it succeeds, only sysfs can undo it. */
	ret = klp_enable_patch(&tcl_patch);
	if (ret)
		goto refused;

	pr_info("loaded, logging %s\n", tcl_start_enabled ? "enabled" : "disabled");

	/*
	 * For the udev rule. The uevent of the module itself says "add", but
	 * before 5.12 it came before this function was called (kernel/module).
	 */
	kobject_uevent(&THIS_MODULE->mkobj.kobj, KOBJ_CHANGE);
	return 0;

refused:
	/* What livepatch does not say (__klp_enable_patch(), register_ftrace_function()) */
	if (ret == -EBUSY && tcl_claimed)
		pr_err("not loading: ftrace has just been switched off, or another IPMODIFY user has just come; try again\n");
	else if (ret == -EBUSY && !tcl_asked)
		pr_err("not loading: another livepatch is in transition; try again when it is over\n");
	tcl_log_exit();
	return ret;
}

/* Called only after the patch was disabled: until then it holds the module. */
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
