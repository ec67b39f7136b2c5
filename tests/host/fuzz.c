// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * fuzz - fuzz the functions that parse input from outside
 *
 *	fuzz-TARGET [OPTION...] [CORPUS...]
 *
 * The program is linked with libFuzzer. Its name selects one of targets[]. tests/host/corpus/TARGET
 * has the first inputs for a target.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "../../cmd/histogram.h"
#include "../../cmd/history.h"
#include "../../cmd/message.h"
#include "../../cmd/names.h"
#include "../../cmd/record.h"
#include "../../cmd/text.h"
#include "../../src/prologue.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy with a NUL behind it, so that ASan reports reads beyond the NUL */
static char *copy_of(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);

	memcpy(copy, data, size);
	copy[size] = '\0';
	return copy;
}

/* A line is a record only if the module prints exactly this line: tcl_print() in src/log.c. */
static void check_record(const char *text, const struct record *record)
{
	char comm[TCL_COMM_LEN], to[DESTINATION_LEN], printed[512];

	assert(strlen(record->comm) < COMM_LEN);
	tcl_escape_comm(comm, record->comm);
	assert(strlen(record_destination(record, to)) < DESTINATION_LEN);
	snprintf(printed, sizeof(printed), PREFIX "pid=%d uid=%u comm=%s -> %s", record->pid,
		 record->uid, comm, to);
	assert(!strcmp(text, printed));
}

static void check_report(const char *text, const struct report *report)
{
	char printed[128];

	snprintf(printed, sizeof(printed), PREFIX "%llu connections not logged (%s)",
		 report->count, report->reason);
	assert(!strcmp(text, printed));
}

static void check_line(const char *text, const struct line *line)
{
	if (line->kind == LINE_RECORD)
		check_record(text, &line->record);
	else if (line->kind == LINE_REPORT)
		check_report(text, &line->report);
	else if (line->kind == LINE_OTHER)
		assert(!strncmp(text, PREFIX, strlen(PREFIX)));
}

/*
 * The first bytes of the input are the name of a process: the command must read back the name that
 * the module writes. The other bytes are the first bytes of a function.
 */
static void fuzz_name(const uint8_t *data, size_t size)
{
	/* Each buffer has exactly the size that may be read, so that ASan reports reads beyond it. */
	char *comm = calloc(1, TASK_COMM_LEN), *text = malloc(TCL_COMM_LEN);
	u8 *code = calloc(1, TCL_PROLOGUE_MAX);
	char line[256], to[DESTINATION_LEN];
	struct line parsed;
	size_t n;

	memcpy(comm, data, size < TASK_COMM_LEN ? size : TASK_COMM_LEN);
	tcl_escape_comm(text, comm);
	comm[TASK_COMM_LEN - 1] = '\0';
	for (const char *p = text; *p; p++)
		assert(*p > ' ' && *p < 0x7f && !strchr("\"'=>", *p));
	snprintf(line, sizeof(line), PREFIX "pid=1 uid=4294967295 comm=%s -> [fe80::1%%7]:443", text);
	line_parse(line, LOG_INFO, &parsed);
	assert(parsed.kind == LINE_RECORD && !strcmp(parsed.record.comm, comm));
	assert(!strcmp(record_destination(&parsed.record, to), "[fe80::1%7]:443"));

	if (size > TASK_COMM_LEN)
		memcpy(code, data + TASK_COMM_LEN, size - TASK_COMM_LEN < TCL_PROLOGUE_MAX ?
		       size - TASK_COMM_LEN : TCL_PROLOGUE_MAX);
	n = tcl_prologue_size(code);
	assert(n == 0 || n == TCL_FENTRY_SIZE || n == TCL_PROLOGUE_MAX);
	free(comm);
	free(text);
	free(code);
}

/* A line of the kernel's log */
static void fuzz_record(const uint8_t *data, size_t size)
{
	char *text = copy_of(data, size);
	struct line line;

	line_parse(text, LOG_INFO, &line);
	check_line(text, &line);
	line_parse(text, LOG_WARNING, &line);
	check_line(text, &line);
	free(text);
}

/* An entry of /dev/kmsg */
static void fuzz_kmsg(const uint8_t *data, size_t size)
{
	char *entry = copy_of(data, size);
	unsigned long long sequence;
	struct message message;

	if (message_from_kmsg(entry, size, &message, &sequence))
		check_line(message.text, &message.line);
	free(entry);
}

/* A journal entry: NAME=VALUE, separated by NULs */
struct entry {
	const char *data;
	size_t size;
};

static const char *get_field(void *context, const char *name, size_t *length)
{
	const struct entry *entry = context;
	const char *end = entry->data + entry->size, *next;

	for (const char *at = entry->data; at < end; at = next + 1) {
		size_t size = strlen(name);

		next = memchr(at, '\0', end - at);
		if (!next)
			next = end;
		if ((size_t)(next - at) > size && !memcmp(at, name, size) && at[size] == '=') {
			*length = next - at - size - 1;
			return at + size + 1;
		}
	}
	return NULL;
}

