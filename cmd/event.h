/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
#ifndef EVENT_H
#define EVENT_H

#include "state.h"

struct names event_users(void);
bool event_ask_readers(void);

#endif /* EVENT_H */
