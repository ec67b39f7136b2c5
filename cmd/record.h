/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A record of tcp_connect_logger, parsed from the log; see tcp_connect_logger(4).
 */
#ifndef RECORD_H
#define RECORD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/** define COMM_LEN - size of a process's name with its NUL: the kernel's TASK_COMM_LEN */
#define COMM_LEN	16

/** define PRINTABLE_LEN - size of a name with every byte escaped as \xNN, with its NUL */
#define PRINTABLE_LEN	(4 * (COMM_LEN - 1) + 1)

/** define DESTINATION_LEN - size of the longest destination: [ADDRESS%SCOPE]:PORT */
#define DESTINATION_LEN	(INET6_ADDRSTRLEN + sizeof("[%4294967295]:65535"))

/**
 * struct record - an outbound connection
 * @pid: process ID in the initial pid namespace
 * @uid: user ID in the initial user namespace
 * @comm: unescaped name of the process; may contain any bytes
 * @family: AF_INET or AF_INET6
 * @addr: destination address in network byte order; IPv4 uses the first 4 bytes
 * @scope: interface index of a link-local address, or 0
 * @port: destination port
 */
struct record {
	int pid;
	unsigned int uid;
	char comm[COMM_LEN];
	int family;
	unsigned char addr[sizeof(struct in6_addr)];
	unsigned int scope;
	unsigned int port;
};

bool record_parse(const char *line, struct record *record);
const char *record_address(const struct record *record, char text[DESTINATION_LEN]);
const char *record_destination(const struct record *record, char text[DESTINATION_LEN]);
const char *record_printable_comm(const char *comm, char text[PRINTABLE_LEN]);

bool parse_number(const char *text, unsigned long most, unsigned long *value);

#endif /* RECORD_H */
