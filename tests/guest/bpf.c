// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * bpf - count, redirect or deny with a BPF program, or count with perf
 *
 *	bpf fentry|fexit FUNCTION		count the calls of a kernel function
 *	bpf raw TRACEPOINT			count the hits of a raw tracepoint whose arguments
 *						are a struct sock and a struct sockaddr
 *	bpf event ID				count the hits of the trace event with this ID, on
 *						CPU 0
 *	bpf perf ID				the same without a BPF program
 *	bpf connect4|connect6 CGROUP ADDRESS PORT
 *						redirect the connections of a cgroup to ADDRESS
 *	bpf deny4|deny6 CGROUP			deny the connections of a cgroup
 *
 * The program answers each line of its standard input with one line on its standard output, and
 * exits at the end of the input:
 *
 *	on	attach, and print "on" or the error
 *	off	detach, and print "off"
 *	count	print how often the BPF program ran, or perf counted, since the last count
 *	last	print the arguments of the last hit of the raw tracepoint: the family of the socket,
 *		the address and the port
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* __sk_common.skc_family in struct sock (net/sock.h) */
#define SK_FAMILY 16

/* The only element of the array: what the BPF program tells us */
struct seen {
	unsigned long long runs;
	struct sockaddr_in6 to;		/* large enough for a sockaddr_in */
	unsigned short family;
};

static struct bpf_insn insns[32];
static size_t size;
static int array;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void emit(struct bpf_insn insn)
{
	insns[size++] = insn;
}

static void emit_move(int to, int from)
{
	emit((struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from });
}

static void emit_set(int to, unsigned int value)
{
	emit((struct bpf_insn){ .code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = to, .imm = value });
}

static void emit_load(int to, int from, size_t offset)
{
	emit((struct bpf_insn){ .code = BPF_LDX | BPF_DW | BPF_MEM, .dst_reg = to, .src_reg = from,
				.off = offset });
}

/* Set a register to the address of a member of struct seen. */
static void emit_seen(int to, size_t member)
{
	emit((struct bpf_insn){ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = to,
				.src_reg = BPF_PSEUDO_MAP_VALUE, .imm = array });
	emit((struct bpf_insn){ .imm = member });
}

/* Copy kernel memory, at an offset from the address in a register, to a member of struct seen. */
static void emit_read(size_t member, size_t length, int from, size_t offset)
{
	emit_seen(BPF_REG_1, member);
	emit_set(BPF_REG_2, length);
	emit_move(BPF_REG_3, from);
	emit((struct bpf_insn){ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_3,
				.imm = offset });
	emit((struct bpf_insn){ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel });
}

/* Set a member of struct bpf_sock_addr, whose address is in R6. */
static void emit_change(size_t member, unsigned int value)
{
	emit_set(BPF_REG_1, value);
	emit((struct bpf_insn){ .code = BPF_STX | BPF_W | BPF_MEM, .dst_reg = BPF_REG_6,
				.src_reg = BPF_REG_1, .off = member });
}

static void emit_redirect(const char *address, const char *port)
{
	unsigned int words[4];

	if (inet_pton(AF_INET, address, words) == 1) {
		emit_change(offsetof(struct bpf_sock_addr, user_ip4), words[0]);
	} else if (inet_pton(AF_INET6, address, words) == 1) {
		for (int i = 0; i < 4; i++)
			emit_change(offsetof(struct bpf_sock_addr, user_ip6[i]), words[i]);
	} else {
		exit(2);
	}
	emit_change(offsetof(struct bpf_sock_addr, user_port), htons(atoi(port)));
}

