/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Read the trace event from the ring buffer of a trace instance.
 */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

/** define RING_SIZE - default size of the buffers of all CPUs together, in bytes */
#define RING_SIZE	(64UL << 20)

/**
 * struct traced - a connection, as the trace event has it
 * @nsec: time in nanoseconds since the epoch
 * @record: process and destination
 * @result: what the kernel's function returned: 0 if it sent a SYN, or a negative errno
 * @netns: inode number of the socket's network namespace
 * @cgroup: ID of the process's cgroup
 * @cookie: cookie of the socket
 */
struct traced {
	unsigned long long nsec;
	struct record record;
	int result;
	unsigned int netns;
	unsigned long long cgroup;
	unsigned long long cookie;
};

/**
 * struct ring_totals - counts of the kernel, since the buffer was made or cleared
 * @read: records that have been read
 * @waiting: records that have yet to be read
 * @lost: records for which there was no room
 */
struct ring_totals {
	unsigned long long read, waiting, lost;
};

struct ring;

bool ring_exists(void);
struct ring *ring_open(const char *name, size_t size, const char *filter);
bool ring_is_new(const struct ring *ring);
void ring_begin(struct ring *ring, bool all);
bool ring_next(struct ring *ring, struct traced *traced);
bool ring_lacks_records(struct ring *ring);
struct ring_totals ring_totals(const struct ring *ring);
bool ring_wait(struct ring *ring, int timeout);
void ring_stop(struct ring *ring);
void ring_close(struct ring *ring, bool keep);

#endif /* RING_H */
