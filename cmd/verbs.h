/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one table of verbs and options. Dispatch, --help and the completions come from it.
 */
#ifndef VERBS_H
#define VERBS_H

enum verb { STATUS, ENABLE, DISABLE, LOAD, UNLOAD, RELOAD, FOLLOW, TOP, NR_VERBS };

/**
 * struct verb_info - a verb
 * @name: its name
 * @help: what it does
 */
struct verb_info {
	const char *name, *help;
};

/* What the shell may offer as an option's argument */
enum argument_kind { NOTHING, ANY_WORD, A_FILE, A_USER };

/**
 * struct option_info - an option
 * @name: its name, without the dashes
 * @verbs: bit mask of the verbs that take it
 * @argument: what its argument is called in --help, or NULL
 * @kind: what its argument is
 * @help: what it does; a newline begins a new line of --help
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
 * @help: what that does
 */
struct example {
	const char *command, *help;
};

extern const struct verb_info verbs[NR_VERBS];
extern const struct option_info options[];
extern const struct example examples[];

/* The verbs; these two parse their own options. */
int do_follow(int argc, char **argv);
int do_top(int argc, char **argv);

#endif /* VERBS_H */
