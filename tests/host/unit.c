// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * unit - unit tests: the module's pure functions, with bytes that no available kernel has, and the
 * functions of the command that parse and print records
 *
 * The program reports its results like a test in a guest, see tests/rig/rig.sh.
 */
#include <err.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "../../cmd/filter.h"
#include "../../cmd/groups.h"
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
#define getnameinfo fake_getnameinfo
static int fake_getnameinfo(const struct sockaddr *address, socklen_t size, char *host,
			    socklen_t host_size, char *service, socklen_t service_size, int flags);
#include "../../cmd/names.c"
#include "../../cmd/begun.c"

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

/* ---- Names of destinations ---- */

#define KEY(type, name) "{\"class\":1,\"type\":" #type ",\"name\":\"" name "\"}"
#define ASKED(name) "\"question\":[" KEY(1, name) "," KEY(28, name) "]"
#define RR(type, name, address) "{\"rr\":{\"key\":" KEY(type, name) ",\"address\":[" address "]}," \
	"\"raw\":\"AA==\",\"ifindex\":2}"
#define ALIAS(name, to) "{\"rr\":{\"key\":" KEY(5, name) ",\"name\":\"" to "\"},\"raw\":\"AA==\"}"
#define IPV6 "32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,1"
#define RESULT(members) "{\"parameters\":{\"state\":\"success\"," members "},\"continues\":true}"
#define ANSWER(name, address) RESULT(ASKED(name) ",\"answer\":[" RR(1, name, address) "]")

static char taken[1000];

static void take_name(int family, const unsigned char *addr, unsigned int scope, const char *name)
{
	struct record record = { .family = family, .scope = scope, .port = 1 };
	char to[DESTINATION_LEN];

	memcpy(record.addr, addr, family == AF_INET ? 4 : 16);
	strcat(strcat(strcat(taken, name), " "), record_destination(&record, to));
	strcat(taken, ";");
}

