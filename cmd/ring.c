// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Read the trace event from the ring buffer of a trace instance, page by page (trace_pipe_raw in
 * Documentation/trace/ftrace.rst). Each CPU has a buffer. The records of all CPUs are merged by
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

#include "busiest.h"
#include "command.h"
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
 * @stamp: time stamp of the next record
 * @pages: how many pages have been read since ring_begin()
 */
struct cpu {
	int number, fd;
	unsigned char *page;
	const unsigned char *next, *end, *event;
	unsigned long long stamp;
	size_t pages;
};

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
 * @offsets: where each field is in the event
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
	unsigned short type;
	struct {
		int pid, uid, netns, ret, cgroup, cookie, comm, sockaddr;
	} offsets;
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

/* tracefs_local_events_system() would also read what no event of ours needs, and keep 10 MiB. */
static void read_format(struct ring *ring)
{
	int size;
	char *text = tracefs_event_file_read(NULL, MODULE, TRACE_EVENT, "format", &size);
	struct tep_handle *tep = tep_alloc();
	struct tep_event *event = NULL;

	if (text && tep && !tep_parse_event(tep, text, size, MODULE))
		event = tep_find_event_by_name(tep, MODULE, TRACE_EVENT);
	free(text);
	if (!event)
		die(EXIT_FAILED, "cannot read the format of the trace event");
	ring->type = event->id;
	ring->offsets.pid = offset_of(event, "pid", 4);
	ring->offsets.uid = offset_of(event, "uid", 4);
	ring->offsets.netns = offset_of(event, "netns", 4);
	ring->offsets.ret = offset_of(event, "ret", 4);
	ring->offsets.cgroup = offset_of(event, "cgroup", 8);
	ring->offsets.cookie = offset_of(event, "cookie", 8);
	ring->offsets.comm = offset_of(event, "comm", COMM_LEN);
	ring->offsets.sockaddr = offset_of(event, "sockaddr", sizeof(struct sockaddr_in6));
	tep_free(tep);
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
	if (tracefs_event_file_write(ring->instance, MODULE, TRACE_EVENT, "filter",
				     filter ?: "0") < 0)
		die(EXIT_FAILED, "the kernel refuses the filter %s: %s", filter ?: "0",
		    strerror(errno));
	if (tracefs_event_enable(ring->instance, MODULE, TRACE_EVENT))
		die_errno("cannot enable the trace event");
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
 * ring_open() - enable the trace event in a trace instance, and read its buffers
 * @instance: the instance; if it existed before, reading continues there
 * @size: size of the buffers of all CPUs together, in bytes
 * @filter: the kernel's filter, which must remain valid, or NULL
 *
 * Exits on an error.
 *
 * Return: the buffers.
 */
struct ring *ring_open(struct tracefs_instance *instance, size_t size, const char *filter)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		die_errno("cannot open the buffers");
	ring->page_size = sysconf(_SC_PAGESIZE);
	read_format(ring);
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

static void decode(const struct ring *ring, const struct cpu *cpu, struct traced *traced)
{
	const unsigned char *event = cpu->event, *to = event + ring->offsets.sockaddr;
	struct record *record = &traced->record;
	unsigned short family;

	traced->nsec = cpu->stamp + ring->offset;
	traced->known = JSON_ALL;
	traced->result = get_u32(event + ring->offsets.ret);
	traced->netns = get_u32(event + ring->offsets.netns);
	traced->cgroup = get_u64(event + ring->offsets.cgroup);
	traced->cookie = get_u64(event + ring->offsets.cookie);
	record->pid = get_u32(event + ring->offsets.pid);
	record->uid = get_u32(event + ring->offsets.uid);
	memcpy(record->comm, event + ring->offsets.comm, COMM_LEN);
	memcpy(&family, to, sizeof(family));
	record->family = family;
	record->port = to[2] << 8 | to[3];
	if (family == AF_INET6) {
		memcpy(record->addr, to + offsetof(struct sockaddr_in6, sin6_addr), 16);
		record->scope = get_u32(to + offsetof(struct sockaddr_in6, sin6_scope_id));
	} else {
		memcpy(record->addr, to + offsetof(struct sockaddr_in, sin_addr), 4);
		record->scope = 0;
	}
}

/**
 * ring_next() - read the next record
 * @ring: the buffers
 * @traced: where to store it
 *
 * Return: false if there are no more since ring_begin().
 */
bool ring_next(struct ring *ring, struct traced *traced)
{
	struct cpu *cpu = ring->current;
	unsigned short type;

	do {
		if (!cpu || !cpu->event || cpu->stamp > ring->until) {
			choose(ring);
			cpu = ring->current;
			if (!cpu)
				return false;
		}
		memcpy(&type, cpu->event, sizeof(type));
		if (type == ring->type)
			decode(ring, cpu, traced);
		next_event(cpu);
		if (!cpu->event)
			load_page(ring, cpu);
	} while (type != ring->type);
	return true;
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

/* While the buffers fill up, let the kernel count the connections of each process. */
static void watch_crowd(struct ring *ring)
{
	bool half_full = false;

	for (int i = 0; i < ring->nr_cpus; i++)
		half_full |= ring->cpus[i].pages >= ring->pages / 2;
	if (half_full) {
		if (!ring->crowded)
			ring->counting = busiest_count(ring->instance, ring->filter);
		ring->crowded = clock_nsec(CLOCK_BOOTTIME);
	} else if (ring->crowded && clock_nsec(CLOCK_BOOTTIME) - ring->crowded > CROWDED) {
		if (ring->counting)
			busiest_stop(ring->instance);
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
	return ring->counting && busiest_find(ring->instance, busiest);
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
 * ring_stop() - disable the trace event, so that no more records come
 * @ring: the buffers
 */
void ring_stop(struct ring *ring)
{
	if (tracefs_event_disable(ring->instance, MODULE, TRACE_EVENT))
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
