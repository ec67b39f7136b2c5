/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * What recorders have done since the machine booted.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "record.h"
#include "store.h"

/** define RECORDER_INSTANCE - the recorder's trace instance */
#define RECORDER_INSTANCE	NAME "-record"

/** define RECORDER_RUN - what a recorder leaves to the next one */
#define RECORDER_RUN		"/run/" NAME "-record"

/**
 * struct progress - what has been done with the records of the trace instance
 * @mark: what has been written to files
 * @sent: how many records the journal has taken
 * @skipped: how many records were not wanted, though the kernel had let them through
 * @read: the kernel's count of read records when the recorder began with the instance
 * @done: the sum of the first three then
 * @lost: the kernel's count of lost records, as far as it has been reported
 * @overrun: how many connections were lost because the buffer was full, since the machine booted
 * @dropped: how many were lost because they could not be written
 * @results: how many results of each kind there were
 * @unknown_results: how many results will not be known
 * @unknown_command_lines: how many command lines could not be found
 *
 * It is in /run, because it is about an instance that is gone after a boot. The kernel's counts and
 * these show the next recorder what a killed one had read and not written.
 */
struct progress {
	struct store_mark mark;
	unsigned long long sent, skipped, read, done, lost, overrun, dropped;
	unsigned long long results[NR_RESULTS], unknown_results, unknown_command_lines;
};

/**
 * struct recorder_counts - the sums
 * @stored: connections that were stored
 * @overrun: connections that were lost because the buffer was full
 * @dropped: connections that were lost because they could not be written
 * @results: results of each kind
 * @unknown_results: results that will not be known
 * @unknown_command_lines: command lines that could not be found
 */
struct recorder_counts {
	unsigned long long stored, overrun, dropped;
	unsigned long long results[NR_RESULTS], unknown_results, unknown_command_lines;
};

struct progress *progress_open(void);
pid_t progress_recorder(void);
bool progress_counts(struct recorder_counts *counts);

#endif /* PROGRESS_H */
