/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (C) 2026 tcp-connect-logger maintainers */
/*
 * The destination of a connection, from the arguments of the replaced functions.
 */
#ifndef TCL_DESTINATION_H
#define TCL_DESTINATION_H

#include "compat.h"

#include <linux/in.h>
#include <linux/in6.h>
#include <net/ipv6.h>
#include <net/sock.h>

/**
 * union tcl_destination - where a connection goes
 * @sa: either of them; its sa_family tells which
 * @in: an IPv4 address, also if it came as an IPv4-mapped IPv6 address
 * @in6: any other IPv6 address; only a link-local one has a scope ID
 */
union tcl_destination {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static inline void tcl_set_v4(union tcl_destination *to, __be32 addr, __be16 port)
{
	to->in = (struct sockaddr_in) {
		.sin_family = AF_INET,
		.sin_port = port,
		.sin_addr.s_addr = addr,
	};
}

/**
 * tcl_destination_v4() - find the destination of a call of tcp_v4_connect()
 * @to: where to store it
 * @sk: the socket
 * @uaddr: the destination, in kernel memory
 * @addr_len: size of @uaddr in bytes
 *
 * Ignores what the original refuses, and checks in the same order: @uaddr may
 * be read only if @addr_len is large enough. Ignores IPv6 sockets too: for an
 * IPv4-mapped address, tcp_v6_connect() calls tcp_v4_connect()
 * (net/ipv6/tcp_ipv6.c), and tcl_destination_v6() has found that connection.
 *
 * Return: true if the call is a connection to record.
 */
static inline bool tcl_destination_v4(union tcl_destination *to, const struct sock *sk,
				      const void *uaddr, int addr_len)
{
	const struct sockaddr_in *in = uaddr;

	if (sk->sk_family != AF_INET || addr_len < (int)sizeof(*in) || in->sin_family != AF_INET)
		return false;

	tcl_set_v4(to, in->sin_addr.s_addr, in->sin_port);
	return true;
}

static inline bool tcl_is_linklocal(const struct in6_addr *addr)
{
	return (addr->s6_addr32[0] & htonl(0xffc00000)) == htonl(0xfe800000);
}

/**
 * tcl_destination_v6() - find the destination of a call of tcp_v6_connect()
 * @to: where to store it
 * @sk: the socket
 * @uaddr: the destination, in kernel memory
 * @addr_len: size of @uaddr in bytes; without a scope ID, 24 are enough
 *
 * The destination is a copy, because the original overwrites the address :: in
 * @uaddr (net/ipv6/tcp_ipv6.c).
 *
 * Return: true if the call is a connection to record.
 */
static inline bool tcl_destination_v6(union tcl_destination *to, const struct sock *sk,
				      const void *uaddr, int addr_len)
{
	const struct sockaddr_in6 *in6 = uaddr;

	if (addr_len < SIN6_LEN_RFC2133 || in6->sin6_family != AF_INET6)
		return false;

	if (ipv6_addr_v4mapped(&in6->sin6_addr)) {
		tcl_set_v4(to, in6->sin6_addr.s6_addr32[3], in6->sin6_port);
		return true;
	}

	to->in6 = (struct sockaddr_in6) {
		.sin6_family = AF_INET6,
		.sin6_port = in6->sin6_port,
		.sin6_addr = in6->sin6_addr,
	};
	if (tcl_is_linklocal(&in6->sin6_addr)) {
		if (addr_len >= (int)sizeof(*in6))
			to->in6.sin6_scope_id = in6->sin6_scope_id;
		if (!to->in6.sin6_scope_id)
			to->in6.sin6_scope_id = sk->sk_bound_dev_if;
	}
	return true;
}

#endif /* TCL_DESTINATION_H */
