// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Write connections as JSON. libjansson would take ten times as long as the kernel takes to trace
 * the connection, so the lines of a recorder are written here.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "text.h"
#include "users.h"

/** json_fields - the names of the members: the names in the trace event, if it has them */
const char * const json_fields[NR_JSON_FIELDS] = {
	[JSON_TIME] = "time",
	[JSON_PID] = "pid",
	[JSON_UID] = "uid",
	[JSON_USER] = "user",
	[JSON_COMM] = "comm",
	[JSON_FAMILY] = "family",
	[JSON_DADDR] = "daddr",
	[JSON_DPORT] = "dport",
	[JSON_RET] = "ret",
	[JSON_NETNS] = "netns",
	[JSON_CGROUP] = "cgroup",
	[JSON_COOKIE] = "cookie",
};

/* The two digits of each number below 100, as in the kernel's lib/vsprintf.c */
static const char pairs[] = {
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"
};

/* Number of digits of the largest number */
#define DIGITS	20

/*
 * Each of these functions returns the end of its output. None writes a NUL. Each may change the
 * bytes behind its output.
 */

/* Copying all of the digits takes fewer instructions than copying as many as there are. */
static char *put_number(char *to, unsigned long long number)
{
	char digits[2 * DIGITS], *from = digits + DIGITS;

	while (number > 99) {
		from -= 2;
		memcpy(from, pairs + number % 100 * 2, 2);
		number /= 100;
	}
	from -= 2;
	memcpy(from, pairs + number * 2, 2);
	from += number < 10;
	memcpy(to, from, DIGITS);
	return to + (digits + DIGITS - from);
}

/* A number, or an IPv4 address, that has been written, and its text */
struct written {
	unsigned long long number;
	size_t length;
	char text[DIGITS];
};

static inline bool is_written(const struct written *last, unsigned long long number)
{
	return last->length && last->number == number;
}

static inline char *put_written(char *to, const struct written *last)
{
	memcpy(to, last->text, DIGITS);
	return to + last->length;
}

/* Write a number that is often the same as in the previous record. */
static inline char *put_again(char *to, unsigned long long number, struct written *last)
{
	if (!is_written(last, number)) {
		last->number = number;
		last->length = put_number(last->text, number) - last->text;
	}
	return put_written(to, last);
}

/* Most records have the same second as the previous one, so keep the text of the last second. */
static char *put_time(char *to, unsigned long long nsec, int digits)
{
	static char second[sizeof("2000-01-01T00:00:00")];
	static time_t last = -1;
	time_t seconds = nsec / 1000000000;
	unsigned int rest = nsec % 1000000000;

	if (seconds != last) {
		strftime(second, sizeof(second), "%FT%T", gmtime(&seconds));
		last = seconds;
	}
	to = mempcpy(to, second, sizeof(second) - 1);
	for (int i = 9; i > digits; i--)
		rest /= 10;
	/* If the number of digits is odd, the first pair begins where the point belongs. */
	for (int i = digits; i > 0; i -= 2, rest /= 100)
		memcpy(to + i - 1, pairs + rest % 100 * 2, 2);
	*to = '.';
	to[digits + 1] = 'Z';
	return to + digits + 2;
}

/* JSON is UTF-8, so replace invalid bytes with U+FFFD. */
static char *put_bytes(char *to, const char *bytes, size_t most)
{
	unsigned int code;
	size_t size;

	for (size_t i = 0; i < most && bytes[i]; i += size) {
		char c = bytes[i];

		size = 1;
		if (c == '"' || c == '\\') {
			*to++ = '\\';
			*to++ = c;
		} else if (c >= ' ' && c < 0x7f) {
			*to++ = c;
		} else {
			size = text_character(bytes + i, strnlen(bytes + i, most - i), &code);
			text_safe(size ? bytes + i : "\xef\xbf\xbd", size ?: 3, TEXT_JSON, to);
			to += strlen(to);
			size = size ?: 1;
		}
	}
	return to;
}

static inline char *put_byte(char *to, unsigned char byte)
{
	const char *pair = pairs + byte % 100 * 2;

	if (byte > 99)
		*to++ = '0' + byte / 100;
	if (byte > 9)
		*to++ = pair[0];
	*to++ = pair[1];
	return to;
}

static char *put_address(char *to, const struct record *record)
{
	static struct written last;
	unsigned int number;
	char *end = last.text;

	if (record->family == AF_INET6) {
		record_address(record, to);
		return to + strlen(to);
	}
	memcpy(&number, record->addr, sizeof(number));
	if (!is_written(&last, number)) {
		for (int i = 0; i < 4; i++) {
			end = put_byte(end, record->addr[i]);
			*end++ = '.';
		}
		last.number = number;
		last.length = end - 1 - last.text;
	}
	return put_written(to, &last);
}

/**
 * json_digits() - find out how exact a time is
 * @traced: the connection
 *
 * Return: how many digits the fraction of the second has.
 */
int json_digits(const struct traced *traced)
{
	return traced->known == JSON_LOG ? 6 : 9;
}

