/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Find the process that makes the most connections.
 */
#ifndef BUSIEST_H
#define BUSIEST_H

#include <stdbool.h>
#include <tracefs.h>

#include "record.h"

bool busiest_count(struct tracefs_instance *instance, const char *event, const char *filter);
bool busiest_find(struct tracefs_instance *instance, const char *event, struct busiest *busiest);
void busiest_stop(struct tracefs_instance *instance, const char *event);

#endif /* BUSIEST_H */
