// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * The table of all verbs and options, in the order of --help.
 *
 * This file contains nothing else, because the program that writes the completions also uses it.
 */
#include <stddef.h>

#include "verbs.h"

#define ON(verb)	(1 << (verb))

const struct verb_info verbs[NR_VERBS] = {
	[STATUS] = {
		"status",
		"show the state of the livepatch; exit with 0 if it is active",
	},
	[ENABLE] = {
		"enable",
		"switch logging on",
	},
	[DISABLE] = {
		"disable",
		"switch logging off",
	},
	[LOAD] = {
		"load",
		"load the livepatch",
	},
	[UNLOAD] = {
		"unload",
		"remove the livepatch from the running kernel",
	},
	[RELOAD] = {
		"reload",
		"unload it and load the installed version; the switch stays as it is",
	},
	[FOLLOW] = {
		"follow",
		"show connections as they are logged; see tcp-connect-logger follow --help",
	},
	[RECORD] = {
		"record",
		"store each connection in a file; see tcp-connect-logger record --help",
	},
	[TOP] = {
		"top",
		"show which processes connect where; see tcp-connect-logger top --help",
	},
};

const struct option_info options[] = {
	{ "json", ON(STATUS), NULL, NOTHING,
	  "status: print one JSON object" },
	{ "prometheus", ON(STATUS), NULL, NOTHING,
	  "status: print metrics in the text format of Prometheus" },
	{ "timeout", ON(LOAD) | ON(UNLOAD) | ON(RELOAD), "SECONDS", ANY_WORD,
	  "load, unload, reload: how long to wait for the tasks of the\n"
	  "system to change over (default 60)" },
	{ "fallback", ON(RELOAD), "FILE", A_FILE,
	  "reload: load this module if the installed one does not load" },

	/* follow, record and top have their own --help, which describes these options. */
	{ "cgroup", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PATH", ANY_WORD, NULL },
	{ "comm", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PATTERN", ANY_WORD, NULL },
	{ "exe", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PATTERN", A_FILE, NULL },
	{ "net", ON(FOLLOW) | ON(RECORD) | ON(TOP), "NETWORK", ANY_WORD, NULL },
	{ "pid", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PID", ANY_WORD, NULL },
	{ "port", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PORT", ANY_WORD, NULL },
	{ "unit", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PATTERN", ANY_WORD, NULL },
	{ "user", ON(FOLLOW) | ON(RECORD) | ON(TOP), "USER", A_USER, NULL },
	{ "not-cgroup", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PATH", ANY_WORD, NULL },
	{ "not-comm", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PATTERN", ANY_WORD, NULL },
	{ "not-exe", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PATTERN", A_FILE, NULL },
	{ "not-net", ON(FOLLOW) | ON(RECORD) | ON(TOP), "NETWORK", ANY_WORD, NULL },
	{ "not-pid", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PID", ANY_WORD, NULL },
	{ "not-port", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PORT", ANY_WORD, NULL },
	{ "not-unit", ON(FOLLOW) | ON(RECORD) | ON(TOP), "PATTERN", ANY_WORD, NULL },
	{ "not-user", ON(FOLLOW) | ON(RECORD) | ON(TOP), "USER", A_USER, NULL },
	{ "buffer", ON(FOLLOW) | ON(RECORD), "MIB", ANY_WORD, NULL },
	{ "columns", ON(FOLLOW), "LIST", ANY_WORD, NULL },
	{ "config", ON(RECORD), "FILE", A_FILE, NULL },
	{ "count", ON(TOP), "N", ANY_WORD, NULL },
	{ "days", ON(RECORD), "N", ANY_WORD, NULL },
	{ "directory", ON(FOLLOW) | ON(RECORD), "DIR", A_FILE, NULL },
	{ "failed", ON(TOP), NULL, NOTHING, NULL },
	{ "fields", ON(RECORD), "LIST", ANY_WORD, NULL },
	{ "file-size", ON(RECORD), "MIB", ANY_WORD, NULL },
	{ "group", ON(TOP), "KEY", ANY_WORD, NULL },
	{ "interval", ON(TOP), "SECONDS", ANY_WORD, NULL },
	{ "json", ON(FOLLOW) | ON(TOP), NULL, NOTHING, NULL },
	{ "kmsg", ON(FOLLOW) | ON(TOP), NULL, NOTHING, NULL },
	{ "latency", ON(TOP), NULL, NOTHING, NULL },
	{ "limit", ON(TOP), "N", ANY_WORD, NULL },
	{ "lines", ON(FOLLOW), "N", ANY_WORD, NULL },
	{ "log", ON(FOLLOW) | ON(TOP), NULL, NOTHING, NULL },
	{ "names", ON(FOLLOW) | ON(RECORD), NULL, NOTHING, NULL },
	{ "output", ON(RECORD), "file|journal", ANY_WORD, NULL },
	{ "result", ON(FOLLOW) | ON(RECORD), NULL, NOTHING, NULL },
	{ "since", ON(FOLLOW), "TIME", ANY_WORD, NULL },
	{ "sort", ON(TOP), "COLUMN", ANY_WORD, NULL },
	{ "total-size", ON(RECORD), "MIB", ANY_WORD, NULL },
	{ "until", ON(FOLLOW), "TIME", ANY_WORD, NULL },

	{ "help", ON(FOLLOW) | ON(RECORD) | ON(TOP), NULL, NOTHING, "show this help" },
	{ "version", 0, NULL, NOTHING, "print the version" },
	{ }
};

const struct example examples[] = {
	{ "status", "is it active, and does it log?" },
	{ "enable", "log from now on" },
	{ "follow --user www-data --net 10.0.0.0/8", "watch what the web server connects to" },
	{ "follow -o time,pid,exe,unit,daddr,dport", "watch who connects" },
	{ "top --interval 10 --count 1", "count for ten seconds" },
	{ "top --failed", "count what fails, and why" },
	{ "reload", "after an upgrade, or after a change in modprobe.d" },
	{ }
};
