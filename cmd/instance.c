// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * The trace event, and the trace instances of this program's processes (Instances in
 * Documentation/trace/ftrace.rst). A process removes its instance when it ends. If it is killed,
 * the next one removes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "command.h"
#include "instance.h"
#include "io.h"
#include "load.h"

/** event_names - the names of the trace events */
const char * const event_names[NR_EVENTS] = {
	[EVENT_LEAN] = TRACE_EVENT,
	[EVENT_ORIGIN] = TRACE_EVENT "_origin",
	[EVENT_RESULT] = TRACE_EVENT "_result",
};

static struct tracefs_instance *own;

/**
 * event_exists() - find out whether the kernel has the trace event
 *
 * Return: true if it has, and this process can use it. In the mode "confidentiality", lockdown
 * forbids tracefs (tracing_check_open_get_tr() in kernel/trace/trace.c).
 */
bool event_exists(void)
{
	char *enable = tracefs_event_file_read(NULL, MODULE, TRACE_EVENT, "enable", NULL);

	free(enable);
	return enable;
}

/* Returns true if nobody is loading or unloading the module, so that nobody waits for us. */
static bool module_is_at_rest(void)
{
	int fd = open(LOAD_LOCK, O_RDONLY | O_CLOEXEC);
	bool at_rest = fd < 0 || !flock(fd, LOCK_SH | LOCK_NB);

	if (fd >= 0)
		close(fd);
	return at_rest;
}

/**
 * event_await() - wait until the kernel has the trace event, after the module was unloaded
 *
 * Return: false if the program should end, see io_has_ended().
 */
bool event_await(void)
{
	while (!module_is_at_rest() || !event_exists()) {
		if (!io_wait(NULL, 0, 1000))
			return false;
		io_was_asked();
	}
	return true;
}

/**
 * instance_owner() - find out which process has made a trace instance
 * @name: name of the instance
 *
 * Return: its process ID, or 0 if instance_create() makes no such name.
 */
int instance_owner(const char *name)
{
	int pid, end;

	if (sscanf(name, INSTANCE "%d%n", &pid, &end) != 1 || name[end] || pid < 0)
		return 0;
	return pid;
}

static int remove_dead(const char *name, void *context)
{
	struct tracefs_instance *dead;
	int pid = instance_owner(name);

	(void)context;
	if (!pid || !kill(pid, 0) || errno != ESRCH)
		return 0;
	dead = tracefs_instance_create(name);
	if (dead) {
		tracefs_instance_destroy(dead);
		tracefs_instance_free(dead);
	}
	return 0;
}

static void remove_own(void)
{
	if (own)
		instance_remove(own);
}

/**
 * instance_create() - create the trace instance of this process
 *
 * Exits on an error. When the process exits, the instance is removed.
 *
 * Return: the instance.
 */
struct tracefs_instance *instance_create(void)
{
	static bool prepared;
	char name[64];

	if (!prepared) {
		tracefs_instances_walk(remove_dead, NULL);
		atexit(remove_own);
		prepared = true;
	}
	snprintf(name, sizeof(name), INSTANCE "%d", getpid());
	own = tracefs_instance_create(name);
	if (!own)
		die_errno("cannot create a trace instance");
	return own;
}

/**
 * instance_remove() - remove a trace instance with its buffers and triggers
 * @instance: the instance; it is freed
 */
void instance_remove(struct tracefs_instance *instance)
{
	if (instance == own)
		own = NULL;
	/* The kernel removes the triggers, too (__remove_instance() in kernel/trace/trace.c). */
	if (tracefs_instance_destroy(instance))
		pr_err("cannot remove the trace instance %s: %s",
		       tracefs_instance_get_name(instance), strerror(errno));
	tracefs_instance_free(instance);
}
