/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
#ifndef RECORDER_H
#define RECORDER_H

#include <sys/types.h>

/** define RECORDER_INSTANCE - the recorder's trace instance */
#define RECORDER_INSTANCE	NAME "-record"

pid_t recorder_process(void);

#endif /* RECORDER_H */
