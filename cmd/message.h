/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Check and parse entries of the journal and of /dev/kmsg.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

/** define MESSAGE_LEN - size of a line and its NUL, larger than the kernel's PRINTK_MESSAGE_MAX */
#define MESSAGE_LEN	2049

/**
 * define JOURNAL_MISSED - message ID of "Missed N kernel messages"
 *
 * It is SD_MESSAGE_JOURNAL_MISSED in journald-kmsg.c.
 */
#define JOURNAL_MISSED "e9bf28e6e834481bb6f48f548ad13606"

/**
 * struct message - a line of the kernel's log, and the number of lines lost before it
 * @usec: time in microseconds since the epoch
 * @stamp: the kernel's time stamp in microseconds; 0 if it is not known
 * @lost: number of lines that were lost before this one
 * @line: the parsed line
 * @text: the line without level and time, if it is from the module
 */
struct message {
	unsigned long long usec;
	unsigned long long stamp;
	unsigned long long lost;
	struct line line;
	char text[MESSAGE_LEN];
};

/**
 * struct journal_entry - an entry of the journal
 * @get: gets the value of a field, which is not NUL-terminated, and its length; returns NULL if
 *	there is no such field
 * @context: first argument of @get
 */
struct journal_entry {
	const char *(*get)(void *context, const char *name, size_t *length);
	void *context;
};

bool message_from_kmsg(const char *entry, size_t length, struct message *message,
		       unsigned long long *sequence);
void message_from_journal(const struct journal_entry *entry, struct message *message);
unsigned long long journal_stamp(const struct journal_entry *entry);
const char *message_text(const struct message *message);

#endif /* MESSAGE_H */
