// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * unsupported-event - the same module under the name of the trace event's module
 *
 * DKMS fails unless every module that dkms.conf names is built.
 */
#include "unsupported.c"
