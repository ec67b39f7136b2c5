// SPDX-License-Identifier: GPL-2.0
/*
 * top - show which processes connect where, sorted by count; see tcp-connect-logger(8)
 *
 * The kernel counts with hist triggers on the trace event, in our own trace instance
 * (Documentation/trace/histogram.rst). If it does not accept trace events from a livepatch,
 * this program counts the records in the log.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <tracefs.h>
#include <unistd.h>

#include "record.h"
#include "source.h"
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
	"  --help              show this help\n";

/**
 * struct row - connections from one process name to one destination
 * @record: name and destination; all other members are 0. The kernel's histograms do not
 *	give a port for IPv6, which is then 0.
 * @count: number of connections since the start
 * @before: value of @count in the previous table
 */
struct row {
	struct record record;
	unsigned long long count, before;
};

static void *rows;		/* a tree, tsearch(3) */
static struct row **order;	/* the same rows, sorted for output */
static size_t nr_rows;
static unsigned long long total;		/* connections */
static unsigned long long missed;	/* connections or log lines that are in no row */

/* Padding does not matter: records are cleared before they are filled in. */
static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return memcmp(&x->record, &y->record, sizeof(x->record));
}

static struct row *row_of(const struct record *record)
{
	struct row *row = calloc(1, sizeof(*row)), **found;

	if (!row)
		err(FAILED, NULL);
	row->record = *record;
	row->record.pid = 0;
	row->record.uid = 0;
	found = tsearch(row, &rows, compare_rows);
	if (!found)
		err(FAILED, NULL);
	if (*found != row) {
		free(row);
		return *found;
	}
	order = reallocarray(order, nr_rows + 1, sizeof(*order));
	if (!order)
		err(FAILED, NULL);
	order[nr_rows++] = row;
	return row;
}

/* ---- The kernel's histograms ---- */

#define SYSTEM "tcp_connect_logger"
#define EVENT "tcp_connect"

/*
 * A trigger takes at most three keys (TRACING_MAP_KEYS_MAX), and an IPv6 address needs two.
 * So a separate trigger collects the ports of IPv6 addresses.
 */
static const char * const triggers[] = {
	"hist:keys=comm,daddr,dport:size=16384 if family == 2",
	"hist:keys=comm,daddr6_hi,daddr6_lo:size=16384 if family == 10",
	"hist:keys=daddr6_hi,daddr6_lo,dport:size=16384 if family == 10",
};

/* An IPv6 address and a port that was connected to. */
struct port {
	unsigned char addr[sizeof(struct in6_addr)];
	unsigned int port;
};

static struct port *ports;
static size_t nr_ports;

#define INSTANCE "tcp-connect-logger-"

static struct tracefs_instance *instance;

/* Remove the instance of a top that was killed. */
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

/* This also removes its triggers (__remove_instance() in kernel/trace/trace.c). */
static void remove_instance(void)
{
	if (tracefs_instance_destroy(instance))
		warn("cannot remove the trace instance %s", tracefs_instance_get_name(instance));
	tracefs_instance_free(instance);
}

static void make_instance(void)
{
	char name[64];

	tracefs_instances_walk(remove_dead, NULL);
	snprintf(name, sizeof(name), INSTANCE "%d", getpid());
	instance = tracefs_instance_create(name);
	if (!instance)
		err(FAILED, "cannot create a trace instance");
	atexit(remove_instance);
	for (size_t i = 0; i < sizeof(triggers) / sizeof(*triggers); i++)
		if (tracefs_event_file_append(instance, SYSTEM, EVENT, "trigger", triggers[i]) < 0)
			err(FAILED, "cannot set the trigger %s", triggers[i]);
}

/*
 * Parse the name in an entry. Returns the text after the name, or NULL. A name may contain any
 * bytes, including newlines. It has at most 15 bytes, and the kernel pads it with spaces to
 * more than that.
 */
static const char *take_comm(const char *text, char comm[COMM_LEN])
{
	size_t length = COMM_LEN - 1;

	if (strnlen(text, length) < length)
		return NULL;
	memcpy(comm, text, length);
	text += length;
	while (length && comm[length - 1] == ' ')
		comm[--length] = '\0';
	return text + strspn(text, " ");
}

static void put_number(unsigned char *to, unsigned long long number, int bytes)
{
	while (bytes--) {
		to[bytes] = number;
		number >>= 8;
	}
}

static void add_port(const unsigned char *addr, unsigned int port)
{
	ports = reallocarray(ports, nr_ports + 1, sizeof(*ports));
	if (!ports)
		err(FAILED, NULL);
	memcpy(ports[nr_ports].addr, addr, sizeof(ports->addr));
	ports[nr_ports++].port = port;
}

/*
 * Parse an entry, as printed by hist_trigger_print_key() in kernel/trace/trace_events_hist.c.
 * Returns the text after the entry, or NULL if the format is unknown.
 */
