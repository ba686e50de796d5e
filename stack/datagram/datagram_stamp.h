/* SPDX-License-Identifier: MIT */
/*
 * datagram_stamp.h - SO_TIMESTAMPING of datagrams that are sent: who wants to know when one left is told in its queue
 * of errors (MSG_ERRQUEUE), with the packet (Documentation/networking/timestamping.rst of Linux, section 1.3 and 2.1).
 */
#ifndef STACK_DATAGRAM_DATAGRAM_STAMP_H
#define STACK_DATAGRAM_DATAGRAM_STAMP_H

#include <stdbool.h>
#include <stdint.h>

struct frame;
struct ip_parameters;
struct socket;
struct socket_message;
struct stack;

/* Of the datagram that is being sent. */
struct datagram_stamp {
    struct socket *socket;
    uint32_t stamps; /* SOF_TIMESTAMPING_* */
    uint32_t key;    /* that is told with them */
    bool told;       /* its first packet has left: others are not told of */
};

/* What is wanted of a datagram that begins to be sent, good until the next one does; NULL: nothing. */
struct datagram_stamp *datagram_stamp(struct stack *stack, struct socket *socket,
                                      const struct socket_message *message);

/* A packet of it leaves, in a frame that has its IP header. */
void datagram_leaves(struct stack *stack, const struct frame *frame, const struct ip_parameters *parameters);

#endif
