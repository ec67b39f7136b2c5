/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Write connections as JSON.
 */
#ifndef JSON_H
#define JSON_H

#include "ring.h"

/** define JSON_LEN - size of the longest line that json_traced() writes */
#define JSON_LEN	768

/** define JSON_TIME_LEN - size of a time, with its NUL */
#define JSON_TIME_LEN	sizeof("2000-01-01T00:00:00.000000000Z")

/** enum json_field - the members of the object, in their order */
enum json_field {
	JSON_TIME, JSON_PID, JSON_UID, JSON_COMM, JSON_FAMILY, JSON_DADDR, JSON_DPORT, JSON_RET,
	JSON_NETNS, JSON_CGROUP, JSON_COOKIE, NR_JSON_FIELDS
};

extern const char * const json_fields[NR_JSON_FIELDS];

void json_time(unsigned long long nsec, char text[JSON_TIME_LEN]);
void json_now(char text[JSON_TIME_LEN]);
size_t json_traced(const struct traced *traced, unsigned int fields, char line[JSON_LEN]);

#endif /* JSON_H */
