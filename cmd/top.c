// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * top - show which processes connect where, sorted by count; see tcp-connect-logger(8)
 *
 * The kernel counts the connections with hist triggers on the trace event, in a trace instance of
 * our own (Documentation/trace/histogram.rst). Without the event's module, or if the kernel has no
 * hist triggers, this program counts the records in the log.
 */
#include <errno.h>
#include <libsmartcols.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tracefs.h>
#include <unistd.h>

#include "command.h"
#include "histogram.h"
#include "io.h"
#include "rows.h"
#include "source.h"
#include "terminal.h"
#include "text.h"
#include "verbs.h"

static const char usage[] =
	"usage: tcp-connect-logger top [OPTION...]\n"
	"\n"
	"Show which processes connect where, sorted by the number of connections, until\n"
	"interrupted. On a terminal the table is updated in place; otherwise one table follows\n"
	"another.\n"
	"\n"
	"  --count N           exit after N tables\n"
	"  --interval SECONDS  time between two tables (default 2)\n"
	"  --kmsg              count the records in the kernel's log even if there is a trace\n"
	"                      event or a journal\n"
	"  --help, -h          show this help\n";

static unsigned long long missed;	/* connections and log lines that no row counts */

/* ---- The kernel's histograms ---- */

#define EVENT "tcp_connect"

/*
 * A trigger can have at most three keys (TRACING_MAP_KEYS_MAX), and an IPv6 address needs two.
 * So a separate trigger collects the ports of IPv6 addresses.
 */
static const char * const triggers[] = {
	"hist:keys=comm,daddr,dport:size=16384 if family == 2",
	"hist:keys=comm,daddr6_hi,daddr6_lo:size=16384 if family == 10",
	"hist:keys=" PORTS_OF_V6 ":size=16384 if family == 10",
};

/* An IPv6 address and a port, to which there was a connection */
struct port {
	unsigned char addr[sizeof(struct in6_addr)];
	unsigned int port;
};

static struct port *ports;
static size_t nr_ports;
static bool all_ports;	/* the kernel had room for all ports */

#define INSTANCE NAME "-"

static struct tracefs_instance *instance;

/* Remove the trace instance that a killed top process left behind. */
static int remove_dead(const char *name, void *context)
{
	struct tracefs_instance *dead;
	int pid;

	(void)context;
	if (sscanf(name, INSTANCE "%d", &pid) != 1 || !kill(pid, 0) || errno != ESRCH)
		return 0;
	dead = tracefs_instance_create(name);
	if (dead) {
		tracefs_instance_destroy(dead);
		tracefs_instance_free(dead);
	}
	return 0;
}

/* This also removes the triggers (__remove_instance() in kernel/trace/trace.c). */
static void remove_instance(void)
{
	if (tracefs_instance_destroy(instance))
		pr_err("cannot remove the trace instance %s: %s",
		       tracefs_instance_get_name(instance), strerror(errno));
	tracefs_instance_free(instance);
}

static void make_instance(void)
{
	char name[64];

	tracefs_instances_walk(remove_dead, NULL);
	snprintf(name, sizeof(name), INSTANCE "%d", getpid());
	instance = tracefs_instance_create(name);
	if (!instance)
		die_errno("cannot create a trace instance");
	atexit(remove_instance);
	for (size_t i = 0; i < sizeof(triggers) / sizeof(*triggers); i++)
		if (tracefs_event_file_append(instance, MODULE, EVENT, "trigger", triggers[i]) < 0)
			die_errno("cannot set a trigger");
}

static void add_port(const unsigned char addr[16], unsigned int port)
{
	ports = reallocarray(ports, nr_ports + 1, sizeof(*ports));
	if (!ports)
		die_errno("cannot add a port");
	memcpy(ports[nr_ports].addr, addr, sizeof(ports->addr));
	ports[nr_ports++].port = port;
}

