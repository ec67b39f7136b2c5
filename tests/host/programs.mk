# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# programs.mk - compile programs in $(dir) for check.sh: the unit tests, the fuzzers, the command,
# and the programs of the tests in guests

warnings = -Wall -Wextra -Werror
sanitize = -fsanitize=address,undefined -fno-sanitize-recover=all
parsers = cmd/filter.c cmd/groups.c cmd/histogram.c cmd/history.c cmd/json.c cmd/message.c \
	cmd/record.c cmd/store.c cmd/text.c cmd/when.c
guest = connect storm cost nap origin sequence
# Instead of /dev/kmsg, these commands read what tests/host/feed.c writes.
kmsg = '-DKMSG=\"/proc/self/fd/9\"'

programs = unit unit-plain command fuzz feed tools kmsg valgrind $(guest)
CC = gcc
host = $(CC) -std=gnu11 -D_GNU_SOURCE -g $(warnings) -pthread -o $(dir)/$@

list:
	@echo $(programs)

.PHONY: list $(programs)

unit: cflags = -O1 $(sanitize)
unit-plain: cflags = -O1
unit unit-plain:
	$(host) $(cflags) tests/host/unit.c cmd/command.c cmd/io.c $(parsers) -ljansson

command:
	$(host) -O1 $(sanitize) -DVERSION='"1"' -DMAINTAIN='"/none"' tests/host/command.c \
		cmd/environment.c cmd/state.c cmd/progress.c cmd/command.c cmd/text.c \
		$$(pkg-config --cflags --libs libkmod)

fuzz: CC = clang
fuzz:
	$(host) -O1 $(sanitize) -fsanitize=fuzzer tests/host/fuzz.c cmd/command.c cmd/io.c cmd/names.c \
		cmd/users.c $(parsers) -ljansson

feed:
	$(host) -O2 tests/host/feed.c

$(guest):
	$(CC) -O2 $(warnings) -pthread -o $(dir)/$@ tests/guest/$@.c

# Linking $(dir)/tools/linked checks that the libraries have all functions that cmd/lazy.c loads.
tools:
	$(MAKE) tools $(dir)/tools/linked build=$(dir)/tools CFLAGS="-O2 -g -Werror"

kmsg:
	$(MAKE) tools build=$(dir)/kmsg CPPFLAGS=$(kmsg) CFLAGS="-O1 -g -Werror $(sanitize)" \
		LDFLAGS="$(sanitize)"

valgrind:
	$(MAKE) tools build=$(dir)/valgrind CPPFLAGS=$(kmsg) CFLAGS="-O0 -g -Werror"
