// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Store lines in files of bounded size and age. The current file is connections.json. A file that
 * is full, or of an earlier day (UTC), is renamed to connections-TIME.json, and the oldest are
 * deleted.
 *
 * A line is never split between two files. If a file ends with a part of a line, because the power
 * failed or the disk was full, the next line begins on a line of its own.
 *
 * If the process is killed, the next one must know what was written. The process marks that after
 * each write. If it is killed in between, the file is larger than marked.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "store.h"

#define DAY	86400

/* Only lines that are not connections have this. In their texts, a quote is escaped. */
#define EVENT	"\"event\":\""
#define RESULT	EVENT "result\""

/* Older files: connections-2026-11-30T22:30:00.123456789Z.json */
#define OLD_PREFIX	"connections-"
#define OLD_SUFFIX	".json"
#define OLD_LEN		(sizeof(OLD_PREFIX OLD_SUFFIX) - 1 + JSON_TIME_LEN)

/**
 * struct store - the files, and lines that have yet to be written
 * @limits: what the files may take
 * @directory: where they are
 * @file: the current file, or -1
 * @size: its size, in bytes
 * @day: the day of its last line, in days since the epoch
 * @buffer: lines that have yet to be written
 * @start: the part of @buffer before this offset has been written
 * @end: end of the lines in @buffer
 * @waiting: how many lines are in @buffer
 * @mark: what has been written
 * @stuck: whether the last attempt to write has failed
 */
struct store {
	struct store_limits limits;
	int directory, file;
	unsigned long long size;
	time_t day;
	char buffer[1 << 17];
	size_t start, end;
	unsigned long long waiting;
	struct store_mark *mark;
	bool stuck;
};

/* ---- Old files ---- */

static int is_old(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length == OLD_LEN - 1 &&
	       !strncmp(entry->d_name, OLD_PREFIX, strlen(OLD_PREFIX)) &&
	       !strcmp(entry->d_name + length - strlen(OLD_SUFFIX), OLD_SUFFIX);
}

/**
 * store_old_files() - list the files that are complete
 * @directory: a file descriptor of their directory
 * @entries: where to store the list, as scandir(3) does; their names sort by time
 *
 * Return: how many there are, or -1 with errno.
 */
int store_old_files(int directory, struct dirent ***entries)
{
	return scandirat(directory, ".", entries, is_old, alphasort);
}

/* Keep the newest that fit beside the current file. */
static void delete_old(const struct store *store)
{
	unsigned long long room = store->limits.total - store->limits.file;
	time_t oldest = time(NULL) - store->limits.age;
	struct dirent **entries;
	int number = store_old_files(store->directory, &entries);

	if (number < 0)
		die_errno("cannot list the files");
	while (number--) {
		const char *name = entries[number]->d_name;
		struct stat file;

		if (fstatat(store->directory, name, &file, AT_SYMLINK_NOFOLLOW)) {
			file.st_size = 0;
		} else if ((unsigned long long)file.st_size > room || file.st_mtime < oldest) {
			room = 0;
			if (unlinkat(store->directory, name, 0))
				pr_err("cannot delete %s: %s", name, strerror(errno));
		} else {
			room -= file.st_size;
		}
		free(entries[number]);
	}
	free(entries);
}

/* ---- The current file ---- */

static void set_mark(struct store *store, unsigned long long records)
{
	struct store_mark *mark = store->mark;
	int next = !mark->now;
	struct stat file;

	if (fstat(store->file, &file))
		die_errno("cannot examine " STORE_FILE);
	mark->states[next].inode = file.st_ino;
	mark->states[next].size = file.st_size;
	mark->states[next].records = store_written(mark) + records;
	__atomic_store_n(&mark->now, next, __ATOMIC_RELEASE);
}

/* Count the records that were written, but not marked, before the last process was killed. */
static unsigned long long count_unmarked(const struct store *store)
{
	const struct store_mark *mark = store->mark;
	unsigned long long records = 0;
	struct stat file;
	FILE *lines;
	size_t size = 0;
	char *line = NULL;
	ssize_t length;

	if (fstat(store->file, &file) || file.st_ino != mark->states[mark->now].inode)
		return 0;
	lines = fdopen(dup(store->file), "r");
	if (!lines || fseeko(lines, mark->states[mark->now].size, SEEK_SET))
		die_errno("cannot read " STORE_FILE);
	while ((length = getline(&line, &size, lines)) > 0)
		records += line[length - 1] == '\n' &&
			   (!strstr(line, EVENT) || strstr(line, RESULT));
	free(line);
	fclose(lines);
	return records;
}

