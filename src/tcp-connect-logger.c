// SPDX-License-Identifier: GPL-2.0
/*
 * tcp-connect-logger - log outbound TCP connections, by livepatch
 *
 * tcp_v4_connect() is replaced by a function that logs the destination and the
 * process, while /sys/kernel/tcp_connect_logger/enabled is 1, and then goes on
 * to the original with the same arguments. tcp_v4_connect() because every way
 * to connect comes through it, with the address already in the kernel:
 * connect(2), sendto(2) with MSG_FASTOPEN, io_uring, the kernel's own sockets.
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
#include <linux/cred.h>
#include <linux/in.h>
#include <linux/kobject.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/static_call.h>
#include <linux/sysfs.h>

#include "entry.h"
#include "record.h"

/* ---- The switch ---- */

static bool logging;

/* Exactly 0 or 1: kstrtobool() would take "nonsense" for no. */
static int tcl_parse_switch(const char *text, bool *on)
{
	if (sysfs_streq(text, "0"))
		*on = false;
	else if (sysfs_streq(text, "1"))
		*on = true;
	else
		return -EINVAL;

	return 0;
}

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(logging));
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	bool on;
	int ret;

	/* A NUL would hide what follows it from the parser. */
	if (strlen(buf) != count)
		return -EINVAL;

	ret = tcl_parse_switch(buf, &on);
	if (ret)
		return ret;

	WRITE_ONCE(logging, on);
	return count;
}

static struct kobj_attribute enabled_attr = __ATTR_RW(enabled);

static struct kobject *tcl_kobj;	/* /sys/kernel/tcp_connect_logger */

static void tcl_remove_switch(void)
{
	/* kobject_put() alone may leave the files until later, when we are gone. */
	kobject_del(tcl_kobj);
	kobject_put(tcl_kobj);
	tcl_kobj = NULL;
}

/* The parameter is what the switch starts from, and stays what it was. */
static bool start_enabled;

static int start_enabled_set(const char *val, const struct kernel_param *kp)
{
	return tcl_parse_switch(val, &start_enabled);
}

static int start_enabled_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%d\n", start_enabled);
}

static const struct kernel_param_ops start_enabled_ops = {
	.set = start_enabled_set,
	.get = start_enabled_get,
};

module_param_cb(enabled, &start_enabled_ops, NULL, 0444);
__MODULE_PARM_TYPE(enabled, "0 or 1");
MODULE_PARM_DESC(enabled, "whether to log from the start: 0 = no (default), 1 = yes; afterwards write to /sys/kernel/tcp_connect_logger/enabled");

/* ---- The replacement ---- */

/*
 * The body of the original. A static call is a direct jump, patched in place
 * (arch/x86/kernel/static_call.c): an indirect one would fault on a CPU with
 * IBT, since the body does not begin with an ENDBR64.
 */
static int no_original(struct sock *sk, tcl_sockaddr *uaddr, int addr_len)
{
	return -ENXIO;	/* until tcl_pre_patch(), when nothing calls it yet */
}

DEFINE_STATIC_CALL(tcl_original, no_original);

static noinline void tcl_log(const struct sockaddr_in *sin, int addr_len)
{
	char comm[TASK_COMM_LEN], name[TCL_COMM_LEN];

	/* What the original refuses, in its order: where there is no length there is no address. */
	if (addr_len < (int)sizeof(*sin) || sin->sin_family != AF_INET)
		return;

	get_task_comm(comm, current);
	tcl_escape_comm(name, comm);
	pr_info("pid=%d uid=%u comm=%s -> %pI4:%u\n", task_tgid_nr(current),
		from_kuid(&init_user_ns, current_uid()), name, &sin->sin_addr,
		ntohs(sin->sin_port));
}

/*
 * Ends in a jump, so that it is not on the stack while the original runs, and
 * a connect that sleeps there holds up no transition.
 */
static int tcl_tcp_v4_connect(struct sock *sk, tcl_sockaddr *uaddr, int addr_len)
{
	if (unlikely(READ_ONCE(logging)))
		tcl_log((const struct sockaddr_in *)uaddr, addr_len);

	return static_call(tcl_original)(sk, uaddr, addr_len);
}

static_assert(__same_type(tcl_tcp_v4_connect, tcp_v4_connect),
	      "tcp_v4_connect() has a type in this kernel that this version of tcp-connect-logger does not know: look for a newer one");

/* ---- The patch ---- */

/* As it is given to an ops that changes nothing, see tcl_claim(). */
static void notrace tcl_ftrace_nop(unsigned long ip, unsigned long parent_ip,
				   struct ftrace_ops *op,
				   tcl_ftrace_regs *regs)
{
}

static struct ftrace_ops tcl_claim_ops = {
	.func	= tcl_ftrace_nop,
	.flags	= FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY,
};

