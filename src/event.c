// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * tcp-connect-logger-event - the trace events of tcp_connect_logger
 *
 * The livepatch defines and exports the tracepoints, and this module has the
 * events that attach to them. Before 6.3, the kernel registers no trace events
 * for a module with the livepatch taint (trace_module_has_bad_taint() in
 * kernel/tracepoint.c). So the events have a module of their own on every kernel.
 *
 * While anybody uses an event, neither module can be removed.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"

#include <linux/build_bug.h>
#include <linux/module.h>
#include <linux/sock_diag.h>
#include <linux/string.h>
#include <linux/trace_events.h>
#include <linux/tracepoint.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/tcp_states.h>

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

/* ---- The processes above the one that connects ---- */

/* Call it under rcu_read_lock(). Returns NULL after the last one. */
static inline struct task_struct *tcl_parent_of(struct task_struct *task)
{
	task = rcu_dereference(task->real_parent)->group_leader;
	return task_tgid_nr(task) ? task : NULL;
}

static size_t tcl_parents_size(void)
{
	struct task_struct *task = current;
	size_t number = 0;

	rcu_read_lock();
	while (number < TCL_MOST_PARENTS && (task = tcl_parent_of(task)))
		number++;
	rcu_read_unlock();
	return number * sizeof(struct tcl_parent);
}

/* Returns the first one's process ID. If one has ended meanwhile, the rest of @to is 0. */
static pid_t tcl_put_parents(void *to, size_t size)
{
	struct task_struct *task = current;
	struct tcl_parent parent;
	pid_t first = 0;
	size_t put = 0;

	rcu_read_lock();
	while (put < size && (task = tcl_parent_of(task))) {
		parent.pid = task_tgid_nr(task);
		parent.uid = __kuid_val(task_uid(task));
		parent.start = task->start_boottime;
		memcpy(parent.comm, task->comm, sizeof(parent.comm));
		memcpy(to + put, &parent, sizeof(parent));	/* may not be aligned */
		if (!put)
			first = parent.pid;
		put += sizeof(parent);
	}
	rcu_read_unlock();
	memset(to + put, 0, size - put);
	return first;
}

/* ---- The socket ---- */

/* As tcl_destination_v6(): an IPv4-mapped address is an IPv4 address. */
static inline u16 tcl_family_of(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr))
		return AF_INET6;
#endif
	return AF_INET;
}

/* The socket's own address, without the port */
static inline void tcl_put_source(u8 to[TCL_SOCKADDR_SIZE], const struct sock *sk, u16 family)
{
	memset(to, 0, TCL_SOCKADDR_SIZE);
	memcpy(to, &family, sizeof(family));
#if IS_ENABLED(CONFIG_IPV6)
	if (family == AF_INET6) {
		memcpy(to + offsetof(struct sockaddr_in6, sin6_addr), &sk->sk_v6_rcv_saddr,
		       sizeof(sk->sk_v6_rcv_saddr));
		return;
	}
#endif
	memcpy(to + offsetof(struct sockaddr_in, sin_addr), &inet_sk(sk)->inet_saddr,
	       sizeof(inet_sk(sk)->inet_saddr));
}

/* ---- Users of the events ---- */

static struct tracepoint *tcl_state_changes;	/* sock:inet_sock_set_state */
static unsigned int tcl_result_users;		/* protected by event_mutex */

static void tcl_find_tracepoint(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "inet_sock_set_state"))
		tcl_state_changes = tp;
}

static void tcl_probe_state(void *data, const struct sock *sk, int oldstate, int newstate);

/* The first user of tcp_connect_result pays for a look at each change of a socket's state. */
static int tcl_watch_states(void)
{
	int ret = 0;

	if (!tcl_state_changes)
		return -ENOENT;
	if (!tcl_result_users)
		ret = tracepoint_probe_register(tcl_state_changes, tcl_probe_state, NULL);
	if (!ret)
		tcl_result_users++;
	return ret;
}

static void tcl_unwatch_states(void)
{
	if (!--tcl_result_users)
		tracepoint_probe_unregister(tcl_state_changes, tcl_probe_state, NULL);
}

/**
 * tcl_event_reg() - attach a probe of an event to its tracepoint, or detach it
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
	bool is_result = !strcmp(trace_event_name(call), "tcp_connect_result");
	int ret = 0;

#ifdef CONFIG_PERF_EVENTS
	attach |= type == TRACE_REG_PERF_REGISTER;
	detach |= type == TRACE_REG_PERF_UNREGISTER;
#endif
	if (attach && !try_module_get(THIS_MODULE))
		return -ENODEV;

	if (attach && is_result)
		ret = tcl_watch_states();
	if (!ret) {
		ret = trace_event_reg(call, type, data);
		if (is_result && (detach || (attach && ret)))
			tcl_unwatch_states();
	}
	if (detach || (attach && ret))
		module_put(THIS_MODULE);
	return ret;
}

/* This tracepoint tells what became of a connection. Only this module needs it. */
DEFINE_TRACE(tcp_connect_result, TP_PROTO(struct sock *sk, int ret), TP_ARGS(sk, ret));

/* Each event's class must have our function before the kernel knows the event. */
#define trace_event_reg tcl_event_reg

/* TRACE_EVENT() would define the tracepoints, too. */
#undef DEFINE_TRACE
#define DEFINE_TRACE(name, proto, args)

#define CREATE_TRACE_POINTS
#include "trace.h"

/*
 * A socket that waits for the answer to its SYN leaves that state. If the peer has sent
 * a SYN at the same time, it waits once more. A socket of a listener passes through
 * TCP_SYN_RECV, too, but does not belong to a process then.
 */
static void tcl_probe_state(void *data, const struct sock *sk, int oldstate, int newstate)
{
	if (oldstate != TCP_SYN_SENT && oldstate != TCP_SYN_RECV)
		return;
	if (oldstate == TCP_SYN_SENT ? newstate == TCP_SYN_RECV : !sk->sk_socket)
		return;
	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	/* The kernel sets the error first, but none if it is asked to close the socket. */
	trace_tcp_connect_result((struct sock *)sk, newstate == TCP_ESTABLISHED ? 0 :
				 -READ_ONCE(sk->sk_err) ?: -ECANCELED);
}

/*
 * The tracepoints' arguments may differ between two versions. The kernel would
 * notice only with CONFIG_MODVERSIONS.
 */
static int __init tcl_event_init(void)
{
	if (!strcmp(TCL_VERSION, tcp_connect_logger_version)) {
		for_each_kernel_tracepoint(tcl_find_tracepoint, NULL);
		return 0;
	}

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
MODULE_DESCRIPTION("Trace events for the outbound TCP connections that tcp_connect_logger sees");
MODULE_AUTHOR("tcp-connect-logger maintainers");
MODULE_VERSION(TCL_VERSION);
