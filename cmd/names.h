/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Find the names of destinations.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

/** define NAME_LEN - size of the longest host name and its NUL */
#define NAME_LEN	254

/** enum name_source - how the name of an address was found */
enum name_source {
	/** @NAME_NONE: it has no name, or none is known yet */
	NAME_NONE,
	/**
	 * @NAME_QUERY: somebody asked systemd-resolved on this host for this name, and the answer
	 * had this address; not necessarily the process that makes the connection
	 */
	NAME_QUERY,
	/** @NAME_REVERSE: a reverse lookup; whoever owns the address can choose any name */
	NAME_REVERSE,
};

void names_open(bool reverse);
enum name_source names_find(const struct record *record, char name[NAME_LEN]);
void names_close(void);

/**
 * typedef name_take - take an address from a message of systemd-resolved's monitor
 * @family: AF_INET or AF_INET6
 * @addr: the address in network byte order
 * @scope: interface index of a link-local address, or 0
 * @name: the name that was asked for
 */
typedef void name_take(int family, const unsigned char *addr, unsigned int scope, const char *name);

bool names_parse_monitor(const char *text, size_t length, name_take *take);

#endif /* NAMES_H */
