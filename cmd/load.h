/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
#ifndef LOAD_H
#define LOAD_H

/** define DEFAULT_TIMEOUT - default of --timeout in seconds; also in the help text in verbs.c */
#define DEFAULT_TIMEOUT	60

/** define LOAD_LOCK - who loads or unloads the module locks this file */
#define LOAD_LOCK	"/run/" NAME ".lock"

/**
 * struct load_options - the options of load, unload and reload
 * @timeout: how long to wait, in seconds
 * @fallback: the module to load if the installed one does not load, or NULL
 */
struct load_options {
	int timeout;
	const char *fallback;
};

int do_load(const struct load_options *options);
int do_unload(const struct load_options *options);
int do_reload(const struct load_options *options);

#endif /* LOAD_H */
