// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Select the records that the user wants to see. A filter that no record can match is a mistake of
 * the user, so it is refused with an explanation.
 */
#include <arpa/inet.h>
#include <fnmatch.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "filter.h"
#include "io.h"

/**
 * struct filter - a filter option of the command line
 * @kind: type of the filter, which determines the members that are used
 * @pattern: pattern for the name of the process
 * @number: process ID, user ID or port
 * @family: address family of the network
 * @addr: address of the network in network byte order
 * @bits: prefix length of the network
 */
struct filter {
	enum filter_kind kind;
	const char *pattern;
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

/**
 * filter_add() - add a filter option of the command line
 * @kind: type of the filter
 * @text: the value of the option, which must remain valid
 *
 * Exits if the value is invalid.
 */
void filter_add(enum filter_kind kind, const char *text)
{
	struct filter filter = { .kind = kind, .pattern = text };

	switch (kind) {
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

static bool meets(const struct filter *filter, const struct record *record)
{
	switch (filter->kind) {
	case BY_COMM:
		return !fnmatch(filter->pattern, record->comm, 0);
	case BY_PID:
		return (unsigned int)record->pid == filter->number;
	case BY_USER:
		return record->uid == filter->number;
	case BY_PORT:
		return record->port == filter->number;
	default:
		return in_net(filter, record);
	}
}

/**
 * filters_match() - find out whether the user wants to see a record
 * @record: the record
 *
 * Return: true if at least one filter of each given kind matches.
 */
bool filters_match(const struct record *record)
{
	bool asked[NR_KINDS] = { false }, met[NR_KINDS] = { false };

	for (size_t i = 0; i < nr_filters; i++) {
		asked[filters[i].kind] = true;
		met[filters[i].kind] |= meets(&filters[i], record);
	}
	return !memcmp(asked, met, sizeof(met));
}

/**
 * filters_free() - free all filters
 */
void filters_free(void)
{
	free(filters);
	filters = NULL;
	nr_filters = 0;
}
