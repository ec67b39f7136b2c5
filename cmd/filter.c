// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Select the records that the user wants to see. A filter that no record can match is a mistake of
 * the user, so it is refused with an explanation.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <fnmatch.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "filter.h"
#include "groups.h"
#include "io.h"
#include "json.h"

/**
 * struct filter - a filter option of the command line
 * @kind: type of the filter, which determines the members that are used
 * @negated: whether the field must not match
 * @pattern: pattern for the name of the process, the executable or the unit
 * @completed: the pattern if it is not what the user wrote, or NULL
 * @number: process ID, user ID, port or ID of the cgroup
 * @family: address family of the network
 * @addr: address of the network in network byte order
 * @bits: prefix length of the network
 */
struct filter {
	enum filter_kind kind;
	bool negated;
	const char *pattern;
	char *completed;
	unsigned long long number;
	int family;
	unsigned char addr[sizeof(struct in6_addr)];
	unsigned long long bits;
};

static struct filter *filters;
static size_t nr_filters;

/* ---- Patterns ---- */

/* Returns the text after a bracket expression, or NULL if @text does not begin with one. */
static const char *skip_bracket(const char *text)
{
	if (*text++ != '[')
		return NULL;
	text += *text == '!' || *text == '^';
	text += *text == ']';
	for (; *text && *text != ']'; text++) {
		/* [:alpha:], [.x.], [=x=] */
		if (*text == '[' && text[1] && strchr(":.=", text[1])) {
			char end[] = { text[1], ']', '\0' };
			const char *found = strstr(text + 2, end);

			if (found)
				text = found + 1;
		} else if (*text == '\\' && text[1]) {
			text++;
		}
	}
	return *text ? text + 1 : NULL;
}

/* Returns true if a bracket expression, such as [z-a], matches no character at all. */
static bool is_void(const char *bracket, size_t length)
{
	char pattern[256], text[2] = "";

	if (length >= sizeof(pattern))
		return false;
	memcpy(pattern, bracket, length);
	pattern[length] = '\0';
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)bracket[i] >= 0x80)
			return false;	/* the loop below tries only ASCII */
	for (int c = 1; c < 0x80; c++) {
		text[0] = c;
		if (!fnmatch(pattern, text, 0))
			return false;
	}
	return true;
}

/* Returns the length of the shortest name that matches, or at least COMM_LEN if no name can. */
static size_t shortest_match(const char *pattern)
{
	size_t length = 0;

	while (*pattern) {
		const char *end = skip_bracket(pattern);

		if (end) {
			length += is_void(pattern, end - pattern) ? COMM_LEN : 1;
			pattern = end;
		} else if (*pattern == '*') {
			pattern++;
		} else {
			if (*pattern == '\\' && !*++pattern)
				return COMM_LEN;	/* fnmatch(3) needs a character after it */
			length++;
			pattern++;
		}
	}
	return length;
}

/* ---- Networks ---- */

static bool parse_net(const char *text, struct filter *filter)
{
	char addr[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	unsigned int most;

	if (length >= sizeof(addr))
		return false;
	memcpy(addr, text, length);
	addr[length] = '\0';
	filter->family = strchr(addr, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(filter->family, addr, filter->addr) != 1)
		return false;
	most = filter->family == AF_INET6 ? 128 : 32;
	filter->bits = most;
	return !text[length] || parse_number(text + length + 1, most, &filter->bits);
}

/* The module records ::ffff:192.0.2.1 as 192.0.2.1. */
static void refuse_mapped(const struct filter *filter, const char *text)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	char addr[INET_ADDRSTRLEN];

	if (filter->family != AF_INET6 || filter->bits < 96 ||
	    memcmp(filter->addr, mapped, sizeof(mapped)))
		return;
	inet_ntop(AF_INET, filter->addr + 12, addr, sizeof(addr));
	die(EXIT_USAGE,
	    "no record matches %s: IPv4-mapped addresses are recorded as IPv4. Use %s/%llu",
	    text, addr, filter->bits - 96);
}

