/* SPDX-License-Identifier: MIT */
/*
 * host.h - stacks for tests: one alone with a scripted peer, or two joined by a cable, in virtual time.
 */
#ifndef TESTS_UNIT_HOST_H
#define TESTS_UNIT_HOST_H

#include "stack/doors.h"
#include "stack/stack.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* wants the four above */

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define HOST_A 0x0a4d000a /* 10.77.0.10 */
#define HOST_B 0x0a4d0002 /* 10.77.0.2 */
#define HOST_RECORD_BYTES (16u << 20)
#define HOST_REGION_BYTES (64u << 20)

struct host {
    struct stack *stack;
    void *memory, *mapped;
    uint32_t cut; /* segments of the first frame that have been seen */
};

/* What a scripted peer sees of a sent frame. */
struct seen {
    uint8_t bytes[70000];
    uint32_t length;
};

/* A segment that a scripted peer read or is to send. */
struct packet {
    struct tcp_segment tcp;
    uint8_t payload[66000];
};

extern uint64_t now; /* virtual time */
extern struct recorder
    *host_record; /* zero-filled memory of HOST_RECORD_BYTES for what is done with the next host */
extern bool host_lacks_memory; /* a frame for which there is none is lost; else it fails the test */

/* With BAREWIRE_OFFLOAD in the environment the stack has a NIC that computes checksums and cuts bursts: what
 * is seen is the same. */
struct host host_create(uint32_t address, uint16_t mtu);
/* The same with the key of a boot (stack_config.key). */
struct host host_create_with_key(uint32_t address, uint16_t mtu, const uint8_t key[16]);
/* The same as a config says. */
struct host host_create_configured(const struct stack_config *config);
void host_destroy(struct host *host);

/* Gives a frame to a host, as the NIC would. */
void host_input(struct host *host, const void *bytes, uint32_t length, unsigned flags);

/* Takes the next sent frame. False when there is none. */
bool host_sent(struct host *host, struct seen *seen);

/* Drops what a host has sent. */
void host_discard(struct host *host);

/* Lets time pass in a host alone, timer by timer. */
void host_run(struct host *host, uint64_t duration_ns);

/* The scripted peer (HOST_B): makes host A know its MAC address, reads the next TCP segment that A sent
 * (skipping ARP), and sends one. */
void peer_introduce(struct host *host);
void peer_answer_arp(struct host *host); /* the same, and what has waited for it leaves */
bool peer_read(struct host *host, struct packet *packet);
void peer_send(struct host *host, uint16_t source_port, uint16_t destination_port, uint8_t flags,
               uint32_t sequence, uint32_t acknowledgment, uint16_t window, uint16_t mss, const void *payload,
               uint32_t length);

/* The same with a segment of any kind, for instance with options. */
void peer_send_segment(struct host *host, const struct tcp_segment *segment, const void *payload,
                       uint32_t length);

/* An IP packet that a scripted peer sends. What is 0 has its usual value. */
struct packet_shape {
    uint32_t source, destination; /* HOST_B, and the host's own */
    uint8_t protocol, ttl, tos;
    uint16_t identification;
    uint16_t fragment; /* flags and offset, as in the header */
    const uint8_t *options;
    uint32_t options_length; /* a multiple of 4 */
    bool to_all;             /* the frame is a broadcast */
    unsigned flags;          /* enum stack_input_flag */
};
void peer_packet(struct host *host, const struct packet_shape *shape, const void *payload, uint32_t length);

/* A whole UDP datagram, and an ICMP message, of his. */
void peer_udp(struct host *host, uint32_t destination, uint16_t source_port, uint16_t port, const void *bytes,
              uint32_t length);
void peer_icmp(struct host *host, uint8_t type, uint8_t code, uint32_t info, const void *bytes,
               uint32_t length);

/* The next packet of a protocol that the host has sent; others are passed over. False when there is none.
 * Gives its payload's length, and in *payload where that begins. */
bool next_packet(struct host *host, uint8_t protocol, struct seen *seen, uint8_t **payload, uint32_t *length);

/* A cable between two hosts: a delay, and a predicate that loses frames. */
struct cable {
    struct host *a, *b;
    uint64_t delay_ns;
    bool (*loses)(const struct seen *seen, bool from_a, void *context);
    void *context;
    struct list in_flight;
    uint64_t frames;
};

void cable_join(struct cable *cable, struct host *a, struct host *b, uint64_t delay_ns);

/* Runs both hosts and the cable for a time, or until nothing is left to do. */
void cable_run(struct cable *cable, uint64_t duration_ns);
void cable_cut(struct cable *cable);

/* Opens a connection from a to a listener on b's port, through the cable. */
void cable_connect(struct cable *cable, uint16_t port, struct socket **client, struct socket **server,
                   struct socket **listener);

/* Connects a host's stack to itself, by 127.0.0.1. */
void host_connect_inside(struct host *host, uint16_t port, struct socket **client, struct socket **server,
                         struct socket **listener);

/* A socket, bound if a port is given. */
struct socket *make_socket(struct host *host, int type, int protocol, uint16_t port);
int set_option(struct host *host, struct socket *socket, int level, int name, int value);

ssize_t send_bytes(struct host *host, struct socket *socket, const void *bytes, size_t length, int flags);
ssize_t receive_bytes(struct host *host, struct socket *socket, void *bytes, size_t length, int flags);

/* Asserts that pools are as empty as in a new stack, after TIME_WAIT has passed. */
void assert_nothing_left(struct host *host);

#endif
