/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Parse the kernel's histograms of the trace event.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdbool.h>

#include "record.h"

/** define PORTS_OF_V6 - the keys of the histogram that has only the ports of IPv6 addresses */
#define PORTS_OF_V6	"daddr6_hi,daddr6_lo,dport"

/**
 * struct histogram - callbacks for the entries of histograms, and what the kernel dropped
 * @connections: called for each entry; the members of the record that are not keys are 0
 * @port: called for each entry of the histogram of ports
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
