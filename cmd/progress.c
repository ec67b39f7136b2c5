// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * What recorders have done since the machine booted. Everybody may read the file. If it was also
 * the one that is locked, everybody could lock it, and no recorder could start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "command.h"
#include "progress.h"

#define PROGRESS	RECORDER_RUN "/progress"
#define LOCK		RECORDER_RUN "/lock"

/**
 * progress_recorder() - find the recorder
 *
 * This needs no permission.
 *
 * Return: its process ID, or 0 if there is none.
 */
pid_t progress_recorder(void)
{
	char *locks = read_text("/proc/locks"), *rest = locks, *line;
	struct stat file;
	pid_t process = 0;

	if (stat(LOCK, &file))
		file.st_ino = 0;
	while (file.st_ino && rest && (line = strsep(&rest, "\n"))) {
		unsigned int major, minor;
		unsigned long inode;
		int pid;

		/* 1: POSIX  ADVISORY  WRITE 1234 00:1a:567 0 EOF */
		if (sscanf(line, "%*u: POSIX ADVISORY WRITE %d %x:%x:%lu", &pid, &major, &minor,
			   &inode) == 4 &&
		    makedev(major, minor) == file.st_dev && inode == file.st_ino)
			process = pid;
	}
	free(locks);
	return process;
}

/**
 * progress_counts() - find out what recorders have done since the machine booted
 * @counts: where to store it
 *
 * Return: false if none has run, or if this is not known.
 */
bool progress_counts(struct recorder_counts *counts)
{
	int fd = open(PROGRESS, O_RDONLY | O_CLOEXEC);
	struct progress progress;
	bool known = fd >= 0 &&
		     read(fd, &progress, sizeof(progress)) == sizeof(progress);

	if (fd >= 0)
		close(fd);
	if (!known)
		return false;
	counts->stored = store_written(&progress.mark) + progress.sent;
	counts->overrun = progress.overrun;
	counts->dropped = progress.dropped;
	memcpy(counts->results, progress.results, sizeof(counts->results));
	counts->unknown_results = progress.unknown_results;
	counts->unknown_command_lines = progress.unknown_command_lines;
	return true;
}

/**
 * progress_open() - become the only recorder, because all of them would read the same instance
 *
 * Exits on an error.
 *
 * Return: what earlier recorders have done, and where to note what this one does.
 */
struct progress *progress_open(void)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	mode_t mask = umask(022);
	struct progress *progress;
	int fd, lock;

	if (mkdir(RECORDER_RUN, 0755) && errno != EEXIST)
		die_errno("cannot create " RECORDER_RUN);
	lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0)
		die_errno("cannot open " LOCK);
	if (fcntl(lock, F_SETLK, &whole)) {
		pid_t other = progress_recorder();

		die(EXIT_FAILED, "another recorder, process %d, is running.", other);
	}
	/* Keep the file open: closing it would release the lock. */

	fd = open(PROGRESS, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		die_errno("cannot open " PROGRESS);
	if (ftruncate(fd, sizeof(*progress)))
		die_errno("cannot write " PROGRESS);
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (progress == MAP_FAILED)
		die_errno("cannot map " PROGRESS);
	close(fd);
	umask(mask);
	return progress;
}
