// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz - any process name in a record: follow and top read back what the module writes
 *
 * For libFuzzer. The first bytes of the input are the name, and the following ones a function's
 * prologue. All of it is also the rest of a line after "pid=".
 */
#include <assert.h>
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

/* Anything that is parsed as a record is printable, and reads back from what is printed. */
static void parse(const uint8_t *data, size_t size)
{
	char line[256], comm[PRINTABLE_LEN], to[DESTINATION_LEN];
	struct record record;

	snprintf(line, sizeof(line), "tcp_connect_logger: pid=%.*s", (int)size, (const char *)data);
	if (!record_parse(line, &record))
		return;
	assert(strlen(record.comm) < COMM_LEN);
	assert(strlen(record_printable_comm(record.comm, comm)) < PRINTABLE_LEN);
	for (const char *p = comm; *p; p++)
		assert(*p >= ' ' && *p < 0x7f);	/* in the locale C */
	assert(strlen(record_destination(&record, to)) < DESTINATION_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Allocated exactly as long as may be read, so that ASan reports reads beyond. */
	char *comm = calloc(1, TASK_COMM_LEN), *text = malloc(TCL_COMM_LEN);
	u8 *code = calloc(1, TCL_PROLOGUE_MAX);
	char line[256], to[DESTINATION_LEN];
	struct record record;
	size_t n;

	memcpy(comm, data, size < TASK_COMM_LEN ? size : TASK_COMM_LEN);
	tcl_escape_comm(text, comm);
	comm[TASK_COMM_LEN - 1] = '\0';

	for (const char *p = text; *p; p++)
		assert(*p > ' ' && *p < 0x7f && !strchr("\"'=>", *p));
	snprintf(line, sizeof(line),
		 "tcp_connect_logger: pid=1 uid=4294967295 comm=%s -> [2001:db8::1%%7]:443", text);
	assert(record_parse(line, &record));
	assert(record.pid == 1 && record.uid == UINT_MAX && !strcmp(record.comm, comm));
	assert(!strcmp(record_destination(&record, to), "[2001:db8::1%7]:443"));
	parse(data, size);

	if (size > TASK_COMM_LEN)
		memcpy(code, data + TASK_COMM_LEN, size - TASK_COMM_LEN < TCL_PROLOGUE_MAX ?
		       size - TASK_COMM_LEN : TCL_PROLOGUE_MAX);
	n = tcl_prologue_size(code);
	assert(n == 0 || n == TCL_FENTRY_SIZE || n == TCL_PROLOGUE_MAX);

	free(comm);
	free(text);
	free(code);
	return 0;
}
