/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Wait for input, write output, and end when a signal arrives, whatever blocks.
 */
#ifndef IO_H
#define IO_H

#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

int next_option(int argc, char **argv, const struct option *options, const char *usage);
bool parse_number(const char *text, unsigned long long most, unsigned long long *value);

void io_init(void);
void io_expect_requests(void);
bool io_was_asked(void);
bool io_wait(struct pollfd *fds, size_t number, int timeout);
bool io_has_ended(void);
void io_flush(void);

#endif /* IO_H */
