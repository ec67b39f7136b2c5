// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * unit - unit tests: the module's pure functions, with bytes that no available kernel has, and the
 * functions of the command that parse and print records
 *
 * The program reports its results like a test in a guest, see tests/rig/rig.sh.
 */
#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "../../cmd/filter.h"
#include "../../cmd/histogram.h"
#include "../../cmd/history.h"
#include "../../cmd/json.h"
#include "../../cmd/message.h"
#include "../../cmd/record.h"
#include "../../cmd/text.h"
#include "../../cmd/when.h"
#include "../../src/prologue.h"

/* Include these files, because the tests use their static functions and variables. */
#include "../../cmd/rows.c"
#define getpwuid_r fake_getpwuid_r
static int fake_getpwuid_r(uid_t uid, struct passwd *user, char *buffer, size_t size,
			   struct passwd **found);
#include "../../cmd/users.c"

static void report(bool ok, const char *name)
{
	if (ok)
		printf("ok - %s\n", name);
	else
		printf("not ok - %s: see tests/host/unit.c\n", name);
}

#define ENDBR64 "\xf3\x0f\x1e\xfa"
#define SEALED "\x66\x0f\x1f\x00"
#define SEALED_6_18 "\x0f\x1f\x40\xd6"

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
		{ "a sealed ENDBR64 and nop", SEALED "\x0f\x1f\x44\x00\x00", 9 },
		{ "a sealed ENDBR64 and call", SEALED "\xe8zzzz", 9 },
		{ "an ENDBR64 sealed by 6.18 and nop", SEALED_6_18 "\x0f\x1f\x44\x00\x00", 9 },
		{ "an ENDBR64 sealed by 6.18 and call", SEALED_6_18 "\xe8zzzz", 9 },
		{ "a sealed ENDBR64 alone", SEALED "\x55\x48\x89\xe5\x53", 0 },
		{ "ENDBR64 and a sealed one", ENDBR64 SEALED "\xe8", 0 },
		{ "a similar 4-byte nop", "\x0f\x1f\x40\x00\x0f\x1f\x44\x00\x00", 0 },
		{ "single-byte nops", "\x90\x90\x90\x90\x90zzzz", 0 },
		{ "a breakpoint", "\xcc\x1f\x44\x00\x00zzzz", 0 },
		{ "another 5-byte nop", "\x3e\x8d\x74\x26\x00zzzz", 0 },
		{ "a function that cannot be traced", "\x55\x48\x89\xe5\x41\x57\x41\x56\x53", 0 },
		{ "zeros", "\0\0\0\0\0\0\0\0\0", 0 },
	};
	char name[80];

	for (size_t i = 0; i < sizeof(prologues) / sizeof(prologues[0]); i++) {
		/* Exactly as long as may be read, so that ASan reports reads beyond it */
		u8 *code = malloc(TCL_PROLOGUE_MAX);

		memcpy(code, prologues[i].code, TCL_PROLOGUE_MAX);
		snprintf(name, sizeof(name), "prologue: %s is %zu bytes", prologues[i].name,
			 prologues[i].size);
		report(tcl_prologue_size(code) == prologues[i].size, name);
		free(code);
	}
}

