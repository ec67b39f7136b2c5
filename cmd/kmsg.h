/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Read /dev/kmsg.
 */
#ifndef KMSG_H
#define KMSG_H

#include <stdbool.h>

#include "message.h"

/**
 * struct kmsg - /dev/kmsg, open
 * @fd: the file, or -1
 * @sequence: expected sequence number of the next entry; 0 before the first
 * @offset: how far CLOCK_MONOTONIC_RAW is ahead of the kernel's time stamps, as far as the entries
 *	of this minute and of the one before can tell, in microseconds
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
