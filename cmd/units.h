/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Find systemd's unit of a cgroup.
 */
#ifndef UNITS_H
#define UNITS_H

const char *unit_of(unsigned long long cgroup);
char *unit_in_path(const char *path);

#endif /* UNITS_H */
