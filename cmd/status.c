// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * status: print the state as text for people, as JSON, and for Prometheus. All three forms show the
 * same struct.
 */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "status.h"

/* ---- Text ---- */

__printf(2, 3)
static void print_row(const char *name, const char *format, ...)
{
	char *text, *printable;
	va_list args;

	va_start(args, format);
	text = vformat_text(format, args);
	va_end(args);
	printable = safe(text);
	printf("%-11s%s\n", name, printable);
	free(printable);
	free(text);
}

static void print_event(const struct state *state)
{
	if (!state->loaded)
		return;
	if (state->event == IS_ON || state->event == IS_OFF)
		print_row("event", MODULE ":tcp_connect, %s", state->event == IS_ON ? "on" : "off");
	else if (state->event == IS_ABSENT)
		print_row("event", "none: %s", state_why_no_event(state));
	else
		print_row("event", "unknown: " SYS_EVENT_MODULE "/refcnt: %s",
			  strerror(state->event_error));
}

static void print_recorder(const struct state *state)
{
	const struct recorder_counts *recorded = &state->recorded;
	char *process;

	if (!state->has_recorded)
		return;
	process = state->recorder ? format_text("process %d", state->recorder) :
				    copy_text("not running");
	print_row("recorder", "%s, stored %llu, lost %llu", process, recorded->stored,
		  recorded->overrun + recorded->dropped);
	free(process);
}

static void print_text(const struct state *state)
{
	const struct installed *installed = &state->installed;
	char *text, *separator = "";

	print_row("package", VERSION);
	if (installed->livepatch)
		print_row("kernel", "%s: built, version %s, signed by %s", state->kernel,
			  installed->version, installed->signer ?: "nobody");
	else
		print_row("kernel", "%s: not built: %s", state->kernel, state->why);

	if (state->patch == UNKNOWN && !state->loaded)
		print_row("module", "unknown");
	else if (!state->loaded)
		print_row("module", "not loaded");
	else if (state_is_current(state))
		print_row("module", "loaded, version %s", state->version);
	else
		print_row("module",
			  "loaded, version %s, not the one that is installed: tcp-connect-logger reload",
			  state->version ?: "unknown");

	text = state_describe(state);
	print_row("livepatch", "%s", text);
	free(text);

	switch (state->logging) {
	case IS_ON:
		print_row("logging", "on");
		break;
	case IS_OFF:
		print_row("logging", "off");
		break;
	case IS_ABSENT:
		print_row("logging", "no switch");
		break;
	default:
		print_row("logging", "unknown: " SWITCH ": %s", strerror(state->logging_error));
	}

	for (int i = 0; i < 3; i++) {
		if (!state->counter[i])
			continue;
		if (!*separator)
			printf("%-11s", "counters");
		text = safe(state->counter[i]);
		printf("%s%s %s", separator, counters[i], text);
		free(text);
		separator = ", ";
	}
	if (*separator)
		putchar('\n');
	print_event(state);
	print_recorder(state);
}

/* ---- JSON ---- */

/* jansson accepts only UTF-8, so escape other bytes. */
static json_t *json_text(const char *text)
{
	json_t *json;
	char *escaped;

	if (!text || !*text)
		return json_null();
	json = json_string(text);
	if (json)
		return json;
	escaped = safe(text);
	json = json_string(escaped);
	free(escaped);
	return json;
}

static json_t *json_names(const struct names *names)
{
	json_t *array = json_array();

	for (size_t i = 0; i < names->count; i++)
		json_array_append_new(array, json_text(names->name[i]));
	return array;
}

static json_t *json_setting(enum setting setting)
{
	switch (setting) {
	case IS_ON:
		return json_true();
	case IS_OFF:
		return json_false();
	default:
		return json_null();
	}
}

static json_t *json_event(const struct state *state)
{
	static const char * const words[] = {
		[IS_UNKNOWN] = "unknown", [IS_ABSENT] = "none", [IS_OFF] = "off", [IS_ON] = "on",
	};

	return json_text(state->loaded ? words[state->event] : NULL);
}

static json_t *json_counters(const struct state *state)
{
	json_t *object = json_object();

	for (int i = 0; i < 3; i++)
		if (state->counter[i])
			json_object_set_new(object, counters[i],
					    json_integer(strtoll(state->counter[i], NULL, 10)));
	return object;
}

static json_t *json_recorder(const struct state *state)
{
	const struct recorder_counts *recorded = &state->recorded;
	json_t *results;

	if (!state->has_recorded)
		return json_null();
	results = json_object();
	for (int i = 0; i < NR_RESULTS; i++)
		json_object_set_new(results, result_names[i], json_integer(recorded->results[i]));
	return json_pack("{s:o, s:I, s:I, s:I, s:o, s:I, s:I}",
			 "pid", state->recorder ? json_integer(state->recorder) : json_null(),
			 "stored", (json_int_t)recorded->stored,
			 "buffer_full", (json_int_t)recorded->overrun,
			 "not_written", (json_int_t)recorded->dropped,
			 "results", results,
			 "unknown_results", (json_int_t)recorded->unknown_results,
			 "unknown_cmdlines", (json_int_t)recorded->unknown_command_lines);
}