/* What a BPF program does */
static const struct kind {
	const char *name;
	enum bpf_prog_type program;
	enum bpf_attach_type attach;
	int arguments;
	int result;
} kinds[] = {
	{ "fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, 1, 0 },
	{ "fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, 1, 0 },
	{ "raw", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 1, 0 },
	{ "event", BPF_PROG_TYPE_TRACEPOINT, 0, 1, 0 },
	{ "perf", BPF_PROG_TYPE_UNSPEC, 0, 1, 0 },	/* no program */
	{ "connect4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, 3, 1 },
	{ "connect6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT, 3, 1 },
	{ "deny4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, 1, 0 },
	{ "deny6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT, 1, 0 },
};

static const struct kind *kind_of(const char *name, int arguments)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(name, kinds[i].name) && arguments == kinds[i].arguments)
			return &kinds[i];
	exit(2);
}

/* Make the instructions. The context is in R1 at first, and then in R6. */
static void assemble(const struct kind *kind, char **arguments)
{
	emit_move(BPF_REG_6, BPF_REG_1);
	emit_seen(BPF_REG_1, offsetof(struct seen, runs));
	emit_set(BPF_REG_2, 1);
	emit((struct bpf_insn){ .code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_1,
				.src_reg = BPF_REG_2, .imm = BPF_ADD });
	if (kind->program == BPF_PROG_TYPE_RAW_TRACEPOINT) {
		emit_load(BPF_REG_7, BPF_REG_6, offsetof(struct bpf_raw_tracepoint_args, args[0]));
		emit_load(BPF_REG_8, BPF_REG_6, offsetof(struct bpf_raw_tracepoint_args, args[1]));
		emit_read(offsetof(struct seen, family), sizeof(short), BPF_REG_7, SK_FAMILY);
		emit_read(offsetof(struct seen, to), sizeof(struct sockaddr_in6), BPF_REG_8, 0);
	} else if (kind->arguments == 3) {
		emit_redirect(arguments[1], arguments[2]);
	}
	emit_set(BPF_REG_0, kind->result);
	emit((struct bpf_insn){ .code = BPF_JMP | BPF_EXIT });
}

static int load(const struct kind *kind, const char *function)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = kind->attach);

	if (kind->program == BPF_PROG_TYPE_TRACING)
		opts.attach_btf_id = libbpf_find_vmlinux_btf_id(function, kind->attach);
	return bpf_prog_load(kind->program, "rig", "GPL", insns, size, &opts);
}

/* Open perf's event for all processes on CPU 0. */
static int open_event(const char *id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = strtoul(id, NULL, 10),
		.sample_period = 1,
	};
	int event = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	return event < 0 ? -errno : event;
}

/* Attach the program to a function, a tracepoint, an event or a cgroup. Closing it detaches. */
static int attach(const struct kind *kind, const char *to, int program)
{
	int cgroup, link;

	switch (kind->program) {
	case BPF_PROG_TYPE_UNSPEC:
		return open_event(to);
	case BPF_PROG_TYPE_TRACEPOINT:
		link = open_event(to);
		if (link >= 0 && ioctl(link, PERF_EVENT_IOC_SET_BPF, program))
			die(to);
		return link;
	case BPF_PROG_TYPE_TRACING:
		return bpf_raw_tracepoint_open(NULL, program);
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
		return bpf_raw_tracepoint_open(to, program);
	default:
		cgroup = open(to, O_RDONLY);
		if (cgroup < 0)
			die(to);
		link = bpf_link_create(program, cgroup, kind->attach, NULL);
		close(cgroup);
		return link;
	}
}

/* The number since the last count */
static unsigned long long count(const struct kind *kind, int link)
{
	unsigned long long events;
	struct seen seen;
	int first = 0;

	if (kind->program == BPF_PROG_TYPE_UNSPEC) {
		if (read(link, &events, sizeof(events)) != sizeof(events) ||
		    ioctl(link, PERF_EVENT_IOC_RESET, 0))
			die("count");
		return events;
	}
	if (bpf_map_lookup_elem(array, &first, &seen))
		die("count");
	events = seen.runs;
	seen.runs = 0;
	if (bpf_map_update_elem(array, &first, &seen, BPF_ANY))
		die("count");
	return events;
}

static void print_last(const struct seen *seen)
{
	char address[INET6_ADDRSTRLEN];
	const void *in = &((const struct sockaddr_in *)&seen->to)->sin_addr;

	if (seen->to.sin6_family == AF_INET6)
		in = &seen->to.sin6_addr;
	if (!inet_ntop(seen->to.sin6_family, in, address, sizeof(address)))
		die("address");
	printf("%d %s %d\n", seen->family, address, ntohs(seen->to.sin6_port));
}

int main(int argc, char **argv)
{
	const struct kind *kind = argc < 3 ? NULL : kind_of(argv[1], argc - 2);
	int program = -1, link = -1, first = 0;
	struct seen seen;
	char line[16];

	if (!kind)
		return 2;
	array = bpf_map_create(BPF_MAP_TYPE_ARRAY, "seen", sizeof(first), sizeof(seen), 1, NULL);
	if (array < 0)
		die("array");
	assemble(kind, argv + 2);

	setlinebuf(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "on\n")) {
			/* Before 5.12, a program can be attached only once, so load it again. */
			if (kind->program != BPF_PROG_TYPE_UNSPEC) {
				program = load(kind, argv[2]);
				if (program < 0)
					die("program");
			}
			link = attach(kind, argv[2], program);
			puts(link < 0 ? strerror(-link) : "on");
		} else if (!strcmp(line, "off\n")) {
			close(link);
			close(program);
			puts("off");
		} else if (!strcmp(line, "count\n")) {
			printf("%llu\n", count(kind, link));
		} else if (!strcmp(line, "last\n")) {
			if (bpf_map_lookup_elem(array, &first, &seen))
				die("last");
			print_last(&seen);
		} else {
			return 2;
		}
	}
	return 0;
}
