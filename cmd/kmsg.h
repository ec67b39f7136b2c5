/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Read /dev/kmsg.
 */
#ifndef KMSG_H
#define KMSG_H

#include <stdbool.h>

#include "message.h"

/**
 * struct kmsg - an open /dev/kmsg
 * @fd: the file, or -1
 * @sequence: expected sequence number of the next entry; 0 before the first
 * @offset: smallest difference between CLOCK_MONOTONIC_RAW and a time stamp in this minute and in
 *	the previous minute, in microseconds; LLONG_MAX without an entry
 * @minute: end of this minute, by CLOCK_MONOTONIC_RAW
 */
struct kmsg {
	int fd;
	unsigned long long sequence;
	long long offset[2];
	unsigned long long minute;
};

int kmsg_open(struct kmsg *kmsg);
bool kmsg_next(struct kmsg *kmsg, struct message *message);
void kmsg_close(struct kmsg *kmsg);

#endif /* KMSG_H */
