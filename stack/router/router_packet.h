/* SPDX-License-Identifier: MIT */
/*
 * router_packet.h - the packets inside a router: whole Ethernet frames in a pool of fixed size. A packet has
 * one owner at a time: the step that handles it, a queue, or a neighbour whose address is being asked for.
 */
#ifndef STACK_ROUTER_ROUTER_PACKET_H
#define STACK_ROUTER_ROUTER_PACKET_H

#include "stack/base/wire.h"
#include <stddef.h>

#define ROUTER_FRAME_MAX 1514u
#define ROUTER_MTU_MAX (ROUTER_FRAME_MAX - ETHER_HEADER_BYTES)
#define ROUTER_PACKETS_MAX 8192u /* in all queues: more than a second of 80 Mbit/s */

struct router_packet {
    struct router_packet *next;
    uint64_t since_ns; /* when it entered the queue */
    uint32_t length;   /* of the frame */
    int in_port;       /* where it came from; -1: the router made it */
    uint8_t frame[ROUTER_FRAME_MAX];
};

struct router_packets {
    struct router_packet *free;
    uint32_t fresh; /* those from here on have never been used */
    struct router_packet all[ROUTER_PACKETS_MAX];
};

/* NULL: all are in use. */
static inline struct router_packet *router_packet_take(struct router_packets *packets) {
    struct router_packet *packet = packets->free;
    if (packet)
        packets->free = packet->next;
    else if (packets->fresh < ROUTER_PACKETS_MAX)
        packet = &packets->all[packets->fresh++];
    else
        return NULL;
    packet->next = NULL;
    packet->in_port = -1;
    return packet;
}

static inline void router_packet_free(struct router_packets *packets, struct router_packet *packet) {
    packet->next = packets->free;
    packets->free = packet;
}

static inline uint8_t *router_packet_ip(struct router_packet *packet) {
    return packet->frame + ETHER_HEADER_BYTES;
}

/* Bytes from the IP header on, what the link has padded included. */
static inline uint32_t router_packet_bytes(const struct router_packet *packet) {
    return packet->length - ETHER_HEADER_BYTES;
}

#endif