/* Every byte, at every position in a name, can be read back unchanged. */
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
		{ "4194304 uid=0 comm=a\\x20\\x3d\\xff -> [::]:65535", "a =\xff", "[::]:65535", 4194304, 0 },
		{ "1 uid=0 comm=x -> [fe80::1%4294967295]:443", "x", "[fe80::1%4294967295]:443", 1, 0 },
		{ "1 uid=0 comm=123456789012345 -> [::102:304]:1", "123456789012345", "[::102:304]:1", 1, 0 },
		{ "1 uid=0 comm=x -> [fe80::5efe:1.2.3.4%2]:1", "x", "[fe80::5efe:1.2.3.4%2]:1", 1, 0 },
		{ "1 uid=0 comm=x -> [1:2:3:4:0:5efe:1.2.3.4]:1", "x", "[1:2:3:4:0:5efe:1.2.3.4]:1", 1, 0 },
		{ "1 uid=0 comm=x -> [2001:db8:0:1::]:1", "x", "[2001:db8:0:1::]:1", 1, 0 },
		{ "1 uid=0 comm=x -> [1::2:0:0:3]:1", "x", "[1::2:0:0:3]:1", 1, 0 },
	};
	static const char * const bad[] = {
		"", "x uid=0 comm=x -> 1.2.3.4:1", "-1 uid=0 comm=x -> 1.2.3.4:1", "4194305 uid=0 comm=x -> 1.2.3.4:1",
		"0 uid=0 comm=x -> 1.2.3.4:1", "01 uid=0 comm=x -> 1.2.3.4:1", "1 uid=00 comm=x -> 1.2.3.4:1",
		"18446744073709551617 uid=0 comm=x -> 1.2.3.4:1",
		"1  uid=0 comm=x -> 1.2.3.4:1", "1 uid=4294967296 comm=x -> 1.2.3.4:1", "1 uid=0 comm=x",
		"1 uid=0 comm=1234567890123456 -> 1.2.3.4:1", "1 uid=0 comm=\\ -> 1.2.3.4:1",
		"1 uid=0 comm=\\x4 -> 1.2.3.4:1", "1 uid=0 comm=\\x4G -> 1.2.3.4:1", "1 uid=0 comm=x y -> 1.2.3.4:1",
		"1 uid=0 comm=\\x41 -> 1.2.3.4:1", "1 uid=0 comm=\\xFF -> 1.2.3.4:1", "1 uid=0 comm=\\x00 -> 1.2.3.4:1",
		"1 uid=0 comm=a=b -> 1.2.3.4:1", "1 uid=0 comm=\xc3\xa9 -> 1.2.3.4:1", "1 uid=0 comm=a\tb -> 1.2.3.4:1",
		"1 uid=0 comm=x -> 1.2.3.4", "1 uid=0 comm=x -> 1.2.3.4:", "1 uid=0 comm=x -> 1.2.3.4:65536",
		"1 uid=0 comm=x -> 1.2.3.4:080", "1 uid=0 comm=x -> 1.2.3.04:1", "1 uid=0 comm=x -> 1.2.3.256:1",
		"1 uid=0 comm=x -> 1.2.3.4:1 ", "1 uid=0 comm=x -> 1.2.3.4:1\nx", "1 uid=0 comm=x -> 1.2.3:1",
		"1 uid=0 comm=x -> [1.2.3.4]:1", "1 uid=0 comm=x -> [::ffff:1.2.3.4]:1", "1 uid=0 comm=x -> [::1.2.3.4]:1",
		"1 uid=0 comm=x -> [::1:1", "1 uid=0 comm=x -> [::1%]:1", "1 uid=0 comm=x -> [::1%1]:1",
		"1 uid=0 comm=x -> [fe80::1%0]:1", "1 uid=0 comm=x -> [fe80::1%01]:1",
		"1 uid=0 comm=x -> [fe80::1%4294967296]:1", "1 uid=0 comm=x -> [::1]1", "1 uid=0 comm=x -> ::1:1",
		"1 uid=0 comm=x -> [2001:DB8::1]:1", "1 uid=0 comm=x -> [2001:db8:0:0:0:0:0:1]:1",
		"1 uid=0 comm=x -> [2001:0db8::1]:1", "1 uid=0 comm=x -> [1::2:3:4:5:6:7]:1",
		"1 uid=0 comm=x -> [0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
	};
	char text[128], name[160], to[DESTINATION_LEN];
	struct line line;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct record *record = &line.record;

		snprintf(text, sizeof(text), "tcp_connect_logger: pid=%s", good[i].line);
		snprintf(name, sizeof(name), "record: pid=%s", good[i].line);
		line_parse(text, LOG_INFO, &line);
		report(line.kind == LINE_RECORD && record->pid == good[i].pid &&
		       record->uid == good[i].uid && !strcmp(record->comm, good[i].comm) &&
		       !strcmp(record_destination(record, to), good[i].destination), name);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "tcp_connect_logger: pid=%s", bad[i]);
		snprintf(name, sizeof(name), "no record, number %zu", i);
		line_parse(text, LOG_INFO, &line);
		report(line.kind == LINE_FOREIGN, name);
	}
}

static enum line_kind kind_of(const char *text, int level)
{
	struct line line;

	line_parse(text, level, &line);
	return line.kind;
}

static void test_kinds(void)
{
	struct line line;

	line_parse(PREFIX "12 connections not logged (rate_limit=5)", LOG_WARNING, &line);
	report(line.kind == LINE_REPORT && line.report.count == 12 &&
	       !strcmp(line.report.reason, "rate_limit=5"), "report: rate_limit");
	line_parse(PREFIX "1 connections not logged (slow console)", LOG_WARNING, &line);
	report(line.kind == LINE_REPORT && line.report.count == 1 &&
	       !strcmp(line.report.reason, "slow console"), "report: slow console");
	report(kind_of(PREFIX "1 connections not logged (slow console)", LOG_INFO) != LINE_REPORT,
	       "no report: of another level");
	report(kind_of(PREFIX "1 connections not logged (x)", LOG_WARNING) != LINE_REPORT,
	       "no report: for another reason");
	report(kind_of(PREFIX "pid=1 uid=0 comm=x -> 1.2.3.4:1", LOG_WARNING) == LINE_FOREIGN,
	       "no record: of another level");
	report(kind_of(PREFIX "loaded, logging disabled", LOG_INFO) == LINE_OTHER, "other: loaded");
	report(kind_of(PREFIX "a\x1b[31m", LOG_INFO) == LINE_FOREIGN, "other: only ASCII");
	report(kind_of("xtcp_connect_logger: pid=1 uid=0 comm=x -> 1.2.3.4:1", LOG_INFO) ==
	       LINE_FOREIGN, "no record: of another module");
}

/* ---- Text ---- */

