// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Look up the names of users. A lookup may query a server, which can take a long time. So a
 * separate thread does the lookups, and the reader of the log waits for it only briefly. The
 * answers are kept for some time, because a lookup may make a connection, which is logged, too.
 */
#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "command.h"
#include "users.h"

#define NR_USERS 1024

static unsigned long long patience = 1000000;	/* how long the reader waits, in microseconds */
static unsigned long long keep_found = 600000000;
static unsigned long long keep_missing = 30000000;

/**
 * struct user - the last answer about a user
 * @uid: the user
 * @until: when to look it up again, by CLOCK_MONOTONIC; 0 before the first lookup
 * @wanted: whether the thread must look it up
 * @found: whether there is such a user
 * @name: name of the user
 */
struct user {
	uid_t uid;
	unsigned long long until;
	bool wanted, found;
	char name[USER_LEN];
};

/* The index is the user ID modulo NR_USERS. A user replaces another one with the same index. */
static struct user users[NR_USERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t question = PTHREAD_COND_INITIALIZER;
static pthread_cond_t answer;	/* its timeout is by CLOCK_MONOTONIC */
static bool is_slow;		/* the thread has not answered in time, and is still busy */

/* Look up a user. Returns false if there is no such user, or if the lookup fails. */
static bool look_up(uid_t uid, char name[USER_LEN])
{
	struct passwd user, *found = NULL;
	size_t size = 1024;
	char *buffer = NULL;
	int error;

	do {
		size *= 2;
		free(buffer);
		buffer = malloc(size);
		error = buffer ? getpwuid_r(uid, &user, buffer, size, &found) : ENOMEM;
	} while (error == ERANGE && size < 1 << 20);
	if (!error && found)
		snprintf(name, USER_LEN, "%s", user.pw_name);
	free(buffer);
	return !error && found;
}

static struct user *wanted_user(void)
{
	for (;;) {
		for (size_t i = 0; i < NR_USERS; i++)
			if (users[i].wanted)
				return &users[i];
		pthread_cond_wait(&question, &lock);
	}
}

static void *look_up_users(void *unused)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		struct user *user = wanted_user();
		uid_t uid = user->uid;
		char name[USER_LEN];
		bool found;

		user->wanted = false;
		pthread_mutex_unlock(&lock);
		found = look_up(uid, name);
		pthread_mutex_lock(&lock);

		is_slow = false;
		if (user->uid != uid)	/* another user has replaced it */
			continue;
		user->found = found;
		user->until = clock_usec(CLOCK_MONOTONIC) + (found ? keep_found : keep_missing);
		if (found)
			snprintf(user->name, sizeof(user->name), "%s", name);
		pthread_cond_broadcast(&answer);
	}
	return unused;
}

static void start_thread(void)
{
	pthread_condattr_t attributes;
	pthread_t thread;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&answer, &attributes);
	pthread_condattr_destroy(&attributes);
	if (pthread_create(&thread, NULL, look_up_users, NULL))
		is_slow = true;		/* there is no thread, so never wait */
	else
		pthread_detach(thread);
}

static void wait_for_answer(struct user *user, unsigned long long now)
{
	unsigned long long end = now + patience;
	struct timespec time = { end / 1000000, end % 1000000 * 1000 };

	while (user->until <= now)
		if (pthread_cond_timedwait(&answer, &lock, &time)) {
			is_slow = true;
			break;
		}
}

/**
 * user_name() - get the name of a user
 * @uid: the user
 * @name: where to store the name
 *
 * If the lookup takes too long, this function returns without a name until there is an answer.
 *
 * Return: true if there is a name.
 */
bool user_name(uid_t uid, char name[USER_LEN])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct user *user = &users[uid % NR_USERS];
	unsigned long long now = clock_usec(CLOCK_MONOTONIC);
	bool found;

	pthread_once(&once, start_thread);
	pthread_mutex_lock(&lock);
	if (user->uid != uid)
		*user = (struct user){ .uid = uid };
	if (user->until <= now) {
		user->wanted = true;
		pthread_cond_signal(&question);
		/* If there is an old name, use it until there is an answer. */
		if (!user->found && !is_slow)
			wait_for_answer(user, now);
	}
	found = user->found;
	if (found)
		snprintf(name, USER_LEN, "%s", user->name);
	pthread_mutex_unlock(&lock);
	return found;
}