static void test_monitor(void)
{
	static const struct {
		const char *name, *message, *taken;
		bool ends;
	} messages[] = {
		{ "ready", "{\"parameters\":{\"ready\":true},\"continues\":true}", "", false },
		{ "IPv4", ANSWER("Example.COM", "192,0,2,1"), "example.com 192.0.2.1:1;", false },
		{ "IPv4 and IPv6", RESULT(ASKED("a.b") ",\"answer\":[" RR(28, "a.b", IPV6) ","
					  RR(1, "a.b", "192,0,2,255") "]"),
		  "a.b [2001:db8::1]:1;a.b 192.0.2.255:1;", false },
		{ "a link-local address",
		  RESULT(ASKED("x.local") ",\"answer\":["
			 RR(28, "x.local", "254,128,0,0,0,0,0,0,0,0,0,0,0,0,0,9") "]"),
		  "x.local [fe80::9%2]:1;", false },
		{ "an alias", RESULT(ASKED("www.a") ",\"answer\":[" ALIAS("www.a", "cdn.b") ","
				     RR(1, "cdn.b", "192,0,2,2") "]"), "www.a 192.0.2.2:1;", false },
		{ "an alias that was asked for separately",
		  RESULT(ASKED("cdn.c") ",\"collectedQuestions\":[" KEY(1, "www.a") "," KEY(1, "cdn.b")
			 "],\"answer\":[" RR(1, "cdn.c", "192,0,2,3") "]"), "www.a 192.0.2.3:1;", false },
		{ "a UTF-8 name", RESULT("\"question\":[" KEY(1, "xn--bcher-kva.a") ","
					 KEY(1, "bÃ¼" "cher.a") "],\"answer\":["
					 RR(1, "xn--bcher-kva.a", "192,0,2,4") "]"),
		  "xn--bcher-kva.a 192.0.2.4:1;", false },
		{ "no answer", RESULT(ASKED("a.b")), "", false },
		{ "a failure", "{\"parameters\":{\"state\":\"rcode-failure\",\"rcode\":3,"
			       ASKED("a.b") "},\"continues\":true}", "", false },
		{ "a failure with an address",
		  "{\"parameters\":{\"state\":\"dnssec-failed\"," ASKED("a.b") ",\"answer\":["
		  RR(1, "a.b", "192,0,2,1") "]},\"continues\":true}", "", false },
		{ "a name of an address", RESULT("\"question\":[" KEY(12, "1.2.0.192.in-addr.arpa")
						 "],\"answer\":[" ALIAS("1.2.0.192.in-addr.arpa", "x.y") "]"),
		  "", false },
		{ "another type", RESULT("\"question\":[" KEY(15, "a.b") "],\"answer\":["
					 RR(1, "mail.a.b", "192,0,2,1") "]"), "", false },
		{ "bad addresses",
		  RESULT(ASKED("a.b") ",\"answer\":[" RR(1, "a.b", "192,0,2") "," RR(1, "a.b", IPV6) ","
			 RR(28, "a.b", "192,0,2,1") "," RR(1, "a.b", "192,0,2,256") ","
			 RR(1, "a.b", "192,0,2,-1") "," RR(1, "a.b", "192,0,2,1.0") ","
			 RR(1, "a.b", "192,0,2,\"1\"") "," RR(1, "a.b", "") ",7,null,{},{\"rr\":[]}]"),
		  "", false },
		{ "other types of JSON",
		  "{\"parameters\":{\"state\":1,\"question\":{},\"answer\":{}},\"continues\":true}", "",
		  false },
		{ "an empty question", RESULT("\"question\":[],\"collectedQuestions\":[],\"answer\":["
					      RR(1, "a.b", "192,0,2,1") "]"), "", false },
		{ "a question of another type", RESULT("\"question\":[7],\"answer\":["
						       RR(1, "a.b", "192,0,2,1") "]"), "", false },
		{ "the last one", "{\"parameters\":{}}", "", true },
		{ "a refusal", "{\"error\":\"io.systemd.InteractiveAuthenticationRequired\","
			       "\"parameters\":{}}", "", true },
		{ "an array", "[]", "", true },
		{ "a torn one", "{\"parameters\":{\"ready\":true},\"contin", "", true },
		{ "an empty one", "", "", true },
	};
	static const struct {
		const char *from, *to;	/* NULL if the name is ignored */
	} names[] = {
		{ "localhost", "localhost" }, { "a-b_c.D9.", "a-b_c.d9" }, { "r1---sn-x.9a", "r1---sn-x.9a" },
		{ "_gateway", "_gateway" }, { "1.2.3.4.arpa", "1.2.3.4.arpa" },
		{ "", NULL }, { ".", NULL }, { "..", NULL }, { ".a", NULL }, { "a..b", NULL }, { "a..", NULL },
		{ "-a", NULL }, { "a b", NULL }, { "a\\032b", NULL }, { "a\x1b[1m", NULL }, { "a/b", NULL },
		{ "a%eth0", NULL }, { "bÃ¼" "cher.a", NULL }, { "192.0.2.1", NULL }, { "7", NULL },
		{ "2001:db8::1", NULL }, { "a:1", NULL }, { "a\n", NULL },
	};
	char name[NAME_LEN], text[100], longest[2 * NAME_LEN];

	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		size_t length = strlen(messages[i].message);
		char *copy = malloc(length + !length);	/* so that ASan reports reads beyond it */

		memcpy(copy, messages[i].message, length);
		*taken = '\0';
		snprintf(text, sizeof(text), "monitor: %s", messages[i].name);
		report(names_parse_monitor(copy, length, take_name) != messages[i].ends &&
		       !strcmp(taken, messages[i].taken), text);
		free(copy);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		bool valid = copy_name(names[i].from, name);

		snprintf(text, sizeof(text), "name of a host, number %zu", i);
		report(names[i].to ? valid && !strcmp(name, names[i].to) : !valid, text);
	}
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 64 == 63 ? '.' : 'a';
	longest[NAME_LEN] = '\0';
	report(!copy_name(longest, name), "name of a host: too long");
	longest[NAME_LEN - 1] = '\0';
	report(copy_name(longest, name) && strlen(name) == NAME_LEN - 1, "name of a host: the longest");
	longest[63] = 'a';
	report(!copy_name(longest, name), "name of a host: a label is too long");
}

static pthread_mutex_t dns = PTHREAD_MUTEX_INITIALIZER;	/* answers when it is unlocked */
static volatile int reverse_lookups;

/* The last byte of the address selects the answer. */
static int fake_getnameinfo(const struct sockaddr *address, socklen_t size, char *host,
			    socklen_t host_size, char *service, socklen_t service_size, int flags)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	sigset_t blocked;
	int last;

	(void)service;
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	pthread_mutex_lock(&dns);
	reverse_lookups++;
	pthread_mutex_unlock(&dns);
	last = address->sa_family == AF_INET ? ntohl(v4->sin_addr.s_addr) & 0xff :
					       v6->sin6_addr.s6_addr[15];
	if (flags != NI_NAMEREQD || service_size || !sigismember(&blocked, SIGTERM) ||
	    size != (address->sa_family == AF_INET ? sizeof(*v4) : sizeof(*v6)))
		return EAI_FAMILY;
	if (last == 2)
		return EAI_NONAME;
	if (last == 3)
		return EAI_AGAIN;
	if (last == 4)
		snprintf(host, host_size, "192.0.2.1");
	else if (address->sa_family == AF_INET)
		snprintf(host, host_size, "Host%d.example.", last);
	else
		snprintf(host, host_size, "v6-%u.example", v6->sin6_scope_id);
	return 0;
}

