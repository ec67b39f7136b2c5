// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Find the names of destinations. One thread reads systemd-resolved's monitor, which reports each
 * name that was asked for, and its addresses. Another thread looks up the names of addresses,
 * because a lookup can take a long time. The reader of connections only uses what these threads
 * have found. It never waits for them.
 *
 * All names come from outside, so only those that consist of the characters of host names are used.
 */
#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "command.h"
#include "names.h"

/* As in <arpa/nameser.h>, whose names are too general */
#define CLASS_IN	1
#define TYPE_A		1
#define TYPE_AAAA	28
#define TYPE_ANY	255

#define METHOD		"io.systemd.Resolve.Monitor.SubscribeQueryResults"

/* Size of the longest message: an answer of 64 KiB becomes about ten times as much JSON. */
#define MOST_JSON	1048576

/* A cache has sets, and a set has room for a few addresses. The least recently used one goes. */
#define NR_SETS		2048
#define NR_WAYS		8

/* How many reverse lookups may wait */
#define MOST_LOOKUPS	256

/* Times in microseconds */
static unsigned long long keep_queried = 86400000000;
static unsigned long long keep_reversed = 3600000000;
static unsigned long long keep_nameless = 300000000;
static unsigned long long keep_failed = 30000000;	/* until a failed lookup is repeated */
static unsigned long long keep_asked = 60000000;	/* until it is asked again */
static unsigned long long pause_gone = 1000000;		/* between two connects to the monitor */
static unsigned long long pause_refused = 60000000;	/* after the monitor's refusal */
static unsigned long long pause_failed = 100000;	/* after a reverse lookup that failed */

static const char *monitor_path = "/run/systemd/resolve/io.systemd.Resolve.Monitor";

/**
 * struct place - an address
 * @addr: IPv6 address, or an IPv4 address mapped to IPv6
 * @scope: interface index of a link-local address, or 0
 */
struct place {
	unsigned char addr[16];
	unsigned int scope;
};

/**
 * struct known - what is known about an address
 * @place: the address
 * @used: when it was last used, by CLOCK_MONOTONIC; 0 if this element is free
 * @until: when this is out of date
 * @name: its name, or NULL if it has none
 */
struct known {
	struct place place;
	unsigned long long used;
	unsigned long long until;
	char *name;
};

/*
 * There are two caches. A port scan causes many reverse lookups, and they must not displace the
 * names that were asked for.
 */
static struct known *queried, *reversed;	/* NULL if closed, or without reverse lookups */
static unsigned long long seed;

static struct place queue[MOST_LOOKUPS];	/* a ring */
static size_t queue_first, queue_length;

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;	/* never held while waiting */
static pthread_cond_t more_lookups = PTHREAD_COND_INITIALIZER;
static unsigned int session;		/* the threads of older sessions end */
static bool subscribed;			/* the monitor reports names */
static unsigned long long subscribe_at;	/* when to try again, by CLOCK_MONOTONIC */

/* These belong to the thread that reads the monitor. */
static pthread_t watcher;
static bool is_watching;	/* there is this thread */
static int wake = -1;		/* an eventfd(2) that wakes it up */
static int monitor = -1;
static char *input;		/* of MOST_JSON bytes */
static size_t input_length;
static bool too_long;		/* skip the rest of a message */

/* A system call would be too slow for each connection, and the coarse clock never makes one. */
static unsigned long long coarse_now(void)
{
	return clock_usec(CLOCK_MONOTONIC_COARSE);
}

/* ---- Names ---- */

/*
 * Copy a name if it is a host name that cannot be mistaken for an address or an option. Without its
 * last dot and in lower case, because case does not matter in DNS.
 */
static bool copy_name(const char *from, char to[NAME_LEN])
{
	size_t length = strlen(from), label = 0;
	bool number = true;

	if (length && from[length - 1] == '.')
		length--;
	if (!length || length >= NAME_LEN || *from == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = from[i];

		if (c == '.') {
			if (!label)
				return false;
			label = 0;
			number = true;
			to[i] = c;
			continue;
		}
		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
		if (++label > 63)
			return false;
		number &= c >= '0' && c <= '9';
		to[i] = c;
	}
	to[length] = '\0';
	return label && !number;
}

/* Store the name that was asked for. systemd-resolved puts the questions in the order of time. */
static bool take_question(const json_t *result, char name[NAME_LEN])
{
	const json_t *question = json_object_get(result, "collectedQuestions"), *key;
	const char *asked;
	json_int_t type;

	/* These precede the question if it is about the target of a CNAME. */
	if (!json_is_array(question) || !json_array_size(question))
		question = json_object_get(result, "question");
	if (!json_is_array(question))
		return false;
	key = json_array_get(question, 0);
	type = json_integer_value(json_object_get(key, "type"));
	asked = json_string_value(json_object_get(key, "name"));
	return json_integer_value(json_object_get(key, "class")) == CLASS_IN &&
	       (type == TYPE_A || type == TYPE_AAAA || type == TYPE_ANY) &&
	       asked && copy_name(asked, name);
}

