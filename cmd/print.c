// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Print the lines of the log, for people and for programs.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "print.h"
#include "text.h"
#include "users.h"

/*
 * Format a time as in RFC 3339, in UTC. Most records have the same second as the previous one, so
 * keep the text of the last second.
 */
static const char *time_text(unsigned long long usec)
{
	static char text[sizeof("2000-01-01T00:00:00.000000Z") + 32];
	static time_t last = -1;
	static size_t length;
	time_t seconds = usec / 1000000;
	unsigned int micro = usec % 1000000;

	if (seconds != last) {
		length = strftime(text, sizeof(text) - 9, "%FT%T.", gmtime(&seconds));
		last = seconds;
	}
	for (int i = 5; i >= 0; i--) {
		text[length + i] = '0' + micro % 10;
		micro /= 10;
	}
	strcpy(text + length + 6, "Z");
	return text;
}

/* ---- Columns ---- */

/* Print a name, which may contain any bytes, and pad it with spaces. */
static void print_name(const char *name, int width)
{
	char safe[TEXT_ROOM(USER_LEN)];
	int columns = text_safe(name, strlen(name), TEXT_PLAIN, safe);

	printf("%s%*s ", safe, columns < width ? width - columns : 0, "");
}

static void print_columns(const struct message *message)
{
	const struct record *record = &message->line.record;
	time_t seconds = message->usec / 1000000;
	char clock[sizeof("00:00:00")], to[DESTINATION_LEN], user[USER_LEN];

	if (!user_name(record->uid, user))
		sprintf(user, "%u", record->uid);
	strftime(clock, sizeof(clock), "%T", localtime(&seconds));
	printf("%s.%03u %7d ", clock, (unsigned int)(message->usec / 1000 % 1000), record->pid);
	print_name(user, 10);
	print_name(record->comm, COMM_LEN - 1);
	printf("%s\n", record_destination(record, to));
}

/* ---- JSON ---- */

/**
 * json_bytes() - make a JSON string of a name, which may contain any bytes
 * @bytes: the name; it is cut at USER_LEN
 *
 * JSON is UTF-8, so invalid bytes are replaced with U+FFFD.
 *
 * Return: the string.
 */
json_t *json_bytes(const char *bytes)
{
	char text[3 * USER_LEN], *to = text;
	size_t left = strnlen(bytes, USER_LEN - 1);

	while (left) {
		unsigned int code;
		size_t size = text_character(bytes, left, &code);

		if (size) {
			to = mempcpy(to, bytes, size);
		} else {
			to = stpcpy(to, "\xef\xbf\xbd");
			size = 1;
		}
		bytes += size;
		left -= size;
	}
	return json_stringn(text, to - text);
}

/**
 * json_user() - make a JSON string of the name of a user
 * @uid: the user
 *
 * Return: the string, or null if there is no name.
 */
json_t *json_user(uid_t uid)
{
	char name[USER_LEN];

	return user_name(uid, name) ? json_bytes(name) : json_null();
}

/**
 * print_json() - print a JSON value on a line
 * @json: the value; the caller's reference to it is dropped
 */
void print_json(json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	size_t length = text ? strlen(text) : 0;
	char *safe = malloc(TEXT_ROOM(length));

	if (!text || !safe)
		die(EXIT_FAILED, "cannot write JSON");
	text_safe(text, length, TEXT_JSON, safe);
	puts(safe);
	free(safe);
	free(text);
	json_decref(json);
}

static json_t *json_record(const struct message *message)
{
	const struct record *record = &message->line.record;
	char address[DESTINATION_LEN];

	return json_pack("{s:s, s:i, s:I, s:o, s:o, s:s, s:s, s:i}",
			 "time", time_text(message->usec),
			 "pid", record->pid,
			 "uid", (json_int_t)record->uid,
			 "user", json_user(record->uid),
			 "comm", json_bytes(record->comm),
			 "family", record_family(record),
			 "daddr", record_address(record, address),
			 "dport", (int)record->port);
}

/* ---- All forms ---- */

/**
 * print_heading() - print the heading of the columns, if the form has one
 * @form: how to print
 */
void print_heading(enum print_form form)
{
	if (form == PRINT_COLUMNS)
		printf("%-12s %7s %-10s %-15s %s\n", "TIME", "PID", "USER", "COMM", "DESTINATION");
}

/**
 * print_record() - print a connection
 * @form: how to print
 * @message: a message with a record
 */
void print_record(enum print_form form, const struct message *message)
{
	if (form == PRINT_JSON)
		print_json(json_record(message));
	else if (form == PRINT_COLUMNS)
		print_columns(message);
	else
		printf("%s %s\n", time_text(message->usec), message_text(message));
}

/**
 * print_lost() - print how many lines of the log were lost
 * @form: how to print
 * @message: the message that follows the lost lines
 */
void print_lost(enum print_form form, const struct message *message)
{
	if (form == PRINT_JSON)
		print_json(json_pack("{s:s, s:s, s:I}", "time", time_text(message->usec),
				     "event", "lost", "count", (json_int_t)message->lost));
	else
		pr_err("%llu lines of the kernel's log were overwritten before they were read",
		       message->lost);
}

/**
 * print_other() - print a line of the module that is not a record
 * @form: how to print
 * @message: a message with such a line
 */
void print_other(enum print_form form, const struct message *message)
{
	const struct report *report = &message->line.report;

	if (form == PRINT_JSON && message->line.kind == LINE_REPORT)
		print_json(json_pack("{s:s, s:s, s:I, s:s}", "time", time_text(message->usec),
				     "event", "suppressed", "count", (json_int_t)report->count,
				     "reason", report->reason));
	else
		pr_err("%s", message_text(message));
}