static struct record connection_to(int last)
{
	return (struct record){ .family = AF_INET, .addr = { 192, 0, 2, last } };
}

/* Returns true if the address soon has this name from this source. */
static bool gets_name(const struct record *record, enum name_source source, const char *expected)
{
	char name[NAME_LEN];

	for (int i = 0; i < 10000; i++) {
		if (names_find(record, name) == source && (!source || !strcmp(name, expected)))
			return true;
		usleep(1000);
	}
	return false;
}

static void wait_for_lookups(int number)
{
	while (reverse_lookups < number)
		usleep(1000);
	usleep(20000);	/* for the thread to store the last answer */
}

static void test_reverse(void)
{
	struct record one = connection_to(1), two = connection_to(2), three = connection_to(3);
	struct record four = connection_to(4), many = { .family = AF_INET6, .addr = { 0xfe, 0x80 },
							 .scope = 5 };
	char name[NAME_LEN];
	bool none = true;

	alarm(600);	/* ends the program if a lookup blocks */
	monitor_path = "/none";
	report(names_find(&one, name) == NAME_NONE, "reverse: closed");
	names_close();
	pause_failed = 0;

	names_open(false);
	report(names_find(&one, name) == NAME_NONE && !queue_length, "reverse: not wanted");
	names_close();

	names_open(true);
	names_find(&two, name);
	names_find(&three, name);
	names_find(&four, name);
	report(gets_name(&one, NAME_REVERSE, "host1.example"), "reverse: a name");
	report(gets_name(&many, NAME_REVERSE, "v6-5.example"), "reverse: IPv6 with a scope");
	report(names_find(&two, name) == NAME_NONE && names_find(&three, name) == NAME_NONE &&
	       names_find(&four, name) == NAME_NONE, "reverse: none, a failure, and a bad name");
	report(reverse_lookups == 5, "reverse: all answers are kept");
	names_close();

	keep_reversed = 0;
	keep_nameless = 0;
	names_open(true);
	names_find(&one, name);
	wait_for_lookups(6);
	pthread_mutex_lock(&dns);
	report(names_find(&one, name) == NAME_REVERSE, "reverse: an old name is used");
	pthread_mutex_unlock(&dns);
	wait_for_lookups(7);
	keep_reversed = 3600000000;
	keep_nameless = 300000000;

	/* All lookups wait: the first in the thread, others in the queue. */
	pthread_mutex_lock(&dns);
	reverse_lookups = 0;
	for (int i = 0; i < 2 * MOST_LOOKUPS; i++) {
		many.scope = 1000 + i;
		none &= names_find(&many, name) == NAME_NONE;
		none &= names_find(&many, name) == NAME_NONE;
	}
	report(none && queue_length == MOST_LOOKUPS, "reverse: slow lookups do not block");
	pthread_mutex_unlock(&dns);
	report(gets_name(&many, NAME_REVERSE, "v6-1511.example"),
	       "reverse: what found no place in the queue is asked again");
	report(reverse_lookups < 2 * MOST_LOOKUPS, "reverse: the queue is bounded");

	pthread_mutex_lock(&dns);
	many.scope = 1;
	names_find(&many, name);
	usleep(20000);	/* for the thread to begin the lookup */
	names_close();
	report(names_find(&many, name) == NAME_NONE, "reverse: a stuck lookup does not delay the end");
	names_open(true);
	pthread_mutex_unlock(&dns);
	report(gets_name(&many, NAME_REVERSE, "v6-1.example"), "reverse: another thread does the lookups");
	names_close();
	alarm(0);
}

/* Accept the command as a client, and compare what it sends. Returns -1 if that is wrong. */
static int accept_client(int listener)
{
	static const char call[] = "{\"method\":\"io.systemd.Resolve.Monitor.SubscribeQueryResults\","
				   "\"parameters\":{},\"more\":true}";
	int client = accept(listener, NULL, NULL);
	char text[200];

	if (recv(client, text, sizeof(text), 0) == sizeof(call) && !memcmp(text, call, sizeof(call)))
		return client;
	close(client);
	return -1;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1))
		report(false, "query: a server for the test");
	return listener;
}

static void say(int client, const char *text, size_t size)
{
	while (size) {
		ssize_t length = send(client, text, size, MSG_NOSIGNAL);

		if (length < 0)
			break;
		text += length;
		size -= length;
	}
}

