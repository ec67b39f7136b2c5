// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * bpf - count the calls of a kernel function with a BPF trampoline
 *
 *	bpf fentry|fexit FUNCTION
 *
 * The program answers each line of its standard input with one line on its standard output, and
 * exits at the end of the input:
 *
 *	on	attach, and print "on" or the error
 *	off	detach, and print "off"
 *	count	print the number of calls since the last count
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Load a program that adds one to the only element of an array. */
static int load(enum bpf_attach_type type, const char *function, int array)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = array },
		{ },	/* the second half of the address */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1 },
		{ .code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_1,
		  .src_reg = BPF_REG_2, .imm = BPF_ADD },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type,
		    .attach_btf_id = libbpf_find_vmlinux_btf_id(function, type));

	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "rig", "GPL", insns,
			     sizeof(insns) / sizeof(struct bpf_insn), &opts);
}

int main(int argc, char **argv)
{
	enum bpf_attach_type type = BPF_TRACE_FENTRY;
	unsigned long long calls, zero = 0;
	int array, program = -1, link = -1, first = 0;
	char line[16];

	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "fexit"))
		type = BPF_TRACE_FEXIT;

	array = bpf_map_create(BPF_MAP_TYPE_ARRAY, "calls", sizeof(first), sizeof(calls), 1, NULL);
	if (array < 0)
		die("array");

	setlinebuf(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "on\n")) {
			/* Before 5.12, a program can be attached only once, so load it again. */
			program = load(type, argv[2], array);
			if (program < 0)
				die("program");
			link = bpf_raw_tracepoint_open(NULL, program);
			puts(link < 0 ? strerror(-link) : "on");
		} else if (!strcmp(line, "off\n")) {
			close(link);
			close(program);
			puts("off");
		} else if (!strcmp(line, "count\n")) {
			if (bpf_map_lookup_elem(array, &first, &calls) ||
			    bpf_map_update_elem(array, &first, &zero, BPF_ANY))
				die("count");
			printf("%llu\n", calls);
		} else {
			return 2;
		}
	}
	return 0;
}
