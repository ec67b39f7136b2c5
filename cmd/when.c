// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Parse times: those in records, and those that users write. The latter are a part of what
 * systemd.time(7) describes, because people know it from journalctl.
 */
#include <limits.h>
#include <string.h>
#include <time.h>

#include "io.h"
#include "record.h"
#include "when.h"

#define NSEC	1000000000ULL
#define DAY	86400ULL

/* Parse the fraction of a second after the point. Returns the text after it, or NULL. */
static const char *take_fraction(const char *text, unsigned long long *nsec)
{
	int digits = strspn(text, "0123456789");

	if (digits < 1 || digits > 9)
		return NULL;
	*nsec = 0;
	for (int i = 0; i < 9; i++)
		*nsec = 10 * *nsec + (i < digits ? *text++ - '0' : 0);
	return text;
}

static bool is_possible(const struct tm *given, const struct tm *normal)
{
	return given->tm_mday == normal->tm_mday && given->tm_mon == normal->tm_mon &&
	       given->tm_hour == normal->tm_hour && given->tm_min == normal->tm_min;
}

/**
 * when_parse() - parse a time as in RFC 3339, in UTC
 * @text: the time: 2026-12-01T08:30:00.123456789Z; the fraction may be shorter or absent
 * @nsec: where to store the time, in nanoseconds since the epoch
 *
 * Return: true if @text is such a time.
 */
bool when_parse(const char *text, unsigned long long *nsec)
{
	struct tm given = { }, normal;
	unsigned long long fraction = 0;
	time_t seconds;

	text = strptime(text, "%Y-%m-%dT%H:%M:%S", &given);
	if (text && *text == '.')
		text = take_fraction(text + 1, &fraction);
	if (!text || strcmp(text, "Z"))
		return false;
	normal = given;
	seconds = timegm(&normal);
	if (seconds < 0 || !is_possible(&given, &normal))
		return false;
	*nsec = seconds * NSEC + fraction;
	return true;
}

/* Parse a duration, such as 2h or 30min. Returns the text after it, or NULL. */
static const char *take_duration(const char *text, unsigned long long *nsec)
{
	static const struct {
		const char *name;
		unsigned long long seconds;
	} units[] = {
		/* Longer names come before their beginnings. */
		{ "seconds", 1 }, { "second", 1 }, { "sec", 1 },
		{ "minutes", 60 }, { "minute", 60 }, { "min", 60 },
		{ "hours", 3600 }, { "hour", 3600 }, { "hr", 3600 },
		{ "days", DAY }, { "day", DAY }, { "weeks", 7 * DAY }, { "week", 7 * DAY },
		{ "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", DAY }, { "w", 7 * DAY },
	};
	unsigned long long number;

	text = take_number(text, 1000000, &number);
	if (!text)
		return NULL;
	text += strspn(text, " ");
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		const char *end = take_word(text, units[i].name);

		if (end) {
			*nsec = number * units[i].seconds * NSEC;
			return end;
		}
	}
	return NULL;
}

static bool parse_relative(const char *text, unsigned long long now, unsigned long long *nsec)
{
	unsigned long long duration;
	char sign = *text;
	const char *end = take_duration(sign == '-' || sign == '+' ? text + 1 : text, &duration);

	if (!end)
		return false;
	if (sign == '+' && !*end) {
		*nsec = now + duration;
		return true;
	}
	*nsec = duration < now ? now - duration : 0;
	return strcmp(end, sign == '-' ? "" : " ago") == 0;
}

/* A date, a time of the day, or both, in local time */
static bool parse_local(const char *text, const struct tm *today, unsigned long long *nsec)
{
	static const char * const formats[] = {
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%H:%M:%S", "%H:%M",
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		struct tm given = *today, normal;
		unsigned long long fraction = 0;
		const char *end = strptime(text, formats[i], &given);
		time_t seconds;

		if (end && *end == '.' && strstr(formats[i], "%S"))
			end = take_fraction(end + 1, &fraction);
		if (!end || *end)
			continue;
		given.tm_isdst = -1;
		normal = given;
		seconds = mktime(&normal);
		if (seconds < 0 || !is_possible(&given, &normal))
			return false;
		*nsec = seconds * NSEC + fraction;
		return true;
	}
	return false;
}

/**
 * when_parse_user() - parse a time that a user has written
 * @text: as for when_parse(), or in local time (2026-12-01 08:30[:00], 2026-12-01, 08:30[:00],
 *	today, yesterday), or relative (now, -2h, 2h ago, +10min), or @SECONDS since the epoch
 * @now: the present time, in nanoseconds since the epoch
 * @nsec: where to store the time
 *
 * Return: true if @text is a time.
 */
bool when_parse_user(const char *text, unsigned long long now, unsigned long long *nsec)
{
	time_t seconds = now / NSEC;
	struct tm today;

	if (when_parse(text, nsec) || parse_relative(text, now, nsec))
		return true;
	*nsec = now;
	if (!strcmp(text, "now"))
		return true;
	if (*text == '@' && parse_number(text + 1, ULLONG_MAX / NSEC, nsec)) {
		*nsec *= NSEC;
		return true;
	}

	localtime_r(&seconds, &today);
	today.tm_hour = 0;
	today.tm_min = 0;
	today.tm_sec = 0;
	today.tm_isdst = -1;
	if (!strcmp(text, "yesterday"))
		today.tm_mday--;
	if (!strcmp(text, "today") || !strcmp(text, "yesterday")) {
		*nsec = mktime(&today) * NSEC;
		return true;
	}
	return parse_local(text, &today, nsec);
}
