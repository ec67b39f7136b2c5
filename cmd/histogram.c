// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Parse the histograms of the triggers in top.c and busiest.c. The kernel prints them one after
 * another (hist_trigger_show() in kernel/trace/trace_events_hist.c).
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

enum field { PID, UID, PORT, V4, V6_HIGH, V6_LOW, NR_FIELDS };

static void set_field(struct record *record, enum field field, unsigned long long value)
{
	switch (field) {
	case PID:
		record->pid = value;
		break;
	case UID:
		record->uid = value;
		break;
	case PORT:
		record->port = value;
		break;
	case V4:
		record->family = AF_INET;
		put_number(record->addr, value, 4);
		break;
	case V6_HIGH:
		record->family = AF_INET6;
		put_number(record->addr, value, 8);
		break;
	default:
		put_number(record->addr + 8, value, 8);
	}
}

/* Parse a key of an entry. Returns the text after it, or NULL. */
static const char *take_key(const char *text, struct record *record)
{
	static const struct {
		const char *word;
		unsigned long long most;
	} fields[NR_FIELDS] = {
		[PID] = { "pid:", PID_MOST },
		[UID] = { "uid:", UINT_MAX },
		[PORT] = { "dport:", USHRT_MAX },
		[V4] = { "daddr:", UINT_MAX },
		[V6_HIGH] = { "daddr6_hi:", ULLONG_MAX },
		[V6_LOW] = { "daddr6_lo:", ULLONG_MAX },
	};

	if (take_word(text, "comm: "))
		return take_comm(take_word(text, "comm: "), record->comm);
	for (int i = 0; i < NR_FIELDS; i++) {
		unsigned long long value;
		const char *end = take_field(text, fields[i].word, fields[i].most, &value);

		if (end) {
			set_field(record, i, value);
			return end;
		}
	}
	return NULL;
}

/*
 * Parse an entry. @text begins with its first key. Other entries count the connections that are in
 * the histogram of ports.
 */
static const char *take_entry(const char *text, bool of_ports, struct histogram *histogram)
{
	struct record record;
	unsigned long long count;
	const char *next;

	memset(&record, 0, sizeof(record));
	for (next = text; next; next = take_word(text, ", "))
		text = take_key(next, &record);
	text = take_field(text, " } hitcount:", ULLONG_MAX, &count);
	if (text && of_ports)
		histogram->port(record.addr, record.port);
	else if (text)
		histogram->connections(&record, count);
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
			of_ports = take_word(text, "# trigger info: hist:keys=" PORTS_OF_V6 ":");
		else if (*text == '{')
			text = take_entry(take_word(text, "{ "), of_ports, histogram);
		else
			take_dropped(text, of_ports, histogram);
		if (text) {
			text += strcspn(text, "\n");
			text += *text == '\n';
		}
	}
	return text;
}
