// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * tcp-connect-logger - the administrator's command; see tcp-connect-logger(8)
 *
 *	main.c		dispatch and --help; verbs.c has the table of verbs and options
 *	state.c		the state of the livepatch, from sysfs, libkmod and DKMS, in one struct
 *	status.c	prints that struct as text, as JSON, and for Prometheus
 *	environment.c	finds out what prevents loading and unloading
 *	load.c		load, unload, reload
 *	follow.c, top.c	show the records; source.c reads them, message.c and record.c parse them
 *	text.c		makes any bytes safe to print
 *	io.c		waits for input, writes output, and handles signals
 *	lazy.c		loads libraries when they are first used
 *	command.c	helpers for messages, files, clocks and other programs
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "io.h"
#include "load.h"
#include "state.h"
#include "status.h"
#include "verbs.h"

/* ---- enable and disable ---- */

static void complain_of_owner(void)
{
	struct stat info;
	const struct group *group = NULL;

	if (!stat(SWITCH, &info))
		group = getgrgid(info.st_gid);
	if (group && info.st_gid)
		pr_err("only root and the group %s may switch logging: ask to be added, or try sudo.",
		       group->gr_name);
	else
		pr_err("only root may switch logging: try sudo.");
}

static int turn(const char *value)
{
	struct state state;
	char *is;
	int error, ret = EXIT_OK;

	error = write_text(SWITCH, value) ? errno : 0;
	state_read_kernel(&state);
	is = state_describe(&state);
	if (error == ENOENT && state.patch != UNKNOWN) {
		pr_err("there is no switch: the livepatch is %s.", is);
		ret = EXIT_NOT_ACTIVE;
	} else if ((error == EACCES || error == EPERM) && access(SWITCH, W_OK)) {
		complain_of_owner();
		ret = EXIT_NOT_PERMITTED;
	} else if (error) {
		pr_err("cannot write %s to " SWITCH ": %s.", value, strerror(error));
		ret = EXIT_FAILED;
	} else if (*value == '1' && state.patch == UNKNOWN) {
		pr_err("switched on, but whether the livepatch is active is %s.", is);
		ret = EXIT_FAILED;
	} else if (*value == '1' && state.patch != ENABLED && state.patch != PATCHING) {
		pr_err("switched on, but the livepatch is %s.", is);
		ret = EXIT_NOT_ACTIVE;
	}
	free(is);
	state_free(&state);
	return ret;
}

/* ---- Help ---- */

static void print_help(void)
{
	printf("usage: " NAME " COMMAND [OPTION...]\n\n");
	for (int i = 0; i < NR_VERBS; i++)
		printf("  %-17s%s\n", verbs[i].name, verbs[i].help);
	putchar('\n');
	for (const struct option_info *option = options; option->name; option++) {
		char *name;

		if (!option->help)
			continue;
		name = format_text("--%s %s", option->name, option->argument ?: "");
		printf("  %-19s", name);
		free(name);
		for (const char *help = option->help; *help; help++) {
			putchar(*help);
			if (*help == '\n')
				printf("%21s", "");
		}
		putchar('\n');
	}
	printf("\nExamples:\n");
	for (const struct example *example = examples; example->command; example++)
		printf("  " NAME " %s\n      %s\n", example->command, example->help);
	printf("\n"
	       "Exit status: 0 success; 1 failure; 2 wrong usage; 3 the livepatch is not active;\n"
	       "4 no permission; 5 a transition did not finish in time. See " NAME "(8).\n");
}

/* ---- Options ---- */

__printf(1, 2) __attribute__((noreturn))
static void wrong_usage(const char *format, ...)
{
	char *sentence;
	va_list args;

	va_start(args, format);
	sentence = vformat_text(format, args);
	va_end(args);
	die(EXIT_USAGE, "%s. See: " NAME " --help", sentence);
}

