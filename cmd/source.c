// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Read the module's lines from the journal. If there is no journal, or if it does not get the
 * kernel's lines, read them from /dev/kmsg.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "io.h"
#include "kmsg.h"
#include "source.h"
#include "state.h"

/* Time in which the journal must return a line that is in /dev/kmsg, in microseconds */
#define PATIENCE 5000000ULL

/**
 * struct source - the journal or /dev/kmsg
 * @journal: the journal, or NULL to read /dev/kmsg
 * @kmsg: /dev/kmsg, if it can be opened
 * @check: when to check next whether the journal gets the kernel's lines, by CLOCK_MONOTONIC
 * @given: time stamps of the last record, and of the last other line of the module, in the journal;
 *	both, because the journal may be configured to store some levels only
 * @given_before: @given at the last check
 * @witness: a line in /dev/kmsg that was not in the journal at the last check
 * @has_witness: whether @witness is set
 * @logged: the module's counter at the last check, if /dev/kmsg cannot be opened
 * @suspect: whether the counter had grown by then, without a new record in the journal
 */
struct source {
	sd_journal *journal;
	struct kmsg kmsg;
	unsigned long long check;
	struct given {
		unsigned long long record, other;
	} given, given_before;
	struct message witness;
	bool has_witness;
	unsigned long long logged;
	bool suspect;
};

/* ---- The journal ---- */

/* Exit if a function of the journal has returned an error. */
static int must(int ret)
{
	if (ret < 0) {
		errno = -ret;
		die_errno("cannot read the journal");
	}
	return ret;
}

/* Returns true if the journal has entries of this boot: all its files may be from earlier boots. */
static bool journal_is_written(sd_journal *journal)
{
	char match[sizeof("_BOOT_ID=") + SD_ID128_STRING_MAX] = "_BOOT_ID=";
	sd_id128_t boot;
	bool written;

	if (sd_id128_get_boot(&boot) < 0)
		return false;
	sd_id128_to_string(boot, match + strlen(match));
	written = sd_journal_add_match(journal, match, 0) >= 0 &&
		  sd_journal_seek_tail(journal) >= 0 && sd_journal_previous(journal) > 0;
	sd_journal_flush_matches(journal);
	return written;
}

/* Open the journal at its end. Returns NULL if there is none. */
static sd_journal *open_journal(void)
{
	sd_journal *journal;

	if (sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM) < 0)
		return NULL;
	if (!journal_is_written(journal)) {
		sd_journal_close(journal);
		return NULL;
	}

	/* The matches make reading fast. message_from_journal() decides which entries to trust. */
	must(sd_journal_add_match(journal, "_TRANSPORT=kernel", 0));
	must(sd_journal_add_match(journal, "SYSLOG_FACILITY=0", 0));
	must(sd_journal_add_disjunction(journal));
	must(sd_journal_add_match(journal, "_TRANSPORT=driver", 0));
	must(sd_journal_add_match(journal, "MESSAGE_ID=" JOURNAL_MISSED, 0));
	must(sd_journal_get_fd(journal));
	must(sd_journal_seek_tail(journal));
	/* If no entry precedes the tail, sd_journal_next() would never return a new entry there. */
	if (!must(sd_journal_previous(journal)))
		must(sd_journal_seek_head(journal));
	return journal;
}

static const char *get_field(void *journal, const char *name, size_t *length)
{
	size_t skip = strlen(name) + 1;
	const void *data;

	if (sd_journal_get_data(journal, name, &data, length) < 0 || *length < skip)
		return NULL;
	*length -= skip;
	return (const char *)data + skip;
}

static unsigned long long *given_of(struct given *given, const struct message *message)
{
	return message->line.kind == LINE_RECORD ? &given->record : &given->other;
}

static void note_given(struct source *source, const struct message *message)
{
	const struct journal_entry entry = { get_field, source->journal };
	unsigned long long *given = given_of(&source->given, message);
	unsigned long long stamp = journal_stamp(&entry);

	if (!stamp)
		stamp = source->witness.stamp;
	if (stamp > *given)
		*given = stamp;
}

static bool next_of_journal(struct source *source, struct message *message)
{
	const struct journal_entry entry = { get_field, source->journal };
	uint64_t received = 0;

	if (!must(sd_journal_next(source->journal)))
		return false;
	message_from_journal(&entry, message);
	if (message->line.kind == LINE_FOREIGN && !message->lost)
		return true;

	/* journalctl shows this time, too: when journald received the line, by the system clock. */
	sd_journal_get_realtime_usec(source->journal, &received);
	message->usec = received;
	if (message->lost)
		source->has_witness = false;	/* journald may have lost the witness */
	else
		note_given(source, message);
	return true;
}

