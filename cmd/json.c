// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Write connections as JSON. libjansson would take ten times as long as the kernel takes to trace
 * the connection, so the lines of a recorder are written here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "command.h"
#include "groups.h"
#include "json.h"
#include "text.h"
#include "users.h"

/** json_fields - the names of the members: the names in the trace events, if they have them */
const char * const json_fields[NR_JSON_FIELDS] = {
	[JSON_TIME] = "time",
	[JSON_PID] = "pid",
	[JSON_TID] = "tid",
	[JSON_UID] = "uid",
	[JSON_USER] = "user",
	[JSON_COMM] = "comm",
	[JSON_START] = "start",
	[JSON_EXE] = "exe",
	[JSON_CMDLINE] = "cmdline",
	[JSON_PPID] = "ppid",
	[JSON_PARENTS] = "parents",
	[JSON_UNIT] = "unit",
	[JSON_CONTAINER] = "container",
	[JSON_CONTAINER_NAME] = "container_name",
	[JSON_POD] = "pod",
	[JSON_CGROUP_PATH] = "cgroup_path",
	[JSON_FAMILY] = "family",
	[JSON_DADDR] = "daddr",
	[JSON_DPORT] = "dport",
	[JSON_RET] = "ret",
	[JSON_NETNS] = "netns",
	[JSON_CGROUP] = "cgroup",
	[JSON_SADDR] = "saddr",
	[JSON_SPORT] = "sport",
	[JSON_COOKIE] = "cookie",
	[JSON_DOMAIN] = "domain",
	[JSON_DOMAIN_SOURCE] = "domain_source",
	[JSON_RESULT] = "result",
	[JSON_LATENCY] = "latency",
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

#define EACH(byte)	(0x0101010101010101ULL * (byte))

/* Some of the highest bits are set if one of the bytes is 0. */
static uint64_t zeros(uint64_t word)
{
	return (word - EACH(1)) & ~word;
}

/*
 * Returns true if none of eight bytes must be escaped: all are printable ASCII, without quotes and
 * backslashes. To test them one by one would take seven times as long.
 */
static bool are_plain(uint64_t word)
{
	uint64_t below = (word - EACH(' ')) & ~word, above = word | (word + EACH(1));

	return !((below | above | zeros(word ^ EACH('"')) | zeros(word ^ EACH('\\'))) & EACH(0x80));
}

/* JSON is UTF-8, so replace invalid bytes with U+FFFD. */
static char *put_bytes(char *to, const char *bytes, size_t most)
{
	size_t length = strnlen(bytes, most), size;
	unsigned int code;

	for (size_t i = 0; i < length; i += size) {
		char c = bytes[i];
		uint64_t word;

		size = sizeof(word);
		if (length - i >= size) {
			memcpy(&word, bytes + i, size);
			if (are_plain(word)) {
				to = mempcpy(to, &word, size);
				continue;
			}
		}
		size = 1;
		if (c == '"' || c == '\\') {
			*to++ = '\\';
			*to++ = c;
		} else if (c >= ' ' && c < 0x7f) {
			*to++ = c;
		} else {
			size = text_character(bytes + i, length - i, &code);
			text_safe(size ? bytes + i : "\xef\xbf\xbd", size ?: 3, TEXT_JSON, to);
			to += strlen(to);
			size = size ?: 1;
		}
	}
	return to;
}

static char *put_address(char *to, int family, const unsigned char *addr, unsigned int scope)
{
	/* sprintf() would take as long as the rest of a record. */
	if (family == AF_INET) {
		for (int i = 0; i < 4; i++) {
			to = put_number(to, addr[i]);
			*to++ = '.';
		}
		return to - 1;
	}
	to += strlen(address_text(family, addr, to));
	if (scope) {
		*to++ = '%';
		to = put_number(to, scope);
	}
	return to;
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

/* Returns the text of a member that is any text, or NULL if there is none. */
static const char *text_of(const struct traced *traced, enum json_field field)
{
	const struct group *group = traced->group;

	switch (field) {
	case JSON_EXE:
		return traced->exe;
	case JSON_CMDLINE:
		return traced->cmdline;
	case JSON_UNIT:
		return group ? group->unit : NULL;
	case JSON_CONTAINER:
		return group ? group->container : NULL;
	case JSON_CONTAINER_NAME:
		return group ? group->container_name : NULL;
	case JSON_POD:
		return group ? group->pod : NULL;
	case JSON_CGROUP_PATH:
		return traced->cgroup_path;
	case JSON_DOMAIN:
		return traced->domain;
	case JSON_DOMAIN_SOURCE:
		return traced->domain_source;
	default:
		return NULL;
	}
}

/**
 * json_members() - find out which members a connection, or the result of one, is stored with
 * @traced: the connection or the result
 * @fields: bit mask of the members that are wanted, see enum json_field
 *
 * Return: @fields, and what a result is of no use without.
 */
unsigned int json_members(const struct traced *traced, unsigned int fields)
{
	if (json_is_result(traced))
		fields |= JSON_BIT(JSON_TIME) | JSON_BIT(JSON_RET) | JSON_BIT(JSON_COOKIE) |
			  JSON_BIT(JSON_RESULT);
	return fields;
}

/**
 * json_has() - find out whether a connection has a member
 * @traced: the connection
 * @field: the member
 *
 * Return: true if json_traced() writes it.
 */
bool json_has(const struct traced *traced, enum json_field field)
{
	static const unsigned char any[sizeof(traced->source)];

	if (!(traced->known & JSON_BIT(field)))
		return false;
	switch (field) {
	case JSON_EXE:
	case JSON_CMDLINE:
	case JSON_UNIT:
	case JSON_CONTAINER:
	case JSON_CONTAINER_NAME:
	case JSON_POD:
	case JSON_CGROUP_PATH:
	case JSON_DOMAIN:
	case JSON_DOMAIN_SOURCE:
		return text_of(traced, field);
	case JSON_SADDR:	/* the kernel has not chosen one if the connection fails at once */
		return memcmp(traced->source, any, traced->record.family == AF_INET6 ? 16 : 4);
	case JSON_SPORT:
		return traced->sport;
	default:
		return true;
	}
}

static char *put_parents(char *to, const struct traced *traced, bool json)
{
	char comm[TCL_COMM_LEN];

	if (json)
		*to++ = '[';
	for (size_t i = 0; i < traced->nr_parents; i++) {
		const struct parent *parent = &traced->parents[i];

		if (i)
			*to++ = ',';
		if (json) {
			to = put_number(stpcpy(to, "{\"pid\":"), parent->pid);
			to = put_number(stpcpy(to, ",\"uid\":"), parent->uid);
			to = put_bytes(stpcpy(to, ",\"comm\":\""), parent->comm, COMM_LEN);
			to = put_number(stpcpy(to, "\",\"start\":"), parent->start);
			*to++ = '}';
		} else {
			tcl_escape_comm(comm, parent->comm);
			to = put_number(stpcpy(stpcpy(to, comm), "("), parent->pid);
			*to++ = ')';
		}
	}
	if (json)
		*to++ = ']';
	return to;
}

/* Write the value of a member that json_has(). Texts are quoted if it is for JSON. */
static char *put_value(char *to, const struct traced *traced, enum json_field field, bool json)
{
	const struct record *record = &traced->record;
	const char *text = NULL;
	char user[USER_LEN];

	switch (field) {
	case JSON_PID:
		return put_number(to, record->pid);
	case JSON_TID:
		return put_number(to, traced->tid);
	case JSON_UID:
		return put_number(to, record->uid);
	case JSON_START:
		return put_number(to, traced->start);
	case JSON_PPID:
		return put_number(to, traced->ppid);
	case JSON_PARENTS:
		return put_parents(to, traced, json);
	case JSON_DPORT:
		return put_number(to, record->port);
	case JSON_RET:
		if (traced->result < 0)
			*to++ = '-';
		return put_number(to, llabs(traced->result));
	case JSON_NETNS:
		return put_number(to, traced->netns);
	case JSON_CGROUP:
		return put_number(to, traced->cgroup);
	case JSON_SPORT:
		return put_number(to, traced->sport);
	case JSON_COOKIE:
		return put_number(to, traced->cookie);
	case JSON_LATENCY:
		return put_number(to, traced->latency);
	case JSON_USER:
		if (!user_name(record->uid, user))
			return json ? stpcpy(to, "null") : to;
		text = user;
		break;
	case JSON_FAMILY:
		text = record_family(record);
		break;
	case JSON_RESULT:
		text = result_names[result_of(traced->result)];
		break;
	case JSON_TIME:
	case JSON_COMM:
	case JSON_DADDR:
	case JSON_SADDR:
		break;
	default:
		text = text_of(traced, field);
	}

	if (json)
		*to++ = '"';
	if (text)
		to = json ? put_bytes(to, text, SIZE_MAX) : stpcpy(to, text);
	else if (field == JSON_TIME)
		to = put_time(to, traced->nsec, json_digits(traced));
	else if (field == JSON_DADDR)
		to = put_address(to, record->family, record->addr, record->scope);
	else if (field == JSON_SADDR)
		to = put_address(to, record->family, traced->source, 0);
	else
		to = json ? put_bytes(to, record->comm, COMM_LEN) :
			    mempcpy(to, record->comm, strnlen(record->comm, COMM_LEN));
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
 * Return: the length of the value; 0 if there is none.
 */
size_t json_plain(const struct traced *traced, enum json_field field, char *text)
{
	return json_has(traced, field) ? put_value(text, traced, field, false) - text : 0;
}

/**
 * json_take_field() - parse the first name in a list of members
 * @list: their names, in small or capital letters, with spaces or commas between them. It is set to
 *	the rest, and the text is changed.
 *
 * Exits if there is no such member.
 *
 * Return: the member, see enum json_field, or -1 at the end.
 */
int json_take_field(char **list)
{
	char *name;

	while ((name = strsep(list, ", "))) {
		int field = 0;

		while (field < NR_JSON_FIELDS && strcasecmp(name, json_fields[field]))
			field++;
		if (field < NR_JSON_FIELDS)
			return field;
		if (*name)
			die(EXIT_USAGE, "there is no field %s", name);
	}
	return -1;
}

/**
 * json_parse_fields() - parse a list of members
 * @list: the list, see json_take_field()
 *
 * Exits if there is no such member, or none at all.
 *
 * Return: bit mask of them.
 */
unsigned int json_parse_fields(const char *list)
{
	char *copy = copy_text(list), *rest = copy;
	unsigned int found = 0;
	int field;

	while ((field = json_take_field(&rest)) >= 0)
		found |= JSON_BIT(field);
	free(copy);
	if (!found)
		die(EXIT_USAGE, "no fields are given");
	return found;
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

/* Write the members in this range, each with a comma before it. */
static char *put_members(char *to, const struct traced *traced, unsigned int fields, int from,
			 int end)
{
	for (int field = from; field < end; field++) {
		if (!(fields & JSON_BIT(field)) || !json_has(traced, field))
			continue;
		*to++ = ',';
		*to++ = '"';
		to = stpcpy(to, json_fields[field]);
		*to++ = '"';
		*to++ = ':';
		to = put_value(to, traced, field, true);
	}
	return to;
}

/*
 * Write the members that differ only if traced->content does. In a burst, the same process connects
 * to the same destination again and again, or to one after another. So keep the text of the process
 * and of the destination for the next record, and for the next result.
 */
static char *put_content(char *to, const struct traced *traced, unsigned int fields)
{
	static struct {
		char text[JSON_LEN];
		size_t middle, length;
		unsigned int content, process, fields;
	} kept[2], *last;

	if (!traced->content)
		return put_members(to, traced, fields, JSON_TIME + 1, JSON_SPORT);
	last = &kept[json_is_result(traced)];
	if (traced->content != last->content || fields != last->fields) {
		if (!traced->process || traced->process != last->process || fields != last->fields)
			last->middle = put_members(last->text, traced, fields, JSON_TIME + 1,
						   JSON_FAMILY) - last->text;
		last->length = put_members(last->text + last->middle, traced, fields, JSON_FAMILY,
					   JSON_SPORT) - last->text;
		last->content = traced->content;
		last->process = traced->process;
		last->fields = fields;
	}
	return mempcpy(to, last->text, last->length);
}

/**
 * json_traced() - write a connection, or the result of one, as a line with a JSON object
 * @traced: the connection
 * @fields: bit mask of the members to write if they are known, see enum json_field
 * @line: where to write the line, with a newline, but without a NUL
 *
 * Return: the length of the line.
 */
size_t json_traced(const struct traced *traced, unsigned int fields, char line[JSON_LEN])
{
	char *to = line;

	fields = json_members(traced, fields);
	if (fields & traced->known & JSON_BIT(JSON_TIME)) {
		to = put_time(stpcpy(to, ",\"time\":\""), traced->nsec, json_digits(traced));
		*to++ = '"';
	}
	if (json_is_result(traced))
		to = stpcpy(to, ",\"event\":\"result\"");
	to = put_content(to, traced, fields);
	if (fields & traced->known & JSON_BIT(JSON_SPORT) && traced->sport)
		to = put_number(stpcpy(to, ",\"sport\":"), traced->sport);
	if (fields & traced->known & JSON_BIT(JSON_COOKIE))
		to = put_number(stpcpy(to, ",\"cookie\":"), traced->cookie);
	if (fields & traced->known & (JSON_OF_NAME | JSON_OF_RESULT))
		to = put_members(to, traced, fields, JSON_DOMAIN, NR_JSON_FIELDS);
	if (to == line)
		*to++ = '{';
	*line = '{';
	return stpcpy(to, "}\n") - line;
}
