// SPDX-License-Identifier: GPL-2.0
/*
 * connect - make one connection of a given kind, and say what became of it
 *
 *	connect [-u UID] [-n NAME] KIND ADDRESS PORT
 *
 * -u is the user to do it as, -n the name that the process gives itself, with
 * \xNN for any byte. Prints one line:
 *
 *	pid=PID result=RESULT
 *
 * with the process's id in the initial namespace and "connected" or the errno's
 * name. Exits with 0 unless the connection could not even be tried.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in address = { .sin_family = AF_INET };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Each kind returns what its system call returned, with errno. */

static int tcp_socket(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static int call_connect(int fd, socklen_t len)
{
	return connect(fd, (struct sockaddr *)&address, len);
}

static int blocking(void)
{
	return call_connect(tcp_socket(0), sizeof(address));
}

static int nonblocking(void)
{
	return call_connect(tcp_socket(SOCK_NONBLOCK), sizeof(address));
}

static int short_address(void)
{
	return call_connect(tcp_socket(0), sizeof(address) - 9);
}

static int wrong_family(void)
{
	address.sin_family = AF_INET6;
	return call_connect(tcp_socket(0), sizeof(address));
}

static int fastopen(void)
{
	return sendto(tcp_socket(0), "x", 1, MSG_FASTOPEN,
		      (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : 0;
}

static int fastopen_nowhere(void)
{
	return sendto(tcp_socket(0), "x", 1, MSG_FASTOPEN, NULL, 0) < 0 ? -1 : 0;
}

static int udp(void)
{
	return call_connect(socket(AF_INET, SOCK_DGRAM, 0), sizeof(address));
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

static int user_namespace(void)
{
	if (unshare(CLONE_NEWUSER))
		die("unshare");
	return blocking();
}

/* Send 1 MiB to a child that listens at the address, and get it back unharmed. */
static int data(void)
{
	static unsigned char out[1 << 20], in[sizeof(out)];
	int listener = tcp_socket(0), fd = tcp_socket(0), one = 1, ret;
	ssize_t n;
	size_t got = 0;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1))
		die("listen");

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = i * 2654435761U >> 24;

	ret = call_connect(fd, sizeof(address));
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
	{ "data", data },
};

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
	int opt, ret, status, go[2];
	uid_t uid = 0;

	while ((opt = getopt(argc, argv, "u:n:")) != -1) {
		switch (opt) {
		case 'u':
			uid = atoi(optarg);
			break;
		case 'n':
			name = optarg;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3 || inet_pton(AF_INET, argv[optind + 1], &address.sin_addr) != 1)
		return 2;
	address.sin_port = htons(atoi(argv[optind + 2]));

	/* The parent stays in the initial namespaces, and knows the child's id there. */
	if (!strcmp(argv[optind], "pidns") && unshare(CLONE_NEWPID))
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
		ret = kinds[i].connect();
		printf("result=%s\n", ret ? strerrorname_np(errno) : "connected");
		return 0;
	}
	return 2;
}
