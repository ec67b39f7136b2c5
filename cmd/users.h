/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * Look up the names of users.
 */
#ifndef USERS_H
#define USERS_H

#include <stdbool.h>
#include <sys/types.h>

/** define USER_LEN - size of the longest name and its NUL; longer names are truncated */
#define USER_LEN	257

bool user_name(uid_t uid, char name[USER_LEN]);

#endif /* USERS_H */
