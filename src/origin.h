/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Who made a connection: what is known only while the process runs.
 */
#ifndef TCL_ORIGIN_H
#define TCL_ORIGIN_H

#include <linux/types.h>

struct sock;
struct sockaddr;

/**
 * struct tcl_parent - a process in the chain of parents, as in the trace event
 * @pid: its process ID in the initial pid namespace
 * @uid: its user ID in the initial user namespace
 * @start: when it was started, in ns of CLOCK_BOOTTIME
 * @comm: its name
 */
struct tcl_parent {
	pid_t pid;
	uid_t uid;
	u64 start;
	char comm[16];
};

/** define TCL_MOST_PARENTS - how many parents an event has at most */
#define TCL_MOST_PARENTS	16

/**
 * struct tcl_origin - what a probe of tcp_connect_origin cannot find out itself
 * @exe: path of the executable, or "" if it is not known
 * @cgroup: path of the cgroup, or "" if it is not known
 * @exe_size: size of @exe with its NUL
 * @cgroup_size: size of @cgroup with its NUL
 */
struct tcl_origin {
	const char *exe, *cgroup;
	size_t exe_size, cgroup_size;
};

void tcl_trace_origin(struct sock *sk, const struct sockaddr *to, int ret);

#endif /* TCL_ORIGIN_H */