static bool in_net(const struct filter *net, const struct record *record)
{
	size_t bytes = net->bits / 8;
	unsigned char mask = 0xff00 >> net->bits % 8;

	return record->family == net->family && !memcmp(record->addr, net->addr, bytes) &&
	       (!mask || !((record->addr[bytes] ^ net->addr[bytes]) & mask));
}

/* ---- Filters ---- */

static bool parse_user(const char *text, unsigned long long *uid)
{
	const struct passwd *user = getpwnam(text);

	if (user)
		*uid = user->pw_uid;
	return user || parse_number(text, UINT_MAX, uid);
}

/* The ID of a cgroup of version 2 is the inode number of its directory. */
static bool find_cgroup(const char *path, unsigned long long *id)
{
	bool is_full = !strncmp(path, CGROUPS, strlen(CGROUPS));
	char *full = format_text("%s/%s", is_full ? "" : CGROUPS, path);
	struct stat directory;
	bool found = !stat(full, &directory) && S_ISDIR(directory.st_mode);

	if (found)
		*id = directory.st_ino;
	free(full);
	return found;
}

/**
 * filter_add() - add a filter option of the command line
 * @kind: type of the filter, perhaps with BUT_NOT
 * @text: the value of the option, which must remain valid
 *
 * Exits if the value is invalid.
 */
void filter_add(int kind, const char *text)
{
	struct filter filter = {
		.kind = kind & ~BUT_NOT, .negated = kind & BUT_NOT, .pattern = text,
	};

	switch (filter.kind) {
	case BY_COMM:
		if (shortest_match(text) >= COMM_LEN)
			die(EXIT_USAGE, "no name matches %s: a name has at most %d bytes", text,
			    COMM_LEN - 1);
		break;
	case BY_PID:
		if (!parse_number(text, PID_MOST, &filter.number) || !filter.number)
			die(EXIT_USAGE, "a process ID is a number from 1 to %d, not %s", PID_MOST,
			    text);
		break;
	case BY_USER:
		if (!parse_user(text, &filter.number))
			die(EXIT_USAGE, "no such user: %s", text);
		break;
	case BY_PORT:
		if (!parse_number(text, USHRT_MAX, &filter.number))
			die(EXIT_USAGE, "a port is a number up to 65535, not %s", text);
		break;
	case BY_EXE:
		if (*text != '/' && *text != '*')
			die(EXIT_USAGE, "no executable matches %s: a path begins with / or *",
			    text);
		break;
	case BY_UNIT:
		/* The same as in systemctl and journalctl */
		if (!strpbrk(text, ".*?["))
			filter.completed = format_text("%s.service", text);
		filter.pattern = filter.completed ?: text;
		break;
	case BY_CGROUP:
		if (!find_cgroup(text, &filter.number))
			die(EXIT_USAGE, "no such cgroup: %s is not a directory in " CGROUPS, text);
		break;
	default:
		if (!parse_net(text, &filter))
			die(EXIT_USAGE, "a network is ADDRESS or ADDRESS/BITS, not %s", text);
		refuse_mapped(&filter, text);
	}

	filters = reallocarray(filters, nr_filters + 1, sizeof(*filters));
	if (!filters)
		die_errno("cannot add a filter");
	filters[nr_filters++] = filter;
}

static bool matches_text(const struct filter *filter, const char *text)
{
	return text && !fnmatch(filter->pattern, text, 0);
}

static bool meets(const struct filter *filter, const struct traced *traced)
{
	const struct record *record = &traced->record;

	switch (filter->kind) {
	case BY_COMM:
		return matches_text(filter, record->comm);
	case BY_PID:
		return (unsigned int)record->pid == filter->number;
	case BY_USER:
		return record->uid == filter->number;
	case BY_PORT:
		return record->port == filter->number;
	case BY_CGROUP:
		return traced->known & JSON_BIT(JSON_CGROUP) && traced->cgroup == filter->number;
	case BY_EXE:
		return matches_text(filter, traced->exe);
	case BY_UNIT:
		return traced->group && matches_text(filter, traced->group->unit);
	default:
		return in_net(filter, record);
	}
}