static void test_queried(void)
{
	static const char first[] = ANSWER("one.example", "192,0,2,1"), home[] = ANSWER("home", "127,0,0,2");
	static const char five[] = ANSWER("five.example", "192,0,2,5"), six[] = ANSWER("six", "192,0,2,6");
	static const char refusal[] = "{\"error\":\"x\",\"parameters\":{}}";
	struct record one = connection_to(1), record = connection_to(5), loopback = one;
	char path[] = "/tmp/unit-XXXXXX", name[NAME_LEN], *padding = malloc(2 * MOST_JSON), *socket;
	int listener, client;

	alarm(600);
	if (!mkdtemp(path))
		exit(1);
	socket = format_text("%s/monitor", path);
	monitor_path = socket;
	pause_gone = 10000;
	pause_refused = 20000000;
	listener = listen_at(monitor_path);
	names_open(true);
	client = accept_client(listener);
	report(client >= 0, "query: the command subscribes");
	report(gets_name(&one, NAME_REVERSE, "host1.example"), "query: none yet");
	say(client, first, sizeof(first));
	report(gets_name(&one, NAME_QUERY, "one.example"), "query: wins over a reverse lookup");

	loopback.addr[0] = 127;
	loopback.addr[3] = 2;
	say(client, home, sizeof(home));
	say(client, five, 20);
	usleep(20000);
	say(client, five + 20, sizeof(five) - 20);
	report(gets_name(&record, NAME_QUERY, "five.example"), "query: a message in two parts");
	loopback.addr[1] = loopback.addr[2] = 0;
	report(names_find(&loopback, name) != NAME_QUERY, "query: not for this host");

	memset(padding, ' ', 2 * MOST_JSON);
	say(client, padding, 2 * MOST_JSON);
	say(client, five, sizeof(five));
	say(client, six, sizeof(six));
	record = connection_to(6);
	report(gets_name(&record, NAME_QUERY, "six"), "query: a message that is too long is skipped");

	close(client);
	close(listener);
	usleep(20000);
	report(names_find(&one, name) == NAME_QUERY, "query: names stay when the server ends");
	listener = listen_at(monitor_path);
	usleep(20000);
	names_find(&one, name);
	client = accept_client(listener);
	report(client >= 0, "query: the command subscribes again");
	say(client, refusal, sizeof(refusal));
	report(recv(client, name, 1, 0) == 0, "query: a refusal ends the connection");
	close(client);
	usleep(20000);
	names_find(&one, name);
	usleep(20000);
	report(!poll(&(struct pollfd){ .fd = listener, .events = POLLIN }, 1, 0),
	       "query: then the command does not ask again soon");
	names_close();
	close(listener);
	monitor_path = "/none";
	unlink(socket);
	rmdir(path);
	free(socket);
	free(padding);
	alarm(0);
}

static void test_caches(void)
{
	const struct record one = connection_to(1);
	unsigned char addr[16] = { 0x20, 1, 0xd, 0xb8 };
	struct record last = { .family = AF_INET6 };
	size_t number = 0;
	char name[NAME_LEN];

	monitor_path = "/none";
	names_open(true);
	report(gets_name(&one, NAME_REVERSE, "host1.example"), "cache: a reverse lookup");
	for (unsigned int i = 0; i < 100000; i++) {
		memcpy(addr + 8, &i, sizeof(i));
		remember_queried(AF_INET6, addr, 0, "x.example");
	}
	for (size_t i = 0; i < NR_SETS * NR_WAYS; i++)
		number += queried[i].used != 0;
	report(number > 16000, "cache: all of it is used");
	memcpy(last.addr, addr, sizeof(addr));
	report(names_find(&last, name) == NAME_QUERY, "cache: the newest stays");
	report(names_find(&one, name) == NAME_REVERSE, "cache: other sources have their own");
	keep_queried = 0;
	remember_queried(AF_INET6, addr, 0, "x.example");
	report(names_find(&last, name) != NAME_QUERY, "cache: a query is not kept for ever");
	names_close();
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
		{ "an executable", "(exe ~ \"/usr/bin/curl\") && (!(exe ~ \"**/sshd\"))", false,
		  { { BY_EXE, "/usr/bin/curl" }, { BUT_NOT + BY_EXE, "*/sshd" } } },
		{ "a unit: the kernel lets more through", "(cgroup_path ~ \"**/ssh.service*\")", true,
		  { { BY_UNIT, "ssh" } } },
		{ "not a unit: the kernel lets it through", NULL, true, { { BUT_NOT + BY_UNIT, "a.scope" } } },
	};
	const struct group group = { .unit = "ssh.service" };
	struct traced traced = { .record = { .pid = 8421, .uid = 33, .comm = "curl", .family = AF_INET,
					     .addr = { 10, 0, 0, 1 }, .port = 53 },
				 .cgroup = 7, .exe = "/usr/bin/curl", .group = &group };
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
	report(filters_match(&traced), "filter: any value of a field");
	filter_add(BUT_NOT + BY_PORT, "54");
	report(filters_match(&traced), "filter: not another port");
	filter_add(BUT_NOT + BY_NET, "10.0.0.0/8");
	report(!filters_match(&traced), "filter: not this network");
	report(filters_match_comm(&traced.record), "filter: only the name");
	filter_add(BUT_NOT + BY_COMM, "[c]*");
	report(!filters_match_comm(&traced.record), "filter: not this name");
	filters_free();
	filter_add(BY_CGROUP, "/");
	report(!filters_match(&traced), "filter: an unknown cgroup");
	traced.known = JSON_BIT(JSON_CGROUP);
	report(!filters_match(&traced), "filter: another cgroup");
	filters_free();
	filter_add(BY_UNIT, "ss[hi]*");
	filter_add(BY_EXE, "*/curl");
	report(filters_match(&traced) && filters_need_origin(), "filter: a unit and an executable");
	filter_add(BUT_NOT + BY_EXE, "/usr/*");
	report(!filters_match(&traced), "filter: not this executable");
	filters_free();
	filter_add(BUT_NOT + BY_EXE, "/usr/*");
	filter_add(BUT_NOT + BY_UNIT, "a");
	traced.exe = NULL;
	traced.group = NULL;
	report(filters_match(&traced), "filter: an unknown executable is not this one");
	filters_free();
	filter_add(BY_UNIT, "*");
	report(!filters_match(&traced) && !filters_are_exact(), "filter: an unknown unit is not any unit");
	filters_free();
	report(!filters_need_origin(), "filter: none needs the origin");
}