/* ---- Does the journal get the kernel's lines? ---- */

static bool is_given(struct source *source, const struct message *message)
{
	return message->line.kind == LINE_FOREIGN ||
	       message->stamp <= *given_of(&source->given, message);
}

/* Find the first line in /dev/kmsg that is not in the journal yet. */
static void find_witness(struct source *source)
{
	unsigned long long lost = 0;
	struct message *witness = &source->witness;

	while (!source->has_witness && kmsg_next(&source->kmsg, witness)) {
		lost += witness->lost;
		source->has_witness = !is_given(source, witness);
	}
	/* The journal may contain the lines that were overwritten in /dev/kmsg. */
	if (source->given.record != source->given_before.record)
		lost = 0;
	witness->lost = lost;
}

/*
 * journald does not store the kernel's lines if it is configured so (MaxLevelStore, ReadKMsg) or
 * does not run. If a line of the module is in /dev/kmsg for some seconds, and the journal gets no
 * such line at all, that is proof. Then reading continues with this line.
 */
static bool journal_is_blind(struct source *source)
{
	if (source->has_witness) {
		unsigned long long given = *given_of(&source->given, &source->witness);
		unsigned long long before = *given_of(&source->given_before, &source->witness);

		source->has_witness = source->witness.stamp > given;
		if (source->has_witness && given == before)
			return true;
	}
	find_witness(source);
	return false;
}

/* Returns the number of records that the module has logged, or 0 if it is unknown. */
static unsigned long long count_logged(void)
{
	char *text = read_text(FILES "/logged");
	unsigned long long count = 0;

	take_number(text, ULLONG_MAX, &count);
	free(text);
	return count;
}

/* Without /dev/kmsg, only the module's counter shows that there are records. */
static void suspect_journal(struct source *source)
{
	unsigned long long count = count_logged();
	bool silent = source->given.record == source->given_before.record;

	if (source->suspect && silent) {
		pr_err("the journal does not get the records; try sudo, to read them from /dev/kmsg");
		source->check = ~0ULL;
	}
	source->suspect = count > source->logged && silent;
	source->logged = count;
}

/* Returns true if /dev/kmsg has to be read from now on. */
static bool check_journal(struct source *source)
{
	unsigned long long now = clock_usec(CLOCK_MONOTONIC);
	bool blind = false;

	if (now < source->check)
		return false;
	source->check = now + PATIENCE;
	if (source->kmsg.fd < 0)
		suspect_journal(source);
	else
		blind = journal_is_blind(source);
	source->given_before = source->given;
	if (!blind)
		return false;

	pr_err("the journal does not get the kernel's lines; reading /dev/kmsg instead");
	sd_journal_close(source->journal);
	source->journal = NULL;
	return true;
}

/* ---- The journal or /dev/kmsg ---- */

/* Returns true if there is a journal that this user may not read. */
static bool journal_is_forbidden(void)
{
	static const char * const places[] = { "/var/log/journal", "/run/log/journal" };
	char path[64 + SD_ID128_STRING_MAX], id[SD_ID128_STRING_MAX];
	sd_id128_t machine;

	if (sd_id128_get_machine(&machine) < 0)
		return false;
	sd_id128_to_string(machine, id);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), "%s/%s/system.journal", places[i], id);
		if (access(path, R_OK) && errno == EACCES)
			return true;
	}
	return false;
}

static bool dmesg_is_restricted(void)
{
	int error;

	return setting_read("/proc/sys/kernel/dmesg_restrict", &error) == IS_ON;
}

/* Print why the log cannot be read, and exit. */
static void refuse(bool kmsg, int error)
{
	const char *why = "the file's permissions do not allow it";

	if (error != EPERM && error != EACCES)
		die(EXIT_FAILED, "cannot read /dev/kmsg: %s", strerror(error));
	if (!kmsg && journal_is_forbidden())
		die(EXIT_NOT_PERMITTED,
		    "only root and the groups adm and systemd-journal may read the log: ask to be added, or try sudo.");
	if (error == EPERM)
		why = dmesg_is_restricted() ? "only root may, because kernel.dmesg_restrict is 1" :
					      "only root may";
	die(EXIT_NOT_PERMITTED, "%scannot read /dev/kmsg: %s. Try sudo%s.",
	    kmsg ? "" : "the journal has no lines of this boot, and you ", why,
	    kmsg ? ", or do without --kmsg" : "");
}

