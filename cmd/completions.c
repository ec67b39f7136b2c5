// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * completions bash|zsh|fish - write completions for a shell from the table in verbs.c
 *
 * make runs this program; it is not installed.
 */
#include <stdio.h>
#include <string.h>

#include "verbs.h"

static int takes(const struct option_info *option, int verb)
{
	return option->verbs & 1 << verb;
}

/* Print a case pattern that matches all options with this kind of argument. */
static void print_bash_options(enum argument_kind kind)
{
	const char *separator = "";

	for (const struct option_info *option = options; option->name; option++) {
		if (option->kind != kind)
			continue;
		printf("%s--%s", separator, option->name);
		separator = " | ";
	}
}

static void write_bash(void)
{
	puts("# shellcheck shell=bash\n"
	     "# Bash completion for tcp-connect-logger; bash-completion loads this file\n"
	     "\n"
	     "_tcp_connect_logger() {\n"
	     "\tlocal words=\n"
	     "\n"
	     "\tcase $COMP_CWORD-${COMP_WORDS[1]} in");
	printf("\t1-*) words=\"");
	for (int i = 0; i < NR_VERBS; i++)
		printf("%s ", verbs[i].name);
	puts("--help --version\" ;;");
	for (int i = 0; i < NR_VERBS; i++) {
		const char *separator = "";

		printf("\t*-%s) words=\"", verbs[i].name);
		for (const struct option_info *option = options; option->name; option++) {
			if (!takes(option, i))
				continue;
			printf("%s--%s", separator, option->name);
			separator = " ";
		}
		puts("\" ;;");
	}
	puts("\tesac\n"
	     "\tcase ${COMP_WORDS[COMP_CWORD - 1]} in");
	printf("\t");
	print_bash_options(ANY_WORD);
	printf(") words= ;;\n\t");
	print_bash_options(A_USER);
	printf(") words=$(getent passwd | cut -d : -f 1) ;;\n\t");
	print_bash_options(A_FILE);
	puts(")\n"
	     "\t\tcompopt -o default\n"
	     "\t\twords=\n"
	     "\t\t;;\n"
	     "\tesac\n"
	     "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
	     "}\n"
	     "complete -F _tcp_connect_logger tcp-connect-logger");
}

/*
 * Print a help text for use in single quotes: on one line, up to the first semicolon, and without
 * characters that are special to a shell.
 */
static void print_quoted(const char *text)
{
	for (; *text && *text != ';'; text++)
		if (!strchr("'[]:\\", *text))
			putchar(*text == '\n' ? ' ' : *text);
}

static void write_zsh(void)
{
	static const char * const action[] = {
		[NOTHING] = "", [ANY_WORD] = ": ", [A_FILE] = ":_files", [A_USER] = ":_users",
	};

	puts("#compdef tcp-connect-logger\n"
	     "# Zsh completion for tcp-connect-logger\n"
	     "\n"
	     "_tcp_connect_logger() {\n"
	     "\tlocal -a verbs=(");
	for (int i = 0; i < NR_VERBS; i++) {
		printf("\t\t'%s:", verbs[i].name);
		print_quoted(verbs[i].help);
		puts("'");
	}
	puts("\t)\n"
	     "\n"
	     "\tif ((CURRENT == 2)); then\n"
	     "\t\t_describe command verbs\n"
	     "\t\t_arguments '--help[show help]' '--version[print the version]'\n"
	     "\t\treturn\n"
	     "\tfi\n"
	     "\tlocal verb=${words[2]}\n"
	     "\twords=(\"${words[1]}\" \"${(@)words[3,-1]}\")\n"
	     "\t((CURRENT--))\n"
	     "\tcase $verb in");
	for (int i = 0; i < NR_VERBS; i++) {
		int any = 0;

		for (const struct option_info *option = options; option->name; option++) {
			if (!takes(option, i))
				continue;
			if (!any++)
				printf("\t%s) _arguments", verbs[i].name);
			printf(" '%s--%s%s", option->argument ? "*" : "", option->name,
			       option->argument ? "=" : "");
			printf("%s%s%s'", option->argument ? ":" : "", option->argument ?: "",
			       action[option->kind]);
		}
		if (any)
			puts(" ;;");
	}
	puts("\tesac\n"
	     "}\n"
	     "\n"
	     "_tcp_connect_logger \"$@\"");
}

static void write_fish(void)
{
	static const char begin[] = "complete -c tcp-connect-logger";

	printf("# Fish completion for tcp-connect-logger\n\n%s -f\n", begin);
	for (int i = 0; i < NR_VERBS; i++) {
		printf("%s -n __fish_use_subcommand -a %s -d '", begin, verbs[i].name);
		print_quoted(verbs[i].help);
		puts("'");
	}
	printf("%s -n __fish_use_subcommand -l help\n", begin);
	printf("%s -n __fish_use_subcommand -l version\n", begin);
	for (int i = 0; i < NR_VERBS; i++) {
		for (const struct option_info *option = options; option->name; option++) {
			if (!takes(option, i))
				continue;
			printf("%s -n '__fish_seen_subcommand_from %s' -l %s", begin,
			       verbs[i].name, option->name);
			if (option->argument)
				printf(" -x");
			if (option->kind == A_FILE)
				printf(" -a '(__fish_complete_path)'");
			else if (option->kind == A_USER)
				printf(" -a '(__fish_complete_users)'");
			putchar('\n');
		}
	}
}

/**
 * main() - write completions to standard output
 * @argc: 2
 * @argv: name of this program, and name of the shell
 *
 * Return: 0, or 2 if the shell is unknown.
 */
int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "bash"))
		write_bash();
	else if (argc == 2 && !strcmp(argv[1], "zsh"))
		write_zsh();
	else if (argc == 2 && !strcmp(argv[1], "fish"))
		write_fish();
	else
		return 2;
	return 0;
}
