// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * connect - make one connection of a given kind, and print its result
 *
 *	connect [-u UID] [-n NAME] [-c COUNT] KIND ADDRESS PORT
 *
 * -u sets the user. -n sets the name of the process; \xNN stands for any byte. With -c, one process
 * on each CPU makes COUNT connections. ADDRESS is IPv4 or IPv6, followed by %IFINDEX if it is
 * link-local. The program prints one line:
 *
 *	pid=PID result=RESULT
 *
 * PID is the process ID in the initial namespace. RESULT is "connected" or the name of the errno.
 * The exit status is 0 unless the program could not even try to connect.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static union {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
} address;
static socklen_t address_len;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The function of each kind returns the result of its system call, and sets errno. */

static int tcp_socket(int flags)
{
	int fd = socket(address.sa.sa_family, SOCK_STREAM | flags, 0);

	/* If ipv6 is a module that is not loaded, this is the result. */
	if (fd < 0 && errno == EAFNOSUPPORT) {
		puts("result=EAFNOSUPPORT");
		exit(0);
	}
	if (fd < 0)
		die("socket");
	return fd;
}

static int call_connect(int fd, socklen_t len)
{
	return connect(fd, &address.sa, len);
}

/* Listen at the destination address. */
static void listen_there(int fd)
{
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &address.sa, address_len) || listen(fd, 1))
		die("listen");
}

static int blocking(void)
{
	return call_connect(tcp_socket(0), address_len);
}

static int nonblocking(void)
{
	return call_connect(tcp_socket(SOCK_NONBLOCK), address_len);
}

static int short_address(void)
{
	return call_connect(tcp_socket(0), (socklen_t)(address.sa.sa_family == AF_INET ? 7 : 23));
}

static int wrong_family(void)
{
	int fd = tcp_socket(0);

	address.sa.sa_family = address.sa.sa_family == AF_INET ? AF_INET6 : AF_INET;
	return call_connect(fd, address_len);
}

static int fastopen(void)
{
	return sendto(tcp_socket(0), "x", 1, MSG_FASTOPEN,
		      &address.sa, address_len) < 0 ? -1 : 0;
}

static int fastopen_nowhere(void)
{
	return sendto(tcp_socket(0), "x", 1, MSG_FASTOPEN, NULL, 0) < 0 ? -1 : 0;
}

static int udp(void)
{
	return call_connect(socket(address.sa.sa_family, SOCK_DGRAM, 0), address_len);
}

/*
 * Connect twice, and read SO_COOKIE between the two. The kernel makes the cookie when it is read, so
 * the socket has no cookie at the first connect.
 */
static int cookie(void)
{
	int fd = tcp_socket(0), ret = call_connect(fd, address_len), error = errno;
	uint64_t value = 0;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &value, &len))
		die("SO_COOKIE");
	printf("cookie=%" PRIu64 " ", value);
	errno = error;
	return ret ? call_connect(fd, address_len) : ret;
}

static void *connect_and_keep_errno(void *error)
{
	*(int *)error = blocking() ? errno : 0;
	return NULL;
}

static int thread(void)
{
	pthread_t id;
	int error;

	if (pthread_create(&id, NULL, connect_and_keep_errno, &error) || pthread_join(id, NULL))
		die("thread");
	errno = error;
	return error ? -1 : 0;
}

/* Use the shorter address of RFC 2133, which has no scope. */
static int without_scope(void)
{
	return call_connect(tcp_socket(0), 24);
}

/* Bind the socket to the interface, and use an address without a scope. */
static int bound(void)
{
	int fd = tcp_socket(0);

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3))
		die("SO_BINDTODEVICE");
	address.in6.sin6_scope_id = 0;
	return call_connect(fd, address_len);
}

/* The second and the third connect only ask for the result of the first. */
static int thrice(void)
{
	int fd = tcp_socket(SOCK_NONBLOCK), ret;
	struct pollfd poller = { .fd = fd, .events = POLLOUT };

	call_connect(fd, address_len);
	poll(&poller, 1, 1000);
	ret = call_connect(fd, address_len);
	if (!ret)
		ret = call_connect(fd, address_len);
	return ret;
}

/* Nobody answers, so give up after one more SYN. */
static int timed_out(void)
{
	int fd = tcp_socket(0), one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &one, sizeof(one)))
		die("TCP_SYNCNT");
	return call_connect(fd, address_len);
}

/* An old 32-bit system call takes 32-bit pointers. Pointers to static data fit into 32 bits. */
static int int80(void)
{
	int fd = tcp_socket(0), ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (362), "b" (fd), "c" (&address), "d" (address_len)
		     : "memory", "r8", "r9", "r10", "r11");
	errno = -ret;
	return ret ? -1 : 0;
}

