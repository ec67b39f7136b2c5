// SPDX-License-Identifier: GPL-2.0
/*
 * Read the module's lines from the journal, or from /dev/kmsg if there is no journal. Wait
 * for more lines until a signal arrives or nobody reads the output.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "source.h"

#define NAME "tcp_connect_logger: "

/* "Missed N kernel messages": SD_MESSAGE_JOURNAL_MISSED in journald's journald-kmsg.c */
#define JOURNAL_MISSED "e9bf28e6e834481bb6f48f548ad13606"

/**
 * struct source - either the journal or /dev/kmsg
 * @journal: the journal, or NULL
 * @kmsg: file descriptor of /dev/kmsg, or -1
 * @sequence: expected sequence number of the next line in kmsg; 0 before the first
 */
struct source {
	sd_journal *journal;
	int kmsg;
	unsigned long long sequence;
};

/* ---- Time ---- */

static unsigned long long time_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000ULL + time.tv_nsec / 1000;
}

/**
 * monotonic_usec() - read CLOCK_MONOTONIC
 *
 * Return: the time in microseconds.
 */
unsigned long long monotonic_usec(void)
{
	return time_of(CLOCK_MONOTONIC);
}

/*
 * The kernel's log counts from boot, like CLOCK_MONOTONIC. Keep the offset between the two
 * clocks unless somebody has set the clock: it differs a little each time, because the clocks
 * are not read at the same instant.
 */
static unsigned long long since_epoch(unsigned long long since_boot)
{
	static long long epoch;
	long long now = time_of(CLOCK_REALTIME) - monotonic_usec();

	if (llabs(now - epoch) > 1000)
		epoch = now;
	return since_boot + epoch;
}

/* ---- The end ---- */

static int signals = -1;

/**
 * catch_end() - let SIGINT, SIGTERM and SIGHUP end wait_for() instead of the program
 */
void catch_end(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		err(FAILED, "signalfd");
}

static bool is_sooner(int timeout, uint64_t usec, unsigned long long now)
{
	return usec != UINT64_MAX && (timeout < 0 || usec < now + timeout * 1000ULL);
}

/**
 * wait_for() - wait for more lines
 * @source: where to wait for lines; NULL to wait only for the timeout
 * @timeout: how long to wait, in milliseconds; -1 for no limit
 *
 * Return: false if a signal has arrived or nobody reads the output any more, otherwise true.
 */
bool wait_for(struct source *source, int timeout)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO },	/* POLLERR if the reader has gone */
		{ .fd = -1, .events = POLLIN },
	};

	if (source && source->journal) {
		unsigned long long now = monotonic_usec();
		uint64_t usec;

		fds[2].fd = sd_journal_get_fd(source->journal);
		fds[2].events = sd_journal_get_events(source->journal);
		/* Without inotify, the journal must be polled at intervals. */
		if (sd_journal_get_timeout(source->journal, &usec) >= 0 &&
		    is_sooner(timeout, usec, now))
			timeout = usec > now ? (usec - now) / 1000 + 1 : 0;
	} else if (source) {
		fds[2].fd = source->kmsg;
	}

	if (poll(fds, 3, timeout) < 0 && errno != EINTR)
		err(FAILED, "poll");
	if (source && source->journal)
		sd_journal_process(source->journal);
	return !fds[0].revents && !(fds[1].revents & (POLLERR | POLLHUP | POLLNVAL));
}

/**
 * flush_output() - flush standard output
 *
 * Exits on a write error. EPIPE is not an error here: wait_for() reports that nobody reads the
 * output any more.
 */
void flush_output(void)
{
	if (fflush(stdout) && errno != EPIPE)
		err(FAILED, "cannot write to standard output");
}

/* ---- The journal ---- */

/* Exit if the journal has returned an error. */
static int must(int ret)
{
	if (ret < 0) {
		errno = -ret;
		err(FAILED, "cannot read the journal");
	}
	return ret;
}

/* All existing journal files may be from earlier boots. */
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

/* Open the journal at its end. Returns false if there is none. */
static bool open_journal(struct source *source)
{
	sd_journal *journal;

	if (sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM) < 0)
		return false;
	if (!journal_is_written(journal)) {
		sd_journal_close(journal);
		return false;
	}

	/* Facility 0 is the kernel. Lines that processes write to /dev/kmsg have another one. */
	must(sd_journal_add_match(journal, "_TRANSPORT=kernel", 0));
	must(sd_journal_add_match(journal, "SYSLOG_FACILITY=0", 0));
	must(sd_journal_add_disjunction(journal));
	must(sd_journal_add_match(journal, "MESSAGE_ID=" JOURNAL_MISSED, 0));
	must(sd_journal_get_fd(journal));
	must(sd_journal_seek_tail(journal));
	/* Without an entry before the end, sd_journal_next() would never return another one. */
	if (!must(sd_journal_previous(journal)))
		must(sd_journal_seek_head(journal));
	source->journal = journal;
	return true;
}

