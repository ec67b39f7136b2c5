/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Select the records that the user wants to see.
 */
#ifndef FILTER_H
#define FILTER_H

#include <getopt.h>
#include <stdbool.h>

#include "record.h"

/** define CGROUPS - where the cgroups of version 2 are */
#define CGROUPS	"/sys/fs/cgroup"

/** enum filter_kind - the field that a filter compares; with BUT_NOT added, it must differ */
enum filter_kind {
	BY_COMM, BY_PID, BY_USER, BY_PORT, BY_NET, BY_CGROUP, BY_EXE, BY_UNIT, NR_KINDS,
	BUT_NOT = 16
};

/** define FILTER_OPTIONS - the filter options of a verb, for getopt_long(3) */
#define FILTER_OPTIONS							\
	{ "cgroup", required_argument, NULL, BY_CGROUP },		\
	{ "comm", required_argument, NULL, BY_COMM },			\
	{ "exe", required_argument, NULL, BY_EXE },			\
	{ "net", required_argument, NULL, BY_NET },			\
	{ "pid", required_argument, NULL, BY_PID },			\
	{ "port", required_argument, NULL, BY_PORT },			\
	{ "unit", required_argument, NULL, BY_UNIT },			\
	{ "user", required_argument, NULL, BY_USER },			\
	{ "not-cgroup", required_argument, NULL, BUT_NOT + BY_CGROUP },	\
	{ "not-comm", required_argument, NULL, BUT_NOT + BY_COMM },	\
	{ "not-exe", required_argument, NULL, BUT_NOT + BY_EXE },	\
	{ "not-net", required_argument, NULL, BUT_NOT + BY_NET },	\
	{ "not-pid", required_argument, NULL, BUT_NOT + BY_PID },	\
	{ "not-port", required_argument, NULL, BUT_NOT + BY_PORT },	\
	{ "not-unit", required_argument, NULL, BUT_NOT + BY_UNIT },	\
	{ "not-user", required_argument, NULL, BUT_NOT + BY_USER }

/** define FILTER_USAGE - their part of the help */
#define FILTER_USAGE \
	"Filters; if one is given more than once, any of its values matches:\n"			\
	"\n"											\
	"  --cgroup PATH   only this cgroup, a directory in /sys/fs/cgroup\n"			\
	"  --comm PATTERN  only processes with this name; * ? [...] work as in a shell\n"	\
	"  --exe PATTERN   only this executable: /usr/bin/curl, */curl\n"			\
	"  --net NETWORK   only this network: 192.0.2.0/24, 2001:db8::/32, or an address\n"	\
	"  --pid PID       only this process\n"						\
	"  --port PORT     only this port\n"							\
	"  --unit PATTERN  only this unit of systemd\n"						\
	"  --user USER     only this user, given by name or number\n"				\
	"  --not-cgroup, --not-comm, --not-exe, --not-net, --not-pid, --not-port, --not-unit,\n" \
	"  --not-user\n"									\
	"                  everything but this\n"

void filter_add(int kind, const char *text);
bool filters_match(const struct traced *traced);
bool filters_match_comm(const struct record *record);
void filters_for_log(void);
bool filters_need_origin(void);
bool filters_are_exact(void);
char *filters_for_kernel(void);
void filters_free(void);

#endif /* FILTER_H */
