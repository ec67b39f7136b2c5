/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Declarations for all parts of the command: names, exit statuses, messages, files and clocks.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* The same macro as in the kernel */
#ifndef __printf
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))
#endif

/** define NAME - name of the command and of its package */
#define NAME	"tcp-connect-logger"

/** define MODULE - name of the kernel module and of its livepatch */
#define MODULE	"tcp_connect_logger"

/** define EVENT_MODULE - name of the kernel module that has the trace event */
#define EVENT_MODULE	MODULE "_event"

/* Exit statuses; see tcp-connect-logger(8) */
enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_ACTIVE = 3,	/* the livepatch is not loaded, or the kernel does not use it */
	EXIT_NOT_PERMITTED = 4,
	EXIT_STALLED = 5,	/* a transition did not finish in time */
};

void pr_info(const char *format, ...) __printf(1, 2);
void pr_err(const char *format, ...) __printf(1, 2);
void die(enum exit_status status, const char *format, ...) __printf(2, 3) __attribute__((noreturn));
void die_errno(const char *what) __attribute__((noreturn));

char *vformat_text(const char *format, va_list args) __printf(1, 0);
char *format_text(const char *format, ...) __printf(1, 2);
void set_text(char **to, const char *format, ...) __printf(2, 3);
char *copy_text(const char *text);
char *safe(const char *bytes);

char *read_text(const char *path, ...) __printf(1, 2);
int write_text(const char *path, const char *text);
int is_there(const char *path, ...) __printf(1, 2);
unsigned long long clock_nsec(clockid_t clock);
unsigned long long clock_usec(clockid_t clock);

char *run_for_output(const char * const argv[], int seconds);

#endif /* COMMAND_H */
