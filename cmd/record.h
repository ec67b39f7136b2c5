/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A record of tcp_connect_logger, as it is in the log: tcp_connect_logger(4).
 */
#ifndef RECORD_H
#define RECORD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/** define COMM_LEN - of a process's name, with its NUL; TASK_COMM_LEN of the kernel */
#define COMM_LEN	16

/** define PRINTABLE_LEN - room for a name of which every byte is written as \xNN */
#define PRINTABLE_LEN	(4 * (COMM_LEN - 1) + 1)

/** define DESTINATION_LEN - room for the longest destination: [ADDRESS%SCOPE]:PORT */
#define DESTINATION_LEN	(INET6_ADDRSTRLEN + sizeof("[%4294967295]:65535"))

/**
 * struct record - an outbound connection
 * @pid: process, in the initial pid namespace
 * @uid: user, in the initial user namespace
 * @comm: the name as the process has it: any bytes
 * @family: AF_INET or AF_INET6
 * @addr: destination, in network order; the first 4 bytes of it for IPv4
 * @scope: index of the interface of a link-local address, or 0
 * @port: destination's port
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
