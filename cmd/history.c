// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Read what the recorder has stored (store.c): the old files, in the order of their names, and then
 * the current one, to which it may still add lines.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "history.h"
#include "io.h"
#include "store.h"
#include "when.h"

/**
 * struct history - the files, and how far they have been read
 * @directory: where they are
 * @since: no earlier object is wanted, in nanoseconds since the epoch
 * @fd: the file that is being read, or -1
 * @buffer: text from this file
 * @start: begin of the next line in @buffer
 * @end: end of the text in @buffer
 * @too_long: the line that is being read is longer than @buffer
 * @most_old: begin at most this many files before the current one
 * @skip: how many of the next objects are not wanted
 * @counts: which objects @skip is about
 * @changes: an inotify(7) descriptor, or -1 before history_wait()
 */
struct history {
	int directory;
	unsigned long long since;
	int fd;
	char buffer[1 << 16];
	size_t start, end;
	bool too_long;
	int most_old;
	unsigned long long skip;
	bool (*counts)(const struct stored *entry);
	int changes;
};

/* ---- Objects ---- */

static bool take_time(const json_t *object, const char *name, unsigned long long *nsec)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && when_parse(text, nsec);
}

static bool take_comm(const json_t *object, char comm[COMM_LEN])
{
	const char *text = json_string_value(json_object_get(object, "comm"));

	memset(comm, 0, COMM_LEN);
	/* The name may have become longer: U+FFFD takes three bytes, in place of one. */
	if (text)
		memcpy(comm, text, strnlen(text, COMM_LEN - 1));
	return text;
}

/* Parse an address, perhaps with a scope. Returns its family, or 0. */
static int take_address(const char *text, unsigned char *addr, unsigned int *scope)
{
	char address[INET6_ADDRSTRLEN];
	size_t length = text ? strcspn(text, "%") : sizeof(address);
	unsigned long long number = 0;
	int family;

	if (length >= sizeof(address))
		return 0;
	*(char *)mempcpy(address, text, length) = '\0';
	family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (text[length] && !parse_number(text + length + 1, UINT_MAX, &number))
		return 0;
	*scope = number;
	return inet_pton(family, address, addr) == 1 ? family : 0;
}

/* Returns the number in a member, or 0. Sets its bit in @known if it is there. */
static long long take_integer(const json_t *object, enum json_field field, long long least,
			      long long most, unsigned int *known)
{
	const json_t *member = json_object_get(object, json_fields[field]);
	long long value = json_is_integer(member) ? json_integer_value(member) : -1;

	if (!json_is_integer(member) || value < least || value > most)
		return 0;
	*known |= JSON_BIT(field);
	return value;
}

/* Copy the text in a member. Returns it, or NULL. Sets its bit in @known if it is there. */
static const char *take_text(const json_t *object, enum json_field field, char *to, size_t size,
			     unsigned int *known)
{
	const char *text = json_string_value(json_object_get(object, json_fields[field]));

	if (!text || !*text || strlen(text) >= size)
		return NULL;
	*known |= JSON_BIT(field);
	return strcpy(to, text);
}