static const char *take_entry(const char *text)
{
	struct record record;
	unsigned long long high, low, port, count;
	char line[256];
	size_t length;
	bool has_comm = !strncmp(text, "{ comm: ", strlen("{ comm: "));

	memset(&record, 0, sizeof(record));
	if (has_comm)
		text = take_comm(text + strlen("{ comm: "), record.comm);
	if (!text)
		return NULL;
	length = strcspn(text, "\n");
	if (length >= sizeof(line))
		return NULL;
	memcpy(line, text, length);
	line[length] = '\0';

	if (has_comm && sscanf(line, ", daddr: %llu, dport: %llu } hitcount: %llu",
			       &low, &port, &count) == 3) {
		record.family = AF_INET;
		record.port = port;
		put_number(record.addr, low, 4);
		row_of(&record)->count = count;
	} else if (has_comm &&
		   sscanf(line, ", daddr6_hi: %llu, daddr6_lo: %llu } hitcount: %llu",
			  &high, &low, &count) == 3) {
		record.family = AF_INET6;
		put_number(record.addr, high, 8);
		put_number(record.addr + 8, low, 8);
		row_of(&record)->count = count;
	} else if (!has_comm &&
		   sscanf(line, "{ daddr6_hi: %llu, daddr6_lo: %llu, dport: %llu",
			  &high, &low, &port) == 3) {
		put_number(record.addr, high, 8);
		put_number(record.addr + 8, low, 8);
		add_port(record.addr, port);
		count = 0;	/* counted by the other IPv6 trigger */
	} else {
		return NULL;
	}
	total += count;
	return text + length;
}

static void read_histograms(void)
{
	char *hist = tracefs_event_file_read(instance, SYSTEM, EVENT, "hist", NULL);
	const char *text = hist;
	unsigned long long dropped;

	if (!hist)
		err(FAILED, "cannot read the kernel's histogram");
	total = 0;
	missed = 0;
	nr_ports = 0;
	while (*text) {
		if (*text == '{') {
			text = take_entry(text);
			if (!text)
				errx(FAILED, "the kernel's histogram has an unknown format");
		} else if (!strncmp(text, "    Dropped: ", strlen("    Dropped: "))) {
			dropped = strtoull(text + strlen("    Dropped: "), NULL, 10);
			missed += dropped;
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	free(hist);
}

/* The port of an IPv6 address, or "*" unless there is exactly one. */
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
	return found == 1 ? text : "*";
}

/* ---- The log ---- */

static void count_message(const struct message *message)
{
	struct record record;
	unsigned long suppressed;

	missed += message->lost;
	if (record_parse(message->text, &record)) {
		row_of(&record)->count++;
		total++;
	} else if (sscanf(message->text, "tcp_connect_logger: %lu connections not logged",
			  &suppressed) == 1) {
		missed += suppressed;
	}
}

static void read_log(struct source *source)
{
	struct message message;

	/* Limited, so that the table is shown in time. */
	for (int n = 0; n < 10000 && source_next(source, &message); n++)
		count_message(&message);
}

/* ---- The table ---- */

static int compare_counts(const void *a, const void *b)
{
	const struct row *x = *(struct row * const *)a, *y = *(struct row * const *)b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return compare_rows(x, y);
}

static void show(void)
{
	bool terminal = isatty(STDOUT_FILENO);
	struct winsize size;
	size_t shown = nr_rows;

	qsort(order, nr_rows, sizeof(*order), compare_counts);
	if (terminal) {
		fputs("\033[H\033[J", stdout);	/* cursor to the top, clear the screen */
		if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row > 4 &&
		    shown > size.ws_row - 4u)
			shown = size.ws_row - 4;
	}
	printf("connections %llu, rows %zu", total, nr_rows);
	if (shown < nr_rows)
		printf(", shown %zu", shown);
	if (missed)
		printf(", not counted %llu", missed);
	printf("\n\n%10s %10s %-15s %s\n", "COUNT", "NEW", "COMM", "DESTINATION");
	for (size_t i = 0; i < shown; i++) {
		struct row *row = order[i];
		char comm[PRINTABLE_LEN], to[DESTINATION_LEN];

		printf("%10llu %10llu %s ", row->count, row->count - row->before,
		       record_printable_comm(row->record.comm, comm));
		if (instance && row->record.family == AF_INET6)
			printf("[%s]:%s\n", record_address(&row->record, to),
			       port_of(&row->record));
		else
			printf("%s\n", record_destination(&row->record, to));
	}
	if (!terminal)
		putchar('\n');
	for (size_t i = 0; i < nr_rows; i++)
		order[i]->before = order[i]->count;
	flush_output();
}

/* Count for @interval milliseconds. Returns false if the program has to end. */
static bool until_next(struct source *source, int interval)
{
	unsigned long long now = monotonic_usec(), end = now + interval * 1000ULL;
	bool on = true;

	for (; now < end && on; now = monotonic_usec()) {
		on = wait_for(source, (end - now) / 1000 + 1);
		if (source)
			read_log(source);
	}
	return on;
}

static unsigned long positive(const char *text, const char *what)
{
	unsigned long number;

	if (!parse_number(text, 86400, &number) || !number)
		errx(USAGE, "%s is a number from 1 to 86400, not %s", what, text);
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
	unsigned long interval = 2, count = 0;
	bool kmsg = false;
	int option;

	program_invocation_short_name = "tcp-connect-logger";
	argv[0] = program_invocation_short_name;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'i':
			interval = positive(optarg, "an interval");
			break;
		case 'c':
			count = positive(optarg, "a count");
			break;
		case 'k':
			kmsg = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return DONE;
		default:
			errx(USAGE, "see: tcp-connect-logger top --help");
		}
	}
	if (optind < argc)
		errx(USAGE, "unexpected argument: %s. See: tcp-connect-logger top --help",
		     argv[optind]);

	setlocale(LC_CTYPE, "");
	catch_end();
	if (!kmsg && tracefs_event_file_exists(NULL, SYSTEM, EVENT, "hist"))
		make_instance();
	else
		source = source_open(kmsg);
	say_state(source);

	for (unsigned long shown = 0; !count || shown < count; shown++) {
		if (!until_next(source, interval * 1000))
			break;
		if (instance)
			read_histograms();
		show();
	}
	source_close(source);
	return DONE;
}
