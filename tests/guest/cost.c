// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * cost - measure what a system call costs
 *
 *	cost [-n COUNT] [-w BATCH] [-dr] connect ADDRESS PORT	connect(2) of one socket; -d: to
 *								two ports in turn; -r: the process
 *								has two names in turn
 *	cost [-n COUNT] [-w BATCH] listener ADDRESS PORT	of new sockets, to itself; IPv4
 *	cost [-n COUNT] [-w BATCH] write FILE			write(2) of one byte
 *	cost [-n WINDOWS] -p PROCESSES connect ADDRESS PORT
 *
 * The program prints how many ns a call takes: the mean of the middle half of the last 20000 calls.
 * This mean ignores timer ticks, and averages calls that take two paths equally often. If an
 * instruction takes 1 ns, as under QEMU's -icount shift=0, the result is the number of
 * instructions.
 *
 * With -w, the program prints the time of the calling thread, and then how long a call keeps the
 * whole machine busy, on one CPU. The kernel reports the idle time in /proc/timer_list, in ns. A
 * batch has BATCH calls, or up to half as many fewer. After each batch, the program sleeps, so that
 * the processes that read the records can run. It also sleeps before each batch, to measure how busy
 * the machine is without the calls.
 *
 * With -p, the program prints the time of the whole machine for a call, while PROCESSES processes
 * make calls, each on its own socket. This is the elapsed time, on one or several CPUs, divided by
 * the number of calls.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM 50
#define LAST 20000

static int fd, peer = -1, listener;
static struct sockaddr_storage to;
static socklen_t length;

static bool two_ports, two_names;

static void call_connect(void)
{
	static char name[] = "a";

	if (two_ports)
		((struct sockaddr_in *)&to)->sin_port ^= htons(1);
	if (two_names) {
		*name ^= 'a' ^ 'b';
		prctl(PR_SET_NAME, name);
	}
	if (connect(fd, (struct sockaddr *)&to, length) && listener)
		err(1, "connect");
}

static void call_write(void)
{
	if (write(fd, "1", 1) != 1)
		err(1, "write");
}

/*
 * Make a new pair of sockets. The port is always the same, because a search for a free port takes a
 * varying time. The old socket is therefore closed without lingering.
 */
static void renew(void)
{
	const struct linger reset = { .l_onoff = 1 };
	struct sockaddr_in from = *(struct sockaddr_in *)&to;

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	if (peer >= 0)
		close(peer);
	fd = socket(to.ss_family, SOCK_STREAM, 0);
	from.sin_port = htons(ntohs(from.sin_port) + 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)))
		err(1, "a socket");
}

/*
 * Calls that allocate and free the same objects use the same slabs. If one of these slabs happens to
 * be full, each call takes the slow path in mm/slub.c, which takes about 600 more instructions. To
 * change this, take one more object from each slab: make another connection, do not accept it, and
 * leave its data unread.
 */
static void move_on(void)
{
	struct sockaddr_in other = *(struct sockaddr_in *)&to;
	static int waiting = -1;
	int more = socket(AF_INET, SOCK_STREAM, 0);

	other.sin_port = htons(ntohs(other.sin_port) + 2);
	if (waiting < 0) {
		waiting = socket(AF_INET, SOCK_STREAM, 0);
		if (bind(waiting, (struct sockaddr *)&other, sizeof(other)) ||
		    listen(waiting, SOMAXCONN))
			err(1, "another listener");
	}
	if (connect(more, (struct sockaddr *)&other, sizeof(other)) || write(more, "1", 1) != 1)
		err(1, "one more");
}

/* The clock for one call. With -w, a reader of the records may run during the call. */
static clockid_t thread_clock = CLOCK_MONOTONIC;

static long long time_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const long long *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sort the values, and return the mean of their middle half. */
static long long middle(long long *values, int count)
{
	long long sum = 0;

	qsort(values, count, sizeof(*values), compare);
	for (int i = count / 4; i < count - count / 4; i++)
		sum += values[i];
	return sum / (count - 2 * (count / 4));
}

static long long times[LAST];
static int made;

static void make(void (*call)(void), int count)
{
	for (int i = 0; i < count; i++) {
		long long start;

		if (listener)
			renew();
		start = time_of(thread_clock);
		call();
		times[made++ % LAST] = time_of(thread_clock) - start;
		if (listener)
			peer = accept(listener, NULL, NULL);
	}
}

static long long itself(void)
{
	return middle(times, made < LAST ? made : LAST);
}

/* How long the machine has been busy since it booted */
static long long busy(void)
{
	FILE *file = fopen("/proc/timer_list", "r");
	char line[256];
	long long idle = -1;

	while (file && idle < 0 && fgets(line, sizeof(line), file))
		sscanf(line, " .idle_sleeptime : %lld", &idle);
	if (idle < 0)
		errx(1, "/proc/timer_list does not tell");
	fclose(file);
	return time_of(CLOCK_MONOTONIC) - idle;
}

