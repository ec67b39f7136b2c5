// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Find out who uses the trace events, and so prevents the modules from being removed.
 *
 * Each user of an event holds a reference to the module. ftrace and BPF show who they are. perf
 * does not show which event a process has open, so what remains is perf, or a pinned BPF program.
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "event.h"
#include "instance.h"
#include "progress.h"
#include "record.h"

#define TRACING	"/sys/kernel/tracing"
#define EVENTS	"events/" MODULE

/* Users of the event, and how many of the module's references they explain */
struct found {
	struct names users;
	long references;
};

static void add_user(struct found *found, char *user)
{
	names_add(&found->users, user);
	free(user);
}

/* Add the users of an event in a trace instance, whose directory is @path. */
static void find_in_ftrace(struct found *found, const char *path, const char *where,
			   const char *event)
{
	char *enable = read_text("%s/" EVENTS "/%s/enable", path, event);
	char *triggers = read_text("%s/" EVENTS "/%s/trigger", path, event), *rest = triggers;
	size_t before = found->users.count;
	char *line;

	if (enable && *enable == '1')
		add_user(found, format_text("%s is enabled in %s", event, where));
	while (rest && (line = strsep(&rest, "\n"))) {
		if (!*line || *line == '#')
			continue;
		line[strcspn(line, " ")] = '\0';
		add_user(found, format_text("%s has the trigger %s in %s", event, line, where));
	}
	/* "*": a trigger of this event or of another one may enable it. */
	if (found->users.count == before && enable && strchr(enable, '*'))
		add_user(found, format_text("a trigger of another event in %s enables %s", where,
					    event));
	found->references += found->users.count > before;
	free(enable);
	free(triggers);
}

static void find_in_instance(struct found *found, const char *path, const char *where)
{
	for (int i = 0; i < NR_EVENTS; i++)
		find_in_ftrace(found, path, where, event_names[i]);
}

static bool is_event(const char *name)
{
	for (int i = 0; i < NR_EVENTS; i++)
		if (!strcmp(name, event_names[i]))
			return true;
	return false;
}

/* Returns the value of a line "NAME:\tVALUE", or NULL. The caller frees it. */
static char *value_of(const char *text, const char *name)
{
	const char *line = strstr(text, name);
	char *value;

	if (!line)
		return NULL;
	value = copy_text(line + strlen(name));
	value[strcspn(value, "\n")] = '\0';
	return value;
}

static char *process_name(const char *process)
{
	char *comm = read_text("/proc/%s/comm", process), *name;

	name = format_text("process %s (%s)", process, comm ?: "unknown");
	free(comm);
	return name;
}

/*
 * Look at a file descriptor. Add the process if it has attached a BPF program to the tracepoint, or
 * add it to @perf if it uses perf, for whatever.
 */
static void find_in_descriptor(struct found *found, struct names *links, struct names *perf,
			       const char *process, const char *descriptor)
{
	char *path = format_text("/proc/%s/fd/%s", process, descriptor);
	char target[PATH_MAX], *info, *tracepoint, *link, *name;
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	free(path);
	if (length < 0)
		return;
	target[length] = '\0';
	if (!strcmp(target, "anon_inode:[perf_event]")) {
		name = process_name(process);
		names_add(perf, name);
		free(name);
	}
	if (strcmp(target, "anon_inode:bpf_link"))
		return;
	info = read_text("/proc/%s/fdinfo/%s", process, descriptor);
	tracepoint = info ? value_of(info, "tp_name:\t") : NULL;
	link = info ? value_of(info, "link_id:\t") : NULL;
	if (tracepoint && link && is_event(tracepoint)) {
		name = process_name(process);
		add_user(found, format_text("BPF in %s", name));
		free(name);
		names_add(links, link);
	}
	free(tracepoint);
	free(link);
	free(info);
}

static void find_in_processes(struct found *found, struct names *perf)
{
	struct names processes = list_directory("/proc"), links = { };

	for (size_t i = 0; i < processes.count; i++) {
		const char *process = processes.name[i];
		struct names descriptors;
		char *path;

		if (strspn(process, "0123456789") != strlen(process))
			continue;
		path = format_text("/proc/%s/fd", process);
		descriptors = list_directory(path);
		free(path);
		for (size_t j = 0; j < descriptors.count; j++)
			find_in_descriptor(found, &links, perf, process, descriptors.name[j]);
		names_free(&descriptors);
	}
	found->references += links.count;
	names_free(&links);
	names_free(&processes);
}

/**
 * event_users() - find out who uses the trace event
 *
 * Return: the users, each as a part of a sentence. The caller frees them.
 */
struct names event_users(void)
{
	char *references = read_text(SYS_EVENT_MODULE "/refcnt"), *candidates;
	struct names instances = list_directory(TRACING "/instances"), perf = { };
	struct found found = { };

	find_in_instance(&found, TRACING, "ftrace");
	for (size_t i = 0; i < instances.count; i++) {
		char *path = format_text(TRACING "/instances/%s", instances.name[i]);
		char *where = format_text("the trace instance %s", instances.name[i]);

		find_in_instance(&found, path, where);
		free(path);
		free(where);
	}
	find_in_processes(&found, &perf);
	if (references && atol(references) > found.references) {
		candidates = names_join(&perf);
		add_user(&found, perf.count ? format_text("perf, perhaps in %s", candidates) :
					      copy_text("perf or a pinned BPF program"));
		free(candidates);
	}
	names_free(&instances);
	names_free(&perf);
	free(references);
	return found.users;
}

/* Returns true if this process of ours has such a trace instance, and has been asked. */
static bool ask_reader(const char *instance)
{
	int pid = instance_owner(instance);
	char *name = NULL;
	bool asked = false;

	if (!pid)
		return false;
	name = read_text("/proc/%d/comm", pid);
	/* Another process may have the number of one that was killed. */
	if (name && !strncmp(name, NAME, COMM_LEN - 1))
		asked = !kill(pid, SIGUSR1);
	free(name);
	return asked;
}

/* Remove the recorder's instance, and report how many connections its buffers held. */
static void remove_buffers(void)
{
	const char *instance = TRACING "/instances/" RECORDER_INSTANCE;
	char *path = format_text("%s/per_cpu", instance);
	struct names cpus = list_directory(path);
	unsigned long long waiting = 0, entries;

	free(path);
	for (size_t i = 0; i < cpus.count; i++) {
		char *stats = read_text("%s/per_cpu/%s/stats", instance, cpus.name[i]);

		if (stats && take_number(take_word(stats, "entries: "), ULLONG_MAX, &entries))
			waiting += entries;
		free(stats);
	}
	names_free(&cpus);
	if (!rmdir(instance) && waiting)
		pr_err("%llu connections are lost: they were in the buffers of a recorder that has ended",
		       waiting);
}

/**
 * event_ask_readers() - ask our readers to let go of the trace event until the module is back
 *
 * If no recorder reads its trace instance any more, the instance is removed.
 *
 * Return: true if there is a reader.
 */
bool event_ask_readers(void)
{
	struct names instances = list_directory(TRACING "/instances");
	pid_t recorder = progress_recorder();
	bool asked = false;

	for (size_t i = 0; i < instances.count; i++)
		asked |= ask_reader(instances.name[i]);
	names_free(&instances);
	if (recorder)
		return !kill(recorder, SIGUSR1) || asked;
	remove_buffers();
	return asked;
}
