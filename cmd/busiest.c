// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Find the process that makes the most connections. The kernel counts them with a hist trigger
 * (Documentation/trace/histogram.rst), which stays exact while the buffers overflow. It makes each
 * connection more expensive, so it is set only while the buffers fill up.
 */
#include <stdlib.h>

#include "busiest.h"
#include "command.h"
#include "histogram.h"
#include "instance.h"

#define TRIGGER	"hist:keys=comm,pid:size=8192"

static struct busiest most;

static void consider(const struct record *record, unsigned long long count)
{
	if (count > most.count)
		most = (struct busiest){ *record, count };
}

/**
 * busiest_count() - begin to count the connections of each process
 * @instance: the trace instance
 * @event: the trace event
 * @filter: the kernel's filter, or NULL
 *
 * Return: false if the kernel cannot; then there is no busiest_find().
 */
bool busiest_count(struct tracefs_instance *instance, const char *event, const char *filter)
{
	char *trigger = format_text(TRIGGER "%s%s", filter ? " if " : "", filter ?: "");
	bool counts = tracefs_event_file_append(instance, MODULE, event, "trigger", trigger) >= 0;

	free(trigger);
	return counts;
}

/**
 * busiest_find() - find the process that has made the most connections
 * @instance: the trace instance, after busiest_count()
 * @event: the same trace event
 * @busiest: where to store the process
 *
 * Return: false if there is none.
 */
bool busiest_find(struct tracefs_instance *instance, const char *event, struct busiest *busiest)
{
	struct histogram histogram = { .connections = consider };
	char *text = tracefs_event_file_read(instance, MODULE, event, "hist", NULL);
	bool found;

	most.count = 0;
	found = text && histogram_parse(text, &histogram) && most.count;
	free(text);
	if (found)
		*busiest = most;
	return found;
}

/**
 * busiest_stop() - stop counting, and forget the counts
 * @instance: the trace instance, after busiest_count()
 * @event: the same trace event
 */
void busiest_stop(struct tracefs_instance *instance, const char *event)
{
	tracefs_event_file_append(instance, MODULE, event, "trigger", "!" TRIGGER);
}
