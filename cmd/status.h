/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
#ifndef STATUS_H
#define STATUS_H

enum format { TEXT, JSON, PROMETHEUS };

int do_status(enum format format);

#endif /* STATUS_H */
