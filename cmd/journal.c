// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Write connections to the journal, as structured entries (systemd.journal-fields(7)).
 *
 * journald sets _PID and _SYSTEMD_UNIT to those of this program. "journalctl -u UNIT" also
 * finds entries that root has written about the unit, in which OBJECT_SYSTEMD_UNIT is its name.
 * OBJECT_PID would make journald look in /proc, where another process may have the number by then.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION	/* of the call in this file */
#include <systemd/sd-journal.h>

#include "command.h"
#include "groups.h"
#include "journal.h"
#include "print.h"

/* What "journalctl MESSAGE_ID=..." finds */
#define CONNECTION	"MESSAGE_ID=3c7b4ff1d7a84c0f9d3c0e6e0a4f6b51"
#define RESULT		"MESSAGE_ID=52d0a7c94b0e4c5f8e3ab1d96f27c410"
#define NOTE		"MESSAGE_ID=8f0c1a52b6de4a4cb7b14f0d1f3c92e7"

/* The name of a field has this prefix, and the name of the member in capitals. */
#define FIELD		"CONNECTION_"

/* Room for the members: their names are longer than in JSON, but nothing is escaped. */
#define FIELDS_LEN	JSON_LEN

/* All members, and at most five other fields */
#define NR_FIELDS	(NR_JSON_FIELDS + 5)

/**
 * struct entry - an entry of the journal
 * @fields: its fields
 * @number: how many
 */
struct entry {
	struct iovec fields[NR_FIELDS];
	int number;
};

static void add(struct entry *entry, const char *field, size_t length)
{
	entry->fields[entry->number++] = (struct iovec){ (void *)field, length };
}

static void add_text(struct entry *entry, const char *field)
{
	add(entry, field, strlen(field));
}

static bool send_entry(struct entry *entry)
{
	int ret;

	add_text(entry, "SYSLOG_IDENTIFIER=" NAME);
	ret = sd_journal_sendv(entry->fields, entry->number);
	errno = ret < 0 ? -ret : 0;
	return ret >= 0;
}

/* Write a field with a member of the connection. Returns its end. */
static char *put_field(char *to, const struct traced *traced, enum json_field field)
{
	char *name = to;

	to += sprintf(to, FIELD "%s=", json_fields[field]);
	for (char *c = name; *c != '='; c++)
		*c = toupper((unsigned char)*c);
	return to + json_plain(traced, field, to);
}

/**
 * journal_connection() - write a connection, or the result of one, to the journal
 * @traced: the connection
 * @fields: bit mask of the members to write, see enum json_field
 *
 * Return: false, with errno, if journald does not take it now.
 */
bool journal_connection(const struct traced *traced, unsigned int fields)
{
	static char text[FIELDS_LEN];
	char unit[sizeof("OBJECT_SYSTEMD_UNIT=") + 256], *to = text;
	char message[sizeof("MESSAGE=") + TRACED_LEN] = "MESSAGE=";
	const struct group *group = traced->group ?: group_of(traced->cgroup, NULL);
	struct entry entry = { .number = 0 };

	fields = json_members(traced, fields);
	traced_text(traced, message + strlen(message));
	add_text(&entry, message);
	add_text(&entry, "PRIORITY=6");
	add_text(&entry, json_is_result(traced) ? RESULT : CONNECTION);
	for (int field = 0; field < NR_JSON_FIELDS; field++) {
		char *begin = to;

		if (!(fields & JSON_BIT(field)) || !json_has(traced, field))
			continue;
		to = put_field(to, traced, field);
		add(&entry, begin, to - begin);
	}
	if (group && group->unit) {
		snprintf(unit, sizeof(unit), "OBJECT_SYSTEMD_UNIT=%s", group->unit);
		add_text(&entry, unit);
	}
	return send_entry(&entry);
}

/* Begin an entry that is not a connection. */
static void add_note(struct entry *entry, const char *message, const char *event)
{
	add_text(entry, message);
	add_text(entry, "PRIORITY=4");
	add_text(entry, NOTE);
	add_text(entry, event);
}

/**
 * journal_loss() - write to the journal what was lost
 * @loss: what was lost
 *
 * Return: false, with errno, if journald does not take it now.
 */
bool journal_loss(const struct loss *loss)
{
	char message[512], count[64], reason[256];
	struct entry entry = { .number = 0 };

	strcpy(message, "MESSAGE=");
	loss_text(loss, message + strlen(message), sizeof(message) - strlen(message));
	snprintf(count, sizeof(count), FIELD "COUNT=%llu", loss->count);
	snprintf(reason, sizeof(reason), FIELD "REASON=%s", loss->reason);
	add_note(&entry, message, FIELD "EVENT=lost");
	add_text(&entry, count);
	add_text(&entry, reason);
	return send_entry(&entry);
}

/**
 * journal_gap() - write to the journal when the module was not loaded
 * @nsec: end of this time in nanoseconds since the epoch
 * @since: its begin
 *
 * Return: false, with errno, if journald does not take it now.
 */
bool journal_gap(unsigned long long nsec, unsigned long long since)
{
	char message[256] = "MESSAGE=", end[64] = FIELD "TIME=", begin[64] = FIELD "SINCE=";
	struct entry entry = { .number = 0 };

	gap_text(nsec, since, message + strlen(message), sizeof(message) - strlen(message));
	json_time(nsec, 9, end + strlen(end));
	json_time(since, 9, begin + strlen(begin));
	add_note(&entry, message, FIELD "EVENT=gap");
	add_text(&entry, end);
	add_text(&entry, begin);
	return send_entry(&entry);
}
