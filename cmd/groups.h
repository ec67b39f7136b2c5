/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Find systemd's unit, and the container, of a cgroup.
 */
#ifndef GROUPS_H
#define GROUPS_H

#include <stdbool.h>
#include <stddef.h>

/** define ID_LEN - size of the longest ID of a container or a pod, with its NUL */
#define ID_LEN	256

/**
 * struct group - what a cgroup belongs to; members that are not known are NULL
 * @unit: name of systemd's unit
 * @container: ID of the container
 * @container_name: its name
 * @pod: ID of the Kubernetes pod
 */
struct group {
	const char *unit, *container, *container_name, *pod;
};

char *unit_in_path(const char *path);
bool container_in_path(const char *path, char id[ID_LEN]);
bool pod_in_path(const char *path, char id[ID_LEN]);
const struct group *group_of(unsigned long long cgroup, const char *path);

#endif /* GROUPS_H */
