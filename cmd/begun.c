// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Remember connections until their result is known, in bounded memory. When there are too many, the
 * oldest is forgotten: its result may come only after minutes. A file can keep them for the next
 * program.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "begun.h"
#include "command.h"

/* How many connections to remember, and how many lists: powers of two */
#define MOST	32768
#define LISTS	16384

/**
 * struct attempt - a connection
 * @next: number of the next entry in the list
 * @used: it is in a list
 * @nsec: time of the connection, in nanoseconds since the epoch
 * @cookie: its cookie
 * @record: process and destination
 * @netns: network namespace
 * @cgroup: the process's cgroup
 * @label: what the reader has given to it
 */
struct attempt {
	unsigned int next;
	bool used;
	unsigned long long nsec, cookie;
	struct record record;
	unsigned int netns;
	unsigned long long cgroup;
	const char *label;
};

/**
 * struct begun - connections
 * @entries: the connections. They are used in turn, the first one for nothing.
 * @lists: number of the first entry of each list; 0 ends a list
 * @turn: whose turn it is
 * @reached: the entries after this one have never been used
 * @forgotten: how many were forgotten since begun_forgotten()
 */
struct begun {
	struct attempt entries[MOST];
	unsigned int lists[LISTS];
	unsigned int turn, reached;
	unsigned long long forgotten;
};

/* A CPU takes the cookies of its sockets one after another (gen_cookie_next() in the kernel). */
static unsigned int *list_of(struct begun *begun, unsigned long long cookie)
{
	return &begun->lists[(cookie ^ cookie >> 14 ^ cookie >> 28) % LISTS];
}

/* Remove the entry of this cookie from its list, and return it, or NULL. */
static struct attempt *take(struct begun *begun, unsigned long long cookie)
{
	for (unsigned int *n = list_of(begun, cookie); *n; n = &begun->entries[*n].next) {
		struct attempt *entry = &begun->entries[*n];

		if (entry->cookie == cookie) {
			*n = entry->next;
			entry->used = false;
			return entry;
		}
	}
	return NULL;
}

/* The file gets all its memory now: writing to a full /run later would end the program. */
static int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat file;

	if (fd < 0 || fstat(fd, &file))
		die_errno("cannot open the file of connections without a result");
	/* Another version of the program may have another size. */
	if (file.st_size != sizeof(struct begun) && ftruncate(fd, 0))
		die_errno("cannot empty the file of connections without a result");
	errno = posix_fallocate(fd, 0, sizeof(struct begun));
	if (errno)
		die_errno("cannot store connections without a result");
	return fd;
}

/* The program that wrote the file may have been killed at any time, so make the lists again. */
static void make_lists(struct begun *begun)
{
	memset(begun->lists, 0, sizeof(begun->lists));
	begun->turn %= MOST;
	begun->reached %= MOST;
	for (unsigned int n = 1; n <= begun->reached; n++) {
		struct attempt *entry = &begun->entries[n];
		unsigned int *list = list_of(begun, entry->cookie);

		entry->label = NULL;
		if (!entry->used)
			continue;
		entry->next = *list;
		*list = n;
	}
}

/**
 * begun_open() - begin to remember connections
 * @path: a file in /run that keeps them when the program ends; only one program may use it. NULL to
 *	begin without connections.
 *
 * Exits on an error.
 *
 * Return: the connections. Those from the file have no labels.
 */
struct begun *begun_open(const char *path)
{
	int fd = path ? open_file(path) : -1;
	struct begun *begun = mmap(NULL, sizeof(*begun), PROT_READ | PROT_WRITE,
				   path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);

	if (begun == MAP_FAILED)
		die_errno("cannot remember connections");
	if (path) {
		close(fd);
		make_lists(begun);
	}
	return begun;
}

/**
 * begun_add() - remember a connection
 * @begun: the connections
 * @traced: the connection
 * @label: what begun_take() is to store as its @label
 */
void begun_add(struct begun *begun, const struct traced *traced, const char *label)
{
	unsigned int turn = begun->turn % (MOST - 1) + 1, *list = list_of(begun, traced->cookie);
	struct attempt *entry = &begun->entries[turn];

	/* A socket can connect again. */
	take(begun, traced->cookie);
	begun->turn = turn;
	if (turn > begun->reached)
		begun->reached = turn;
	if (entry->used) {
		take(begun, entry->cookie);
		begun->forgotten++;
	}
	*entry = (struct attempt){
		.next = *list, .used = true, .nsec = traced->nsec, .cookie = traced->cookie,
		.record = traced->record, .netns = traced->netns, .cgroup = traced->cgroup,
		.label = label,
	};
	*list = turn;
}

/**
 * begun_take() - find a connection that has its result now, and forget it
 * @begun: the connections
 * @cookie: its cookie
 * @traced: where to store what was remembered
 *
 * Return: false if it is not known.
 */
bool begun_take(struct begun *begun, unsigned long long cookie, struct traced *traced)
{
	const struct attempt *entry = take(begun, cookie);

	if (!entry)
		return false;
	*traced = (struct traced){
		.nsec = entry->nsec, .cookie = cookie, .record = entry->record,
		.netns = entry->netns, .cgroup = entry->cgroup,
		.label = entry->label,
	};
	return true;
}

/**
 * begun_forgotten() - find out how many results will not be known
 * @begun: the connections
 *
 * Return: how many connections were forgotten since the last call.
 */
unsigned long long begun_forgotten(struct begun *begun)
{
	unsigned long long forgotten = begun->forgotten;

	begun->forgotten = 0;
	return forgotten;
}

/**
 * begun_forget() - forget all connections
 * @begun: the connections
 */
void begun_forget(struct begun *begun)
{
	for (unsigned int i = 1; i <= begun->reached; i++) {
		begun->forgotten += begun->entries[i].used;
		begun->entries[i].used = false;
	}
	memset(begun->lists, 0, sizeof(begun->lists));
}

/**
 * begun_close() - remember no more connections
 * @begun: the connections, which stay in their file
 */
void begun_close(struct begun *begun)
{
	munmap(begun, sizeof(*begun));
}
