// SPDX-License-Identifier: GPL-2.0
/*
 * follow - show the records of tcp_connect_logger as they arrive; see tcp-connect-logger(8)
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <locale.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "record.h"
#include "source.h"
#include "verbs.h"

static const char usage[] =
	"usage: tcp-connect-logger follow [OPTION...]\n"
	"\n"
	"Show each connection as it is logged, until interrupted. The output has columns on a\n"
	"terminal; otherwise each line has the time and the record as in the kernel's log.\n"
	"\n"
	"  --comm PATTERN  show only processes with this name; * ? [...] work as in a shell\n"
	"  --json          print one JSON object per record\n"
	"  --kmsg          read the kernel's log even if there is a journal\n"
	"  --net NETWORK   show only this network: 192.0.2.0/24, 2001:db8::/32, or an address\n"
	"  --pid PID       show only this process\n"
	"  --port PORT     show only this port\n"
	"  --user USER     show only this user, given by name or number\n"
	"  --help          show this help\n"
	"\n"
	"If an option is given more than once, any of its values matches.\n";

/* ---- Filters ---- */

enum kind { BY_COMM, BY_PID, BY_USER, BY_PORT, BY_NET, NR_KINDS };

/**
 * struct filter - a filter option of the command line
 * @kind: type of the filter, which says which members are used
 * @pattern: pattern for the name of the process
 * @number: process ID, user ID or port
 * @family: address family of the network
 * @addr: address of the network in network byte order
 * @bits: prefix length of the network
 */
struct filter {
	enum kind kind;
	const char *pattern;
	unsigned long number;
	int family;
	unsigned char addr[sizeof(struct in6_addr)];
	unsigned long bits;
};

static struct filter *filters;
static size_t nr_filters;

static bool parse_user(const char *text, unsigned long *uid)
{
	const struct passwd *user = getpwnam(text);

	if (user)
		*uid = user->pw_uid;
	return user || parse_number(text, UINT_MAX, uid);
}

