/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernels: the one place for it.
 *
 * Differences are found in what the kernel's headers declare, never by version
 * number: distributions move changes between versions, both ways.
 */
#ifndef TCL_COMPAT_H
#define TCL_COMPAT_H

#include <linux/version.h>

/*
 * Before anything that such a kernel may not have. The version is asked for
 * here alone: 5.10 is the oldest kernel that this was tried on, and the first
 * with linux/static_call.h.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0)
#error "tcp-connect-logger needs Linux 5.10 or later: boot a newer kernel, or remove this package."
#endif
#ifndef CONFIG_X86_64
#error "tcp-connect-logger runs on x86_64 only: remove this package from this machine."
#endif
#ifndef CONFIG_LIVEPATCH
#error "tcp-connect-logger needs a kernel built with CONFIG_LIVEPATCH=y: boot one that has it (grep LIVEPATCH /boot/config-*)."
#endif

struct ftrace_regs;
struct sockaddr_unsized;

#include <linux/ftrace.h>
#include <linux/socket.h>
#include <net/sock.h>
#include <net/tcp.h>

/*
 * The type of the address that connect() takes: struct sockaddr, and struct
 * sockaddr_unsized since 6.19 (linux/socket.h, net/tcp.h). Where it is neither,
 * the check of the prototype in tcp-connect-logger.c stops the build.
 */
struct tcl_unknown;
#define tcl_sockaddr typeof(*_Generic(&tcp_v4_connect,				\
	int (*)(struct sock *, struct sockaddr *, int):				\
		(struct sockaddr *)NULL,					\
	int (*)(struct sock *, struct sockaddr_unsized *, int):		\
		(struct sockaddr_unsized *)NULL,				\
	default: (struct tcl_unknown *)NULL))

/*
 * The registers that an ftrace callback is given: struct ftrace_regs, and
 * struct pt_regs before 5.11 (ftrace_func_t in linux/ftrace.h).
 */
#define tcl_ftrace_regs typeof(*_Generic((ftrace_func_t)NULL,			\
	void (*)(unsigned long, unsigned long, struct ftrace_ops *,		\
		 struct pt_regs *): (struct pt_regs *)NULL,			\
	default: (struct ftrace_regs *)NULL))

#endif /* TCL_COMPAT_H */
