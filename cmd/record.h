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

/** define MOST_PARENTS - how many parents are known at most: TCL_MOST_PARENTS in src/origin.h */
#define MOST_PARENTS	16

/**
 * struct parent - a process in the chain of parents: struct tcl_parent in src/origin.h
 * @pid: its process ID
 * @uid: its user ID
 * @start: when it was started, in nanoseconds since the machine booted
 * @comm: its name
 */
struct parent {
	int pid;
	unsigned int uid;
	unsigned long long start;
	char comm[COMM_LEN];
};

/** enum result - what became of a connection */
enum result {
	/** @RESULT_ESTABLISHED: the peer has accepted it */
	RESULT_ESTABLISHED,
	/** @RESULT_REFUSED: the peer has refused it */
	RESULT_REFUSED,
	/** @RESULT_TIMED_OUT: there was no answer */
	RESULT_TIMED_OUT,
	/** @RESULT_UNREACHABLE: there is no way to the peer */
	RESULT_UNREACHABLE,
	/** @RESULT_RESET: the peer has answered, and then refused it */
	RESULT_RESET,
	/** @RESULT_CLOSED: the process has closed the socket before there was an answer */
	RESULT_CLOSED,
	/** @RESULT_FAILED: there was another error */
	RESULT_FAILED,
	NR_RESULTS
};

/**
 * struct traced - a connection with its time, from the trace event or from the log
 * @nsec: time in nanoseconds since the epoch
 * @cookie: cookie of the socket
 * @sport: the socket's own port, or 0
 * @content: two connections with the same number differ only in the members above and in @domain; 0
 *	if this is not known
 * @process: two connections with the same number are from the same process, and what is known about
 *	it is the same; 0 if this is not known
 * @known: bit mask of the members that are known, see enum json_field
 * @record: process and destination
 * @result: what the kernel's function returned: 0 if it sent a SYN, or a negative errno; of a
 *	result: 0 if the connection is established, or a negative errno
 * @netns: inode number of the socket's network namespace
 * @cgroup: ID of the process's cgroup
 * @source: the socket's own address in network byte order, of the same family as the destination
 * @tid: ID of the thread
 * @ppid: process ID of the parent
 * @start: when the process was started, in nanoseconds since the machine booted
 * @parents: the chain of parents
 * @nr_parents: how many
 * @exe: path of the executable
 * @cmdline: the command line
 * @cgroup_path: path of the process's cgroup
 * @group: what the path tells
 * @domain: name of the destination
 * @domain_source: how the name was found
 * @latency: of a result: nanoseconds since the connection was begun
 * @label: of a result: what ring_expect_result() was given
 *
 * The strings are valid until the next record is read.
 */
struct traced {
	unsigned long long nsec, cookie;
	unsigned int sport, content, process, known;
	struct record record;
	int result;
	unsigned int netns;
	unsigned long long cgroup;
	unsigned char source[sizeof(struct in6_addr)];
	int tid, ppid;
	unsigned long long start;
	const struct parent *parents;
	size_t nr_parents;
	const char *exe, *cmdline, *cgroup_path;
	const struct group *group;
	const char *domain, *domain_source;
	unsigned long long latency;
	const char *label;
};

extern const char * const result_names[NR_RESULTS];

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

enum result result_of(int result);
const char *record_family(const struct record *record);
bool address_is_linklocal(const unsigned char addr[16]);
const char *address_text(int family, const unsigned char *addr, char text[DESTINATION_LEN]);
const char *record_address(const struct record *record, char text[DESTINATION_LEN]);
const char *record_destination(const struct record *record, char text[DESTINATION_LEN]);
const char *record_line(const struct record *record, char text[RECORD_LEN]);

#endif /* RECORD_H */
