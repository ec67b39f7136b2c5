// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * origin - make connections whose process is gone at once, or hard to tell, and connections that end
 * in a way that needs an answer from the network
 *
 *	origin storm COUNT FILE...	run COUNT processes, the files in turn; number N of the files
 *					connects to port 10000 + N
 *	origin alive COUNT PORT		run COUNT processes that connect to this port, and then live until
 *					SIGTERM
 *	origin KIND PORT		connect to this port
 *
 * The program prints its process ID, and what else the test must know.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static int to_port(int port, const char *address, int flags)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	inet_pton(AF_INET, address, &to.sin_addr);
	if (fd < 0)
		die("socket");
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		errno = 0;
	return fd;
}

static void connects(int port)
{
	int fd = to_port(port, "127.0.0.1", 0);

	if (errno && errno != ECONNREFUSED)
		die("connect");
	close(fd);
}

/* Keep eight processes running, each of which connects and ends. */
static void storm(int count, int files, char **file)
{
	int running = 0, status;

	for (int i = 0; i < count; i++) {
		char port[16], *argv[] = { file[i % files], "connect", port, NULL };
		pid_t pid;

		sprintf(port, "%d", 10000 + i % files);
		if (running == 8 && wait(&status) > 0) {
			running--;
			if (status)
				die("a process failed");
		}
		errno = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
		if (errno)
			die("posix_spawn");
		running++;
	}
	while (running--)
		if (wait(&status) < 0 || status)
			die("a process failed");
}

struct alive {
	int port, ready;
};

static int lives(void *data)
{
	const struct alive *alive = data;

	connects(alive->port);
	if (write(alive->ready, "", 1) != 1)
		die("write");
	return pause();
}

/*
 * The processes share their memory, because the guest has not enough for so many. They also share
 * errno. So each one starts when the one before has connected.
 */
static void alive(int count, int port)
{
	const size_t size = 16384;
	pid_t *pids = calloc(count, sizeof(*pids));
	struct alive each = { .port = port };
	int ready[2], signal;
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	if (!pids || pipe(ready))
		die("pipe");
	each.ready = ready[1];
	for (int i = 0; i < count; i++) {
		char *stack = malloc(size), byte;

		pids[i] = stack ? clone(lives, stack + size, CLONE_VM | SIGCHLD, &each) : -1;
		if (pids[i] < 0 || read(ready[0], &byte, 1) != 1)
			die("a process");
	}
	puts("all live");
	fflush(stdout);
	sigwait(&term, &signal);
	for (int i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < count; i++)
		wait(NULL);
}

static void *in_thread(void *port)
{
	printf("tid=%d ", gettid());
	connects((long)port);
	return NULL;
}

static void from_memory(char *self, char *port)
{
	char buffer[65536], *argv[] = { "in memory", "connect", port, NULL };
	int from = open(self, O_RDONLY), to = memfd_create("payload", MFD_CLOEXEC);
	ssize_t got;

	while ((got = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, got) != got)
			die("write");
	fexecve(to, argv, environ);
	die("fexecve");
}

/* ---- Answers of the network */

static unsigned int sum(const void *data, size_t size, unsigned int sum)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

struct segment {
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static int sniffer(void)
{
	struct sockaddr_ll lo = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = if_nametoindex("lo"),
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));

	if (fd < 0 || bind(fd, (struct sockaddr *)&lo, sizeof(lo)))
		die("packet socket");
	return fd;
}

/* Wait for the SYN to a port. Returns the bytes that it has, without options. */
static struct segment syn_to(int fd, int port)
{
	struct segment syn;

	do
		if (recv(fd, &syn, sizeof(syn), 0) < 0)
			die("recv");
	while (syn.ip.protocol != IPPROTO_TCP || syn.ip.ihl != 5 || syn.tcp.dest != htons(port) ||
	       !syn.tcp.syn);
	return syn;
}

