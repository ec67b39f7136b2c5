/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's histograms of the trace event, parsed.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdbool.h>

#include "record.h"

/**
 * struct histogram - what to do with the parts of a histogram
 * @connections: called for each name and destination; an IPv6 destination has no port
 * @port: called for each IPv6 address and a port of it
 * @dropped: number of connections for which the kernel had no room
 * @ports_dropped: whether the kernel had no room for some ports
 */
struct histogram {
	void (*connections)(const struct record *record, unsigned long long count);
	void (*port)(const unsigned char addr[16], unsigned int port);
	unsigned long long dropped;
	bool ports_dropped;
};

bool histogram_parse(const char *text, struct histogram *histogram);

#endif /* HISTOGRAM_H */