/* Get the value of a field. Returns false if the entry does not have the field. */
static bool journal_field(sd_journal *journal, const char *name, char *value, size_t size)
{
	const void *data;
	size_t length, skip = strlen(name) + 1;

	if (sd_journal_get_data(journal, name, &data, &length) < 0)
		return false;
	length -= skip;
	if (length >= size)
		length = size - 1;
	memcpy(value, (const char *)data + skip, length);
	value[length] = '\0';
	return true;
}

static bool next_of_journal(sd_journal *journal, struct message *message)
{
	uint64_t received;
	char text[32];

	if (!must(sd_journal_next(journal)))
		return false;

	message->lost = 0;
	if (!journal_field(journal, "MESSAGE", message->text, sizeof(message->text)))
		message->text[0] = '\0';
	if (journal_field(journal, "_SOURCE_MONOTONIC_TIMESTAMP", text, sizeof(text)))
		message->usec = since_epoch(strtoull(text, NULL, 10));
	else if (sd_journal_get_realtime_usec(journal, &received) >= 0)
		message->usec = received;
	if (sscanf(message->text, "Missed %llu kernel messages", &message->lost) == 1)
		message->text[0] = '\0';
	return true;
}

/* ---- The kernel's log ---- */

/* Unescape in place: \xNN is a backslash or not printable ASCII (kernel/printk/printk.c). */
static void unescape(char *text)
{
	char *to = text;

	for (; *text && *text != '\n'; text++) {
		unsigned int byte;

		if (*text == '\\' && sscanf(text, "\\x%2x", &byte) == 1) {
			*to++ = byte;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static bool next_of_kmsg(struct source *source, struct message *message)
{
	unsigned int level;
	unsigned long long sequence, usec;
	char line[4 * MESSAGE_LEN], *text;	/* every byte may be escaped */
	ssize_t length;

	/* EPIPE: lines were overwritten. The next sequence number tells how many. */
	do {
		length = read(source->kmsg, line, sizeof(line) - 1);
	} while (length < 0 && errno == EPIPE);
	if (length < 0 && errno != EAGAIN && errno != EINTR)
		err(FAILED, "/dev/kmsg");
	if (length <= 0)
		return false;
	line[length] = '\0';

	message->lost = 0;
	message->text[0] = '\0';
	text = strchr(line, ';');
	if (!text ||
	    sscanf(line, "%u,%llu,%llu", &level, &sequence, &usec) != 3)
		return true;
	if (source->sequence && sequence > source->sequence)
		message->lost = sequence - source->sequence;
	source->sequence = sequence + 1;
	message->usec = since_epoch(usec);
	if (level >> 3 == 0) {	/* the kernel, not a process */
		unescape(++text);
		snprintf(message->text, sizeof(message->text), "%s", text);
	}
	return true;
}

/* Reads to the end instead of seeking, because the sequence number of the last line is needed. */
static void open_kmsg(struct source *source)
{
	struct message message;
	unsigned long long now = time_of(CLOCK_REALTIME);

	source->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (source->kmsg < 0 && (errno == EPERM || errno == EACCES))
		errx(NOT_PERMITTED,
		     "only root and the groups adm and systemd-journal may read the log: ask to be added, or try sudo.");
	if (source->kmsg < 0)
		err(FAILED, "/dev/kmsg");
	do
		message.usec = 0;
	while (next_of_kmsg(source, &message) && message.usec < now);
}

/* ---- Either ---- */

/**
 * source_open() - open the log for lines from now on
 * @kmsg: read /dev/kmsg even if there is a journal
 *
 * Exits if neither can be read.
 *
 * Return: the source.
 */
struct source *source_open(bool kmsg)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		err(FAILED, NULL);
	source->kmsg = -1;
	if (kmsg || !open_journal(source))
		open_kmsg(source);
	return source;
}

/**
 * source_next() - read the next line of the module, or the next number of lost lines
 * @source: the source
 * @message: where to store the line
 *
 * Return: true if there is a line; otherwise wait_for() the next one.
 */
bool source_next(struct source *source, struct message *message)
{
	while (source->journal ? next_of_journal(source->journal, message) :
				 next_of_kmsg(source, message))
		if (message->lost || !strncmp(message->text, NAME, strlen(NAME)))
			return true;
	return false;
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
	else
		close(source->kmsg);
	free(source);
}

/**
 * say_state() - tell the user if no lines can arrive for now
 * @logging_matters: whether the switch must be on
 */
void say_state(bool logging_matters)
{
	FILE *file = fopen("/sys/kernel/tcp_connect_logger/enabled", "re");
	int on = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	if (on == EOF)
		warnx("the livepatch is not active; see: tcp-connect-logger status");
	else if (on == '0' && logging_matters)
		warnx("logging is off; to switch it on: tcp-connect-logger enable");
}
