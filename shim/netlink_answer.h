/*
 * netlink_answer.h - what rtnetlink(7) would answer, if the stack's interface, addresses, routes and
 * neighbours were the kernel's.
 */
#ifndef SHIM_NETLINK_ANSWER_H
#define SHIM_NETLINK_ANSWER_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Answers all messages of a request that came from `port`: each datagram of the answer is given to `deliver`.
 * `strict` is what the socket's
 * NETLINK_GET_STRICT_CHK says. What would change something is EPERM, what is not known EOPNOTSUPP. The lock
 * is not held. False: memory is out. */
bool netlink_answer(const uint8_t *request, size_t length, uint32_t port, bool strict,
                    void (*deliver)(void *context, const void *bytes, size_t length), void *context);

/* A request's attribute behind a header of that size, if it is there and at least so long. */
const void *netlink_attribute(const struct nlmsghdr *request, size_t header, uint16_t type, size_t least);

#endif
