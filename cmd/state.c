// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Read the state of the livepatch from sysfs, libkmod and DKMS. Nothing is cached.
 */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <libkmod.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "state.h"

const char * const counters[3] = { "seen", "logged", "suppressed" };

const char * const patch_states[] = {
	[UNKNOWN] = "unknown",
	[NOT_LOADED] = "not loaded",
	[REPLACED] = "replaced",
	[DISABLED] = "disabled",
	[PATCHING] = "patching",
	[UNPATCHING] = "unpatching",
	[BYPASSED] = "bypassed",
	[ENABLED] = "enabled",
};

/* ---- Names ---- */

/**
 * names_add() - add a name to a list, unless the list contains it
 * @names: the names
 * @name: the name
 */
void names_add(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], name))
			return;
	names->name = reallocarray(names->name, names->count + 1, sizeof(*names->name));
	if (!names->name)
		abort();
	names->name[names->count++] = copy_text(name);
}

/**
 * names_join() - join names with "and", for a sentence
 * @names: the names
 *
 * Return: the text. The caller frees it.
 */
char *names_join(const struct names *names)
{
	char *text = copy_text(""), *more;

	for (size_t i = 0; i < names->count; i++) {
		more = format_text("%s%s%s", text, i ? " and " : "", names->name[i]);
		free(text);
		text = more;
	}
	return text;
}

/**
 * names_free() - free the names
 * @names: the names; empty afterwards
 */
void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct names){ };
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char * const *)a, *(char * const *)b);
}

/**
 * list_directory() - list the files of a directory, sorted
 * @path: the directory
 *
 * Return: the names. The list is empty if the directory cannot be read.
 */
struct names list_directory(const char *path)
{
	struct names names = { };
	struct dirent *entry;
	DIR *dir = opendir(path);

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			names_add(&names, entry->d_name);
	if (dir)
		closedir(dir);
	if (names.count)
		qsort(names.name, names.count, sizeof(*names.name), compare_names);
	return names;
}

/* ---- The livepatches ---- */

/**
 * setting_read() - read "0" or "1" from a file, which may be missing
 * @path: its path
 * @error: where to store errno, or 0
 *
 * Return: the setting, or IS_ABSENT or IS_UNKNOWN.
 */
enum setting setting_read(const char *path, int *error)
{
	char *text = read_text("%s", path);
	enum setting setting = IS_UNKNOWN;

	*error = errno;
	if (!text)
		return *error == ENOENT ? IS_ABSENT : IS_UNKNOWN;
	*error = 0;
	if (!strcmp(text, "0"))
		setting = IS_OFF;
	else if (!strcmp(text, "1"))
		setting = IS_ON;
	else
		*error = EINVAL;
	free(text);
	return setting;
}

static enum setting patch_file(const char *patch, const char *file)
{
	char *path = format_text(PATCHES "/%s/%s", patch, file);
	enum setting setting;
	int error;

	setting = setting_read(path, &error);
	free(path);
	errno = error;
	return setting;
}

/**
 * in_transition() - find out whether a livepatch is in transition
 * @patch: its name
 *
 * Return: true if it is in transition.
 */
bool in_transition(const char *patch)
{
	return patch_file(patch, "transition") == IS_ON;
}

/* Find which of our functions two livepatches patch, in the kernel or in the same module. */
static struct names shared_functions(const char *patch, const char *other)
{
	static const char * const ours[] = { "tcp_v4_connect", "tcp_v6_connect" };
	struct names found = { }, objects;
	char *path = format_text(PATCHES "/%s", patch);

	objects = list_directory(path);
	free(path);
	for (size_t i = 0; i < objects.count; i++)
		for (int j = 0; j < 2; j++)
			if (is_there(PATCHES "/%s/%s/%s,1", patch, objects.name[i], ours[j]) == 1 &&
			    is_there(PATCHES "/%s/%s/%s,1", other, objects.name[i], ours[j]) == 1)
				names_add(&found, ours[j]);
	names_free(&objects);
	return found;
}

/**
 * functions_of() - find which of our functions a livepatch patches
 * @patch: its name
 *
 * Return: the functions.
 */
struct names functions_of(const char *patch)
{
	return shared_functions(patch, patch);
}

/*
 * Find the livepatches that were loaded after ours. /proc/modules lists the newest module first,
 * and a livepatch is enabled when its module is loaded, never later (kernel/module, enabled_store()
 * in kernel/livepatch/core.c). Returns false with errno set if /proc/modules cannot be read.
 */
static bool newer_patches(struct names *newer)
{
	char *modules = read_text("/proc/modules"), *rest = modules, *line;

	if (!modules)
		return false;
	while ((line = strsep(&rest, "\n"))) {
		line[strcspn(line, " ")] = '\0';
		if (!strcmp(line, MODULE))
			break;
		if (*line && is_there(PATCHES "/%s", line) == 1)
			names_add(newer, line);
	}
	free(modules);
	return true;
}

