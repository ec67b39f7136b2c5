// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Read the trace events from the ring buffer of a trace instance, page by page (trace_pipe_raw in
 * Documentation/trace/ftrace.rst). Each CPU has a buffer. The events of all CPUs are merged by
 * time.
 *
 * The kernel wakes us for the first record after a pause. Then we look twice a second, because
 * waking us for each record would cost more than the record. Meanwhile, the kernel wakes us only if
 * half of a buffer is full: the default of buffer_percent is 50.
 */
#include <errno.h>
#include <event-parse.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "begun.h"
#include "busiest.h"
#include "command.h"
#include "filter.h"
#include "groups.h"
#include "instance.h"
#include "io.h"
#include "json.h"
#include "ring.h"

/* Time between two looks at buffers that are not empty, in milliseconds */
#define INTERVAL	500

/* How long the busiest process is sought after half of a buffer was full, in nanoseconds */
#define CROWDED		60000000000ULL

/* Size of the header of a page, in bytes: a time stamp and the commit */
#define PAGE_HEADER	16

/* The commit: how many bytes follow, and a flag if records were lost before this page */
#define COMMIT_SIZE	0x07ffffffU
#define COMMIT_LACKS	0x80000000U

/* A CPU may take this long to finish a record, in nanoseconds. After that, the record is late. */
#define SETTLED		1000000ULL

/**
 * struct cpu - the buffer of a CPU
 * @number: number of the CPU
 * @fd: its trace_pipe_raw
 * @page: the page that is being read
 * @next: what follows the next record in the page
 * @end: end of the page's contents
 * @event: the next record, or NULL
 * @length: its length
 * @stamp: time stamp of the next record
 * @pages: how many pages have been read since ring_begin()
 */
struct cpu {
	int number, fd;
	unsigned char *page;
	const unsigned char *next, *end, *event;
	size_t length;
	unsigned long long stamp;
	size_t pages;
};

/**
 * struct layout - where the fields of an event are; a field that the event does not have is at 0
 * @type: ID of the event
 * @least: the event's length without its dynamic arrays
 */
struct layout {
	unsigned short type;
	size_t least;
	int pid, uid, netns, ret, cgroup, cookie, comm, sockaddr, sport, family, source, start, tid,
	    ppid, parents, exe, cgroup_path;
};

/* The largest event: ftrace does not write more than a page. */
#define EVENT_MOST	4096

/**
 * struct ring - the buffers of all CPUs
 * @instance: the trace instance
 * @cpus: the CPUs
 * @nr_cpus: how many
 * @current: the CPU that has the oldest record, or NULL
 * @until: the next CPU's oldest record has this time stamp, or it is too new
 * @limit: newer records are left for later, because another CPU may still have older ones
 * @offset: what to add to a time stamp for the time since the epoch
 * @page_size: size of a page, with its header
 * @pages: how many pages the buffer of a CPU has
 * @first: to wait for the first record of any CPU, also of one that is not online yet
 * @fds: to wait until half of a CPU's buffer is full
 * @busy: a record has been found since ring_begin()
 * @filter: the kernel's filter, or NULL
 * @crowded: when half of a buffer was last full, by CLOCK_BOOTTIME, or 0
 * @counting: busiest_count() has succeeded
 * @lacks: a page was preceded by lost records
 * @origin: the event is the one that has who made the connection
 * @layouts: where the fields of the events are
 * @last: the last event of a connection
 * @last_length: its length, or 0
 * @last_kind: which event it is
 * @traced: the connection
 * @parents: its parents
 * @result: the last result
 * @begun: the connections that have no result yet, or NULL if results are not wanted
 * @left_out: how many events were of no use since ring_left_out()
 */
struct ring {
	struct tracefs_instance *instance;
	struct cpu *cpus;
	int nr_cpus;
	struct cpu *current;
	unsigned long long until, limit, offset;
	size_t page_size, pages;
	struct pollfd first, *fds;
	const char *filter;
	unsigned long long crowded;
	bool busy, lacks, counting;
	bool origin;
	struct layout layouts[NR_EVENTS];
	unsigned char last[EVENT_MOST];
	size_t last_length;
	enum event last_kind;
	struct traced traced;
	struct parent parents[MOST_PARENTS];
	struct traced result;
	struct begun *begun;
	unsigned long long left_out;
};

/* ---- Open ---- */