static bool take_address(const json_t *address, unsigned char addr[16], size_t size)
{
	if (!json_is_array(address) || json_array_size(address) != size)
		return false;
	for (size_t i = 0; i < size; i++) {
		const json_t *byte = json_array_get(address, i);

		if (!json_is_integer(byte) || json_integer_value(byte) < 0 ||
		    json_integer_value(byte) > 255)
			return false;
		addr[i] = json_integer_value(byte);
	}
	return true;
}

static void take_answer(const json_t *answer, const char *name, name_take *take)
{
	const json_t *record = json_object_get(answer, "rr"), *key = json_object_get(record, "key");
	const json_t *address = json_object_get(record, "address");
	json_int_t type = json_integer_value(json_object_get(key, "type"));
	json_int_t interface = json_integer_value(json_object_get(answer, "ifindex"));
	unsigned char addr[16];

	if (json_integer_value(json_object_get(key, "class")) != CLASS_IN)
		return;
	if (type == TYPE_A && take_address(address, addr, 4)) {
		take(AF_INET, addr, 0, name);
	} else if (type == TYPE_AAAA && take_address(address, addr, 16)) {
		if (!address_is_linklocal(addr) || interface < 0 || interface > UINT32_MAX)
			interface = 0;
		take(AF_INET6, addr, interface, name);
	}
}

/**
 * names_parse_monitor() - parse a message of systemd-resolved's monitor
 * @text: the message, a JSON object: manager_monitor_send() in systemd's resolved-manager.c
 * @length: its length, without the NUL that ends it
 * @take: called for each address in a successful answer
 *
 * Return: true if more messages follow, false after an error or a message of another format.
 */
bool names_parse_monitor(const char *text, size_t length, name_take *take)
{
	json_t *message = json_loadb(text, length, 0, NULL);
	const json_t *result = json_object_get(message, "parameters");
	const json_t *answers = json_object_get(result, "answer");
	const char *state = json_string_value(json_object_get(result, "state"));
	bool continues = json_is_true(json_object_get(message, "continues"));
	char name[NAME_LEN];

	if (continues && state && !strcmp(state, "success") && json_is_array(answers) &&
	    take_question(result, name))
		for (size_t i = 0; i < json_array_size(answers); i++)
			take_answer(json_array_get(answers, i), name, take);
	json_decref(message);
	return continues;
}

/* ---- The caches ---- */

static struct place place_of(int family, const unsigned char *addr, unsigned int scope)
{
	struct place place = { .scope = scope };

	if (family == AF_INET) {
		memset(place.addr + 10, 0xff, 2);
		memcpy(place.addr + 12, addr, 4);
	} else {
		memcpy(place.addr, addr, 16);
	}
	return place;
}

/* Find the set that an address belongs to. Nobody can choose addresses that share a set. */
static struct known *set_of(struct known *cache, const struct place *place)
{
	unsigned long long hash = seed, words[2];

	memcpy(words, place->addr, sizeof(words));
	for (int i = 0; i < 2; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 32;
	}
	hash = (hash ^ place->scope) * 0x9e3779b97f4a7c15;
	return cache + (hash >> 32) % NR_SETS * NR_WAYS;
}

static struct known *find_known(struct known *cache, const struct place *place)
{
	struct known *set = set_of(cache, place);

	for (int i = 0; i < NR_WAYS; i++)
		if (set[i].used && !memcmp(&set[i].place, place, sizeof(*place)))
			return &set[i];
	return NULL;
}

/* Like find_known(), but let it replace the least recently used address if it is not there. */
static struct known *make_known(struct known *cache, const struct place *place,
				unsigned long long now)
{
	struct known *known = find_known(cache, place), *set = set_of(cache, place);

	if (known)
		return known;
	known = set;
	for (int i = 1; i < NR_WAYS; i++)
		if (set[i].used < known->used)
			known = &set[i];
	free(known->name);
	*known = (struct known){ .place = *place, .used = now };
	return known;
}

static void free_cache(struct known **cache)
{
	for (size_t i = 0; *cache && i < NR_SETS * NR_WAYS; i++)
		free((*cache)[i].name);
	free(*cache);
	*cache = NULL;
}

static struct known *new_cache(void)
{
	struct known *cache = calloc(NR_SETS * NR_WAYS, sizeof(*cache));

	if (!cache)
		die_errno("cannot remember names");
	return cache;
}

/* ---- Reverse lookups ---- */

