/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Count connections by name and destination.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stddef.h>

#include "record.h"

/**
 * struct row - connections from one process name to one destination
 * @record: name and destination; all other members are 0. The kernel's histograms have no port
 *	for IPv6, so the port is 0 then.
 * @count: number of connections since the start
 * @before: value of @count in the previous table
 * @last: order of the last connection; it is larger for a newer one
 */
struct row {
	struct record record;
	unsigned long long count, before, last;
};

/**
 * struct rows - all rows
 * @rows: the rows
 * @number: number of rows
 * @total: number of connections, including those in expired rows
 * @expired: number of connections in expired rows
 */
struct rows {
	struct row **rows;
	size_t number;
	unsigned long long total;
	unsigned long long expired;
};

extern struct rows rows;

void rows_add(const struct record *record, unsigned long long count);
void rows_reset(void);
void rows_sort(void);
void rows_shown(void);
void rows_free(void);

#endif /* ROWS_H */
