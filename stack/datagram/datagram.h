/* SPDX-License-Identifier: MIT */
/*
 * datagram.h - what UDP, ping and raw sockets have in common: a bounded queue of received datagrams, and one
 * of errors (IP_RECVERR).
 */
#ifndef STACK_DATAGRAM_DATAGRAM_H
#define STACK_DATAGRAM_DATAGRAM_H

#include "stack/ip/icmp.h"
#include "stack/ip/port.h"
#include <sys/socket.h>

struct socket;
struct filter_view;
struct socket_message;
struct udp_cork;

/* A received datagram in its socket's queue; or in the queue of errors, what an error quotes of a sent one.
 */
struct datagram {
    struct list link;
    struct ip_address source, destination; /* of an error: where the datagram was sent to is in `source` */
    uint16_t source_port;
    uint8_t ttl, tos, first_extension;
    uint32_t flow_label;       /* of IPv6 */
    uint32_t longest_fragment; /* see struct ip_packet */
    uint64_t received_ns;
    uint32_t drops; /* of the socket, until then: SO_RXQ_OVFL */
    uint32_t length;
    uint16_t buffers; /* in chain */
    struct ip_options options;
    bool peeked; /* by MSG_PEEK, at least once */
    struct buffer *chain;
    struct icmp_error error; /* origin 0: none */
};

/* UDP-Lite's checksum coverage, header included (UDPLITE_SEND_CSCOV, UDPLITE_RECV_CSCOV): bytes, 0: all. */
struct udp_coverage {
    bool asked; /* else it is as UDP's */
    uint16_t bytes;
};

/* What a socket has that is no stream. */
struct datagram_state {
    struct socket *socket;      /* whose it is */
    struct binding binding;     /* of a ping socket the port is its ident */
    struct hash_link port_link; /* in stack->datagram_sockets */
    struct list raw_link;       /* in stack->raw_sockets */
    struct list blocked_link;   /* in stack->blocked, or in no list */
    struct list queue;          /* of struct datagram: received */
    struct list memberships;    /* of struct multicast_membership */
    struct udp_cork *cork;      /* or NULL */
    struct ip_address remote_address;
    uint16_t remote_port;
    uint16_t segment;           /* UDP_SEGMENT; 0: none */
    uint16_t ip_identification; /* of the next packet, while it is connected */
    uint32_t icmp_filter;       /* a bit a type that is not wanted */
    uint32_t icmp6_filter[8];   /* the same of ICMPv6: ICMP6_FILTER */
    int32_t checksum_offset;    /* IPV6_CHECKSUM, of a raw socket; -1: none */
    bool address_by_connect;
    struct udp_coverage sends, accepts; /* of UDP-Lite */
    uint32_t drops;
    uint64_t stamp_ns; /* when the last that was read had come: SIOCGSTAMP; 0: none was read */
};

/* Makes a new socket one for datagrams of a protocol. Returns 0 or -ENOBUFS. */
int datagram_begin(struct stack *stack, struct socket *socket, uint8_t protocol);

/* The socket ends: gives all of it back. */
void datagram_end(struct stack *stack, struct socket *socket);

/* How much of a socket's limit a datagram takes. */
static inline uint32_t datagram_weight(uint32_t length) {
    return length + BUFFER_BYTES / 4;
}

/* Puts a packet into a socket's queue; takes its chain. False: there is no room, the chain is still the
 * packet's. */
bool datagram_queue(struct stack *stack, struct socket *socket, struct ip_packet *packet,
                    uint16_t source_port);

/* Tells a socket of an error, as udp(7) and IP_RECVERR of ip(7) say. `payload`: where the program's own part of what is
 * quoted begins. */
void datagram_error(struct stack *stack, struct socket *socket, const struct icmp_error *error,
                    const struct icmp_quoted *quoted, uint16_t port, const uint8_t *payload);

/* What was to be sent is longer than `mtu` and may not be cut: who reads errors (IP_RECVERR) finds that in the
 * queue, as Linux's ip_local_error has it. Returns -EMSGSIZE. */
int datagram_too_long(struct stack *stack, struct socket *socket, const struct socket_message *message,
                      struct ip_address destination, uint32_t mtu);

/* Puts what is no error of the network into a socket's queue of errors (MSG_ERRQUEUE), with what it quotes: NULL or a
 * queue, whose chain is taken. */
void datagram_tell(struct stack *stack, struct socket *socket, const struct icmp_error *told,
                   struct byte_queue *quoted);

/* The last in that queue, or NULL. */
struct datagram *datagram_last_error(const struct socket *socket);

/* Receives one datagram. Returns the bytes copied, or -EAGAIN. The message's flags say whether it stays
 * (MSG_PEEK), or an error is wanted (MSG_ERRQUEUE). */
ssize_t datagram_receive(struct stack *stack, struct socket *socket, struct socket_message *message);

/* Sends one: dispatches to the socket's protocol. Returns the bytes sent, or a negative errno. */
ssize_t datagram_send(struct stack *stack, struct socket *socket, struct socket_message *message);

/* What the next receive would give: its length; false when there is nothing. */
bool datagram_next_length(const struct socket *socket, uint32_t *length);

/* Fills in what IP is to know of a datagram to `destination`, of `length` bytes from the IP header on.
 * Returns 0, or -EMSGSIZE when the socket does not want it cut (IP_MTU_DISCOVER), -EACCES for a broadcast
 * without SO_BROADCAST, -ENETUNREACH. */
int datagram_parameters(struct stack *stack, struct socket *socket, const struct socket_message *message,
                        struct ip_address destination, uint32_t length, struct ip_parameters *parameters);

/* Copies an iovec, from byte `skip` on, to be a frame's payload. The caller drops the queue's chain, once the
 * frame has it. Returns 0, -ENOBUFS or -EFAULT. */
int datagram_payload(struct stack *stack, const struct socket_message *message, size_t skip, uint32_t length,
                     struct byte_queue *payload);

/* A datagram socket gets its port, or ident, at the first use that needs one. */
int datagram_autobind(struct stack *stack, struct socket *socket);
int datagram_connect(struct stack *stack, struct socket *socket, struct ip_address address, uint16_t port);
/* The same to an address that the stack does not reach, for a caller who does: nothing comes from there, and
 * nothing is sent. */
int datagram_connect_elsewhere(struct stack *stack, struct socket *socket, struct ip_address address,
                               uint16_t port);
void datagram_disconnect(struct stack *stack, struct socket *socket);
unsigned datagram_poll(struct stack *stack, struct socket *socket);

/* The socket of a protocol that a datagram from source:source_port to destination:port belongs to, or NULL.
 * Of those that share the port, a program may choose by the view, if there is one. */
struct socket *datagram_lookup(struct stack *stack, uint8_t protocol, struct ip_address source,
                               uint16_t source_port, struct ip_address destination, uint16_t port,
                               struct filter_view *view);

/* Whether a socket's filter wants a packet; cuts it to what it wants. */
bool datagram_admitted(struct stack *stack, struct socket *socket, struct filter_view *view,
                       struct ip_packet *packet);

/* Whether a socket takes datagrams of this kind at all. */
bool datagram_matches(const struct socket *socket, uint8_t protocol, struct ip_address source,
                      uint16_t source_port, struct ip_address destination, uint16_t port);

/* Puts a socket that has a port, or a raw one, into the tables. */
void datagram_enter(struct stack *stack, struct socket *socket);

/* Drops a socket's queues. */
void datagram_purge(struct stack *stack, struct socket *socket);

#endif
