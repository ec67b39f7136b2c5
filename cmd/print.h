/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Print connections, for people and for programs.
 */
#ifndef PRINT_H
#define PRINT_H

#include <jansson.h>
#include <sys/types.h>

#include "json.h"
#include "message.h"

/** enum print_form - how to print */
enum print_form {
	/** @PRINT_LINES: the time, and the record as in the log */
	PRINT_LINES,
	/** @PRINT_COLUMNS: columns for a terminal */
	PRINT_COLUMNS,
	/** @PRINT_CHOSEN: the columns of print_choose() */
	PRINT_CHOSEN,
	/** @PRINT_JSON: one JSON object per line */
	PRINT_JSON,
};

/** define TRACED_LEN - size of the longest traced_text(), with its NUL */
#define TRACED_LEN	(RECORD_LEN + sizeof(": established after 18446744073709551615.123456 s"))

json_t *json_bytes(const char *bytes);
json_t *json_user(uid_t uid);
void print_json(json_t *json);

unsigned int print_choose(const char *list);
void print_heading(enum print_form form);
void traced_text(const struct traced *traced, char text[TRACED_LEN]);
void print_record(enum print_form form, const struct traced *traced);
void loss_text(const struct loss *loss, char *text, size_t size);
void gap_text(unsigned long long nsec, unsigned long long since, char *text, size_t size);
void print_loss(enum print_form form, const struct loss *loss);
void print_gap(enum print_form form, unsigned long long nsec, unsigned long long since);
void print_other(enum print_form form, const struct message *message);

#endif /* PRINT_H */
