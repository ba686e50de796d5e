/*
 * udp.h - UDP (RFC 768).
 */
#ifndef STACK_UDP_H
#define STACK_UDP_H

#include "datagram.h"

#define UDP_SEGMENTS_MAX 128u /* UDP_MAX_SEGMENTS, of UDP_SEGMENT */

void udp_input(struct stack *stack, struct ip_packet *packet);

/* Sends a datagram, or several of a given size (UDP_SEGMENT). Returns the bytes sent or a negative errno
 * (EMSGSIZE, ENETUNREACH, ENOBUFS, EACCES, EINVAL). */
ssize_t udp_send(struct stack *stack, struct socket *socket, const struct socket_message *message,
                 uint32_t length);

/* Sends the frame of frame_begin with the payload given, whose chain stays the caller's. */
int udp_output(struct stack *stack, struct frame *frame, uint16_t source_port, uint16_t destination_port,
               const struct ip_parameters *parameters, const struct byte_queue *payload);

/* What ip_error found to be a datagram of ours. */
void udp_error(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error);

#endif
