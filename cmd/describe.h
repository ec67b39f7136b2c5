/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Look up what the kernel does not tell about a connection.
 */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <stdbool.h>

#include "record.h"

const struct traced *describe(const struct traced *traced, unsigned int fields, bool with_names);
unsigned long long described_unknown(void);

#endif /* DESCRIBE_H */
