/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Read what the recorder has stored.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>

#include "json.h"

/** enum stored_kind - what an object in the files is */
enum stored_kind { STORED_RECORD, STORED_LOSS, STORED_GAP, STORED_DAMAGED };

/**
 * struct stored - an object in the files
 * @kind: what it is, which determines the member that is used
 * @nsec: its time in nanoseconds since the epoch; all kinds but STORED_DAMAGED have it
 * @traced: a connection
 * @loss: what was lost; its @reason and @busiest point to the members below
 * @since: begin of a gap, in nanoseconds since the epoch
 */
struct stored {
	enum stored_kind kind;
	unsigned long long nsec;
	struct traced traced;
	struct loss loss;
	struct busiest busiest;
	char reason[128];
	unsigned long long since;
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
