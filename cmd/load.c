// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * load, unload, reload
 *
 * A verb does not start an operation that it cannot complete, and its result is the state that
 * sysfs shows afterwards. So each verb first checks everything that can prevent the operation.
 *
 * The most important check is an attempt that must fail while the livepatch is active. The kernel
 * checks the signature and the format of a module before it finds that a module of this name is
 * loaded already. It checks the permission to remove a module before it finds that the module is in
 * use. So the error shows whether a later attempt can succeed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "environment.h"
#include "event.h"
#include "load.h"
#include "state.h"

/*
 * How long to wait until nobody uses the trace event, in seconds. The kernel releases a BPF program
 * a moment after its process has ended. Others may use the event for days.
 */
#define EVENT_TIMEOUT	3

static int timeout;	/* in seconds */

/* ---- Time and signals ---- */

static sigset_t ends;	/* the signals that interrupt until() */

static double now(void)
{
	return clock_usec(CLOCK_MONOTONIC) / 1e6;
}

/*
 * Block the signals that end or stop this process. Between unload and load, they would leave the
 * machine without the livepatch. Where the process may end, until() checks for signals.
 */
static void hold_signals(void)
{
	sigset_t held;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGQUIT);
	held = ends;
	sigaddset(&held, SIGTSTP);
	sigaddset(&held, SIGTTOU);
	sigprocmask(SIG_BLOCK, &held, NULL);
	signal(SIGPIPE, SIG_IGN);
}

enum outcome { REACHED, TIMED_OUT, INTERRUPTED };

/* Repeat @test until it returns true, until the deadline, or, if @may_end, until a signal. */
static enum outcome until(bool (*test)(void), double deadline, bool may_end)
{
	static const struct timespec tenth = { .tv_nsec = 100000000 };

	while (!test()) {
		if (now() >= deadline)
			return TIMED_OUT;
		if (!may_end)
			nanosleep(&tenth, NULL);
		else if (sigtimedwait(&ends, NULL, &tenth) > 0)
			return INTERRUPTED;
	}
	return REACHED;
}

/* ---- The lock ---- */

static int lock = -1;

static bool try_lock(void)
{
	return !flock(lock, LOCK_EX | LOCK_NB);
}

/*
 * The kernel releases the lock when the process ends for any reason. Do not remove the file:
 * otherwise two processes could lock two different files. Only the message below uses its content.
 */
