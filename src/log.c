// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Record the connections that the replacements (patch.c) see.
 *
 * While /sys/kernel/tcp_connect_logger/enabled is 1, each connection is logged
 * as a line in the kernel log, up to rate_limit lines per second. Counters next
 * to this switch say how many connections were seen, logged and suppressed.
 * The tracepoints are independent of the switch: they fire while anybody uses them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"

#include <linux/cred.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#include "comm.h"
#include "log.h"

/* Whether anybody uses one of the tracepoints. */
DEFINE_STATIC_KEY_FALSE(tcl_tracing);

static int tcl_begin_tracing(void)
{
	static_branch_inc(&tcl_tracing);
	return 0;
}

static void tcl_end_tracing(void)
{
	static_branch_dec(&tcl_tracing);
}

/*
 * The tracepoints. The trace events are in a module of their own (event.c), which
 * attaches to them. modprobe loads that module after this one.
 */
DEFINE_TRACE_FN(tcp_connect, tcl_begin_tracing, tcl_end_tracing,
		TP_PROTO(struct sock *sk, const struct sockaddr *to, int ret),
		TP_ARGS(sk, to, ret));
DEFINE_TRACE_FN(tcp_connect_origin, tcl_begin_tracing, tcl_end_tracing,
		TP_PROTO(struct sock *sk, const struct sockaddr *to, int ret,
			 const struct tcl_origin *origin),
		TP_ARGS(sk, to, ret, origin));
EXPORT_TRACEPOINT_SYMBOL_GPL(tcp_connect);
EXPORT_TRACEPOINT_SYMBOL_GPL(tcp_connect_origin);
MODULE_SOFTDEP("post: tcp_connect_logger_event");

const char tcp_connect_logger_version[] = TCL_VERSION;
EXPORT_SYMBOL_GPL(tcp_connect_logger_version);

/* ---- The switch ---- */

bool tcl_logging;	/* the switch: read by every connect, rarely written */

/* Accept exactly 0 or 1: kstrtobool() would take "nonsense" for no. */
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

	/* The parser would ignore everything after a NUL. */
	if (strlen(buf) != count)
		return -EINVAL;

	ret = tcl_parse_switch(buf, &on);
	if (ret)
		return ret;

	WRITE_ONCE(tcl_logging, on);
	return count;
}

static struct kobj_attribute enabled_attr = __ATTR_RW(enabled);

/* The parameter: the initial state of the switch. It does not follow the switch. */
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
MODULE_PARM_DESC(enabled, "Initial state of the switch: 0 = off (default), 1 = on. To change it later, write to /sys/kernel/tcp_connect_logger/enabled.");

/* ---- The counters ---- */

/* They count only while the switch is on. Each connection is in TCL_SEEN and in one other. */
enum tcl_counter {
	TCL_SEEN,
	TCL_LOGGED,
	TCL_OVER_LIMIT,		/* suppressed because of rate_limit */
	TCL_SLOW_CONSOLE,	/* suppressed because of the cap on console time */
	TCL_NR_COUNTERS
};

static DEFINE_PER_CPU(u64 [TCL_NR_COUNTERS], tcl_counters);

static u64 tcl_sum(enum tcl_counter counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(tcl_counters, cpu)[counter]);

	return sum;
}

static ssize_t seen_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", tcl_sum(TCL_SEEN));
}

static ssize_t logged_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", tcl_sum(TCL_LOGGED));
}

static ssize_t suppressed_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", tcl_sum(TCL_OVER_LIMIT) + tcl_sum(TCL_SLOW_CONSOLE));
}

static struct kobj_attribute seen_attr = __ATTR_RO(seen);
static struct kobj_attribute logged_attr = __ATTR_RO(logged);
static struct kobj_attribute suppressed_attr = __ATTR_RO(suppressed);

/* ---- The rate limit ---- */

static unsigned int rate_limit = 1000;
module_param(rate_limit, uint, 0644);
MODULE_PARM_DESC(rate_limit, "Maximum lines per second (default 1000, 0 = unlimited). Console time is also capped at half of each second.");

