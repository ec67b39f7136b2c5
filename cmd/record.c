// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Parse the lines that the module prints (src/log.c). Accept a line only if it is exactly what the
 * module would print; see LOG FORMAT in tcp_connect_logger(4).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "record.h"

/**
 * take_number() - parse a decimal number as printf() writes it, without leading zeros
 * @text: the text, or NULL
 * @most: the largest valid number
 * @value: where to store the number
 *
 * Return: the text after the number, or NULL if there is no valid number.
 */
const char *take_number(const char *text, unsigned long long most, unsigned long long *value)
{
	unsigned long long number = 0;
	const char *start = text;

	if (!text)
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *text - '0', &number) || number > most)
			return NULL;
	}
	if (text == start || (*start == '0' && text - start > 1))
		return NULL;
	*value = number;
	return text;
}

/**
 * take_word() - skip a word
 * @text: the text, or NULL
 * @word: the word
 *
 * Return: the text after the word, or NULL if @text does not begin with it.
 */
const char *take_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	return text && !strncmp(text, word, length) ? text + length : NULL;
}

/* ---- The name of a process ---- */

/* Returns true for the bytes that tcl_escape_comm() in src/comm.h does not escape. */
static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '\\' && c != '"' && c != '\'' && c != '=' && c != '>';
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reverse tcl_escape_comm(). Returns the text after the name, or NULL. */
static const char *take_comm(const char *text, char comm[COMM_LEN])
{
	size_t length = 0;

	for (; text && *text && *text != ' '; length++) {
		unsigned char byte = *text;

		if (length == COMM_LEN - 1)
			return NULL;
		if (is_plain(byte)) {
			text++;
		} else {
			if (text[0] != '\\' || text[1] != 'x' || hex(text[2]) < 0 ||
			    hex(text[3]) < 0)
				return NULL;
			byte = hex(text[2]) << 4 | hex(text[3]);
			if (!byte || is_plain(byte))
				return NULL;
			text += 4;
		}
		comm[length] = byte;
	}
	return text;
}

/* ---- The destination ---- */

/* Such an address contains an IPv4 address (RFC 5214); see ipv6_addr_is_isatap() in the kernel. */
static bool is_isatap(const unsigned char addr[16])
{
	return (addr[8] | 2) == 2 && addr[9] == 0 && addr[10] == 0x5e && addr[11] == 0xfe;
}

static bool is_v4mapped(const unsigned char addr[16])
{
	static const unsigned char prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, prefix, sizeof(prefix));
}

/**
 * address_is_linklocal() - find out whether an IPv6 address is of one link only
 * @addr: the address
 *
 * Return: true if it is.
 */
bool address_is_linklocal(const unsigned char addr[16])
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/*
 * Format an IPv6 address like the kernel's %pI6c (ip6_compressed_string() in lib/vsprintf.c).
 * inet_ntop() differs: it writes ::1.2.3.4 where the kernel writes ::102:304.
 */
static void format_v6(const unsigned char addr[16], char *to)
{
	unsigned int words[8];
	int range = is_isatap(addr) ? 6 : 8, best = -1, longest = 1;

	for (int i = 0; i < 8; i++)
		words[i] = addr[2 * i] << 8 | addr[2 * i + 1];
	for (int i = 0; i < range; i++) {
		int length = 0;

		while (i + length < range && !words[i + length])
			length++;
		if (length > longest) {
			longest = length;
			best = i;
		}
	}

	for (int i = 0; i < range; i++) {
		if (i == best) {
			to = stpcpy(to, "::");
			i += longest - 1;
			continue;
		}
		if (i && i != best + longest)
			*to++ = ':';
		to += sprintf(to, "%x", words[i]);
	}
	if (range == 6)
		sprintf(to, "%s%u.%u.%u.%u", best + longest == 6 ? "" : ":",
			addr[12], addr[13], addr[14], addr[15]);
	else
		*to = '\0';
}

/* Returns the text after the address and its scope, or NULL. */
static const char *take_v6(const char *text, struct record *record)
{
	char addr[INET6_ADDRSTRLEN], back[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "%]");
	unsigned long long scope = 0;

	if (length >= sizeof(addr))
		return NULL;
	memcpy(addr, text, length);
	addr[length] = '\0';
	if (inet_pton(AF_INET6, addr, record->addr) != 1 || is_v4mapped(record->addr))
		return NULL;
	format_v6(record->addr, back);
	if (strcmp(addr, back))
		return NULL;

	text += length;
	if (*text == '%') {
		text = take_number(text + 1, UINT_MAX, &scope);
		if (!scope || !address_is_linklocal(record->addr))
			return NULL;
	}
	record->family = AF_INET6;
	record->scope = scope;
	return text;
}

static const char *take_v4(const char *text, struct record *record)
{
	record->family = AF_INET;
	for (int i = 0; i < 4; i++) {
		unsigned long long byte;

		if (i)
			text = take_word(text, ".");
		text = take_number(text, 255, &byte);
		if (!text)
			return NULL;
		record->addr[i] = byte;
	}
	return text;
}

static const char *take_destination(const char *text, struct record *record)
{
	unsigned long long port = 0;

	if (text && *text == '[')
		text = take_word(take_v6(text + 1, record), "]");
	else
		text = take_v4(text, record);
	text = take_word(text, ":");
	text = take_number(text, USHRT_MAX, &port);
	record->port = port;
	return text;
}

/* ---- The line ---- */

