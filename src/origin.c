// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Find out who makes a connection, in the process that makes it. Looking in /proc
 * afterwards would find another process or none if this one has ended.
 *
 * A path needs locks that sleep on PREEMPT_RT, and a long one needs memory. So this
 * is done here and not in the probe, which runs with preemption off.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"

#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "log.h"

/*
 * Together with the parents, both must fit in an event, which must fit in a page of
 * ftrace's buffer.
 */
#define TCL_MOST_EXE	2048
#define TCL_MOST_CGROUP	1024

/* Almost all paths are shorter: then there is nothing to allocate. */
#define TCL_SHORT	192

/*
 * The last cgroup on each CPU. Its path never changes, because cgroups of version 2
 * cannot be renamed, and its ID is never used again (kernfs_new_node() in
 * fs/kernfs/dir.c).
 */
struct tcl_cgroup {
	u64 id;
	size_t size;
	char path[TCL_SHORT];
};

static DEFINE_PER_CPU(struct tcl_cgroup, tcl_cgroup);

/* noinline, so that INIT_STACK_ALL_ZERO clears this buffer only for another cgroup. */
static noinline void tcl_find_cgroup(void)
{
	u64 id;
	char path[TCL_SHORT];
	size_t length = tcl_cgroup_path(&id, path, sizeof(path));
	struct tcl_cgroup *cgroup = get_cpu_ptr(&tcl_cgroup);

	cgroup->id = id;
	cgroup->size = length ? length + 1 : 0;
	memcpy(cgroup->path, path, cgroup->size);
	put_cpu_ptr(&tcl_cgroup);
}

/* Trace the connection with the path of this CPU's last cgroup, if that is the task's. */
static bool tcl_trace_in_last_cgroup(struct sock *sk, const struct sockaddr *to, int ret,
				     struct tcl_origin *origin)
{
	struct tcl_cgroup *cgroup = get_cpu_ptr(&tcl_cgroup);
	bool is_last = cgroup->id == tcl_cgroup_id(current) && cgroup->size;

	if (likely(is_last)) {
		origin->cgroup = cgroup->path;
		origin->cgroup_size = cgroup->size;
		trace_tcp_connect_origin(sk, to, ret, origin);
	}
	put_cpu_ptr(&tcl_cgroup);
	return is_last;
}

/* The path is long, or the task is moved about. */
static noinline void tcl_trace_in_any_cgroup(struct sock *sk, const struct sockaddr *to, int ret,
					     struct tcl_origin *origin)
{
	char *path = kmalloc(TCL_MOST_CGROUP, GFP_KERNEL | __GFP_NOWARN);
	size_t length;
	u64 id;

	length = path ? tcl_cgroup_path(&id, path, TCL_MOST_CGROUP) : 0;
	origin->cgroup = length ? path : "";
	origin->cgroup_size = length + 1;
	trace_tcp_connect_origin(sk, to, ret, origin);
	kfree(path);
}

/*
 * The executable's path, as in /proc/PID/exe: if the process has another root
 * directory, the path begins there. It is at the end of @buf.
 */
static bool tcl_find_exe(struct tcl_origin *origin, struct file *file, char *buf, size_t size)
{
	char *path = d_path(&file->f_path, buf, size);

	if (IS_ERR(path))
		return false;
	origin->exe = path;
	origin->exe_size = buf + size - path;
	return true;
}

/**
 * tcl_trace_origin() - trace a connection together with who made it
 * @sk: the socket
 * @to: the destination
 * @ret: what the original returned
 *
 * Call it in the process that makes the connection, where sleeping is allowed.
 */
noinline void tcl_trace_origin(struct sock *sk, const struct sockaddr *to, int ret)
{
	struct tcl_origin origin = { .exe = "", .exe_size = 1 };
	struct file *file = tcl_exe_file();
	char buf[TCL_SHORT] __uninitialized, *path = NULL;

	if (file && !tcl_find_exe(&origin, file, buf, sizeof(buf))) {
		path = kmalloc(TCL_MOST_EXE, GFP_KERNEL | __GFP_NOWARN);
		if (path)
			tcl_find_exe(&origin, file, path, TCL_MOST_EXE);
	}
	if (file)
		fput(file);

	if (!tcl_trace_in_last_cgroup(sk, to, ret, &origin)) {
		tcl_find_cgroup();
		if (!tcl_trace_in_last_cgroup(sk, to, ret, &origin))
			tcl_trace_in_any_cgroup(sk, to, ret, &origin);
	}
	kfree(path);
}
