/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Record a connection: a line in the kernel log, and tracepoints.
 */
#ifndef TCL_LOG_H
#define TCL_LOG_H

#include "compat.h"

#include <linux/jump_label.h>
#include <linux/sched.h>

/* An io_uring worker is a thread of the process that submitted the request: use its name. */
static inline const char *tcl_comm_of(const struct task_struct *task)
{
	if (unlikely(task->flags & PF_IO_WORKER))
		task = task->group_leader;
	return task->comm;
}

#include "origin.h"
#include "trace.h"

DECLARE_STATIC_KEY_FALSE(tcl_tracing);
extern bool tcl_logging, tcl_start_enabled;
extern const char tcp_connect_logger_version[];

/**
 * tcl_wanted() - whether anybody wants records of connections
 *
 * While nobody does, a connection costs this test and no more.
 *
 * Return: true if the switch is on or a tracepoint is in use.
 */
static __always_inline bool tcl_wanted(void)
{
	return unlikely(READ_ONCE(tcl_logging) || static_branch_unlikely(&tcl_tracing));
}

/**
 * tcl_trace() - trace a connection
 * @sk: the socket
 * @to: the destination
 * @ret: what the original returned
 */
static inline void tcl_trace(struct sock *sk, const struct sockaddr *to, int ret)
{
	trace_tcp_connect(sk, to, ret);
	if (trace_tcp_connect_origin_enabled())
		tcl_trace_origin(sk, to, ret);
}

void tcl_log(const struct sockaddr *to);

int tcl_log_init(void);
void tcl_log_exit(void);
void tcl_remove_switch(void);

#endif /* TCL_LOG_H */