/* Write a file of the instance, or exit. */
static void set(struct ring *ring, const char *file, const char *text)
{
	int fd = tracefs_instance_file_open(ring->instance, file, O_WRONLY);
	ssize_t length = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (length < 0)
		die(EXIT_FAILED, "cannot write %s to %s of the trace instance %s: %s", text, file,
		    tracefs_instance_get_name(ring->instance), strerror(errno));
	close(fd);
}

static void set_number(struct ring *ring, const char *file, unsigned long number)
{
	char text[32];

	sprintf(text, "%lu", number);
	set(ring, file, text);
}

static int offset_of(struct tep_event *event, const char *name, int size)
{
	struct tep_format_field *field = tep_find_field(event, name);

	if (!field || field->size != size)
		die(EXIT_FAILED,
		    "the trace event has no field %s of %d bytes: this command and the module do not fit together",
		    name, size);
	return field->offset;
}

/* In the event, a dynamic array has 4 bytes, which say where it is. */
static void read_fields(struct layout *layout, struct tep_event *event, enum event kind)
{
	layout->type = event->id;
	layout->cookie = offset_of(event, "cookie", 8);
	layout->netns = offset_of(event, "netns", 4);
	layout->ret = offset_of(event, "ret", 4);
	if (kind == EVENT_RESULT) {
		layout->family = offset_of(event, "family", 2);
	} else {
		layout->pid = offset_of(event, "pid", 4);
		layout->uid = offset_of(event, "uid", 4);
		layout->cgroup = offset_of(event, "cgroup", 8);
		layout->comm = offset_of(event, "comm", COMM_LEN);
		layout->sockaddr = offset_of(event, "sockaddr", sizeof(struct sockaddr_in6));
		layout->least = layout->sockaddr + sizeof(struct sockaddr_in6);
	}
	if (kind != EVENT_LEAN) {
		layout->sport = offset_of(event, "sport", 2);
		layout->source = offset_of(event, "source", sizeof(struct sockaddr_in6));
		layout->least = layout->source + sizeof(struct sockaddr_in6);
	}
	if (kind == EVENT_ORIGIN) {
		layout->start = offset_of(event, "start", 8);
		layout->tid = offset_of(event, "tid", 4);
		layout->ppid = offset_of(event, "ppid", 4);
		layout->parents = offset_of(event, "parents", 4);
		layout->exe = offset_of(event, "exe", 4);
		layout->cgroup_path = offset_of(event, "cgroup_path", 4);
		layout->least = layout->cgroup_path + 4;
	}
}

/*
 * Returns false if there is no such event. tracefs_local_events_system() would also read what no
 * event of ours needs, and keep 10 MiB.
 */
static bool read_format(struct ring *ring, enum event kind)
{
	int size;
	char *text = tracefs_event_file_read(NULL, MODULE, event_names[kind], "format", &size);
	struct tep_handle *tep = tep_alloc();
	struct tep_event *event = NULL;

	if (text && tep && !tep_parse_event(tep, text, size, MODULE))
		event = tep_find_event_by_name(tep, MODULE, event_names[kind]);
	free(text);
	if (event)
		read_fields(&ring->layouts[kind], event, kind);
	tep_free(tep);
	return event;
}

static void read_formats(struct ring *ring)
{
	if (!read_format(ring, EVENT_LEAN))
		die(EXIT_FAILED, "cannot read the format of the trace event");
	if ((read_format(ring, EVENT_ORIGIN) && read_format(ring, EVENT_RESULT)) ||
	    (!ring->origin && !ring->begun))
		return;
	pr_err("the loaded module does not tell who made a connection, nor what became of it; try: tcp-connect-logger reload");
	ring->origin = false;
	ring->begun = NULL;
}

static bool is_on(const struct ring *ring, enum event kind)
{
	if (kind == EVENT_RESULT)
		return ring->begun;
	return ring->origin == (kind == EVENT_ORIGIN);
}

/* An event that was on before may have to be switched off. A result has no process to filter by. */
static void switch_event(struct ring *ring, enum event kind, const char *filter)
{
	const char *name = event_names[kind];

	if (!ring->layouts[kind].type)
		return;
	if (!is_on(ring, kind)) {
		tracefs_event_disable(ring->instance, MODULE, name);
		return;
	}
	if (kind != EVENT_RESULT &&
	    tracefs_event_file_write(ring->instance, MODULE, name, "filter", filter ?: "0") < 0)
		die(EXIT_FAILED, "the kernel refuses the filter %s: %s", filter ?: "0",
		    strerror(errno));
	if (tracefs_event_enable(ring->instance, MODULE, name))
		die_errno("cannot enable the trace event");
}