/**
 * tcl_claim() - make sure that nobody else redirects a function
 * @site: address of the function's fentry site
 *
 * Going on to the original body would silently undo another livepatch, perhaps
 * a security fix. ftrace lets one IPMODIFY user have a function, and all
 * livepatches together are one (klp_ops in kernel/livepatch/patch.c): so an ops
 * of ours is refused exactly when somebody is there. klp_mutex is held, hence
 * no livepatch can come between this and our own; and any other IPMODIFY user
 * that does is found by ftrace when livepatch registers for us.
 *
 * Return: 0; -EBUSY if somebody is there; -EINVAL if @site is no fentry site;
 * or another error of ftrace's.
 */
static int tcl_claim(unsigned long site)
{
	int ret;

	ret = ftrace_set_filter_ip(&tcl_claim_ops, site, 0, 0);
	if (ret)
		return ret;

	ret = register_ftrace_function(&tcl_claim_ops);
	if (!ret)
		ret = unregister_ftrace_function(&tcl_claim_ops);

	/* An empty filter instead of ftrace_free_filter(), which 5.10 does not export. */
	ftrace_set_filter(&tcl_claim_ops, NULL, 0, 1);
	return ret;
}

/* How far loading came: whether it was livepatch that refused, and why. */
static bool tcl_asked, tcl_claimed;

/**
 * tcl_pre_patch() - find the original's body, or refuse to patch
 * @obj: vmlinux, with the address of each function resolved by the core
 *
 * Runs before any call is redirected (kernel/livepatch/core.c,
 * __klp_enable_patch()); an error is what loading the module fails with.
 *
 * Return: 0 or a negative errno.
 */
static int tcl_pre_patch(struct klp_object *obj)
{
	const struct klp_func *func = &obj->funcs[0];
	u8 *original = func->old_func;
	size_t size = tcl_entry_size(original);
	int ret = -EINVAL;

	tcl_asked = true;
	if (size)
		ret = tcl_claim((unsigned long)original + size - TCL_FENTRY_SIZE);

	switch (ret) {
	case 0:
		tcl_claimed = true;
		static_call_update(tcl_original, (typeof(tcp_v4_connect) *)(original + size));
		break;
	case -EINVAL:
		pr_err("not loading: %s() begins with the bytes %*ph, which this version does not know; look for a newer one, or report them\n",
		       func->old_name, TCL_ENTRY_MAX, original);
		/* As unsupported.c does: to systemd-modules-load no failure of the boot. */
		ret = -ENODEV;
		break;
	case -EBUSY:
		pr_err("not loading: %s() is already patched by another livepatch or redirected by another IPMODIFY user, which this one would undo\n",
		       func->old_name);
		break;
	default:
		pr_err("not loading: ftrace cannot be used on %s(), error %d\n",
		       func->old_name, ret);
	}

	return ret;
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

static struct klp_func tcl_funcs[] = {
	{
		.old_name = "tcp_v4_connect",
		.new_func = tcl_tcp_v4_connect,
	},
	{ }
};

static struct klp_object tcl_objs[] = {
	{
		/* no .name: vmlinux */
		.funcs = tcl_funcs,
		.callbacks = {
			.pre_patch = tcl_pre_patch,
			.post_unpatch = tcl_post_unpatch,
		},
	},
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

	logging = start_enabled;

	tcl_kobj = kobject_create_and_add(KBUILD_MODNAME, kernel_kobj);
	if (!tcl_kobj)
		return -ENOMEM;

	ret = sysfs_create_file(tcl_kobj, &enabled_attr.attr);
	if (ret)
		goto remove_switch;

	/* Last of what can fail: once it succeeds, only sysfs can undo it. */
	ret = klp_enable_patch(&tcl_patch);
	if (ret)
		goto refused;

	pr_info("loaded, logging %s\n", start_enabled ? "enabled" : "disabled");

	/*
	 * For the udev rule. The uevent of the module itself says "add", but
	 * before 5.12 it came before this function was called (kernel/module).
	 */
	kobject_uevent(&THIS_MODULE->mkobj.kobj, KOBJ_CHANGE);
	return 0;

refused:
	/* What livepatch does not say (__klp_enable_patch(), register_ftrace_function()) */
	if (ret == -EBUSY && tcl_claimed)
		pr_err("not loading: ftrace is switched off, or another IPMODIFY user has just come; sysctl kernel.ftrace_enabled must be 1\n");
	else if (ret == -EBUSY && !tcl_asked)
		pr_err("not loading: another livepatch is in transition; try again when it is over\n");
remove_switch:
	tcl_remove_switch();
	return ret;
}

/* Called only after the patch was disabled: until then it holds the module. */
static void __exit tcl_exit(void)
{
	tcl_remove_switch();
}

module_init(tcl_init);
module_exit(tcl_exit);

MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("Log outbound TCP connections and the processes that make them");
MODULE_AUTHOR("tcp-connect-logger maintainers");
MODULE_VERSION(TCL_VERSION);
