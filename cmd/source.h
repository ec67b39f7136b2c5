/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Read the module's lines from the log, and wait for more.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>

#include "message.h"

struct source;

struct source *source_open(bool kmsg);
const char *source_name(const struct source *source);
bool source_next(struct source *source, struct message *message);
bool source_wait(struct source *source, int timeout);
void source_close(struct source *source);

void say_state(bool logging_matters);

#endif /* SOURCE_H */
