// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Remember connections until their result is known, in bounded memory. When there are too many, the
 * oldest is forgotten: its result may come only after minutes.
 */
#include <stdlib.h>
#include <string.h>

#include "begun.h"
#include "command.h"

/* How many connections to remember, and how many lists: powers of two */
#define MOST	32768
#define LISTS	16384

/**
 * struct entry - a connection
 * @next: number of the next entry in the list
 * @used: it is in a list
 * @nsec: time of the connection, in nanoseconds since the epoch
 * @cookie: its cookie
 * @record: process and destination
 * @netns: network namespace
 * @cgroup: the process's cgroup
 * @label: what the reader has given to it
 */
struct entry {
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
 * @forgotten: how many were forgotten since begun_forgotten()
 */
struct begun {
	struct entry entries[MOST];
	unsigned int lists[LISTS];
	unsigned int turn;
	unsigned long long forgotten;
};

/* A CPU takes the cookies of its sockets one after another (gen_cookie_next() in the kernel). */
static unsigned int *list_of(struct begun *begun, unsigned long long cookie)
{
	return &begun->lists[(cookie ^ cookie >> 14 ^ cookie >> 28) % LISTS];
}

/* Remove the entry of this cookie from its list, and return it, or NULL. */
static struct entry *take(struct begun *begun, unsigned long long cookie)
{
	for (unsigned int *n = list_of(begun, cookie); *n; n = &begun->entries[*n].next) {
		struct entry *entry = &begun->entries[*n];

		if (entry->cookie == cookie) {
			*n = entry->next;
			entry->used = false;
			return entry;
		}
	}
	return NULL;
}

/**
 * begun_new() - begin without connections
 *
 * Return: the connections. The caller frees them with free(3).
 */
struct begun *begun_new(void)
{
	struct begun *begun = calloc(1, sizeof(*begun));

	if (!begun)
		die_errno("cannot remember connections");
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
	struct entry *entry = &begun->entries[turn];

	/* A socket can connect again. */
	take(begun, traced->cookie);
	begun->turn = turn;
	if (entry->used) {
		take(begun, entry->cookie);
		begun->forgotten++;
	}
	*entry = (struct entry){
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
	const struct entry *entry = take(begun, cookie);

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
	for (size_t i = 0; i < MOST; i++) {
		begun->forgotten += begun->entries[i].used;
		begun->entries[i].used = false;
	}
	memset(begun->lists, 0, sizeof(begun->lists));
}
