// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Control the terminal, with terminfo(5).
 */
#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#include "terminal.h"

static bool is_known;	/* terminfo knows the terminal */

/**
 * terminal_init() - find out the type of the terminal, if standard output is one
 */
void terminal_init(void)
{
	int error;

	is_known = isatty(STDOUT_FILENO) && setupterm(NULL, STDOUT_FILENO, &error) == OK;
}

/* Returns a control string of the terminal, or NULL if it does not have this one. */
static const char *capability(const char *name)
{
	const char *text = is_known ? tigetstr(name) : NULL;

	return text == (const char *)-1 ? NULL : text;
}

static int put(int c)
{
	return putchar(c);
}

/**
 * terminal_clear() - clear the screen, and move the cursor to its first line
 *
 * Return: false if this is not a terminal, or if it cannot be cleared, such as TERM=dumb.
 */
bool terminal_clear(void)
{
	const char *home = capability("home"), *erase = capability("ed");

	if (!home || !erase) {
		home = capability("clear");
		erase = "";
	}
	if (!home)
		return false;
	tputs(home, 1, put);
	tputs(erase, 1, put);
	return true;
}

/**
 * terminal_size() - get the size of the terminal
 * @height: where to store the number of lines, or 0 if this is not a terminal
 * @width: where to store the number of columns, or 0 if this is not a terminal
 */
void terminal_size(int *height, int *width)
{
	struct winsize size = { 0 };

	*height = 0;
	*width = 0;
	if (!isatty(STDOUT_FILENO))
		return;
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*height = size.ws_row ? size.ws_row : is_known ? tigetnum("lines") : 0;
	*width = size.ws_col ? size.ws_col : is_known ? tigetnum("cols") : 0;
	if (*height <= 0)
		*height = 24;
	if (*width <= 0)
		*width = 80;
}