static void test_json(void)
{
	static const struct group group = {
		.unit = "a.service", .container = "c1", .container_name = "web", .pod = "p",
	};
	static const struct parent parents[] = {
		{ .pid = 3, .uid = 33, .comm = "b\\", .start = 5 }, { .pid = 1, .comm = "systemd", .start = 1 },
	};
	static struct parent many[MOST_PARENTS];
	static char worst[2048], id[ID_LEN];
	static const struct group worst_group = { id, id, id, id };
	static const struct {
		const char *name, *json;
		struct traced traced;
	} cases[] = {
		{ "IPv4",
		  "{\"time\":\"2026-11-30T22:30:00.000000042Z\",\"pid\":8421,\"uid\":4294967295,"
		  "\"comm\":\"curl\",\"family\":\"AF_INET\",\"daddr\":\"93.184.216.34\",\"dport\":80,"
		  "\"ret\":0,\"netns\":4026531840,\"cgroup\":3581,\"cookie\":12}\n",
		  { .nsec = 1796077800000000042ULL, .known = JSON_LEAN & ~JSON_BIT(JSON_USER),
		    .netns = 4026531840U, .cgroup = 3581, .cookie = 12,
		    .record = { .pid = 8421, .uid = 4294967295U, .comm = "curl", .family = AF_INET,
				.addr = { 93, 184, 216, 34 }, .port = 80 } } },
		{ "IPv6, a name that is no text",
		  "{\"time\":\"2026-11-30T22:30:01.999999999Z\",\"pid\":1,\"uid\":0,"
		  "\"comm\":\"\\\"\\\\\\u000a\xc3\xa9\xef\xbf\xbd\\u202e\",\"family\":\"AF_INET6\","
		  "\"daddr\":\"fe80::1%2\",\"dport\":65535,"
		  "\"ret\":-2147483648,\"netns\":0,\"cgroup\":18446744073709551615,\"cookie\":0}\n",
		  { .nsec = 1796077801999999999ULL, .known = JSON_LEAN & ~JSON_BIT(JSON_USER), .cgroup = ~0ULL, .result = -2147483647 - 1,
		    .record = { .pid = 1, .comm = "\"\\\n\xc3\xa9\xff\xe2\x80\xae", .family = AF_INET6,
				.addr = { 0xfe, 0x80, [15] = 1 }, .scope = 2, .port = 65535 } } },
		{ "who made it",
		  "{\"time\":\"2026-11-30T22:30:00.000000042Z\",\"pid\":7,\"tid\":8,\"uid\":0,\"comm\":\"sh\","
		  "\"start\":123456789,\"exe\":\"/bin/d\xc3\xa4sh \\\"(deleted)\",\"cmdline\":\"sh -c x\",\"ppid\":3,"
		  "\"parents\":[{\"pid\":3,\"uid\":33,\"comm\":\"b\\\\\",\"start\":5},"
		  "{\"pid\":1,\"uid\":0,\"comm\":\"systemd\",\"start\":1}],"
		  "\"unit\":\"a.service\",\"container\":\"c1\",\"container_name\":\"web\",\"pod\":\"p\","
		  "\"cgroup_path\":\"/a.service\",\"family\":\"AF_INET\",\"daddr\":\"192.0.2.1\",\"dport\":80,"
		  "\"ret\":0,\"netns\":1,\"cgroup\":2,\"saddr\":\"192.0.2.9\",\"sport\":40000,\"cookie\":3,"
		  "\"domain\":\"www.example\",\"domain_source\":\"query\"}\n",
		  { .nsec = 1796077800000000042ULL, .known = JSON_ALL & ~(JSON_OF_RESULT | JSON_BIT(JSON_USER)),
		    .netns = 1, .cgroup = 2, .cookie = 3, .sport = 40000, .source = { 192, 0, 2, 9 }, .tid = 8,
		    .ppid = 3, .start = 123456789, .exe = "/bin/d\xc3\xa4sh \"(deleted)", .cmdline = "sh -c x",
		    .cgroup_path = "/a.service", .group = &group, .parents = parents, .nr_parents = 2,
		    .domain = "www.example", .domain_source = "query",
		    .record = { .pid = 7, .comm = "sh", .family = AF_INET, .addr = { 192, 0, 2, 1 }, .port = 80 } } },
		{ "what is not known",
		  "{\"time\":\"2026-11-30T22:30:00.000000042Z\",\"pid\":7,\"tid\":7,\"uid\":0,\"comm\":\"\","
		  "\"start\":0,\"ppid\":0,\"parents\":[],\"family\":\"AF_INET\",\"daddr\":\"192.0.2.1\","
		  "\"dport\":80,\"ret\":-101,\"netns\":0,\"cgroup\":0,\"cookie\":0}\n",
		  { .nsec = 1796077800000000042ULL, .known = JSON_ALL & ~(JSON_OF_RESULT | JSON_BIT(JSON_USER)),
		    .result = -101, .tid = 7,
		    .record = { .pid = 7, .family = AF_INET, .addr = { 192, 0, 2, 1 }, .port = 80 } } },
		{ "a result",
		  "{\"time\":\"2026-11-30T22:30:00.000000042Z\",\"event\":\"result\",\"pid\":7,\"uid\":0,"
		  "\"comm\":\"sh\",\"family\":\"AF_INET\",\"daddr\":\"192.0.2.1\",\"dport\":80,\"ret\":-111,"
		  "\"netns\":0,\"cgroup\":0,\"sport\":40000,\"cookie\":3,\"result\":\"refused\",\"latency\":99}\n",
		  { .nsec = 1796077800000000042ULL, .result = -111, .latency = 99, .sport = 40000, .cookie = 3,
		    .known = (JSON_LEAN & ~JSON_BIT(JSON_USER)) | JSON_OF_RESULT | JSON_BIT(JSON_SPORT),
		    .record = { .pid = 7, .comm = "sh", .family = AF_INET, .addr = { 192, 0, 2, 1 }, .port = 80 } } },
	};
	struct traced longest = { .nsec = ~0ULL, .known = JSON_ALL, .result = -2147483647 - 1, .netns = ~0U,
				  .cgroup = ~0ULL, .cookie = ~0ULL, .sport = 65535, .tid = 4194304,
				  .ppid = 4194304, .start = ~0ULL, .latency = ~0ULL, .exe = worst,
				  .cmdline = worst, .cgroup_path = worst + 1024, .group = &worst_group,
				  .parents = many, .nr_parents = MOST_PARENTS, .domain = id, .domain_source = "reverse",
				  .record = { .pid = 4194304, .uid = ~0U, .family = AF_INET6,
					      .scope = ~0U, .port = 65535 } };
	const struct busiest busiest = { .record = { .pid = 7, .comm = "flood" }, .count = 12 };
	const struct loss loss = { .nsec = 1796077800000000042ULL, .count = 9,
				   .reason = "the buffer was full", .busiest = &busiest };
	char line[JSON_LEN], again[JSON_LEN], name[80];
	struct traced again_traced;
	const char *part = "{\"time\":\"2026-11-30T22:30:00Z\",\"pid\":0,\"dport\":80}";
	struct stored stored;
	size_t length;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		length = json_traced(&cases[i].traced, JSON_ALL, line);
		snprintf(name, sizeof(name), "JSON: %s", cases[i].name);
		report(length == strlen(cases[i].json) && !memcmp(line, cases[i].json, length), name);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		length = json_traced(&cases[i].traced, JSON_ALL, line);
		stored_parse(line, length, &stored);
		stored.traced.known &= ~JSON_BIT(JSON_USER);
		snprintf(name, sizeof(name), "JSON: read back: %s", cases[i].name);
		if (i == 1)
			continue;	/* its cgroup has a number that JSON parsers refuse */
		report(stored.kind == STORED_RECORD &&
		       json_traced(&stored.traced, JSON_ALL, again) == length &&
		       !memcmp(line, again, length), name);
	}
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
	       stored.traced.known == (JSON_BIT(JSON_TIME) | JSON_BIT(JSON_DPORT)),
	       "JSON: members that are missing or impossible are not known");
	length = json_traced(&cases[0].traced, JSON_BIT(JSON_PID) | JSON_BIT(JSON_DPORT), line);
	report(length == 24 && !memcmp(line, "{\"pid\":8421,\"dport\":80}\n", 24), "JSON: two fields");
	/* A control character takes six bytes. */
	memset(worst, 1, sizeof(worst) - 1);
	memset(id, 1, sizeof(id) - 1);
	for (int i = 0; i < MOST_PARENTS; i++) {
		many[i] = (struct parent){ .pid = 4194304, .uid = ~0U, .start = ~0ULL };
		memset(many[i].comm, 1, COMM_LEN - 1);
	}
	memset(longest.record.comm, 1, COMM_LEN - 1);
	memset(longest.record.addr, 0xff, 16);
	length = json_traced(&longest, JSON_ALL, line);
	report(length + USER_LEN * 6 < JSON_LEN, "JSON: the longest line fits");
	/* The text is kept, but not too long. */
	again_traced = cases[2].traced;
	again_traced.content = 1;
	json_traced(&again_traced, JSON_ALL, line);
	again_traced.cookie = 4;
	again_traced.nsec++;
	length = json_traced(&again_traced, JSON_ALL, line);
	report(length == strlen(cases[2].json) && !memcmp(line + 62, cases[2].json + 62, 300) &&
	       memmem(line, length, "\"cookie\":4", 10), "JSON: the same content again");
	again_traced.record.pid = 9;
	again_traced.content = 2;
	length = json_traced(&again_traced, JSON_ALL, line);
	report(memmem(line, length, "\"pid\":9,", 8) != NULL, "JSON: another content");
	length = json_traced(&again_traced, JSON_BIT(JSON_PID), line);
	report(length == 10 && !memcmp(line, "{\"pid\":9}\n", 10), "JSON: other fields of the same content");
	again_traced.content = 3;
	again_traced.process = 1;
	json_traced(&again_traced, JSON_ALL, line);
	again_traced.record.pid = 10;
	again_traced.record.port = 81;
	again_traced.content = 4;
	length = json_traced(&again_traced, JSON_ALL, line);
	report(memmem(line, length, "\"pid\":9,", 8) && memmem(line, length, "\"dport\":81,", 11),
	       "JSON: another destination of the same process");
	again_traced.content = 5;
	again_traced.process = 2;
	length = json_traced(&again_traced, JSON_ALL, line);
	report(memmem(line, length, "\"pid\":10,", 9) && memmem(line, length, "\"dport\":81,", 11),
	       "JSON: another process");
	again_traced.process = 0;
	again_traced.record.pid = 11;
	again_traced.content = 6;
	json_traced(&again_traced, JSON_ALL, line);
	again_traced.record.pid = 12;
	again_traced.content = 7;
	length = json_traced(&again_traced, JSON_ALL, line);
	report(memmem(line, length, "\"pid\":12,", 9), "JSON: processes that nobody compares");
}

