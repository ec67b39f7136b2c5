// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * empty - a livepatch of the same functions that does nothing, to measure what livepatching
 * itself costs
 */
#define TCL_LOG_H	/* instead of what log.h has */
#define tcl_wanted()				false
#define tcl_log(to)				do { } while (0)
#define tcl_trace(sk, to, ret)			do { } while (0)
#define tcl_log_init()				0
#define tcl_log_exit()				do { } while (0)
#define tcl_remove_switch()			do { } while (0)
#define tcl_start_enabled			false

#include <linux/types.h>

static bool tcl_logging;

#include "patch.c"
