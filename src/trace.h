/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * The trace events of tcp_connect_logger, for high volume, filters and single fields:
 *
 *	tcp_connect		each connection
 *	tcp_connect_origin	the same, with who made it; it costs twice as much or more
 *	tcp_connect_result	what became of it
 *
 * log.c defines the tracepoints of the first two, and event.c the third's and the
 * events themselves.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tcp_connect_logger

#if !defined(TCL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TCL_TRACE_H

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/net_namespace.h>
#include <linux/sched.h>
#include <linux/socket.h>
#include <linux/tracepoint.h>

/* A number, because 5.10 copies this text to the event's format. */
#define TCL_SOCKADDR_SIZE	28

struct tcl_origin;

/*
 * What the first two events have in common. What differs between two connections of
 * a process to the same destination comes before it, so that a reader can compare the
 * rest with the previous event.
 *
 * daddr holds an IPv4 address as a number, so that filters can compare it and hist
 * triggers can use it as a key: 10.0.0.1 is 0x0a000001. daddr6_hi and daddr6_lo
 * hold an IPv6 address as two numbers. sockaddr holds either kind of address, like
 * @to, as a struct sockaddr_in or sockaddr_in6. ret holds the original's return
 * value: 0 if it sent a SYN, or a negative errno.
 */
#define TCL_FIELDS							\
	__field(u64, cgroup)						\
	__field(u64, daddr6_hi)						\
	__field(u64, daddr6_lo)						\
	__field(u32, daddr)						\
	__field(u16, dport)						\
	__field(u16, family)						\
	__field(pid_t, pid)						\
	__field(uid_t, uid)						\
	__field(unsigned int, netns)					\
	__field(int, ret)						\
	__array(char, comm, TASK_COMM_LEN)				\
	__array(u8, sockaddr, TCL_SOCKADDR_SIZE)

#define TCL_ASSIGN do {						\
	__entry->cgroup = tcl_cgroup_id(current);			\
	__entry->family = to->sa_family;				\
	if (to->sa_family == AF_INET6) {				\
		const struct sockaddr_in6 *in6 = (const void *)to;	\
									\
		__entry->dport = ntohs(in6->sin6_port);			\
		__entry->daddr = 0;					\
		__entry->daddr6_hi = tcl_number(&in6->sin6_addr.s6_addr32[0]); \
		__entry->daddr6_lo = tcl_number(&in6->sin6_addr.s6_addr32[2]); \
		memcpy(__entry->sockaddr, in6, sizeof(*in6));		\
	} else {							\
		const struct sockaddr_in *in = (const void *)to;	\
									\
		__entry->dport = ntohs(in->sin_port);			\
		__entry->daddr = ntohl(in->sin_addr.s_addr);		\
		__entry->daddr6_hi = 0;					\
		__entry->daddr6_lo = 0;					\
		/* Do not copy sin_zero: it may hold anything. */	\
		memcpy(__entry->sockaddr, in, offsetof(struct sockaddr_in, sin_zero)); \
		memset(__entry->sockaddr + offsetof(struct sockaddr_in, sin_zero), 0, \
		       TCL_SOCKADDR_SIZE - offsetof(struct sockaddr_in, sin_zero)); \
	}								\
	__entry->pid = task_tgid_nr(current);				\
	__entry->uid = __kuid_val(current_uid());			\
	__entry->netns = sock_net(sk)->ns.inum;				\
	__entry->ret = ret;						\
	memcpy(__entry->comm, tcl_comm_of(current), TASK_COMM_LEN);	\
} while (0)

#define TCL_FORMAT "pid=%d uid=%u comm=%s family=%s daddr=%pISc dport=%u ret=%d netns=%u cgroup=%llu cookie=%llu skaddr=%p"
#define TCL_FAMILY							\
	__print_symbolic(__entry->family, { AF_INET, "AF_INET" }, { AF_INET6, "AF_INET6" })
#define TCL_VALUES							\
	__entry->pid, __entry->uid, __entry->comm, TCL_FAMILY,		\
	__entry->sockaddr, __entry->dport, __entry->ret, __entry->netns, \
	__entry->cgroup, __entry->cookie, __entry->skaddr

