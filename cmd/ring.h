/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Read the trace events from the ring buffer of a trace instance.
 */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stddef.h>
#include <tracefs.h>

#include "record.h"

/** define RING_MIB - default size of the buffers of all CPUs together, in MiB */
#define RING_MIB	64UL

/**
 * struct ring_totals - counts of the kernel, since the buffer was made or cleared
 * @read: events that have been read
 * @waiting: events that have yet to be read
 * @lost: events for which there was no room
 */
struct ring_totals {
	unsigned long long read, waiting, lost;
};

struct begun;
struct ring;

struct ring *ring_open(struct tracefs_instance *instance, size_t size, const char *filter,
		       bool origin, struct begun *begun);
void ring_begin(struct ring *ring, bool all);
const struct traced *ring_next(struct ring *ring);
void ring_expect_result(struct ring *ring, const struct traced *traced, const char *label);
bool ring_lacks_records(struct ring *ring);
unsigned long long ring_left_out(struct ring *ring);
struct ring_totals ring_totals(const struct ring *ring);
bool ring_busiest(struct ring *ring, struct busiest *busiest);
bool ring_wait(struct ring *ring, int timeout);
void ring_stop(struct ring *ring);
void ring_close(struct ring *ring);

#endif /* RING_H */