/* Like filters_match(), but only with the filters whose kind is in the bit mask @kinds */
static bool match(unsigned int kinds, const struct traced *traced)
{
	bool asked[NR_KINDS] = { false }, met[NR_KINDS] = { false };

	for (size_t i = 0; i < nr_filters; i++) {
		const struct filter *filter = &filters[i];
		bool matches;

		if (!(kinds & 1U << filter->kind))
			continue;
		matches = meets(filter, traced);
		if (filter->negated && matches)
			return false;
		if (!filter->negated) {
			asked[filter->kind] = true;
			met[filter->kind] |= matches;
		}
	}
	return !memcmp(asked, met, sizeof(met));
}

/**
 * filters_match() - find out whether the user wants to see a connection
 * @traced: the connection
 *
 * Return: true if it matches a filter of each given kind, and no filter with BUT_NOT.
 */
bool filters_match(const struct traced *traced)
{
	return !nr_filters || match(~0U, traced);
}

/**
 * filters_match_comm() - the same, but look only at the name of the process
 * @record: the record; no other member is used
 *
 * Return: true if the name matches.
 */
bool filters_match_comm(const struct record *record)
{
	struct traced traced = { .record = *record };

	return match(1U << BY_COMM, &traced);
}

static bool has_kind(unsigned int kinds)
{
	for (size_t i = 0; i < nr_filters; i++)
		if (kinds & 1U << filters[i].kind)
			return true;
	return false;
}

/**
 * filters_for_log() - refuse filters for which the log does not suffice
 *
 * Exits if there is one.
 */
void filters_for_log(void)
{
	if (has_kind(1U << BY_CGROUP))
		die(EXIT_USAGE,
		    "the log has no cgroups: --cgroup and --not-cgroup need the trace event");
	if (filters_need_origin())
		die(EXIT_USAGE,
		    "the log has no executables and no units: --exe and --unit need the trace event");
}

/**
 * filters_need_origin() - find out whether the filters need the event tcp_connect_origin
 *
 * Return: true if they do.
 */
bool filters_need_origin(void)
{
	return has_kind(1U << BY_EXE | 1U << BY_UNIT);
}

/* ---- The kernel's filters ---- */

/* Half of an IPv6 address, or an IPv4 address, as a number */
static unsigned long long number_of(const unsigned char *bytes, int length)
{
	unsigned long long number = 0;

	while (length--)
		number = number << 8 | *bytes++;
	return number;
}

/* Returns the condition that @field, of @width bits, begins with the first @bits of @value. */
static char *range(const char *field, unsigned long long value, int width, int bits, bool negated)
{
	unsigned long long rest = bits >= width ? 0 : ~0ULL >> (64 - width) >> bits;

	return format_text(negated ? "%s < %#llx || %s > %#llx" : "%s >= %#llx && %s <= %#llx",
			   field, value & ~rest, field, value | rest);
}

static char *net_condition(const struct filter *filter)
{
	bool v6 = filter->family == AF_INET6, negated = filter->negated;
	int bits = filter->bits, first = v6 ? 64 : 32;
	const char *and = negated ? "||" : "&&";
	char *high, *low = NULL, *text;

	high = range(v6 ? "daddr6_hi" : "daddr", number_of(filter->addr, first / 8), first,
		     bits < first ? bits : first, negated);
	if (bits > first)
		low = range("daddr6_lo", number_of(filter->addr + 8, 8), 64, bits - 64, negated);
	text = format_text("(family %s %d %s %s%s%s%s%s)", negated ? "!=" : "==", filter->family,
			   and, high, low ? " " : "", low ? and : "", low ? " " : "", low ?: "");
	free(high);
	free(low);
	return text;
}

/*
 * The kernel's patterns differ from fnmatch(3) in brackets and after a backslash, and "?" is one
 * byte of a character (lib/glob.c). "!" at the start negates, and after a digit at the start, "*"
 * is an ordinary character (filter_parse_regex() in kernel/trace/trace_events_filter.c).
 */
