// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Load a library when one of its functions is first called, as systemd does.
 *
 * The metrics service runs "status --prometheus" every 15 seconds. This needs none of these
 * libraries, but a program that is linked with all of them makes 140 more system calls before
 * main(), and takes three times as long (docs/design.md has the figures).
 *
 * Each function here has the prototype from the library's header. It finds the real function and
 * calls it. The linker reports functions that are missing here. Packages must name the libraries as
 * dependencies, because the program's ELF header does not.
 */
#include <curses.h>
#include <dlfcn.h>
#include <event-parse.h>
#include <jansson.h>
#include <libkmod.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#include <term.h>
#include <tracefs.h>

#include "command.h"

static void *find(const char *library, const char *function)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL), *symbol;

	symbol = handle ? dlsym(handle, function) : NULL;
	if (!symbol)
		die(EXIT_FAILED, "%s", dlerror());
	return symbol;
}

#define LAZY(library, type, function, parameters, arguments)		\
type function parameters						\
{									\
	static typeof(function) *real;					\
									\
	if (!real)							\
		real = find(library, #function);			\
	return real arguments;						\
}

#define KMOD(...)	LAZY("libkmod.so.2", __VA_ARGS__)
#define JANSSON(...)	LAZY("libjansson.so.4", __VA_ARGS__)
#define SMARTCOLS(...)	LAZY("libsmartcols.so.1", __VA_ARGS__)
#define SYSTEMD(...)	LAZY("libsystemd.so.0", __VA_ARGS__)
#define TINFO(...)	LAZY("libtinfo.so.6", __VA_ARGS__)
#define TEP(...)	LAZY("libtraceevent.so.1", __VA_ARGS__)
#define TRACEFS(...)	LAZY("libtracefs.so.1", __VA_ARGS__)

KMOD(struct kmod_ctx *, kmod_new, (const char *dir, const char * const *paths), (dir, paths))
KMOD(struct kmod_ctx *, kmod_unref, (struct kmod_ctx *context), (context))
KMOD(void, kmod_set_log_priority, (struct kmod_ctx *context, int priority), (context, priority))
KMOD(struct kmod_config_iter *, kmod_config_get_blacklists,
	(const struct kmod_ctx *context), (context))
KMOD(struct kmod_config_iter *, kmod_config_get_install_commands,
	(const struct kmod_ctx *context), (context))
KMOD(const char *, kmod_config_iter_get_key, (const struct kmod_config_iter *iter), (iter))
KMOD(const char *, kmod_config_iter_get_value, (const struct kmod_config_iter *iter), (iter))
KMOD(bool, kmod_config_iter_next, (struct kmod_config_iter *iter), (iter))
KMOD(void, kmod_config_iter_free_iter, (struct kmod_config_iter *iter), (iter))
KMOD(struct kmod_list *, kmod_list_next,
	(const struct kmod_list *list, const struct kmod_list *item), (list, item))
KMOD(int, kmod_module_new_from_lookup,
	(struct kmod_ctx *context, const char *alias, struct kmod_list **list),
	(context, alias, list))
KMOD(int, kmod_module_new_from_name,
	(struct kmod_ctx *context, const char *name, struct kmod_module **module),
	(context, name, module))
KMOD(int, kmod_module_new_from_path,
	(struct kmod_ctx *context, const char *path, struct kmod_module **module),
	(context, path, module))
KMOD(struct kmod_module *, kmod_module_get_module, (const struct kmod_list *item), (item))
KMOD(struct kmod_module *, kmod_module_unref, (struct kmod_module *module), (module))
KMOD(int, kmod_module_unref_list, (struct kmod_list *list), (list))
KMOD(const char *, kmod_module_get_path, (const struct kmod_module *module), (module))
KMOD(const char *, kmod_module_get_options, (const struct kmod_module *module), (module))
KMOD(int, kmod_module_get_info,
	(const struct kmod_module *module, struct kmod_list **list), (module, list))
KMOD(const char *, kmod_module_info_get_key, (const struct kmod_list *item), (item))
KMOD(const char *, kmod_module_info_get_value, (const struct kmod_list *item), (item))
KMOD(void, kmod_module_info_free_list, (struct kmod_list *list), (list))
KMOD(int, kmod_module_insert_module,
	(struct kmod_module *module, unsigned int flags, const char *options),
	(module, flags, options))
KMOD(int, kmod_module_probe_insert_module,
	(struct kmod_module *module, unsigned int flags, const char *options,
	int (*run)(struct kmod_module *module, const char *command, void *data),
	const void *data,
	void (*print)(struct kmod_module *module, bool install, const char *options)),
	(module, flags, options, run, data, print))
KMOD(int, kmod_module_remove_module, (struct kmod_module *module, unsigned int flags),
	(module, flags))

JANSSON(json_t *, json_null, (void), ())
JANSSON(json_t *, json_true, (void), ())
JANSSON(json_t *, json_false, (void), ())
JANSSON(json_t *, json_string, (const char *text), (text))
JANSSON(json_t *, json_stringn, (const char *text, size_t length), (text, length))
JANSSON(json_t *, json_integer, (json_int_t number), (number))
JANSSON(json_t *, json_real, (double number), (number))
JANSSON(json_t *, json_array, (void), ())
JANSSON(size_t, json_array_size, (const json_t *array), (array))
JANSSON(json_t *, json_array_get, (const json_t *array, size_t index), (array, index))
JANSSON(int, json_array_append_new, (json_t *array, json_t *value), (array, value))
JANSSON(json_t *, json_object, (void), ())
JANSSON(int, json_object_set_new, (json_t *object, const char *key, json_t *value),
	(object, key, value))
JANSSON(json_t *, json_loadb,
	(const char *text, size_t length, size_t flags, json_error_t *error),
	(text, length, flags, error))
JANSSON(json_t *, json_object_get, (const json_t *object, const char *key), (object, key))
JANSSON(const char *, json_string_value, (const json_t *string), (string))
JANSSON(json_int_t, json_integer_value, (const json_t *integer), (integer))
JANSSON(void, json_delete, (json_t *value), (value))
JANSSON(char *, json_dumps, (const json_t *value, size_t flags), (value, flags))
JANSSON(int, json_dumpf, (const json_t *value, FILE *file, size_t flags), (value, file, flags))
JANSSON(json_t *, json_vpack_ex,
	(json_error_t *error, size_t flags, const char *format, va_list args),
	(error, flags, format, args))

json_t *json_pack(const char *format, ...)
{
	json_t *value;
	va_list args;

	va_start(args, format);
	value = json_vpack_ex(NULL, 0, format, args);
	va_end(args);
	return value;
}

SMARTCOLS(struct libscols_table *, scols_new_table, (void), ())
SMARTCOLS(void, scols_unref_table, (struct libscols_table *table), (table))
SMARTCOLS(int, scols_table_enable_noencoding, (struct libscols_table *table, int enable),
	(table, enable))
SMARTCOLS(int, scols_table_set_termforce, (struct libscols_table *table, int force),
	(table, force))
SMARTCOLS(struct libscols_column *, scols_table_new_column,
	(struct libscols_table *table, const char *name, double hint, int flags),
	(table, name, hint, flags))
SMARTCOLS(struct libscols_line *, scols_table_new_line,
	(struct libscols_table *table, struct libscols_line *parent), (table, parent))
SMARTCOLS(int, scols_line_set_data, (struct libscols_line *line, size_t n, const char *data),
	(line, n, data))
SMARTCOLS(int, scols_print_table_to_string, (struct libscols_table *table, char **text),
	(table, text))

SYSTEMD(int, sd_id128_get_boot, (sd_id128_t *id), (id))
SYSTEMD(int, sd_id128_get_machine, (sd_id128_t *id), (id))
SYSTEMD(char *, sd_id128_to_string, (sd_id128_t id, char text[SD_ID128_STRING_MAX]), (id, text))
SYSTEMD(int, sd_journal_open, (sd_journal **journal, int flags), (journal, flags))
SYSTEMD(void, sd_journal_close, (sd_journal *journal), (journal))
SYSTEMD(int, sd_journal_add_match, (sd_journal *journal, const void *data, size_t size),
	(journal, data, size))
SYSTEMD(int, sd_journal_add_disjunction, (sd_journal *journal), (journal))
SYSTEMD(void, sd_journal_flush_matches, (sd_journal *journal), (journal))
SYSTEMD(int, sd_journal_seek_head, (sd_journal *journal), (journal))
SYSTEMD(int, sd_journal_seek_tail, (sd_journal *journal), (journal))
SYSTEMD(int, sd_journal_previous, (sd_journal *journal), (journal))
SYSTEMD(int, sd_journal_next, (sd_journal *journal), (journal))
SYSTEMD(int, sd_journal_get_data,
	(sd_journal *journal, const char *field, const void **data, size_t *length),
	(journal, field, data, length))
SYSTEMD(int, sd_journal_get_realtime_usec, (sd_journal *journal, uint64_t *usec),
	(journal, usec))
SYSTEMD(int, sd_journal_get_fd, (sd_journal *journal), (journal))
SYSTEMD(int, sd_journal_get_events, (sd_journal *journal), (journal))
SYSTEMD(int, sd_journal_get_timeout, (sd_journal *journal, uint64_t *usec), (journal, usec))
SYSTEMD(int, sd_journal_sendv, (const struct iovec *fields, int number), (fields, number))
SYSTEMD(int, sd_journal_process, (sd_journal *journal), (journal))

TEP(struct tep_handle *, tep_alloc, (void), ())
TEP(enum tep_errno, tep_parse_event,
	(struct tep_handle *tep, const char *text, unsigned long size, const char *system),
	(tep, text, size, system))
TEP(struct tep_event *, tep_find_event_by_name,
	(struct tep_handle *tep, const char *system, const char *name), (tep, system, name))
TEP(struct tep_format_field *, tep_find_field, (struct tep_event *event, const char *name),
	(event, name))
TEP(void, tep_free, (struct tep_handle *tep), (tep))

TINFO(int, setupterm, (const char *name, int fd, int *error), (name, fd, error))
TINFO(int, tigetnum, (const char *name), (name))
TINFO(char *, tigetstr, (const char *name), (name))
TINFO(int, tputs, (const char *text, int rows, int (*print)(int c)), (text, rows, print))

TRACEFS(bool, tracefs_event_file_exists,
	(struct tracefs_instance *instance, const char *system, const char *event,
	 const char *file), (instance, system, event, file))
TRACEFS(char *, tracefs_event_file_read,
	(struct tracefs_instance *instance, const char *system, const char *event,
	 const char *file, int *size), (instance, system, event, file, size))
TRACEFS(int, tracefs_event_file_append,
	(struct tracefs_instance *instance, const char *system, const char *event,
	 const char *file, const char *text), (instance, system, event, file, text))
TRACEFS(struct tracefs_instance *, tracefs_instance_create, (const char *name), (name))
TRACEFS(int, tracefs_instance_destroy, (struct tracefs_instance *instance), (instance))
TRACEFS(void, tracefs_instance_free, (struct tracefs_instance *instance), (instance))
TRACEFS(const char *, tracefs_instance_get_name, (struct tracefs_instance *instance), (instance))
TRACEFS(bool, tracefs_instance_is_new, (struct tracefs_instance *instance), (instance))
TRACEFS(char *, tracefs_instance_file_read,
	(struct tracefs_instance *instance, const char *file, int *size), (instance, file, size))
TRACEFS(int, tracefs_instance_file_read_number,
	(struct tracefs_instance *instance, const char *file, long long *number),
	(instance, file, number))
TRACEFS(int, tracefs_instance_file_open,
	(struct tracefs_instance *instance, const char *file, int mode), (instance, file, mode))
TRACEFS(int, tracefs_event_file_write,
	(struct tracefs_instance *instance, const char *system, const char *event,
	 const char *file, const char *text), (instance, system, event, file, text))
TRACEFS(int, tracefs_event_enable,
	(struct tracefs_instance *instance, const char *system, const char *event),
	(instance, system, event))
TRACEFS(int, tracefs_event_disable,
	(struct tracefs_instance *instance, const char *system, const char *event),
	(instance, system, event))
TRACEFS(char *, tracefs_get_clock, (struct tracefs_instance *instance), (instance))
TRACEFS(int, tracefs_instances_walk,
	(int (*callback)(const char *name, void *context), void *context), (callback, context))
