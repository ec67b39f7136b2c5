// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * follow - show connections as they are made; see tcp-connect-logger(8)
 *
 * They come from the trace event if it can be used, otherwise from the log. What the recorder has
 * stored can be shown first.
 */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "begun.h"
#include "command.h"
#include "describe.h"
#include "filter.h"
#include "history.h"
#include "instance.h"
#include "io.h"
#include "json.h"
#include "names.h"
#include "print.h"
#include "progress.h"
#include "ring.h"
#include "source.h"
#include "store.h"
#include "text.h"
#include "verbs.h"
#include "when.h"

static const char usage[] =
	"usage: tcp-connect-logger follow [OPTION...]\n"
	"\n"
	"Show each connection as it is made, until interrupted. The output has columns on a\n"
	"terminal; otherwise each line has the time and the record as in the kernel's log.\n"
	"\n"
	"Root sees the connections of the trace event, whatever the switch is. Others, and those\n"
	"who ask for it, see what is logged.\n"
	"\n"
	"  --buffer MIB      memory in which the kernel keeps connections until they are shown,\n"
	"                    for all CPUs together (default 64)\n"
	"  --json            print one JSON object per record, and one per loss\n"
	"  --columns LIST, -o LIST\n"
	"                    show these columns, or with --json these members; see FIELDS in\n"
	"                    tcp-connect-logger(8)\n"
	"  --kmsg            read the kernel's log from /dev/kmsg\n"
	"  --log             read the kernel's log from the journal, or else from /dev/kmsg\n"
	"  --names           add the names of destinations, as far as they are known\n"
	"  --result          show what became of each connection, too\n"
	"  --help, -h        show this help\n"
	"\n"
	"Show first what tcp-connect-logger record has stored:\n"
	"\n"
	"  --directory DIR   where its files are (default " STORE_DIRECTORY ")\n"
	"  --lines N, -n N   at most this many connections\n"
	"  --since TIME      from this time on: 2026-12-01 08:30, 08:30:15, yesterday, -2h,\n"
	"                    2026-12-01T08:30:00Z\n"
	"  --until TIME      until this time; then end\n"
	"\n"
	FILTER_USAGE;

/* ---- Options ---- */

static struct {
	enum print_form form;
	unsigned int fields;
	bool log, kmsg, history, names, result, chosen;
	unsigned long long buffer, lines, since, until;
	const char *directory;
} settings = {
	.buffer = RING_MIB, .lines = ULLONG_MAX, .until = ULLONG_MAX, .directory = STORE_DIRECTORY,
};

/* ---- The log ---- */

static void show_message(const struct message *message)
{
	struct loss loss = { .nsec = message->usec * 1000, .count = message->lost, .of_log = true,
			     .reason = "they were overwritten before they were read" };
	struct traced traced = { .nsec = message->usec * 1000, .known = JSON_LOG,
				 .record = message->line.record };

	if (message->lost)
		print_loss(settings.form, &loss);
	if (message->line.kind == LINE_RECORD) {
		if (filters_match(&traced))
			print_record(settings.form,
				     describe(&traced, settings.fields, settings.names));
	} else if (message->line.kind != LINE_FOREIGN) {
		print_other(settings.form, message);
	}
}

static void follow_log(void)
{
	struct source *source = source_open(settings.kmsg);

	pr_err("showing what is logged, from %s", source_name(source));
	say_state(true);
	for (;;) {
		struct message message;
		int n = 0;

		/* Limit the loop, so that signals are checked regularly. */
		while (n < 1000 && source_next(source, &message)) {
			show_message(&message);
			n++;
		}
		io_flush();
		if (!source_wait(source, n < 1000 ? -1 : 0))
			break;
	}
	source_close(source);
}

/* ---- What the recorder has stored ---- */

static bool is_wanted(const struct stored *entry)
{
	return entry->kind == STORED_RECORD && entry->nsec <= settings.until &&
	       (settings.result || !json_is_result(&entry->traced)) &&
	       filters_match(&entry->traced);
}

static void show_entry(const struct stored *entry)
{
	if (entry->kind == STORED_DAMAGED)
		pr_err("a damaged line in %s is not shown", settings.directory);
	else if (entry->nsec > settings.until)
		return;
	else if (entry->kind == STORED_LOSS)
		print_loss(settings.form, &entry->loss);
	else if (entry->kind == STORED_GAP)
		print_gap(settings.form, entry->nsec, entry->since);
	else if (is_wanted(entry))
		print_record(settings.form, &entry->traced);
}