/*
 * Find the livepatches that patch one of our functions, and so bypass our livepatch. A newer one
 * does so always. An older one does so in a module that was loaded after ours (tcl_pre_patch() in
 * src/patch.c): otherwise, ours could not have been loaded.
 */
static void find_bypassing(struct state *state)
{
	struct names patches = list_directory(PATCHES);

	for (size_t i = 0; i < patches.count; i++) {
		struct names shared = shared_functions(patches.name[i], MODULE);

		if (strcmp(patches.name[i], MODULE) && shared.count &&
		    patch_file(patches.name[i], "enabled") == IS_ON) {
			names_add(&state->by, patches.name[i]);
			for (size_t j = 0; j < shared.count; j++)
				names_add(&state->bypassed, shared.name[j]);
		}
		names_free(&shared);
	}
	names_free(&patches);
	if (state->bypassed.count)
		qsort(state->bypassed.name, state->bypassed.count, sizeof(*state->bypassed.name),
		      compare_names);
}

/*
 * Find the newer livepatches that may have replaced ours. Only kernels since 6.11 show which
 * livepatches replace others.
 */
static bool find_replacing(struct state *state)
{
	struct names newer = { };

	if (!newer_patches(&newer))
		return false;
	for (size_t i = 0; i < newer.count; i++)
		if (patch_file(newer.name[i], "replace") != IS_OFF)
			names_add(&state->by, newer.name[i]);
	names_free(&newer);
	return true;
}

static enum patch_state unknown(struct state *state, const char *path)
{
	state->unknown_error = errno;
	state->unknown = format_text("%s: %s", path, strerror(errno));
	return UNKNOWN;
}

/* Returns false with errno set if this directory is not in sysfs, or is hidden by a mount. */
static bool in_sysfs(const char *path)
{
	struct statfs info;

	if (statfs(path, &info))
		return false;
	errno = ENODATA;
	return info.f_type == SYSFS_MAGIC;
}

static enum patch_state read_patch(struct state *state)
{
	enum setting transition, enabled;
	int is, has_switch;

	/* A file in sysfs that seems to be missing may be hidden by a mount. */
	if (!in_sysfs("/sys/module"))
		return unknown(state, "/sys/module");
	is = is_there(SYS_MODULE);
	if (is < 0)
		return unknown(state, SYS_MODULE);
	state->loaded = is;
	if (!state->loaded)
		return NOT_LOADED;

	is = in_sysfs(PATCHES) ? is_there(PATCH) : -1;
	if (is < 0)
		return unknown(state, PATCHES);
	if (!is) {
		/* Disabling removes the switch. A replaced livepatch gets no callback to do so. */
		has_switch = is_there(SWITCH);
		if (has_switch < 0)
			return unknown(state, SWITCH);
		if (!has_switch)
			return DISABLED;
		return find_replacing(state) ? REPLACED : unknown(state, "/proc/modules");
	}

	transition = patch_file(MODULE, "transition");
	if (transition == IS_UNKNOWN || transition == IS_ABSENT)
		return unknown(state, PATCH "/transition");
	enabled = patch_file(MODULE, "enabled");
	if (enabled == IS_UNKNOWN || enabled == IS_ABSENT)
		return unknown(state, PATCH "/enabled");
	if (transition == IS_ON)
		return enabled == IS_ON ? PATCHING : UNPATCHING;
	find_bypassing(state);
	return state->by.count ? BYPASSED : ENABLED;
}

/* ---- The trace event ---- */

/*
 * Each user of the event holds its module: ftrace and its instances, perf, BPF (tcl_event_reg() in
 * src/event.c).
 */
static enum setting read_event(int *error)
{
	char *users = read_text(SYS_EVENT_MODULE "/refcnt");
	enum setting setting;

	*error = errno;
	if (!users)
		return is_there(SYS_EVENT_MODULE) == 0 ? IS_ABSENT : IS_UNKNOWN;
	setting = atol(users) > 0 ? IS_ON : IS_OFF;
	free(users);
	return setting;
}

/* ---- The kernel ---- */

static void forget_kernel(struct state *state)
{
	free(state->version);
	free(state->srcversion);
	free(state->event_version);
	free(state->event_srcversion);
	free(state->unknown);
	names_free(&state->by);
	names_free(&state->bypassed);
	for (int i = 0; i < 3; i++)
		free(state->counter[i]);
}

