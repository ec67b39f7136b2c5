// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * record - store each connection of this machine in a file; see tcp-connect-logger(8)
 *
 * The kernel puts the connections in the buffers of a trace instance. These stay when the recorder
 * ends, so that the next one continues there. What the recorder has read and not written when it is
 * killed is counted: the kernel knows how much was read, and a file in /run how much was written.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "begun.h"
#include "command.h"
#include "describe.h"
#include "filter.h"
#include "instance.h"
#include "io.h"
#include "journal.h"
#include "json.h"
#include "names.h"
#include "print.h"
#include "progress.h"
#include "ring.h"
#include "store.h"
#include "text.h"
#include "verbs.h"

#define CONFIG	"/etc/" NAME "/record.conf"

/* The connections that have no result yet */
#define BEGUN	RECORDER_RUN "/begun"

static const char usage[] =
	"usage: tcp-connect-logger record [OPTION...]\n"
	"\n"
	"Store each connection as a JSON line in a file, until interrupted. The switch does not\n"
	"matter. The options are read from " CONFIG ", too.\n"
	"\n"
	"  --buffer MIB        memory in which the kernel keeps what has yet to be written, for\n"
	"                      all CPUs together (default 64)\n"
	"  --config FILE       read the options from this file\n"
	"  --directory DIR     where the files are (default " STORE_DIRECTORY ")\n"
	"  --fields LIST       store only these fields; default: all but user and cmdline\n"
	"  --file-size MIB     size of a file (default 64)\n"
	"  --output file|journal\n"
	"                      where to store: in files, or in the systemd journal\n"
	"  --names             add the names of destinations, as far as they are known\n"
	"  --result            store what became of each connection, too\n"
	"  --total-size MIB    size of all files (default 1024)\n"
	"  --days N            how long to keep a file (default 30)\n"
	"\n"
	FILTER_USAGE
	"\n"
	"  --help, -h          show this help\n";

static struct progress *progress;
static struct begun *begun;		/* NULL if results are not wanted */

static unsigned long long done(void)
{
	return store_written(&progress->mark) + progress->sent + progress->skipped;
}

/* ---- Output ---- */

/* A command line may contain passwords, and the name of a user may have to be looked up. */
static unsigned int fields = JSON_ALL & ~(JSON_BIT(JSON_USER) | JSON_BIT(JSON_CMDLINE));
static bool with_names, with_results;

static struct store *store;		/* NULL if the records go to the journal */
static bool journal_stuck;		/* whether the last attempt to write there has failed */

/* Returns false if the journal does not take it now. */
static bool check_journal(bool taken)
{
	if (!taken && !journal_stuck)
		pr_err("cannot write to the journal: %s; trying again every second",
		       strerror(errno));
	journal_stuck = !taken;
	return taken;
}

/* Returns false if the output is stuck. */
static bool put_record(const struct traced *traced)
{
	char *line;

	if (store) {
		line = store_room(store);
		if (!line)
			return false;
		store_add(store, json_traced(traced, fields, line));
	} else {
		if (!check_journal(journal_connection(traced, fields)))
			return false;
		progress->sent++;
	}
	if (json_is_result(traced))
		progress->results[result_of(traced->result)]++;
	return true;
}

/* Report that so many are lost, and add them to the sum. */
static void put_lost(unsigned long long *sum, unsigned long long count, const char *reason,
		     const struct busiest *busiest)
{
	struct loss loss = { .nsec = clock_nsec(CLOCK_REALTIME), .count = count, .reason = reason,
			     .busiest = busiest };
	char line[JSON_LEN];

	*sum += count;
	if (!store && check_journal(journal_loss(&loss)))
		return;
	/* If the output is stuck, this is the only place where it is reported. */
	print_loss(PRINT_LINES, &loss);
	if (store)
		store_note(store, line, json_loss(&loss, line));
}

static void put_gap(unsigned long long since)
{
	unsigned long long now = clock_nsec(CLOCK_REALTIME);
	char line[JSON_LEN];

	if (store)
		store_note(store, line, json_gap(now, since, line));
	else
		check_journal(journal_gap(now, since));
}

/* ---- The instance ---- */

static struct tracefs_instance *instance;
static const struct traced *pending;	/* has been read while the output was stuck */

/* Report what the kernel has lost since the last report. */
static void report_lost(struct ring *ring)
{
	unsigned long long lost = ring_totals(ring).lost;
	struct busiest busiest;

	if (lost > progress->lost)
		put_lost(&progress->overrun, lost - progress->lost, "the buffer was full",
			 ring_busiest(ring, &busiest) ? &busiest : NULL);
	progress->lost = lost;
}

