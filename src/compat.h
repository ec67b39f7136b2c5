/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Everything that depends on the kernel's version.
 *
 * The code checks what the kernel's headers declare, never the version number:
 * distributions move changes to older and to newer versions.
 */
#ifndef TCL_COMPAT_H
#define TCL_COMPAT_H

/* Check first: these kernels lack headers and declarations that are used below. */
#ifndef CONFIG_X86_64
#error "tcp-connect-logger runs on x86_64 only: remove it from this machine"
#endif
#ifndef CONFIG_LIVEPATCH
#error "tcp-connect-logger needs CONFIG_LIVEPATCH=y: boot a kernel that has it"
#endif
#ifdef __has_include	/* sparse lacks it */
#if !__has_include("linux/static_call.h")
#error "tcp-connect-logger needs static calls (Linux 5.10, RHEL 8.5): boot a newer kernel"
#endif
#endif
/* Without its support, a static call is an indirect call (linux/static_call.h). */
#if defined(CONFIG_X86_KERNEL_IBT) && !defined(CONFIG_HAVE_STATIC_CALL)
#error "tcp-connect-logger needs CONFIG_HAVE_STATIC_CALL=y for IBT: boot a kernel that has it"
#endif

/* Declare the types that older kernels lack. */
struct ftrace_regs;
struct sockaddr_unsized;

#include <linux/cgroup.h>
#include <linux/compiler.h>
#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/livepatch.h>
#include <linux/mm_types.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/socket.h>
#include <net/sock.h>
#include <net/tcp.h>

/*
 * The type of the address that connect() takes: struct sockaddr, or since 6.19
 * struct sockaddr_unsized (linux/socket.h, net/tcp.h). The static_asserts in
 * patch.c check the rest of the prototype.
 */
#define tcl_sockaddr typeof(*__builtin_choose_expr(				\
	__same_type(tcp_v4_connect,						\
		    int (struct sock *, struct sockaddr *, int)),		\
	(struct sockaddr *)NULL, (struct sockaddr_unsized *)NULL))

/* The type of the replaced functions */
typedef int tcl_connect(struct sock *sk, tcl_sockaddr *uaddr, int addr_len);

/*
 * The type of the registers that ftrace passes to a callback: struct ftrace_regs,
 * or up to 5.10 struct pt_regs (ftrace_func_t in linux/ftrace.h).
 */
#define tcl_ftrace_regs typeof(*__builtin_choose_expr(				\
	__same_type(ftrace_func_t,						\
		    void (*)(unsigned long, unsigned long,			\
			     struct ftrace_ops *, struct pt_regs *)),		\
	(struct pt_regs *)NULL, (struct ftrace_regs *)NULL))

/* Linux 5.10 lacks it; there, the function has the guard. */
#ifndef __no_stack_protector
#define __no_stack_protector
#endif

/*
 * Which other livepatches ours replaces: none. In all kernels so far, struct
 * klp_patch has a flag, .replace. In the livepatching tree, numbers take its place:
 * .replace_set, or .provides and .obsoletes. Livepatches with the same number
 * replace each other, also those with the number 0. So take a number that nobody
 * else has: the first digits of the SHA-256 of "tcp_connect_logger".
 */
#define TCL_NUMBER 0x1dbdfe0d
#define tcl_replace_is(value) __same_type(((struct klp_patch *)NULL)->tcl_replace, value)
#define tcl_replace_is_number							\
	(tcl_replace_is(0U) || tcl_replace_is(0UL) || tcl_replace_is(0ULL))

#if defined(TCL_HAS_klp_patch_provides) && defined(TCL_HAS_klp_patch_obsoletes)
#define tcl_replace provides
#define TCL_REPLACE_NONE TCL_NUMBER
#define tcl_replace_is_known tcl_replace_is_number
#elif defined(TCL_HAS_klp_patch_replace_set)
#define tcl_replace replace_set
#define TCL_REPLACE_NONE TCL_NUMBER
#define tcl_replace_is_known tcl_replace_is_number
#elif defined(TCL_HAS_klp_patch_replace)
#define tcl_replace replace
#define TCL_REPLACE_NONE false
#define tcl_replace_is_known tcl_replace_is((bool)false)
#else
#define tcl_replace_is_known false
#endif
static_assert(tcl_replace_is_known,
	      "this version of tcp-connect-logger does not know which livepatches struct klp_patch replaces: look for a newer one");

/*
 * Livepatch calls back for each object. In the livepatching tree, it calls back once
 * for a state of the livepatch, and not when a module comes.
 */
#if defined(TCL_HAS_klp_object_callbacks)
#define TCL_OBJECT_CALLBACKS(...) .callbacks = { __VA_ARGS__ },
#elif defined(TCL_HAS_klp_state_callbacks) && !IS_MODULE(CONFIG_IPV6)
#define TCL_OBJECT_CALLBACKS(...)
#define TCL_STATE_CALLBACKS
#else
#error "tcp-connect-logger does not know how livepatch calls it back: look for a newer version"
#endif

/*
 * The task's cgroup ID, like bpf_get_current_cgroup_id(); 0 without CONFIG_CGROUPS.
 * As task_dfl_cgroup(), for a caller that has preemption disabled.
 */
static inline u64 tcl_cgroup_id(struct task_struct *task)
{
#ifdef CONFIG_CGROUPS
	return cgroup_id(rcu_dereference_sched(task->cgroups)->dfl_cgrp);
#else
	return 0;
#endif
}

/*
 * The path of the task's cgroup, and its ID. Returns the path's length, or 0 if @buf is
 * too small: kernfs_path_from_node() then returns an error, or up to 6.8 the full length.
 */
static inline size_t tcl_cgroup_path(u64 *id, char *buf, size_t size)
{
	int length = 0;

	*id = 0;
#ifdef CONFIG_CGROUPS
	rcu_read_lock();
	{
		/* The task may be moved to another cgroup meanwhile. */
		struct cgroup *cgroup = rcu_dereference(current->cgroups)->dfl_cgrp;

		*id = cgroup_id(cgroup);
		length = cgroup_path(cgroup, buf, size);
	}
	rcu_read_unlock();
#endif
	return length > 0 && length < (int)size ? length : 0;
}

/*
 * The task's executable, as get_mm_exe_file(), which is not exported; NULL for a
 * kernel thread. The caller calls fput().
 */
static inline struct file *tcl_exe_file(void)
{
	struct file *file = NULL;

	if (!current->mm)
		return NULL;
	rcu_read_lock();
#ifdef get_file_rcu	/* up to 6.6, a macro that says whether it got the file */
	file = rcu_dereference(current->mm->exe_file);
	if (file && !get_file_rcu(file))
		file = NULL;
#else
	file = get_file_rcu(&current->mm->exe_file);
#endif
	rcu_read_unlock();
	return file;
}

#endif /* TCL_COMPAT_H */
