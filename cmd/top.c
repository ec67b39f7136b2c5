// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * top - show who connects where how often; see tcp-connect-logger(8)
 *
 * The kernel counts the connections with hist triggers on the trace event, in a trace instance of
 * our own (Documentation/trace/histogram.rst). If it has no hist triggers, or if these cannot tell
 * what is asked for, this program counts the connections in the buffers of the instance; if it has
 * no event, the records in the log.
 */
#include <errno.h>
#include <jansson.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tracefs.h>

#include "begun.h"
#include "command.h"
#include "filter.h"
#include "groups.h"
#include "histogram.h"
#include "instance.h"
#include "io.h"
#include "json.h"
#include "print.h"
#include "ring.h"
#include "rows.h"
#include "source.h"
#include "terminal.h"
#include "text.h"
#include "users.h"
#include "verbs.h"

static const char usage[] =
	"usage: tcp-connect-logger top [OPTION...]\n"
	"\n"
	"Show which processes connect where, sorted by the number of connections, until\n"
	"interrupted. On a terminal the table is updated in place; otherwise one table follows\n"
	"another.\n"
	"\n"
	"  --count N           exit after N tables\n"
	"  --failed            count the connections that failed, by what became of them\n"
	"  --group KEY         count by KEY: destination, with the name of the process (default);\n"
	"                      user; net, the network of the destination (/24 or /64); port;\n"
	"                      unit; container; exe, the executable\n"
	"  --interval SECONDS  time between two tables (default 2)\n"
	"  --json              print one JSON object per table, on a line\n"
	"  --kmsg              count what is logged, from /dev/kmsg\n"
	"  --latency           count the connections that were established, and show how long\n"
	"                      that took\n"
	"  --limit N           show only the first N rows\n"
	"  --log               count what is logged, from the journal, or else from /dev/kmsg,\n"
	"                      even if the trace event can be used\n"
	"  --sort COLUMN       sort by count (default); by new, the number since the previous\n"
	"                      table; or with --latency by latency\n"
	"  --help, -h          show this help\n"
	"\n"
	FILTER_USAGE;

static struct {
	unsigned int interval, count, limit;
	enum row_order order;
	bool json, log, kmsg, failed, latency;
} settings = { .interval = 2 };

static unsigned long long missed;	/* connections and log lines that no row counts */
static unsigned long long missed_before;	/* how many before the module was unloaded */

/* ---- The kernel's histograms ---- */

/**
 * struct trigger - a hist trigger
 * @keys: its keys. There can be at most three (TRACING_MAP_KEYS_MAX), and an IPv6 address needs
 *	two. So a separate trigger collects the ports of IPv6 addresses.
 * @condition: which connections it counts
 */
struct trigger {
	const char *keys, *condition;
};

#define V4	"family == 2"
#define V6	"family == 10"
#define ALL	"(" V4 " || " V6 ")"

static const struct trigger triggers[NR_GROUPS][4] = {
	[GROUP_DESTINATION] = {
		{ "comm,daddr,dport", V4 },
		{ "comm,daddr6_hi,daddr6_lo", V6 },
		{ PORTS_OF_V6, V6 },
	},
	[GROUP_USER] = { { "uid", ALL } },
	[GROUP_NET] = { { "daddr", V4 }, { "daddr6_hi", V6 } },
	[GROUP_PORT] = { { "dport", ALL } },
};

/* An IPv6 address and a port, to which there was a connection */
struct port {
	unsigned char addr[sizeof(struct in6_addr)];
	unsigned int port;
};

static struct port *ports;
static size_t nr_ports;
static bool all_ports;	/* the kernel had room for all ports */

static struct tracefs_instance *instance;

/*
 * If the kernel cannot filter exactly by name, the name becomes a key, so that add_row() can do it.
 * PORTS_OF_V6 has no room for it. port_of() may then find ports of other names as well, and returns
 * none of them.
 */