/* Returns false if the program should end. */
static bool show_history(struct history *history)
{
	struct stored entry;

	for (int n = 1; history_next(history, &entry); n++) {
		show_entry(&entry);
		/* Check for signals regularly. */
		if (n % 1000 == 0 && !io_wait(NULL, 0, 0))
			return false;
	}
	io_flush();
	return true;
}

/* Returns the time until --until, in milliseconds, or -1 if it is not given. */
static int time_left(void)
{
	unsigned long long now = clock_nsec(CLOCK_REALTIME), left;

	if (settings.until == ULLONG_MAX)
		return -1;
	left = settings.until > now ? (settings.until - now) / 1000000 + 1 : 0;
	return left < INT_MAX ? left : INT_MAX;
}

/* While the recorder runs, all connections that it records come from its files. */
static void follow_files(struct history *history)
{
	pid_t recorder = progress_recorder();
	int left;

	while (show_history(history)) {
		left = time_left();
		if (!left)
			return;
		/* What the recorder still has is in the file a second later. */
		if (!history_wait(history, left < 0 || left > 5000 ? 5000 : left))
			return;
		if (recorder && !progress_recorder())
			pr_err("the recorder has ended; nothing is shown until it runs again");
		recorder = progress_recorder();
	}
}

/* ---- The trace event ---- */

static struct begun *begun;	/* NULL if results are not shown */

static void show_loss(struct ring *ring, unsigned long long *reported)
{
	unsigned long long lost = ring_totals(ring).lost;
	struct loss loss = { .nsec = clock_nsec(CLOCK_REALTIME), .count = lost - *reported,
			     .reason = "the buffer was full" };
	struct busiest busiest;

	if (ring_busiest(ring, &busiest))
		loss.busiest = &busiest;
	if (loss.count)
		print_loss(settings.form, &loss);
	*reported = lost;
}

static void show_forgotten(void)
{
	unsigned long long forgotten = begun ? begun_forgotten(begun) : 0;

	if (forgotten)
		pr_err("the results of %llu connections will not be known", forgotten);
}

/* Show the connections that exist now. Returns false if the program should end. */
static bool show_events(struct ring *ring, bool all, unsigned long long *lost)
{
	const struct traced *traced;

	ring_begin(ring, all);
	for (int n = 1; (traced = ring_next(ring)); n++) {
		/* A result is wanted if its connection was. */
		if (traced->nsec <= settings.until &&
		    (json_is_result(traced) || filters_match(traced))) {
			ring_expect_result(ring, traced, NULL);
			print_record(settings.form,
				     describe(traced, settings.fields, settings.names));
		}
		/* Check for signals regularly. */
		if (n % 1000 == 0 && !io_wait(NULL, 0, 0))
			return false;
	}
	show_forgotten();
	if (ring_lacks_records(ring))
		show_loss(ring, lost);
	io_flush();
	return true;
}

/* Returns false if the program should end, and true if somebody unloads the module. */
static bool show_until_asked(struct ring *ring, unsigned long long *lost)
{
	int left;

	while (show_events(ring, false, lost)) {
		left = time_left();
		if (!left || !ring_wait(ring, left))
			return false;
		if (io_was_asked())
			return true;
	}
	return false;
}

static void follow_event(struct history *history)
{
	char *filter = filters_for_kernel();
	unsigned long long lost, since;
	bool goes_on;

	if (settings.result)
		begun = begun_open(NULL);
	io_expect_requests();
	do {
		struct tracefs_instance *instance = instance_create();
		struct ring *ring = ring_open(instance, settings.buffer << 20, filter,
					      settings.fields & JSON_ORIGIN, begun);

		if (history && !show_history(history))
			return;
		history = NULL;
		lost = 0;
		goes_on = show_until_asked(ring, &lost);
		ring_stop(ring);
		show_events(ring, true, &lost);
		/* If the program goes on, it will miss these results. */
		if (goes_on && begun) {
			begun_forget(begun);
			show_forgotten();
		}
		ring_close(ring);
		instance_remove(instance);
		since = clock_nsec(CLOCK_REALTIME);
		goes_on = goes_on && event_await();
		if (goes_on)
			print_gap(settings.form, clock_nsec(CLOCK_REALTIME), since);
	} while (goes_on);
	free(filter);
}

