/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the module's lines come from, and for how long.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>

/* Exit statuses, those of tcp-connect-logger(8) */
enum status { DONE = 0, FAILED = 1, USAGE = 2, NOT_PERMITTED = 4 };

/** define MESSAGE_LEN - of a message with its NUL: PRINTKRB_RECORD_MAX of the kernel, and more */
#define MESSAGE_LEN	2048

/**
 * struct message - a line of the kernel's log
 * @usec: when, in microseconds since the epoch
 * @lost: how many lines the log has lost before it
 * @text: without level and time, NUL-terminated; empty if it is not the kernel's
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