static void test_text(void)
{
	static const struct {
		const char *name, *text, *safe;
		int columns;
		enum text_form form;
	} texts[] = {
		{ "ASCII", "a b", "a b", 3, TEXT_PLAIN },
		{ "a letter", "\xc3\xa9", "\xc3\xa9", 1, TEXT_PLAIN },
		{ "a wide character", "\xe4\xb8\xad", "\xe4\xb8\xad", 2, TEXT_PLAIN },
		{ "escape", "\x1b[31m", "\\x1b[31m", 8, TEXT_PLAIN },
		{ "newline", "a\nb", "a\\x0ab", 6, TEXT_PLAIN },
		{ "DEL", "\x7f", "\\x7f", 4, TEXT_PLAIN },
		{ "C1, one byte", "\x9b" "1m", "\\x9b1m", 6, TEXT_PLAIN },
		{ "C1 in UTF-8", "\xc2\x9b" "1m", "\\xc2\\x9b1m", 10, TEXT_PLAIN },
		{ "no-break space", "\xc2\xa0", "\\xc2\\xa0", 8, TEXT_PLAIN },
		{ "override", "\xe2\x80\xae", "\\xe2\\x80\\xae", 12, TEXT_PLAIN },
		{ "isolate", "\xe2\x81\xa6", "\\xe2\\x81\\xa6", 12, TEXT_PLAIN },
		{ "zero width", "a\xe2\x80\x8b", "a\\xe2\\x80\\x8b", 13, TEXT_PLAIN },
		{ "a combining accent", "e\xcc\x81", "e\\xcc\\x81", 9, TEXT_PLAIN },
		{ "right to left", "\xd7\x90", "\\xd7\\x90", 8, TEXT_PLAIN },
		{ "separator", "\xe2\x80\xa8", "\\xe2\\x80\\xa8", 12, TEXT_PLAIN },
		{ "above U+10FFFF", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", 16, TEXT_PLAIN },
		{ "surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80", 12, TEXT_PLAIN },
		{ "too long", "\xc0\xaf", "\\xc0\\xaf", 8, TEXT_PLAIN },
		{ "truncated", "\xe4\xb8", "\\xe4\\xb8", 8, TEXT_PLAIN },
		{ "spaces at the ends", " a  b  ", "\\x20a  b\\x20\\x20", 16, TEXT_PLAIN },
		{ "only spaces", "  ", "\\x20\\x20", 8, TEXT_PLAIN },
		{ "backslash", "\\x1b", "\\x5cx1b", 7, TEXT_PLAIN },
		{ "a line", " \\ \x1b ", " \\ \\x1b ", 8, TEXT_LINE },
		{ "JSON", "\"\\n\xc3\xa9\x7f\xe2\x80\xae\xf3\xa0\x80\x81\"",
		  "\"\\n\xc3\xa9\\u007f\\u202e\\udb40\\udc01\"", 0, TEXT_JSON },
	};
	char name[64], safe[TEXT_ROOM(64)];

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		int columns = text_safe(texts[i].text, strlen(texts[i].text), texts[i].form, safe);

		snprintf(name, sizeof(name), "text: %s", texts[i].name);
		report(!strcmp(safe, texts[i].safe), name);
		if (texts[i].form != TEXT_JSON)
			report(columns == texts[i].columns, "text: its columns");
	}

	strcpy(safe, "abcdef");
	text_cut(safe, 6);
	report(!strcmp(safe, "abcdef"), "cut: it fits");
	text_cut(safe, 4);
	report(!strcmp(safe, "abc+"), "cut: ASCII");
	strcpy(safe, "\xe4\xb8\xad\xe4\xb8\xad");
	text_cut(safe, 2);
	report(!strcmp(safe, "+"), "cut: before a wide character");
	strcpy(safe, "\xe4\xb8\xad\xe4\xb8\xad");
	text_cut(safe, 3);
	report(!strcmp(safe, "\xe4\xb8\xad+"), "cut: after a wide character");
}

/* ---- Entries of /dev/kmsg and of the journal ---- */

static bool kmsg(const char *entry, enum line_kind kind)
{
	char *copy = strdup(entry);	/* on the heap, so that ASan reports reads beyond it */
	struct message message;
	unsigned long long sequence;
	bool found = message_from_kmsg(copy, strlen(copy), &message, &sequence) &&
		     message.line.kind == kind;

	free(copy);
	return found;
}

#define RECORD PREFIX "pid=1 uid=0 comm=sshd -> 6.6.6.6:22"

static void test_kmsg(void)
{
	report(kmsg("6,1,2,-;" RECORD "\n", LINE_RECORD), "kmsg: a record");
	report(kmsg("6,1,2,-,caller=T1;" RECORD "\n SUBSYSTEM=x\n", LINE_RECORD), "kmsg: with more fields");
	report(kmsg("6,1,2,-;" PREFIX "pid=1 uid=0 comm=\\x5cx20 -> 6.6.6.6:22\n", LINE_RECORD),
	       "kmsg: an escaped name");
	report(kmsg("14,1,2,-;" RECORD "\n", LINE_FOREIGN), "kmsg: of a process");
	report(kmsg("4,1,2,-;" RECORD "\n", LINE_FOREIGN), "kmsg: of another level");
	report(kmsg("6,1,2,-;overlay: x\\x0a" RECORD "\n", LINE_FOREIGN), "kmsg: after a newline");
	report(kmsg("6,1,2,-;" RECORD "\\x0ax\n", LINE_FOREIGN), "kmsg: before a newline");
	report(kmsg("6,1,2,-;" RECORD "\\x00\n", LINE_FOREIGN), "kmsg: before a NUL");
	report(kmsg("6,1,2,-;x\n " RECORD "\n", LINE_FOREIGN), "kmsg: in a field");
	report(kmsg("6,1,2,-;nospace\n", LINE_FOREIGN), "kmsg: no space");
	report(!kmsg("6,1,2", LINE_FOREIGN) && !kmsg("6,1", LINE_FOREIGN) && !kmsg("", LINE_FOREIGN) &&
	       !kmsg(";6,1,2,-", LINE_FOREIGN), "kmsg: no entry");
}

