// SPDX-License-Identifier: GPL-2.0
/*
 * unit - the module's pure functions, with bytes that no available kernel has, and the parsing
 * of its lines
 *
 * Reports like the tests in guests, see tests/rig/rig.sh.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

typedef uint8_t u8;
#define TASK_COMM_LEN 16

#include "../../src/comm.h"
#include "../../src/prologue.h"
#include "../../cmd/record.c"

static void report(bool ok, const char *name)
{
	if (ok)
		printf("ok - %s\n", name);
	else
		printf("not ok - %s: see tests/host/unit.c\n", name);
}

#define ENDBR64 "\xf3\x0f\x1e\xfa"

static void test_prologue(void)
{
	static const struct {
		const char *name, *code;
		size_t size;
	} prologues[] = {
		{ "nop", "\x0f\x1f\x44\x00\x00zzzz", 5 },
		{ "the older nop", "\x66\x66\x66\x66\x90zzzz", 5 },
		{ "call", "\xe8zzzzzzzz", 5 },
		{ "ENDBR64 and nop", ENDBR64 "\x0f\x1f\x44\x00\x00", 9 },
		{ "ENDBR64 and the older nop", ENDBR64 "\x66\x66\x66\x66\x90", 9 },
		{ "ENDBR64 and call", ENDBR64 "\xe8zzzz", 9 },
		{ "jump", "\xe9zzzzzzzz", 5 },
		{ "ENDBR64 and jump", ENDBR64 "\xe9zzzz", 9 },
		{ "ENDBR64 alone", ENDBR64 "\x55\x48\x89\xe5\x53", 0 },
		{ "ENDBR64 twice", ENDBR64 ENDBR64 "\xe8", 0 },
		{ "ENDBR32", "\xf3\x0f\x1e\xfb\x0f\x1f\x44\x00\x00", 0 },
		{ "a sealed ENDBR64", "\x66\x0f\x1f\x00\x0f\x1f\x44\x00\x00", 0 },
		{ "single-byte nops", "\x90\x90\x90\x90\x90zzzz", 0 },
		{ "a breakpoint", "\xcc\x1f\x44\x00\x00zzzz", 0 },
		{ "another 5-byte nop", "\x3e\x8d\x74\x26\x00zzzz", 0 },
		{ "a function that cannot be traced", "\x55\x48\x89\xe5\x41\x57\x41\x56\x53", 0 },
		{ "zeros", "\0\0\0\0\0\0\0\0\0", 0 },
	};
	char name[80];

	for (size_t i = 0; i < sizeof(prologues) / sizeof(prologues[0]); i++) {
		/* Allocated exactly as long as may be read, so that ASan reports reads beyond. */
		u8 *code = malloc(TCL_PROLOGUE_MAX);

		memcpy(code, prologues[i].code, TCL_PROLOGUE_MAX);
		snprintf(name, sizeof(name), "prologue: %s is %zu bytes", prologues[i].name,
			 prologues[i].size);
		report(tcl_prologue_size(code) == prologues[i].size, name);
		free(code);
	}
}

/* Every byte, at every position in a name, reads back unchanged. */
static void test_escape(void)
{
	static const char escaped[] = " \\\"'=>";
	bool one_word = true, plain = true, reads_back = true, terminated = true;

	for (int byte = 1; byte < 256; byte++) {
		for (int place = 0; place < TASK_COMM_LEN - 1; place++) {
			char *comm = malloc(TASK_COMM_LEN), *text = malloc(TCL_COMM_LEN);
			char back[TASK_COMM_LEN] = "";
			size_t n = 0;

			memset(comm, byte, TASK_COMM_LEN - 1);
			memset(comm, 'a', place);
			comm[TASK_COMM_LEN - 1] = '\0';
			memset(text, '?', TCL_COMM_LEN);
			tcl_escape_comm(text, comm);

			if (!memchr(text, '\0', TCL_COMM_LEN)) {
				terminated = false;
				continue;
			}
			for (const char *p = text; *p; p++) {
				unsigned int value = (u8)*p;

				if (*p <= ' ' || *p >= 0x7f || (*p != '\\' && strchr(escaped, *p)))
					one_word = false;
				if (*p == '\\') {
					if (sscanf(p, "\\x%2x", &value) != 1)
						reads_back = false;
					p += 3;
				}
				back[n++] = value;
			}
			if (strcmp(back, comm))
				reads_back = false;
			if (byte > ' ' && byte < 0x7f && !strchr(escaped, byte) &&
			    strcmp(text, comm))
				plain = false;
			free(comm);
			free(text);
		}
	}
	report(terminated, "comm: fits and is terminated");
	report(one_word, "comm: is one word without quotes, '=' and '>'");
	report(reads_back, "comm: reads back as what it was");
	report(plain, "comm: a plain name is as it is");
}

