// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Parse the histograms of the triggers in top.c. The kernel prints them one after another
 * (hist_trigger_show() in kernel/trace/trace_events_hist.c).
 */
#include <limits.h>
#include <string.h>

#include "histogram.h"

/* Parse a number that follows a word and spaces. Returns the text after the number, or NULL. */
static const char *take_field(const char *text, const char *word, unsigned long long most,
			      unsigned long long *value)
{
	text = take_word(text, word);
	return text ? take_number(text + strspn(text, " "), most, value) : NULL;
}

/*
 * A name has at most 15 bytes. It may contain any bytes, including newlines. The kernel pads it
 * with spaces to a larger width, so trailing spaces cannot be distinguished from the padding.
 */
static const char *take_comm(const char *text, char comm[COMM_LEN])
{
	size_t length = COMM_LEN - 1;

	if (strnlen(text, length) < length)
		return NULL;
	memcpy(comm, text, length);
	text += length;
	while (length && comm[length - 1] == ' ')
		comm[--length] = '\0';
	return text + strspn(text, " ");
}

static void put_number(unsigned char *to, unsigned long long number, int bytes)
{
	while (bytes--) {
		to[bytes] = number;
		number >>= 8;
	}
}

static const char *take_v4(const char *text, struct record *record)
{
	unsigned long long addr, port;

	text = take_field(text, ", daddr:", UINT_MAX, &addr);
	text = take_field(text, ", dport:", USHRT_MAX, &port);
	if (!text)
		return NULL;
	record->family = AF_INET;
	record->port = port;
	put_number(record->addr, addr, 4);
	return text;
}

static const char *take_v6(const char *text, struct record *record)
{
	unsigned long long high, low;

	text = take_field(text, "daddr6_hi:", ULLONG_MAX, &high);
	text = take_field(text, ", daddr6_lo:", ULLONG_MAX, &low);
	if (!text)
		return NULL;
	record->family = AF_INET6;
	put_number(record->addr, high, 8);
	put_number(record->addr + 8, low, 8);
	return text;
}

/* Parse an entry with a name and a destination. @text begins with the name. */
static const char *take_connections(const char *text, struct histogram *histogram)
{
	struct record record;
	unsigned long long count;
	const char *v6;

	memset(&record, 0, sizeof(record));
	text = take_comm(text, record.comm);
	if (!text)
		return NULL;
	v6 = take_v6(take_word(text, ", "), &record);
	text = take_field(v6 ? v6 : take_v4(text, &record), " } hitcount:", ULLONG_MAX, &count);
	if (text)
		histogram->connections(&record, count);
	return text;
}

/* Parse an entry with an IPv6 address and a port. Other entries count the same connections. */
static const char *take_port(const char *text, struct histogram *histogram)
{
	unsigned long long port, count;
	struct record record;

	text = take_v6(text, &record);
	text = take_field(text, ", dport:", USHRT_MAX, &port);
	text = take_field(text, " } hitcount:", ULLONG_MAX, &count);
	if (text)
		histogram->port(record.addr, port);
	return text;
}

/* Each connection to an IPv6 address is in two histograms. Count it in only one of them. */
static void take_dropped(const char *text, bool of_ports, struct histogram *histogram)
{
	unsigned long long dropped;

	if (!take_field(text, "    Dropped:", ULLONG_MAX, &dropped))
		return;
	if (of_ports)
		histogram->ports_dropped |= dropped;
	else
		histogram->dropped += dropped;
}

/**
 * histogram_parse() - parse histograms
 * @text: the text of a file "hist"
 * @histogram: the callbacks, and where to store what was dropped
 *
 * Return: false if the format is unknown.
 */
bool histogram_parse(const char *text, struct histogram *histogram)
{
	bool of_ports = false;

	histogram->dropped = 0;
	histogram->ports_dropped = false;
	while (text && *text) {
		if (take_word(text, "# trigger info: hist:"))
			of_ports = !take_word(text, "# trigger info: hist:keys=comm,");
		else if (take_word(text, "{ comm: "))
			text = take_connections(take_word(text, "{ comm: "), histogram);
		else if (*text == '{')
			text = take_port(take_word(text, "{ "), histogram);
		else
			take_dropped(text, of_ports, histogram);
		if (text) {
			text += strcspn(text, "\n");
			text += *text == '\n';
		}
	}
	return text;
}
