/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Make any bytes safe to print.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

/** define UTF8_LOCALE - a locale for JSON, which is always UTF-8 */
#define UTF8_LOCALE	"C.UTF-8"

/** define TEXT_ROOM - room that text_safe() needs for @length bytes, including the NUL */
#define TEXT_ROOM(length)	(6 * (length) + 1)

/** enum text_form - how text_safe() escapes unsafe characters */
enum text_form {
	/** @TEXT_PLAIN: each byte as \xNN; also backslashes, and leading and trailing spaces */
	TEXT_PLAIN,
	/** @TEXT_LINE: each byte as \xNN */
	TEXT_LINE,
	/** @TEXT_JSON: each character as \uNNNN; the text is JSON */
	TEXT_JSON,
};

size_t text_character(const char *text, size_t length, unsigned int *code);
void text_init(const char *locale);
int text_safe(const char *text, size_t length, enum text_form form, char *safe);
int text_width(const char *text);
void text_cut(char *text, int columns);

#endif /* TEXT_H */
