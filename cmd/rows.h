/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Count connections by name and destination.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stddef.h>

#include "record.h"

/**
 * struct row - connections from one process name to one destination
 * @record: name and destination; all other members are 0. The kernel's histograms do not
 *	give a port for IPv6, which is then 0.
 * @count: number of connections since the start
 * @before: value of @count in the previous table
 * @last: the newer the last connection, the larger
 */
struct row {
	struct record record;
	unsigned long long count, before, last;
};

/**
 * struct rows - all rows
 * @rows: the rows
 * @number: how many
 * @total: number of connections, also of expired rows
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