/* Find a field in a journal entry, which is a list of strings NAME=VALUE */
static const char *get_field(void *context, const char *name, size_t *length)
{
	for (const char **field = context; *field; field++) {
		size_t size = strlen(name);

		if (!strncmp(*field, name, size) && (*field)[size] == '=') {
			*length = strlen(*field) - size - 1;
			return *field + size + 1;
		}
	}
	return NULL;
}

static struct message journal(const char *transport, const char *facility, const char *level,
			      const char *id, const char *text)
{
	const char *fields[] = { transport, facility, level, id, text, NULL };
	struct message message;

	message_from_journal(&(struct journal_entry){ get_field, fields }, &message);
	return message;
}

#define MISSED "MESSAGE_ID=" JOURNAL_MISSED

static void test_journal(void)
{
	static const char record[] = "MESSAGE=" RECORD, missed[] = "MESSAGE=Missed 7 kernel messages";
	static const char zero[] = "SYSLOG_FACILITY=0", info[] = "PRIORITY=6";

	report(journal("_TRANSPORT=kernel", zero, info, "X=", record).line.kind == LINE_RECORD,
	       "journal: a record");
	report(journal("_TRANSPORT=journal", zero, info, MISSED, record).line.kind == LINE_FOREIGN,
	       "journal: of a process");
	report(journal("_TRANSPORT=driver", zero, info, MISSED, record).line.kind == LINE_FOREIGN,
	       "journal: a record from journald");
	report(journal("TRANSPORT=kernel", zero, info, MISSED, record).line.kind == LINE_FOREIGN,
	       "journal: a record from a process");
	report(journal("_TRANSPORT=kernel", "SYSLOG_FACILITY=1", info, "X=", record).line.kind ==
	       LINE_FOREIGN, "journal: of a process that writes to /dev/kmsg");
	report(journal("_TRANSPORT=kernel", zero, "PRIORITY=4", "X=", record).line.kind == LINE_FOREIGN,
	       "journal: of another level");
	report(journal("_TRANSPORT=kernel", zero, info, "X=", "MESSAGE=x\n" RECORD).line.kind ==
	       LINE_FOREIGN, "journal: after a newline");
	report(journal("_TRANSPORT=kernel", zero, info, "X=", "MESSAGE=" RECORD "\n").line.kind ==
	       LINE_FOREIGN, "journal: before a newline");
	report(journal("_TRANSPORT=driver", "X=", info, MISSED, missed).lost == 7, "journal: missed");
	report(journal("_TRANSPORT=journal", "X=", info, MISSED, missed).lost == 0 &&
	       journal("_TRANSPORT=kernel", zero, info, MISSED, missed).lost == 0 &&
	       journal("_TRANSPORT=driver", zero, info, "X=", missed).lost == 0,
	       "journal: missed, but not by journald");
}

/* ---- Rows ---- */

static int ports;

static void count_port(const unsigned char addr[16], unsigned int port)
{
	ports += addr[15] == 1 && port == 443;
}

#define PADDED(name) name "                                              "

static void test_histogram(void)
{
	static const char text[] =
		"# event histogram\n#\n"
		"# trigger info: hist:keys=comm,daddr,dport:vals=hitcount:sort=hitcount:size=16384 if family == 2 [active]\n#\n\n"
		"{ comm: " PADDED("cost") ", daddr: 2130706433, dport:          9 } hitcount:          4\n"
		"{ comm: " PADDED("cost ") ", daddr: 2130706433, dport:          9 } hitcount:          2\n"
		"{ comm: " PADDED("\n{ comm: x") ", daddr: 1, dport:  9 } hitcount:   1\n"
		"\nTotals:\n    Hits: 6\n    Entries: 2\n    Dropped: 5\n"
		"# trigger info: hist:keys=comm,daddr6_hi,daddr6_lo:vals=hitcount [active]\n"
		"{ comm: " PADDED("x") ", daddr6_hi: 2306139568115548160, daddr6_lo:          1 } hitcount:          3\n"
		"    Dropped: 10\n"
		"# trigger info: hist:keys=daddr6_hi,daddr6_lo,dport:vals=hitcount [active]\n"
		"{ daddr6_hi: 2306139568115548160, daddr6_lo:          1, dport:        443 } hitcount:          3\n"
		"    Dropped: 10\n";
	struct histogram histogram = { .connections = rows_add, .port = count_port };

	report(histogram_parse(text, &histogram), "histogram: is read");
	report(histogram.dropped == 15, "histogram: what is dropped counts once");
	report(histogram.ports_dropped, "histogram: dropped ports");
	report(rows.total == 10 && rows.number == 3, "histogram: rows");
	report(ports == 1, "histogram: ports");
	rows_sort(ORDER_COUNT);
	report(rows.rows[0]->count == 6 && !strcmp(rows.rows[0]->record.comm, "cost"),
	       "histogram: names that differ in spaces at the end share a row");
	rows_reset();
	report(histogram_parse(text, &histogram) && rows.total == 10 && rows.rows[0]->count == 6,
	       "histogram: is read again");
	report(!histogram_parse("{ comm: x", &histogram) && !histogram_parse("{ x: 1", &histogram),
	       "histogram: of an unknown format");
	rows_free();
}

