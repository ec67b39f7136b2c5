// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Find systemd's unit, and the container, of a cgroup. The ID of a cgroup is the inode number of
 * its directory. It is never used again (kernfs_new_node() in fs/kernfs/dir.c), so what is known
 * about it stays true.
 */
#include <ctype.h>
#include <fts.h>
#include <jansson.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "filter.h"
#include "groups.h"

/* Time between two looks at all cgroups, in microseconds */
#define INTERVAL	1000000

/* How many cgroups to remember; a machine that has made so many is looked at again. */
#define MOST		100000

/* Digits of the ID that Docker, podman, containerd and CRI-O give to a container */
#define HEX_ID		64

/**
 * struct cgroup - a cgroup
 * @cgroup: its ID
 * @group: what it belongs to
 */
struct cgroup {
	unsigned long long cgroup;
	struct group group;
};

static void *tree;	/* all that are known, for tsearch(3) */
static size_t known;
static unsigned long long looked;	/* when all were looked at, by CLOCK_MONOTONIC */

/* ---- Paths ---- */

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

/* Returns the length of @name without @suffix, or @length if it does not end so. */
static size_t without(const char *name, size_t length, const char *suffix)
{
	size_t end = strlen(suffix);

	return length > end && !strncmp(name + length - end, suffix, end) ? length - end : length;
}

static bool is_hex_id(const char *text, size_t length)
{
	size_t digits = 0;

	while (digits < length && isxdigit((unsigned char)text[digits]))
		digits++;
	return length == HEX_ID && digits == HEX_ID;
}

static bool copy_id(const char *text, size_t length, char id[ID_LEN])
{
	if (!length || length >= ID_LEN)
		return false;
	*(char *)mempcpy(id, text, length) = '\0';
	return true;
}

/* One directory of the path: docker-ID.scope, ID, lxc.payload.NAME, machine-NAME.scope, ... */
static bool container_in_name(const char *name, size_t length, char id[ID_LEN])
{
	static const char * const prefixes[] = { "lxc.payload.", "machine-", "systemd-nspawn@" };
	const char *hex;

	length = without(name, without(name, length, ".scope"), ".service");
	if (length >= HEX_ID) {
		hex = name + length - HEX_ID;
		/* The runtime's name comes first: docker-, libpod-, crio-, cri-containerd- */
		if (is_hex_id(hex, HEX_ID) && (hex == name || hex[-1] == '-' || hex[-1] == ':'))
			return copy_id(hex, HEX_ID, id);
	}
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t prefix = strlen(prefixes[i]);

		if (length > prefix && !strncmp(name, prefixes[i], prefix))
			return copy_id(name + prefix, length - prefix, id);
	}
	return false;
}

/**
 * container_in_path() - find the container to which a cgroup belongs
 * @path: path of the cgroup
 * @id: where to store its ID. It is the name for LXC and systemd-nspawn.
 *
 * In a container within a container, the inner one is found.
 *
 * Return: false if there is none.
 */
bool container_in_path(const char *path, char id[ID_LEN])
{
	bool found = false;

	for (size_t length; *path; path += length) {
		path += strspn(path, "/");
		length = strcspn(path, "/");
		found |= container_in_name(path, length, id);
	}
	return found;
}

/**
 * pod_in_path() - find the Kubernetes pod to which a cgroup belongs
 * @path: path of the cgroup
 * @id: where to store its ID
 *
 * The kubelet calls the directory podID, or kubepods-burstable-podID.slice with "_" for "-".
 *
 * Return: false if there is none.
 */
bool pod_in_path(const char *path, char id[ID_LEN])
{
	const char *kubepods = strstr(path, "kubepods"), *pod;
	size_t length;

	while (kubepods && (pod = strstr(kubepods, "pod"))) {
		kubepods = pod + 1;
		if (pod[-1] != '/' && pod[-1] != '-')
			continue;
		pod += strlen("pod");
		length = without(pod, strcspn(pod, "/"), ".slice");
		if (length != 32 && length != 36)
			continue;
		copy_id(pod, length, id);
		for (char *c = id; *c; c++)
			if (*c == '_')
				*c = '-';
		return true;
	}
	return false;
}

/* ---- Names of containers ---- */

/* Returns the member of a member, or NULL. */
static const char *member(const json_t *object, const char *name, const char *inner)
{
	object = json_object_get(object, name);
	if (inner)
		object = json_object_get(object, inner);
	return json_string_value(object);
}