/*
 * A process gets nine tenths of the lines at most. So one process that connects all
 * the time does not hide the few connections of another. Processes are told apart by
 * a hash of their IDs.
 */
#define TCL_PROCESS_BITS 8

/* Maximum jiffies spent printing per second, on all CPUs together; see tcl_print_timed() */
#define TCL_MAX_TIME (HZ / 2)

/* A console that was stuck silences us for twice this time at most. */
#define TCL_MAX_DEBT (30UL * HZ)

static struct {
	spinlock_t lock;	/* protects the window */
	unsigned long start;	/* start of the window, in jiffies */
	unsigned long time;	/* jiffies spent printing and not yet made up for */
	unsigned int lines;	/* lines printed in the window */
	unsigned int lines_of[1 << TCL_PROCESS_BITS];	/* by hash of the process ID */
} tcl_window = {
	.lock = __SPIN_LOCK_UNLOCKED(tcl_window.lock),
};

static bool tcl_window_is_over(void)
{
	return !time_before(jiffies, READ_ONCE(tcl_window.start) + HZ);
}

/* Two jiffies make up for one jiffy of printing, also if a line took longer than a window. */
static void tcl_begin_window(void)
{
	unsigned long now = jiffies, time = tcl_window.time;
	unsigned long made_up = (now - tcl_window.start) / 2;

	WRITE_ONCE(tcl_window.start, now);
	WRITE_ONCE(tcl_window.time, time > made_up ? time - made_up : 0);
	WRITE_ONCE(tcl_window.lines, 0);
	memset(tcl_window.lines_of, 0, sizeof(tcl_window.lines_of));
}

/* What to do with a connection of this process: the counter for it. */
static enum tcl_counter tcl_verdict(unsigned int limit, unsigned int process)
{
	if (READ_ONCE(tcl_window.time) >= TCL_MAX_TIME)
		return TCL_SLOW_CONSOLE;
	if (READ_ONCE(tcl_window.lines) >= limit ||
	    READ_ONCE(tcl_window.lines_of[process]) >= limit - limit / 10)
		return TCL_OVER_LIMIT;
	return TCL_LOGGED;
}

/*
 * ___ratelimit() would not do: if two CPUs call it at once, it refuses one of them
 * even below the limit (raw_spin_trylock in lib/ratelimit.c).
 */
static enum tcl_counter tcl_take_line(void)
{
	unsigned int process = hash_32(task_tgid_nr(current), TCL_PROCESS_BITS);
	unsigned int limit = READ_ONCE(rate_limit);
	enum tcl_counter verdict;

	if (!limit)
		return TCL_LOGGED;

	/* While there are no lines left, nobody writes to the window, so it stays shared. */
	verdict = tcl_verdict(limit, process);
	if (verdict != TCL_LOGGED && !tcl_window_is_over())
		return verdict;

	spin_lock(&tcl_window.lock);
	if (tcl_window_is_over())
		tcl_begin_window();
	verdict = tcl_verdict(limit, process);
	if (verdict == TCL_LOGGED) {
		WRITE_ONCE(tcl_window.lines, tcl_window.lines + 1);
		WRITE_ONCE(tcl_window.lines_of[process], tcl_window.lines_of[process] + 1);
	}
	spin_unlock(&tcl_window.lock);
	return verdict;
}

/* The number of connections that were not logged for this reason since the last report. */
static u64 tcl_unreported(enum tcl_counter reason, u64 *reported)
{
	u64 all = tcl_sum(reason), count = all - *reported;

	*reported = all;
	return count;
}

static void tcl_report_suppressed(struct work_struct *work)
{
	static u64 over_limit, slow_console;
	u64 count;

	count = tcl_unreported(TCL_OVER_LIMIT, &over_limit);
	if (count)
		pr_warn("%llu connections not logged (rate_limit=%u)\n", count,
			READ_ONCE(rate_limit));
	count = tcl_unreported(TCL_SLOW_CONSOLE, &slow_console);
	if (count)
		pr_warn("%llu connections not logged (slow console)\n", count);
}

static DECLARE_DELAYED_WORK(tcl_report, tcl_report_suppressed);

