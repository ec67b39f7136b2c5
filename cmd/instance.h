/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * The trace event, and the trace instances of this program's processes.
 */
#ifndef INSTANCE_H
#define INSTANCE_H

#include <stdbool.h>
#include <tracefs.h>

/** define TRACE_EVENT - name of the trace event; its system is MODULE */
#define TRACE_EVENT	"tcp_connect"

/** enum event - the trace events: each connection has one of the first two, perhaps the third */
enum event { EVENT_LEAN, EVENT_ORIGIN, EVENT_RESULT, NR_EVENTS };

extern const char * const event_names[NR_EVENTS];

/** define INSTANCE - name of a process's trace instance, which its process ID follows */
#define INSTANCE	NAME "-"

int instance_owner(const char *name);
bool event_exists(void);
bool event_await(void);
struct tracefs_instance *instance_create(void);
void instance_remove(struct tracefs_instance *instance);

#endif /* INSTANCE_H */