static json_t *read_json(const char *format, const char *id)
{
	char *path = format_text(format, id), *text = read_text("%s", path);
	json_t *json = text ? json_loadb(text, strlen(text), 0, NULL) : NULL;

	free(text);
	free(path);
	return json;
}

/* podman has a list of all containers. */
static char *name_in_podman(const char *id)
{
	json_t *list = read_json("/var/lib/containers/storage/overlay-containers/containers.json",
				 NULL);
	char *name = NULL;

	for (size_t i = 0; list && i < json_array_size(list); i++) {
		const json_t *container = json_array_get(list, i);
		const json_t *names = json_object_get(container, "names");
		const char *found = member(container, "id", NULL);

		if (found && !strcmp(found, id) && !name)
			name = copy_text(json_string_value(json_array_get(names, 0)));
	}
	json_decref(list);
	return name;
}

/* Return the name that the runtime has given to a container, or NULL. */
static char *name_of_container(const char *id)
{
	static const struct {
		const char *file, *object, *member;
	} places[] = {
		/* Docker */
		{ "/var/lib/docker/containers/%s/config.v2.json", "Name", NULL },
		/* containerd and CRI-O, for Kubernetes: annotations of the OCI specification */
		{ "/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json",
		  "annotations", "io.kubernetes.cri.container-name" },
		{ "/run/containers/storage/overlay-containers/%s/userdata/config.json",
		  "annotations", "io.kubernetes.container.name" },
	};

	if (!is_hex_id(id, strlen(id)))
		return copy_text(id);	/* LXC and systemd-nspawn have no other ID */
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		json_t *json = read_json(places[i].file, id);
		const char *found = json ? member(json, places[i].object, places[i].member) : NULL;
		char *name = found ? copy_text(found + (*found == '/')) : NULL;

		json_decref(json);
		if (name)
			return name;
	}
	return name_in_podman(id);
}

/* ---- Cgroups ---- */

static int compare(const void *a, const void *b)
{
	const struct cgroup *x = a, *y = b;

	return x->cgroup < y->cgroup ? -1 : x->cgroup > y->cgroup;
}

static void forget(void *node)
{
	struct cgroup *one = node;

	free((char *)one->group.unit);
	free((char *)one->group.container);
	free((char *)one->group.container_name);
	free((char *)one->group.pod);
	free(one);
}

/* Add a cgroup that is not known yet. */
static struct cgroup *add(unsigned long long cgroup, const char *path)
{
	struct cgroup *one = calloc(1, sizeof(*one));
	char id[ID_LEN];

	if (known >= MOST) {
		tdestroy(tree, forget);
		tree = NULL;
		known = 0;
	}
	if (!one)
		die_errno("cannot remember a cgroup");
	one->cgroup = cgroup;
	one->group.unit = unit_in_path(path);
	if (container_in_path(path, id)) {
		one->group.container = copy_text(id);
		one->group.container_name = name_of_container(id);
	}
	if (pod_in_path(path, id))
		one->group.pod = copy_text(id);
	if (!tsearch(one, &tree, compare))
		die_errno("cannot remember a cgroup");
	known++;
	return one;
}

static struct cgroup *find(unsigned long long cgroup)
{
	struct cgroup key = { .cgroup = cgroup }, **found = tfind(&key, &tree, compare);

	return found ? *found : NULL;
}

static void look(void)
{
	static char * const root[] = { CGROUPS, NULL };
	FTS *all = fts_open(root, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	FTSENT *found;

	if (!all)
		return;
	while ((found = fts_read(all)))
		if (found->fts_info == FTS_D && !find(found->fts_statp->st_ino))
			add(found->fts_statp->st_ino, found->fts_path + strlen(CGROUPS));
	fts_close(all);
}

/**
 * group_of() - find out what a cgroup belongs to
 * @cgroup: ID of the cgroup
 * @path: its path, or NULL to look for it. It is not found if the cgroup is gone.
 *
 * Return: what it belongs to, which is valid until the next call, or NULL if it is not found.
 */
const struct group *group_of(unsigned long long cgroup, const char *path)
{
	struct cgroup *one = find(cgroup);
	unsigned long long now;

	if (!one && path) {
		one = add(cgroup, path);
	} else if (!one) {
		now = clock_usec(CLOCK_MONOTONIC);
		if (looked && now - looked < INTERVAL)
			return NULL;
		look();
		looked = now;
		one = find(cgroup);
	}
	return one ? &one->group : NULL;
}
