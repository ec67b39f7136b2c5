/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Write connections as JSON.
 */
#ifndef JSON_H
#define JSON_H

#include "record.h"

/** define JSON_LEN - size of the longest line that json_traced() writes */
#define JSON_LEN	2560

/** define JSON_TIME_LEN - size of a time, with its NUL */
#define JSON_TIME_LEN	sizeof("2000-01-01T00:00:00.000000000Z")

/** enum json_field - the members of the object, in their order */
enum json_field {
	JSON_TIME, JSON_PID, JSON_UID, JSON_USER, JSON_COMM, JSON_FAMILY, JSON_DADDR, JSON_DPORT,
	JSON_RET, JSON_NETNS, JSON_CGROUP, JSON_COOKIE, NR_JSON_FIELDS
};

/** define JSON_ALL - bit mask of all members */
#define JSON_ALL	((1U << NR_JSON_FIELDS) - 1)

/** define JSON_LOG - bit mask of the members that a record of the log has */
#define JSON_LOG	((1U << JSON_RET) - 1)

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
size_t json_plain(const struct traced *traced, enum json_field field, char *text);
size_t json_loss(const struct loss *loss, char line[JSON_LEN]);
size_t json_gap(unsigned long long nsec, unsigned long long since, char line[JSON_LEN]);
size_t json_traced(const struct traced *traced, unsigned int fields, char line[JSON_LEN]);

#endif /* JSON_H */
