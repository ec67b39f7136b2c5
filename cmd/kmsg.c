// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Read /dev/kmsg.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "kmsg.h"

/* Tests define another file. */
#ifndef KMSG
#define KMSG "/dev/kmsg"
#endif

#define MINUTE 60000000ULL

/*
 * The kernel stamps its lines with a clock that stops while the machine is suspended and ignores
 * adjtimex(2). CLOCK_MONOTONIC_RAW does the same, so the difference between the two is constant,
 * except for a small change at each suspension. For an entry that is read at once, the difference
 * between the clock and the stamp is this constant. For an older entry it is larger, by the entry's
 * age. So the smallest difference of the last two minutes is taken for the constant.
 */
static unsigned long long time_of(struct kmsg *kmsg, unsigned long long stamp)
{
	unsigned long long raw = clock_usec(CLOCK_MONOTONIC_RAW);
	long long difference = raw - stamp, offset;

	if (raw >= kmsg->minute) {
		/* After a pause of a minute or more, both values are too old. */
		kmsg->offset[1] = raw < kmsg->minute + MINUTE ? kmsg->offset[0] : LLONG_MAX;
		kmsg->offset[0] = LLONG_MAX;
		kmsg->minute = raw + MINUTE;
	}
	if (difference < kmsg->offset[0])
		kmsg->offset[0] = difference;
	offset = kmsg->offset[0] < kmsg->offset[1] ? kmsg->offset[0] : kmsg->offset[1];
	return clock_usec(CLOCK_REALTIME) - (difference - offset);
}

/**
 * kmsg_next() - read the next entry
 * @kmsg: where to read
 * @message: where to store the entry, which need not be from the module
 *
 * Return: true if there is an entry.
 */
bool kmsg_next(struct kmsg *kmsg, struct message *message)
{
	char entry[4 * MESSAGE_LEN + 1024];	/* every byte may be escaped */
	unsigned long long sequence;
	ssize_t length;

	/* EPIPE: entries were overwritten. The next sequence number shows how many. */
	do {
		length = read(kmsg->fd, entry, sizeof(entry) - 1);
	} while (length < 0 && (errno == EPIPE || errno == EINTR));
	if (length < 0 && errno != EAGAIN)
		die_errno("cannot read " KMSG);
	if (length <= 0)
		return false;

	entry[length] = '\0';
	if (!message_from_kmsg(entry, length, message, &sequence))
		return true;
	if (kmsg->sequence && sequence > kmsg->sequence)
		message->lost = sequence - kmsg->sequence;
	kmsg->sequence = sequence + 1;
	message->usec = time_of(kmsg, message->stamp);
	return true;
}

/**
 * kmsg_open() - open /dev/kmsg, and skip the existing entries
 * @kmsg: where to store it
 *
 * This reads to the end instead of seeking, because it needs the last entry's sequence number.
 *
 * Return: 0, or a negative error number.
 */
int kmsg_open(struct kmsg *kmsg)
{
	struct message message;

	*kmsg = (struct kmsg){ .offset = { LLONG_MAX, LLONG_MAX } };
	kmsg->fd = open(KMSG, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg->fd < 0)
		return -errno;
	/* Limit the loop, in case lines are written faster than they are read. */
	for (int n = 0; n < 1000000 && kmsg_next(kmsg, &message); n++)
		;
	return 0;
}

/**
 * kmsg_close() - close /dev/kmsg
 * @kmsg: from kmsg_open(), even if that failed
 */
void kmsg_close(struct kmsg *kmsg)
{
	if (kmsg->fd >= 0)
		close(kmsg->fd);
	kmsg->fd = -1;
}
