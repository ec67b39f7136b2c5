// SPDX-License-Identifier: GPL-2.0
/*
 * Parse the records that the module prints (tcl_print() in src/log.c), and format their
 * parts for people and programs.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "record.h"

/* Parse a decimal number up to @most. Returns the text after it, or NULL. */
static const char *number(const char *text, unsigned long most, unsigned long *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	*value = strtoul(text, &end, 10);	/* ULONG_MAX on overflow */
	return *value <= most ? end : NULL;
}

/**
 * parse_number() - parse a number that a user has given
 * @text: the number in decimal, with nothing before or after it
 * @most: the largest valid number
 * @value: where to store the number
 *
 * Return: true if @text is a valid number.
 */
bool parse_number(const char *text, unsigned long most, unsigned long *value)
{
	text = number(text, most, value);
	return text && !*text;
}

/* Returns the text after @word, or NULL if @text is NULL or does not begin with @word. */
static const char *skip(const char *text, const char *word)
{
	size_t length = strlen(word);

	return text && !strncmp(text, word, length) ? text + length : NULL;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The reverse of tcl_escape_comm() in src/comm.h. Returns the text after the name, or NULL. */
static const char *parse_comm(const char *text, char comm[COMM_LEN])
{
	size_t length = 0;

	for (; *text && *text != ' '; length++) {
		if (length == COMM_LEN - 1)
			return NULL;
		if (*text != '\\') {
			comm[length] = *text++;
		} else if (text[1] == 'x' && hex(text[2]) >= 0 && hex(text[3]) >= 0) {
			comm[length] = hex(text[2]) << 4 | hex(text[3]);
			text += 4;
		} else {
			return NULL;
		}
	}
	memset(comm + length, '\0', COMM_LEN - length);
	return text;
}

static bool parse_destination(const char *text, struct record *record)
{
	char addr[INET6_ADDRSTRLEN];
	bool ipv6 = *text == '[';
	size_t length = strcspn(text += ipv6, ipv6 ? "%]" : ":");
	unsigned long scope = 0, port;

	if (length >= sizeof(addr))
		return false;
	memcpy(addr, text, length);
	addr[length] = '\0';
	record->family = ipv6 ? AF_INET6 : AF_INET;
	if (inet_pton(record->family, addr, record->addr) != 1)
		return false;

	text += length;
	if (ipv6 && *text == '%')
		text = number(text + 1, UINT_MAX, &scope);
	if (ipv6)
		text = skip(text, "]");
	text = skip(text, ":");
	if (text)
		text = number(text, USHRT_MAX, &port);
	if (!text || *text)
		return false;

	record->scope = scope;
	record->port = port;
	return true;
}

/**
 * record_parse() - parse a line of the log
 * @line: the line without level and time: "tcp_connect_logger: pid=..."
 * @record: where to store the record
 *
 * Return: true if the line is a record, false if it is another line of the module.
 */
bool record_parse(const char *line, struct record *record)
{
	unsigned long pid, uid;

	memset(record, 0, sizeof(*record));
	line = skip(line, "tcp_connect_logger: pid=");
	if (line)
		line = number(line, INT_MAX, &pid);
	line = skip(line, " uid=");
	if (line)
		line = number(line, UINT_MAX, &uid);
	line = skip(line, " comm=");
	if (line)
		line = parse_comm(line, record->comm);
	line = skip(line, " -> ");
	if (!line || !parse_destination(line, record))
		return false;

	record->pid = pid;
	record->uid = uid;
	return true;
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
	inet_ntop(record->family, record->addr, text, DESTINATION_LEN);
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
 * record_printable_comm() - format a process's name for a terminal
 * @comm: the unescaped name
 * @text: where to store the printable name
 *
 * Backslashes, and characters that the locale cannot print, are written as \xNN. The name is
 * padded with spaces to 15 columns, which is enough for most names.
 *
 * Return: @text
 */
const char *record_printable_comm(const char *comm, char text[PRINTABLE_LEN])
{
	char *to = text;
	size_t left = strnlen(comm, COMM_LEN - 1);
	mbstate_t state = { 0 };
	int columns = 0;

	while (left) {
		wchar_t wide;
		size_t length = mbrtowc(&wide, comm, left, &state);
		bool valid = length <= left;

		if (valid && iswprint(wide) && wcwidth(wide) >= 0 && wide != L'\\') {
			to = mempcpy(to, comm, length);
			columns += wcwidth(wide);
		} else {
			if (!valid)
				length = 1;
			memset(&state, 0, sizeof(state));
			for (size_t i = 0; i < length; i++)
				to += sprintf(to, "\\x%02x", (unsigned char)comm[i]);
			columns += 4 * length;
		}
		comm += length;
		left -= length;
	}
	while (columns++ < COMM_LEN - 1)
		*to++ = ' ';
	*to = '\0';
	return text;
}