static bool take_lock(void)
{
	char *other;

	lock = open(LOAD_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (lock < 0) {
		pr_err("cannot open " LOAD_LOCK ": %s.", strerror(errno));
		return false;
	}
	switch (until(try_lock, now() + timeout, true)) {
	case REACHED:
		break;
	case INTERRUPTED:
		pr_err("interrupted while another tcp-connect-logger was at work; nothing was done.");
		return false;
	default:
		other = read_text(LOAD_LOCK);
		pr_err("another tcp-connect-logger, process %s, is at work; nothing was done within %d s.",
		       other ?: "unknown", timeout);
		free(other);
		return false;
	}
	if (!ftruncate(lock, 0))
		dprintf(lock, "%d\n", getpid());
	return true;
}

/* ---- Permissions ---- */

/* Returns 0 if this process may load and remove modules here, otherwise the exit status. */
static int need_root(const char *verb)
{
	if (geteuid()) {
		pr_err("only root can %s: try sudo " NAME " %s", verb, verb);
		return EXIT_NOT_PERMITTED;
	}
	if (in_chroot_or_container()) {
		pr_err("cannot %s from a chroot or a container.", verb);
		return EXIT_FAILED;
	}
	if (!may_use_modules()) {
		pr_err("cannot %s without the capability CAP_SYS_MODULE.", verb);
		return EXIT_NOT_PERMITTED;
	}
	return EXIT_OK;
}

/*
 * Prepare for @verb: check the permissions, block signals, take the lock. Returns 0 to continue,
 * otherwise the exit status.
 */
static int begin(const char *verb, const struct load_options *options)
{
	int ret = need_root(verb);

	if (ret)
		return ret;
	timeout = options->timeout;
	hold_signals();
	return take_lock() ? EXIT_OK : EXIT_FAILED;
}

/* Print why nothing was done, then the current state and the advice. */
static void pr_refusal(const char *why, const char *advice)
{
	struct state state;

	state_read_kernel(&state);
	pr_err("%s; %s, %s.%s%s", why, state.loaded ? "still loaded" : "not loaded",
	       state_logging(&state), advice ? " " : "", advice ?: "");
	state_free(&state);
}

/* ---- The installed module ---- */

static struct kmod_ctx *context;
static struct kmod_module *module;

/* Returns false if libkmod does not find an installed module. */
static bool open_module(void)
{
	struct kmod_list *found = NULL;

	context = kmod_new(NULL, NULL);
	if (!context)
		return false;
	kmod_set_log_priority(context, 0);
	if (kmod_module_new_from_lookup(context, MODULE, &found) < 0 || !found)
		return false;
	module = kmod_module_get_module(found);
	kmod_module_unref_list(found);
	return true;
}

static char *switch_option(const struct state *state)
{
	if (state->logging == IS_ON)
		return copy_text("enabled=1");
	if (state->logging == IS_OFF)
		return copy_text("enabled=0");
	return copy_text("");
}

/*
 * Returns why the installed module cannot be loaded, as far as this is known in advance, or NULL if
 * nothing prevents it.
 */
static char *why_not_load(const struct state *state, char **advice)
{
	const char *given;
	char *options, *more;
	int ret;

	*advice = NULL;
	if (state->why)
		return copy_text(state->why);
	if (!open_module())
		return copy_text("libkmod does not find the module");
	if (modules_are_disabled())
		return why_kernel_refused(&state->installed, EPERM, advice);
	more = modprobe_refuses(context);
	if (more || !state->loaded)
		return more;

	/*
	 * This attempt fails, because the module is loaded. If somebody has just removed it, the
	 * attempt loads it again.
	 */
	more = switch_option(state);
	given = kmod_module_get_options(module);
	options = format_text("%s %s", given ?: "", more);
	ret = kmod_module_insert_module(module, 0, options);
	free(options);
	free(more);
	return !ret || ret == -EEXIST ? NULL : why_kernel_refused(&state->installed, -ret, advice);
}

/*
 * Returns why the loaded module cannot be removed, as far as this is known in advance, or NULL if
 * nothing prevents it. An active livepatch uses its module, so the attempt to remove it must fail.
 */
static char *why_not_remove(const struct state *state)
{
	struct kmod_module *loaded;
	char *advice = NULL, *why;
	int ret = -EAGAIN;

	if (modules_are_disabled())
		return why_kernel_refused(&state->installed, EPERM, &advice);
	if (state->patch == NOT_LOADED || state->patch == REPLACED || state->patch == DISABLED)
		return NULL;
	if (!context)
		context = kmod_new(NULL, NULL);
	if (!context || kmod_module_new_from_name(context, MODULE, &loaded) < 0)
		return copy_text("libkmod cannot be used");
	kmod_set_log_priority(context, 0);
	ret = kmod_module_remove_module(loaded, 0);
	kmod_module_unref(loaded);
	if (!ret || ret == -EAGAIN || ret == -EBUSY || ret == -ENOENT)
		return NULL;
	why = format_text("the kernel does not let this process remove modules: %s",
			  strerror(-ret));
	return why;
}

/* ---- Load ---- */

static bool transition_over(void)
{
	return !in_transition(MODULE);
}

/* Wait for udev, which sets the switch's permissions. */
static void settle(void)
{
	static const char * const argv[] = { "udevadm", "settle", "--timeout=10", NULL };

	free(run_for_output(argv, 15));
}

/**
 * struct loading - result of loading a module
 * @error: the kernel's error, a positive errno, or 0
 * @stalled: whether the transition did not finish in time
 * @interrupted: whether a signal ended the wait for the transition
 * @at: time at which the wait for the transition ended
 */
struct loading {
	int error;
	bool stalled, interrupted;
	double at;
};

static void finish_loading(struct loading *loading, bool may_end)
{
	enum outcome outcome;

	if (loading->error)
		return;
	outcome = until(transition_over, now() + timeout, may_end);
	loading->stalled = outcome == TIMED_OUT;
	loading->interrupted = outcome == INTERRUPTED;
	loading->at = now();
	if (outcome == REACHED)
		settle();
}

/*
 * Load the installed module with the options in modprobe.d and those in @more. If @may_end, a
 * signal ends the wait for the transition.
 */
static struct loading load_installed(const char *more, bool may_end)
{
	struct loading loading = { };
	int ret;

	ret = kmod_module_probe_insert_module(module, KMOD_PROBE_FAIL_ON_LOADED |
					      KMOD_PROBE_IGNORE_COMMAND, more, NULL, NULL, NULL);
	loading.error = ret > 0 ? ENOENT : -ret;
	finish_loading(&loading, may_end);
	return loading;
}

static struct loading load_file(const char *file, const char *options)
{
	struct kmod_ctx *other = kmod_new(NULL, NULL);
	struct kmod_module *from = NULL;
	struct loading loading = { .error = ENOMEM };
	int ret;

	if (!other)
		return loading;
	kmod_set_log_priority(other, 0);
	ret = kmod_module_new_from_path(other, file, &from);
	if (!ret) {
		ret = kmod_module_insert_module(from, 0, options);
		kmod_module_unref(from);
	}
	kmod_unref(other);
	loading.error = -ret;
	finish_loading(&loading, false);
	return loading;
}

/* Returns the file of the event's module that belongs to this file of the livepatch's module. */
static char *event_beside(const char *file)
{
	const char *suffix = strstr(file, NAME ".ko");

	if (!suffix)
		return NULL;
	suffix += strlen(NAME);
	return format_text("%.*s-event%s", (int)(suffix - file), file, suffix);
}

/*
 * Load the module of the trace event: @file, or if it is NULL, the installed one, as modprobe
 * would. The livepatch logs without the event, too, so a failure is only reported.
 */
static void load_event(const char *file)
{
	struct installed installed = { };
	struct kmod_ctx *other = kmod_new(NULL, NULL);
	struct kmod_module *event = NULL;
	struct kmod_list *found = NULL;
	char *why, *advice = NULL;
	int ret = -ENOMEM;

	if (!other)
		return;
	kmod_set_log_priority(other, 0);
	if (file) {
		ret = kmod_module_new_from_path(other, file, &event);
		if (!ret)
			ret = kmod_module_insert_module(event, 0, "");
	} else if (kmod_module_new_from_lookup(other, EVENT_MODULE, &found) >= 0 && found) {
		event = kmod_module_get_module(found);
		kmod_module_unref_list(found);
		ret = kmod_module_probe_insert_module(event, KMOD_PROBE_APPLY_BLACKLIST_ALL, NULL,
						      NULL, NULL, NULL);
	} else {
		ret = -ENOENT;
	}
	if (ret < 0 && ret != -EEXIST) {
		if (event)
			installed_read(&installed, event);
		why = installed.path ? why_kernel_refused(&installed, -ret, &advice) :
				       copy_text("the module " EVENT_MODULE " is not installed");
		pr_err("the livepatch has no trace event: %s.%s%s", why, advice ? " " : "",
		       advice ?: "");
		free(why);
		free(advice);
		installed_free(&installed);
	}
	if (event)
		kmod_module_unref(event);
	kmod_unref(other);
}

/* Load the module of the trace event, unless it is loaded. */
static void add_event(const struct state *state)
{
	if (state->event == IS_ABSENT && state->installed_event.path)
		load_event(NULL);
}

static void complain_not_loaded(const struct state *state, int error)
{
	char *advice, *why;

	if (error == ENODEV) {
		pr_err("the running kernel %s is not one that this version can patch; the reason is in: journalctl -k -g tcp_connect_logger",
		       state->kernel);
		return;
	}
	why = why_kernel_refused(&state->installed, error, &advice);
	pr_err("not loaded: %s.%s%s", why, advice ? " " : "", advice ?: "");
	free(why);
	free(advice);
}

/* ---- Tasks in a transition ---- */

static void add_lines(char **to, char *from, const char *indent)
{
	char *line, *printable, *more;

	while (from && (line = strsep(&from, "\n"))) {
		printable = safe(line);
		more = format_text("%s%s%s\n", *to, indent, printable);
		free(*to);
		free(printable);
		*to = more;
	}
}

/*
 * Returns a list of the tasks that have not reached the target state of the transition, with their
 * stacks (Documentation/livepatch/livepatch.rst, "Consistency model"). The caller frees it.
 */
static char *holders(void)
{
	char *target = read_text(PATCH "/enabled"), *text = copy_text("");
	struct names processes = list_directory("/proc");

	for (size_t i = 0; target && i < processes.count; i++) {
		const char *process = processes.name[i];
		struct names threads = { };
		char *path;

		if (strspn(process, "0123456789") != strlen(process))
			continue;
		path = format_text("/proc/%s/task", process);
		threads = list_directory(path);
		free(path);
		for (size_t j = 0; j < threads.count; j++) {
			char *at = format_text("/proc/%s/task/%s", process, threads.name[j]);
			char *state = read_text("%s/patch_state", at), *comm, *stack, *line;

			if (state && strcmp(state, "-1") && strcmp(state, target)) {
				comm = read_text("%s/comm", at);
				line = format_text("%s %s", threads.name[j], comm ?: "");
				/* A name may contain a newline. */
				for (char *p = line; (p = strchr(p, '\n')); )
					*p = '\t';
				add_lines(&text, line, "  ");
				stack = read_text("%s/stack", at);
				add_lines(&text, stack, "      ");
				free(comm);
				free(line);
				free(stack);
			}
			free(state);
			free(at);
		}
		names_free(&threads);
	}
	names_free(&processes);
	free(target);
	return text;
}

/* ---- Unload ---- */

static long users;	/* number of users of the module, without livepatch itself */

static bool unused(void)
{
	char *text = read_text(SYS_MODULE "/refcnt");

	/* Livepatch holds the module while the patch is enabled. */
	users = (text ? atol(text) : 0) - (is_there(PATCH) == 1);
	free(text);
	return users <= 0;
}

/* While another livepatch is in transition, the kernel refuses this. until() then tries again. */
static bool patch_gone(void)
{
	char *enabled = read_text(PATCH "/enabled");

	if (enabled && strcmp(enabled, "0"))
		write_text(PATCH "/enabled", "0");
	free(enabled);
	return is_there(PATCH) == 0;
}

static void remove_module(const char *name)
{
	struct kmod_ctx *any = context ?: kmod_new(NULL, NULL);
	struct kmod_module *loaded;

	if (any && !kmod_module_new_from_name(any, name, &loaded)) {
		kmod_set_log_priority(any, 0);
		kmod_module_remove_module(loaded, 0);
		kmod_module_unref(loaded);
	}
	if (!context)
		kmod_unref(any);
}

static bool module_gone(void)
{
	remove_module(MODULE);
	return is_there(SYS_MODULE) == 0;
}

static bool event_gone(void)
{
	if (is_there(SYS_EVENT_MODULE) == 1)
		remove_module(EVENT_MODULE);
	return is_there(SYS_EVENT_MODULE) == 0;
}

/*
 * An unfinished transition would block every other livepatch, so enable ours again. That is quick,
 * because the tasks that block the transition still use our livepatch.
 */
static void enable_again(void)
{
	char *enabled = read_text(PATCH "/enabled");

	if (enabled && !strcmp(enabled, "0")) {
		write_text(PATCH "/enabled", "1");
		until(transition_over, now() + 10, false);
	}
	free(enabled);
}

static int give_up(void)
{
	struct state state;
	char *is;

	enable_again();
	state_read_kernel(&state);
	is = state_describe(&state);
	pr_err("interrupted; the livepatch is %s.", is);
	free(is);
	state_free(&state);
	return EXIT_FAILED;
}

static const char *whether_loaded(const struct state *state)
{
	return state->loaded ? "still loaded" : "not loaded";
}

static int stalled(const char *tasks, const struct names *others, bool quiet)
{
	struct state state;
	char *other = names_join(others);

	state_read_kernel(&state);
	if (quiet) {
		/* The caller prints a message. */
	} else if (others->count) {
		pr_err("the livepatch %s is in transition and blocks this one: %s, %s.",
		       other, whether_loaded(&state), state_logging(&state));
	} else {
		pr_err("some tasks would not let go of the livepatch within %d s: %s, %s. These tasks:",
		       timeout, whether_loaded(&state), state_logging(&state));
		fputs(*tasks ? tasks : "  none that /proc shows: an idle task of a CPU\n", stderr);
	}
	free(other);
	state_free(&state);
	return EXIT_STALLED;
}

/* Print who uses the trace event, so that nothing was done. */
static void complain_of_users(void)
{
	struct names found = event_users();
	char *who = names_join(&found), *why;

	why = format_text("the trace event is in use: %s", who);
	pr_refusal(why, "End that use first.");
	free(why);
	free(who);
	names_free(&found);
}

/* Returns the exit status. Prints the reason for a failure unless @quiet. */
static int unload_livepatch(bool quiet)
{
	double deadline = now() + timeout;
	struct names others = { }, patches;
	struct state state;
	char *tasks;
	int ret;

	switch (until(unused, deadline, true)) {
	case REACHED:
		break;
	case INTERRUPTED:
		return give_up();
	default:
		state_read_kernel(&state);
		if (!quiet)
			pr_err("in use by %ld other(s), see lsmod: %s, %s.", users,
			       whether_loaded(&state), state_logging(&state));
		state_free(&state);
		return EXIT_FAILED;
	}

	switch (until(patch_gone, deadline, true)) {
	case REACHED:
		break;
	case INTERRUPTED:
		return give_up();
	default:
		tasks = holders();
		patches = list_directory(PATCHES);
		for (size_t i = 0; i < patches.count; i++)
			if (strcmp(patches.name[i], MODULE) && in_transition(patches.name[i]))
				names_add(&others, patches.name[i]);
		names_free(&patches);
		enable_again();
		ret = is_there(PATCH) ? stalled(tasks, &others, quiet) : EXIT_OK;
		names_free(&others);
		free(tasks);
		if (ret)
			return ret;
		deadline = now() + timeout;
	}

	switch (until(module_gone, deadline, true)) {
	case REACHED:
		return EXIT_OK;
	case INTERRUPTED:
		return give_up();
	default:
		if (!quiet)
			pr_err("the livepatch is disabled, but somebody uses the module: loaded, nothing is logged.");
		return EXIT_FAILED;
	}
}

/*
 * Unload the module of the trace event first: nobody can begin to use the event meanwhile. If the
 * livepatch stays, load the event again, from @event or, if that is NULL, the installed one.
 * Returns the exit status. Prints the reason for a failure unless @quiet.
 */
static int unload(const char *event, bool quiet)
{
	bool had_event = is_there(SYS_EVENT_MODULE) == 1;
	double wait = timeout;
	int ret;

	/* First, the readers store or show the records in the kernel's buffers. */
	if (had_event && !event_ask_readers() && wait > EVENT_TIMEOUT)
		wait = EVENT_TIMEOUT;
	switch (until(event_gone, now() + wait, true)) {
	case REACHED:
		break;
	case INTERRUPTED:
		return give_up();
	default:
		if (!quiet)
			complain_of_users();
		return EXIT_FAILED;
	}
	ret = unload_livepatch(quiet);
	if (ret && had_event && is_there(PATCH) == 1)
		load_event(event);
	return ret;
}

/* ---- The verbs ---- */

/* Returns true, and prints why, if the state is unknown. The caller must not do anything then. */
static bool is_unknown(const struct state *state)
{
	if (state->patch != UNKNOWN)
		return false;
	pr_err("the state of the livepatch is unknown: %s; nothing was done.", state->unknown);
	return true;
}

/* Load the module. The caller holds the lock. */
static int load(void)
{
	struct state state;
	struct loading loading;
	char *why, *advice = NULL, *is, *tasks;
	int ret = EXIT_FAILED;

	state_read_kernel(&state);
	if (is_unknown(&state)) {
		state_free(&state);
		return EXIT_FAILED;
	}
	is = state_describe(&state);
	if (state.loaded) {
		pr_info("version %s is loaded already, %s.", state.version ?: "unknown",
			state_logging(&state));
		state_read_installed(&state);
		if (state_is_current(&state))
			add_event(&state);
		if (state.patch != ENABLED)
			pr_info("the livepatch is %s.", is);
		ret = EXIT_OK;
		goto out;
	}
	state_read_installed(&state);
	why = why_not_load(&state, &advice);
	if (why && state.why)
		pr_err("%s", why);
	else if (why)
		pr_err("not loaded: %s.%s%s", why, advice ? " " : "", advice ?: "");
	free(advice);
	if (why) {
		free(why);
		goto out;
	}

	loading = load_installed("", true);
	if (loading.error && loading.error != EEXIST) {
		complain_not_loaded(&state, loading.error);
		goto out;
	}
	if (loading.interrupted) {
		ret = give_up();
		goto out;
	}
	tasks = loading.stalled ? holders() : NULL;
	if (tasks)
		unload(NULL, true);
	else
		load_event(NULL);

	/* Report what sysfs shows now. */
	state_free(&state);
	state_read_kernel(&state);
	free(is);
	is = state_describe(&state);
	if (tasks) {
		pr_err("some tasks would not take the livepatch within %d s: it is %s. These tasks:",
		       timeout, is);
		fputs(tasks, stderr);
		free(tasks);
		ret = EXIT_STALLED;
	} else if (state.patch != ENABLED) {
		pr_err("the kernel has taken the module, but the livepatch is %s.", is);
		ret = EXIT_NOT_ACTIVE;
	} else {
		pr_info("loaded, %s. To switch: tcp-connect-logger enable, or disable; to see the connections: tcp-connect-logger follow",
			state_logging(&state));
		ret = EXIT_OK;
	}
out:
	free(is);
	state_free(&state);
	return ret;
}

/**
 * do_load() - the verb load
 * @options: its options
 *
 * Return: the exit status.
 */
int do_load(const struct load_options *options)
{
	int ret = begin("load", options);

	return ret ?: load();
}

/**
 * do_unload() - the verb unload
 * @options: its options
 *
 * Return: the exit status.
 */
int do_unload(const struct load_options *options)
{
	int ret = begin("unload", options);
	struct state state;
	char *why;

	if (ret)
		return ret;
	state_read_kernel(&state);
	if (state.patch == NOT_LOADED) {
		pr_info("not loaded.");
	} else if (is_unknown(&state)) {
		ret = EXIT_FAILED;
	} else {
		why = why_not_remove(&state);
		if (why)
			pr_refusal(why, NULL);
		ret = why ? EXIT_FAILED : unload(NULL, false);
		free(why);
	}
	state_free(&state);
	return ret;
}

/*
 * Returns true, and prints why, if another livepatch patches one of our functions. Our livepatch
 * would refuse to load on top of it.
 */
static bool others_are_in_the_way(const struct state *state)
{
	struct names patches = list_directory(PATCHES);
	bool found = false;

	for (size_t i = 0; i < patches.count && !found; i++) {
		struct names theirs = functions_of(patches.name[i]);
		char *functions = names_join(&theirs);

		found = theirs.count && strcmp(patches.name[i], MODULE);
		if (found)
			pr_err("the livepatch %s also patches %s, so this one could not be loaded again: still loaded, %s.",
			       patches.name[i], functions, state_logging(state));
		names_free(&theirs);
		free(functions);
	}
	names_free(&patches);
	return found;
}

static void tell_of_limit(const char *before)
{
	char *after = read_text(RATE_LIMIT);

	if (before && after && strcmp(before, after))
		pr_info("rate_limit is %s now, by the options in modprobe.d or by default; it was %s.",
			after, before);
	free(after);
}

/*
 * The loaded module is the installed one. Do not reload it, but apply rate_limit from modprobe.d,
 * which may have changed.
 */
static int keep(const struct state *state)
{
	char *before = read_text(RATE_LIMIT), *wanted = NULL;
	int ret = EXIT_OK;

	pr_info("version %s is loaded already, and is what is installed.", state->version);
	add_event(state);
	if (open_module())
		wanted = last_option(kmod_module_get_options(module), "rate_limit=");
	if (wanted && before && strcmp(wanted, before)) {
		if (write_text(RATE_LIMIT, wanted)) {
			pr_err("cannot set rate_limit as in modprobe.d: %s; it is still %s.",
			       strerror(errno), before);
			ret = EXIT_FAILED;
		} else {
			tell_of_limit(before);
		}
	}
	free(wanted);
	free(before);
	return ret;
}

/*
 * The installed module did not load. Load @file instead, if any, and @event or, if that is NULL,
 * the installed event. Returns the exit status.
 */
static int fall_back(const char *file, const char *event, const char *option)
{
	struct loading loading = { .error = ENOENT };
	struct state state;
	char *is;

	if (file)
		loading = load_file(file, option);
	if (file && !loading.error)
		load_event(event);
	state_read_kernel(&state);
	is = state_describe(&state);
	if (!file)
		pr_err("the livepatch is %s.", is);
	else if (loading.error)
		pr_err("the fallback does not load either: %s; the livepatch is %s.",
		       strerror(loading.error), is);
	else if (state.patch == ENABLED)
		pr_err("version %s is loaded again instead, %s.", state.version,
		       state_logging(&state));
	else
		pr_err("version %s is loaded again instead, but the livepatch is %s.",
		       state.version ?: "unknown", is);
	free(is);
	state_free(&state);
	return EXIT_FAILED;
}

/*
 * Unload the module, and load the installed one. The caller has checked that nothing is known to
 * prevent this. Updates @state.
 */
static int exchange(struct state *state, const char *fallback)
{
	char *option = switch_option(state), *before = read_text(RATE_LIMIT);
	char *old = copy_text(state->version ?: "unknown"), *is, *tasks;
	char *event = fallback ? event_beside(fallback) : NULL;
	struct loading loading;
	double start = now();
	int ret;

	/* The fallback may have no event. */
	if (event && is_there("%s", event) != 1) {
		free(event);
		event = NULL;
	}
	ret = unload(event, false);
	if (ret)
		goto out;
	loading = load_installed(option, false);
	if (loading.error && loading.error != EEXIST) {
		complain_not_loaded(state, loading.error);
		ret = fall_back(fallback, event, option);
		goto out;
	}
	load_event(NULL);

	state_free(state);
	state_read_kernel(state);
	is = state_describe(state);
	if (loading.stalled) {
		tasks = holders();
		pr_err("the livepatch is still in transition. These tasks do not use it yet:");
		fputs(tasks, stderr);
		free(tasks);
		ret = EXIT_STALLED;
	} else if (state->patch != ENABLED) {
		pr_err("version %s is loaded, but the livepatch is %s.",
		       state->version ?: "unknown", is);
		ret = EXIT_NOT_ACTIVE;
	} else {
		pr_info("version %s has taken the place of version %s, %s; connections were not seen for %.2f s.",
			state->version, old, state_logging(state), loading.at - start);
		tell_of_limit(before);
	}
	free(is);
out:
	free(event);
	free(option);
	free(before);
	free(old);
	return ret;
}

/**
 * do_reload() - the verb reload
 * @options: its options
 *
 * The switch keeps its setting. If the installed module does not load, this loads the fallback: a
 * copy of the module that was loaded before.
 *
 * Return: the exit status.
 */
int do_reload(const struct load_options *options)
{
	int ret = begin("reload", options);
	char *why, *advice = NULL;
	struct state state;

	if (ret)
		return ret;
	state_read_kernel(&state);
	if (!state.loaded) {
		state_free(&state);
		return load();
	}
	state_read_installed(&state);
	ret = EXIT_FAILED;
	if (is_unknown(&state)) {
		/* is_unknown() has printed why. */
	} else if (state.patch == ENABLED && state_is_current(&state)) {
		ret = keep(&state);
	} else if (!others_are_in_the_way(&state)) {
		why = why_not_load(&state, &advice);
		if (!why)
			why = why_not_remove(&state);
		if (why)
			pr_refusal(why, advice);
		else
			ret = exchange(&state, options->fallback);
		free(why);
		free(advice);
	}
	state_free(&state);
	return ret;
}
