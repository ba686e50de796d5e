/* SPDX-License-Identifier: MIT */
/*
 * netlink_answer.h - what the kernel would answer to netlink(7) requests, if the stack were its own.
 */
#ifndef SHIM_LIBRARY_NETINFO_NETLINK_ANSWER_H
#define SHIM_LIBRARY_NETINFO_NETLINK_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Answers all messages of a request that came from `port`, of the protocol NETLINK_ROUTE or
 * NETLINK_SOCK_DIAG: each datagram of the answer is given to `deliver`. `strict` is what the socket's
 * NETLINK_GET_STRICT_CHK says. The lock is not held. False: memory is out. */
bool netlink_answer(int protocol, const uint8_t *request, size_t length, uint32_t port, bool strict,
                    void (*deliver)(void *context, const void *bytes, size_t length), void *context);

#endif