/* Eight bytes are tested together. */
static void test_escapes(void)
{
	static const struct {
		const char *byte, *json;
	} cases[] = {
		{ "\"", "\\\"" }, { "\\", "\\\\" }, { "\1", "\\u0001" }, { "\x1f", "\\u001f" },
		{ "\x7f", "\\u007f" }, { "\xff", "\xef\xbf\xbd" }, { "\x80", "\xef\xbf\xbd" },
		{ " ", " " }, { "!", "!" }, { "#", "#" }, { "[", "[" }, { "]", "]" }, { "~", "~" },
	};
	static char line[JSON_LEN];
	char exe[64], expected[128];
	struct traced traced = { .exe = exe, .known = JSON_BIT(JSON_EXE) };
	bool right = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int before = 0; before < 20; before++) {
			size_t length;

			sprintf(exe, "%.*s%s%.*s", before, "abcdefghijklmnopqrst", cases[i].byte,
				20 - before, "ABCDEFGHIJKLMNOPQRST");
			sprintf(expected, "{\"exe\":\"%.*s%s%.*s\"}\n", before, "abcdefghijklmnopqrst",
				cases[i].json, 20 - before, "ABCDEFGHIJKLMNOPQRST");
			length = json_traced(&traced, JSON_BIT(JSON_EXE), line);
			right &= length == strlen(expected) && !memcmp(line, expected, length);
		}
	}
	report(right, "JSON: what must be escaped, at each place");
}

