/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An entry of the journal or of /dev/kmsg, checked and parsed.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

/** define MESSAGE_LEN - size of a line with its NUL, above the kernel's PRINTK_MESSAGE_MAX */
#define MESSAGE_LEN	2049

/**
 * define JOURNAL_MISSED - the ID of "Missed N kernel messages"
 *
 * SD_MESSAGE_JOURNAL_MISSED in journald-kmsg.c
 */
#define JOURNAL_MISSED "e9bf28e6e834481bb6f48f548ad13606"

/**
 * struct message - a line of the kernel's log, and what was lost before it
 * @usec: time in microseconds since the epoch
 * @stamp: the kernel's time stamp in microseconds; 0 if it is not known
 * @lost: number of lines that were lost before this one
 * @line: what the line is
 * @text: the line without level and time, if it is one of the module's
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
 * @context: what to call @get with
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
