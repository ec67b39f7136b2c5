// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * follow - show the records of tcp_connect_logger as they arrive; see tcp-connect-logger(8)
 */
#include <locale.h>
#include <unistd.h>

#include "command.h"
#include "filter.h"
#include "io.h"
#include "print.h"
#include "source.h"
#include "text.h"
#include "verbs.h"

static const char usage[] =
	"usage: tcp-connect-logger follow [OPTION...]\n"
	"\n"
	"Show each connection as it is logged, until interrupted. The output has columns on a\n"
	"terminal; otherwise each line has the time and the record as in the kernel's log.\n"
	"\n"
	"  --json          print one JSON object per record, and one per loss\n"
	"  --kmsg          read the kernel's log even if there is a journal\n"
	"  --help, -h      show this help\n"
	"\n"
	FILTER_USAGE;

static void show(enum print_form form, const struct message *message)
{
	if (message->lost)
		print_lost(form, message);
	if (message->line.kind == LINE_RECORD) {
		if (filters_match(&message->line.record, NULL))
			print_record(form, message);
	} else if (message->line.kind != LINE_FOREIGN) {
		print_other(form, message);
	}
}

int do_follow(int argc, char **argv)
{
	static const struct option options[] = {
		FILTER_OPTIONS,
		{ "json", no_argument, NULL, 'j' },
		{ "kmsg", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	enum print_form form = isatty(STDOUT_FILENO) ? PRINT_COLUMNS : PRINT_LINES;
	struct source *source;
	bool kmsg = false;
	int option;

	setlocale(LC_CTYPE, "");
	text_init();
	argv[0] = "follow";
	while ((option = next_option(argc, argv, options, usage)) != -1) {
		if (option == 'j')
			form = PRINT_JSON;
		else if (option == 'k')
			kmsg = true;
		else
			filter_add(option, optarg);
	}
	/* JSON is UTF-8 in every locale. */
	if (form == PRINT_JSON) {
		setlocale(LC_CTYPE, "C.UTF-8");
		text_init();
	}

	filters_for_log();
	io_init();
	source = source_open(kmsg);
	say_state(true);
	print_heading(form);
	for (;;) {
		struct message message;
		int n = 0;

		/* Limit the loop, so that signals are checked regularly. */
		while (n < 1000 && source_next(source, &message)) {
			show(form, &message);
			n++;
		}
		io_flush();
		if (!source_wait(source, n < 1000 ? -1 : 0))
			break;
	}
	source_close(source);
	filters_free();
	return EXIT_OK;
}