static void test_cgroups(void)
{
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	static const struct {
		const char *path, *unit, *container, *pod;
	} cases[] = {
		{ "/", NULL, NULL, NULL },
		{ "/system.slice/ssh.service", "ssh.service", NULL, NULL },
		{ "/user.slice/user-1.slice/user@1.service/app.slice/a.service", "user@1.service", NULL, NULL },
		{ "/system.slice/docker-" ID ".scope", "docker-" ID ".scope", ID, NULL },
		{ "/docker/" ID, NULL, ID, NULL },
		{ "/machine.slice/libpod-" ID ".scope/container", "libpod-" ID ".scope", ID, NULL },
		{ "/system.slice/a.service/" ID "/x", "a.service", ID, NULL },
		{ "/system.slice/docker-" ID "0.scope", "docker-" ID "0.scope", NULL, NULL },
		{ "/kubepods.slice/kubepods-besteffort.slice/"
		  "kubepods-besteffort-pod0a1b2c3d_0000_1111_2222_333344445555.slice/cri-containerd-" ID ".scope",
		  "cri-containerd-" ID ".scope", ID, "0a1b2c3d-0000-1111-2222-333344445555" },
		{ "/kubepods/burstable/pod0a1b2c3d-0000-1111-2222-333344445555/" ID, NULL, ID,
		  "0a1b2c3d-0000-1111-2222-333344445555" },
		{ "/system.slice/pod.service/tripod", "pod.service", NULL, NULL },
		{ "/lxc.payload.web/system.slice/ssh.service", NULL, "web", NULL },
		{ "/machine.slice/machine-deb.scope/payload", "machine-deb.scope", "deb", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *unit = unit_in_path(cases[i].path), container[ID_LEN] = "", pod[ID_LEN] = "", name[256];
		bool has_container = container_in_path(cases[i].path, container);
		bool has_pod = pod_in_path(cases[i].path, pod);

		snprintf(name, sizeof(name), "group: %s", cases[i].path);
		report(has_container == !!cases[i].container && has_pod == !!cases[i].pod &&
		       !strcmp(unit ?: "", cases[i].unit ?: "") &&
		       !strcmp(container, cases[i].container ?: "") && !strcmp(pod, cases[i].pod ?: ""), name);
		free(unit);
	}
}

static void test_begun(void)
{
	struct traced traced = { .record.pid = 7 }, found;
	struct begun *begun = begun_open(NULL);
	bool all = true;

	for (traced.cookie = 1; traced.cookie <= 40000; traced.cookie++) {
		traced.nsec = 10 * traced.cookie;
		begun_add(begun, &traced, "label");
		if (traced.cookie % 2)
			all &= begun_take(begun, traced.cookie, &found) && found.nsec == traced.nsec &&
			       !strcmp(found.label, "label") && found.record.pid == 7;
	}
	report(all && !begun_take(begun, 1, &found), "begun: each is found once");
	report(begun_take(begun, 40000, &found) && begun_take(begun, 20000, &found) &&
	       !begun_take(begun, 2, &found), "begun: the oldest are forgotten");
	report(begun_forgotten(begun) == 3616 && !begun_forgotten(begun), "begun: they are counted");
	begun_add(begun, &(struct traced){ .cookie = 40001, .nsec = 1 }, NULL);
	begun_add(begun, &(struct traced){ .cookie = 40001, .nsec = 2 }, NULL);
	report(begun_take(begun, 40001, &found) && found.nsec == 2 && !begun_take(begun, 40001, &found),
	       "begun: a socket connects again");
	begun_add(begun, &(struct traced){ .cookie = 40002 }, NULL);
	begun_forgotten(begun);
	begun_forget(begun);
	report(!begun_take(begun, 40002, &found) && begun_forgotten(begun) > 0 && !begun_forgotten(begun),
	       "begun: all are forgotten");
	begun_close(begun);
}

/* Run a program that remembers two connections, takes the result of one, and is killed. */
static void leave_begun(const char *path)
{
	pid_t child = fork();

	if (!child) {
		struct begun *begun = begun_open(path);
		struct traced traced = { .cookie = 5, .nsec = 50 };

		begun_add(begun, &traced, "label");
		traced.cookie += LISTS;		/* in the same list */
		begun_add(begun, &traced, "label");
		begun_take(begun, 5, &traced);
		raise(SIGKILL);
	}
	waitpid(child, NULL, 0);
}

static void test_begun_file(void)
{
	char path[] = "/tmp/unit-XXXXXX";
	int fd = mkstemp(path);
	struct begun *begun;
	struct traced found;

	if (fd < 0)
		err(1, "%s", path);
	leave_begun(path);
	begun = begun_open(path);
	report(!begun_take(begun, 5, &found), "begun: a result is not expected again");
	report(begun_take(begun, 5 + LISTS, &found) && found.nsec == 50 && !found.label,
	       "begun: the next program goes on");
	begun_add(begun, &(struct traced){ .cookie = 6 }, NULL);
	begun_close(begun);
	if (ftruncate(fd, sizeof(struct begun) / 2))
		err(1, "%s", path);
	begun = begun_open(path);
	begun_forget(begun);
	report(!begun_take(begun, 6, &found) && !begun_forgotten(begun), "begun: a file of another version");
	begun_close(begun);
	close(fd);
	unlink(path);
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
	test_monitor();
	test_reverse();
	test_queried();
	test_caches();
	test_filters();
	test_json();
	test_cgroups();
	test_escapes();
	test_begun();
	test_begun_file();
	test_when();
	fflush(stdout);
	return 0;
}
