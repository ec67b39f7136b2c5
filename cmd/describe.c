// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Look up what the kernel does not tell about a connection: the command line of the process, and
 * the name of the destination.
 *
 * The process may have ended since, and another one may have its number. So a command line counts
 * only if the process was started when the kernel says, and still runs afterwards.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "describe.h"
#include "json.h"
#include "names.h"

/* Longer command lines are cut. */
#define CMDLINE_LEN	2048

static unsigned long long unknown;

/* The start is the 22nd field of the line, and the second is the name, in parentheses. */
#define FIELDS_BETWEEN	20

/* Returns when the process was started, in clock ticks since the machine booted, or 0. */
static unsigned long long started(int pid)
{
	char *text = read_text("/proc/%d/stat", pid), *field = text ? strrchr(text, ')') : NULL;
	unsigned long long ticks;

	for (int i = 0; field && i < FIELDS_BETWEEN; i++) {
		field = strchr(field, ' ');
		field += !!field;
	}
	ticks = field ? strtoull(field, NULL, 10) : 0;
	free(text);
	return ticks;
}

/* Read the arguments, with spaces between them. Returns false if there are none. */
static bool read_arguments(int pid, char text[CMDLINE_LEN])
{
	char path[64];
	ssize_t length;
	int fd;

	sprintf(path, "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, CMDLINE_LEN - 1);
	close(fd);
	if (length <= 0)
		return false;
	while (length > 1 && !text[length - 1])
		length--;
	for (ssize_t i = 0; i < length; i++)
		if (!text[i])
			text[i] = ' ';
	text[length] = '\0';
	return true;
}

static const char *command_line(const struct traced *traced)
{
	static char text[CMDLINE_LEN];
	unsigned long long ticks = traced->start / (1000000000 / sysconf(_SC_CLK_TCK));

	/* The process has not ended between the two looks, because no other one has its number. */
	if (read_arguments(traced->record.pid, text) && started(traced->record.pid) == ticks)
		return text;
	unknown++;
	return NULL;
}

/**
 * describe() - look up what the kernel does not tell
 * @traced: a connection from ring_next()
 * @fields: bit mask of the members that are wanted, see enum json_field
 * @with_names: look up the name of the destination
 *
 * Return: the connection with what was found, which is valid until the next call.
 */
const struct traced *describe(const struct traced *traced, unsigned int fields, bool with_names)
{
	static char name[NAME_LEN];
	static struct traced described;
	static const char *cmdline;
	static unsigned int process;
	enum name_source source;

	if (!with_names && !(fields & traced->known & JSON_BIT(JSON_CMDLINE)))
		return traced;
	described = *traced;
	if (fields & traced->known & JSON_BIT(JSON_CMDLINE)) {
		if (traced->process != process)
			cmdline = command_line(traced);
		process = traced->process;
		described.cmdline = cmdline;
	}
	if (with_names) {
		source = names_find(&traced->record, name);
		if (source != NAME_NONE) {
			described.domain = name;
			described.domain_source = source == NAME_QUERY ? "query" : "reverse";
			described.known |= JSON_OF_NAME;
		}
	}
	return &described;
}

/**
 * described_unknown() - find out how many command lines could not be found
 *
 * Return: how many since the last call.
 */
unsigned long long described_unknown(void)
{
	unsigned long long number = unknown;

	unknown = 0;
	return number;
}