static void set_trigger(const struct trigger *trigger, const char *filter)
{
	bool adds_comm = rows.group != GROUP_DESTINATION && !filters_are_exact();
	char *text = format_text("hist:keys=%s%s:size=16384 if %s%s%s", adds_comm ? "comm," : "",
				 trigger->keys, trigger->condition, filter ? " && " : "",
				 filter ?: "");

	if (tracefs_event_file_append(instance, MODULE, TRACE_EVENT, "trigger", text) < 0) {
		if (filter)
			die(EXIT_FAILED,
			    "the kernel refuses these filters (%s): use fewer of them, or --log",
			    strerror(errno));
		die_errno("cannot set a trigger");
	}
	free(text);
}

static void set_triggers(const char *filter)
{
	for (const struct trigger *trigger = triggers[rows.group]; trigger->keys; trigger++)
		set_trigger(trigger, filter);
}

static void add_port(const unsigned char addr[16], unsigned int port)
{
	ports = reallocarray(ports, nr_ports + 1, sizeof(*ports));
	if (!ports)
		die_errno("cannot add a port");
	memcpy(ports[nr_ports].addr, addr, sizeof(ports->addr));
	ports[nr_ports++].port = port;
}

static void add_row(const struct record *record, unsigned long long count)
{
	if (filters_are_exact() || filters_match_comm(record))
		rows_add(record, count);
}

static void read_histograms(void)
{
	struct histogram histogram = { .connections = add_row, .port = add_port };
	char *text = tracefs_event_file_read(instance, MODULE, TRACE_EVENT, "hist", NULL);

	if (!text)
		die_errno("cannot read the kernel's histogram");
	rows_reset();
	nr_ports = 0;
	if (!histogram_parse(text, &histogram))
		die(EXIT_FAILED, "the kernel's histogram has an unknown format");
	missed = missed_before + histogram.dropped;
	all_ports = !histogram.ports_dropped && !rows.kept;
	free(text);
}

/* Returns the port of a row's connections, or -1 unless they are known to have the same. */
static int port_of(const struct record *record)
{
	int port = -1;

	if (!instance || rows.group != GROUP_DESTINATION || record->family != AF_INET6)
		return record->port;
	for (size_t i = 0; i < nr_ports; i++) {
		if (memcmp(ports[i].addr, record->addr, sizeof(record->addr)))
			continue;
		if (port >= 0)
			return -1;
		port = ports[i].port;
	}
	return all_ports ? port : -1;
}

/* ---- The kernel's buffers ---- */

static struct ring *ring;
static struct begun *begun;	/* NULL if results do not matter */

/* Returns what the connections of a row have in common, if the histograms cannot tell. */
static const char *label_of(const struct traced *traced)
{
	const struct group *group = traced->group;
	const char *name = NULL;

	switch (rows.group) {
	case GROUP_EXE:
		name = traced->exe;
		break;
	case GROUP_UNIT:
		name = group ? group->unit : NULL;
		break;
	case GROUP_CONTAINER:
		name = group ? group->container_name ?: group->container : NULL;
		break;
	default:
		return NULL;
	}
	return rows_label(name ?: "-");
}

/* Count a connection, or its result. Each is counted once. */
static void count_traced(const struct traced *traced)
{
	enum result outcome = result_of(traced->result);
	const char *label;

	if (json_is_result(traced)) {
		if (settings.failed == !!traced->result)
			rows_add_result(traced, traced->label,
					settings.failed ? outcome : NR_RESULTS);
		return;
	}
	if (!filters_match(traced))
		return;
	label = label_of(traced);
	if (!settings.failed && !settings.latency)
		rows_add_result(traced, label, NR_RESULTS);
	else if (!traced->result)
		ring_expect_result(ring, traced, label);
	else if (settings.failed)
		rows_add_result(traced, label, outcome);
}

/* No row counts connections whose results will not be known. */
static void count_forgotten(void)
{
	unsigned long long forgotten = begun ? begun_forgotten(begun) : 0;

	missed_before += forgotten;
	missed += forgotten;
}

/* Count the connections that exist now. Returns false if the program must end. */
static bool read_ring(bool all)
{
	const struct traced *traced;

	ring_begin(ring, all);
	for (int n = 1; (traced = ring_next(ring)); n++) {
		count_traced(traced);
		/* Check for signals regularly. */
		if (n % 1000 == 0 && !io_wait(NULL, 0, 0))
			return false;
	}
	count_forgotten();
	if (ring_lacks_records(ring))
		missed = missed_before + ring_totals(ring).lost;
	return true;
}

