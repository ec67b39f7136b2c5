/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Wait for input, write output, and end when a signal says so, whatever blocks.
 */
#ifndef IO_H
#define IO_H

#include <getopt.h>
#include <poll.h>
#include <stdbool.h>

/* Exit statuses; see tcp-connect-logger(8) */
enum status { DONE = 0, FAILED = 1, USAGE = 2, NOT_PERMITTED = 4 };

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void die(enum status status, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
void die_errno(const char *what) __attribute__((noreturn));

int next_option(int argc, char **argv, const struct option *options, const char *usage);
bool parse_number(const char *text, unsigned long long most, unsigned long long *value);

void io_init(void);
bool io_wait(struct pollfd *fd, int timeout);
bool io_has_ended(void);
void io_flush(void);

unsigned long long clock_usec(clockid_t clock);

#endif /* IO_H */
