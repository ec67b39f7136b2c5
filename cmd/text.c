// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Make any bytes safe to print. Attackers choose the names of processes and users, and parts of the
 * log. They may try to mislead the reader with escape sequences, with characters that hide or
 * reorder their neighbours, or with names that only look the same.
 */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "text.h"

/* Whether the terminal expects UTF-8, see text_init(). Otherwise, only ASCII is printed. */
static bool utf8;

/**
 * text_init() - choose the encoding of what is printed
 * @locale: "" for the terminal's, or UTF8_LOCALE
 *
 * Until this is called, only ASCII is printable.
 */
void text_init(const char *locale)
{
	setlocale(LC_CTYPE, locale);
	utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/**
 * text_character() - decode one character of UTF-8
 * @text: the text
 * @length: its length, at least 1
 * @code: where to store the character
 *
 * Return: the length of the character, or 0 if it is not valid UTF-8: truncated, overlong, a
 * surrogate, or above U+10FFFF.
 */
size_t text_character(const char *text, size_t length, unsigned int *code)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = *text;
	size_t size = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 :
		      first < 0xf8 ? 4 : 0;

	if (!size || size > length)
		return 0;
	*code = size == 1 ? first : first & (0x7f >> size);
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (text[i] & 0x3f);
	}
	if (*code < least[size] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return size;
}

/*
 * Characters that wcwidth() gives a width, but that are invisible or reorder their neighbours. This
 * includes all right-to-left letters: a terminal that supports them moves the numbers beside a
 * name.
 */
static const struct range {
	unsigned int first, last;
} unsafe[] = {
	{ 0x0080, 0x00a0 },	/* C1, no-break space */
	{ 0x00ad, 0x00ad },	/* soft hyphen */
	{ 0x0590, 0x08ff },	/* right to left */
	{ 0x115f, 0x1160 },	/* Hangul fillers */
	{ 0x1680, 0x1680 },	/* a space */
	{ 0x17b4, 0x17b5 },	/* invisible vowels */
	{ 0x180b, 0x180f },	/* variation selectors, a separator */
	{ 0x2000, 0x200f },	/* spaces, joiners, direction marks */
	{ 0x2028, 0x202f },	/* separators, embedding and override */
	{ 0x205f, 0x206f },	/* spaces, isolates */
	{ 0x2800, 0x2800 },	/* blank Braille pattern */
	{ 0x3000, 0x3000 },	/* a space */
	{ 0x3164, 0x3164 },	/* Hangul filler */
	{ 0xe000, 0xf8ff },	/* private use */
	{ 0xfb1d, 0xfdff },	/* right to left */
	{ 0xfe00, 0xfe0f },	/* variation selectors */
	{ 0xfe70, 0xfeff },	/* right to left, byte order mark */
	{ 0xffa0, 0xffa0 },	/* Hangul filler */
	{ 0xfff0, 0xfffb },	/* specials, but not the replacement character */
	{ 0x10800, 0x10fff },	/* right to left */
	{ 0x1e800, 0x1efff },	/* right to left */
	{ 0xe0000, 0x10ffff },	/* tags, variation selectors, private use */
};

/* Returns the number of columns that a character takes, or 0 if it must not be printed. */
static int width_of(unsigned int code)
{
	if (code < 0x80)
		return code >= ' ' && code < 0x7f;
	if (!utf8)
		return 0;
	for (size_t i = 0; i < sizeof(unsafe) / sizeof(*unsafe); i++)
		if (code >= unsafe[i].first && code <= unsafe[i].last)
			return 0;
	return iswprint(code) && wcwidth(code) > 0 ? wcwidth(code) : 0;
}

/* Returns the end of the text. */
static char *write_hex(const char *text, size_t length, char *to)
{
	while (length--)
		to += sprintf(to, "\\x%02x", (unsigned char)*text++);
	return to;
}

/* Above U+FFFF, JSON needs two surrogates. */
static char *write_json(unsigned int code, char *to)
{
	if (code > 0xffff) {
		to += sprintf(to, "\\u%04x", 0xd800 + ((code - 0x10000) >> 10));
		code = 0xdc00 + (code & 0x3ff);
	}
	return to + sprintf(to, "\\u%04x", code);
}

/**
 * text_safe() - make any bytes safe to print
 * @text: the bytes
 * @length: how many
 * @form: how to escape unsafe characters
 * @safe: where to store the text, with a NUL; TEXT_ROOM(@length) bytes
 *
 * The result contains only printable characters that take one or two columns each, and that neither
 * move nor hide others. Everything else is escaped. No other function decides what may be printed.
 *
 * Return: the number of columns that @safe takes.
 */
int text_safe(const char *text, size_t length, enum text_form form, char *safe)
{
	size_t start = 0, end = length, size;
	int columns = 0;

	/* Only spaces between start and end differ visibly from the padding of a column. */
	while (form == TEXT_PLAIN && start < end && text[start] == ' ')
		start++;
	while (form == TEXT_PLAIN && end > start && text[end - 1] == ' ')
		end--;

	for (size_t i = 0; i < length; i += size) {
		bool escape = form == TEXT_PLAIN && (i < start || i >= end || text[i] == '\\');
		unsigned int code = text[i];
		int width;

		size = text[i] >= ' ' ? 1 : text_character(text + i, length - i, &code);
		width = size && !escape ? width_of(code) : 0;
		if (width) {
			for (size_t n = 0; n < size; n++)
				*safe++ = text[i + n];
			columns += width;
		} else if (form == TEXT_JSON && size) {
			safe = write_json(code, safe);
		} else {
			size = size ? size : 1;
			safe = write_hex(text + i, size, safe);
			columns += 4 * size;
		}
	}
	*safe = '\0';
	return columns;
}

/**
 * text_width() - get the number of columns that a text takes
 * @text: the text, from text_safe()
 *
 * Return: the number of columns.
 */
int text_width(const char *text)
{
	int columns = 0;
	unsigned int code;
	size_t size;

	for (; *text; text += size) {
		size = text_character(text, strlen(text), &code);
		if (!size)
			break;
		columns += width_of(code);
	}
	return columns;
}

/**
 * text_cut() - truncate a text that does not fit
 * @text: the text, from text_safe()
 * @columns: the number of available columns, at least 1
 *
 * The shortened text ends in "+", as in ps(1).
 */
void text_cut(char *text, int columns)
{
	char *last = text;	/* the text up to here fits with a "+" after it */
	unsigned int code;
	size_t size;

	for (char *at = text; *at; at += size) {
		size = text_character(at, strlen(at), &code);
		if (!size)
			break;
		columns -= width_of(code);
		if (columns < 0) {
			strcpy(last, "+");
			break;
		}
		if (columns >= 1)
			last = at + size;
	}
}