static void send_packet(const struct segment *syn, int protocol, const void *payload, size_t size)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = syn->ip.saddr };
	char packet[256];
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = protocol,
		.saddr = syn->ip.daddr, .daddr = syn->ip.saddr,
	};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	memcpy(packet, &ip, sizeof(ip));
	memcpy(packet + sizeof(ip), payload, size);
	if (sendto(fd, packet, sizeof(ip) + size, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("sendto");
	close(fd);
}

static void send_segment(const struct segment *syn, struct tcphdr tcp)
{
	unsigned int total = sum(&syn->ip.saddr, 8, IPPROTO_TCP + sizeof(tcp));

	tcp.source = syn->tcp.dest;
	tcp.dest = syn->tcp.source;
	tcp.doff = 5;
	tcp.window = htons(1000);
	tcp.check = htons(~sum(&tcp, sizeof(tcp), total));
	send_packet(syn, IPPROTO_TCP, &tcp, sizeof(tcp));
}

/* A router says that it cannot reach the host. */
static void send_unreachable(const struct segment *syn)
{
	struct {
		struct icmphdr icmp;
		struct segment about;
	} __attribute__((packed)) packet = {
		.icmp = { .type = ICMP_DEST_UNREACH, .code = ICMP_HOST_UNREACH }, .about = *syn,
	};

	packet.icmp.checksum = htons(~sum(&packet, sizeof(packet), 0));
	send_packet(syn, IPPROTO_ICMP, &packet, sizeof(packet));
}

/* The peer sends a SYN at the same time, and then resets the connection. */
static void send_reset(const struct segment *syn)
{
	send_segment(syn, (struct tcphdr){ .syn = 1, .seq = htonl(1000) });
	send_segment(syn, (struct tcphdr){ .rst = 1, .seq = htonl(1001) });
}

/* Connect to where nobody answers, answer, and wait until the connection has failed. */
static void answered(int port, void (*answer)(const struct segment *syn))
{
	int sniff = sniffer(), fd = to_port(port, "203.0.113.1", SOCK_NONBLOCK);
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	struct segment syn = syn_to(sniff, port);

	answer(&syn);
	if (poll(&poll_fd, 1, 60000) != 1)
		die("poll");
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* A signal interrupts connect(2). Then the process closes the socket. */
static void interrupted(int port)
{
	const struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	close(to_port(port, "203.0.113.1", 0));
}

int main(int argc, char **argv)
{
	const char *kind = argv[1];
	int port = argc > 2 ? atoi(argv[2]) : 0;
	pthread_t thread;
	pid_t pid;

	if (argc < 3)
		return 2;
	if (!strcmp(kind, "storm")) {
		storm(port, argc - 3, argv + 3);
		return 0;
	}
	if (!strcmp(kind, "alive")) {
		alive(port, argc > 3 ? atoi(argv[3]) : 0);
		return 0;
	}
	if (strcmp(kind, "connect"))
		printf("pid=%d ", getpid());
	if (!strcmp(kind, "connect")) {
		connects(port);
	} else if (!strcmp(kind, "says")) {
		connects(port);
	} else if (!strcmp(kind, "thread")) {
		pthread_create(&thread, NULL, in_thread, (void *)(long)port);
		pthread_join(thread, NULL);
	} else if (!strcmp(kind, "vfork")) {
		pid = vfork();
		if (!pid) {
			connects(port);
			_exit(0);
		}
		printf("child=%d ", pid);
		waitpid(pid, NULL, 0);
	} else if (!strcmp(kind, "deleted")) {
		unlink(argv[0]);
		connects(port);
	} else if (!strcmp(kind, "memfd")) {
		fflush(stdout);
		from_memory(argv[0], argv[2]);
	} else if (!strcmp(kind, "chroot")) {
		char *args[] = { "/exe", "connect", argv[2], NULL };

		fflush(stdout);
		if (chroot(argv[3]) || chdir("/"))
			die("chroot");
		execv(args[0], args);
		die("execv");
	} else if (!strcmp(kind, "unreachable")) {
		answered(port, send_unreachable);
	} else if (!strcmp(kind, "reset")) {
		answered(port, send_reset);
	} else if (!strcmp(kind, "interrupted")) {
		interrupted(port);
	} else {
		return 2;
	}
	puts("");
	return 0;
}
