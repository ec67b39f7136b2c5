// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of a connection that the replaced functions (patch.c) have seen.
 *
 * While /sys/kernel/tcp_connect_logger/enabled is 1: a line in the kernel's log,
 * unless there are more than rate_limit in a second. Counters beside the switch
 * tell how many were seen, logged, and held back. Whether or not it is 1: the
 * trace event, for those who have enabled it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"

#include <linux/cred.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>
#include <net/ipv6.h>

#include "comm.h"
#include "log.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* ---- The switch ---- */

bool tcl_logging;	/* read by every connect, written by the switch alone */

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
	return sysfs_emit(buf, "%d\n", READ_ONCE(tcl_logging));
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

	WRITE_ONCE(tcl_logging, on);
	return count;
}

static struct kobj_attribute enabled_attr = __ATTR_RW(enabled);

/* The parameter is what the switch starts from, and stays what it was. */
bool tcl_start_enabled;

static int start_enabled_set(const char *val, const struct kernel_param *kp)
{
	return tcl_parse_switch(val, &tcl_start_enabled);
}

static int start_enabled_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%d\n", tcl_start_enabled);
}

static const struct kernel_param_ops start_enabled_ops = {
	.set = start_enabled_set,
	.get = start_enabled_get,
};

module_param_cb(enabled, &start_enabled_ops, NULL, 0444);
__MODULE_PARM_TYPE(enabled, "0 or 1");
MODULE_PARM_DESC(enabled, "whether to log from the start: 0 = no (default), 1 = yes; afterwards write to /sys/kernel/tcp_connect_logger/enabled");

/* ---- The counters ---- */

/* Of connections while the switch was on; seen = logged + suppressed. */
enum tcl_counter { TCL_SEEN, TCL_LOGGED, TCL_SUPPRESSED, TCL_NR_COUNTERS };

static DEFINE_PER_CPU(u64 [TCL_NR_COUNTERS], tcl_counters);

static u64 tcl_sum(enum tcl_counter counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(tcl_counters, cpu)[counter]);

	return sum;
}

static ssize_t counter_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf);

static struct kobj_attribute counter_attrs[] = {
	[TCL_SEEN] = __ATTR(seen, 0444, counter_show, NULL),
	[TCL_LOGGED] = __ATTR(logged, 0444, counter_show, NULL),
	[TCL_SUPPRESSED] = __ATTR(suppressed, 0444, counter_show, NULL),
};

static ssize_t counter_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%llu\n", tcl_sum(attr - counter_attrs));
}

/* ---- The rate limit ---- */

static unsigned int rate_limit = 1000;
module_param(rate_limit, uint, 0644);
MODULE_PARM_DESC(rate_limit, "lines a second (default 1000), while they take half of it at the most; 0 = no limit. What is held back is counted and reported");

/* Maximum jiffies spent printing per window, all CPUs together; see tcl_account_time() */
#define TCL_MAX_TIME (HZ / 2)

static struct {
	spinlock_t lock;	/* of what follows, for who changes it */
	unsigned long start;	/* of the second, in jiffies */
	unsigned int lines;	/* in it */
	unsigned long time;	/* that they took, in jiffies */
	bool slow;		/* that is why some were held back since the last report */
} tcl_window = {
	.lock = __SPIN_LOCK_UNLOCKED(tcl_window.lock),
};

static bool tcl_console_is_slow(void)
{
	return READ_ONCE(tcl_window.time) >= TCL_MAX_TIME;
}

static bool tcl_window_is_full(unsigned int limit)
{
	return READ_ONCE(tcl_window.lines) >= limit || tcl_console_is_slow();
}

/*
 * Not ___ratelimit(): where two come at once it lets one of them go unlogged
 * (lib/ratelimit.c, raw_spin_trylock), though the limit is not reached.
 */