static bool parse_net(const char *text, struct filter *filter)
{
	char addr[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	unsigned long most;

	if (length >= sizeof(addr))
		return false;
	memcpy(addr, text, length);
	addr[length] = '\0';
	filter->family = strchr(addr, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(filter->family, addr, filter->addr) != 1)
		return false;
	most = filter->family == AF_INET6 ? 128 : 32;
	filter->bits = most;
	return !text[length] || parse_number(text + length + 1, most, &filter->bits);
}

static void add_filter(enum kind kind, const char *text)
{
	struct filter filter = { .kind = kind, .pattern = text };

	switch (kind) {
	case BY_PID:
		if (!parse_number(text, INT_MAX, &filter.number))
			errx(USAGE, "a process ID is a number, not %s", text);
		break;
	case BY_USER:
		if (!parse_user(text, &filter.number))
			errx(USAGE, "no such user: %s", text);
		break;
	case BY_PORT:
		if (!parse_number(text, USHRT_MAX, &filter.number))
			errx(USAGE, "a port is a number up to 65535, not %s", text);
		break;
	case BY_NET:
		if (!parse_net(text, &filter))
			errx(USAGE, "a network is ADDRESS or ADDRESS/BITS, not %s", text);
		break;
	default:
		break;
	}

	filters = reallocarray(filters, nr_filters + 1, sizeof(*filters));
	if (!filters)
		err(FAILED, NULL);
	filters[nr_filters++] = filter;
}

static bool in_net(const struct filter *net, const struct record *record)
{
	size_t bytes = net->bits / 8;
	unsigned char mask = 0xff00 >> net->bits % 8;

	return record->family == net->family && !memcmp(record->addr, net->addr, bytes) &&
	       (!mask || !((record->addr[bytes] ^ net->addr[bytes]) & mask));
}

static bool meets(const struct filter *filter, const struct record *record)
{
	switch (filter->kind) {
	case BY_COMM:
		return !fnmatch(filter->pattern, record->comm, 0);
	case BY_PID:
		return (unsigned long)record->pid == filter->number;
	case BY_USER:
		return record->uid == filter->number;
	case BY_PORT:
		return record->port == filter->number;
	default:
		return in_net(filter, record);
	}
}

static bool is_wanted(const struct record *record)
{
	bool asked[NR_KINDS] = { false }, met[NR_KINDS] = { false };

	for (size_t i = 0; i < nr_filters; i++) {
		asked[filters[i].kind] = true;
		met[filters[i].kind] |= meets(&filters[i], record);
	}
	return !memcmp(asked, met, sizeof(met));
}

/* ---- Output ---- */

/*
 * Returns NULL if there is no such user. Results are cached: a lookup may make a connection,
 * which is logged too.
 */
static const char *user_name(uid_t uid)
{
	static struct known {
		uid_t uid;
		char *name;
	} *known;
	static size_t nr_known;
	const struct passwd *user;

	for (size_t i = 0; i < nr_known; i++)
		if (known[i].uid == uid)
			return known[i].name;

	known = reallocarray(known, nr_known + 1, sizeof(*known));
	if (!known)
		err(FAILED, NULL);
	user = getpwuid(uid);
	known[nr_known].uid = uid;
	known[nr_known].name = user ? strdup(user->pw_name) : NULL;
	return known[nr_known++].name;
}

static void print_columns(const struct message *message, const struct record *record)
{
	time_t seconds = message->usec / 1000000;
	char clock[sizeof("00:00:00")], comm[PRINTABLE_LEN], to[DESTINATION_LEN], uid[16];
	const char *user = user_name(record->uid);

	if (!user) {
		snprintf(uid, sizeof(uid), "%u", record->uid);
		user = uid;
	}
	strftime(clock, sizeof(clock), "%T", localtime(&seconds));
	printf("%s.%03u %7d %-10s %s %s\n", clock, (unsigned int)(message->usec / 1000 % 1000),
	       record->pid, user, record_printable_comm(record->comm, comm),
	       record_destination(record, to));
}

/* RFC 3339, in UTC */
static const char *time_text(unsigned long long usec)
{
	static char text[sizeof("2000-01-01T00:00:00.000000Z") + 16];
	time_t seconds = usec / 1000000;
	size_t length = strftime(text, sizeof(text), "%FT%T", gmtime(&seconds));

	snprintf(text + length, sizeof(text) - length, ".%06uZ", (unsigned int)(usec % 1000000));
	return text;
}

static void print_line(const struct message *message, const struct record *record)
{
	(void)record;
	printf("%s %s\n", time_text(message->usec), strchr(message->text, ' ') + 1);
}

/* JSON is UTF-8: replace invalid bytes by U+FFFD. */
static json_t *json_comm(const char *comm)
{
	char text[sizeof("\xef\xbf\xbd") * COMM_LEN], *to = text;
	size_t left = strlen(comm);

	while (left) {
		mbstate_t state = { 0 };
		size_t length = mbrlen(comm, left, &state);

		if (length <= left) {
			to = mempcpy(to, comm, length);
		} else {
			to = stpcpy(to, "\xef\xbf\xbd");
			length = 1;
		}
		comm += length;
		left -= length;
	}
	*to = '\0';
	return json_string(text);
}

static void print_json(const struct message *message, const struct record *record)
{
	char address[DESTINATION_LEN];
	json_t *json = json_pack("{s:s, s:i, s:I, s:o?, s:o, s:s, s:s, s:i}",
				 "time", time_text(message->usec),
				 "pid", record->pid,
				 "uid", (json_int_t)record->uid,
				 "user", json_string(user_name(record->uid)),
				 "comm", json_comm(record->comm),
				 "family", record->family == AF_INET6 ? "AF_INET6" : "AF_INET",
				 "daddr", record_address(record, address),
				 "dport", (int)record->port);

	if (!json)
		errx(FAILED, "out of memory");
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
}

static void show(const struct message *message,
		 void (*print)(const struct message *message, const struct record *record))
{
	struct record record;

	if (message->lost)
		warnx("%llu lines of the kernel's log were overwritten before they were read",
		      message->lost);
	if (record_parse(message->text, &record)) {
		if (is_wanted(&record))
			print(message, &record);
	} else if (message->text[0]) {
		warnx("%s", strchr(message->text, ' ') + 1);
	}
}

int do_follow(int argc, char **argv)
{
	static const struct option options[] = {
		{ "comm", required_argument, NULL, BY_COMM },
		{ "pid", required_argument, NULL, BY_PID },
		{ "user", required_argument, NULL, BY_USER },
		{ "port", required_argument, NULL, BY_PORT },
		{ "net", required_argument, NULL, BY_NET },
		{ "json", no_argument, NULL, 'j' },
		{ "kmsg", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	void (*print)(const struct message *message, const struct record *record) = print_line;
	struct source *source;
	bool json = false, kmsg = false;
	int option;

	program_invocation_short_name = "tcp-connect-logger";
	argv[0] = program_invocation_short_name;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'k':
			kmsg = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return DONE;
		case '?':
			errx(USAGE, "see: tcp-connect-logger follow --help");
		default:
			add_filter(option, optarg);
		}
	}
	if (optind < argc)
		errx(USAGE, "unexpected argument: %s. See: tcp-connect-logger follow --help",
		     argv[optind]);

	setlocale(LC_CTYPE, json ? "C.UTF-8" : "");
	catch_end();
	source = source_open(kmsg);
	say_state(true);
	if (json) {
		print = print_json;
	} else if (isatty(STDOUT_FILENO)) {
		print = print_columns;
		printf("%-12s %7s %-10s %-15s %s\n", "TIME", "PID", "USER", "COMM", "DESTINATION");
	}

	for (;;) {
		struct message message;
		int n = 0;

		/* Limited, so that signals are checked now and then. */
		while (n < 1000 && source_next(source, &message)) {
			show(&message, print);
			n++;
		}
		flush_output();
		if (!wait_for(source, n < 1000 ? -1 : 0))
			break;
	}
	source_close(source);
	free(filters);
	return DONE;
}
