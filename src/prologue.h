/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * The prologue: the bytes between a function's address and its body.
 *
 * Pure functions on bytes, which tests/host/unit.c runs outside the kernel.
 */
#ifndef TCL_PROLOGUE_H
#define TCL_PROLOGUE_H

#ifdef __KERNEL__
#include <linux/string.h>
#include <linux/types.h>
#endif

/** define TCL_FENTRY_SIZE - bytes of the fentry site (MCOUNT_INSN_SIZE in asm/ftrace.h) */
#define TCL_FENTRY_SIZE	5

/** define TCL_ENDBR_SIZE - bytes of an ENDBR64 or of the nop in its place */
#define TCL_ENDBR_SIZE	4

/** define TCL_PROLOGUE_MAX - maximum size of a prologue in bytes */
#define TCL_PROLOGUE_MAX	(TCL_ENDBR_SIZE + TCL_FENTRY_SIZE)

/**
 * tcl_prologue_size() - size of a function's prologue
 * @code: the first TCL_PROLOGUE_MAX bytes of the function
 *
 * A traceable x86_64 function begins with an ENDBR64 if the kernel is built for
 * IBT. Where the function may not be called indirectly, as with FineIBT, a nop of
 * the same size replaces it (gen_endbr_poison() in asm/ibt.h; the nop changed in
 * 6.18). Then comes the fentry site, which holds one of:
 *
 * * a 5-byte nop that ftrace wrote (arch/x86/kernel/ftrace.c): BYTES_NOP5 from
 *   asm/nops.h, or up to 5.12 K8_NOP5_ATOMIC on some CPUs;
 * * a call, while something traces or patches the function;
 * * a jump, while a BPF trampoline traces the function and itself calls it, as
 *   for fexit (CONFIG_DYNAMIC_FTRACE_WITH_JMP in linux/ftrace.h,
 *   bpf_trampoline_use_jmp() in linux/bpf.h).
 *
 * Whether a call or a jump is ftrace's own is checked in tcl_claim().
 *
 * Return: the size in bytes, or 0 if the bytes match none of these.
 */
static inline size_t tcl_prologue_size(const u8 code[TCL_PROLOGUE_MAX])
{
	static const u8 endbrs[][TCL_ENDBR_SIZE] = {
		{ 0xf3, 0x0f, 0x1e, 0xfa },
		{ 0x66, 0x0f, 0x1f, 0x00 },
		{ 0x0f, 0x1f, 0x40, 0xd6 },
	};
	static const u8 nops[][TCL_FENTRY_SIZE] = {
		{ 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x66, 0x66, 0x66, 0x66, 0x90 },
	};
	const u8 call = 0xe8, jump = 0xe9;
	const u8 *site = code;

	if (!memcmp(site, endbrs[0], TCL_ENDBR_SIZE) ||
	    !memcmp(site, endbrs[1], TCL_ENDBR_SIZE) ||
	    !memcmp(site, endbrs[2], TCL_ENDBR_SIZE))
		site += TCL_ENDBR_SIZE;

	if (*site == call || *site == jump ||
	    !memcmp(site, nops[0], TCL_FENTRY_SIZE) ||
	    !memcmp(site, nops[1], TCL_FENTRY_SIZE))
		return site - code + TCL_FENTRY_SIZE;

	return 0;
}

#endif /* TCL_PROLOGUE_H */
