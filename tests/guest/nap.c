// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * nap - measure how late other processes run: sleep for 10 ms repeatedly until SIGTERM, then print
 * by how many ms the longest sleep was late
 */
#include <signal.h>
#include <stdio.h>
#include <time.h>

static volatile sig_atomic_t stop;

static void on_term(int signal)
{
	(void)signal;
	stop = 1;
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int main(void)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	long long longest = 0;

	signal(SIGTERM, on_term);
	while (!stop) {
		long long start = now_ms(), late;

		nanosleep(&nap, NULL);
		late = now_ms() - start - 10;
		if (late > longest)
			longest = late;
	}
	printf("%lld\n", longest);
	return 0;
}