static void test_order(void)
{
	struct record record = { .port = 1 };

	rows_add(&record, 9);
	record.port = 2;
	rows_add(&record, 5);
	rows_shown();
	rows_add(&record, 2);
	record.port = 3;
	rows_add(&record, 2);
	record.port = 0;
	rows_add(&record, 2);
	rows_sort(ORDER_COUNT);
	report(rows.rows[0]->record.port == 1 && rows.rows[1]->record.port == 2 &&
	       rows.rows[2]->record.port == 0 && rows.rows[3]->record.port == 3, "order: by count");
	rows_sort(ORDER_NEW);
	report(rows.rows[0]->record.port == 2 && rows.rows[1]->record.port == 0 &&
	       rows.rows[2]->record.port == 3 && rows.rows[3]->record.port == 1,
	       "order: by new, and then by count");
	report(row_new(rows.rows[0]) == 2 && row_new(rows.rows[3]) == 0, "order: what is new");
	rows_free();
}

/* Returns true if @text makes @number rows in this group, and the first has @count connections. */
static bool groups_as(enum row_group group, const char *text, size_t number,
		      unsigned long long count)
{
	struct histogram histogram = { .connections = rows_add, .port = count_port };
	bool ok;

	rows_free();
	rows.group = group;
	ok = histogram_parse(text, &histogram) && rows.number == number;
	rows_sort(ORDER_COUNT);
	return ok && (!number || rows.rows[0]->count == count);
}

static void test_groups(void)
{
	static const char users[] =
		"# trigger info: hist:keys=uid:vals=hitcount [active]\n"
		"{ uid:          0 } hitcount:          2\n{ uid: 4294967295 } hitcount:          3\n";
	static const char named_users[] =
		"# trigger info: hist:keys=comm,uid:vals=hitcount [active]\n"
		"{ comm: " PADDED("curl") ", uid:         33 } hitcount:          2\n"
		"{ comm: " PADDED(" } hitcount: 9") ", uid:         33 } hitcount:          3\n";
	static const char nets[] =
		"# trigger info: hist:keys=daddr:vals=hitcount [active]\n"
		"{ daddr: 3325256705 } hitcount:          1\n{ daddr: 3325256704 } hitcount:          2\n"
		"{ daddr: 3325256960 } hitcount:          4\n"
		"# trigger info: hist:keys=daddr6_hi:vals=hitcount [active]\n"
		"{ daddr6_hi: 2306139568115548160 } hitcount:          5\n    Dropped: 7\n";
	static const char port[] =
		"# trigger info: hist:keys=dport:vals=hitcount [active]\n"
		"{ dport:      65535 } hitcount:          2\n{ dport:          0 } hitcount:          1\n";
	static const unsigned char net[16] = { 198, 51, 100 }, net6[16] = { 0x20, 1, 0xd, 0xb8 };
	struct record record = { .pid = 7, .uid = 33, .comm = "curl", .family = AF_INET6, .scope = 2,
				 .port = 443, .addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };

	report(groups_as(GROUP_USER, users, 2, 3) && rows.rows[0]->record.uid == 4294967295,
	       "group: users");
	report(groups_as(GROUP_USER, named_users, 1, 5) && rows.rows[0]->record.uid == 33 &&
	       !*rows.rows[0]->record.comm, "group: users, with names");
	report(groups_as(GROUP_NET, nets, 3, 5) &&
	       rows.rows[0]->record.family == AF_INET6 && !memcmp(rows.rows[0]->record.addr, net6, 16) &&
	       rows.rows[1]->count == 4 && rows.rows[2]->count == 3 &&
	       rows.rows[2]->record.family == AF_INET && !memcmp(rows.rows[2]->record.addr, net, 16),
	       "group: networks");
	record.addr[8] = 9;
	rows_add(&record, 1);
	report(rows.number == 3 && rows.rows[0]->count == 6,
	       "group: an address with its scope is in its network");
	report(groups_as(GROUP_PORT, port, 2, 2) && rows.rows[0]->record.port == 65535, "group: ports");
	record.port = 65535;
	rows_add(&record, 1);
	record.family = AF_INET;
	rows_add(&record, 1);
	report(rows.number == 2 && rows.rows[0]->count == 4, "group: both families share a port");
	rows_free();
	rows_add(&record, 1);
	record.pid++;
	record.uid++;
	rows_add(&record, 1);
	report(rows.number == 1, "group: processes and users of one name share a destination");
	record.scope++;
	rows_add(&record, 1);
	record.port++;
	rows_add(&record, 1);
	record.comm[0] = 'C';
	rows_add(&record, 1);
	report(rows.number == 4, "group: destinations differ in scope, port and name");
	rows_free();
}

