/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What of a record comes from the process itself, and is not to be trusted.
 *
 * Pure functions on bytes: tests/host runs them outside the kernel.
 */
#ifndef TCL_COMM_H
#define TCL_COMM_H

#ifdef __KERNEL__
#include <linux/sched.h>
#include <linux/types.h>
#endif

/** define TCL_COMM_LEN - room for a process's name with every byte escaped */
#define TCL_COMM_LEN	(4 * (TASK_COMM_LEN - 1) + 1)

/**
 * tcl_escape_comm() - write a process's name so that it is one word
 * @dst: the name as it is logged, NUL-terminated
 * @comm: the name, NUL-terminated if it is shorter than it may be
 *
 * A process names itself (prctl(PR_SET_NAME), /proc/self/comm), and could make
 * its name look like the rest of a record or like a record of its own. What is
 * not a printable ASCII character, and space, backslash, the quotes, '=' and
 * '>', is written as \xNN, NN being two lower-case hexadecimal digits.
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