/* How long the machine is busy during a batch of calls and the rest after it */
static long long busy_with(void (*call)(void), int count, const struct timespec *rest)
{
	long long start = busy();

	make(call, count);
	nanosleep(rest, NULL);
	return busy() - start;
}

/*
 * How much longer the machine is busy for each call: the mean of the middle batches. The lengths of
 * the rests and of the batches vary. If the rests were equal, different kernel timers would expire
 * during a batch in each boot. If the batches were equal, the scheduler would run a reader at a
 * different moment in each boot, and the reader would find a different number of records.
 */
static long long whole_of(void (*call)(void), int count, int batch)
{
	int batches = (count + batch - 1) / batch;
	long long added[batches];

	for (int i = 0; i < batches; i++) {
		const struct timespec rest = { .tv_sec = 1, .tv_nsec = i % 20 * 47700000 };
		int calls = batch - i % 20 * batch / 40;
		long long alone;

		if (listener)
			move_on();
		alone = busy_with(call, 0, &rest);
		added[i] = (busy_with(call, calls, &rest) - alone) / calls;
	}
	return middle(added, batches);
}

/* The number of calls that a process has made, on its own cache line. Only this process writes it. */
struct counter {
	_Alignas(64) volatile unsigned long calls;
};

static unsigned long sum_of(const struct counter *counters, int processes)
{
	unsigned long sum = 0;

	for (int i = 0; i < processes; i++)
		sum += counters[i].calls;
	return sum;
}

/*
 * The machine's time for a call, while this number of processes make calls in an endless loop: the
 * mean of the middle windows of 20 ms. No process starts or ends during a window.
 */
static long long together(void (*call)(void), int whiles, int processes)
{
	const struct timespec settle = { .tv_nsec = 50000000 }, one = { .tv_nsec = 20000000 };
	struct counter *counters = mmap(NULL, processes * sizeof(*counters), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long long took[whiles];
	pid_t pids[processes];

	if (counters == MAP_FAILED)
		err(1, "mmap");
	for (int i = 0; i < processes; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			err(1, "fork");
		if (pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = socket(to.ss_family, SOCK_STREAM, 0);
		if (fd < 0)
			err(1, "socket");
		for (;;) {
			call();
			counters[i].calls++;
		}
	}
	nanosleep(&settle, NULL);
	for (int i = 0; i < whiles; i++) {
		long long start = time_of(CLOCK_MONOTONIC);
		unsigned long before = sum_of(counters, processes), calls;

		nanosleep(&one, NULL);
		took[i] = time_of(CLOCK_MONOTONIC) - start;
		calls = sum_of(counters, processes) - before;
		if (!calls)
			errx(1, "no call in 20 ms");
		took[i] /= calls;
	}
	for (int i = 0; i < processes; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return middle(took, whiles);
}

int main(int argc, char **argv)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to;
	void (*call)(void) = call_connect;
	long long added;
	int count = 500, processes = 0, batch = 0, option;

	while ((option = getopt(argc, argv, "dn:p:rw:")) != -1) {
		switch (option) {
		case 'd':
			two_ports = true;
			break;
		case 'r':
			two_names = true;
			break;
		case 'n':
			count = atoi(optarg);
			break;
		case 'p':
			processes = atoi(optarg);
			break;
		case 'w':
			batch = atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	argc -= optind;
	argv += optind;

	if (argc == 3 && inet_pton(AF_INET, argv[1], &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(atoi(argv[2]));
		length = sizeof(*in);
	} else if (argc == 3 && inet_pton(AF_INET6, argv[1], &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(atoi(argv[2]));
		length = sizeof(*in6);
	} else if (argc != 2 || strcmp(argv[0], "write")) {
		errx(2, "usage: cost [-n COUNT] [-w BATCH | -p PROCESSES] [-dr] connect|listener ADDRESS PORT | write FILE");
	}

	if (!strcmp(argv[0], "write")) {
		call = call_write;
		fd = open(argv[1], O_WRONLY);
	} else {
		fd = socket(to.ss_family, SOCK_STREAM, 0);
	}
	if (fd < 0)
		err(1, "%s", argv[1]);
	if (!strcmp(argv[0], "listener")) {
		const int on = 1;

		listener = fd;
		fd = -1;
		setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(listener, (struct sockaddr *)&to, length) || listen(listener, 8))
			err(1, "%s", argv[1]);
	}

	make(call, WARM);
	made = 0;
	if (processes) {
		printf("%lld\n", together(call, count, processes));
		return 0;
	}
	if (batch <= 0) {
		make(call, count);
		printf("%lld\n", itself());
		return 0;
	}

	thread_clock = CLOCK_THREAD_CPUTIME_ID;
	added = whole_of(call, count, batch);
	printf("%lld %lld\n", itself(), added);
	return 0;
}
