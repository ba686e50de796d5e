/* SPDX-License-Identifier: MIT */
/*
 * netlink_message.h - making netlink(7) messages, and reading requests.
 */
#ifndef SHIM_REGION_NETLINK_MESSAGE_H
#define SHIM_REGION_NETLINK_MESSAGE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An answer to one request: messages, in zero-filled memory. */
struct netlink_answer {
    uint8_t *bytes;
    size_t used, room;
    const struct nlmsghdr *request;
    uint32_t port;
    bool strict;    /* NETLINK_GET_STRICT_CHK: a dump's request may say which it wants */
    bool filtered;  /* ... and has */
    size_t message; /* where the message begins that is being made */
    bool full;
};

/* Begins a message of the answer with a header of its type's; then come its attributes, then its end. One
 * that does not fit is left away, whole. */
void netlink_begin(struct netlink_answer *answer, uint16_t type, const void *header, size_t length);
void netlink_put(struct netlink_answer *answer, uint16_t type, const void *value, size_t length);
void netlink_put_u8(struct netlink_answer *answer, uint16_t type, uint8_t value);
void netlink_put_u32(struct netlink_answer *answer, uint16_t type, uint32_t value);
void netlink_put_address(struct netlink_answer *answer, uint16_t type, uint32_t host);
void netlink_put_text(struct netlink_answer *answer, uint16_t type, const char *text);
void netlink_end(struct netlink_answer *answer);

/* Attributes in an attribute: what begins gives the place that ends. */
size_t netlink_begin_nest(struct netlink_answer *answer, uint16_t type);
void netlink_end_nest(struct netlink_answer *answer, size_t place);

/* How an answer ends: an error or an acknowledgment (0); a dump's last message. */
void netlink_tell_error(struct netlink_answer *answer, int error);
void netlink_tell_done(struct netlink_answer *answer, int result);

/* A request's attribute behind a header of that size, if it is there and at least so long. */
const void *netlink_attribute(const struct nlmsghdr *request, size_t header, uint16_t type, size_t least);

/* The same of a text, which need not end in a zero. One that is longer than `room` has place for, with a zero, is no
 * name that anything has: it is given as "". */
bool netlink_text(const struct nlmsghdr *request, size_t header, uint16_t type, char *text, size_t room);
bool netlink_attributes_make_sense(const struct nlmsghdr *request, size_t header);

/* The messages of `left` bytes in turn, of which a whole one is there: for (...; netlink_is_whole(message,
 * left); message = netlink_next(message, &left)). (NLMSG_OK and NLMSG_NEXT take more than there is where the
 * last message has a length that is no multiple of four.) */
bool netlink_is_whole(const struct nlmsghdr *message, size_t left);
struct nlmsghdr *netlink_next(const struct nlmsghdr *message, size_t *left);

/* A request's body, of which a short one has what it has. */
void netlink_body(const struct nlmsghdr *request, void *body, size_t size);

#endif