/* The first write may send the SYN, together with its data. */
static int fastopen_connect(void)
{
	int fd = tcp_socket(0), one = 1, ret;

	if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)))
		die("TCP_FASTOPEN_CONNECT");
	ret = call_connect(fd, address_len);
	return ret ? ret : write(fd, "x", 1) < 0 ? -1 : 0;
}

static int mptcp_socket(void)
{
	return socket(address.sa.sa_family, SOCK_STREAM, IPPROTO_MPTCP);
}

static int mptcp(void)
{
	int fd = mptcp_socket();

	return fd < 0 ? -1 : call_connect(fd, address_len);
}

/* Connect to a listener of this process. The path manager may then open more subflows. */
static int mptcp_subflow(void)
{
	int listener = mptcp_socket(), fd = mptcp_socket(), peer;
	char byte = 'x';

	listen_there(listener);
	if (call_connect(fd, address_len))
		return -1;
	peer = accept(listener, NULL, NULL);
	if (write(fd, &byte, 1) != 1 || read(peer, &byte, 1) != 1 ||
	    write(peer, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		return -1;
	sleep(1);
	return 0;
}

/* The kernel itself connects, to mount a file system. */
static int nfs(void)
{
	char options[100];

	snprintf(options, sizeof(options),
		 "addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2,port=%d,soft,retrans=0,timeo=10",
		 ntohs(address.in.sin_port));
	return mount("127.0.0.1:/", "/mnt", "nfs4", 0, options);
}

/* io_uring without liburing: one entry and one answer. */
static int uring(unsigned int setup_flags, unsigned int entry_flags)
{
	struct io_uring_params params = { .flags = setup_flags, .sq_thread_idle = 1000 };
	int fd = tcp_socket(0), ring = syscall(SYS_io_uring_setup, 1, &params), ret;
	struct io_uring_sqe *entry;
	struct io_uring_cqe *answer;
	unsigned int enter = IORING_ENTER_GETEVENTS;
	char *sq, *cq;

	if (ring < 0)
		return -1;
	/* Before 5.11 the SQPOLL thread only accepts registered files. */
	if (setup_flags & IORING_SETUP_SQPOLL &&
	    syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1))
		die("io_uring_register");
	sq = mmap(NULL, params.sq_off.array + sizeof(uint32_t), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, params.cq_off.cqes + 2 * sizeof(*answer), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
	entry = mmap(NULL, sizeof(*entry), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || entry == MAP_FAILED)
		die("mmap");

	entry->opcode = IORING_OP_CONNECT;
	entry->flags = entry_flags;
	entry->fd = setup_flags & IORING_SETUP_SQPOLL ? 0 : fd;
	if (setup_flags & IORING_SETUP_SQPOLL)
		entry->flags |= IOSQE_FIXED_FILE;
	entry->addr = (uintptr_t)&address;
	entry->off = address_len;
	*(uint32_t *)(sq + params.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(sq + params.sq_off.tail), 1, __ATOMIC_SEQ_CST);
	if (setup_flags & IORING_SETUP_SQPOLL)
		enter |= IORING_ENTER_SQ_WAKEUP;
	do {
		ret = syscall(SYS_io_uring_enter, ring, 1, 1, enter, NULL, 0);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		die("io_uring_enter");

	answer = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
	errno = -answer->res;
	return answer->res ? -1 : 0;
}

static int uring_inline(void)
{
	return uring(0, 0);
}

static int uring_async(void)
{
	return uring(0, IOSQE_ASYNC);
}

static int uring_sqpoll(void)
{
	return uring(IORING_SETUP_SQPOLL, 0);
}

/* The loopback interface of the new namespace is down, so nothing is reachable. */
static int network_namespace(void)
{
	if (unshare(CLONE_NEWNET))
		die("unshare");
	return blocking();
}

static int unix_socket(void)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX, .sun_path = "/nobody" };

	return connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&path, sizeof(path));
}

static int listening(void)
{
	return listen(tcp_socket(0), 1);
}

static int user_namespace(void)
{
	if (unshare(CLONE_NEWUSER))
		die("unshare");
	return blocking();
}

/* Make the namespaces of a container. main() makes the PID namespace, and the caller the cgroup. */
static int container(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		    CLONE_NEWCGROUP))
		die("unshare");
	return blocking();
}

/* Send 1 MiB to a child that listens at the address, and check that it comes back intact. */
static int data(void)
{
	static unsigned char out[1 << 20], in[sizeof(out)];
	int listener = tcp_socket(0), fd = tcp_socket(0), ret;
	ssize_t n;
	size_t got = 0;

	listen_there(listener);

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = i * 2654435761U >> 24;

	ret = call_connect(fd, address_len);
	if (ret)
		return ret;

	if (!fork()) {
		int peer = accept(listener, NULL, NULL);

		while (got < sizeof(in) && (n = read(peer, in + got, sizeof(in) - got)) > 0)
			got += n;
		for (size_t sent = 0; sent < got; sent += n) {
			n = write(peer, in + sent, got - sent);
			if (n < 0)
				_exit(1);
		}
		_exit(0);
	}

	for (size_t sent = 0; sent < sizeof(out); sent += n) {
		n = write(fd, out + sent, sizeof(out) - sent);
		if (n < 0)
			die("write");
	}
	while (got < sizeof(in) && (n = read(fd, in + got, sizeof(in) - got)) > 0)
		got += n;
	wait(NULL);
	errno = EBADMSG;
	return got == sizeof(out) && !memcmp(in, out, sizeof(out)) ? 0 : -1;
}