/* Ask for the name of an address. If too many lookups wait, the next connection asks again. */
static void ask(const struct place *place, unsigned long long now)
{
	if (queue_length == MOST_LOOKUPS)
		return;
	queue[(queue_first + queue_length++) % MOST_LOOKUPS] = *place;
	make_known(reversed, place, now)->until = now + keep_asked;
	pthread_cond_signal(&more_lookups);
}

/* Look up the name of an address. Returns 0 or an error of getaddrinfo(3). */
static int look_up_name(const struct place *place, char name[NAME_LEN])
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_scope_id = place->scope };
	char found[NI_MAXHOST];
	int error;

	memcpy(&v4.sin_addr, place->addr + 12, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, place->addr, sizeof(v6.sin6_addr));
	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		error = getnameinfo((struct sockaddr *)&v4, sizeof(v4), found, sizeof(found),
				    NULL, 0, NI_NAMEREQD);
	else
		error = getnameinfo((struct sockaddr *)&v6, sizeof(v6), found, sizeof(found),
				    NULL, 0, NI_NAMEREQD);
	if (!error && !copy_name(found, name))
		error = EAI_NONAME;
	return error;
}

static void remember_reversed(const struct place *place, int error, const char *name)
{
	unsigned long long now = coarse_now();
	struct known *known = make_known(reversed, place, now);

	/* If the lookup has failed, an old name is better than none. */
	if (error && error != EAI_NONAME) {
		known->until = now + keep_failed;
		return;
	}
	free(known->name);
	known->name = error ? NULL : strdup(name);
	known->until = now + (error ? keep_nameless : keep_reversed);
}

static void *look_up_names(void *data)
{
	unsigned int mine = (uintptr_t)data;

	pthread_mutex_lock(&guard);
	while (session == mine) {
		struct place place;
		char name[NAME_LEN];
		int error;

		if (!queue_length) {
			pthread_cond_wait(&more_lookups, &guard);
			continue;
		}
		place = queue[queue_first];
		queue_first = (queue_first + 1) % MOST_LOOKUPS;
		queue_length--;
		pthread_mutex_unlock(&guard);

		error = look_up_name(&place, name);
		/* Without a network, each lookup fails at once. Then do not keep a CPU busy. */
		if (error && error != EAI_NONAME)
			usleep(pause_failed);

		pthread_mutex_lock(&guard);
		if (session == mine)
			remember_reversed(&place, error, name);
	}
	pthread_mutex_unlock(&guard);
	return NULL;
}

/* ---- The monitor ---- */

/* Remember a name that was asked for. Many names lead to this host, and say nothing about it. */
static void remember_queried(int family, const unsigned char *addr, unsigned int scope,
			     const char *name)
{
	static const unsigned char unspecified[16], loopback[16] = { [15] = 1 };
	struct place place = place_of(family, addr, scope);
	unsigned long long now = coarse_now();
	struct known *known;
	char *copy;

	if (family == AF_INET ? addr[0] == 127 || !memcmp(addr, unspecified, 4) :
	    !memcmp(addr, loopback, 16) || !memcmp(addr, unspecified, 16))
		return;
	copy = strdup(name);
	if (!copy)
		return;
	pthread_mutex_lock(&guard);
	if (queried) {
		known = make_known(queried, &place, now);
		free(known->name);
		known->name = copy;
		known->used = now;
		known->until = now + keep_queried;
		copy = NULL;
	}
	pthread_mutex_unlock(&guard);
	free(copy);
}

/* Subscribe to the monitor. Neither connect() nor send() blocks. Returns -1 if it is not there. */
static int subscribe(void)
{
	static const char call[] = "{\"method\":\"" METHOD "\",\"parameters\":{},\"more\":true}";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	strncpy(address.sun_path, monitor_path, sizeof(address.sun_path) - 1);
	/* The message includes its NUL. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(fd, call, sizeof(call), MSG_NOSIGNAL) != sizeof(call)) {
		close(fd);
		return -1;
	}
	input_length = 0;
	too_long = false;
	return fd;
}

/* Read from the monitor. Returns how long not to subscribe again if it has ended, otherwise 0. */
static unsigned long long read_monitor(void)
{
	ssize_t length = recv(monitor, input + input_length, MOST_JSON - input_length, 0);
	char *message = input, *unseen = input + input_length, *end;

	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : pause_gone;
	if (!length)
		return pause_gone;
	input_length += length;
	while ((end = memchr(unseen, '\0', input + input_length - unseen))) {
		if (!too_long && !names_parse_monitor(message, end - message, remember_queried))
			return pause_refused;
		too_long = false;
		message = end + 1;
		unseen = message;
	}
	input_length -= message - input;
	memmove(input, message, input_length);
	if (input_length == MOST_JSON) {
		input_length = 0;
		too_long = true;
	}
	return 0;
}

static void set_subscribed(bool is, unsigned long long pause)
{
	pthread_mutex_lock(&guard);
	subscribed = is;
	subscribe_at = coarse_now() + pause;
	pthread_mutex_unlock(&guard);
}

static void *watch_monitor(void *data)
{
	unsigned int mine = (uintptr_t)data;

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = wake, .events = POLLIN },
			{ .fd = monitor, .events = POLLIN },
		};
		unsigned long long pause;
		eventfd_t count;
		bool ends;

		poll(fds, 2, -1);
		pthread_mutex_lock(&guard);
		ends = session != mine;
		pthread_mutex_unlock(&guard);
		if (ends)
			break;
		if (fds[0].revents) {
			eventfd_read(wake, &count);
			if (monitor < 0) {
				monitor = subscribe();
				set_subscribed(monitor >= 0, pause_gone);
			}
		} else if (fds[1].revents) {
			pause = read_monitor();
			if (pause) {
				close(monitor);
				monitor = -1;
				set_subscribed(false, pause);
			}
		}
	}
	return NULL;
}