static void read_kernel(struct state *state)
{
	struct utsname name;

	memset(state, 0, sizeof(*state));
	uname(&name);
	snprintf(state->kernel, sizeof(state->kernel), "%s", name.release);
	state->patch = read_patch(state);
	if (state->loaded) {
		state->version = read_text(SYS_MODULE "/version");
		state->srcversion = read_text(SYS_MODULE "/srcversion");
		state->event = read_event(&state->event_error);
		state->event_version = read_text(SYS_EVENT_MODULE "/version");
		state->event_srcversion = read_text(SYS_EVENT_MODULE "/srcversion");
	}
	state->logging = setting_read(SWITCH, &state->logging_error);
	for (int i = 0; i < 3; i++)
		state->counter[i] = read_text(FILES "/%s", counters[i]);
	state->recorder = progress_recorder();
	state->has_recorded = progress_counts(&state->recorded);
}

/**
 * state_read_kernel() - read the state that sysfs shows
 * @state: where to store it; state_free() frees it
 *
 * If the module is loaded or removed meanwhile, the state is read again.
 */
void state_read_kernel(struct state *state)
{
	for (int tries = 0; tries < 3; tries++) {
		read_kernel(state);
		if (state->patch != UNKNOWN || state->unknown_error != ENOENT)
			break;
		if (tries < 2)
			forget_kernel(state);
	}
}

/* ---- The installed module ---- */

static void keep_value(char **to, const char *value)
{
	free(*to);
	*to = copy_text(value);
}

/**
 * installed_read() - read the information in a module file
 * @installed: where to store it; installed_free() frees it
 * @module: the module
 */
void installed_read(struct installed *installed, struct kmod_module *module)
{
	const char *path = kmod_module_get_path(module);
	struct kmod_list *info = NULL, *item;

	*installed = (struct installed){ };
	/* modules.dep may list a file that no longer exists. */
	if (!path || is_there("%s", path) == 0)
		return;
	installed->path = copy_text(path);
	if (kmod_module_get_info(module, &info) < 0)
		return;
	kmod_list_foreach(item, info) {
		const char *key = kmod_module_info_get_key(item);
		const char *value = kmod_module_info_get_value(item);

		if (!strcmp(key, "livepatch"))
			installed->livepatch = !strcmp(value, "Y");
		else if (!strcmp(key, "version"))
			keep_value(&installed->version, value);
		else if (!strcmp(key, "srcversion"))
			keep_value(&installed->srcversion, value);
		else if (!strcmp(key, "description"))
			keep_value(&installed->description, value);
		else if (!strcmp(key, "signer") && *value)
			keep_value(&installed->signer, value);
		else if (!strcmp(key, "sig_key") && *value)
			keep_value(&installed->key, value);
	}
	kmod_module_info_free_list(info);
}

/**
 * installed_free() - free what installed_read() has read
 * @installed: the module
 */
void installed_free(struct installed *installed)
{
	free(installed->path);
	free(installed->version);
	free(installed->srcversion);
	free(installed->description);
	free(installed->signer);
	free(installed->key);
	*installed = (struct installed){ };
}

/* Returns the version whose source is installed for DKMS, or else the version of the command. */
static char *dkms_version(void)
{
	static const char before[] = "/usr/src/" NAME "-", after[] = "/dkms.conf";
	glob_t found;
	char *version;

	if (!glob("/usr/src/" NAME "-*/dkms.conf", 0, NULL, &found) && found.gl_pathc == 1) {
		version = copy_text(found.gl_pathv[0] + strlen(before));
		version[strlen(version) - strlen(after)] = '\0';
	} else {
		version = copy_text(VERSION);
	}
	globfree(&found);
	return version;
}

/* Returns why DKMS has built a module that refuses to load, according to DKMS's log, or NULL. */
static char *dkms_report(const char *version, const char *kernel)
{
	char *tree = format_text(DKMS "/%s", version ?: "");
	char *program = format_text("%s/source/dkms-report", tree);
	const char * const argv[] = { program, tree, kernel, NULL };
	char *report = run_for_output(argv, 10);

	free(program);
	free(tree);
	if (report && !strncmp(report, NAME ": ", strlen(NAME ": ")))
		memmove(report, report + strlen(NAME ": "), strlen(report + strlen(NAME ": ")) + 1);
	if (report && *report)
		return report;
	free(report);
	return NULL;
}

/* Explain why there is no livepatch for this kernel, and what to do about it. */
static char *why_not_built(const struct state *state)
{
	const char *kernel = state->kernel;
	char *version, *why = NULL;

	if (state->installed.path) {
		why = dkms_report(state->installed.version, kernel);
		if (!why && state->installed.description)
			why = copy_text(state->installed.description);
		return why ?: format_text("%s cannot be read", state->installed.path);
	}
	if (is_there(MAINTAIN) == 0) {
		set_text(&why,
			 "the package tcp-connect-logger-dkms, which has the module, is not installed: apt install tcp-connect-logger-dkms, or dnf install tcp-connect-logger-dkms");
		return why;
	}
	if (is_there("/lib/modules/%s/build/include", kernel) == 0) {
		set_text(&why,
			 "the running kernel %s has no headers here: install linux-headers-%s (on Fedora kernel-devel-%s), and DKMS builds the module; then: tcp-connect-logger load",
			 kernel, kernel, kernel);
		return why;
	}
	version = dkms_version();
	if (is_there(DKMS "/%s/build/make.log", version) == 1)
		set_text(&why, "DKMS could not build the module, see " DKMS "/%s/build/make.log",
			 version);
	else
		set_text(&why,
			 "there is no module for the running kernel %s: dkms install tcp-connect-logger/%s -k %s",
			 kernel, version, kernel);
	free(version);
	return why;
}

