/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Select the records that the user wants to see.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>

#include "record.h"

/** enum filter_kind - the field that a filter compares */
enum filter_kind { BY_COMM, BY_PID, BY_USER, BY_PORT, BY_NET, NR_KINDS };

void filter_add(enum filter_kind kind, const char *text);
bool filters_match(const struct record *record);
void filters_free(void);

#endif /* FILTER_H */