static void test_rows(void)
{
	struct record record;
	size_t most = 0;
	bool busy = false;

	memset(&record, 0, sizeof(record));
	most_rows = 100;
	record.port = 1;
	rows_add(&record, 2);
	for (int i = 0; i < 1000; i++) {
		record.port = 1000 + i;
		rows_add(&record, 1);
		if (rows.number > most)
			most = rows.number;
	}
	report(most == 100, "rows: bounded");
	report(rows.total == 1002, "rows: all connections are counted");
	report(rows.expired + rows.number + 1 == rows.total, "rows: what has expired is counted");
	for (size_t i = 0; i < rows.number; i++)
		busy |= rows.rows[i]->record.port == 1;
	report(busy, "rows: the busy one stays");
	rows_free();
}

/* ---- Names of users ---- */

static volatile int lookups;
static pthread_mutex_t server = PTHREAD_MUTEX_INITIALIZER;	/* answers when it is unlocked */

static int fake_getpwuid_r(uid_t uid, struct passwd *user, char *buffer, size_t size,
			   struct passwd **found)
{
	lookups++;
	pthread_mutex_lock(&server);
	pthread_mutex_unlock(&server);
	*found = NULL;
	if (uid == 1 && lookups == 1)
		return EIO;
	snprintf(buffer, size, "user%u", uid);
	user->pw_name = buffer;
	*found = user;
	return 0;
}

static void test_users(void)
{
	const unsigned long long hour = 3600000000;
	char name[USER_LEN];

	alarm(600);	/* ends the program if a lookup blocks */
	patience = hour;
	keep_missing = 1000;
	report(!user_name(1, name), "user: cannot be looked up");
	usleep(2000);
	report(user_name(1, name) && !strcmp(name, "user1"), "user: is looked up again");
	report(user_name(1, name) && lookups == 2, "user: is kept");
	report(user_name(1025, name) && !strcmp(name, "user1025"), "user: takes another's place");

	pthread_mutex_lock(&server);
	patience = 50000;
	report(!user_name(2, name), "user: a slow lookup does not block");
	patience = hour;
	report(!user_name(3, name) && !user_name(4, name),
	       "user: only the first slow lookup takes time");
	pthread_mutex_unlock(&server);
	while (!user_name(2, name))
		usleep(1000);
	report(!strcmp(name, "user2"), "user: there is an answer later");
	report(user_name(5, name) && !strcmp(name, "user5"), "user: the next lookup is waited for");
	alarm(0);
}