/* ---- The trace event ---- */

static bool needs_origin(void)
{
	return rows.group >= GROUP_UNIT || filters_need_origin();
}

static bool needs_result(void)
{
	return settings.failed || settings.latency;
}

/* Begin to count in the kernel, or else what it has in its buffers. */
static void begin_event(void)
{
	char *filter = filters_for_kernel();

	if (needs_result() && !begun)
		begun = begun_open(NULL);
	instance = instance_create();
	if (!needs_origin() && !begun &&
	    tracefs_event_file_exists(instance, MODULE, TRACE_EVENT, "hist"))
		set_triggers(filter);
	else
		ring = ring_open(instance, RING_MIB << 20, filter, needs_origin(), begun);
}

/* Read the last counts, because somebody unloads the module, and go on when it is back. */
static bool begin_again(void)
{
	if (ring) {
		ring_stop(ring);
		read_ring(true);
		if (begun)
			begun_forget(begun);
		count_forgotten();
		ring_close(ring);
		ring = NULL;
	} else {
		read_histograms();
		rows_keep();
	}
	missed_before = missed;
	instance_remove(instance);
	if (!event_await())
		return false;
	begin_event();
	return true;
}

/* ---- The log ---- */

static void count_message(const struct message *message)
{
	struct traced traced = { .record = message->line.record };

	missed += message->lost;
	if (message->line.kind == LINE_REPORT)
		missed += message->line.report.count;
	else if (message->line.kind == LINE_RECORD && filters_match(&traced))
		rows_add(&message->line.record, 1);
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

enum column {
	COUNT, NEW, RESULT, AVERAGE, LONGEST, COMM, DESTINATION, USER, NETWORK, PORT, LABEL,
	NR_COLUMNS
};

static const struct {
	const char *name;
	int width;	/* if the output is not a terminal */
	int least;	/* width to which a narrow terminal reduces it, or 0 if it must fit */
	int flags;
} columns[NR_COLUMNS] = {
	[COUNT] = { "COUNT", 10, 0, SCOLS_FL_RIGHT | SCOLS_FL_STRICTWIDTH },
	[NEW] = { "NEW", 10, 0, SCOLS_FL_RIGHT | SCOLS_FL_STRICTWIDTH },
	[COMM] = { "COMM", COMM_LEN - 1, 8, SCOLS_FL_STRICTWIDTH },
	[DESTINATION] = { "DESTINATION", 0, 1, 0 },
	[USER] = { "USER", 0, 1, 0 },
	[NETWORK] = { "NETWORK", 0, 1, 0 },
	[PORT] = { "PORT", 0, 0, 0 },
	[RESULT] = { "RESULT", 11, 0, 0 },
	[AVERAGE] = { "AVERAGE", 12, 0, SCOLS_FL_RIGHT | SCOLS_FL_STRICTWIDTH },
	[LONGEST] = { "LONGEST", 12, 0, SCOLS_FL_RIGHT | SCOLS_FL_STRICTWIDTH },
	[LABEL] = { "NAME", 0, 1, 0 },
};

#define MOST_COLUMNS 7

/* The names of the groups, as in --group */
static const char * const group_names[NR_GROUPS] = {
	[GROUP_DESTINATION] = "destination",
	[GROUP_USER] = "user",
	[GROUP_NET] = "net",
	[GROUP_PORT] = "port",
	[GROUP_UNIT] = "unit",
	[GROUP_CONTAINER] = "container",
	[GROUP_EXE] = "exe",
};

static enum column shown[MOST_COLUMNS];
static int nr_shown;

static void show_column(enum column column)
{
	shown[nr_shown++] = column;
}

static void choose_columns(void)
{
	show_column(COUNT);
	show_column(NEW);
	if (settings.failed)
		show_column(RESULT);
	if (settings.latency) {
		show_column(AVERAGE);
		show_column(LONGEST);
	}
	switch (rows.group) {
	case GROUP_DESTINATION:
		show_column(COMM);
		show_column(DESTINATION);
		break;
	case GROUP_USER:
		show_column(USER);
		break;
	case GROUP_NET:
		show_column(NETWORK);
		break;
	case GROUP_PORT:
		show_column(PORT);
		break;
	default:
		show_column(LABEL);
	}
}

/* Returns the heading of a column. */
static const char *heading(enum column column)
{
	static const char * const labels[NR_GROUPS] = {
		[GROUP_UNIT] = "UNIT", [GROUP_CONTAINER] = "CONTAINER", [GROUP_EXE] = "EXECUTABLE",
	};

	return column == LABEL ? labels[rows.group] : columns[column].name;
}

/* The texts of a row, in the order of the columns */
struct cells {
	char *text[MOST_COLUMNS];
};

static char *user_text(uid_t uid)
{
	char name[USER_LEN];

	return user_name(uid, name) ? safe(name) : format_text("%u", uid);
}

static char *destination_text(const struct record *record)
{
	struct record whole = *record;
	int port = port_of(record);
	char text[DESTINATION_LEN];

	if (port < 0)
		return format_text("[%s]:*", record_address(record, text));
	whole.port = port;
	return copy_text(record_destination(&whole, text));
}

/* The bytes of the address behind the network are 0. */
static char *net_text(const struct record *record)
{
	char text[DESTINATION_LEN];

	return format_text("%s/%d", record_address(record, text),
			   8 * (record->family == AF_INET6 ? NET6_BYTES : NET4_BYTES));
}

static char *latency_text(unsigned long long nsec)
{
	return format_text("%llu.%03llu ms", nsec / 1000000, nsec / 1000 % 1000);
}

/* Returns the text of a cell. The caller frees it. */
static char *cell_text(enum column column, const struct row *row)
{
	switch (column) {
	case COUNT:
		return format_text("%llu", row->count);
	case NEW:
		return format_text("%llu", row_new(row));
	case COMM:
		return safe(row->record.comm);
	case USER:
		return user_text(row->record.uid);
	case NETWORK:
		return net_text(&row->record);
	case PORT:
		return format_text("%u", row->record.port);
	case RESULT:
		return copy_text(result_names[row->outcome]);
	case AVERAGE:
		return latency_text(row_latency(row));
	case LONGEST:
		return latency_text(row->longest);
	case LABEL:
		return safe(row->label);
	default:
		return destination_text(&row->record);
	}
}

/*
 * Set the widths of the columns. On a terminal of @width columns, a row must not take more than
 * one line. So reduce the name first, and then the destination.
 */
static void set_widths(int *widths, const struct cells *cells, size_t number, int width)
{
	int left = width - (nr_shown - 1);

	for (int i = 0; i < nr_shown; i++) {
		widths[i] = width ? (int)strlen(heading(shown[i])) : columns[shown[i]].width;
		for (size_t n = 0; n < number; n++) {
			int needs = text_width(cells[n].text[i]);

			if (needs > widths[i])
				widths[i] = needs;
		}
		left -= widths[i];
	}
	for (int i = 0; width && i < nr_shown; i++) {
		int least = columns[shown[i]].least, cut = left < 0 ? -left : 0;

		if (!least)
			continue;
		if (cut > widths[i] - least)
			cut = widths[i] > least ? widths[i] - least : 0;
		widths[i] -= cut;
		left += cut;
	}
}

static void draw(struct cells *cells, size_t number, int width)
{
	struct libscols_table *table = scols_new_table();
	int widths[MOST_COLUMNS];
	char *text = NULL;

	set_widths(widths, cells, number, width);
	if (!table || scols_table_enable_noencoding(table, 1))	/* the texts are safe already */
		die(EXIT_FAILED, "cannot make a table");
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	for (int i = 0; i < nr_shown; i++) {
		if (!scols_table_new_column(table, heading(shown[i]), widths[i],
					    columns[shown[i]].flags))
			die(EXIT_FAILED, "cannot make a column");
	}
	for (size_t n = 0; n < number; n++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);

		for (int i = 0; i < nr_shown; i++) {
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

/* Print the first @number rows for a terminal of @width columns, or for another output. */
static void print_rows(size_t number, int width)
{
	struct cells *cells = calloc(number + 1, sizeof(*cells));

	if (!cells)
		die_errno("cannot make a table");
	for (size_t n = 0; n < number; n++)
		for (int i = 0; i < nr_shown; i++)
			cells[n].text[i] = cell_text(shown[i], rows.rows[n]);
	draw(cells, number, width);
	for (size_t n = 0; n < number; n++)
		for (int i = 0; i < nr_shown; i++)
			free(cells[n].text[i]);
	free(cells);
}

static void print_table(size_t number)
{
	int height, width;
	bool in_place;

	terminal_size(&height, &width);
	/* There are three lines above the rows, and the cursor is below them. */
	if (height)
		height = height > 5 ? height - 4 : 1;
	if (height && number > (size_t)height)
		number = height;
	in_place = terminal_clear();
	print_totals(number, width);
	print_rows(number, width);
	if (!in_place)
		putchar('\n');
}

/* ---- JSON ---- */

/* Returns what the connections of a row have in common. */
static json_t *json_key(const struct row *row)
{
	const struct record *record = &row->record;
	char address[DESTINATION_LEN], *net;
	int port = port_of(record);
	json_t *json;

	switch (rows.group) {
	case GROUP_USER:
		return json_pack("{s:I, s:o}", "uid", (json_int_t)record->uid,
				 "user", json_user(record->uid));
	case GROUP_NET:
		net = net_text(record);
		json = json_pack("{s:s, s:s}", "family", record_family(record), "net", net);
		free(net);
		return json;
	case GROUP_PORT:
		return json_pack("{s:i}", "dport", port);
	case GROUP_UNIT:
	case GROUP_CONTAINER:
	case GROUP_EXE:
		return json_pack("{s:o}", group_names[rows.group], json_bytes(row->label));
	default:
		return json_pack("{s:o, s:s, s:s, s:o}", "comm", json_bytes(record->comm),
				 "family", record_family(record),
				 "daddr", record_address(record, address),
				 "dport", port < 0 ? json_null() : json_integer(port));
	}
}

/* Print the first @number rows. The interval took @seconds. */
static void print_object(size_t number, double seconds)
{
	json_t *list = json_array();
	char now[JSON_TIME_LEN];

	for (size_t n = 0; n < number; n++) {
		const struct row *row = rows.rows[n];
		json_t *json = json_key(row);

		if (settings.failed)
			json_object_set_new(json, "result",
					    json_string(result_names[row->outcome]));
		if (settings.latency) {
			json_object_set_new(json, "latency", json_integer(row_latency(row)));
			json_object_set_new(json, "longest", json_integer(row->longest));
		}
		if (json_object_set_new(json, "count", json_integer(row->count)) ||
		    json_object_set_new(json, "new", json_integer(row_new(row))) ||
		    json_object_set_new(json, "rate", json_real(row_new(row) / seconds)) ||
		    json_array_append_new(list, json))
			die(EXIT_FAILED, "cannot write JSON");
	}
	json_time(clock_nsec(CLOCK_REALTIME), 9, now);
	print_json(json_pack("{s:s, s:f, s:I, s:I, s:I, s:I, s:o}", "time", now,
			     "interval", seconds,
			     "connections", (json_int_t)rows.total,
			     "not_counted", (json_int_t)missed,
			     "expired", (json_int_t)rows.expired,
			     "total_rows", (json_int_t)rows.number,
			     "rows", list));
}

/* ---- All tables ---- */

static void show(double seconds)
{
	size_t number = rows.number;

	if (settings.limit && number > settings.limit)
		number = settings.limit;
	rows_sort(settings.order);
	if (settings.json)
		print_object(number, seconds);
	else
		print_table(number);
	rows_shown();
	io_flush();
}

/* Count for an interval. Returns false if the program must end. */
static bool until_next(struct source *source)
{
	unsigned long long now = clock_usec(CLOCK_MONOTONIC);
	unsigned long long end = now + settings.interval * 1000000ULL;

	while (now < end) {
		int left = (end - now) / 1000 + 1;

		if (ring ? !ring_wait(ring, left) : !source_wait(source, left))
			return false;
		if (ring && !read_ring(false))
			return false;
		if (source && !read_log(source))
			return false;
		if (instance && io_was_asked() && !begin_again())
			return false;
		now = clock_usec(CLOCK_MONOTONIC);
	}
	return true;
}

/* ---- Options ---- */

static const struct option known[] = {
	{ "count", required_argument, NULL, 'c' },
	{ "failed", no_argument, NULL, 'f' },
	{ "group", required_argument, NULL, 'g' },
	{ "interval", required_argument, NULL, 'i' },
	{ "json", no_argument, NULL, 'j' },
	{ "kmsg", no_argument, NULL, 'k' },
	{ "latency", no_argument, NULL, 'y' },
	{ "log", no_argument, NULL, 'L' },
	{ "limit", required_argument, NULL, 'l' },
	{ "sort", required_argument, NULL, 's' },
	FILTER_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static unsigned int positive(const char *text, const char *what)
{
	unsigned long long number;

	if (!parse_number(text, 86400, &number) || !number)
		die(EXIT_USAGE, "%s is a number from 1 to 86400, not %s", what, text);
	return number;
}

static enum row_group parse_group(const char *name)
{
	int group = 0;

	while (group < NR_GROUPS && strcmp(name, group_names[group]))
		group++;
	if (group == NR_GROUPS)
		die(EXIT_USAGE,
		    "a group is destination, user, net, port, unit, container or exe, not %s",
		    name);
	return group;
}

static enum row_order parse_order(const char *name)
{
	if (!strcmp(name, "new"))
		return ORDER_NEW;
	if (!strcmp(name, "latency"))
		return ORDER_LATENCY;
	if (strcmp(name, "count"))
		die(EXIT_USAGE, "rows are sorted by count, new or latency, not by %s", name);
	return ORDER_COUNT;
}

static void apply(int option, const char *value)
{
	switch (option) {
	case 'c':
		settings.count = positive(value, "a count");
		break;
	case 'f':
		settings.failed = true;
		break;
	case 'y':
		settings.latency = true;
		break;
	case 'g':
		rows.group = parse_group(value);
		break;
	case 'i':
		settings.interval = positive(value, "an interval");
		break;
	case 'j':
		settings.json = true;
		break;
	case 'k':
		settings.kmsg = true;
		settings.log = true;
		break;
	case 'L':
		settings.log = true;
		break;
	case 'l':
		settings.limit = positive(value, "a limit");
		break;
	case 's':
		settings.order = parse_order(value);
		break;
	default:
		filter_add(option, value);
	}
}

int do_top(int argc, char **argv)
{
	unsigned long long since, now;
	struct source *source = NULL;
	int option;

	text_init("");
	argv[0] = "top";
	while ((option = next_option(argc, argv, known, usage)) != -1)
		apply(option, optarg);
	if (settings.failed && settings.latency)
		die(EXIT_USAGE, "--failed and --latency exclude each other");
	if (settings.order == ORDER_LATENCY && !settings.latency)
		die(EXIT_USAGE, "--sort latency needs --latency");
	if (settings.json)
		text_init(UTF8_LOCALE);
	choose_columns();

	terminal_init();
	io_init();
	if (!settings.log && event_exists()) {
		io_expect_requests();
		begin_event();
		pr_err("counting the connections of the trace event");
	} else {
		filters_for_log();
		if (needs_origin() || needs_result())
			die(EXIT_USAGE,
			    "the log does not tell this: --failed, --latency and this group need the trace event");
		source = source_open(settings.kmsg);
		pr_err("counting what is logged, from %s", source_name(source));
	}
	say_state(source);

	since = clock_usec(CLOCK_MONOTONIC);
	for (unsigned int shown = 0; !settings.count || shown < settings.count; shown++) {
		if (!until_next(source))
			break;
		if (instance && !ring)
			read_histograms();
		now = clock_usec(CLOCK_MONOTONIC);
		show((now - since) / 1e6);
		since = now;
	}
	source_close(source);
	filters_free();
	rows_free();
	free(ports);
	return EXIT_OK;
}
