// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * feed - run follow or top with a pipe in place of /dev/kmsg
 *
 *	feed [-b|-w] COMMAND ARGUMENT... <ENTRIES
 *
 * The command reads /proc/self/fd/9, a pipe that keeps its packets apart. When the command waits
 * for entries, feed writes the lines of standard input to the pipe, one entry per line. When the
 * command waits again, feed sends it SIGTERM.
 *
 * With -b, the output of the command goes to a pipe that nobody reads, and feed sends SIGTERM when
 * the command is blocked in a write. With -w, feed sends no signal, but waits until the command
 * ends by itself.
 *
 * feed exits with the status of the command, or with 99 if the command does not end within 5 seconds.
 * If FEED_TIME is set, feed prints the CPU time of the command.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KMSG_FD 9

static pid_t child;

static void die(const char *what)
{
	perror(what);
	exit(98);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* Whether the command is blocked in this system call */
static bool is_in(long call)
{
	char path[64];
	long found = -1;
	FILE *file;

	sprintf(path, "/proc/%d/syscall", child);
	file = fopen(path, "r");
	if (file && fscanf(file, "%ld", &found) != 1)
		found = -1;
	if (file)
		fclose(file);
	return found == call;
}

static int ended(int status)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	if (getenv("FEED_TIME"))
		fprintf(stderr, "CPU %.3f s\n", usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
			(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "killed by signal %d\n", WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static void exit_if_ended(void)
{
	int status;

	if (waitpid(child, &status, WNOHANG) == child)
		exit(ended(status));
}

static void start(char **command, int kmsg, bool blocked)
{
	int out[2];

	if (blocked && pipe(out))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (child)
		return;
	if (dup2(kmsg, KMSG_FD) < 0 || (blocked && dup2(out[1], STDOUT_FILENO) < 0))
		die("dup2");
	execvp(command[0], command);
	die(command[0]);
}

int main(int argc, char **argv)
{
	bool blocked = argc > 1 && !strcmp(argv[1], "-b");
	bool waits = argc > 1 && !strcmp(argv[1], "-w");
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int kmsg[2], left;

	if (pipe2(kmsg, O_DIRECT | O_NONBLOCK) || fcntl(kmsg[1], F_SETPIPE_SZ, 1 << 20) < 0)
		die("pipe2");
	start(argv + 1 + blocked + waits, kmsg[0], blocked);
	while (!is_in(SYS_ppoll)) {
		exit_if_ended();
		nap();
	}

	while ((length = getline(&line, &size, stdin)) > 0) {
		while (write(kmsg[1], line, length) < 0) {
			if (errno != EAGAIN)
				die("write");
			exit_if_ended();
			if (blocked && is_in(SYS_write))
				goto stop;
			nap();
		}
	}
	do {
		nap();
		exit_if_ended();
	} while (ioctl(kmsg[0], FIONREAD, &left) || left ||
		 !is_in(blocked ? SYS_write : SYS_ppoll));
stop:
	if (!waits)
		kill(child, SIGTERM);
	for (int i = 0; i < 5000; i++) {
		exit_if_ended();
		nap();
	}
	kill(child, SIGKILL);
	fprintf(stderr, "does not end\n");
	return 99;
}