static void look_up(struct installed *installed, struct kmod_ctx *context, const char *name)
{
	struct kmod_list *found = NULL;

	if (kmod_module_new_from_lookup(context, name, &found) >= 0 && found) {
		struct kmod_module *module = kmod_module_get_module(found);

		installed_read(installed, module);
		kmod_module_unref(module);
		kmod_module_unref_list(found);
	}
}

/**
 * state_read_installed() - look up the installed modules, or find out why the livepatch is missing
 * @state: a state from state_read_kernel()
 */
void state_read_installed(struct state *state)
{
	static const char * const no_configuration[] = { NULL };
	struct kmod_ctx *context = kmod_new(NULL, no_configuration);

	if (context) {
		kmod_set_log_priority(context, 0);
		look_up(&state->installed, context, MODULE);
		look_up(&state->installed_event, context, EVENT_MODULE);
		kmod_unref(context);
	}
	if (!state->installed.livepatch)
		state->why = why_not_built(state);
}

/**
 * state_free() - free a state
 * @state: the state
 */
void state_free(struct state *state)
{
	forget_kernel(state);
	installed_free(&state->installed);
	installed_free(&state->installed_event);
	free(state->why);
}

/* ---- Descriptions ---- */

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/**
 * state_is_current() - find out whether the loaded modules are the installed ones
 * @state: the state
 *
 * Both the version and the hash of the source must be equal, because the hash does not include the
 * version (modpost). The trace event need not be loaded.
 *
 * Return: true if they are the same modules.
 */
bool state_is_current(const struct state *state)
{
	return state->loaded && same(state->version, state->installed.version) &&
	       same(state->srcversion, state->installed.srcversion) &&
	       (!state->event_version ||
		(same(state->event_version, state->installed_event.version) &&
		 same(state->event_srcversion, state->installed_event.srcversion)));
}

/**
 * state_logging() - say whether connections are logged
 * @state: the state
 *
 * Return: the description, as a part of a sentence.
 */
const char *state_logging(const struct state *state)
{
	switch (state->logging) {
	case IS_ON:
		return "logging is on";
	case IS_OFF:
		return "logging is off";
	case IS_ABSENT:
		return "nothing is logged";
	default:
		return "whether logging is on is unknown";
	}
}

/**
 * state_why_no_event() - say why there is no trace event
 * @state: a state with the installed modules
 *
 * Return: the reason, as a part of a sentence, or NULL if there is an event, or no livepatch.
 */
const char *state_why_no_event(const struct state *state)
{
	if (!state->loaded || state->event != IS_ABSENT)
		return NULL;
	if (!state->installed_event.path)
		return "the module " EVENT_MODULE " is not installed";
	return "the module " EVENT_MODULE " is not loaded: modprobe " EVENT_MODULE;
}

static const char *what_is_lost(const struct names *bypassed)
{
	if (bypassed->count != 1)
		return "nothing is logged";
	return strcmp(bypassed->name[0], "tcp_v4_connect") ? "IPv6 is not logged" :
							     "IPv4 is not logged";
}

/**
 * state_describe() - describe the state of the livepatch
 * @state: the state
 *
 * Return: the description, as a part of a sentence. The caller frees it.
 */
char *state_describe(const struct state *state)
{
	static const char again[] = "nothing is logged; to load it again: " NAME " reload";
	char *by, *functions, *text;

	by = state->by.count ? names_join(&state->by) : copy_text("a livepatch that is gone");
	functions = names_join(&state->bypassed);
	switch (state->patch) {
	case REPLACED:
		text = format_text("replaced by %s: %s", by, again);
		break;
	case DISABLED:
		text = format_text("disabled: %s", again);
		break;
	case PATCHING:
		text = copy_text("in transition: enabled for some tasks, not yet for all");
		break;
	case UNPATCHING:
		text = copy_text("in transition: disabled for some tasks, not yet for all");
		break;
	case BYPASSED:
		text = format_text("bypassed by %s in %s: %s", by, functions,
				   what_is_lost(&state->bypassed));
		break;
	case UNKNOWN:
		text = format_text("unknown: %s", state->unknown);
		break;
	default:
		text = copy_text(patch_states[state->patch]);
	}
	free(by);
	free(functions);
	return text;
}
