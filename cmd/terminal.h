/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Control the terminal.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>

void terminal_init(void);
bool terminal_clear(void);
void terminal_size(int *height, int *width);

#endif /* TERMINAL_H */
