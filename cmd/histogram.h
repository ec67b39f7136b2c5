/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Parse the kernel's histograms of the trace event.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdbool.h>

#include "record.h"

/**
 * struct histogram - callbacks for the entries of histograms, and what the kernel dropped
 * @connections: called for each pair of name and destination; an IPv6 destination has no port
 * @port: called for each pair of IPv6 address and port
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
