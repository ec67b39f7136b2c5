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
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "filter.h"
#include "io.h"
#include "json.h"
#include "load.h"
#include "recorder.h"
#include "ring.h"
#include "store.h"
#include "text.h"
#include "verbs.h"

#define RUN		"/run/" NAME
#define PROGRESS	RUN "/record"
#define CONFIG		"/etc/" NAME "/record.conf"

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
	"  --fields LIST       store only these fields\n"
	"  --file-size MIB     size of a file (default 64)\n"
	"  --total-size MIB    size of all files (default 1024)\n"
	"  --days N            how long to keep a file (default 30)\n"
	"\n"
	FILTER_USAGE
	"\n"
	"  --help, -h          show this help\n";

/* ---- What has been done ---- */

/**
 * struct progress - what has been done with the records of the trace instance
 * @base: the kernel's count of records that had been read when the recorder began with the instance
 * @written: how many have been written since
 * @lost: the kernel's count of lost records, as far as it has been reported
 *
 * It is in /run, because it is about an instance that is gone after a boot.
 */
struct progress {
	unsigned long long base, written, lost;
};

static struct progress *progress;
/* Lines that store_written() counts and @written does not: those before this instance, and notes */
static unsigned long long other_lines;

/**
 * recorder_process() - find the recorder
 *
 * Return: its process ID, or 0 if there is none.
 */
pid_t recorder_process(void)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(PROGRESS, O_RDWR | O_CLOEXEC);
	bool known = fd >= 0 && !fcntl(fd, F_GETLK, &whole) && whole.l_type != F_UNLCK;

	if (fd >= 0)
		close(fd);
	return known ? whole.l_pid : 0;
}

/* There is only one recorder, because all of them would read the same instance. */
static void open_progress(void)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd;

	if (mkdir(RUN, 0755) && errno != EEXIST)
		die_errno("cannot create " RUN);
	fd = open(PROGRESS, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		die_errno("cannot open " PROGRESS);
	if (fcntl(fd, F_SETLK, &whole)) {
		pid_t other = recorder_process();

		die(EXIT_FAILED, "another recorder, process %d, is running.", other);
	}
	if (ftruncate(fd, sizeof(*progress)))
		die_errno("cannot write " PROGRESS);
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (progress == MAP_FAILED)
		die_errno("cannot map " PROGRESS);
	/* Keep the file open: closing it would release the lock. */
}

/* ---- Records ---- */

static unsigned int fields = (1U << NR_JSON_FIELDS) - 1;

/* Store an object that is not a record. @rest has more of its members. */
static void note(struct store *store, const char *event, const char *rest, ...) __printf(3, 4);
static void note(struct store *store, const char *event, const char *rest, ...)
{
	char time[JSON_TIME_LEN], line[JSON_LEN];
	va_list args;
	int length;

	json_now(time);
	length = sprintf(line, "{\"time\":\"%s\",\"event\":\"%s\",", time, event);
	va_start(args, rest);
	length += vsnprintf(line + length, sizeof(line) - length, rest, args);
	va_end(args);
	length += sprintf(line + length, "}\n");
	/* If the disk is full, this may be lost, but the caller has printed it. */
	if (store_has_room(store)) {
		store_add(store, line, length);
		other_lines++;
	}
}

static void note_lost(struct store *store, unsigned long long count, const char *reason)
{
	pr_err("%llu connections were lost: %s", count, reason);
	note(store, "lost", "\"count\":%llu,\"reason\":\"%s\"", count, reason);
}

/* Write all lines, and note how far we are. Returns false if they cannot be written now. */
static bool flush(struct store *store)
{
	bool all = store_flush(store);

	progress->written = store_written(store) - other_lines;
	return all;
}

/* Report what the kernel has lost since the last report. */
static void report_lost(struct store *store, const struct ring *ring)
{
	unsigned long long lost = ring_totals(ring).lost;

	if (lost > progress->lost)
		note_lost(store, lost - progress->lost, "the buffer was full");
	progress->lost = lost;
}

/* Store the records that exist now. Returns false if they cannot be written now. */
static bool store_records(struct store *store, struct ring *ring, bool all)
{
	char line[JSON_LEN];
	struct traced traced;

	ring_begin(ring, all);
	while (store_has_room(store)) {
		if (!ring_next(ring, &traced)) {
			if (ring_lacks_records(ring))
				report_lost(store, ring);
			return flush(store);
		}
		if (filters_match(&traced.record, &traced.cgroup))
			store_add(store, line, json_traced(&traced, fields, line));
		else
			other_lines--;	/* read, and need not be written */
	}
	return false;
}

/* ---- The instance ---- */

/* Begin with the instance, or continue where the last recorder has stopped. */
static struct ring *take_up(struct store *store, size_t size, const char *filter)
{
	struct ring *ring = ring_open(RECORDER_INSTANCE, size, filter);
	struct ring_totals totals = ring_totals(ring);
	unsigned long long done = progress->base + progress->written;

	/* If the kernel has cleared the buffers, its counts begin at 0 again. */
	if (!ring_is_new(ring) && totals.read > done)
		note_lost(store, totals.read - done, "the recorder ended before it had written them");
	if (ring_is_new(ring) || totals.read < done)
		progress->lost = 0;
	progress->base = totals.read;
	progress->written = 0;
	other_lines = store_written(store);
	report_lost(store, ring);
	return ring;
}

