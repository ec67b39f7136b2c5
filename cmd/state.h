/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * The state of the livepatch, in one struct.
 */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "command.h"
#include "progress.h"

struct kmod_module;

#define SYS_MODULE	"/sys/module/" MODULE
#define SYS_EVENT_MODULE "/sys/module/" EVENT_MODULE
#define PATCHES		"/sys/kernel/livepatch"
#define PATCH		PATCHES "/" MODULE
#define FILES		"/sys/kernel/" MODULE
#define SWITCH		FILES "/enabled"
#define RATE_LIMIT	SYS_MODULE "/parameters/rate_limit"
#define DKMS		"/var/lib/dkms/" NAME

/* See LIVEPATCH STATES in tcp-connect-logger(8). */
enum patch_state {
	UNKNOWN, NOT_LOADED, REPLACED, DISABLED, PATCHING, UNPATCHING, BYPASSED, ENABLED,
};

/* The content of a file that holds 0 or 1 */
enum setting { IS_UNKNOWN, IS_ABSENT, IS_OFF, IS_ON };

/**
 * struct names - a list of names
 * @name: the names
 * @count: number of names
 */
struct names {
	char **name;
	size_t count;
};

/**
 * struct installed - a module that modprobe would load, from libkmod
 * @path: its file, or NULL if there is none
 * @livepatch: whether it is the livepatch, and not the module in unsupported.c
 * @version: its version
 * @srcversion: hash of its source, which does not include the version
 * @description: its description
 * @signer: name of its signer, or NULL
 * @key: serial number of the signer's certificate, as AA:BB:CC, or NULL
 */
struct installed {
	char *path;
	bool livepatch;
	char *version, *srcversion, *description, *signer, *key;
};

/**
 * struct state - the state of the livepatch
 * @kernel: release of the running kernel
 * @installed: the livepatch for this kernel
 * @installed_event: the module of the trace event for this kernel
 * @why: why no livepatch is installed, or NULL
 * @loaded: whether the module is in the kernel
 * @version: its version
 * @srcversion: see struct installed
 * @patch: state of the livepatch
 * @unknown: which file could not be read, and why, if @patch is UNKNOWN
 * @unknown_error: errno, if @patch is UNKNOWN
 * @by: livepatches that bypass or replace this one
 * @bypassed: the bypassed functions
 * @logging: the switch
 * @logging_error: errno, if @logging is unknown
 * @counter: values of the counters, or NULL if a counter cannot be read
 * @event: whether anybody uses the trace event; absent if its module is not loaded
 * @event_error: errno, if @event is unknown
 * @event_version: version of the event's module
 * @event_srcversion: see struct installed
 * @recorder: process ID of the recorder, or 0
 * @has_recorded: whether a recorder has run since the machine booted
 * @recorded: what recorders have done since then
 */
struct state {
	char kernel[65];

	struct installed installed, installed_event;
	char *why;

	bool loaded;
	char *version, *srcversion;
	enum patch_state patch;
	char *unknown;
	int unknown_error;
	struct names by, bypassed;
	enum setting logging;
	int logging_error;
	char *counter[3];
	enum setting event;
	int event_error;
	char *event_version, *event_srcversion;
	pid_t recorder;
	bool has_recorded;
	struct recorder_counts recorded;
};

extern const char * const counters[3];
extern const char * const patch_states[];

void state_read_kernel(struct state *state);
void state_read_installed(struct state *state);
void state_free(struct state *state);

bool state_is_current(const struct state *state);
char *state_describe(const struct state *state);
const char *state_logging(const struct state *state);
const char *state_why_no_event(const struct state *state);

enum setting setting_read(const char *path, int *error);

void installed_read(struct installed *installed, struct kmod_module *module);
void installed_free(struct installed *installed);

struct names functions_of(const char *patch);
bool in_transition(const char *patch);
void names_add(struct names *names, const char *name);
char *names_join(const struct names *names);
void names_free(struct names *names);
struct names list_directory(const char *path);

#endif /* STATE_H */