/* ---- The verb ---- */

static unsigned long long parse_time(const char *text)
{
	unsigned long long nsec;

	if (!when_parse_user(text, clock_nsec(CLOCK_REALTIME), &nsec))
		die(EXIT_USAGE,
		    "a time is, for example, 2026-12-01 08:30, 08:30:15, yesterday or -2h, not %s",
		    text);
	settings.history = true;
	return nsec;
}

static void apply(int option, const char *value)
{
	switch (option) {
	case 'b':
		if (!parse_number(value, 4096, &settings.buffer) || !settings.buffer)
			die(EXIT_USAGE, "the buffer is a number from 1 to 4096, not %s", value);
		break;
	case 'd':
		settings.directory = value;
		break;
	case 'j':
		settings.form = PRINT_JSON;
		break;
	case 'o':
		settings.fields = print_choose(value);
		settings.chosen = true;
		break;
	case 'N':
		settings.names = true;
		break;
	case 'r':
		settings.result = true;
		break;
	case 'k':
		settings.kmsg = true;
		settings.log = true;
		break;
	case 'l':
		settings.log = true;
		break;
	case 'n':
		if (!parse_number(value, INT_MAX, &settings.lines))
			die(EXIT_USAGE, "the number of lines is a number up to %d, not %s", INT_MAX,
			    value);
		settings.history = true;
		break;
	case 's':
		settings.since = parse_time(value);
		break;
	case 'u':
		settings.until = parse_time(value);
		break;
	default:
		filter_add(option, value);
	}
}

/* Open the files, and go to the first object to show. */
static struct history *open_history(void)
{
	struct history *history = history_open(settings.directory, settings.since);

	if (settings.lines != ULLONG_MAX)
		history_last(history, settings.lines, is_wanted);
	return history;
}

/* Exits if the log does not have what is asked for. */
static void refuse_for_log(void)
{
	filters_for_log();
	if (settings.result || (settings.chosen && settings.fields & ~(JSON_LOG | JSON_OF_NAME)))
		die(EXIT_USAGE,
		    "the log does not have this: --result and these columns need the trace event");
}

int do_follow(int argc, char **argv)
{
	static const struct option options[] = {
		FILTER_OPTIONS,
		{ "buffer", required_argument, NULL, 'b' },
		{ "columns", required_argument, NULL, 'o' },
		{ "directory", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "kmsg", no_argument, NULL, 'k' },
		{ "lines", required_argument, NULL, 'n' },
		{ "log", no_argument, NULL, 'l' },
		{ "names", no_argument, NULL, 'N' },
		{ "result", no_argument, NULL, 'r' },
		{ "since", required_argument, NULL, 's' },
		{ "until", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct history *history = NULL;
	int option;

	text_init("");
	argv[0] = "follow";
	settings.form = isatty(STDOUT_FILENO) ? PRINT_COLUMNS : PRINT_LINES;
	while ((option = next_option(argc, argv, options, usage)) != -1)
		apply(option, optarg);
	if (settings.log && settings.history)
		die(EXIT_USAGE,
		    "--lines, --since and --until show what was recorded, and not the log: omit --log and --kmsg");
	if (settings.log)
		refuse_for_log();
	if (settings.since > settings.until)
		die(EXIT_USAGE, "--since is later than --until");
	if (settings.form == PRINT_JSON)
		text_init(UTF8_LOCALE);
	else if (settings.fields)
		settings.form = PRINT_CHOSEN;
	if (!settings.fields)
		settings.fields = settings.form == PRINT_JSON ? JSON_ALL : JSON_LOG;

	io_init();
	if (settings.names)
		names_open(true);
	if (settings.history)
		history = open_history();
	print_heading(settings.form);
	if (history && (progress_recorder() || !time_left())) {
		follow_files(history);
	} else if (!settings.log && event_exists()) {
		pr_err("showing the connections of the trace event");
		follow_event(history);
	} else {
		refuse_for_log();
		if (history && !show_history(history))
			return EXIT_OK;
		follow_log();
	}
	if (history)
		history_close(history);
	filters_free();
	return EXIT_OK;
}
