/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Read what the recorder has stored.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>

#include "groups.h"
#include "json.h"

/** enum stored_kind - what an object in the files is */
enum stored_kind { STORED_RECORD, STORED_LOSS, STORED_GAP, STORED_DAMAGED };

/**
 * struct stored - an object in the files
 * @kind: what it is, which determines the member that is used
 * @nsec: its time in nanoseconds since the epoch; all kinds but STORED_DAMAGED have it
 * @traced: a connection, or the result of one; its strings are in the members below
 * @loss: what was lost; its @reason and @busiest point to the members below
 * @since: begin of a gap, in nanoseconds since the epoch
 * @group: what the cgroup of the process belongs to
 * @parents: its parents
 * @exe: its executable
 * @cmdline: its command line
 * @cgroup_path: its cgroup
 * @unit: its unit
 * @container: its container
 * @container_name: the name of the container
 * @pod: its pod
 * @domain: the name of the destination
 * @domain_source: how the name was found
 */
struct stored {
	enum stored_kind kind;
	unsigned long long nsec;
	struct traced traced;
	struct loss loss;
	struct busiest busiest;
	char reason[128];
	unsigned long long since;
	struct group group;
	struct parent parents[MOST_PARENTS];
	char exe[2048], cmdline[2048], cgroup_path[1024], unit[ID_LEN], container[ID_LEN],
	     container_name[ID_LEN], pod[ID_LEN], domain[ID_LEN], domain_source[16];
};

void stored_parse(const char *line, size_t length, struct stored *entry);

struct history;

struct history *history_open(const char *directory, unsigned long long since);
void history_last(struct history *history, unsigned long long number,
		  bool (*counts)(const struct stored *stored));
bool history_next(struct history *history, struct stored *entry);
bool history_wait(struct history *history, int timeout);
void history_close(struct history *history);

#endif /* HISTORY_H */
