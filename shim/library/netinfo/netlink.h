/* SPDX-License-Identifier: MIT */
/*
 * netlink.h - rtnetlink(7) and sock_diag(7): questions about links, addresses, routes, neighbours and
 * sockets, answered with what the stack has.
 *
 * A program's NETLINK_ROUTE or NETLINK_SOCK_DIAG socket is one of the kernel's all the same, of the protocol
 * that is for users (NETLINK_USERSOCK), so that poll, close and dup are the kernel's own. What the program
 * sends to the kernel is answered at once, from a socket that this process keeps for that. The program's is
 * connected to it: nobody else can send to it.
 */
#ifndef SHIM_LIBRARY_NETINFO_NETLINK_H
#define SHIM_LIBRARY_NETINFO_NETLINK_H

#include <stdbool.h>
#include <sys/socket.h>

#include <linux/netlink.h>

/* Of the protocols of netlink those that tell of what is the stack's. */
static inline bool netlink_is_told(int protocol) {
    return protocol == NETLINK_ROUTE || protocol == NETLINK_SOCK_DIAG;
}

extern _Atomic bool netlink_any; /* this process has had such a socket */
bool netlink_known(int fd);

static inline bool netlink_is(int fd) {
    return __builtin_expect(netlink_any, 0) && netlink_known(fd);
}

/* Each as the system call is: errno and -1. */
int netlink_socket(int type, int protocol);
int netlink_bind(int fd, const struct sockaddr *address, socklen_t length);
int netlink_connect(int fd);
ssize_t netlink_send(int fd, const struct msghdr *message, int flags);
int netlink_set_option(int fd, int level, int name, const void *value, socklen_t length);
int netlink_get_option(int fd, int level, int name, void *value, socklen_t *length);

/* What has come says that it is the kernel's. */
void netlink_name_sender(void *name, socklen_t length);

/* Another descriptor for the same; some that are closed. */
void netlink_follow(int fd, int made);
void netlink_forget(unsigned first, unsigned last);

#endif
