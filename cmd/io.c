// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Wait for input, write output, and end when a signal arrives.
 *
 * Signals are blocked, except while io_wait() waits and while output is written. So they never
 * interrupt a library, and they end the program even if the reader of its output is blocked.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "io.h"
#include "record.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

static volatile sig_atomic_t ended;	/* a signal has arrived */
static volatile sig_atomic_t asked;	/* somebody unloads the module, see io_was_asked() */
static bool gone;			/* nobody reads the output any more */
static int output_error;		/* errno of the failed write, or 0 */
static sigset_t waiting;		/* signal mask while this file waits or writes */

/*
 * A signal may arrive after write_all() has tested @ended and before the system call blocks. Then
 * the alarm interrupts the call.
 */
static void on_signal(int signal)
{
	(void)signal;
	ended = 1;
	alarm(1);
}

static void on_request(int signal)
{
	(void)signal;
	asked = 1;
}

static bool is_writable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	return poll(&poll_fd, 1, 0) > 0;
}

/* After a signal, write only as much as does not block. */
static void write_all(int fd, const char *data, size_t size)
{
	sigset_t before;

	sigprocmask(SIG_SETMASK, &waiting, &before);
	while (size && !(ended && !is_writable(fd))) {
		ssize_t length = write(fd, data, ended && size > PIPE_BUF ? PIPE_BUF : size);

		if (length >= 0) {
			data += length;
			size -= length;
		} else if (errno == EAGAIN) {
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
		} else if (errno != EINTR) {
			/* EIO: the terminal has hung up. */
			if (fd == STDOUT_FILENO && (errno == EPIPE || errno == EIO))
				gone = true;
			else if (fd == STDOUT_FILENO)
				output_error = errno;
			break;
		}
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* The write functions of standard output and standard error, see fopencookie(3) */
static ssize_t write_output(void *cookie, const char *data, size_t size)
{
	(void)cookie;
	if (!gone && !output_error)
		write_all(STDOUT_FILENO, data, size);
	return size;
}

static ssize_t write_message(void *cookie, const char *data, size_t size)
{
	(void)cookie;
	write_all(STDERR_FILENO, data, size);
	return size;
}

/**
 * io_init() - let signals end io_wait() instead of the program, and buffer the output
 */
void io_init(void)
{
	struct sigaction action = { .sa_handler = on_signal }, before;
	FILE *output, *messages;
	sigset_t set;

	/* No signal may interrupt the handler of another one. */
	sigfillset(&action.sa_mask);
	sigemptyset(&set);
	sigprocmask(SIG_BLOCK, NULL, &waiting);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		/* nohup(1) ignores SIGHUP for the program, and that must stay so. */
		if (signals[i] == SIGHUP && !sigaction(SIGHUP, NULL, &before) &&
		    before.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &action, NULL);
		sigaddset(&set, signals[i]);
		sigdelset(&waiting, signals[i]);
	}
	sigaction(SIGALRM, &action, NULL);
	sigaddset(&set, SIGALRM);
	sigdelset(&waiting, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);

	output = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_output });
	messages = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_message });
	if (!output || !messages)
		die_errno("cannot buffer the output");
	stdout = output;
	stderr = messages;
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	setvbuf(stderr, NULL, _IOLBF, 0);
}

/**
 * io_expect_requests() - let SIGUSR1 end io_wait(), which then returns true
 */
void io_expect_requests(void)
{
	struct sigaction action = { .sa_handler = on_request };
	sigset_t set;

	sigfillset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigdelset(&waiting, SIGUSR1);
}

/**
 * io_was_asked() - find out whether SIGUSR1 has arrived since the last call
 *
 * Return: true if somebody asks this process to let go of the trace event.
 */
bool io_was_asked(void)
{
	bool was = asked;

	asked = 0;
	return was;
}

/**
 * io_has_ended() - find out whether the program should end
 *
 * Return: true if a signal has arrived or nobody reads the output any more.
 */
bool io_has_ended(void)
{
	return ended || gone;
}

/**
 * io_wait() - wait for input
 * @fds: where to wait for it
 * @number: how many there are; 0 to wait only for the timeout
 * @timeout: how long to wait, in milliseconds; -1 for no limit
 *
 * Return: false if a signal has arrived or nobody reads the output any more, otherwise true.
 */
bool io_wait(struct pollfd *fds, size_t number, int timeout)
{
	struct timespec time = { timeout / 1000, timeout % 1000 * 1000000L };
	struct pollfd all[number + 1];

	all[0] = (struct pollfd){ .fd = STDOUT_FILENO };	/* POLLERR if the reader is gone */
	for (size_t i = 0; i < number; i++)
		all[i + 1] = fds[i];
	if (ppoll(all, number + 1, timeout < 0 ? NULL : &time, &waiting) < 0) {
		if (errno != EINTR)
			die_errno("cannot wait for the log");
		return !io_has_ended();
	}
	if (all[0].revents & (POLLERR | POLLHUP | POLLNVAL))
		gone = true;
	for (size_t i = 0; i < number; i++)
		fds[i].revents = all[i + 1].revents;
	return !io_has_ended();
}

/**
 * io_flush() - write the buffered output
 *
 * Exits on an error. If nobody reads the output any more, that is not an error: io_wait() returns
 * false then.
 */
void io_flush(void)
{
	fflush(stdout);
	if (output_error) {
		errno = output_error;
		die_errno("cannot write to standard output");
	}
}

/* ---- The command line ---- */

static void help(const char *usage)
{
	if (fputs(usage, stdout) < 0 || fflush(stdout))
		die_errno("cannot write to standard output");
	exit(EXIT_OK);
}

/**
 * next_option() - get the next option of the command line
 * @argc: as in main()
 * @argv: as in main(); the first element is the name of the command
 * @options: the options, see getopt_long(3); -n and -o are short for those whose @val is 'n' or 'o'
 * @usage: what -h and --help print
 *
 * Exits after --help, or if the command line is invalid.
 *
 * Return: @val of the option, or -1 if there are no more.
 */
int next_option(int argc, char **argv, const struct option *options, const char *usage)
{
	char brief[sizeof(":hn:o:")] = ":h";
	int option;

	for (int i = 0; options[i].name; i++)
		if (options[i].val == 'n' || options[i].val == 'o')
			sprintf(brief + strlen(brief), "%c:", options[i].val);
	opterr = 0;
	option = getopt_long(argc, argv, brief, options, NULL);
	switch (option) {
	case 'h':
		help(usage);
		break;
	case ':':
		die(EXIT_USAGE, "%s needs a value. See: tcp-connect-logger %s --help",
		    argv[optind - 1], argv[0]);
	case '?':
		die(EXIT_USAGE, "wrong option: %s. See: tcp-connect-logger %s --help",
		    argv[optind - 1], argv[0]);
	case -1:
		if (optind < argc)
			die(EXIT_USAGE,
			    "unexpected argument: %s. See: tcp-connect-logger %s --help",
			    argv[optind], argv[0]);
	}
	return option;
}

/**
 * parse_number() - parse a number from the user
 * @text: the decimal number; it may have leading zeros, but no other characters around it
 * @most: the largest valid number
 * @value: where to store the number
 *
 * Return: true if @text is a valid number.
 */
bool parse_number(const char *text, unsigned long long most, unsigned long long *value)
{
	while (text[0] == '0' && text[1])
		text++;
	text = take_number(text, most, value);
	return text && !*text;
}
