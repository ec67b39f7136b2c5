/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Store lines in files of bounded size and age.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>

/** define STORE_DIRECTORY - where the files are by default */
#define STORE_DIRECTORY	"/var/log/" NAME

/** define STORE_FILE - the file that is being written; older ones have a time after the dash */
#define STORE_FILE	"connections.json"

/**
 * struct store_limits - what the files may take
 * @file: size of a file, in bytes
 * @total: size of all files, in bytes, at least 2 * @file
 * @age: age of the last line of a file, in seconds
 */
struct store_limits {
	unsigned long long file, total, age;
};

/**
 * struct store_mark - what has been written, in memory that outlives the process
 * @now: which of @states is valid; the other one may be incomplete
 * @states: inode number and size of the current file, and how many records have been written
 */
struct store_mark {
	unsigned long long now;
	struct {
		unsigned long long inode, size, records;
	} states[2];
};

/**
 * store_written() - find out how many records have been written
 * @mark: the mark
 *
 * Return: the number since the mark was all 0.
 */
static inline unsigned long long store_written(const struct store_mark *mark)
{
	return mark->states[mark->now].records;
}

struct dirent;
struct store;

struct store *store_open(const char *directory, const struct store_limits *limits,
			 struct store_mark *mark);
char *store_room(struct store *store);
void store_add(struct store *store, size_t length);
bool store_flush(struct store *store);
bool store_note(struct store *store, const char *line, size_t length);
unsigned long long store_waiting(const struct store *store);
int store_tidy(struct store *store);
int store_old_files(int directory, struct dirent ***entries);
void store_close(struct store *store);

#endif /* STORE_H */