static int field_is(struct entry *entry, const char *name, const char *value)
{
	size_t length;
	const char *data = get_field(entry, name, &length);

	return data && length == strlen(value) && !memcmp(data, value, length);
}

static void fuzz_journal(const uint8_t *data, size_t size)
{
	char *copy = copy_of(data, size);
	struct entry entry = { copy, size };
	const struct journal_entry journal = { get_field, &entry };
	struct message message;

	message_from_journal(&journal, &message);
	if (message.line.kind != LINE_FOREIGN)
		assert(field_is(&entry, "_TRANSPORT", "kernel"));
	if (message.lost)
		assert(field_is(&entry, "_TRANSPORT", "driver"));
	check_line(message.text, &message.line);
	journal_stamp(&journal);
	free(copy);
}

/* A histogram */
static void take_connections(const struct record *record, unsigned long long count)
{
	char to[DESTINATION_LEN];

	(void)count;
	assert(strlen(record->comm) < COMM_LEN);
	assert(strlen(record_destination(record, to)) < DESTINATION_LEN);
}

static void take_port(const unsigned char addr[16], unsigned int port)
{
	(void)addr;
	assert(port <= 65535);
}

static void fuzz_histogram(const uint8_t *data, size_t size)
{
	struct histogram histogram = { .connections = take_connections, .port = take_port };
	char *text = copy_of(data, size);

	histogram_parse(text, &histogram);
	free(text);
}

/* A line of the recorder's files: a connection that is read is the same after it was written. */
static void fuzz_stored(const uint8_t *data, size_t size)
{
	char *text = copy_of(data, size), line[JSON_LEN], again[JSON_LEN];
	struct stored stored, reread;
	size_t length;

	stored_parse(text, size, &stored);
	if (stored.kind == STORED_RECORD) {
		stored.traced.known &= ~JSON_BIT(JSON_USER);
		length = json_traced(&stored.traced, JSON_ALL, line);
		stored_parse(line, length, &reread);
		assert(reread.kind == STORED_RECORD && reread.nsec == stored.nsec);
		reread.traced.known &= ~JSON_BIT(JSON_USER);
		assert(json_traced(&reread.traced, JSON_ALL, again) == length);
		assert(!memcmp(line, again, length));
	} else if (stored.kind == STORED_LOSS) {
		length = json_loss(&stored.loss, line);
		assert(length < JSON_LEN);
	}
	free(text);
}

/* A message of systemd-resolved's monitor */
static void take_name(int family, const unsigned char *addr, unsigned int scope, const char *name)
{
	struct record record = { .family = family, .scope = scope };
	char to[DESTINATION_LEN];

	assert(family == AF_INET || family == AF_INET6);
	memcpy(record.addr, addr, family == AF_INET ? 4 : 16);
	assert(strlen(record_destination(&record, to)) < DESTINATION_LEN);
	assert(*name && strlen(name) < NAME_LEN && *name != '-');
	for (; *name; name++)
		assert((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') ||
		       *name == '-' || *name == '_' || *name == '.');
}

static void fuzz_monitor(const uint8_t *data, size_t size)
{
	char *text = malloc(size + !size);

	memcpy(text, data, size);
	names_parse_monitor(text, size, take_name);
	free(text);
}

/*
 * Any text: the output is UTF-8 without control characters, and takes as many columns as
 * text_safe() returns.
 */
static void fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + !size), *safe = malloc(TEXT_ROOM(size));

	memcpy(text, data, size);
	for (enum text_form form = TEXT_PLAIN; form <= TEXT_JSON; form++) {
		unsigned int code;
		size_t length;
		int columns = text_safe(text, size, form, safe);

		for (const char *p = safe; *p; p += length) {
			length = text_character(p, strlen(p), &code);
			assert(length && code >= ' ' && (code < 0x7f || code > 0xa0));
			assert(code < 0x2000 || code > 0x200f);
			assert(code < 0x2028 || code > 0x202f);
			assert(code < 0x2060 || code > 0x206f);
			assert(code != 0x61c && code != 0xfeff);
		}
		if (form == TEXT_JSON)
			continue;
		assert(text_width(safe) == columns);
		text_cut(safe, 7);
		assert(text_width(safe) <= 7);
	}
	free(text);
	free(safe);
}

static const struct {
	const char *name;
	void (*fuzz)(const uint8_t *data, size_t size);
} targets[] = {
	{ "name", fuzz_name },
	{ "record", fuzz_record },
	{ "kmsg", fuzz_kmsg },
	{ "journal", fuzz_journal },
	{ "histogram", fuzz_histogram },
	{ "stored", fuzz_stored },
	{ "text", fuzz_text },
	{ "monitor", fuzz_monitor },
};

static void (*target)(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = strrchr((*argv)[0], '-');

	(void)argc;
	for (size_t i = 0; name && i < sizeof(targets) / sizeof(*targets); i++)
		if (!strcmp(name + 1, targets[i].name))
			target = targets[i].fuzz;
	if (!target) {
		fprintf(stderr, "call it fuzz-TARGET, with one of targets[] in fuzz.c\n");
		exit(1);
	}
	text_init(UTF8_LOCALE);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	target(data, size);
	return 0;
}
