/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Parse times.
 */
#ifndef WHEN_H
#define WHEN_H

#include <stdbool.h>

bool when_parse(const char *text, unsigned long long *nsec);
bool when_parse_user(const char *text, unsigned long long now, unsigned long long *nsec);

#endif /* WHEN_H */