static void tcl_suppress(enum tcl_counter reason)
{
	this_cpu_inc(tcl_counters[reason]);
	/* Count first, then test: a pending report then includes this connection. */
	smp_mb();
	if (!delayed_work_pending(&tcl_report))
		schedule_delayed_work(&tcl_report, HZ);
}

/* ---- The record ---- */

/* noinline, so that INIT_STACK_ALL_ZERO clears this buffer only when we print. */
static noinline void tcl_print(const struct sockaddr *to)
{
	const struct sockaddr_in6 *in6 = (const void *)to;
	pid_t pid = task_tgid_nr(current);
	uid_t uid = __kuid_val(current_uid());
	char comm[TCL_COMM_LEN];

	/* No task_lock(), as in tracepoints: the name always ends in a NUL. */
	tcl_escape_comm(comm, tcl_comm_of(current));

	/* %pIS can print the scope, but only after the port. */
	if (to->sa_family == AF_INET6 && in6->sin6_scope_id)
		pr_info("pid=%d uid=%u comm=%s -> [%pI6c%%%u]:%u\n", pid, uid, comm,
			&in6->sin6_addr, in6->sin6_scope_id, ntohs(in6->sin6_port));
	else
		pr_info("pid=%d uid=%u comm=%s -> %pISpc\n", pid, uid, comm, to);
}

/*
 * On a console without a thread of its own, the caller of printk() waits until the
 * consoles have printed the line (console_unlock() in kernel/printk/printk.c): 7 ms
 * on a serial console at 115200 baud. Without a cap on this time, a busy machine
 * would do little else.
 *
 * printk() disables preemption while it prints (vprintk_emit()). Doing so here, too,
 * keeps the time of other tasks out of the sum. A line that takes less than a jiffy
 * counts as 0 or, less often, as 1 jiffy. The sum is right on average.
 */
static void tcl_print_timed(const struct sockaddr *to)
{
	unsigned long start, time;

	preempt_disable();
	start = jiffies;
	tcl_print(to);
	time = jiffies - start;
	preempt_enable();

	/* Without a limit, no window begins that would make up for it. */
	if (!time || !READ_ONCE(rate_limit))
		return;

	spin_lock(&tcl_window.lock);
	WRITE_ONCE(tcl_window.time, min(tcl_window.time + time, TCL_MAX_DEBT));
	spin_unlock(&tcl_window.lock);
}

/**
 * tcl_log() - log a connection, or count why it is not logged
 * @to: the destination, a struct sockaddr_in or sockaddr_in6
 */
void tcl_log(const struct sockaddr *to)
{
	enum tcl_counter verdict = tcl_take_line();

	this_cpu_inc(tcl_counters[TCL_SEEN]);
	if (verdict == TCL_LOGGED) {
		tcl_print_timed(to);
		this_cpu_inc(tcl_counters[TCL_LOGGED]);
	} else {
		tcl_suppress(verdict);
	}
}

/* ---- The files in sysfs ---- */

static struct attribute *tcl_attrs[] = {
	&enabled_attr.attr,
	&seen_attr.attr,
	&logged_attr.attr,
	&suppressed_attr.attr,
	NULL
};

static const struct attribute_group tcl_group = { .attrs = tcl_attrs };

static struct kobject *tcl_kobj;	/* /sys/kernel/tcp_connect_logger */

/**
 * tcl_log_init() - create the switch and the counters
 *
 * Call it before the patch is enabled.
 *
 * Return: 0, -ENOMEM, or an error from sysfs_create_group().
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
 * tcl_remove_switch() - remove the switch and the counters
 *
 * Does nothing if they have been removed already.
 */
void tcl_remove_switch(void)
{
	/* kobject_put() alone may leave the files until the module is gone. */
	kobject_del(tcl_kobj);
	kobject_put(tcl_kobj);
	tcl_kobj = NULL;
}

/**
 * tcl_log_exit() - remove the switch and the counters, and send a pending report
 *
 * Call it after the patch is disabled. It reports the connections that were
 * suppressed since the last report.
 */
void tcl_log_exit(void)
{
	tcl_remove_switch();
	flush_delayed_work(&tcl_report);
}