/* Returns the next record that is wanted, with what must be looked up, or NULL. */
static const struct traced *next_record(struct ring *ring)
{
	const struct traced *traced;

	while ((traced = ring_next(ring))) {
		/* A result is wanted if its connection was. */
		if (json_is_result(traced) || filters_match(traced))
			break;
		progress->skipped++;
	}
	progress->skipped += ring_left_out(ring);
	if (!traced)
		return NULL;
	ring_expect_result(ring, traced, NULL);
	return describe(traced, fields, with_names);
}

/* Store the records that exist now. Returns false if the output is stuck. */
static bool store_records(struct ring *ring, bool all)
{
	ring_begin(ring, all);
	while (pending || (pending = next_record(ring))) {
		if (!put_record(pending))
			return false;
		pending = NULL;
	}
	if (begun)
		progress->unknown_results += begun_forgotten(begun);
	progress->unknown_command_lines += described_unknown();
	if (ring_lacks_records(ring))
		report_lost(ring);
	return !store || store_flush(store);
}

/* The results of the connections that have none yet will not be known. */
static void forget_begun(void)
{
	if (!begun)
		return;
	begun_forget(begun);
	progress->unknown_results += begun_forgotten(begun);
}

/* Begin with the instance, or continue where the last recorder has stopped. */
static struct ring *take_up(size_t size, const char *filter)
{
	struct ring_totals totals;
	struct ring *ring;
	unsigned long long known = progress->read + done() - progress->done;
	bool is_new;

	instance = tracefs_instance_create(RECORDER_INSTANCE);
	if (!instance)
		die_errno("cannot create a trace instance");
	is_new = tracefs_instance_is_new(instance);
	/* Nobody has received the results meanwhile. */
	if (is_new)
		forget_begun();
	ring = ring_open(instance, size, filter, fields & JSON_ORIGIN, begun);
	totals = ring_totals(ring);
	/* If the kernel has cleared the buffers, its counts begin at 0 again. */
	if (!is_new && totals.read > known)
		put_lost(&progress->dropped, totals.read - known,
			 "the recorder ended before it had written them", NULL);
	if (is_new || totals.read < known)
		progress->lost = 0;
	progress->read = totals.read;
	progress->done = done() + (store ? store_waiting(store) : 0);
	report_lost(ring);
	return ring;
}

/* Somebody unloads the module: store the records in the buffers, and remove the instance. */
static void let_go(struct ring *ring)
{
	struct ring_totals totals;
	unsigned long long all, handled;

	ring_stop(ring);
	store_records(ring, true);
	report_lost(ring);
	totals = ring_totals(ring);
	all = totals.read + totals.waiting - progress->read;
	handled = done() + (store ? store_waiting(store) : 0) - progress->done;
	if (all > handled)
		put_lost(&progress->dropped, all - handled,
			 "they could not be written before the module was unloaded", NULL);
	pending = NULL;
	forget_begun();
	ring_close(ring);
	instance_remove(instance);
}

/* Continue with the connections whose results the last recorder has not seen. */
static void open_begun(void)
{
	if (!with_results && access(BEGUN, F_OK))
		return;
	begun = begun_open(BEGUN);
	if (with_results)
		return;
	/* The last one had --result, and this one does not. */
	forget_begun();
	begun_close(begun);
	begun = NULL;
	unlink(BEGUN);
}

/* Returns false if the program should end, and true if somebody unloads the module. */
static bool record(struct ring *ring)
{
	while (!io_has_ended()) {
		bool written = store_records(ring, false);
		int tidy = store ? store_tidy(store) : -1;

		if (written ? !ring_wait(ring, tidy) : !io_wait(NULL, 0, 1000))
			break;
		if (io_was_asked())
			return true;
	}
	return false;
}

/* ---- Options ---- */

/* The options of the command line and of the configuration file */
static struct {
	const char *directory, *config;
	bool to_journal;
	unsigned long long buffer, file_size, total_size, days;
} settings = {
	.directory = STORE_DIRECTORY, .buffer = RING_MIB,
	.file_size = 64, .total_size = 1024, .days = 30,
};

enum {
	BUFFER = 256, CONFIG_FILE, DIRECTORY, FIELDS, FILE_SIZE, NAMES, OUTPUT, RESULTS, TOTAL_SIZE,
	DAYS
};