static void read_histograms(void)
{
	struct histogram histogram = { .connections = rows_add, .port = add_port };
	char *text = tracefs_event_file_read(instance, MODULE, EVENT, "hist", NULL);

	if (!text)
		die_errno("cannot read the kernel's histogram");
	rows_reset();
	nr_ports = 0;
	if (!histogram_parse(text, &histogram))
		die(EXIT_FAILED, "the kernel's histogram has an unknown format");
	missed = histogram.dropped;
	all_ports = !histogram.ports_dropped;
	free(text);
}

/* Returns the port of an IPv6 address, or "*" unless there is known to be exactly one. */
static const char *port_of(const struct record *record)
{
	static char text[sizeof("65535")];
	int found = 0;

	for (size_t i = 0; i < nr_ports && found < 2; i++) {
		if (!memcmp(ports[i].addr, record->addr, sizeof(record->addr))) {
			snprintf(text, sizeof(text), "%u", ports[i].port & 0xffff);
			found++;
		}
	}
	return found == 1 && all_ports ? text : "*";
}

/* ---- The log ---- */

static void count_message(const struct message *message)
{
	missed += message->lost;
	if (message->line.kind == LINE_RECORD)
		rows_add(&message->line.record, 1);
	else if (message->line.kind == LINE_REPORT)
		missed += message->line.report.count;
}

/*
 * Count all connections that have been logged until now, even if this takes longer than the
 * interval. Returns false if the program must end.
 */
static bool read_log(struct source *source)
{
	unsigned long long now = clock_usec(CLOCK_REALTIME);
	struct message message;
	int n = 0;

	while (source_next(source, &message)) {
		count_message(&message);
		/* Check for signals regularly. */
		if (++n % 1000 == 0 && !source_wait(source, 0))
			return false;
		if (message.usec > now)
			break;
	}
	return true;
}

/* ---- The table ---- */

enum { COUNT, NEW, COMM, DESTINATION, NR_COLUMNS };

static const struct {
	const char *name;
	int width;	/* if the output is not a terminal */
	int flags;
} columns[NR_COLUMNS] = {
	[COUNT] = { "COUNT", 10, SCOLS_FL_RIGHT | SCOLS_FL_STRICTWIDTH },
	[NEW] = { "NEW", 10, SCOLS_FL_RIGHT | SCOLS_FL_STRICTWIDTH },
	[COMM] = { "COMM", COMM_LEN - 1, SCOLS_FL_STRICTWIDTH },
	[DESTINATION] = { "DESTINATION", 0, 0 },
};

/* The texts of a row */
struct cells {
	char text[NR_COLUMNS][TEXT_ROOM(DESTINATION_LEN)];
};

static void fill_cells(struct cells *cells, const struct row *row)
{
	const struct record *record = &row->record;
	char *to = cells->text[DESTINATION];

	sprintf(cells->text[COUNT], "%llu", row->count);
	sprintf(cells->text[NEW], "%llu", row->count - row->before);
	text_safe(record->comm, strlen(record->comm), TEXT_PLAIN, cells->text[COMM]);
	if (instance && record->family == AF_INET6) {
		char addr[DESTINATION_LEN];

		sprintf(to, "[%s]:%s", record_address(record, addr), port_of(record));
	} else {
		record_destination(record, to);
	}
}

/*
 * Set the widths of the columns. On a terminal of @width columns, a row must not take more than
 * one line. So reduce the name first, but not below 8 columns, and then the destination.
 */
static void set_widths(int widths[NR_COLUMNS], const struct cells *cells, size_t number, int width)
{
	int left = width - (NR_COLUMNS - 1);

	for (int i = 0; i < NR_COLUMNS; i++) {
		widths[i] = width ? (int)strlen(columns[i].name) : columns[i].width;
		for (size_t n = 0; n < number; n++) {
			int columns = text_width(cells[n].text[i]);

			if (columns > widths[i])
				widths[i] = columns;
		}
		left -= widths[i];
	}
	for (int i = COMM; width && i <= DESTINATION; i++) {
		int least = i == COMM ? 8 : 1, cut = left < 0 ? -left : 0;

		if (cut > widths[i] - least)
			cut = widths[i] > least ? widths[i] - least : 0;
		widths[i] -= cut;
		left += cut;
	}
}

