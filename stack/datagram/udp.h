/* SPDX-License-Identifier: MIT */
/*
 * udp.h - UDP (RFC 768), and UDP-Lite (RFC 3828, udplite(7)), which differs in what the checksum covers and
 * in its ports being its own.
 */
#ifndef STACK_DATAGRAM_UDP_H
#define STACK_DATAGRAM_UDP_H

#include "stack/base/wire.h"
#include "stack/datagram/datagram.h"
#include "stack/socket.h"

/* Linux's net/udplite.h, which is in no header for programs. */
#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11

#define UDP_SEGMENTS_MAX 128u /* UDP_MAX_SEGMENTS, of UDP_SEGMENT */

static inline bool udp_is(const struct socket *socket) {
    return socket->type == SOCK_DGRAM && (socket->datagram->binding.protocol == IP_PROTOCOL_UDP ||
                                          socket->datagram->binding.protocol == IP_PROTOCOL_UDPLITE);
}

/* A datagram that is written little by little: UDP_CORK, MSG_MORE. */
struct udp_cork {
    struct socket_message first; /* what the first write said; the others' addresses don't count */
    struct byte_queue payload;
};

/* Sends what is corked. Returns 0 or a negative errno. */
int udp_uncork(struct stack *stack, struct socket *socket);

/* Drops it. */
void udp_cork_drop(struct stack *stack, struct socket *socket);

void udp_input(struct stack *stack, struct ip_packet *packet);

/* Sends a datagram, or several of a given size (UDP_SEGMENT). Returns the bytes sent or a negative errno
 * (EMSGSIZE, ENETUNREACH, ENOBUFS, EACCES, EINVAL). */
ssize_t udp_send(struct stack *stack, struct socket *socket, const struct socket_message *message,
                 uint32_t length);

/* Sends the frame of frame_begin, which has its payload. `coverage` is UDP-Lite's, or NULL. */
int udp_output(struct stack *stack, struct frame *frame, uint16_t source_port, uint16_t destination_port,
               const struct ip_parameters *parameters, const struct udp_coverage *coverage);

/* What ip_error found to be a datagram of ours. */
void udp_error(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error);

#endif