static const struct option known[] = {
	{ "buffer", required_argument, NULL, BUFFER },
	{ "config", required_argument, NULL, CONFIG_FILE },
	{ "directory", required_argument, NULL, DIRECTORY },
	{ "fields", required_argument, NULL, FIELDS },
	{ "file-size", required_argument, NULL, FILE_SIZE },
	{ "names", no_argument, NULL, NAMES },
	{ "output", required_argument, NULL, OUTPUT },
	{ "result", no_argument, NULL, RESULTS },
	{ "total-size", required_argument, NULL, TOTAL_SIZE },
	{ "days", required_argument, NULL, DAYS },
	FILTER_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static unsigned long long in_range(const char *name, const char *text, unsigned int least,
				   unsigned int most)
{
	unsigned long long value;

	if (!parse_number(text, most, &value) || value < least)
		die(EXIT_USAGE, "%s is a number from %u to %u, not %s", name, least, most, text);
	return value;
}

static void apply(int option, const char *value)
{
	switch (option) {
	case BUFFER:
		settings.buffer = in_range("the buffer", value, 1, 4096);
		break;
	case CONFIG_FILE:
		settings.config = value;
		break;
	case DIRECTORY:
		settings.directory = value;
		break;
	case FIELDS:
		fields = json_parse_fields(value) | JSON_BIT(JSON_TIME) | JSON_OF_RESULT |
			 JSON_OF_NAME;
		break;
	case FILE_SIZE:
		settings.file_size = in_range("the size of a file", value, 1, 1 << 20);
		break;
	case NAMES:
		with_names = true;
		break;
	case RESULTS:
		with_results = true;
		break;
	case OUTPUT:
		if (strcmp(value, "file") && strcmp(value, "journal"))
			die(EXIT_USAGE, "the output is file or journal, not %s", value);
		settings.to_journal = !strcmp(value, "journal");
		break;
	case TOTAL_SIZE:
		settings.total_size = in_range("the size of all files", value, 2, 1 << 30);
		break;
	case DAYS:
		settings.days = in_range("days", value, 1, 36500);
		break;
	default:
		filter_add(option, value);
	}
}

/* Remove the spaces at both ends. */
static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && strchr(" \t\n", end[-1]))
		end--;
	*end = '\0';
	return text + strspn(text, " \t");
}

/* Returns false if the line is not the name of an option without dashes, with "=" and a value. */
static bool apply_line(char *line)
{
	char *value = strchr(line, '=');
	const struct option *option = known;

	if (value)
		*value++ = '\0';
	line = trim(line);
	while (option->name && strcmp(option->name, line))
		option++;
	if (!option->name || option->val == CONFIG_FILE || option->val == 'h')
		return false;
	/* Some options have no value. */
	if (option->has_arg == required_argument ? !value : !!value)
		return false;
	/* Filters keep the text. */
	apply(option->val, value ? copy_text(trim(value)) : NULL);
	return true;
}

static void read_config(const char *path, bool must_exist)
{
	FILE *file = fopen(path, "re");
	size_t size = 0;
	char *line = NULL;

	if (!file && errno == ENOENT && !must_exist)
		return;
	if (!file)
		die(EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
	for (int n = 1; getline(&line, &size, file) > 0; n++) {
		char *text = trim(line);

		if (*text && *text != '#' && !apply_line(text))
			die(EXIT_USAGE, "%s, line %d: not an option and its value: %s", path, n,
			    text);
	}
	if (ferror(file))
		die(EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
	free(line);
	fclose(file);
}

int do_record(int argc, char **argv)
{
	struct store_limits limits;
	char *filter;
	int option;

	text_init(UTF8_LOCALE);
	argv[0] = "record";
	/* The command line overrides the file, so find the file first. */
	while ((option = next_option(argc, argv, known, usage)) != -1)
		if (option == CONFIG_FILE)
			settings.config = optarg;
	read_config(settings.config ?: CONFIG, settings.config);
	optind = 0;
	while ((option = next_option(argc, argv, known, usage)) != -1)
		apply(option, optarg);
	if (settings.total_size < 2 * settings.file_size)
		die(EXIT_USAGE, "the size of all files must be at least twice the size of a file");
	if (geteuid())
		die(EXIT_NOT_PERMITTED, "only root can record: try sudo");

	limits = (struct store_limits){ settings.file_size << 20, settings.total_size << 20,
					settings.days * 86400 };
	filter = filters_for_kernel();
	io_init();
	io_expect_requests();
	progress = progress_open();
	open_begun();
	if (with_names)
		names_open(true);
	if (!settings.to_journal)
		store = store_open(settings.directory, &limits, &progress->mark);
	if (!event_exists())
		pr_err("waiting for the trace event; see: tcp-connect-logger status");
	while (event_await()) {
		struct ring *ring = take_up(settings.buffer << 20, filter);
		unsigned long long since;

		if (!record(ring)) {
			store_records(ring, true);
			ring_close(ring);
			tracefs_instance_free(instance);
			break;
		}
		let_go(ring);
		since = clock_nsec(CLOCK_REALTIME);
		if (!event_await())
			break;
		put_gap(since);
	}
	if (store)
		store_close(store);
	filters_free();
	free(filter);
	return EXIT_OK;
}