TRACE_EVENT(tcp_connect,

	TP_PROTO(struct sock *sk, const struct sockaddr *to, int ret),

	TP_ARGS(sk, to, ret),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(u64, cookie)
		TCL_FIELDS
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->cookie = tcl_cookie_of(sk);
		TCL_ASSIGN;
	),

	TP_printk(TCL_FORMAT, TCL_VALUES)
);

/*
 * source is the socket's own address, without the port, as a struct sockaddr_in or
 * sockaddr_in6. start is when the process was started, in ns of CLOCK_BOOTTIME. pid
 * and start together are never used again before the next boot. parents is an array
 * of struct tcl_parent, beginning with the process whose ID is ppid. exe and
 * cgroup_path are empty if they are longer than 2047 and 1023 bytes.
 */
TRACE_EVENT(tcp_connect_origin,

	TP_PROTO(struct sock *sk, const struct sockaddr *to, int ret,
		 const struct tcl_origin *origin),

	TP_ARGS(sk, to, ret, origin),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(u64, cookie)
		__field(u16, sport)
		TCL_FIELDS
		__field(u64, start)
		__field(pid_t, tid)
		__field(pid_t, ppid)
		__array(u8, source, TCL_SOCKADDR_SIZE)
		__dynamic_array(u8, parents, tcl_parents_size())
		__dynamic_array(char, exe, origin->exe_size)
		__dynamic_array(char, cgroup_path, origin->cgroup_size)
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->cookie = tcl_cookie_of(sk);
		__entry->sport = ntohs(inet_sk(sk)->inet_sport);
		TCL_ASSIGN;
		__entry->start = current->group_leader->start_boottime;
		__entry->tid = task_pid_nr(current);
		__entry->ppid = tcl_put_parents(__get_dynamic_array(parents),
						__get_dynamic_array_len(parents));
		tcl_put_source(__entry->source, sk, to->sa_family);
		memcpy(__get_dynamic_array(exe), origin->exe, origin->exe_size);
		memcpy(__get_dynamic_array(cgroup_path), origin->cgroup, origin->cgroup_size);
	),

	TP_printk(TCL_FORMAT " saddr=%pISc sport=%u tid=%d start=%llu ppid=%d exe=%s cgroup_path=%s",
		  TCL_VALUES, __entry->source, __entry->sport, __entry->tid, __entry->start,
		  __entry->ppid, __get_str(exe), __get_str(cgroup_path))
);

/*
 * ret is 0 if the connection is established, or the socket's error as a negative
 * errno; it is -ECANCELED if the socket was closed first. netns, cookie and skaddr
 * are those of the connection's other event, which comes first: the original holds the
 * socket's lock. Only if the original itself fails on the way to the SYN, a result
 * comes before that event, whose ret is negative.
 */
TRACE_EVENT(tcp_connect_result,

	TP_PROTO(struct sock *sk, int ret),

	TP_ARGS(sk, ret),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(u64, cookie)
		__field(u16, sport)
		__field(u16, dport)
		__field(u16, family)
		__field(unsigned int, netns)
		__field(int, ret)
		__array(u8, source, TCL_SOCKADDR_SIZE)
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->cookie = tcl_cookie_of(sk);
		__entry->sport = ntohs(inet_sk(sk)->inet_sport);
		__entry->dport = ntohs(inet_sk(sk)->inet_dport);
		__entry->family = tcl_family_of(sk);
		__entry->netns = sock_net(sk)->ns.inum;
		__entry->ret = ret;
		tcl_put_source(__entry->source, sk, __entry->family);
	),

	TP_printk("ret=%d family=%s saddr=%pISc sport=%u dport=%u netns=%u cookie=%llu skaddr=%p",
		  __entry->ret, TCL_FAMILY, __entry->source, __entry->sport, __entry->dport,
		  __entry->netns, __entry->cookie, __entry->skaddr)
);

#endif /* TCL_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
