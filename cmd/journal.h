/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Write connections to the journal.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "json.h"

bool journal_connection(const struct traced *traced, unsigned int fields);
bool journal_loss(const struct loss *loss);
bool journal_gap(unsigned long long nsec, unsigned long long since);

#endif /* JOURNAL_H */