/* Print one member per line, like earlier versions. */
static void print_member(const char *name, json_t *value, const char *end)
{
	printf("  \"%s\": ", name);
	if (!value || json_dumpf(value, stdout, JSON_ENCODE_ANY))
		die(EXIT_FAILED, "out of memory");
	printf("%s\n", end);
	json_decref(value);
}

static void print_json(const struct state *state)
{
	const struct installed *installed = &state->installed;
	enum setting current = state_is_current(state) ? IS_ON : IS_OFF;

	if (!state->loaded && state->patch == UNKNOWN)
		current = IS_UNKNOWN;

	puts("{");
	print_member("package", json_text(VERSION), ",");
	print_member("kernel", json_text(state->kernel), ",");
	print_member("installed", json_text(installed->livepatch ? installed->version : NULL), ",");
	print_member("not_built_because", json_text(state->why), ",");
	print_member("signer", json_text(installed->signer), ",");
	print_member("loaded", json_text(state->version), ",");
	print_member("loaded_is_installed", json_setting(current), ",");
	print_member("livepatch", json_text(patch_states[state->patch]), ",");
	print_member("by", json_names(&state->by), ",");
	print_member("bypassed", json_names(&state->bypassed), ",");
	print_member("logging", json_setting(state->logging), ",");
	print_member("event", json_event(state), ",");
	print_member("no_event_because", json_text(state_why_no_event(state)), ",");
	print_member("counters", json_counters(state), ",");
	print_member("recorder", json_recorder(state), "");
	puts("}");
}

/* ---- Prometheus ---- */

static void print_help(const char *type, const char *name, const char *help)
{
	printf("# HELP " MODULE "_%s %s\n# TYPE " MODULE "_%s %s\n", name, help, name, type);
}

static void print_metric(const char *type, const char *name, const char *value, const char *help)
{
	print_help(type, name, help);
	printf(MODULE "_%s %s\n", name, value);
}

static void print_recorder_metrics(const struct state *state)
{
	const struct recorder_counts *recorded = &state->recorded;

	print_metric("gauge", "recorder_running", state->recorder ? "1" : "0",
		     "Whether a recorder runs.");
	if (!state->has_recorded)
		return;
	print_help("counter", "recorder_records_total",
		   "Connections and results that the recorder has stored since boot.");
	printf(MODULE "_recorder_records_total %llu\n", recorded->stored);
	print_help("counter", "recorder_lost_total",
		   "Connections that the recorder has lost since boot.");
	printf(MODULE "_recorder_lost_total{reason=\"buffer_full\"} %llu\n", recorded->overrun);
	printf(MODULE "_recorder_lost_total{reason=\"not_written\"} %llu\n", recorded->dropped);
	print_help("counter", "recorder_results_total",
		   "Results of connections that the recorder has stored since boot.");
	for (int i = 0; i < NR_RESULTS; i++)
		printf(MODULE "_recorder_results_total{result=\"%s\"} %llu\n", result_names[i],
		       recorded->results[i]);
	print_help("counter", "recorder_unknown_total",
		   "What the recorder could not find out about connections since boot.");
	printf(MODULE "_recorder_unknown_total{what=\"result\"} %llu\n",
	       recorded->unknown_results);
	printf(MODULE "_recorder_unknown_total{what=\"cmdline\"} %llu\n",
	       recorded->unknown_command_lines);
}

/* Omit metrics whose value is unknown. */
static void print_prometheus(const struct state *state)
{
	static const char * const help[] = {
		"Connections made while logging was on.",
		"Connections that were logged.",
		"Connections that were suppressed by rate_limit or because of a slow console.",
	};

	if (state->patch != UNKNOWN)
		print_metric("gauge", "livepatch_in_force", state->patch == ENABLED ? "1" : "0",
			     "Whether every outbound TCP connection goes through the livepatch.");
	if (state->logging != IS_UNKNOWN)
		print_metric("gauge", "logging", state->logging == IS_ON ? "1" : "0",
			     "Whether connections are logged.");
	for (int i = 0; i < 3; i++) {
		char *name = format_text("%s_total", counters[i]);

		if (state->counter[i])
			print_metric("counter", name, state->counter[i], help[i]);
		free(name);
	}
	print_recorder_metrics(state);
}

/**
 * do_status() - the verb status
 * @format: output format
 *
 * Return: the exit status.
 */
int do_status(enum format format)
{
	struct state state;
	int ret = EXIT_NOT_ACTIVE;

	state_read_kernel(&state);
	/* The metrics are printed often, and do not need libkmod. */
	if (format != PROMETHEUS)
		state_read_installed(&state);
	if (format == TEXT)
		print_text(&state);
	else if (format == JSON)
		print_json(&state);
	else
		print_prometheus(&state);

	if (state.patch == ENABLED)
		ret = EXIT_OK;
	else if (state.patch == UNKNOWN)
		ret = EXIT_FAILED;
	state_free(&state);
	return ret;
}