static bool kernel_knows(const char *pattern)
{
	return *pattern && *pattern != '!' && !strpbrk(pattern, "?[\\\"") &&
	       !(isdigit((unsigned char)*pattern) && strchr(pattern, '*')) && strlen(pattern) <= 64;
}

/*
 * Pass "*x" as "**x": the kernel would compare "*x" with the end of the field instead of the end of
 * the name, and "*x*" with what is behind the name (regex_match_end() and regex_match_middle()).
 */
static char *text_condition(const struct filter *filter, const char *field)
{
	const char *pattern = filter->pattern;

	if (!kernel_knows(pattern))
		return NULL;
	return format_text("%s%s ~ \"%s%s\"%s", filter->negated ? "!(" : "", field,
			   *pattern == '*' ? "*" : "", pattern, filter->negated ? ")" : "");
}

/*
 * The unit is a directory of the path, perhaps not the one that has this name. So the kernel lets
 * more units through.
 */
static char *unit_condition(const struct filter *filter)
{
	if (filter->negated || !kernel_knows(filter->pattern))
		return NULL;
	return format_text("cgroup_path ~ \"**/%s*\"", filter->pattern);
}

static char *condition(const struct filter *filter)
{
	static const char * const fields[] = {
		[BY_PID] = "pid", [BY_USER] = "uid", [BY_PORT] = "dport", [BY_CGROUP] = "cgroup",
	};

	if (filter->kind == BY_NET)
		return net_condition(filter);
	if (filter->kind == BY_COMM || filter->kind == BY_EXE)
		return text_condition(filter, filter->kind == BY_COMM ? "comm" : "exe");
	if (filter->kind == BY_UNIT)
		return unit_condition(filter);
	return format_text("%s %s %llu", fields[filter->kind], filter->negated ? "!=" : "==",
			   filter->number);
}

/* Append @text to @to, with @between if @to is not empty. Frees @text. */
static void append(char **to, const char *between, char *text)
{
	char *before = *to;

	*to = before ? format_text("%s %s %s", before, between, text) : copy_text(text);
	free(before);
	free(text);
}

/* Returns the filters of one kind, or NULL if the kernel can let everything through. */
static char *conditions(enum filter_kind kind, bool negated)
{
	char *all = NULL, *one, *text;

	for (size_t i = 0; i < nr_filters; i++) {
		if (filters[i].kind != kind || filters[i].negated != negated)
			continue;
		one = condition(&filters[i]);
		if (one) {
			append(&all, negated ? "&&" : "||", one);
		} else if (!negated) {
			free(all);
			return NULL;
		}
	}
	if (!all)
		return NULL;
	text = format_text("(%s)", all);
	free(all);
	return text;
}

/**
 * filters_are_exact() - find out whether the kernel's filter lets through only what matches
 *
 * Return: false if it lets through more names, executables or units.
 */
bool filters_are_exact(void)
{
	for (size_t i = 0; i < nr_filters; i++)
		if (filters[i].kind == BY_UNIT ||
		    ((filters[i].kind == BY_COMM || filters[i].kind == BY_EXE) &&
		     !kernel_knows(filters[i].pattern)))
			return false;
	return true;
}

/**
 * filters_for_kernel() - translate the filters for the kernel
 *
 * Unless filters_are_exact(), the kernel lets more through, so filters_match() or
 * filters_match_comm() must look at them, too.
 *
 * Return: a filter for the trace event, or NULL if there is nothing to filter. The caller frees it.
 */
char *filters_for_kernel(void)
{
	char *all = NULL, *text;

	for (int kind = 0; kind < NR_KINDS; kind++) {
		for (int negated = 0; negated < 2; negated++) {
			text = conditions(kind, negated);
			if (text)
				append(&all, "&&", text);
		}
	}
	return all;
}

/**
 * filters_free() - free all filters
 */
void filters_free(void)
{
	for (size_t i = 0; i < nr_filters; i++)
		free(filters[i].completed);
	free(filters);
	filters = NULL;
	nr_filters = 0;
}
