/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Read the module's lines from the log, and wait for more.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>

/* Exit statuses; see tcp-connect-logger(8) */
enum status { DONE = 0, FAILED = 1, USAGE = 2, NOT_PERMITTED = 4 };

/** define MESSAGE_LEN - size of a message with its NUL, above PRINTKRB_RECORD_MAX */
#define MESSAGE_LEN	2048

/**
 * struct message - a line of the kernel's log
 * @usec: time in microseconds since the epoch
 * @lost: number of lines that were lost before this one
 * @text: the line without level and time; empty if the kernel did not write it
 */
struct message {
	unsigned long long usec;
	unsigned long long lost;
	char text[MESSAGE_LEN];
};

struct source;

unsigned long long monotonic_usec(void);
void catch_end(void);
bool wait_for(struct source *source, int timeout);
void flush_output(void);

struct source *source_open(bool kmsg);
bool source_next(struct source *source, struct message *message);
void source_close(struct source *source);

void say_state(bool logging_matters);

#endif /* SOURCE_H */