/* Parse a record. @text is the line without the prefix. */
static bool parse_record(const char *text, struct record *record)
{
	unsigned long long pid = 0, uid = 0;

	memset(record, 0, sizeof(*record));
	text = take_word(text, "pid=");
	text = take_number(text, PID_MOST, &pid);
	text = take_word(text, " uid=");
	text = take_number(text, UINT_MAX, &uid);
	text = take_word(text, " comm=");
	text = take_comm(text, record->comm);
	text = take_word(text, " -> ");
	text = take_destination(text, record);
	record->pid = pid;
	record->uid = uid;
	return text && !*text && pid;
}

/* Parse "N connections not logged (rate_limit=N)"; see tcl_report_suppressed() in src/log.c. */
static bool parse_report(const char *text, struct report *report)
{
	const char *reason, *end;
	unsigned long long limit;

	text = take_number(text, ULLONG_MAX, &report->count);
	reason = take_word(text, " connections not logged (");
	end = take_word(reason, "slow console");
	if (!end)
		end = take_number(take_word(reason, "rate_limit="), UINT_MAX, &limit);
	if (!end || strcmp(end, ")") || !report->count)
		return false;
	*(char *)mempcpy(report->reason, reason, end - reason) = '\0';
	return true;
}

static bool is_ascii(const char *text)
{
	while (*text >= ' ' && *text < 0x7f)
		text++;
	return !*text;
}

/**
 * line_parse() - parse a line that the kernel has printed
 * @text: the line without level and time
 * @level: its level, see syslog(3)
 * @line: where to store the result
 */
void line_parse(const char *text, int level, struct line *line)
{
	line->kind = LINE_FOREIGN;
	text = take_word(text, PREFIX);
	if (!text)
		return;

	if (take_word(text, "pid=")) {
		if (level == LOG_INFO && parse_record(text, &line->record))
			line->kind = LINE_RECORD;
	} else if (level == LOG_WARNING && parse_report(text, &line->report)) {
		line->kind = LINE_REPORT;
	} else if (is_ascii(text)) {
		line->kind = LINE_OTHER;
	}
}

/* ---- Output ---- */

/** result_names - the names of the outcomes */
const char * const result_names[NR_RESULTS] = {
	[RESULT_ESTABLISHED] = "established",
	[RESULT_REFUSED] = "refused",
	[RESULT_TIMED_OUT] = "timed out",
	[RESULT_UNREACHABLE] = "unreachable",
	[RESULT_RESET] = "reset",
	[RESULT_CLOSED] = "closed",
	[RESULT_FAILED] = "failed",
};

/**
 * result_of() - find out what became of a connection
 * @result: 0, or a negative errno
 *
 * Return: what became of it.
 */
enum result result_of(int result)
{
	switch (result) {
	case 0:
		return RESULT_ESTABLISHED;
	case -ECONNREFUSED:
		return RESULT_REFUSED;
	case -ETIMEDOUT:
		return RESULT_TIMED_OUT;
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -ENETDOWN:
	case -EHOSTDOWN:
	case -ENONET:
		return RESULT_UNREACHABLE;
	case -ECONNRESET:
		return RESULT_RESET;
	case -ECANCELED:
		return RESULT_CLOSED;
	default:
		return RESULT_FAILED;
	}
}

/**
 * record_family() - get the name of the address family
 * @record: the record
 *
 * Return: the name.
 */
const char *record_family(const struct record *record)
{
	return record->family == AF_INET6 ? "AF_INET6" : "AF_INET";
}

/**
 * address_text() - format an address without its scope
 * @family: its family
 * @addr: the address in network byte order
 * @text: where to store it
 *
 * Return: @text
 */
const char *address_text(int family, const unsigned char *addr, char text[DESTINATION_LEN])
{
	if (family == AF_INET6)
		format_v6(addr, text);
	else
		sprintf(text, "%u.%u.%u.%u", addr[0], addr[1], addr[2], addr[3]);
	return text;
}

/**
 * record_address() - format the destination's address
 * @record: the record
 * @text: where to store the address: 192.0.2.1, 2001:db8::1, fe80::1%2
 *
 * Return: @text
 */
const char *record_address(const struct record *record, char text[DESTINATION_LEN])
{
	address_text(record->family, record->addr, text);
	if (record->scope)
		sprintf(text + strlen(text), "%%%u", record->scope);
	return text;
}

/**
 * record_destination() - format the destination as in the log
 * @record: the record
 * @text: where to store the destination: 192.0.2.1:80, [2001:db8::1]:80
 *
 * Return: @text
 */
const char *record_destination(const struct record *record, char text[DESTINATION_LEN])
{
	char addr[DESTINATION_LEN];

	sprintf(text, record->family == AF_INET6 ? "[%s]:%u" : "%s:%u",
		record_address(record, addr), record->port);
	return text;
}

/**
 * record_line() - format a record as the module prints it, without PREFIX
 * @record: the record
 * @text: where to store the text: pid=8421 uid=1053 comm=curl -> 192.0.2.1:80
 *
 * Return: @text
 */
const char *record_line(const struct record *record, char text[RECORD_LEN])
{
	char comm[TCL_COMM_LEN], to[DESTINATION_LEN];

	tcl_escape_comm(comm, record->comm);
	sprintf(text, "pid=%d uid=%u comm=%s -> %s", record->pid, record->uid, comm,
		record_destination(record, to));
	return text;
}
