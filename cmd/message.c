// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Parse entries of the journal and of /dev/kmsg. Only the kernel writes lines of the module, so
 * these functions check who has written an entry before they read its text.
 */
#include <limits.h>
#include <string.h>
#include <syslog.h>

#include "message.h"

static void clear(struct message *message)
{
	message->stamp = 0;
	message->lost = 0;
	message->line.kind = LINE_FOREIGN;
	message->text[0] = '\0';
}

static bool begins_with(const char *data, size_t length, const char *word)
{
	size_t size = strlen(word);

	return length >= size && !memcmp(data, word, size);
}

/* ---- /dev/kmsg ---- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * The kernel escapes backslashes and everything except printable ASCII as \xNN (msg_add_ext_text()
 * in kernel/printk/printk.c). The module writes no NUL. Returns false for a line with a NUL, and if
 * @text is too short.
 */
static bool unescape(const char *data, size_t length, char text[MESSAGE_LEN])
{
	size_t size = 0;

	for (size_t i = 0; i < length; i++) {
		char byte = data[i];

		if (byte == '\\') {
			if (length - i < 4 || data[i + 1] != 'x' || hex(data[i + 2]) < 0 ||
			    hex(data[i + 3]) < 0)
				return false;
			byte = hex(data[i + 2]) << 4 | hex(data[i + 3]);
			i += 3;
		}
		if (!byte || size == MESSAGE_LEN - 1)
			return false;
		text[size++] = byte;
	}
	text[size] = '\0';
	return true;
}

/**
 * message_from_kmsg() - parse the result of one read(2) of /dev/kmsg
 * @entry: the entry, NUL-terminated: "LEVEL,SEQUENCE,MICROSECONDS,FLAGS;LINE", and more lines,
 *	which are ignored; see Documentation/ABI/testing/dev-kmsg in the kernel's source
 * @length: its length
 * @message: where to store the line; its @usec is not set
 * @sequence: where to store the number of the entry
 *
 * Return: true if this is a valid entry.
 */
bool message_from_kmsg(const char *entry, size_t length, struct message *message,
		       unsigned long long *sequence)
{
	const char *end = memchr(entry, '\n', length);
	const char *text = memchr(entry, ';', length);
	unsigned long long priority, stamp;
	const char *header;

	clear(message);
	header = take_number(entry, INT_MAX, &priority);
	header = take_number(take_word(header, ","), ULLONG_MAX, sequence);
	header = take_number(take_word(header, ","), ULLONG_MAX, &stamp);
	if (!header || !text || (*header != ',' && *header != ';') || header > text)
		return false;
	message->stamp = stamp;

	text++;
	if (!end)
		end = entry + length;
	/* Lines from processes have another facility (devkmsg_write()). */
	if (LOG_FAC(priority) != 0 || end < text || !begins_with(text, end - text, PREFIX))
		return true;
	if (unescape(text, end - text, message->text))
		line_parse(message->text, LOG_PRI(priority), &message->line);
	return true;
}

/* ---- The journal ---- */

static bool field_is(const struct journal_entry *entry, const char *name, const char *value)
{
	size_t length;
	const char *data = entry->get(entry->context, name, &length);

	return data && length == strlen(value) && !memcmp(data, value, length);
}

/* Copy a field to a string. Returns false if it is missing, contains a NUL, or is too long. */
static bool field_text(const char *data, size_t length, char *text, size_t size)
{
	if (!data || length >= size || memchr(data, '\0', length))
		return false;
	memcpy(text, data, length);
	text[length] = '\0';
	return true;
}

static bool field_number(const struct journal_entry *entry, const char *name,
			 unsigned long long most, unsigned long long *value)
{
	size_t length;
	const char *data = entry->get(entry->context, name, &length), *end;
	char text[32];

	if (!field_text(data, data ? length : 0, text, sizeof(text)))
		return false;
	end = take_number(text, most, value);
	return end && !*end;
}

/* Parse "Missed N kernel messages" (dev_kmsg_record() in journald-kmsg.c). Returns N or 0. */
static unsigned long long take_missed(const char *data, size_t length)
{
	unsigned long long lost;
	char text[64];
	const char *end;

	if (!field_text(data, length, text, sizeof(text)))
		return 0;
	end = take_word(take_number(take_word(text, "Missed "), ULLONG_MAX, &lost),
			" kernel messages");
	return end && !*end ? lost : 0;
}

/**
 * message_from_journal() - parse a journal entry
 * @entry: the entry
 * @message: where to store the line; its @usec and @stamp are not set
 *
 * A process chooses the fields of its entries, except those whose names begin with an underscore.
 * _TRANSPORT says who has written the entry: the kernel, or journald itself ("driver"). Then all
 * other fields of the entry come from there, too.
 */
void message_from_journal(const struct journal_entry *entry, struct message *message)
{
	size_t length;
	const char *data = entry->get(entry->context, "MESSAGE", &length);
	unsigned long long level;

	clear(message);
	if (!data)
		return;
	if (begins_with(data, length, PREFIX)) {
		/* Copy the text first: reading another field may overwrite it. */
		if (field_text(data, length, message->text, sizeof(message->text)) &&
		    field_is(entry, "_TRANSPORT", "kernel") &&
		    field_is(entry, "SYSLOG_FACILITY", "0") &&
		    field_number(entry, "PRIORITY", LOG_DEBUG, &level))
			line_parse(message->text, level, &message->line);
	} else if (begins_with(data, length, "Missed ")) {
		unsigned long long lost = take_missed(data, length);

		if (field_is(entry, "_TRANSPORT", "driver") &&
		    field_is(entry, "MESSAGE_ID", JOURNAL_MISSED))
			message->lost = lost;
	}
}

/**
 * journal_stamp() - get the kernel's time stamp of a journal entry
 * @entry: the entry
 *
 * Return: the time stamp, as in /dev/kmsg, or 0 if the entry has none.
 */
unsigned long long journal_stamp(const struct journal_entry *entry)
{
	unsigned long long stamp;

	if (!field_number(entry, "_SOURCE_MONOTONIC_TIMESTAMP", ULLONG_MAX, &stamp))
		return 0;
	return stamp;
}

/**
 * message_text() - get a line of the module without its prefix
 * @message: a message with a line of the module
 *
 * Return: the text.
 */
const char *message_text(const struct message *message)
{
	return message->text + strlen(PREFIX);
}
