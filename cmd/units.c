// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Find systemd's unit of a cgroup. The ID of a cgroup is the inode number of its directory. It is
 * never used again (kernfs_new_node() in fs/kernfs/dir.c), so what is known about it stays true.
 */
#include <fts.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "filter.h"
#include "units.h"

/* Time between two looks at all cgroups, in microseconds */
#define INTERVAL	1000000

/* How many cgroups to remember; a machine that has made so many is looked at again. */
#define MOST		100000

/**
 * struct unit - a cgroup and its unit
 * @cgroup: ID of the cgroup
 * @name: name of the unit, or NULL if the cgroup does not belong to one
 */
struct unit {
	unsigned long long cgroup;
	char *name;
};

static void *tree;	/* all that are known, for tsearch(3) */
static size_t known;
static unsigned long long looked;	/* when all were looked at, by CLOCK_MONOTONIC */

static int compare(const void *a, const void *b)
{
	const struct unit *x = a, *y = b;

	return x->cgroup < y->cgroup ? -1 : x->cgroup > y->cgroup;
}

static void forget(void *node)
{
	struct unit *unit = node;

	free(unit->name);
	free(unit);
}

/**
 * unit_in_path() - find the unit to which a cgroup belongs
 * @path: path of the cgroup
 *
 * This is what systemd's cg_path_get_unit() does: the unit is the first directory below the slices.
 *
 * Return: its name, or NULL. The caller frees it.
 */
char *unit_in_path(const char *path)
{
	static const char * const types[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

	for (size_t length; *path; path += length) {
		path += strspn(path, "/");
		length = strcspn(path, "/");
		if (length > 6 && !strncmp(path + length - 6, ".slice", 6))
			continue;
		for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
			size_t end = strlen(types[i]);

			if (length > end && !strncmp(path + length - end, types[i], end))
				return format_text("%.*s", (int)length, path);
		}
		break;
	}
	return NULL;
}

static void add(unsigned long long cgroup, const char *path)
{
	struct unit *unit = malloc(sizeof(*unit)), **found;

	if (!unit)
		die_errno("cannot remember a cgroup");
	unit->cgroup = cgroup;
	found = tsearch(unit, &tree, compare);
	if (!found)
		die_errno("cannot remember a cgroup");
	if (*found != unit) {
		free(unit);
		return;
	}
	unit->name = unit_in_path(path);
	known++;
}

static void look(void)
{
	static char * const root[] = { CGROUPS, NULL };
	FTS *all = fts_open(root, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	FTSENT *one;

	if (!all)
		return;
	if (known > MOST) {
		tdestroy(tree, forget);
		tree = NULL;
		known = 0;
	}
	while ((one = fts_read(all)))
		if (one->fts_info == FTS_D)
			add(one->fts_statp->st_ino, one->fts_path + strlen(CGROUPS));
	fts_close(all);
}

/**
 * unit_of() - find systemd's unit of a cgroup
 * @cgroup: ID of the cgroup
 *
 * Return: the name of the unit, or NULL if it has none or is gone.
 */
const char *unit_of(unsigned long long cgroup)
{
	struct unit key = { .cgroup = cgroup }, **found = tfind(&key, &tree, compare);
	unsigned long long now;

	if (!found) {
		now = clock_usec(CLOCK_MONOTONIC);
		if (looked && now - looked < INTERVAL)
			return NULL;
		look();
		looked = now;
		found = tfind(&key, &tree, compare);
	}
	return found ? (*found)->name : NULL;
}
