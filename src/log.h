/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Record a connection: a line in the kernel log, and a trace event.
 */
#ifndef TCL_LOG_H
#define TCL_LOG_H

#include "compat.h"

#include <linux/sock_diag.h>

/* An io_uring worker is a thread of the process that submitted the request: use its name. */
static inline const char *tcl_comm_of(const struct task_struct *task)
{
	return task->flags & PF_IO_WORKER ? task->group_leader->comm : task->comm;
}

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

#include "trace.h"

extern bool tcl_logging, tcl_start_enabled;

/**
 * tcl_wanted() - whether anybody wants records of connections
 *
 * While nobody does, a connection costs this test and no more.
 *
 * Return: true if the switch is on or the trace event is enabled.
 */
static __always_inline bool tcl_wanted(void)
{
	return unlikely(READ_ONCE(tcl_logging) || trace_tcp_connect_enabled());
}

void tcl_log(const struct sockaddr *to);

int tcl_log_init(void);
void tcl_log_exit(void);
void tcl_remove_switch(void);

#endif /* TCL_LOG_H */
