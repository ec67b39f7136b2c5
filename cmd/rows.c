// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Count connections by what they have in common, in bounded memory. When there are too many rows,
 * the rows with the fewest connections expire. Among those with equal counts, the oldest rows
 * expire first. So a process that connects once to each of many destinations does not displace busy
 * rows.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "rows.h"

/* More rows than the kernel's histograms can fill: two histograms of 16384 rows */
static size_t most_rows = 40000;

/** var rows - all rows */
struct rows rows;

static void *tree;	/* the same rows, for tsearch(3) */
static size_t room;	/* allocated size of rows.rows */

/* Padding is always 0, because records are cleared before they are filled in. */
static int compare_records(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = memcmp(&x->record, &y->record, sizeof(x->record));

	if (!order && x->label != y->label)
		order = strcmp(x->label ?: "", y->label ?: "");
	return order ?: (int)x->outcome - (int)y->outcome;
}

static int compare_counts(const void *a, const void *b)
{
	const struct row *x = *(struct row * const *)a, *y = *(struct row * const *)b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return compare_records(x, y);
}

/* Since the previous table */
static int compare_new(const void *a, const void *b)
{
	const struct row *x = *(struct row * const *)a, *y = *(struct row * const *)b;
	unsigned long long m = row_new(x), n = row_new(y);

	return m != n ? (m < n ? 1 : -1) : compare_counts(a, b);
}

/* The slowest first */
static int compare_latencies(const void *a, const void *b)
{
	const struct row *x = *(struct row * const *)a, *y = *(struct row * const *)b;
	unsigned long long m = row_latency(x), n = row_latency(y);

	return m != n ? (m < n ? 1 : -1) : compare_counts(a, b);
}

/* The rows to keep come first. */
static int compare_worth(const void *a, const void *b)
{
	const struct row *x = *(struct row * const *)a, *y = *(struct row * const *)b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->last < y->last ? 1 : x->last > y->last ? -1 : 0;
}

/* Remove a quarter of the rows at a time, because sorting takes a while. */
static void expire(void)
{
	size_t keep = most_rows - most_rows / 4;

	qsort(rows.rows, rows.number, sizeof(*rows.rows), compare_worth);
	while (rows.number > keep) {
		struct row *row = rows.rows[--rows.number];

		rows.expired += row->count;
		tdelete(row, &tree, compare_records);
		free(row);
	}
}

static struct row *new_row(const struct row *key)
{
	struct row *row = malloc(sizeof(*row));

	if (rows.number >= most_rows)
		expire();
	if (rows.number == room) {
		room = room ? 2 * room : 64;
		rows.rows = reallocarray(rows.rows, room, sizeof(*rows.rows));
	}
	if (!row || !rows.rows)
		die_errno("cannot add a row");
	*row = *key;
	if (!tsearch(row, &tree, compare_records))
		die_errno("cannot add a row");
	rows.rows[rows.number++] = row;
	return row;
}

/* Copy what the connections of a row have in common. */
static void set_key(struct record *key, const struct record *record)
{
	switch (rows.group) {
	case GROUP_USER:
		key->uid = record->uid;
		break;
	case GROUP_NET:
		key->family = record->family;
		memcpy(key->addr, record->addr,
		       record->family == AF_INET6 ? NET6_BYTES : NET4_BYTES);
		break;
	case GROUP_PORT:
		key->port = record->port;
		break;
	case GROUP_UNIT:
	case GROUP_CONTAINER:
	case GROUP_EXE:
		break;
	default:
		memcpy(key->comm, record->comm, sizeof(key->comm));
		key->family = record->family;
		memcpy(key->addr, record->addr, sizeof(key->addr));
		key->scope = record->scope;
		key->port = record->port;
	}
}

static void *labels;
static size_t nr_labels;

static int compare_labels(const void *a, const void *b)
{
	return strcmp(a, b);
}

/**
 * rows_label() - get a name for rows
 * @name: the name
 *
 * Return: a copy of the name, the same for each call; or another name if there are too many. It is
 * valid for ever.
 */
const char *rows_label(const char *name)
{
	char **found = tfind(name, &labels, compare_labels);

	if (found)
		return *found;
	if (nr_labels >= most_rows)
		return "(others)";
	nr_labels++;
	found = tsearch(copy_text(name), &labels, compare_labels);
	if (!found)
		die_errno("cannot add a row");
	return *found;
}

static struct row *add(const struct record *record, const char *label, enum result outcome,
		       unsigned long long count)
{
	struct row key, *row, **found;

	memset(&key, 0, sizeof(key));
	set_key(&key.record, record);
	key.label = label;
	key.outcome = outcome;
	found = tfind(&key, &tree, compare_records);
	row = found ? *found : new_row(&key);
	row->count += count;
	rows.total += count;
	row->last = rows.total;
	return row;
}

/**
 * rows_add() - count connections
 * @record: what they have in common; other members are ignored
 * @count: number of connections
 */
void rows_add(const struct record *record, unsigned long long count)
{
	add(record, NULL, NR_RESULTS, count);
}

/**
 * rows_add_result() - count a connection by its label, or by what became of it
 * @traced: the connection, or its result
 * @label: the label, or NULL
 * @outcome: what became of it, or NR_RESULTS if that does not matter
 */
void rows_add_result(const struct traced *traced, const char *label, enum result outcome)
{
	struct row *row = add(&traced->record, label, outcome, 1);

	row->latency += traced->latency;
	if (row->longest < traced->latency)
		row->longest = traced->latency;
}

/**
 * rows_reset() - set all counts to 0, or to those that rows_keep() has kept
 */
void rows_reset(void)
{
	for (size_t i = 0; i < rows.number; i++)
		rows.rows[i]->count = rows.rows[i]->kept;
	rows.total = rows.kept + rows.expired;
}

/**
 * rows_keep() - let the next counts be added to the present ones
 */
void rows_keep(void)
{
	for (size_t i = 0; i < rows.number; i++)
		rows.rows[i]->kept = rows.rows[i]->count;
	rows.kept = rows.total - rows.expired;
}

/**
 * rows_sort() - sort the rows for a table
 * @order: by what
 */
void rows_sort(enum row_order order)
{
	if (rows.number)	/* otherwise, rows.rows may be NULL */
		qsort(rows.rows, rows.number, sizeof(*rows.rows),
		      order == ORDER_NEW ? compare_new :
		      order == ORDER_LATENCY ? compare_latencies : compare_counts);
}

/**
 * row_latency() - get the average latency
 * @row: the row
 *
 * Return: it in nanoseconds.
 */
unsigned long long row_latency(const struct row *row)
{
	return row->count ? row->latency / row->count : 0;
}

/**
 * row_new() - get the number of connections since the previous table
 * @row: the row
 *
 * Return: the number.
 */
unsigned long long row_new(const struct row *row)
{
	return row->count - row->before;
}

/**
 * rows_shown() - remember the counts that the last table has shown
 */
void rows_shown(void)
{
	for (size_t i = 0; i < rows.number; i++)
		rows.rows[i]->before = rows.rows[i]->count;
}

/**
 * rows_free() - free all rows, and group by destination again
 */
void rows_free(void)
{
	tdestroy(tree, free);
	free(rows.rows);
	tree = NULL;
	room = 0;
	rows = (struct rows){ 0 };
}
