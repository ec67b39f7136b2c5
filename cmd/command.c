// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Helpers for messages, files, clocks and other programs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "text.h"

/* ---- Messages ---- */

static void *must(void *memory)
{
	if (memory)
		return memory;
	fputs(NAME ": out of memory\n", stderr);
	exit(EXIT_FAILED);
}

/**
 * vformat_text() - format a string of any length
 * @format: as for vprintf(3)
 * @args: as for vprintf(3)
 *
 * Return: the string. The caller frees it.
 */
char *vformat_text(const char *format, va_list args)
{
	char *text;

	return must(vasprintf(&text, format, args) < 0 ? NULL : text);
}

/**
 * format_text() - format a string of any length
 * @format: as for printf(3)
 *
 * Return: the string. The caller frees it.
 */
char *format_text(const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	text = vformat_text(format, args);
	va_end(args);
	return text;
}

/**
 * set_text() - replace an allocated string
 * @to: a string from format_text() or copy_text(), or NULL
 * @format: as for printf(3)
 */
void set_text(char **to, const char *format, ...)
{
	va_list args;

	free(*to);
	va_start(args, format);
	*to = vformat_text(format, args);
	va_end(args);
}

/**
 * copy_text() - copy a string
 * @text: the string, or NULL
 *
 * Return: the copy, or NULL if @text is NULL. The caller frees it.
 */
char *copy_text(const char *text)
{
	return text ? must(strdup(text)) : NULL;
}

static char *escape(const char *bytes, enum text_form form)
{
	size_t length = strlen(bytes);
	char *text = must(malloc(TEXT_ROOM(length)));

	text_safe(bytes, length, form, text);
	return text;
}

/**
 * safe() - make a string safe for a terminal
 * @bytes: the string, which may contain any bytes
 *
 * Return: the escaped string, in TEXT_PLAIN form. The caller frees it.
 */
char *safe(const char *bytes)
{
	return escape(bytes, TEXT_PLAIN);
}

static void print_sentence(FILE *to, const char *format, va_list args)
{
	char *text = vformat_text(format, args), *printable = escape(text, TEXT_LINE);

	fprintf(to, NAME ": %s\n", printable);
	free(printable);
	free(text);
}

/**
 * pr_info() - print a sentence for the user to standard output, safe for a terminal
 * @format: as for printf(3)
 */
void pr_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_sentence(stdout, format, args);
	va_end(args);
	fflush(stdout);		/* keep the order with the output of pr_err() */
}

/**
 * pr_err() - print a sentence for the user to standard error, safe for a terminal
 * @format: as for printf(3)
 */
void pr_err(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_sentence(stderr, format, args);
	va_end(args);
}

/**
 * die() - print a sentence for the user to standard error and exit
 * @status: exit status
 * @format: as for printf(3)
 */
void die(enum exit_status status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_sentence(stderr, format, args);
	va_end(args);
	exit(status);
}

/**
 * die_errno() - print what failed, with the error in errno, and exit
 * @what: what failed, such as "cannot read the journal"
 */
void die_errno(const char *what)
{
	die(EXIT_FAILED, "%s: %s", what, strerror(errno));
}

/* ---- Files ---- */

/**
 * read_text() - read a small file, such as one in sysfs
 * @path: its path, as for printf(3)
 *
 * Return: the content without the last newline, or NULL with errno set. The caller frees it.
 */
char *read_text(const char *path, ...)
{
	size_t size = 4096, length = 0;
	char *name, *text;
	va_list args;
	ssize_t got;
	int fd, error;

	va_start(args, path);
	name = vformat_text(path, args);
	va_end(args);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	free(name);
	if (fd < 0)
		return NULL;

	text = must(malloc(size));
	while ((got = read(fd, text + length, size - 1 - length)) > 0) {
		length += got;
		if (length == size - 1) {
			size *= 2;
			text = must(realloc(text, size));
		}
	}
	error = errno;
	close(fd);
	if (got < 0) {
		free(text);
		errno = error;
		return NULL;
	}
	text[length] = '\0';
	if (length && text[length - 1] == '\n')
		text[length - 1] = '\0';
	return text;
}

/**
 * write_text() - write to a file in sysfs
 * @path: its path
 * @text: the text, which is written in one write(2)
 *
 * Return: 0, or -1 with errno set.
 */
int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error;
	bool written;

	if (fd < 0)
		return -1;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	error = errno;
	close(fd);
	errno = error;
	return written ? 0 : -1;
}

/**
 * is_there() - find out whether a file exists
 * @path: its path, as for printf(3)
 *
 * Return: 1 if it exists, 0 if it does not, or -1 with errno set if this is unknown.
 */
int is_there(const char *path, ...)
{
	struct stat info;
	char *name;
	va_list args;
	int ret;

	va_start(args, path);
	name = vformat_text(path, args);
	va_end(args);
	ret = stat(name, &info);
	free(name);
	if (!ret)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

/* ---- Time ---- */

/**
 * clock_nsec() - read a clock
 * @clock: the clock
 *
 * Return: the time in nanoseconds.
 */
unsigned long long clock_nsec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/**
 * clock_usec() - read a clock
 * @clock: the clock
 *
 * Return: the time in microseconds.
 */
unsigned long long clock_usec(clockid_t clock)
{
	return clock_nsec(clock) / 1000;
}

/* ---- Other programs ---- */

static long long now_msec(void)
{
	return clock_usec(CLOCK_MONOTONIC) / 1000;
}

/**
 * run_for_output() - run a program with a time limit, and collect its output
 * @argv: path of the program, and its arguments
 * @seconds: time limit, after which the program is killed
 *
 * The standard error of the program is discarded. No signals are blocked in the program, whatever
 * the caller's signal mask is.
 *
 * Return: the output, up to 4095 bytes, or NULL if the program could not be run, failed, or was
 * killed. The caller frees it.
 */
char *run_for_output(const char * const argv[], int seconds)
{
	long long end = now_msec() + seconds * 1000LL;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char text[4096], more[4096];
	size_t length = 0;
	int fds[2], status;
	sigset_t none;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC))
		return NULL;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	status = posix_spawnp(&child, argv[0], &actions, &attributes, (char **)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (status) {
		close(fds[0]);
		return NULL;
	}

	for (;;) {
		struct pollfd fd = { .fd = fds[0], .events = POLLIN };
		long long left = end - now_msec();
		ssize_t got;

		if (left <= 0 || poll(&fd, 1, left) <= 0) {
			kill(child, SIGKILL);
			break;
		}
		got = read(fds[0], more, sizeof(more));
		if (got <= 0)
			break;
		if ((size_t)got > sizeof(text) - 1 - length)
			got = sizeof(text) - 1 - length;
		memcpy(text + length, more, got);
		length += got;
	}
	close(fds[0]);
	/* The program may close its output before it exits. */
	while (!waitpid(child, &status, WNOHANG)) {
		if (now_msec() >= end)
			kill(child, SIGKILL);
		poll(NULL, 0, 1);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return NULL;
	while (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	return copy_text(text);
}