/* What the kernel must do with the instance. It keeps the records in it if this has not changed. */
static void configure(struct ring *ring, size_t size, const char *filter)
{
	/*
	 * A CPU that is not online has no buffer. Each buffer has one page more, which is being
	 * read. Each page has a header (header_page).
	 */
	size_t pages = size / sysconf(_SC_NPROCESSORS_ONLN) / ring->page_size;
	char *clock = tracefs_get_clock(ring->instance);
	long long before = 0;
	unsigned long kib;

	/*
	 * CLOCK_BOOTTIME does not jump, and continues in suspend. Changing the clock clears the
	 * buffer.
	 */
	if (!clock || strcmp(clock, "boot"))
		set(ring, "trace_clock", "boot");
	free(clock);
	ring->pages = pages > 3 ? pages - 1 : 2;
	kib = ring->pages * (ring->page_size - PAGE_HEADER) / 1024;
	tracefs_instance_file_read_number(ring->instance, "buffer_size_kb", &before);
	if ((unsigned long long)before != kib)
		set_number(ring, "buffer_size_kb", kib);
	for (enum event kind = EVENT_LEAN; kind < NR_EVENTS; kind++)
		switch_event(ring, kind, filter);
}

static void open_cpu(struct ring *ring, int number)
{
	struct cpu *cpu;
	char file[64];
	int fd;

	sprintf(file, "per_cpu/cpu%d/trace_pipe_raw", number);
	fd = tracefs_instance_file_open(ring->instance, file, O_RDONLY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return;
	ring->cpus = reallocarray(ring->cpus, ring->nr_cpus + 1, sizeof(*ring->cpus));
	ring->fds = reallocarray(ring->fds, ring->nr_cpus + 1, sizeof(*ring->fds));
	if (!ring->cpus || !ring->fds)
		die_errno("cannot open the buffers");
	ring->fds[ring->nr_cpus] = (struct pollfd){ .fd = fd, .events = POLLIN };
	cpu = &ring->cpus[ring->nr_cpus++];
	*cpu = (struct cpu){ .number = number, .fd = fd, .page = malloc(ring->page_size) };
	if (fd < 0 || !cpu->page)
		die_errno("cannot read the buffer of a CPU");
}

/**
 * ring_open() - enable the trace events in a trace instance, and read its buffers
 * @instance: the instance; if it existed before, reading continues there
 * @size: size of the buffers of all CPUs together, in bytes
 * @filter: the kernel's filter, which must remain valid, or NULL
 * @origin: read who made each connection; filters may need it, too
 * @begun: read what became of each connection, too, and remember there those that have no result
 *	yet; or NULL
 *
 * Exits on an error.
 *
 * Return: the buffers.
 */
struct ring *ring_open(struct tracefs_instance *instance, size_t size, const char *filter,
		       bool origin, struct begun *begun)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		die_errno("cannot open the buffers");
	ring->page_size = sysconf(_SC_PAGESIZE);
	ring->origin = origin || filters_need_origin();
	ring->begun = begun;
	read_formats(ring);
	ring->instance = instance;
	ring->filter = filter;
	ring->first.fd = tracefs_instance_file_open(ring->instance, "trace_pipe",
						    O_RDONLY | O_NONBLOCK);
	ring->first.events = POLLIN;
	if (ring->first.fd < 0)
		die_errno("cannot wait for the buffers");
	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++)
		open_cpu(ring, cpu);
	configure(ring, size, filter);
	return ring;
}

/* ---- Read ---- */

