// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * tcp-connect-logger-event - the trace event tcp_connect_logger:tcp_connect
 *
 * The livepatch defines and exports the tracepoint, and this module has the
 * event that attaches to it. Before 6.3, the kernel registers no trace events
 * for a module with the livepatch taint (trace_module_has_bad_taint() in
 * kernel/tracepoint.c). So the event has a module of its own on every kernel.
 *
 * While anybody uses the event, neither module can be removed.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"

#include <linux/build_bug.h>
#include <linux/module.h>
#include <linux/sock_diag.h>
#include <linux/string.h>
#include <linux/trace_events.h>

#include "log.h"

static_assert(sizeof(struct sockaddr_in6) == TCL_SOCKADDR_SIZE);

/* Same value as SO_COOKIE. A socket without a cookie gets one (__sock_gen_cookie()). */
static inline u64 tcl_cookie_of(struct sock *sk)
{
	u64 cookie = atomic64_read(&sk->sk_cookie);

	if (!cookie) {
		u32 half[2];

		sock_diag_save_cookie(sk, half);
		cookie = (u64)half[1] << 32 | half[0];
	}
	return cookie;
}

/* Half of an IPv6 address as a number */
static inline u64 tcl_number(const __be32 half[2])
{
	return (u64)ntohl(half[0]) << 32 | ntohl(half[1]);
}

/**
 * tcl_event_reg() - attach a probe of the event to the tracepoint, or detach it
 * @call: the event
 * @type: what to do
 * @data: for trace_event_reg()
 *
 * When the kernel removes the events of a module, it does not detach the probe of
 * an event that has a trigger. The next connect would then call a function that is
 * gone. So each probe holds this module, and the kernel refuses to remove it.
 *
 * All callers hold event_mutex. trace_module_notify() takes it, too, before the
 * memory of a module is freed. So this function can return after module_put().
 *
 * Return: 0 or a negative errno.
 */
static int tcl_event_reg(struct trace_event_call *call, enum trace_reg type, void *data)
{
	bool attach = type == TRACE_REG_REGISTER, detach = type == TRACE_REG_UNREGISTER;
	int ret;

#ifdef CONFIG_PERF_EVENTS
	attach |= type == TRACE_REG_PERF_REGISTER;
	detach |= type == TRACE_REG_PERF_UNREGISTER;
#endif
	if (attach && !try_module_get(THIS_MODULE))
		return -ENODEV;

	ret = trace_event_reg(call, type, data);
	if (detach || (attach && ret))
		module_put(THIS_MODULE);
	return ret;
}

/* The event's class must have our function before the kernel knows the event. */
#define trace_event_reg tcl_event_reg

/* TRACE_EVENT() would define the tracepoint, too. */
#undef DEFINE_TRACE
#define DEFINE_TRACE(name, proto, args)

#define CREATE_TRACE_POINTS
#include "trace.h"

/*
 * The tracepoint's arguments may differ between two versions. The kernel would
 * notice only with CONFIG_MODVERSIONS.
 */
static int __init tcl_event_init(void)
{
	if (!strcmp(TCL_VERSION, tcp_connect_logger_version))
		return 0;

	pr_err("version %s is not for version %s of the livepatch; run: tcp-connect-logger reload\n",
	       TCL_VERSION, tcp_connect_logger_version);
	return -EINVAL;
}

static void __exit tcl_event_exit(void)
{
	/* Probes that were detached may still be running. */
	tracepoint_synchronize_unregister();
}

module_init(tcl_event_init);
module_exit(tcl_event_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Trace event for the outbound TCP connections that tcp_connect_logger sees");
MODULE_AUTHOR("tcp-connect-logger maintainers");
MODULE_VERSION(TCL_VERSION);