/* Store what is in the buffers, and remove the instance, because somebody unloads the module. */
static void let_go(struct store *store, struct ring *ring)
{
	struct ring_totals totals;

	ring_stop(ring);
	store_records(store, ring, true);
	report_lost(store, ring);
	flush(store);
	totals = ring_totals(ring);
	totals.read += totals.waiting - progress->base;
	if (totals.read > progress->written)
		note_lost(store, totals.read - progress->written,
			  "they could not be written before the module was unloaded");
	ring_close(ring, false);
}

/* Returns true if nobody is loading or unloading the module, so that nobody waits for us. */
static bool module_is_at_rest(void)
{
	int fd = open(LOAD_LOCK, O_RDONLY | O_CLOEXEC);
	bool at_rest = fd < 0 || !flock(fd, LOCK_SH | LOCK_NB);

	if (fd >= 0)
		close(fd);
	return at_rest;
}

/* Wait until the kernel has the event. Returns false if the program should end. */
static bool wait_for_event(struct store *store)
{
	while (!module_is_at_rest() || !ring_exists()) {
		if (!io_wait(NULL, 0, 1000))
			return false;
		io_was_asked();
		store_tidy(store);
	}
	return true;
}

/* Returns false if the program should end, and true if somebody unloads the module. */
static bool record(struct store *store, struct ring *ring)
{
	while (!io_has_ended()) {
		bool written = store_records(store, ring, false);
		int tidy = store_tidy(store);

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
	unsigned long long buffer, file_size, total_size, days;
} settings = {
	.directory = STORE_DIRECTORY, .buffer = 64, .file_size = 64, .total_size = 1024, .days = 30,
};

enum { BUFFER = 256, CONFIG_FILE, DIRECTORY, FIELDS, FILE_SIZE, TOTAL_SIZE, DAYS };

static const struct option known[] = {
	{ "buffer", required_argument, NULL, BUFFER },
	{ "config", required_argument, NULL, CONFIG_FILE },
	{ "directory", required_argument, NULL, DIRECTORY },
	{ "fields", required_argument, NULL, FIELDS },
	{ "file-size", required_argument, NULL, FILE_SIZE },
	{ "total-size", required_argument, NULL, TOTAL_SIZE },
	{ "days", required_argument, NULL, DAYS },
	FILTER_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static unsigned long long number(const char *name, const char *text, unsigned int least,
				 unsigned int most)
{
	unsigned long long value;

	if (!parse_number(text, most, &value) || value < least)
		die(EXIT_USAGE, "%s is a number from %u to %u, not %s", name, least, most, text);
	return value;
}

static unsigned int parse_fields(const char *list)
{
	char *copy = copy_text(list), *rest = copy, *name;
	unsigned int found = 0;

	while ((name = strsep(&rest, ", "))) {
		int field = 0;

		while (field < NR_JSON_FIELDS && strcmp(name, json_fields[field]))
			field++;
		if (field < NR_JSON_FIELDS)
			found |= 1U << field;
		else if (*name)
			die(EXIT_USAGE, "there is no field %s", name);
	}
	free(copy);
	if (!found)
		die(EXIT_USAGE, "no fields are given");
	return found;
}

static void apply(int option, const char *value)
{
	switch (option) {
	case BUFFER:
		settings.buffer = number("the buffer", value, 1, 4096);
		break;
	case CONFIG_FILE:
		settings.config = value;
		break;
	case DIRECTORY:
		settings.directory = value;
		break;
	case FIELDS:
		fields = parse_fields(value);
		break;
	case FILE_SIZE:
		settings.file_size = number("the size of a file", value, 1, 1 << 20);
		break;
	case TOTAL_SIZE:
		settings.total_size = number("the size of all files", value, 2, 1 << 30);
		break;
	case DAYS:
		settings.days = number("days", value, 1, 36500);
		break;
	default:
		filter_add(option, value);
	}
}

/* Each line of the file is the name of an option without dashes, "=", and its value. */
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
		char *name = line + strspn(line, " \t"), *value, *end;
		const struct option *option = known;

		name[strcspn(name, "\n")] = '\0';
		if (!*name || *name == '#')
			continue;
		value = strchr(name, '=');
		if (value) {
			for (end = value; end > name && strchr(" \t", end[-1]); end--)
				;
			*end = '\0';
			value += 1 + strspn(value + 1, " \t");
			for (end = value + strlen(value); end > value && strchr(" \t", end[-1]); end--)
				;
			*end = '\0';
		}
		while (option->name && strcmp(option->name, name))
			option++;
		if (!value || !option->name || option->val == CONFIG_FILE || option->val == 'h')
			die(EXIT_USAGE, "%s, line %d: not an option and its value: %s", path, n, name);
		apply(option->val, copy_text(value));	/* filters keep the text */
	}
	if (ferror(file))
		die(EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
	free(line);
	fclose(file);
}

int do_record(int argc, char **argv)
{
	struct store_limits limits;
	struct store *store;
	char *filter;
	int option;

	/* JSON is UTF-8 in every locale. */
	setlocale(LC_CTYPE, "C.UTF-8");
	text_init();
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
	open_progress();
	store = store_open(settings.directory, &limits);
	if (!ring_exists())
		pr_err("waiting for the trace event; see: tcp-connect-logger status");
	while (wait_for_event(store)) {
		struct ring *ring = take_up(store, settings.buffer << 20, filter);
		char since[JSON_TIME_LEN];

		if (!record(store, ring)) {
			store_records(store, ring, true);
			flush(store);
			ring_close(ring, true);
			break;
		}
		let_go(store, ring);
		json_now(since);
		if (!wait_for_event(store))
			break;
		note(store, "gap", "\"since\":\"%s\",\"reason\":\"the module was unloaded\"", since);
	}
	store_close(store);
	filters_free();
	free(filter);
	return EXIT_OK;
}
