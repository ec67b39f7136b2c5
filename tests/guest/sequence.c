// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * sequence FROM TO - make the connections with the numbers FROM to TO - 1, each to a different
 * address, so that a test can tell them apart. Connection N goes to the Nth address, counted from 0,
 * in 198.18.0.0/15 (the network of RFC 2544, which must have no route).
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 3 || atoi(argv[1]) < 0 || atoi(argv[2]) > 1 << 17)
		errx(2, "usage: sequence FROM TO, at most %d", 1 << 17);
	if (fd < 0)
		err(1, "socket");
	for (int i = atoi(argv[1]); i < atoi(argv[2]); i++) {
		to.sin_addr.s_addr = htonl(0xc6120000 + i);
		if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
			errx(1, "connected");
	}
	return 0;
}
