/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Write connections as JSON.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>

#include "record.h"

/** define JSON_LEN - size of the longest line that json_traced() writes */
#define JSON_LEN	49152

/** define JSON_TIME_LEN - size of a time, with its NUL */
#define JSON_TIME_LEN	sizeof("2000-01-01T00:00:00.000000000Z")

/** enum json_field - the members of the object, in their order */
enum json_field {
	JSON_TIME, JSON_PID, JSON_TID, JSON_UID, JSON_USER, JSON_COMM, JSON_START, JSON_EXE,
	JSON_CMDLINE, JSON_PPID, JSON_PARENTS, JSON_UNIT, JSON_CONTAINER, JSON_CONTAINER_NAME,
	JSON_POD, JSON_CGROUP_PATH, JSON_FAMILY, JSON_DADDR, JSON_DPORT, JSON_RET, JSON_NETNS,
	JSON_CGROUP, JSON_SADDR,
	/* What comes before differs only if traced->content does. */
	JSON_SPORT, JSON_COOKIE, JSON_DOMAIN, JSON_DOMAIN_SOURCE,
	/* Only of results */
	JSON_RESULT, JSON_LATENCY,
	NR_JSON_FIELDS
};

/** define JSON_BIT - bit of a member */
#define JSON_BIT(field)	(1U << (field))

/** define JSON_ALL - bit mask of all members */
#define JSON_ALL	(JSON_BIT(NR_JSON_FIELDS) - 1)

/** define JSON_LOG - bit mask of the members that a record of the log has */
#define JSON_LOG	(JSON_BIT(JSON_TIME) | JSON_BIT(JSON_PID) | JSON_BIT(JSON_UID) | \
			 JSON_BIT(JSON_USER) | JSON_BIT(JSON_COMM) | JSON_BIT(JSON_FAMILY) | \
			 JSON_BIT(JSON_DADDR) | JSON_BIT(JSON_DPORT))

/** define JSON_LEAN - bit mask of the members that the event tcp_connect has */
#define JSON_LEAN	(JSON_LOG | JSON_BIT(JSON_RET) | JSON_BIT(JSON_NETNS) | \
			 JSON_BIT(JSON_CGROUP) | JSON_BIT(JSON_COOKIE))

/** define JSON_OF_RESULT - bit mask of the members that only a result has */
#define JSON_OF_RESULT	(JSON_BIT(JSON_RESULT) | JSON_BIT(JSON_LATENCY))

/**
 * json_is_result() - find out whether this is a result
 * @traced: a connection, or the result of one
 *
 * Return: true if it is a result.
 */
static inline bool json_is_result(const struct traced *traced)
{
	return traced->known & JSON_BIT(JSON_RESULT);
}

/** define JSON_OF_NAME - bit mask of the members that follow and record have with --names */
#define JSON_OF_NAME	(JSON_BIT(JSON_DOMAIN) | JSON_BIT(JSON_DOMAIN_SOURCE))

/** define JSON_ORIGIN - bit mask of the members that only the event tcp_connect_origin has */
#define JSON_ORIGIN	(JSON_ALL & ~(JSON_LEAN | JSON_OF_RESULT | JSON_OF_NAME))

/**
 * struct loss - connections, or lines of the log, that were lost
 * @nsec: time in nanoseconds since the epoch
 * @count: how many
 * @of_log: they are lines of the kernel's log
 * @past: the loss was recorded earlier
 * @reason: why they were lost
 * @busiest: the process that made the most connections meanwhile, or NULL if it is not known
 */
struct loss {
	unsigned long long nsec, count;
	bool of_log, past;
	const char *reason;
	const struct busiest *busiest;
};

extern const char * const json_fields[NR_JSON_FIELDS];

void json_time(unsigned long long nsec, int digits, char text[JSON_TIME_LEN]);
int json_digits(const struct traced *traced);
unsigned int json_members(const struct traced *traced, unsigned int fields);
bool json_has(const struct traced *traced, enum json_field field);
int json_take_field(char **list);
unsigned int json_parse_fields(const char *list);
size_t json_plain(const struct traced *traced, enum json_field field, char *text);
size_t json_loss(const struct loss *loss, char line[JSON_LEN]);
size_t json_gap(unsigned long long nsec, unsigned long long since, char line[JSON_LEN]);
size_t json_traced(const struct traced *traced, unsigned int fields, char line[JSON_LEN]);

#endif /* JSON_H */