static void draw(struct cells *cells, size_t number, int width)
{
	struct libscols_table *table = scols_new_table();
	int widths[NR_COLUMNS];
	char *text = NULL;

	set_widths(widths, cells, number, width);
	if (!table || scols_table_enable_noencoding(table, 1))	/* the texts are safe already */
		die(EXIT_FAILED, "cannot make a table");
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	for (int i = 0; i < NR_COLUMNS; i++)
		if (!scols_table_new_column(table, columns[i].name, widths[i],
					    columns[i].flags))
			die(EXIT_FAILED, "cannot make a column");
	for (size_t n = 0; n < number; n++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);

		for (int i = 0; i < NR_COLUMNS; i++) {
			if (width)
				text_cut(cells[n].text[i], widths[i]);
			if (!line || scols_line_set_data(line, i, cells[n].text[i]))
				die(EXIT_FAILED, "cannot make a row");
		}
	}
	if (scols_print_table_to_string(table, &text))
		die(EXIT_FAILED, "cannot print a table");
	printf("%s\n", text);
	free(text);
	scols_unref_table(table);
}

static void print_totals(size_t shown, int width)
{
	char text[256];
	int length = sprintf(text, "connections %llu, rows %zu", rows.total, rows.number);

	if (shown < rows.number)
		length += sprintf(text + length, ", shown %zu", shown);
	if (missed)
		length += sprintf(text + length, ", not counted %llu", missed);
	if (rows.expired)
		sprintf(text + length, ", expired %llu", rows.expired);
	if (width)
		text_cut(text, width);
	printf("%s\n\n", text);
}

static void show(void)
{
	struct cells *cells;
	int height, width;
	size_t shown = rows.number;
	bool in_place;

	rows_sort();
	terminal_size(&height, &width);
	/* There are three lines above the rows, and the cursor is below them. */
	if (height)
		height = height > 5 ? height - 4 : 1;
	if (height && shown > (size_t)height)
		shown = height;
	cells = calloc(shown + 1, sizeof(*cells));
	if (!cells)
		die_errno("cannot make a table");
	for (size_t i = 0; i < shown; i++)
		fill_cells(&cells[i], rows.rows[i]);

	in_place = terminal_clear();
	print_totals(shown, width);
	draw(cells, shown, width);
	if (!in_place)
		putchar('\n');
	free(cells);
	rows_shown();
	io_flush();
}

/* Count for @interval milliseconds. Returns false if the program must end. */
static bool until_next(struct source *source, int interval)
{
	unsigned long long now = clock_usec(CLOCK_MONOTONIC), end = now + interval * 1000ULL;

	while (now < end) {
		if (!source_wait(source, (end - now) / 1000 + 1))
			return false;
		if (source && !read_log(source))
			return false;
		now = clock_usec(CLOCK_MONOTONIC);
	}
	return true;
}

static unsigned int positive(const char *text, const char *what)
{
	unsigned long long number;

	if (!parse_number(text, 86400, &number) || !number)
		die(EXIT_USAGE, "%s is a number from 1 to 86400, not %s", what, text);
	return number;
}

int do_top(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'c' },
		{ "kmsg", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct source *source = NULL;
	unsigned int interval = 2, count = 0;
	bool kmsg = false;
	int option;

	setlocale(LC_CTYPE, "");
	text_init();
	argv[0] = "top";
	while ((option = next_option(argc, argv, options, usage)) != -1) {
		if (option == 'i')
			interval = positive(optarg, "an interval");
		else if (option == 'c')
			count = positive(optarg, "a count");
		else
			kmsg = true;
	}

	terminal_init();
	io_init();
	if (!kmsg && tracefs_event_file_exists(NULL, MODULE, EVENT, "hist"))
		make_instance();
	else
		source = source_open(kmsg);
	say_state(source);

	for (unsigned int shown = 0; !count || shown < count; shown++) {
		if (!until_next(source, interval * 1000))
			break;
		if (instance)
			read_histograms();
		show();
	}
	source_close(source);
	rows_free();
	free(ports);
	return EXIT_OK;
}