static int verb_of(const char *name)
{
	for (int i = 0; i < NR_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return i;
	return -1;
}

static int parse_timeout(const char *text)
{
	unsigned long long seconds;

	if (!parse_number(text, 99999, &seconds))
		wrong_usage("a timeout is a number of seconds, not %s", text);
	return seconds;
}

/* Returns the option that getopt_long() has refused. */
static const char *refused(int argc, char **argv)
{
	static char letter[3];

	if (optopt && optind <= argc && strncmp(argv[optind - 1], "--", 2)) {
		letter[0] = '-';
		letter[1] = optopt;
		return letter;
	}
	return argv[optind - 1];
}

/**
 * struct arguments - the command line
 * @verb: the verb
 * @format: output format of status
 * @load: options of load, unload and reload
 * @given: bit mask of the given options, by their index in options[]
 */
struct arguments {
	int verb;
	enum format format;
	struct load_options load;
	unsigned long long given;
};

/* Returns false after --help and --version, which leave nothing else to do. */
static bool parse(int argc, char **argv, struct arguments *to)
{
	struct option known[32] = { }, *next = known;
	const char *verb = NULL;
	int option;

	/* The value of an option is its index in the table, plus 256. */
	for (int i = 0; options[i].name; i++) {
		int taken = 1 << FOLLOW | 1 << RECORD | 1 << TOP;

		if (options[i].verbs && !(options[i].verbs & ~taken) && !options[i].help)
			continue;
		next->name = options[i].name;
		next->has_arg = options[i].argument ? required_argument : no_argument;
		next->val = 256 + i;
		next++;
	}

	opterr = 0;
	while ((option = getopt_long(argc, argv, "-:h", known, NULL)) != -1) {
		const char *name = option >= 256 ? options[option - 256].name : "";

		if (option == 1) {
			if (verb)
				wrong_usage("only one command is allowed, not %s and %s",
					    verb, optarg);
			verb = optarg;
		} else if (option == 'h' || !strcmp(name, "help")) {
			print_help();
			return false;
		} else if (!strcmp(name, "version")) {
			printf(NAME " " VERSION "\n");
			return false;
		} else if (option == ':') {
			wrong_usage("%s needs a value", argv[optind - 1]);
		} else if (option == '?') {
			wrong_usage("no such option: %s", refused(argc, argv));
		} else {
			to->given |= 1ULL << (option - 256);
			if (!strcmp(name, "json"))
				to->format = JSON;
			else if (!strcmp(name, "prometheus"))
				to->format = PROMETHEUS;
			else if (!strcmp(name, "fallback"))
				to->load.fallback = optarg;
			else
				to->load.timeout = parse_timeout(optarg);
		}
	}
	if (optind < argc)
		wrong_usage("unexpected argument: %s", argv[optind]);
	if (!verb)
		wrong_usage("no command given");
	to->verb = verb_of(verb);
	if (to->verb < 0)
		wrong_usage("no such command: %s", verb);
	for (int i = 0; options[i].name; i++)
		if (to->given & 1ULL << i && !(options[i].verbs & 1 << to->verb))
			wrong_usage("--%s is not for %s", options[i].name, verb);
	return true;
}

static int run(int argc, char **argv)
{
	struct arguments arguments = { .load.timeout = DEFAULT_TIMEOUT };

	if (!parse(argc, argv, &arguments))
		return EXIT_OK;

	switch (arguments.verb) {
	case STATUS:
		return do_status(arguments.format);
	case ENABLE:
		return turn("1");
	case DISABLE:
		return turn("0");
	case LOAD:
		return do_load(&arguments.load);
	case UNLOAD:
		return do_unload(&arguments.load);
	case RELOAD:
		return do_reload(&arguments.load);
	default:
		/* follow, record and top parse their own options, which come after the name. */
		wrong_usage("%s must come first", verbs[arguments.verb].name);
	}
}

int main(int argc, char **argv)
{
	int verb = argc > 1 ? verb_of(argv[1]) : -1, ret;

	/* These end without an error when nobody reads their output any more. */
	if (verb == FOLLOW)
		return do_follow(argc - 1, argv + 1);
	if (verb == RECORD)
		return do_record(argc - 1, argv + 1);
	if (verb == TOP)
		return do_top(argc - 1, argv + 1);

	ret = run(argc, argv);
	/* The output may be redirected to a full disk. */
	if ((fflush(stdout) || ferror(stdout)) && errno != EPIPE) {
		pr_err("cannot write to standard output: %s", strerror(errno));
		if (!ret)
			ret = EXIT_FAILED;
	}
	return ret;
}
