/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * The trace event tcp_connect_logger:tcp_connect, for high volume, filters and
 * single fields. log.c defines its tracepoint, and event.c the event itself.
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

/*
 * daddr holds an IPv4 address as a number, so that filters can compare it and hist
 * triggers can use it as a key: 10.0.0.1 is 0x0a000001. daddr6_hi and daddr6_lo
 * hold an IPv6 address as two numbers. sockaddr holds either kind of address, like
 * @to, as a struct sockaddr_in or sockaddr_in6. ret holds the original's return
 * value: 0 if it sent a SYN, or a negative errno.
 */
TRACE_EVENT(tcp_connect,

	TP_PROTO(struct sock *sk, const struct sockaddr *to, int ret),

	TP_ARGS(sk, to, ret),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(u64, cookie)
		__field(u64, cgroup)
		__field(u64, daddr6_hi)
		__field(u64, daddr6_lo)
		__field(u32, daddr)
		__field(u16, dport)
		__field(u16, family)
		__field(pid_t, pid)
		__field(uid_t, uid)
		__field(unsigned int, netns)
		__field(int, ret)
		__array(char, comm, TASK_COMM_LEN)
		__array(u8, sockaddr, TCL_SOCKADDR_SIZE)
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->cookie = tcl_cookie_of(sk);
		__entry->cgroup = tcl_cgroup_id(current);
		__entry->family = to->sa_family;
		if (to->sa_family == AF_INET6) {
			const struct sockaddr_in6 *in6 = (const void *)to;

			__entry->dport = ntohs(in6->sin6_port);
			__entry->daddr = 0;
			__entry->daddr6_hi = tcl_number(&in6->sin6_addr.s6_addr32[0]);
			__entry->daddr6_lo = tcl_number(&in6->sin6_addr.s6_addr32[2]);
			memcpy(__entry->sockaddr, in6, sizeof(*in6));
		} else {
			const struct sockaddr_in *in = (const void *)to;

			__entry->dport = ntohs(in->sin_port);
			__entry->daddr = ntohl(in->sin_addr.s_addr);
			__entry->daddr6_hi = 0;
			__entry->daddr6_lo = 0;
			/* Do not copy sin_zero: it may hold anything. */
			memset(__entry->sockaddr, 0, sizeof(__entry->sockaddr));
			memcpy(__entry->sockaddr, in, offsetofend(struct sockaddr_in, sin_addr));
		}
		__entry->pid = task_tgid_nr(current);
		__entry->uid = __kuid_val(current_uid());
		__entry->netns = sock_net(sk)->ns.inum;
		__entry->ret = ret;
		memcpy(__entry->comm, tcl_comm_of(current), TASK_COMM_LEN);
	),

	TP_printk("pid=%d uid=%u comm=%s family=%s daddr=%pISc dport=%u ret=%d netns=%u cgroup=%llu cookie=%llu skaddr=%p",
		  __entry->pid, __entry->uid, __entry->comm,
		  __print_symbolic(__entry->family,
				   { AF_INET, "AF_INET" }, { AF_INET6, "AF_INET6" }),
		  __entry->sockaddr, __entry->dport, __entry->ret, __entry->netns,
		  __entry->cgroup, __entry->cookie, __entry->skaddr)
);

#endif /* TCL_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