static bool tcl_within_limit(void)
{
	unsigned int limit = READ_ONCE(rate_limit);
	bool within;

	if (!limit)
		return true;

	/* While lines are held back, nobody writes here: no cache line moves. */
	if (tcl_window_is_full(limit) &&
	    time_before(jiffies, READ_ONCE(tcl_window.start) + HZ))
		return false;

	spin_lock(&tcl_window.lock);
	if (!time_before(jiffies, tcl_window.start + HZ)) {
		WRITE_ONCE(tcl_window.start, jiffies);
		WRITE_ONCE(tcl_window.lines, 0);
		WRITE_ONCE(tcl_window.time, 0);
	}
	within = !tcl_window_is_full(limit);
	if (within)
		WRITE_ONCE(tcl_window.lines, tcl_window.lines + 1);
	spin_unlock(&tcl_window.lock);
	return within;
}

/*
 * Who prints a line waits until the consoles have it (console_unlock() in
 * kernel/printk/printk.c): a serial one at 115200 baud takes 7 ms. So the time of the
 * lines is limited too, or a busy machine would do little else. A line that takes less
 * than a jiffy counts as none mostly, and now and then as one: in sum that is right.
 */
static void tcl_account_time(unsigned long time)
{
	if (!time)
		return;

	spin_lock(&tcl_window.lock);
	WRITE_ONCE(tcl_window.time, tcl_window.time + time);
	spin_unlock(&tcl_window.lock);
}

static void tcl_report_suppressed(struct work_struct *work)
{
	static u64 reported;
	u64 suppressed = tcl_sum(TCL_SUPPRESSED);

	if (suppressed == reported)
		return;

	if (xchg(&tcl_window.slow, false))
		pr_warn("%llu connections not logged (slow console)\n",
			suppressed - reported);
	else
		pr_warn("%llu connections not logged (rate_limit=%u)\n",
			suppressed - reported, READ_ONCE(rate_limit));
	reported = suppressed;
}

static DECLARE_DELAYED_WORK(tcl_report, tcl_report_suppressed);

static void tcl_suppress(void)
{
	if (tcl_console_is_slow() && !READ_ONCE(tcl_window.slow))
		WRITE_ONCE(tcl_window.slow, true);
	this_cpu_inc(tcl_counters[TCL_SUPPRESSED]);
	/* Either the report that is pending has it, or there is none pending. */
	smp_mb();
	if (!delayed_work_pending(&tcl_report))
		schedule_delayed_work(&tcl_report, HZ);
}

/* ---- The record ---- */

/* On its own: what it has on its stack is cleared at its start (CONFIG_INIT_STACK_ALL_ZERO). */
static noinline void tcl_print(const struct sockaddr *to)
{
	const struct sockaddr_in6 *in6 = (const void *)to;
	pid_t pid = task_tgid_nr(current);
	uid_t uid = __kuid_val(current_uid());
	char comm[TCL_COMM_LEN];

	/* Without task_lock(), as tracepoints do: there is a NUL at its end at any time. */
	tcl_escape_comm(comm, tcl_comm_of(current));

	/* %pIS can have the scope, but puts it behind the port. */
	if (to->sa_family == AF_INET6 && in6->sin6_scope_id)
		pr_info("pid=%d uid=%u comm=%s -> [%pI6c%%%u]:%u\n", pid, uid, comm,
			&in6->sin6_addr, in6->sin6_scope_id, ntohs(in6->sin6_port));
	else
		pr_info("pid=%d uid=%u comm=%s -> %pISpc\n", pid, uid, comm, to);
}

/* On its own, so that the trace event alone does not pay for it. */
static noinline void tcl_log(const struct sockaddr *to)
{
	this_cpu_inc(tcl_counters[TCL_SEEN]);
	if (tcl_within_limit()) {
		unsigned long start = jiffies;

		tcl_print(to);
		tcl_account_time(jiffies - start);
		this_cpu_inc(tcl_counters[TCL_LOGGED]);
	} else {
		tcl_suppress();
	}
}

/*
 * Where to: a struct sockaddr_in, also where that was asked for as an IPv4-mapped IPv6
 * address, or a struct sockaddr_in6, without a scope unless the address is link-local.
 */
static __always_inline void tcl_record(struct sock *sk, const void *to)
{
	trace_tcp_connect(sk, to);
	if (READ_ONCE(tcl_logging))
		tcl_log(to);
}

