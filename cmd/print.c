// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Print connections, for people and for programs.
 */
#include <ctype.h>
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

/* ---- Results ---- */

#define OUTCOME_LEN	(TRACED_LEN - RECORD_LEN)

/* Write what became of a connection, with @before before it, or nothing if this is not known. */
static const char *outcome_text(const struct traced *traced, const char *before,
				char text[OUTCOME_LEN])
{
	unsigned long long nsec = traced->latency;

	*text = '\0';
	if (json_is_result(traced))
		snprintf(text, OUTCOME_LEN, "%s%s after %llu.%06llu s", before,
			 result_names[result_of(traced->result)], nsec / 1000000000,
			 nsec / 1000 % 1000000);
	return text;
}

/**
 * traced_text() - say in a line who connects where, or what became of it
 * @traced: the connection, or the result of one
 * @text: where to store the line: record_line(), and perhaps ": refused after 0.000123 s"
 */
void traced_text(const struct traced *traced, char text[TRACED_LEN])
{
	char outcome[OUTCOME_LEN];

	record_line(&traced->record, text);
	strcat(text, outcome_text(traced, ": ", outcome));
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
	char clock[sizeof("00:00:00")], to[DESTINATION_LEN], user[USER_LEN], text[OUTCOME_LEN];

	if (!user_name(record->uid, user))
		sprintf(user, "%u", record->uid);
	strftime(clock, sizeof(clock), "%T", localtime(&seconds));
	printf("%s.%03u %7d ", clock, (unsigned int)(traced->nsec / 1000000 % 1000), record->pid);
	print_name(user, 10);
	print_name(record->comm, COMM_LEN - 1);
	printf("%s%s\n", record_destination(record, to), outcome_text(traced, " ", text));
}

/* ---- Chosen columns ---- */

static enum json_field chosen[NR_JSON_FIELDS];
static int nr_chosen;
static unsigned int chosen_fields = JSON_ALL;

/* Least widths of the columns; longer values are not cut. */
static const int widths[NR_JSON_FIELDS] = {
	[JSON_TIME] = JSON_TIME_LEN - 1,
	[JSON_PID] = 7,
	[JSON_TID] = 7,
	[JSON_UID] = 6,
	[JSON_USER] = 10,
	[JSON_COMM] = COMM_LEN - 1,
	[JSON_START] = 16,
	[JSON_EXE] = 24,
	[JSON_CMDLINE] = 32,
	[JSON_PPID] = 7,
	[JSON_PARENTS] = 32,
	[JSON_UNIT] = 20,
	[JSON_CONTAINER] = 12,
	[JSON_CONTAINER_NAME] = 14,
	[JSON_POD] = 36,
	[JSON_CGROUP_PATH] = 32,
	[JSON_FAMILY] = 8,
	[JSON_DADDR] = 15,
	[JSON_DPORT] = 5,
	[JSON_RET] = 4,
	[JSON_NETNS] = 10,
	[JSON_CGROUP] = 6,
	[JSON_SADDR] = 15,
	[JSON_SPORT] = 5,
	[JSON_COOKIE] = 6,
	[JSON_DOMAIN] = 24,
	[JSON_DOMAIN_SOURCE] = 13,
	[JSON_RESULT] = 11,
	[JSON_LATENCY] = 10,
};

/**
 * print_choose() - choose what is printed
 * @list: names of the columns, or members of the JSON objects, see json_take_field()
 *
 * Exits if there is no such column, or none at all.
 *
 * Return: bit mask of them, see enum json_field.
 */
unsigned int print_choose(const char *list)
{
	char *copy = copy_text(list), *rest = copy;
	int field;

	chosen_fields = 0;
	nr_chosen = 0;
	while ((field = json_take_field(&rest)) >= 0) {
		if (!(chosen_fields & JSON_BIT(field)))
			chosen[nr_chosen++] = field;
		chosen_fields |= JSON_BIT(field);
	}
	free(copy);
	if (!nr_chosen)
		die(EXIT_USAGE, "no columns are given");
	return chosen_fields;
}

/* Print a value, and pad it with spaces unless it is the last one of the line. */
static void print_cell(const char *text, int n)
{
	int columns = text_width(text), width = widths[chosen[n]];

	printf("%s%*s%s", text, n < nr_chosen - 1 && columns < width ? width - columns : 0, "",
	       n < nr_chosen - 1 ? " " : "\n");
}

static void print_chosen(const struct traced *traced)
{
	for (int n = 0; n < nr_chosen; n++) {
		char value[JSON_LEN], *text;
		size_t length = json_plain(traced, chosen[n], value);

		value[length] = '\0';
		text = safe(length ? value : "-");
		print_cell(text, n);
		free(text);
	}
}

static void print_chosen_heading(void)
{
	for (int n = 0; n < nr_chosen; n++) {
		char text[32];
		size_t i = 0;

		do
			text[i] = toupper((unsigned char)json_fields[chosen[n]][i]);
		while (text[i++]);
		print_cell(text, n);
	}
}

/* ---- JSON ---- */

/**
 * json_bytes() - make a JSON string of a name, which may contain any bytes
 * @bytes: the name
 *
 * JSON is UTF-8, so invalid bytes are replaced with U+FFFD.
 *
 * Return: the string.
 */
json_t *json_bytes(const char *bytes)
{
	size_t left = strlen(bytes);
	char *text = malloc(3 * left + 1), *to = text;
	json_t *string;

	if (!text)
		die_errno("cannot write JSON");
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
	string = json_stringn(text, to - text);
	free(text);
	return string;
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
	if (form == PRINT_CHOSEN)
		print_chosen_heading();
	else if (form == PRINT_COLUMNS)
		printf("%-12s %7s %-10s %-15s %s\n", "TIME", "PID", "USER", "COMM", "DESTINATION");
}

/**
 * print_record() - print a connection
 * @form: how to print
 * @traced: the connection
 */
void print_record(enum print_form form, const struct traced *traced)
{
	char line[JSON_LEN], text[TRACED_LEN];
	bool is_whole = form == PRINT_JSON || form == PRINT_CHOSEN ||
			!(~traced->known & JSON_LOG & ~JSON_BIT(JSON_USER));

	if (!is_whole)
		die(EXIT_FAILED, "a record lacks some of the members that are shown; use --json");
	if (form == PRINT_JSON) {
		fwrite(line, 1, json_traced(traced, chosen_fields, line), stdout);
	} else if (form == PRINT_CHOSEN) {
		print_chosen(traced);
	} else if (form == PRINT_COLUMNS) {
		print_columns(traced);
	} else {
		json_time(traced->nsec, json_digits(traced), line);
		traced_text(traced, text);
		printf("%s %s\n", line, text);
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
