// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz - a process's name in a record, whatever it is: the record reads back
 *
 * For libFuzzer. The first bytes of its input are the name, others what a function
 * begins with.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
#define TASK_COMM_LEN 16

#include "../../src/entry.h"
#include "../../src/record.h"

/* The words of a record, split at spaces and at the first '='. */
static void parse(char *line, const char *comm)
{
	static const char * const keys[] = { "tcp_connect_logger:", "pid", "uid", "comm", "->" };
	char *value, *word = strtok(line, " ");
	size_t n = 0;

	for (; word; word = strtok(NULL, " "), n++) {
		if (n == 5) {
			assert(!strcmp(word, "[2001:db8::1]:443"));
			continue;
		}
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		assert(n < 5 && !strcmp(word, keys[n]));
		if (n == 3)
			assert(!strcmp(value, comm));
	}
	assert(n == 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Each as long as it may look, so that ASan sees it look further. */
	char *comm = calloc(1, TASK_COMM_LEN), *text = malloc(TCL_COMM_LEN);
	u8 *code = calloc(1, TCL_ENTRY_MAX);
	char back[TASK_COMM_LEN] = "", line[256];
	size_t n = 0;

	memcpy(comm, data, size < TASK_COMM_LEN ? size : TASK_COMM_LEN);
	tcl_escape_comm(text, comm);
	comm[TASK_COMM_LEN - 1] = '\0';

	for (const char *p = text; *p; n++) {
		unsigned int value = (u8)*p;

		assert(*p > ' ' && *p < 0x7f && !strchr("\"'=>", *p));
		if (*p == '\\') {
			assert(sscanf(p, "\\x%2x", &value) == 1);
			p += 3;
		}
		p++;
		assert(n < TASK_COMM_LEN - 1);
		back[n] = value;
	}
	assert(!strcmp(back, comm));
	snprintf(line, sizeof(line),
		 "tcp_connect_logger: pid=1 uid=0 comm=%s -> [2001:db8::1]:443", text);
	assert(!strchr(line, '\n'));
	parse(line, n ? text : "");

	if (size > TASK_COMM_LEN)
		memcpy(code, data + TASK_COMM_LEN, size - TASK_COMM_LEN < TCL_ENTRY_MAX ?
		       size - TASK_COMM_LEN : TCL_ENTRY_MAX);
	n = tcl_entry_size(code);
	assert(n == 0 || n == TCL_FENTRY_SIZE || n == TCL_ENTRY_MAX);

	free(comm);
	free(text);
	free(code);
	return 0;
}