static void test_filters(void)
{
	static const struct {
		const char *name, *kernel;
		bool more;	/* the kernel lets more through */
		struct {
			int kind;
			const char *text;
		} filters[4];
	} cases[] = {
		{ "none", NULL, false, { } },
		{ "pid", "(pid == 8421)", false, { { BY_PID, "8421" } } },
		{ "two ports", "(dport == 80 || dport == 443)", false,
		  { { BY_PORT, "80" }, { BY_PORT, "443" } } },
		{ "two ports not", "(dport != 80 && dport != 443)", false,
		  { { BUT_NOT + BY_PORT, "80" }, { BUT_NOT + BY_PORT, "443" } } },
		{ "a user, not a port", "(uid == 33) && (dport != 53)", false,
		  { { BUT_NOT + BY_PORT, "53" }, { BY_USER, "33" } } },
		{ "a network", "((family == 2 && daddr >= 0xa000000 && daddr <= 0xaffffff))", false,
		  { { BY_NET, "10.0.0.0/8" } } },
		{ "not a network", "((family != 2 || daddr < 0x7f000000 || daddr > 0x7fffffff))", false,
		  { { BUT_NOT + BY_NET, "127.0.0.0/8" } } },
		{ "a network with host bits", "((family == 2 && daddr >= 0xa000000 && daddr <= 0xa0000ff))", false,
		  { { BY_NET, "10.0.0.77/24" } } },
		{ "all of IPv4", "((family == 2 && daddr >= 0 && daddr <= 0xffffffff))", false,
		  { { BY_NET, "0.0.0.0/0" } } },
		{ "a short IPv6 network",
		  "((family == 10 && daddr6_hi >= 0x20010db800000000 && daddr6_hi <= 0x20010db8ffffffff))", false,
		  { { BY_NET, "2001:db8::/32" } } },
		{ "half an IPv6 address",
		  "((family == 10 && daddr6_hi >= 0x20010db800000000 && daddr6_hi <= 0x20010db800000000))", false,
		  { { BY_NET, "2001:db8::/64" } } },
		{ "not an IPv6 address",
		  "((family != 10 || daddr6_hi < 0 || daddr6_hi > 0 || daddr6_lo < 0x1 || daddr6_lo > 0x1))", false,
		  { { BUT_NOT + BY_NET, "::1" } } },
		{ "all of IPv6",
		  "((family == 10 && daddr6_hi >= 0 && daddr6_hi <= 0xffffffffffffffff))", false,
		  { { BY_NET, "::/0" } } },
		{ "names", "(comm ~ \"curl\" || comm ~ \"ssh*\") && (!(comm ~ \"**sshd\"))", false,
		  { { BY_COMM, "curl" }, { BY_COMM, "ssh*" }, { BUT_NOT + BY_COMM, "*sshd" } } },
		{ "a part of a name", "(comm ~ \"**sh*\")", false, { { BY_COMM, "*sh*" } } },
		{ "a name of digits", "(comm ~ \"7z\")", false, { { BY_COMM, "7z" } } },
		{ "a name that begins with a digit: the kernel lets all through", NULL, true,
		  { { BY_COMM, "7*" } } },
		{ "any character in a name: the kernel lets it through", NULL, true,
		  { { BUT_NOT + BY_COMM, "?sshd" } } },
		{ "a name in brackets: the kernel lets all through", NULL, true,
		  { { BY_COMM, "curl" }, { BY_COMM, "[[:digit:]]" } } },
		{ "not a name with a quote: the kernel lets it through", "(!(comm ~ \"curl\"))", true,
		  { { BUT_NOT + BY_COMM, "curl" }, { BUT_NOT + BY_COMM, "a\"b" } } },
		{ "a name that begins with !", NULL, true, { { BY_COMM, "!x" } } },
	};
	struct record record = { .pid = 8421, .uid = 33, .comm = "curl", .family = AF_INET,
				 .addr = { 10, 0, 0, 1 }, .port = 53 };
	const unsigned long long cgroup = 7;
	char name[80];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text;
		bool same;

		for (int n = 0; n < 4 && cases[i].filters[n].text; n++)
			filter_add(cases[i].filters[n].kind, cases[i].filters[n].text);
		text = filters_for_kernel();
		same = text && cases[i].kernel ? !strcmp(text, cases[i].kernel) :
						 !text && !cases[i].kernel;
		snprintf(name, sizeof(name), "filter: %s", cases[i].name);
		report(same && filters_are_exact() == !cases[i].more, name);
		free(text);
		filters_free();
	}

	filter_add(BY_COMM, "c*");
	filter_add(BY_COMM, "nobody");
	report(filters_match(&record, NULL), "filter: any value of a field");
	filter_add(BUT_NOT + BY_PORT, "54");
	report(filters_match(&record, NULL), "filter: not another port");
	filter_add(BUT_NOT + BY_NET, "10.0.0.0/8");
	report(!filters_match(&record, NULL), "filter: not this network");
	report(filters_match_comm(&record), "filter: only the name");
	filter_add(BUT_NOT + BY_COMM, "[c]*");
	report(!filters_match_comm(&record), "filter: not this name");
	filters_free();
	filter_add(BY_CGROUP, "/");
	report(!filters_match(&record, NULL), "filter: an unknown cgroup");
	report(!filters_match(&record, &cgroup), "filter: another cgroup");
	filters_free();
}

