/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * The table of all verbs and options. Dispatch, --help and the completions use it.
 */
#ifndef VERBS_H
#define VERBS_H

enum verb { STATUS, ENABLE, DISABLE, LOAD, UNLOAD, RELOAD, FOLLOW, RECORD, TOP, NR_VERBS };

/**
 * struct verb_info - a verb
 * @name: its name
 * @help: what it does
 */
struct verb_info {
	const char *name, *help;
};

/* The type of an option's argument, which determines what a shell completes */
enum argument_kind { NOTHING, ANY_WORD, A_FILE, A_USER };

/**
 * struct option_info - an option
 * @name: its name, without the dashes
 * @verbs: bit mask of the verbs that take it
 * @argument: name of its argument in --help, or NULL if it has none
 * @kind: type of its argument
 * @help: what it does, with a newline between lines, or NULL if only the verb's --help describes it
 */
struct option_info {
	const char *name;
	int verbs;
	const char *argument;
	enum argument_kind kind;
	const char *help;
};

/**
 * struct example - an example in --help
 * @command: the arguments
 * @help: what the example does
 */
struct example {
	const char *command, *help;
};

extern const struct verb_info verbs[NR_VERBS];
extern const struct option_info options[];
extern const struct example examples[];

/* These verbs parse their own options. */
int do_follow(int argc, char **argv);
int do_record(int argc, char **argv);
int do_top(int argc, char **argv);

#endif /* VERBS_H */
