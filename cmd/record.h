/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Parse the lines that the module prints; see tcp_connect_logger(4).
 */
#ifndef RECORD_H
#define RECORD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** define PREFIX - beginning of each line from the module */
#define PREFIX		"tcp_connect_logger: "

/** define COMM_LEN - size of a process's name and its NUL: the kernel's TASK_COMM_LEN */
#define COMM_LEN	16

/* The module's function that escapes the name */
typedef uint8_t u8;
#define TASK_COMM_LEN	COMM_LEN
#include "../src/comm.h"

/** define PID_MOST - the largest process ID: the kernel's PID_MAX_LIMIT */
#define PID_MOST	4194304

/** define DESTINATION_LEN - size of the longest destination: [ADDRESS%SCOPE]:PORT */
#define DESTINATION_LEN	(INET6_ADDRSTRLEN + sizeof("[%4294967295]:65535"))

/** define RECORD_LEN - size of the longest record_line(), with its NUL */
#define RECORD_LEN	(sizeof("pid=4194304 uid=4294967295 comm= -> ") + TCL_COMM_LEN + \
			 DESTINATION_LEN)

/**
 * struct record - an outbound connection
 * @pid: process ID in the initial pid namespace
 * @uid: user ID in the initial user namespace
 * @comm: unescaped name of the process; may contain any bytes
 * @family: AF_INET or AF_INET6
 * @addr: destination address in network byte order; IPv4 uses the first 4 bytes
 * @scope: interface index of a link-local address, or 0
 * @port: destination port
 */
struct record {
	int pid;
	unsigned int uid;
	char comm[COMM_LEN];
	int family;
	unsigned char addr[sizeof(struct in6_addr)];
	unsigned int scope;
	unsigned int port;
};

/**
 * struct traced - a connection with its time, from the trace event or from the log
 * @nsec: time in nanoseconds since the epoch
 * @record: process and destination
 * @known: bit mask of the members that are known, see enum json_field
 * @result: what the kernel's function returned: 0 if it sent a SYN, or a negative errno
 * @netns: inode number of the socket's network namespace
 * @cgroup: ID of the process's cgroup
 * @cookie: cookie of the socket
 */
struct traced {
	unsigned long long nsec;
	struct record record;
	unsigned int known;
	int result;
	unsigned int netns;
	unsigned long long cgroup;
	unsigned long long cookie;
};

/**
 * struct busiest - the process that has made the most connections
 * @record: its @pid and @comm
 * @count: how many it has made
 */
struct busiest {
	struct record record;
	unsigned long long count;
};

/**
 * struct report - how many connections were suppressed since the previous report
 * @count: the number of connections
 * @reason: why they were suppressed: "rate_limit=1000" or "slow console"
 */
struct report {
	unsigned long long count;
	char reason[sizeof("rate_limit=4294967295")];
};

/** enum line_kind - type of a line of the kernel's log */
enum line_kind {
	/** @LINE_FOREIGN: not printed by the module */
	LINE_FOREIGN,
	/** @LINE_RECORD: a connection */
	LINE_RECORD,
	/** @LINE_REPORT: the number of suppressed connections */
	LINE_REPORT,
	/** @LINE_OTHER: any other line from the module */
	LINE_OTHER,
};

/**
 * struct line - a line of the kernel's log
 * @kind: type of the line, which determines the members that are used
 * @record: the connection
 * @report: the suppressed connections
 */
struct line {
	enum line_kind kind;
	struct record record;
	struct report report;
};

const char *take_number(const char *text, unsigned long long most, unsigned long long *value);
const char *take_word(const char *text, const char *word);

void line_parse(const char *text, int level, struct line *line);

const char *record_family(const struct record *record);
const char *record_address(const struct record *record, char text[DESTINATION_LEN]);
const char *record_destination(const struct record *record, char text[DESTINATION_LEN]);
const char *record_line(const struct record *record, char text[RECORD_LEN]);

#endif /* RECORD_H */