static void test_parse(void)
{
	static const struct {
		const char *line, *comm, *destination;
		int pid;
		unsigned int uid;
	} good[] = {
		{ "8421 uid=1053 comm=curl -> 93.184.216.34:80", "curl", "93.184.216.34:80", 8421, 1053 },
		{ "1 uid=4294967295 comm= -> 0.0.0.0:0", "", "0.0.0.0:0", 1, 4294967295 },
		{ "2147483647 uid=0 comm=a\\x20\\x3d\\xff -> [::]:65535", "a =\xff", "[::]:65535", 2147483647, 0 },
		{ "1 uid=0 comm=x -> [fe80::1%4294967295]:443", "x", "[fe80::1%4294967295]:443", 1, 0 },
		{ "1 uid=0 comm=123456789012345 -> [::ffff:1.2.3.4]:1", "123456789012345", "[::ffff:1.2.3.4]:1", 1, 0 },
	};
	static const char * const bad[] = {
		"", "x uid=0 comm=x -> 1.2.3.4:1", "-1 uid=0 comm=x -> 1.2.3.4:1", "2147483648 uid=0 comm=x -> 1.2.3.4:1",
		"1  uid=0 comm=x -> 1.2.3.4:1", "1 uid=4294967296 comm=x -> 1.2.3.4:1", "1 uid=0 comm=x",
		"1 uid=0 comm=1234567890123456 -> 1.2.3.4:1", "1 uid=0 comm=\\ -> 1.2.3.4:1",
		"1 uid=0 comm=\\x4 -> 1.2.3.4:1", "1 uid=0 comm=\\x4G -> 1.2.3.4:1", "1 uid=0 comm=x y -> 1.2.3.4:1",
		"1 uid=0 comm=x -> 1.2.3.4", "1 uid=0 comm=x -> 1.2.3.4:", "1 uid=0 comm=x -> 1.2.3.4:65536",
		"1 uid=0 comm=x -> 1.2.3.4:1 ", "1 uid=0 comm=x -> 1.2.3:1", "1 uid=0 comm=x -> [1.2.3.4]:1",
		"1 uid=0 comm=x -> [::1:1", "1 uid=0 comm=x -> [::1%]:1", "1 uid=0 comm=x -> [::1]1", "1 uid=0 comm=x -> ::1:1",
		"1 uid=0 comm=x -> [0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
	};
	struct record record;
	char line[128], name[160], text[DESTINATION_LEN];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(line, sizeof(line), "tcp_connect_logger: pid=%s", good[i].line);
		snprintf(name, sizeof(name), "record: pid=%s", good[i].line);
		report(record_parse(line, &record) && record.pid == good[i].pid &&
		       record.uid == good[i].uid && !strcmp(record.comm, good[i].comm) &&
		       !strcmp(record_destination(&record, text), good[i].destination), name);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "tcp_connect_logger: pid=%s", bad[i]);
		snprintf(name, sizeof(name), "no record: pid=%s", bad[i]);
		report(!record_parse(line, &record), name);
	}
	report(!record_parse("tcp_connect_logger: loaded, logging disabled", &record),
	       "no record: what else the module says");
}

int main(void)
{
	test_prologue();
	test_escape();
	test_parse();
	return 0;
}