/**
 * tcl_connect_v4() - record a call of tcp_v4_connect()
 * @sk: the socket
 * @uaddr: the destination, in the kernel's memory
 * @addr_len: how many bytes of it there are
 *
 * What the original refuses, in its order, is no connection: where there is no
 * length there is no address. Of an IPv6 socket tcp_v6_connect() was called
 * before, with the IPv4-mapped address (net/ipv6/tcp_ipv6.c), and has recorded it.
 */
noinline void tcl_connect_v4(struct sock *sk, const void *uaddr, int addr_len)
{
	const struct sockaddr_in *in = uaddr;

	if (sk->sk_family != AF_INET || addr_len < (int)sizeof(*in) || in->sin_family != AF_INET)
		return;

	tcl_record(sk, in);
}

static bool tcl_is_linklocal(const struct in6_addr *addr)
{
	return (addr->s6_addr32[0] & htonl(0xffc00000)) == htonl(0xfe800000);
}

/**
 * tcl_connect_v6() - record a call of tcp_v6_connect()
 * @sk: the socket
 * @uaddr: the destination, in the kernel's memory
 * @addr_len: how many bytes of it there are; without a scope 24 will do
 *
 * An IPv4-mapped destination is recorded as the IPv4 that it means.
 */
noinline void tcl_connect_v6(struct sock *sk, const void *uaddr, int addr_len)
{
	const struct sockaddr_in6 *in6 = uaddr;

	if (addr_len < SIN6_LEN_RFC2133 || in6->sin6_family != AF_INET6)
		return;

	if (ipv6_addr_v4mapped(&in6->sin6_addr)) {
		const struct sockaddr_in to = {
			.sin_family = AF_INET,
			.sin_port = in6->sin6_port,
			.sin_addr.s_addr = in6->sin6_addr.s6_addr32[3],
		};

		tcl_record(sk, &to);
	} else {
		struct sockaddr_in6 to = {
			.sin6_family = AF_INET6,
			.sin6_port = in6->sin6_port,
			.sin6_addr = in6->sin6_addr,
		};

		if (tcl_is_linklocal(&in6->sin6_addr)) {
			if (addr_len >= (int)sizeof(*in6))
				to.sin6_scope_id = in6->sin6_scope_id;
			if (!to.sin6_scope_id)
				to.sin6_scope_id = sk->sk_bound_dev_if;
		}
		tcl_record(sk, &to);
	}
}

/* ---- The files ---- */

static struct attribute *tcl_attrs[] = {
	&enabled_attr.attr,
	&counter_attrs[TCL_SEEN].attr,
	&counter_attrs[TCL_LOGGED].attr,
	&counter_attrs[TCL_SUPPRESSED].attr,
	NULL
};

static const struct attribute_group tcl_group = { .attrs = tcl_attrs };

static struct kobject *tcl_kobj;	/* /sys/kernel/tcp_connect_logger */

/**
 * tcl_log_init() - make the switch and the counters; before the patch
 *
 * Return: 0 or a negative errno.
 */
int tcl_log_init(void)
{
	int ret;

	tcl_logging = tcl_start_enabled;
	tcl_window.start = jiffies - HZ;

	tcl_kobj = kobject_create_and_add(KBUILD_MODNAME, kernel_kobj);
	if (!tcl_kobj)
		return -ENOMEM;

	ret = sysfs_create_group(tcl_kobj, &tcl_group);
	if (ret)
		tcl_remove_switch();
	return ret;
}

/**
 * tcl_remove_switch() - take the switch away, and the counters
 *
 * Also where they are away already.
 */
void tcl_remove_switch(void)
{
	/* kobject_put() alone may leave the files until later, when we are gone. */
	kobject_del(tcl_kobj);
	kobject_put(tcl_kobj);
	tcl_kobj = NULL;
}

/**
 * tcl_log_exit() - take all away; after the patch
 *
 * What was held back since the last report is reported now.
 */
void tcl_log_exit(void)
{
	tcl_remove_switch();
	flush_delayed_work(&tcl_report);
}