static void open_current(struct store *store)
{
	struct stat file;
	char last = '\n';

	store->file = openat(store->directory, STORE_FILE,
			     O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (store->file < 0 || fstat(store->file, &file))
		die_errno("cannot open " STORE_FILE);
	set_mark(store, count_unmarked(store));
	store->size = file.st_size;
	store->day = (file.st_size ? file.st_mtime : time(NULL)) / DAY;
	if (file.st_size && pread(store->file, &last, 1, file.st_size - 1) != 1)
		die_errno("cannot read " STORE_FILE);
	/* A part of a line: end it. It is not one of ours, so it does not count as written. */
	if (last != '\n' && write(store->file, "\n", 1) == 1) {
		store->size++;
		set_mark(store, 0);
	}
}

/* Rename the current file, and begin another one. */
static void rotate(struct store *store)
{
	char name[OLD_LEN], text[JSON_TIME_LEN];

	json_time(clock_nsec(CLOCK_REALTIME), 9, text);
	sprintf(name, OLD_PREFIX "%s" OLD_SUFFIX, text);
	if (renameat(store->directory, STORE_FILE, store->directory, name))
		die_errno("cannot rename " STORE_FILE);
	fdatasync(store->file);
	close(store->file);
	open_current(store);
	delete_old(store);
}

/* Somebody may have removed or renamed the file. Then continue with a new one. */
static void check_current(struct store *store)
{
	struct stat open, named;

	if (!fstat(store->file, &open) && !fstatat(store->directory, STORE_FILE, &named, 0) &&
	    open.st_ino == named.st_ino && open.st_dev == named.st_dev)
		return;
	close(store->file);
	open_current(store);
}

static unsigned long long count_lines(const char *text, size_t length)
{
	unsigned long long lines = 0;

	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	return lines;
}

/* Write the lines in the buffer. Returns false if this is not possible now. */
static bool write_buffer(struct store *store, bool is_record)
{
	while (store->start < store->end) {
		size_t left = store->end - store->start;
		ssize_t length = write(store->file, store->buffer + store->start, left);
		unsigned long long lines;

		if (length < 0) {
			if (errno == EINTR)
				continue;
			if (!store->stuck)
				pr_err("cannot write " STORE_FILE ": %s; trying again every second",
				       strerror(errno));
			store->stuck = true;
			return false;
		}
		lines = length == (ssize_t)left ? store->waiting :
			count_lines(store->buffer + store->start, length);
		set_mark(store, is_record ? lines : 0);
		store->waiting -= lines;
		store->start += length;
		store->size += length;
	}
	if (store->stuck)
		pr_err(STORE_FILE " is written again");
	store->stuck = false;
	store->start = 0;
	store->end = 0;
	store->day = time(NULL) / DAY;
	return true;
}

/**
 * store_flush() - write the lines
 * @store: the files
 *
 * If they cannot be written, they are kept, and the first such error is reported.
 *
 * Return: true if all were written; otherwise try again later.
 */
bool store_flush(struct store *store)
{
	if (store->start == store->end)
		return true;
	if (!store->start)
		check_current(store);
	return write_buffer(store, true);
}

/**
 * store_room() - find room for the next line
 * @store: the files
 *
 * Return: where to write the line, with its newline, at most JSON_LEN bytes, before store_add(); or
 * NULL if store_flush() has failed.
 */
char *store_room(struct store *store)
{
	if (sizeof(store->buffer) - store->end < JSON_LEN && !store_flush(store))
		return NULL;
	return store->buffer + store->end;
}

/**
 * store_add() - add the line that has been written where store_room() said
 * @store: the files
 * @length: its length
 */
void store_add(struct store *store, size_t length)
{
	const char *line = store->buffer + store->end;

	if (store->size + store->end - store->start + length > store->limits.file) {
		if (store_flush(store) && store->size)
			rotate(store);
		memmove(store->buffer + store->end, line, length);
	}
	store->end += length;
	store->waiting++;
}

/**
 * store_note() - write a line that is not a record
 * @store: the files
 * @line: the line, with its newline; it has the member "event"
 * @length: its length, at most JSON_LEN
 *
 * Return: false if it cannot be written now. Then it is dropped.
 */
bool store_note(struct store *store, const char *line, size_t length)
{
	if (!store_flush(store))
		return false;
	memcpy(store->buffer + store->end, line, length);
	store_add(store, length);
	if (write_buffer(store, false))
		return true;
	/* If a part of it has been written, the next line must not follow that. */
	store->end = store->start ? 1 : 0;
	store->start = 0;
	store->waiting = 0;
	store->buffer[0] = '\n';
	return false;
}

/**
 * store_waiting() - find out how many records have been added and not yet written
 * @store: the files
 *
 * Return: the number.
 */
unsigned long long store_waiting(const struct store *store)
{
	return store->waiting;
}

/**
 * store_tidy() - delete what is too old
 * @store: the files
 *
 * Return: when to call this again, in milliseconds.
 */
int store_tidy(struct store *store)
{
	time_t now = time(NULL);

	if (now / DAY != store->day && store_flush(store)) {
		if (store->size)
			rotate(store);
		else
			delete_old(store);
		store->day = now / DAY;
	}
	return (DAY - now % DAY) * 1000;
}

/**
 * store_open() - open or create the current file
 * @directory: where the files are
 * @limits: what the files may take
 * @mark: what has been written; the last process may have left it
 *
 * Exits on an error.
 *
 * Return: the files.
 */
struct store *store_open(const char *directory, const struct store_limits *limits,
			 struct store_mark *mark)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		die_errno("cannot open the files");
	store->limits = *limits;
	store->mark = mark;
	store->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->directory < 0)
		die(EXIT_FAILED, "cannot open %s: %s", directory, strerror(errno));
	open_current(store);
	delete_old(store);
	return store;
}

/**
 * store_close() - write the remaining lines, and close the files
 * @store: the files
 */
void store_close(struct store *store)
{
	store_flush(store);
	fdatasync(store->file);
	close(store->file);
	close(store->directory);
	free(store);
}