static long long integer_in(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void take_parents(const json_t *object, struct stored *entry, unsigned int *known)
{
	const json_t *list = json_object_get(object, json_fields[JSON_PARENTS]);
	size_t number = json_array_size(list);

	if (!json_is_array(list))
		return;
	*known |= JSON_BIT(JSON_PARENTS);
	for (size_t i = 0; i < number && i < MOST_PARENTS; i++) {
		const json_t *from = json_array_get(list, i);

		entry->parents[i].pid = integer_in(from, "pid");
		entry->parents[i].uid = integer_in(from, "uid");
		entry->parents[i].start = integer_in(from, "start");
		take_comm(from, entry->parents[i].comm);
		entry->traced.nr_parents++;
	}
	entry->traced.parents = entry->parents;
}

static void take_texts(const json_t *object, struct stored *entry, unsigned int *known)
{
	struct traced *traced = &entry->traced;
	struct group *group = &entry->group;

	traced->exe = take_text(object, JSON_EXE, entry->exe, sizeof(entry->exe), known);
	traced->cmdline = take_text(object, JSON_CMDLINE, entry->cmdline, sizeof(entry->cmdline),
				    known);
	traced->cgroup_path = take_text(object, JSON_CGROUP_PATH, entry->cgroup_path,
					sizeof(entry->cgroup_path), known);
	traced->domain = take_text(object, JSON_DOMAIN, entry->domain, sizeof(entry->domain),
				   known);
	traced->domain_source = take_text(object, JSON_DOMAIN_SOURCE, entry->domain_source,
					  sizeof(entry->domain_source), known);
	group->unit = take_text(object, JSON_UNIT, entry->unit, ID_LEN, known);
	group->container = take_text(object, JSON_CONTAINER, entry->container, ID_LEN, known);
	group->container_name = take_text(object, JSON_CONTAINER_NAME, entry->container_name,
					  ID_LEN, known);
	group->pod = take_text(object, JSON_POD, entry->pod, ID_LEN, known);
	traced->group = group;
}

static void take_connection(const json_t *object, struct stored *entry)
{
	struct traced *traced = &entry->traced;
	struct record *record = &traced->record;
	unsigned int known = JSON_BIT(JSON_TIME), unused;
	int family;

	memset(traced, 0, sizeof(*traced));
	record->pid = take_integer(object, JSON_PID, 1, PID_MOST, &known);
	traced->tid = take_integer(object, JSON_TID, 1, PID_MOST, &known);
	traced->ppid = take_integer(object, JSON_PPID, 0, PID_MOST, &known);
	record->uid = take_integer(object, JSON_UID, 0, UINT_MAX, &known);
	traced->start = take_integer(object, JSON_START, 0, LLONG_MAX, &known);
	record->port = take_integer(object, JSON_DPORT, 0, USHRT_MAX, &known);
	traced->sport = take_integer(object, JSON_SPORT, 1, USHRT_MAX, &known);
	traced->result = take_integer(object, JSON_RET, INT_MIN, INT_MAX, &known);
	traced->netns = take_integer(object, JSON_NETNS, 0, UINT_MAX, &known);
	traced->cgroup = take_integer(object, JSON_CGROUP, 0, LLONG_MAX, &known);
	traced->cookie = take_integer(object, JSON_COOKIE, 0, LLONG_MAX, &known);
	traced->latency = take_integer(object, JSON_LATENCY, 0, LLONG_MAX, &known);
	if (take_comm(object, record->comm))
		known |= JSON_BIT(JSON_COMM);
	family = take_address(json_string_value(json_object_get(object, "daddr")), record->addr,
			      &record->scope);
	if (family)
		known |= JSON_BIT(JSON_DADDR) | JSON_BIT(JSON_FAMILY);
	record->family = family;
	if (family && take_address(json_string_value(json_object_get(object, "saddr")),
				   traced->source, &unused) == family)
		known |= JSON_BIT(JSON_SADDR);
	if (known & JSON_BIT(JSON_UID))
		known |= JSON_BIT(JSON_USER);
	take_parents(object, entry, &known);
	take_texts(object, entry, &known);
	traced->known = known;
}

static void take_loss(const json_t *object, struct stored *entry)
{
	const char *reason = json_string_value(json_object_get(object, "reason"));
	const json_t *busiest = json_object_get(object, "busiest");

	snprintf(entry->reason, sizeof(entry->reason), "%s", reason ?: "unknown");
	entry->loss = (struct loss){
		.nsec = entry->nsec, .past = true, .reason = entry->reason,
		.count = json_integer_value(json_object_get(object, "count")),
	};
	if (!busiest)
		return;
	entry->busiest.record.pid = json_integer_value(json_object_get(busiest, "pid"));
	entry->busiest.count = json_integer_value(json_object_get(busiest, "count"));
	take_comm(busiest, entry->busiest.record.comm);
	entry->loss.busiest = &entry->busiest;
}

/**
 * stored_parse() - parse an object that the recorder has stored
 * @line: the line
 * @length: its length
 * @entry: where to store the object
 */
void stored_parse(const char *line, size_t length, struct stored *entry)
{
	json_t *object = json_loadb(line, length, 0, NULL);
	const char *event = json_string_value(json_object_get(object, "event"));

	entry->kind = STORED_DAMAGED;
	if (take_time(object, "time", &entry->nsec)) {
		if (!event || !strcmp(event, "result")) {
			take_connection(object, entry);
			entry->traced.nsec = entry->nsec;
			if (event)
				entry->traced.known |= JSON_BIT(JSON_RESULT);
			if (!event || entry->traced.known & JSON_BIT(JSON_RET))
				entry->kind = STORED_RECORD;
		} else if (!strcmp(event, "lost")) {
			take_loss(object, entry);
			entry->kind = STORED_LOSS;
		} else if (!strcmp(event, "gap") && take_time(object, "since", &entry->since)) {
			entry->kind = STORED_GAP;
		}
	}
	json_decref(object);
}

/* ---- Files ---- */

static int open_file(const struct history *history, const char *name)
{
	int fd = openat(history->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno != ENOENT)
		die(errno == EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED, "cannot read %s: %s", name,
		    strerror(errno));
	return fd;
}

static bool is_before(const struct stat *file, unsigned long long nsec)
{
	return file->st_mtim.tv_sec * 1000000000ULL + file->st_mtim.tv_nsec < nsec;
}

/*
 * Open the file that comes after the one that is being read. Without one, open the first that may
 * have wanted objects: the last line of a file is as old as the file. Returns -1 if there is none.
 */
static int open_next(const struct history *history)
{
	struct dirent **entries;
	struct stat open, file;
	int number = store_old_files(history->directory, &entries), next = -1;

	if (number < 0)
		die_errno("cannot list the files");
	if (history->fd >= 0 && fstat(history->fd, &open))
		die_errno("cannot read a file");
	for (int i = number - 1; i >= 0; i--) {
		if (fstatat(history->directory, entries[i]->d_name, &file, AT_SYMLINK_NOFOLLOW))
			continue;
		if (history->fd < 0 ?
		    is_before(&file, history->since) || number - i > history->most_old :
		    (file.st_ino == open.st_ino ||
		     is_before(&file, open.st_mtim.tv_sec * 1000000000ULL + open.st_mtim.tv_nsec)))
			break;
		next = i;
	}
	if (next >= 0) {
		next = open_file(history, entries[next]->d_name);
	} else if (history->fd < 0 ||
		   (!fstatat(history->directory, STORE_FILE, &file, 0) &&
		    file.st_ino != open.st_ino)) {
		next = open_file(history, STORE_FILE);
	}
	while (number--)
		free(entries[number]);
	free(entries);
	return next;
}

/* Read more of the file. Returns false at its end. */
static bool read_more(struct history *history)
{
	ssize_t length;

	if (history->start) {
		memmove(history->buffer, history->buffer + history->start,
			history->end - history->start);
		history->end -= history->start;
		history->start = 0;
	}
	if (history->end == sizeof(history->buffer)) {
		history->too_long = true;
		history->end = 0;
	}
	do {
		length = read(history->fd, history->buffer + history->end,
			      sizeof(history->buffer) - history->end);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		die_errno("cannot read a file");
	history->end += length;
	return length;
}

/* Go on to the next file, if there is one. The recorder adds nothing more to this one then. */
static bool change_file(struct history *history)
{
	int next = open_next(history);

	if (next < 0)
		return false;
	if (history->fd >= 0 && read_more(history)) {
		close(next);
		return true;	/* it had added something before */
	}
	if (history->fd >= 0)
		close(history->fd);
	history->fd = next;
	history->start = 0;
	history->end = 0;
	history->too_long = false;
	return true;
}

/* Returns the next line without its newline, or NULL if there is none yet. */
static const char *next_line(struct history *history, size_t *length)
{
	for (;;) {
		char *start = history->buffer + history->start, *end;

		end = memchr(start, '\n', history->end - history->start);
		if (end) {
			*length = history->too_long ? 0 : end - start;
			history->too_long = false;
			history->start = end + 1 - history->buffer;
			return start;
		}
		if (history->fd >= 0 && read_more(history))
			continue;
		if (!change_file(history))
			return NULL;
	}
}

/* Start again. Returns false if there are no files. */
static bool rewind_files(struct history *history, int most_old)
{
	if (history->fd >= 0)
		close(history->fd);
	history->fd = -1;
	history->start = 0;
	history->end = 0;
	history->too_long = false;
	history->most_old = most_old;
	history->fd = open_next(history);
	return history->fd >= 0;
}

static int count_old(const struct history *history)
{
	struct dirent **entries;
	int number = store_old_files(history->directory, &entries);

	if (number < 0)
		die_errno("cannot list the files");
	for (int i = 0; i < number; i++)
		free(entries[i]);
	free(entries);
	return number;
}

/**
 * history_open() - begin to read what the recorder has stored
 * @directory: where the files are
 * @since: no earlier object is wanted, in nanoseconds since the epoch
 *
 * Exits if there are no files.
 *
 * Return: the files.
 */
struct history *history_open(const char *directory, unsigned long long since)
{
	struct history *history = calloc(1, sizeof(*history));

	if (!history)
		die_errno("cannot read the files");
	*history = (struct history){ .since = since, .fd = -1, .changes = -1 };
	history->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (history->directory < 0 && errno == EACCES)
		die(EXIT_NOT_PERMITTED, "only root can read the files in %s: try sudo", directory);
	if (history->directory < 0 || !rewind_files(history, INT_MAX))
		die(EXIT_FAILED,
		    "nothing has been recorded in %s: see tcp-connect-logger-record.service",
		    directory);
	return history;
}

/**
 * history_next() - read the next object
 * @history: the files
 * @entry: where to store it
 *
 * Return: false if there is none yet.
 */
bool history_next(struct history *history, struct stored *entry)
{
	const char *line;
	size_t length;

	while ((line = next_line(history, &length))) {
		stored_parse(line, length, entry);
		if (entry->kind != STORED_DAMAGED && entry->nsec < history->since)
			continue;
		if (!history->skip || !history->counts(entry))
			return true;
		history->skip--;
	}
	return false;
}

/**
 * history_last() - skip all but the last objects
 * @history: the files, from which nothing has been read
 * @number: how many to keep
 * @counts: tells which objects count; the others are not skipped after the first that is kept
 */
void history_last(struct history *history, unsigned long long number,
		  bool (*counts)(const struct stored *entry))
{
	int most_old = 0, all = count_old(history);
	unsigned long long found;
	struct stored entry;

	/* Do not read all files if the last ones have enough. */
	do {
		rewind_files(history, most_old);
		for (found = 0; history_next(history, &entry);)
			found += counts(&entry);
		most_old = 2 * most_old + 1;
	} while (found < number && most_old / 2 < all);
	rewind_files(history, most_old / 2);
	history->skip = found > number ? found - number : 0;
	history->counts = counts;
}

/**
 * history_wait() - wait until the recorder may have stored more
 * @history: the files
 * @timeout: how long to wait, in milliseconds; -1 for no limit
 *
 * Return: false if the program should end, see io_has_ended().
 */
bool history_wait(struct history *history, int timeout)
{
	struct pollfd fd = { .fd = history->changes, .events = POLLIN };
	char path[64], events[4096];

	if (fd.fd < 0) {
		/* The first call returns at once, because something may have been stored before. */
		sprintf(path, "/proc/self/fd/%d", history->directory);
		history->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (history->changes < 0 ||
		    inotify_add_watch(history->changes, path, IN_MODIFY | IN_CREATE | IN_MOVE) < 0)
			die_errno("cannot wait for the files");
		return true;
	}
	if (!io_wait(&fd, 1, timeout))
		return false;
	while (read(fd.fd, events, sizeof(events)) > 0)
		;
	return true;
}

/**
 * history_close() - stop reading
 * @history: the files
 */
void history_close(struct history *history)
{
	if (history->changes >= 0)
		close(history->changes);
	if (history->fd >= 0)
		close(history->fd);
	close(history->directory);
	free(history);
}