/* Write the value of a member. Texts are quoted if it is for JSON. */
static __always_inline char *put_value(char *to, const struct traced *traced,
				       enum json_field field, bool json)
{
	static struct written last[NR_JSON_FIELDS];
	const struct record *record = &traced->record;
	char user[USER_LEN];

	switch (field) {
	case JSON_PID:
		return put_again(to, record->pid, &last[field]);
	case JSON_UID:
		return put_again(to, record->uid, &last[field]);
	case JSON_DPORT:
		return put_again(to, record->port, &last[field]);
	case JSON_RET:
		if (traced->result < 0)
			*to++ = '-';
		return put_again(to, llabs(traced->result), &last[field]);
	case JSON_NETNS:
		return put_again(to, traced->netns, &last[field]);
	case JSON_CGROUP:
		return put_again(to, traced->cgroup, &last[field]);
	case JSON_COOKIE:
		return put_number(to, traced->cookie);
	case JSON_USER:
		if (!user_name(record->uid, user))
			return json ? stpcpy(to, "null") : to;
		break;
	default:
		break;
	}

	if (json)
		*to++ = '"';
	switch (field) {
	case JSON_TIME:
		to = put_time(to, traced->nsec, json_digits(traced));
		break;
	case JSON_USER:
		to = json ? put_bytes(to, user, sizeof(user)) : stpcpy(to, user);
		break;
	case JSON_COMM:
		to = json ? put_bytes(to, record->comm, COMM_LEN) :
			    mempcpy(to, record->comm, strnlen(record->comm, COMM_LEN));
		break;
	case JSON_FAMILY:
		to = stpcpy(to, "AF_INET");
		if (record->family == AF_INET6)
			*to++ = '6';
		break;
	default:
		to = put_address(to, record);
	}
	if (json)
		*to++ = '"';
	return to;
}

/**
 * json_time() - write a time as in RFC 3339, in UTC
 * @nsec: the time in nanoseconds since the epoch
 * @digits: how many digits the fraction of the second has, up to 9
 * @text: where to write it
 */
void json_time(unsigned long long nsec, int digits, char text[JSON_TIME_LEN])
{
	*put_time(text, nsec, digits) = '\0';
}

/**
 * json_plain() - write the value of a member without quotes and escapes
 * @traced: the connection
 * @field: the member
 * @text: where to write the value, without a NUL
 *
 * Return: the length of the value; 0 if a user has no name.
 */
size_t json_plain(const struct traced *traced, enum json_field field, char *text)
{
	return put_value(text, traced, field, false) - text;
}

/**
 * json_loss() - write a line with a JSON object that says what was lost
 * @loss: what was lost
 * @line: where to write the line, with a newline, but without a NUL
 *
 * Return: the length of the line.
 */
size_t json_loss(const struct loss *loss, char line[JSON_LEN])
{
	char *to = stpcpy(line, "{\"time\":\"");

	to = put_time(to, loss->nsec, loss->of_log ? 6 : 9);
	to = put_number(stpcpy(to, "\",\"event\":\"lost\",\"count\":"), loss->count);
	to = stpcpy(stpcpy(to, ",\"reason\":\""), loss->reason);
	*to++ = '"';
	if (loss->busiest) {
		to = put_number(stpcpy(to, ",\"busiest\":{\"pid\":"), loss->busiest->record.pid);
		to = put_bytes(stpcpy(to, ",\"comm\":\""), loss->busiest->record.comm, COMM_LEN);
		to = put_number(stpcpy(to, "\",\"count\":"), loss->busiest->count);
		*to++ = '}';
	}
	return stpcpy(to, "}\n") - line;
}

/**
 * json_gap() - write a line with a JSON object that says when the module was not loaded
 * @nsec: end of this time in nanoseconds since the epoch
 * @since: its begin
 * @line: where to write the line, with a newline, but without a NUL
 *
 * Return: the length of the line.
 */
size_t json_gap(unsigned long long nsec, unsigned long long since, char line[JSON_LEN])
{
	char *to = put_time(stpcpy(line, "{\"time\":\""), nsec, 9);

	to = put_time(stpcpy(to, "\",\"event\":\"gap\",\"since\":\""), since, 9);
	return stpcpy(to, "\",\"reason\":\"the module was unloaded\"}\n") - line;
}

/**
 * json_traced() - write a connection as a line with a JSON object
 * @traced: the connection
 * @fields: bit mask of the members to write if they are known, see enum json_field
 * @line: where to write the line, with a newline, but without a NUL
 *
 * Return: the length of the line.
 */
size_t json_traced(const struct traced *traced, unsigned int fields, char line[JSON_LEN])
{
	char *to = line;

	*to++ = '{';
	/* Then the compiler knows each member's name and type. */
#pragma GCC unroll 16
	for (int field = 0; field < NR_JSON_FIELDS; field++) {
		if (!(fields & traced->known & 1U << field))
			continue;
		if (to > line + 1)
			*to++ = ',';
		*to++ = '"';
		to = stpcpy(to, json_fields[field]);
		*to++ = '"';
		*to++ = ':';
		to = put_value(to, traced, field, true);
	}
	*to++ = '}';
	*to++ = '\n';
	return to - line;
}