static unsigned int get_u32(const unsigned char *from)
{
	unsigned int value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static unsigned long long get_u64(const unsigned char *from)
{
	unsigned long long value;

	memcpy(&value, from, sizeof(value));
	return value;
}

/*
 * Go to the next record in the page, if any. A record begins with a struct ring_buffer_event (the
 * kernel's include/linux/ring_buffer.h). libtraceevent's kbuffer would take 390 instructions for
 * each record. Tracing the connection takes the kernel only twice as many.
 */
static void next_event(struct cpu *cpu)
{
	cpu->event = NULL;
	while (cpu->next < cpu->end && !cpu->event) {
		const unsigned char *data = cpu->next + 4;
		unsigned int header = get_u32(cpu->next), type = header & 31;
		unsigned long long delta = header >> 5;

		switch (type) {
		case 29:	/* a discarded record, or the rest of the page is empty */
			cpu->next = delta ? data + get_u32(data) : cpu->end;
			break;
		case 30:	/* the time since the last record is longer */
			delta |= (unsigned long long)get_u32(data) << 27;
			cpu->next = data + 4;
			break;
		case 31:	/* a time stamp without its top 5 bits */
			delta |= (unsigned long long)get_u32(data) << 27;
			delta -= cpu->stamp & ~(~0ULL << 59);
			cpu->next = data + 4;
			break;
		case 0:		/* a long record: its length comes first */
			cpu->event = data + 4;
			cpu->next = data + get_u32(data);
			break;
		default:
			cpu->event = data;
			cpu->next = data + type * 4;
		}
		cpu->stamp += delta;
	}
	cpu->length = cpu->next - cpu->event;
}

/* Go to the first record of the next page that has one, if any. */
static void load_page(struct ring *ring, struct cpu *cpu)
{
	do {
		ssize_t length = read(cpu->fd, cpu->page, ring->page_size);
		unsigned long long commit;

		cpu->event = NULL;
		if (length < 0 && errno == EINTR)
			continue;
		/* poll(2) would not wait for a CPU that has never been online: it has no buffer. */
		ring->fds[cpu - ring->cpus].fd = length < 0 && errno == ENODEV ? -1 : cpu->fd;
		if (length < 0 && errno != EAGAIN && errno != ENODEV)
			die_errno("cannot read the buffer of a CPU");
		if (length <= 0)
			return;
		cpu->pages++;
		cpu->stamp = get_u64(cpu->page);
		commit = get_u64(cpu->page + 8);
		cpu->next = cpu->page + PAGE_HEADER;
		cpu->end = cpu->next + (commit & COMMIT_SIZE);
		ring->lacks |= commit & COMMIT_LACKS;
		next_event(cpu);
	} while (!cpu->event);
}

/**
 * ring_begin() - begin to read the records that exist now
 * @ring: the buffers
 * @all: include those that are so new that they may be out of order
 */
void ring_begin(struct ring *ring, bool all)
{
	unsigned long long now = clock_nsec(CLOCK_BOOTTIME);

	ring->offset = clock_nsec(CLOCK_REALTIME) - now;
	ring->limit = all ? ULLONG_MAX : now - SETTLED;
	ring->busy = false;
	ring->current = NULL;
	for (int i = 0; i < ring->nr_cpus; i++) {
		ring->cpus[i].pages = 0;
		if (!ring->cpus[i].event)
			load_page(ring, &ring->cpus[i]);
		ring->busy |= !!ring->cpus[i].event;
	}
}

/* Find the CPU that has the oldest record, and when it is another's turn. */
static void choose(struct ring *ring)
{
	ring->current = NULL;
	ring->until = ring->limit;
	for (int i = 0; i < ring->nr_cpus; i++) {
		struct cpu *cpu = &ring->cpus[i];

		if (!cpu->event || cpu->stamp > ring->limit)
			continue;
		if (!ring->current || cpu->stamp < ring->current->stamp) {
			if (ring->current)
				ring->until = ring->current->stamp;
			ring->current = cpu;
		} else if (cpu->stamp < ring->until) {
			ring->until = cpu->stamp;
		}
	}
}

/* ---- Decode ---- */

/* Copy an address of the kernel. Returns its port. */
static unsigned int get_address(const unsigned char *from, int family, unsigned char *addr)
{
	if (family == AF_INET6)
		memcpy(addr, from + offsetof(struct sockaddr_in6, sin6_addr), 16);
	else
		memcpy(addr, from + offsetof(struct sockaddr_in, sin_addr), 4);
	return from[2] << 8 | from[3];
}

/* Returns a dynamic array of the last event, and its size, or NULL. */
static const void *array_at(const struct ring *ring, int field, size_t *size)
{
	unsigned int location = get_u32(ring->last + field);
	size_t offset = location & 0xffff;

	*size = location >> 16;
	return offset + *size <= ring->last_length ? ring->last + offset : NULL;
}

/* Returns a text of the last event, or NULL if it is empty. */
static const char *text_at(const struct ring *ring, int field)
{
	size_t size;
	const char *text = array_at(ring, field, &size);

	return text && size > 1 && !text[size - 1] ? text : NULL;
}

static void decode_origin(struct ring *ring, const struct layout *layout)
{
	struct traced *traced = &ring->traced;
	const unsigned char *event = ring->last;
	const void *parents;
	size_t size;

	get_address(event + layout->source, traced->record.family, traced->source);
	traced->start = get_u64(event + layout->start);
	traced->tid = get_u32(event + layout->tid);
	traced->ppid = get_u32(event + layout->ppid);
	traced->exe = text_at(ring, layout->exe);
	traced->cgroup_path = text_at(ring, layout->cgroup_path);
	traced->group = traced->cgroup_path ? group_of(traced->cgroup, traced->cgroup_path) : NULL;
	parents = array_at(ring, layout->parents, &size);
	traced->nr_parents = parents ? size / sizeof(struct parent) : 0;
	if (traced->nr_parents > MOST_PARENTS)
		traced->nr_parents = MOST_PARENTS;
	if (traced->nr_parents)
		memcpy(ring->parents, parents, traced->nr_parents * sizeof(struct parent));
	/* One may have ended while the kernel collected them. */
	while (traced->nr_parents && !ring->parents[traced->nr_parents - 1].pid)
		traced->nr_parents--;
	traced->parents = ring->parents;
}

/* Decode the last event. */
static void decode(struct ring *ring, enum event kind)
{
	const struct layout *layout = &ring->layouts[kind];
	struct traced *traced = &ring->traced;
	const unsigned char *event = ring->last, *to = event + layout->sockaddr;
	struct record *record = &traced->record;
	unsigned short family;

	memcpy(&family, to, sizeof(family));
	/* The event before may have told more. */
	*traced = (struct traced){ };
	record->pid = get_u32(event + layout->pid);
	record->uid = get_u32(event + layout->uid);
	memcpy(record->comm, event + layout->comm, COMM_LEN);
	record->family = family;
	record->port = get_address(to, family, record->addr);
	if (family == AF_INET6)
		record->scope = get_u32(to + offsetof(struct sockaddr_in6, sin6_scope_id));
	traced->known = kind == EVENT_ORIGIN ? JSON_LEAN | JSON_ORIGIN : JSON_LEAN;
	traced->result = get_u32(event + layout->ret);
	traced->netns = get_u32(event + layout->netns);
	traced->cgroup = get_u64(event + layout->cgroup);
	if (kind == EVENT_ORIGIN)
		decode_origin(ring, layout);
}

/* Another ring of this process must not use the same numbers. */
static unsigned int new_content(void)
{
	static unsigned int content;

	return ++content ?: ++content;
}

/* Returns true if this event says the same about its process as the last event. */
static bool is_same_process(const struct ring *ring, const struct cpu *cpu,
			    const struct layout *layout)
{
	const unsigned char *now = cpu->event, *last = ring->last;
	size_t arrays = layout->source + sizeof(struct sockaddr_in6);

	return !memcmp(now + layout->pid, last + layout->pid, 4) &&
	       !memcmp(now + layout->uid, last + layout->uid, 4) &&
	       !memcmp(now + layout->comm, last + layout->comm, COMM_LEN) &&
	       !memcmp(now + layout->cgroup, last + layout->cgroup, 8) &&
	       (!layout->start ||
		(!memcmp(now + layout->start, last + layout->start, 8) &&
		 !memcmp(now + layout->tid, last + layout->tid, 4) &&
		 !memcmp(now + layout->ppid, last + layout->ppid, 4) &&
		 !memcmp(now + arrays, last + arrays, cpu->length - arrays)));
}

/*
 * In a burst, most events are like the one before: from the same process, to the same destination.
 * What differs comes first (src/trace.h). So decode the rest only if it differs.
 */
static const struct traced *take_connection(struct ring *ring, const struct cpu *cpu,
					    enum event kind)
{
	const struct layout *layout = &ring->layouts[kind];
	struct traced *traced = &ring->traced;
	bool is_alike = cpu->length == ring->last_length && kind == ring->last_kind;
	unsigned int process = traced->process;
	unsigned short sport = 0;
	size_t rest = layout->cookie + 8;

	if (kind == EVENT_ORIGIN) {
		memcpy(&sport, cpu->event + layout->sport, sizeof(sport));
		rest = layout->sport + sizeof(sport);
	}
	if (!is_alike || memcmp(cpu->event + rest, ring->last + rest, cpu->length - rest)) {
		if (!is_alike || !is_same_process(ring, cpu, layout))
			process = new_content();
		memcpy(ring->last, cpu->event, cpu->length);
		ring->last_length = cpu->length;
		ring->last_kind = kind;
		decode(ring, kind);
		traced->content = new_content();
		traced->process = process;
	}
	traced->nsec = cpu->stamp + ring->offset;
	traced->cookie = get_u64(cpu->event + layout->cookie);
	traced->sport = sport;
	return traced;
}

/* Returns true if two results differ only in what @content leaves out. */
static bool is_same(const struct traced *a, const struct traced *b)
{
	return !memcmp(&a->record, &b->record, sizeof(a->record)) && a->result == b->result &&
	       a->netns == b->netns && a->cgroup == b->cgroup && a->known == b->known &&
	       !memcmp(a->source, b->source, sizeof(a->source));
}

/* Returns NULL if nobody expects it: the connection is not wanted, or failed at once. */
static const struct traced *take_result(struct ring *ring, const struct cpu *cpu)
{
	const struct layout *layout = &ring->layouts[EVENT_RESULT];
	struct traced traced;
	unsigned short sport, family;

	if (!ring->begun ||
	    !begun_take(ring->begun, get_u64(cpu->event + layout->cookie), &traced))
		return NULL;
	memcpy(&family, cpu->event + layout->family, sizeof(family));
	memcpy(&sport, cpu->event + layout->sport, sizeof(sport));
	traced.latency = cpu->stamp + ring->offset - traced.nsec;
	traced.nsec = cpu->stamp + ring->offset;
	traced.sport = sport;
	traced.result = get_u32(cpu->event + layout->ret);
	traced.known = JSON_LEAN | JSON_OF_RESULT | JSON_BIT(JSON_SPORT);
	if (family == traced.record.family) {
		get_address(cpu->event + layout->source, family, traced.source);
		traced.known |= JSON_BIT(JSON_SADDR);
	}
	traced.content = is_same(&traced, &ring->result) ? ring->result.content : new_content();
	ring->result = traced;
	return &ring->result;
}

/* Returns NULL if the event is not ours, or is of no use. */
static const struct traced *take_event(struct ring *ring, const struct cpu *cpu)
{
	unsigned short type = cpu->event[0] | cpu->event[1] << 8;
	enum event kind = EVENT_LEAN;

	while (kind < NR_EVENTS && (ring->layouts[kind].type != type ||
				    cpu->length < ring->layouts[kind].least))
		kind++;
	if (kind == NR_EVENTS || cpu->length > EVENT_MOST)
		return NULL;
	return kind == EVENT_RESULT ? take_result(ring, cpu) : take_connection(ring, cpu, kind);
}

/**
 * ring_next() - read the next connection or result
 * @ring: the buffers
 *
 * Return: it, which is valid until the next call, or NULL if there are no more since ring_begin().
 */
const struct traced *ring_next(struct ring *ring)
{
	struct cpu *cpu = ring->current;
	const struct traced *traced;

	do {
		if (!cpu || !cpu->event || cpu->stamp > ring->until) {
			choose(ring);
			cpu = ring->current;
			if (!cpu)
				return NULL;
		}
		traced = take_event(ring, cpu);
		if (!traced)
			ring->left_out++;
		next_event(cpu);
		if (!cpu->event)
			load_page(ring, cpu);
	} while (!traced);
	return traced;
}

/**
 * ring_expect_result() - let ring_next() return the result of a connection
 * @ring: the buffers
 * @traced: the connection
 * @label: what the result is to have as its @label; it must remain valid
 *
 * If results are not read, or the connection failed at once, this does nothing.
 */
void ring_expect_result(struct ring *ring, const struct traced *traced, const char *label)
{
	if (ring->begun && !traced->result && !json_is_result(traced))
		begun_add(ring->begun, traced, label);
}

/**
 * ring_left_out() - find out how many events were of no use
 * @ring: the buffers
 *
 * These are results that nobody expects. The kernel counts them as read.
 *
 * Return: how many since the last call.
 */
unsigned long long ring_left_out(struct ring *ring)
{
	unsigned long long left_out = ring->left_out;

	ring->left_out = 0;
	return left_out;
}

/**
 * ring_lacks_records() - find out whether records have been lost since the last call
 * @ring: the buffers
 *
 * Return: true if some were lost, see ring_totals().
 */
bool ring_lacks_records(struct ring *ring)
{
	bool lacks = ring->lacks;

	ring->lacks = false;
	return lacks;
}

static unsigned long long take_count(const char *stats, const char *name)
{
	unsigned long long count = 0;
	const char *line = strstr(stats, name);

	if (!line || !take_number(line + strlen(name), ULLONG_MAX, &count))
		die(EXIT_FAILED, "the kernel's statistics of a buffer have an unknown format");
	return count;
}

/**
 * ring_totals() - read the kernel's counts
 * @ring: the buffers
 *
 * Return: the counts of all CPUs.
 */
struct ring_totals ring_totals(const struct ring *ring)
{
	struct ring_totals totals = { };
	char file[64], *stats;

	for (int i = 0; i < ring->nr_cpus; i++) {
		sprintf(file, "per_cpu/cpu%d/stats", ring->cpus[i].number);
		stats = tracefs_instance_file_read(ring->instance, file, NULL);
		if (!stats)
			die_errno("cannot read the statistics of a buffer");
		totals.read += take_count(stats, "\nread events: ");
		totals.waiting += take_count(stats, "entries: ");
		/* The oldest are overwritten, and one within another may not be written. */
		totals.lost += take_count(stats, "\noverrun: ") +
			       take_count(stats, "\ncommit overrun: ") +
			       take_count(stats, "\ndropped events: ");
		free(stats);
	}
	return totals;
}

/* ---- Wait ---- */

/* The event that each connection has */
static const char *main_event(const struct ring *ring)
{
	return event_names[ring->origin ? EVENT_ORIGIN : EVENT_LEAN];
}

/* While the buffers fill up, let the kernel count the connections of each process. */
static void watch_crowd(struct ring *ring)
{
	bool half_full = false;

	for (int i = 0; i < ring->nr_cpus; i++)
		half_full |= ring->cpus[i].pages >= ring->pages / 2;
	if (half_full) {
		if (!ring->crowded)
			ring->counting = busiest_count(ring->instance, main_event(ring),
						       ring->filter);
		ring->crowded = clock_nsec(CLOCK_BOOTTIME);
	} else if (ring->crowded && clock_nsec(CLOCK_BOOTTIME) - ring->crowded > CROWDED) {
		if (ring->counting)
			busiest_stop(ring->instance, main_event(ring));
		ring->counting = false;
		ring->crowded = 0;
	}
}

/**
 * ring_busiest() - find the process that has made the most connections since the buffers filled up
 * @ring: the buffers
 * @busiest: where to store the process
 *
 * Return: false if it is not known.
 */
bool ring_busiest(struct ring *ring, struct busiest *busiest)
{
	return ring->counting && busiest_find(ring->instance, main_event(ring), busiest);
}

/**
 * ring_wait() - wait until it is time for ring_begin()
 * @ring: the buffers
 * @timeout: how long to wait at most, in milliseconds; -1 for no limit
 *
 * Return: false if the program should end, see io_has_ended().
 */
bool ring_wait(struct ring *ring, int timeout)
{
	bool goes_on;

	watch_crowd(ring);
	if (!ring->busy)
		return io_wait(&ring->first, 1, timeout);
	if (timeout < 0 || timeout > INTERVAL)
		timeout = INTERVAL;
	goes_on = io_wait(ring->fds, ring->nr_cpus, timeout);
	/* A CPU that has never been online has no buffer (ring_buffer_poll_wait()). */
	for (int i = 0; i < ring->nr_cpus; i++)
		if (ring->fds[i].revents & POLLERR)
			ring->fds[i].fd = -1;
	return goes_on;
}

/* ---- Close ---- */

/**
 * ring_stop() - disable the trace events, so that no more records come
 * @ring: the buffers
 */
void ring_stop(struct ring *ring)
{
	for (enum event kind = EVENT_LEAN; kind < NR_EVENTS; kind++)
		if (is_on(ring, kind) &&
		    tracefs_event_disable(ring->instance, MODULE, event_names[kind]))
			die_errno("cannot disable the trace event");
}

/**
 * ring_close() - stop reading
 * @ring: the buffers. The instance and its records stay, so that ring_open() can continue.
 */
void ring_close(struct ring *ring)
{
	for (int i = 0; i < ring->nr_cpus; i++) {
		close(ring->cpus[i].fd);
		free(ring->cpus[i].page);
	}
	close(ring->first.fd);
	free(ring->cpus);
	free(ring->fds);
	free(ring);
}
