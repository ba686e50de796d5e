/* SPDX-License-Identifier: MIT */
/*
 * icmp.h - ICMP (RFC 792): echo, errors in and out.
 */
#ifndef STACK_IP_ICMP_H
#define STACK_IP_ICMP_H

#include "stack/ip/icmp_limit.h"
#include "stack/ip/ip.h"

#define ICMP_HEADER_BYTES 8u

enum icmp_type {
    ICMP_ECHO_REPLY = 0,
    ICMP_DESTINATION_UNREACHABLE = 3,
    ICMP_SOURCE_QUENCH = 4,
    ICMP_REDIRECT = 5,
    ICMP_ECHO_REQUEST = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER_PROBLEM = 12,
};

enum icmp_code {
    ICMP_NET_UNREACHABLE = 0,
    ICMP_HOST_UNREACHABLE = 1,
    ICMP_PROTOCOL_UNREACHABLE = 2,
    ICMP_PORT_UNREACHABLE = 3,
    ICMP_FRAGMENTATION_NEEDED = 4,
    ICMP_REASSEMBLY_TIME = 1, /* of time exceeded */
};

/* What an ICMP message, or a neighbour that does not answer, says of a packet of ours. */
struct icmp_error {
    int error;  /* errno, as Linux's icmp_err_convert has it */
    bool fatal; /* a connected socket is told even if it has not asked for errors (IP_RECVERR) */
    uint8_t type, code;
    uint32_t info;              /* next-hop MTU; pointer */
    struct ip_address offender; /* who says so */
    struct ip_address receiver; /* to whom */
    uint8_t ttl, tos;           /* of the packet that says so */
    uint8_t origin;             /* SO_EE_ORIGIN_*, for those who read the queue of errors; 0: none */
    uint32_t data;              /* ee_data */
    uint16_t
        original_bytes; /* of the quoted packet, as RFC 4884 has it: behind them are extensions; 0: none */
};

/* The packet of ours that it is about. */
struct icmp_quoted {
    struct ip_address local, remote;
    uint8_t protocol;
    const uint8_t *transport; /* at least 8 bytes */
    uint32_t transport_length;
    uint32_t total;        /* the packet's length, as it was sent */
    const uint8_t *header; /* of IP */
};

/* Whether an error, of either family, says that a packet was too long for the path, and may not be cut. */
bool icmp_is_too_long(const struct icmp_error *error);

/* ... or that it did not get to the host: nobody knows a way, or the host does not answer. */
bool icmp_is_unreachable(const struct icmp_error *error);

void icmp_input(struct stack *stack, struct ip_packet *packet);

/* Sends a message: its header, the checksum in it 0, and `rest`, whose buffers stay the caller's. Returns as
 * ip_output. */
int icmp_output(struct stack *stack, const uint8_t header[ICMP_HEADER_BYTES], struct byte_cursor rest,
                uint32_t rest_length, const struct ip_parameters *parameters);

/* The error of a packet from an address of ours to a destination that the link can't reach. */
struct icmp_error icmp_host_unreachable(const struct stack *stack, uint32_t source);

/* Answers a packet with an error, unless RFC 1122 section 3.2.2 or a rate limit forbids it. `info` is the
 * message's second word. */
void icmp_send_error(struct stack *stack, const struct ip_packet *packet, enum icmp_type type,
                     enum icmp_code code, uint32_t info);

#endif
