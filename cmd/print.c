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

static const char *time_text(unsigned long long usec)
{
	static char text[JSON_TIME_LEN];

	json_time(usec * 1000, 6, text);
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

static void print_columns(const struct traced *traced)
{
	const struct record *record = &traced->record;
	time_t seconds = traced->nsec / 1000000000;
	char clock[sizeof("00:00:00")], to[DESTINATION_LEN], user[USER_LEN];

	if (!user_name(record->uid, user))
		sprintf(user, "%u", record->uid);
	strftime(clock, sizeof(clock), "%T", localtime(&seconds));
	printf("%s.%03u %7d ", clock, (unsigned int)(traced->nsec / 1000000 % 1000), record->pid);
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
 * @traced: the connection
 */
void print_record(enum print_form form, const struct traced *traced)
{
	char line[JSON_LEN], text[RECORD_LEN];

	if (form != PRINT_JSON && ~traced->known & JSON_LOG & ~(1U << JSON_USER))
		die(EXIT_FAILED, "a record lacks some of the members that are shown; use --json");
	if (form == PRINT_JSON) {
		fwrite(line, 1, json_traced(traced, JSON_ALL, line), stdout);
	} else if (form == PRINT_COLUMNS) {
		print_columns(traced);
	} else {
		json_time(traced->nsec, json_digits(traced), line);
		printf("%s %s\n", line, record_line(&traced->record, text));
	}
}

/**
 * loss_text() - say what was lost
 * @loss: what was lost
 * @text: where to store the sentence
 * @size: size of @text
 */
void loss_text(const struct loss *loss, char *text, size_t size)
{
	char comm[TCL_COMM_LEN];
	int length = snprintf(text, size, "%llu %s were lost: %s", loss->count,
			      loss->of_log ? "lines of the kernel's log" : "connections",
			      loss->reason);

	if (!loss->busiest || length >= (int)size)
		return;
	tcl_escape_comm(comm, loss->busiest->record.comm);
	snprintf(text + length, size - length, "; process %d (%s) made %llu",
		 loss->busiest->record.pid, comm, loss->busiest->count);
}

/**
 * print_loss() - print what was lost
 * @form: how to print
 * @loss: what was lost
 */
void print_loss(enum print_form form, const struct loss *loss)
{
	char line[JSON_LEN], time[JSON_TIME_LEN] = "";

	if (form == PRINT_JSON) {
		fwrite(line, 1, json_loss(loss, line), stdout);
		return;
	}
	if (loss->past)
		json_time(loss->nsec, 9, time);
	loss_text(loss, line, sizeof(line));
	pr_err("%s%s%s", time, loss->past ? ": " : "", line);
}

/**
 * gap_text() - say when the module was not loaded
 * @nsec: end of this time in nanoseconds since the epoch
 * @since: its begin
 * @text: where to store the sentence
 * @size: size of @text
 */
void gap_text(unsigned long long nsec, unsigned long long since, char *text, size_t size)
{
	char begin[JSON_TIME_LEN], end[JSON_TIME_LEN];

	json_time(since, 9, begin);
	json_time(nsec, 9, end);
	snprintf(text, size, "the module was unloaded, so nothing was seen from %s to %s", begin,
		 end);
}

/**
 * print_gap() - print when the module was not loaded
 * @form: how to print
 * @nsec: end of this time in nanoseconds since the epoch
 * @since: its begin
 */
void print_gap(enum print_form form, unsigned long long nsec, unsigned long long since)
{
	char line[JSON_LEN];

	if (form == PRINT_JSON) {
		fwrite(line, 1, json_gap(nsec, since, line), stdout);
		return;
	}
	gap_text(nsec, since, line, sizeof(line));
	pr_err("%s", line);
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
