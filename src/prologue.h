/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stands between a function's address and its body.
 *
 * Pure functions on bytes: tests/host/unit.c runs them outside the kernel.
 */
#ifndef TCL_PROLOGUE_H
#define TCL_PROLOGUE_H

#ifdef __KERNEL__
#include <linux/string.h>
#include <linux/types.h>
#endif

/** define TCL_FENTRY_SIZE - bytes of the fentry site (MCOUNT_INSN_SIZE, asm/ftrace.h) */
#define TCL_FENTRY_SIZE	5

/** define TCL_PROLOGUE_MAX - the most bytes that can stand before the body */
#define TCL_PROLOGUE_MAX	(4 + TCL_FENTRY_SIZE)

/**
 * tcl_prologue_size() - how many bytes stand before a function's body
 * @code: the first TCL_PROLOGUE_MAX bytes of the function
 *
 * A traceable x86_64 function begins with an ENDBR64 where the kernel is built
 * for IBT (asm/ibt.h), then with the fentry site: a 5-byte nop, or a call while
 * something traces or patches the function; or a jump while that is a BPF
 * trampoline which itself calls the function, as for fexit
 * (CONFIG_DYNAMIC_FTRACE_WITH_JMP in linux/ftrace.h, bpf_trampoline_use_jmp() in
 * linux/bpf.h). That a call or a jump is ftrace's, ftrace says, see tcl_claim().
 * The nops are those that arch_ftrace (arch/x86/kernel/ftrace.c) has written:
 * BYTES_NOP5 of asm/nops.h, and until 5.12 on some CPUs K8_NOP5_ATOMIC.
 *
 * Return: the size in bytes, or 0 where the bytes are none of these.
 */
static inline size_t tcl_prologue_size(const u8 code[TCL_PROLOGUE_MAX])
{
	static const u8 endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	static const u8 nops[][TCL_FENTRY_SIZE] = {
		{ 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x66, 0x66, 0x66, 0x66, 0x90 },
	};
	const u8 call = 0xe8, jump = 0xe9;
	const u8 *site = code;

	if (!memcmp(site, endbr64, sizeof(endbr64)))
		site += sizeof(endbr64);

	if (*site == call || *site == jump ||
	    !memcmp(site, nops[0], TCL_FENTRY_SIZE) ||
	    !memcmp(site, nops[1], TCL_FENTRY_SIZE))
		return site - code + TCL_FENTRY_SIZE;

	return 0;
}

#endif /* TCL_PROLOGUE_H */
