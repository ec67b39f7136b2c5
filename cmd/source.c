// SPDX-License-Identifier: GPL-2.0
/*
 * The module's lines, from the journal, or where there is none from the kernel's
 * log itself; and when to stop asking for more.
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
 * struct source - one of two
 * @journal: the journal, or NULL
 * @kmsg: /dev/kmsg, or -1
 * @sequence: of the line of kmsg that comes next; 0 before the first
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
 * monotonic_usec() - CLOCK_MONOTONIC
 *
 * Return: microseconds.
 */
unsigned long long monotonic_usec(void)
{
	return time_of(CLOCK_MONOTONIC);
}

/*
 * The kernel's log counts from boot, as CLOCK_MONOTONIC does. The epoch is another one only
 * after somebody has set the clock, not because it takes a moment to read two.
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
 * catch_end() - from now on the signals that end a program end a wait_for() instead
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
 * wait_for() - wait for more lines, for the time, or for the end
 * @source: where they come from; NULL for the others only
 * @timeout: milliseconds; -1 for no limit
 *
 * The end is a signal that ends a program, or that nobody reads our output any more.
 *
 * Return: false at the end.
 */
bool wait_for(struct source *source, int timeout)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO },	/* POLLERR where its reader has gone */
		{ .fd = -1, .events = POLLIN },
	};

	if (source && source->journal) {
		unsigned long long now = monotonic_usec();
		uint64_t usec;

		fds[2].fd = sd_journal_get_fd(source->journal);
		fds[2].events = sd_journal_get_events(source->journal);
		/* Where inotify does not tell, the journal wants to be asked again. */
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
 * flush_output() - let the reader have what was printed
 *
 * Ends the program where it cannot be written. That nobody reads any more is not that:
 * wait_for() tells of it.
 */
void flush_output(void)
{
	if (fflush(stdout) && errno != EPIPE)
		err(FAILED, "standard output");
}

/* ---- The journal ---- */

/* must(): what the journal has returned, if that is no error */
static int must(int ret)
{
	if (ret < 0) {
		errno = -ret;
		err(FAILED, "the journal");
	}
	return ret;
}

/* The files that there are may be all of an earlier boot. */
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

/* From its end; false where there is none. */
static bool open_journal(struct source *source)
{
	sd_journal *journal;

	if (sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM) < 0)
		return false;
	if (!journal_is_written(journal)) {
		sd_journal_close(journal);
		return false;
	}

	/* Who writes to /dev/kmsg is in another facility than the kernel's, 0. */
	must(sd_journal_add_match(journal, "_TRANSPORT=kernel", 0));
	must(sd_journal_add_match(journal, "SYSLOG_FACILITY=0", 0));
	must(sd_journal_add_disjunction(journal));
	must(sd_journal_add_match(journal, "MESSAGE_ID=" JOURNAL_MISSED, 0));
	must(sd_journal_get_fd(journal));
	must(sd_journal_seek_tail(journal));
	/* Of an end without an entry sd_journal_next() would never come away. */
	if (!must(sd_journal_previous(journal)))
		must(sd_journal_seek_head(journal));
	source->journal = journal;
	return true;
}

/* The field's value, NUL-terminated; false if the entry has none. */
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

/* In place: what is not printable ASCII, and the backslash, is \xNN (kernel/printk/printk.c). */
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

	/* EPIPE: it was overwritten before we came to it; the next one tells how much. */
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
	if (level >> 3 == 0) {	/* the kernel's own */
		unescape(++text);
		snprintf(message->text, sizeof(message->text), "%s", text);
	}
	return true;
}

/* From its end, which is not sought, but read: of its last line the number is wanted. */
static void open_kmsg(struct source *source)
{
	struct message message;
	unsigned long long now = time_of(CLOCK_REALTIME);

	source->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (source->kmsg < 0 && (errno == EPERM || errno == EACCES))
		errx(NOT_PERMITTED,
		     "only root and the groups adm and systemd-journal may read the log: ask for that, or try sudo.");
	if (source->kmsg < 0)
		err(FAILED, "/dev/kmsg");
	do
		message.usec = 0;
	while (next_of_kmsg(source, &message) && message.usec < now);
}

/* ---- Either ---- */

/**
 * source_open() - from now on
 * @kmsg: the kernel's log, also where there is a journal
 *
 * Ends the program where there is nothing to read.
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
 * source_next() - the next line of the module's, or of what was lost
 * @source: from here
 * @message: filled in
 *
 * Return: whether there is one; if not, wait_for() it.
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
 * source_close() - after the last line
 * @source: of which
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
 * say_state() - say so if there can be no lines for now
 * @logging_matters: the switch has to be on
 */
void say_state(bool logging_matters)
{
	FILE *file = fopen("/sys/kernel/tcp_connect_logger/enabled", "re");
	int on = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	if (on == EOF)
		warnx("the livepatch is not in force; see: tcp-connect-logger status");
	else if (on == '0' && logging_matters)
		warnx("logging is off; to switch it on: tcp-connect-logger enable");
}