/**
 * source_open() - open the log at its end
 * @kmsg: read /dev/kmsg even if there is a journal
 *
 * Exits if neither can be read.
 *
 * Return: the source.
 */
struct source *source_open(bool kmsg)
{
	struct source *source = calloc(1, sizeof(*source));
	int error;

	if (!source)
		die_errno("cannot open the log");
	if (!kmsg)
		source->journal = open_journal();
	error = kmsg_open(&source->kmsg);
	if (error && !source->journal)
		refuse(kmsg, -error);
	source->check = clock_usec(CLOCK_MONOTONIC) + PATIENCE;
	source->logged = count_logged();
	return source;
}

/**
 * source_name() - find out where the lines come from
 * @source: the source
 *
 * Return: a name for messages.
 */
const char *source_name(const struct source *source)
{
	return source->journal ? "the journal" : "/dev/kmsg";
}

static bool next_of_kmsg(struct source *source, struct message *message)
{
	if (source->has_witness) {
		*message = source->witness;
		source->has_witness = false;
		return true;
	}
	if (!kmsg_next(&source->kmsg, message))
		return false;
	/* This line was in the journal, which lacks earlier lines of another level. */
	if (is_given(source, message))
		message->line.kind = LINE_FOREIGN;
	return true;
}

static bool next_of_either(struct source *source, struct message *message)
{
	if (source->journal && next_of_journal(source, message))
		return true;
	if (source->journal && !check_journal(source))
		return false;
	return next_of_kmsg(source, message);
}

/**
 * source_next() - read the next line of the module, or the next number of lost lines
 * @source: the source
 * @message: where to store the line
 *
 * Return: true if there is a line; otherwise source_wait() for the next one.
 */
bool source_next(struct source *source, struct message *message)
{
	do {
		message->lost = 0;
		message->line.kind = LINE_FOREIGN;
		if (!next_of_either(source, message))
			return false;
	} while (message->line.kind == LINE_FOREIGN && !message->lost);
	return true;
}

/* Returns the timeout in milliseconds, -1 for none, or the time until @usec, if that is shorter. */
static int sooner(int timeout, unsigned long long usec)
{
	unsigned long long now = clock_usec(CLOCK_MONOTONIC), left = usec > now ? usec - now : 0;

	if (usec == ~0ULL || (timeout >= 0 && left >= timeout * 1000ULL))
		return timeout;
	return left / 1000 + 1;
}

/**
 * source_wait() - wait for more lines
 * @source: where to wait for lines; NULL to wait only for the timeout
 * @timeout: how long to wait, in milliseconds; -1 for no limit
 *
 * Return: false if the program should end, see io_has_ended().
 */
bool source_wait(struct source *source, int timeout)
{
	struct pollfd fd = { .events = POLLIN };
	uint64_t usec;
	bool goes_on;

	if (!source)
		return io_wait(NULL, 0, timeout);
	if (!source->journal) {
		fd.fd = source->kmsg.fd;
		return io_wait(&fd, 1, timeout);
	}

	fd.fd = sd_journal_get_fd(source->journal);
	fd.events = sd_journal_get_events(source->journal);
	/* Without inotify, the journal must be polled at intervals. */
	if (sd_journal_get_timeout(source->journal, &usec) >= 0)
		timeout = sooner(timeout, usec);
	timeout = sooner(timeout, source->check);
	goes_on = io_wait(&fd, 1, timeout);
	sd_journal_process(source->journal);
	return goes_on;
}

/**
 * source_close() - close the log
 * @source: the source, or NULL
 */
void source_close(struct source *source)
{
	if (!source)
		return;
	if (source->journal)
		sd_journal_close(source->journal);
	kmsg_close(&source->kmsg);
	free(source);
}

/**
 * say_state() - tell the user if no lines can arrive at present
 * @logging_matters: whether the switch must be on
 */
void say_state(bool logging_matters)
{
	int error;
	enum setting logging = setting_read(SWITCH, &error);

	if (logging == IS_ABSENT || logging == IS_UNKNOWN)
		pr_err("the livepatch is not active; see: tcp-connect-logger status");
	else if (logging == IS_OFF && logging_matters)
		pr_err("logging is off; to switch it on: tcp-connect-logger enable");
}