static void test_json(void)
{
	static const struct {
		const char *name, *json;
		struct traced traced;
	} cases[] = {
		{ "IPv4",
		  "{\"time\":\"2026-11-30T22:30:00.000000042Z\",\"pid\":8421,\"uid\":4294967295,"
		  "\"comm\":\"curl\",\"family\":\"AF_INET\",\"daddr\":\"93.184.216.34\",\"dport\":80,"
		  "\"ret\":0,\"netns\":4026531840,\"cgroup\":3581,\"cookie\":12}\n",
		  { .nsec = 1796077800000000042ULL, .known = JSON_ALL & ~(1U << JSON_USER),
		    .netns = 4026531840U, .cgroup = 3581, .cookie = 12,
		    .record = { .pid = 8421, .uid = 4294967295U, .comm = "curl", .family = AF_INET,
				.addr = { 93, 184, 216, 34 }, .port = 80 } } },
		{ "IPv6, a name that is no text",
		  "{\"time\":\"2026-11-30T22:30:01.999999999Z\",\"pid\":1,\"uid\":0,"
		  "\"comm\":\"\\\"\\\\\\u000a\xc3\xa9\xef\xbf\xbd\\u202e\",\"family\":\"AF_INET6\","
		  "\"daddr\":\"fe80::1%2\",\"dport\":65535,"
		  "\"ret\":-2147483648,\"netns\":0,\"cgroup\":18446744073709551615,\"cookie\":0}\n",
		  { .nsec = 1796077801999999999ULL, .known = JSON_ALL & ~(1U << JSON_USER), .cgroup = ~0ULL, .result = -2147483647 - 1,
		    .record = { .pid = 1, .comm = "\"\\\n\xc3\xa9\xff\xe2\x80\xae", .family = AF_INET6,
				.addr = { 0xfe, 0x80, [15] = 1 }, .scope = 2, .port = 65535 } } },
	};
	struct traced longest = { .nsec = ~0ULL, .known = JSON_ALL, .result = -2147483647 - 1, .netns = ~0U,
				  .cgroup = ~0ULL, .cookie = ~0ULL,
				  .record = { .pid = 4194304, .uid = ~0U, .family = AF_INET6,
					      .scope = ~0U, .port = 65535 } };
	const struct busiest busiest = { .record = { .pid = 7, .comm = "flood" }, .count = 12 };
	const struct loss loss = { .nsec = 1796077800000000042ULL, .count = 9,
				   .reason = "the buffer was full", .busiest = &busiest };
	char line[JSON_LEN], again[JSON_LEN], name[80];
	const char *part = "{\"time\":\"2026-11-30T22:30:00Z\",\"pid\":0,\"dport\":80}";
	struct stored stored;
	size_t length;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		length = json_traced(&cases[i].traced, (1U << NR_JSON_FIELDS) - 1, line);
		snprintf(name, sizeof(name), "JSON: %s", cases[i].name);
		report(length == strlen(cases[i].json) && !memcmp(line, cases[i].json, length), name);
	}
	length = json_traced(&cases[0].traced, JSON_ALL, line);
	stored_parse(line, length, &stored);
	stored.traced.known &= ~(1U << JSON_USER);
	report(stored.kind == STORED_RECORD &&
	       json_traced(&stored.traced, JSON_ALL, again) == length && !memcmp(line, again, length),
	       "JSON: a record is read back");
	length = json_loss(&loss, line);
	stored_parse(line, length, &stored);
	report(stored.kind == STORED_LOSS && json_loss(&stored.loss, again) == length &&
	       !memcmp(line, again, length), "JSON: a loss is read back");
	length = json_gap(1796077800000000042ULL, 1796077800000000001ULL, line);
	stored_parse(line, length, &stored);
	report(stored.kind == STORED_GAP && stored.nsec == 1796077800000000042ULL &&
	       stored.since == 1796077800000000001ULL, "JSON: a gap is read back");
	stored_parse(line, length - 8, &stored);
	report(stored.kind == STORED_DAMAGED, "JSON: a torn line");
	stored_parse(part, strlen(part), &stored);
	report(stored.kind == STORED_RECORD &&
	       stored.traced.known == (1U << JSON_TIME | 1U << JSON_DPORT),
	       "JSON: members that are missing or impossible are not known");
	length = json_traced(&cases[0].traced, 1U << JSON_PID | 1U << JSON_DPORT, line);
	report(length == 24 && !memcmp(line, "{\"pid\":8421,\"dport\":80}\n", 24), "JSON: two fields");
	memset(longest.record.comm, 0xff, COMM_LEN);
	memset(longest.record.addr, 0xff, 16);
	length = json_traced(&longest, (1U << NR_JSON_FIELDS) - 1, line);
	report(length + COMM_LEN * 3 < JSON_LEN, "JSON: the longest line fits in any locale");
}

static void test_when(void)
{
	static const struct {
		const char *text;
		long long seconds;	/* since the epoch, or -1 */
	} cases[] = {
		{ "2026-11-30T22:30:00Z", 1796077800 },
		{ "2026-11-30T22:30:00.5Z", 1796077800 },
		{ "2026-11-30 23:30", 1796077800 },
		{ "2026-11-30 23:30:01", 1796077801 },
		{ "2026-11-30", 1795993200 },
		{ "10:00", 1796115600 },
		{ "today", 1796079600 },
		{ "yesterday", 1795993200 },
		{ "now", 1796120000 },
		{ "-2h", 1796112800 },
		{ "90 minutes ago", 1796114600 },
		{ "+1d", 1796206400 },
		{ "@1796077800", 1796077800 },
		{ "", -1 }, { "2h", -1 }, { "-2", -1 }, { "2026-02-30", -1 }, { "24:61", -1 },
		{ "2026-11-30T22:30:00", -1 }, { "2026-11-30T22:30:00.Z", -1 }, { "@-1", -1 },
		{ "tomorrow or so", -1 }, { "2026-11-30 23:30 ", -1 },
	};
	unsigned long long nsec;
	char name[80];

	setenv("TZ", "XXX-1", 1);	/* an hour before UTC */
	tzset();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool valid = when_parse_user(cases[i].text, 1796120000 * 1000000000ULL, &nsec);

		snprintf(name, sizeof(name), "time: \"%s\"", cases[i].text);
		report(cases[i].seconds < 0 ? !valid :
		       valid && nsec / 1000000000 == (unsigned long long)cases[i].seconds, name);
	}
	report(when_parse("2026-11-30T22:30:00.000000042Z", &nsec) &&
	       nsec == 1796077800000000042ULL, "time: nanoseconds");
}

int main(void)
{
	text_init(UTF8_LOCALE);
	test_prologue();
	test_escape();
	test_parse();
	test_kinds();
	test_text();
	test_kmsg();
	test_journal();
	test_histogram();
	test_groups();
	test_order();
	test_rows();
	test_users();
	test_filters();
	test_json();
	test_when();
	fflush(stdout);
	return 0;
}
