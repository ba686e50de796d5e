/*
 * udp.h - UDP (RFC 768).
 */
#ifndef STACK_UDP_H
#define STACK_UDP_H

#include "ip.h"
#include <sys/socket.h>

struct socket;

/* A received datagram in its socket's queue. */
struct udp_datagram {
    struct list link;
    uint32_t source, destination;
    uint16_t source_port;
    uint32_t length;
    struct buffer *chain;
};

void udp_input(struct stack *stack, struct ip_packet *packet);

/* The socket that a datagram from source:source_port to destination:port belongs to, or NULL. */
struct socket *udp_lookup(struct stack *stack, uint32_t source, uint16_t source_port, uint32_t destination,
                          uint16_t port);

/* Puts a socket that has a port into the table. */
void udp_enter(struct stack *stack, struct socket *socket);

/* Sends one datagram. Returns its length or a negative errno (EMSGSIZE, ENETUNREACH, ENOBUFS, EACCES). */
ssize_t udp_send(struct stack *stack, struct socket *socket, const struct iovec *from, int count,
                 uint32_t destination, uint16_t port);

/* Receives one datagram. Returns the bytes copied, sets *full_length to the datagram's, or gives -EAGAIN. */
ssize_t udp_receive(struct stack *stack, struct socket *socket, const struct iovec *to, int count, bool peek,
                    uint32_t *full_length, uint32_t *source, uint16_t *source_port);

/* Drops a socket's queue. */
void udp_purge(struct stack *stack, struct socket *socket);

/* What ip_error found to be a datagram of ours. */
void udp_error(struct stack *stack, uint32_t local, uint16_t local_port, uint32_t remote,
               uint16_t remote_port, int error);

#endif
