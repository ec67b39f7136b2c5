/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Find out what prevents loading and unloading modules.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <stdbool.h>

#include "state.h"

struct kmod_ctx;

bool in_chroot_or_container(void);
bool may_use_modules(void);
bool modules_are_disabled(void);
char *modprobe_refuses(struct kmod_ctx *context);
char *why_kernel_refused(const struct installed *installed, int error, char **advice);

/* Pure functions, for the unit tests */
bool has_directive(const char *text, const char *directive, const char *module);
bool word_in_list(const char *text, const char *parameter, const char *word);
bool known_key(const char *keys, const char *signer, const char *id);
char *subject_key_id(const unsigned char *certificate, size_t size);
bool has_serial(const unsigned char *certificate, size_t size, const char *serial);
char *last_option(const char *options, const char *name);

#endif /* ENVIRONMENT_H */
