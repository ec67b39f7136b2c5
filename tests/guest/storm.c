// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * storm - until SIGTERM, connect at full speed, and flip a switch at the same time
 *
 *	storm SWITCH
 *
 * Each of several threads has both ends of its connections, at 127.0.0.N:4242. It sends bytes both
 * ways, and different bytes each time. Other threads write 1 and 0 to the file SWITCH, which may
 * appear and disappear. On SIGTERM, the program prints one line:
 *
 *	connects=N failed=N corrupt=N slowest_ms=N flips=N
 *
 * slowest_ms is the duration of the slowest connect(2). Failures are printed to standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTORS	4
#define WRITERS		3

static const char *switch_path;
static atomic_bool stop;

struct connector {
	pthread_t id;
	struct sockaddr_in address;
	int listener;
	unsigned long connects, failed, corrupt;
	long slowest_ms;
};

struct writer {
	pthread_t id;
	unsigned long flips;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int tcp_socket(void)
{
	/* Set a timeout for sockets that hang, and leave no port in TIME_WAIT. */
	const struct timeval patience = { .tv_sec = 30 };
	const struct linger reset = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		die("socket");
	return fd;
}

static bool pass(int from, int to, const void *out, void *in, size_t size)
{
	return send(from, out, size, MSG_NOSIGNAL) == (ssize_t)size &&
	       recv(to, in, size, MSG_WAITALL) == (ssize_t)size;
}

/* Send data to the peer and back, and compare. The sockets' buffers have room for all of the data. */
static bool exchange(int fd, int listener, unsigned int seed)
{
	unsigned int out[1024], there[1024], back[1024];
	int peer = accept(listener, NULL, NULL);
	bool same;

	for (size_t i = 0; i < 1024; i++)
		out[i] = (seed + i) * 2654435761U;

	errno = 0;
	same = peer >= 0 && pass(fd, peer, out, there, sizeof(out)) &&
	       pass(peer, fd, there, back, sizeof(out)) && !memcmp(out, back, sizeof(out));
	if (!same)
		perror("exchange");
	close(peer);
	return same;
}

static void *connect_flat_out(void *argument)
{
	struct connector *self = argument;

	while (!stop) {
		int fd = tcp_socket(), ret;
		long start = now_ms(), ms;

		ret = connect(fd, (struct sockaddr *)&self->address, sizeof(self->address));
		ms = now_ms() - start;
		if (ms > self->slowest_ms)
			self->slowest_ms = ms;
		self->connects++;

		if (ret) {
			perror("connect");
			self->failed++;
		} else if (!exchange(fd, self->listener, self->connects << 10)) {
			self->corrupt++;
		}
		close(fd);
	}
	return NULL;
}

static void *flip(void *argument)
{
	struct writer *self = argument;
	int fd;

	while (!stop) {
		fd = open(switch_path, O_WRONLY);
		if (fd >= 0) {
			self->flips += write(fd, self->flips % 2 ? "0" : "1", 1) == 1;
			close(fd);
		}
		usleep(1000);
	}
	return NULL;
}

static void start(pthread_t *id, void *(*function)(void *), void *argument)
{
	if (pthread_create(id, NULL, function, argument))
		die("thread");
}

static void listen_at(struct connector *one, in_addr_t address)
{
	one->address.sin_family = AF_INET;
	one->address.sin_addr.s_addr = htonl(address);
	one->address.sin_port = htons(4242);
	one->listener = tcp_socket();
	if (bind(one->listener, (struct sockaddr *)&one->address, sizeof(one->address)) ||
	    listen(one->listener, 1))
		die("listen");
}

int main(int argc, char **argv)
{
	struct connector connectors[CONNECTORS] = { 0 }, all = { 0 };
	struct writer writers[WRITERS] = { 0 };
	unsigned long flips = 0;
	sigset_t end;
	int signal;

	if (argc != 2)
		return 2;
	switch_path = argv[1];
	nice(19);	/* full speed, but do not delay loading and unloading */

	/* For sigwait(); the threads inherit it. */
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &end, NULL);

	for (int i = 0; i < CONNECTORS; i++) {
		listen_at(&connectors[i], INADDR_LOOPBACK + i);
		start(&connectors[i].id, connect_flat_out, &connectors[i]);
	}
	for (int i = 0; i < WRITERS; i++)
		start(&writers[i].id, flip, &writers[i]);

	sigwait(&end, &signal);
	stop = true;

	for (int i = 0; i < CONNECTORS; i++) {
		pthread_join(connectors[i].id, NULL);
		all.connects += connectors[i].connects;
		all.failed += connectors[i].failed;
		all.corrupt += connectors[i].corrupt;
		if (connectors[i].slowest_ms > all.slowest_ms)
			all.slowest_ms = connectors[i].slowest_ms;
	}
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].id, NULL);
		flips += writers[i].flips;
	}
	printf("connects=%lu failed=%lu corrupt=%lu slowest_ms=%ld flips=%lu\n",
	       all.connects, all.failed, all.corrupt, all.slowest_ms, flips);
	return 0;
}
