/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Count connections by what they have in common, such as name and destination.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stddef.h>

#include "record.h"

/** define NET4_BYTES - length of an IPv4 network in GROUP_NET */
#define NET4_BYTES	3

/** define NET6_BYTES - length of an IPv6 network in GROUP_NET */
#define NET6_BYTES	8

/** enum row_group - what the connections of a row have in common */
enum row_group {
	/** @GROUP_DESTINATION: the name of the process, and the destination */
	GROUP_DESTINATION,
	/** @GROUP_USER: the user */
	GROUP_USER,
	/** @GROUP_NET: the network of the destination */
	GROUP_NET,
	/** @GROUP_PORT: the port of the destination */
	GROUP_PORT,
	/** @GROUP_UNIT: systemd's unit */
	GROUP_UNIT,
	/** @GROUP_CONTAINER: the container */
	GROUP_CONTAINER,
	/** @GROUP_EXE: the executable */
	GROUP_EXE,
	NR_GROUPS
};

/** enum row_order - how to sort rows; those with the most connections come first */
enum row_order {
	/** @ORDER_COUNT: by the number of connections since the start */
	ORDER_COUNT,
	/** @ORDER_NEW: by their number since the previous table, which is their rate */
	ORDER_NEW,
	/** @ORDER_LATENCY: by the average latency */
	ORDER_LATENCY
};

/**
 * struct row - connections that have something in common
 * @record: what they have in common; all other members are 0. The kernel's histograms have no
 *	port for IPv6 if there is a name, so the port is 0 then.
 * @label: from GROUP_UNIT on, the name that they have in common, from rows_label(); otherwise NULL
 * @outcome: what became of them, see enum result, or NR_RESULTS if that does not matter
 * @count: number of connections since the start
 * @latency: sum of their latencies, in nanoseconds
 * @longest: the longest one
 * @before: value of @count in the previous table
 * @kept: value of @count after rows_reset()
 * @last: order of the last connection; it is larger for a newer one
 */
struct row {
	struct record record;
	const char *label;
	enum result outcome;
	unsigned long long count, latency, longest, before, kept, last;
};

/**
 * struct rows - all rows
 * @group: what the connections of a row have in common; to be set while there are no rows
 * @rows: the rows
 * @number: number of rows
 * @total: number of connections, including those in expired rows
 * @expired: number of connections in expired rows
 * @kept: value of @total after rows_reset(), without @expired
 */
struct rows {
	enum row_group group;
	struct row **rows;
	size_t number;
	unsigned long long total;
	unsigned long long expired;
	unsigned long long kept;
};

extern struct rows rows;

const char *rows_label(const char *name);
void rows_add(const struct record *record, unsigned long long count);
void rows_add_result(const struct traced *traced, const char *label, enum result outcome);
void rows_reset(void);
void rows_keep(void);
void rows_sort(enum row_order order);
unsigned long long row_latency(const struct row *row);
unsigned long long row_new(const struct row *row);
void rows_shown(void);
void rows_free(void);

#endif /* ROWS_H */