/* ---- For the reader of connections ---- */

/* Load the library before there are threads, because lazy.c does not expect them. */
static void load_parser(void)
{
	static const char message[] = "{\"continues\":true,\"parameters\":{"
		"\"state\":\"success\",\"collectedQuestions\":[{}],\"answer\":[]}}";

	names_parse_monitor(message, strlen(message), NULL);
}

static bool start(pthread_t *thread, void *(*run)(void *data))
{
	return !pthread_create(thread, NULL, run, (void *)(uintptr_t)session);
}

/**
 * names_open() - begin to find names
 * @reverse: whether to look up the names of addresses for which no process has asked
 *
 * If systemd-resolved does not run, or refuses, only reverse lookups find names. Only root may
 * subscribe to its monitor, and root without CAP_DAC_OVERRIDE cannot with systemd 252, where the
 * socket belongs to another user. Later versions ask polkit about other users.
 */
void names_open(bool reverse)
{
	sigset_t all, before;
	pthread_t worker;

	load_parser();
	getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	queried = new_cache();
	if (reverse)
		reversed = new_cache();
	input = malloc(MOST_JSON);
	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!input || wake < 0)
		die_errno("cannot look for names");

	/* Subscribe at once, so that no name is missed that is asked for after this call. */
	monitor = subscribe();
	subscribed = monitor >= 0;
	subscribe_at = coarse_now() + pause_gone;

	/* All signals are for the main thread, see io.c. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	is_watching = start(&watcher, watch_monitor);
	if (reverse && start(&worker, look_up_names))
		pthread_detach(worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/**
 * names_find() - find the name of a connection's destination
 * @record: the connection
 * @name: where to store the name
 *
 * This function does not wait. If no name is known, it asks for a reverse lookup, so that the name
 * may be known for a later connection to the same address.
 *
 * Return: how the name was found, or NAME_NONE.
 */
enum name_source names_find(const struct record *record, char name[NAME_LEN])
{
	struct place place = place_of(record->family, record->addr, record->scope);
	enum name_source source = NAME_NONE;
	unsigned long long now = coarse_now();
	struct known *known;

	pthread_mutex_lock(&guard);
	if (!queried)
		goto unlock;
	/* Only the connections make the thread try again, so it sleeps when nothing happens. */
	if (!subscribed && now >= subscribe_at) {
		subscribe_at = now + pause_gone;
		eventfd_write(wake, 1);
	}
	known = find_known(queried, &place);
	if (known && known->until > now) {
		source = NAME_QUERY;
	} else if (reversed) {
		known = find_known(reversed, &place);
		if (!known || known->until <= now)
			ask(&place, now);
		/* An old name is used until there is an answer. */
		if (known && known->name)
			source = NAME_REVERSE;
	}
	if (known)
		known->used = now;
	if (source)
		strcpy(name, known->name);
unlock:
	pthread_mutex_unlock(&guard);
	return source;
}

/**
 * names_close() - stop finding names
 *
 * This function does not wait for a reverse lookup: its thread ends when there is an answer.
 */
void names_close(void)
{
	if (!queried)
		return;
	pthread_mutex_lock(&guard);
	session++;
	free_cache(&queried);
	free_cache(&reversed);
	queue_length = 0;
	pthread_cond_broadcast(&more_lookups);
	pthread_mutex_unlock(&guard);

	eventfd_write(wake, 1);
	if (is_watching)
		pthread_join(watcher, NULL);
	if (monitor >= 0)
		close(monitor);
	close(wake);
	free(input);
	monitor = -1;
	wake = -1;
	input = NULL;
}