static const struct {
	const char *name;
	int (*connect)(void);
} kinds[] = {
	{ "blocking", blocking },
	{ "nonblocking", nonblocking },
	{ "short", short_address },
	{ "family", wrong_family },
	{ "fastopen", fastopen },
	{ "fastopen-nowhere", fastopen_nowhere },
	{ "udp", udp },
	{ "thread", thread },
	{ "userns", user_namespace },
	{ "pidns", blocking },
	{ "netns", network_namespace },
	{ "container", container },
	{ "data", data },
	{ "without-scope", without_scope },
	{ "bound", bound },
	{ "thrice", thrice },
	{ "cookie", cookie },
	{ "timed-out", timed_out },
	{ "int80", int80 },
	{ "fastopen-connect", fastopen_connect },
	{ "mptcp", mptcp },
	{ "mptcp-subflow", mptcp_subflow },
	{ "nfs", nfs },
	{ "uring", uring_inline },
	{ "uring-async", uring_async },
	{ "uring-sqpoll", uring_sqpoll },
	{ "unix", unix_socket },
	{ "listening", listening },
};

/* Make COUNT connections of a kind on each CPU, at full speed. */
static int on_each_cpu(int (*kind)(void), int count)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), ret = 0;
	cpu_set_t set;

	for (int cpu = 0; cpu < cpus; cpu++) {
		if (fork())
			continue;
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			die("sched_setaffinity");
		while (count--) {
			ret = kind();
			close_range(3, ~0U, 0);
		}
		_exit(ret ? errno : 0);
	}
	for (int cpu = 0, status; cpu < cpus; cpu++) {
		wait(&status);
		errno = WEXITSTATUS(status);
		ret |= errno;
	}
	return ret ? -1 : 0;
}

static int set_address(char *text, const char *port)
{
	char *scope = strchr(text, '%');

	if (scope)
		*scope++ = '\0';
	if (strchr(text, ':')) {
		address.in6.sin6_family = AF_INET6;
		address.in6.sin6_port = htons(atoi(port));
		address.in6.sin6_scope_id = scope ? atoi(scope) : 0;
		address_len = sizeof(address.in6);
		return inet_pton(AF_INET6, text, &address.in6.sin6_addr);
	}
	address.in.sin_family = AF_INET;
	address.in.sin_port = htons(atoi(port));
	address_len = sizeof(address.in);
	return inet_pton(AF_INET, text, &address.in.sin_addr);
}

static void set_name(const char *text)
{
	char name[64];
	size_t len = 0;
	unsigned int byte;

	while (*text && len < sizeof(name) - 1) {
		if (sscanf(text, "\\x%2x", &byte) == 1) {
			name[len++] = byte;
			text += 4;
		} else {
			name[len++] = *text++;
		}
	}
	name[len] = '\0';
	prctl(PR_SET_NAME, name);
}

int main(int argc, char **argv)
{
	const char *name = NULL;
	pid_t pid;
	int opt, ret, status, count = 0, go[2];
	uid_t uid = 0;

	while ((opt = getopt(argc, argv, "u:n:c:")) != -1) {
		switch (opt) {
		case 'u':
			uid = atoi(optarg);
			break;
		case 'n':
			name = optarg;
			break;
		case 'c':
			count = atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3 || set_address(argv[optind + 1], argv[optind + 2]) != 1)
		return 2;

	/* The parent stays in the initial namespaces, so it knows the child's ID there. */
	if ((!strcmp(argv[optind], "pidns") || !strcmp(argv[optind], "container")) &&
	    unshare(CLONE_NEWPID))
		die("unshare");
	if (pipe(go))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid) {
		printf("pid=%d ", pid);
		fflush(stdout);
		close(go[1]);
		waitpid(pid, &status, 0);
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}

	close(go[1]);
	if (read(go[0], &opt, 1))
		die("read");
	if (name)
		set_name(name);
	if (uid && (setgid(uid) || setuid(uid)))
		die("setuid");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[optind], kinds[i].name))
			continue;
		ret = count ? on_each_cpu(kinds[i].connect, count) : kinds[i].connect();
		printf("result=%s\n", ret ? strerrorname_np(errno) : "connected");
		return 0;
	}
	return 2;
}
