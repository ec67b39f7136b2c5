/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Remember connections until their result is known.
 */
#ifndef BEGUN_H
#define BEGUN_H

#include <stdbool.h>

#include "record.h"

struct begun;

struct begun *begun_open(const char *path);
void begun_add(struct begun *begun, const struct traced *traced, const char *label);
bool begun_take(struct begun *begun, unsigned long long cookie, struct traced *traced);
unsigned long long begun_forgotten(struct begun *begun);
void begun_forget(struct begun *begun);
void begun_close(struct begun *begun);

#endif /* BEGUN_H */
