// SPDX-License-Identifier: GPL-2.0
/*
 * cost - what a system call costs
 *
 *	cost connect ADDRESS PORT	connect(2), of a socket that stays the same
 *	cost write FILE			write(2) of one byte
 *
 * Prints the median of 500, in ns; where an instruction takes one, as under QEMU's
 * -icount shift=0, that is how many instructions.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WARM 50
#define COUNT 500

static int fd;
static struct sockaddr_storage to;
static socklen_t length;

static void call_connect(void)
{
	connect(fd, (struct sockaddr *)&to, length);
}

static void call_write(void)
{
	if (write(fd, "1", 1) != 1)
		err(1, "write");
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const long long *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static long long median_of(void (*call)(void))
{
	static long long times[COUNT];

	for (int i = -WARM; i < COUNT; i++) {
		long long start = now();

		call();
		if (i >= 0)
			times[i] = now() - start;
	}
	qsort(times, COUNT, sizeof(*times), compare);
	return times[COUNT / 2];
}

int main(int argc, char **argv)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to;
	void (*call)(void) = call_connect;

	if (argc == 4 && !strcmp(argv[1], "connect") &&
	    inet_pton(AF_INET, argv[2], &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(atoi(argv[3]));
		length = sizeof(*in);
	} else if (argc == 4 && !strcmp(argv[1], "connect") &&
		   inet_pton(AF_INET6, argv[2], &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(atoi(argv[3]));
		length = sizeof(*in6);
	} else if (argc == 3 && !strcmp(argv[1], "write")) {
		call = call_write;
	} else {
		errx(2, "usage: cost connect ADDRESS PORT | write FILE");
	}

	fd = call == call_write ? open(argv[2], O_WRONLY) :
		socket(to.ss_family, SOCK_STREAM, 0);
	if (fd < 0)
		err(1, "%s", argv[2]);

	printf("%lld\n", median_of(call));
	return 0;
}
