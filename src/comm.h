/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Escape the task name. The process chooses it, so it cannot be trusted.
 *
 * Pure functions on bytes, which tests/host runs outside the kernel.
 */
#ifndef TCL_COMM_H
#define TCL_COMM_H

#ifdef __KERNEL__
#include <linux/sched.h>
#include <linux/types.h>
#endif

/** define TCL_COMM_LEN - bytes for a task name with every byte escaped, and a NUL */
#define TCL_COMM_LEN	(4 * (TASK_COMM_LEN - 1) + 1)

/**
 * tcl_escape_comm() - write a task name as one word
 * @dst: receives the escaped name, NUL-terminated
 * @comm: the task name, NUL-terminated if shorter than TASK_COMM_LEN - 1 bytes
 *
 * A process sets its own name (prctl(PR_SET_NAME), /proc/self/comm). It could
 * make the name look like the rest of a record, or like another record. So
 * only printable ASCII characters are copied, except space, backslash, quotes,
 * '=' and '>'. Any other byte is written as \xNN, where NN is two lower-case
 * hexadecimal digits.
 */
static inline void tcl_escape_comm(char dst[TCL_COMM_LEN],
				   const char comm[TASK_COMM_LEN])
{
	static const char hex[] = "0123456789abcdef";
	int i;

	for (i = 0; i < TASK_COMM_LEN - 1 && comm[i]; i++) {
		const u8 c = comm[i];

		if (c > ' ' && c < 0x7f && c != '\\' && c != '"' && c != '\'' &&
		    c != '=' && c != '>') {
			*dst++ = c;
		} else {
			*dst++ = '\\';
			*dst++ = 'x';
			*dst++ = hex[c >> 4];
			*dst++ = hex[c & 0xf];
		}
	}
	*dst = '\0';
}

#endif /* TCL_COMM_H */
