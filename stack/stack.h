/* SPDX-License-Identifier: MIT */
/*
 * stack.h - a host's TCP/IP stack, sans-I/O: no system call, no clock, no thread, no malloc.
 *
 * Theory of operation. A stack lives in one region of memory that the caller gives (stack_create), with every
 * pool and table in it. The caller holds whatever lock it needs around each call and tells the time
 * (nanoseconds, monotonic) with stack_advance or stack_input.
 *
 *     frames in     stack_input, one by one, then stack_advance
 *     frames out    stack_frame(0), stack_frame(1) ..., then stack_frames_sent; stack_advance lets queued
 *                   work go on
 *     time          stack_deadline says when stack_advance is due
 *     programs      socket.h; whoever's readiness may have risen comes out of stack_next_event
 *
 * There are no function pointers in the region and no pointers out of it, so that several processes can map
 * it at one address and take turns.
 */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include "stack/base/random.h"
#include "stack/base/wire.h"
#include "stack/datagram/raw.h"
#include "stack/datagram/udp.h"
#include "stack/dhcp/dhcp.h"
#include "stack/ip/filter.h"
#include "stack/ip/icmp.h"
#include "stack/ip/igmp.h"
#include "stack/ip/ip4_addresses.h"
#include "stack/ip/ip6.h"
#include "stack/ip/ip_identification.h"
#include "stack/ip/ip_path.h"
#include "stack/ip/ip_reassembly.h"
#include "stack/ip/multicast.h"
#include "stack/link/arp.h"
#include "stack/link/ether.h"
#include "stack/link/neighbour.h"
#include "stack/memory/pressure.h"
#include "stack/mib.h"
#include "stack/socket.h"
#include "stack/sysctl.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_metrics.h"
#include "stack/trace.h"
#include <stdatomic.h>

#define STACK_MTU_MIN 68u
#define STACK_MTU_MAX 65535u
#define STACK_LOOPBACK_MAX 256u /* packets on their way to ourselves */

struct stack_config {
    uint32_t address;      /* host order; 0: none, until stack_set_address or DHCP gives one */
    uint8_t prefix_length; /* 0 to 32 */
    uint8_t more_count;    /* of addresses beside that one, if there is one */
    struct ip4_own more[IP4_MORE_MAX];
    uint32_t gateway; /* 0: none */
    uint8_t mac[6];
    uint16_t mtu;
    struct ip6_config ip6;
    bool loopback;            /* 127.0.0.0/8 and ::1 are the stack's own */
    bool offload;             /* the NIC computes checksums and cuts segments: see frame.h */
    bool offload_datagrams;   /* ... and bursts of datagrams (UDP_SEGMENT) */
    uint32_t interface_index; /* that programs are told; 0: 1 */
    uint8_t key[16]; /* secret, the same for all stacks of one boot: where TCP's numbers begin; zero: of the
                        seed */
};

struct stack {
    struct arena arena;
    struct stack_config config;
    uint64_t now_ns;
    struct random random;
    uint8_t isn_key[16]; /* config.key, or a random one: sequence numbers, timestamps, ports, cookies */
    struct timer_wheel timers;
    struct sysctl sysctl;
    struct mib mib;
    struct ether_counters ether, looped; /* of the interface, and of the loopback interface */
    uint32_t changes; /* of the link, addresses, routes and neighbours: for who tells of them */

    struct pool buffers, sockets, connections, time_waits, out_of_order_segments, datagrams, datagram_states,
        actives, filter_pool, sent, fastopen_keys, md5_keys, marks, models, corks;
    struct memory memory;
    struct frame_queue transmit;
    struct neighbours neighbours;
    struct arp arp;
    struct ip4_addresses addresses4;
    struct ip_routes routes;
    struct ip_paths paths;
    struct ip_reassemblies reassemblies;
    struct ip_identifications ip_identifications;
    struct icmp_limiter icmp_limiter;
    struct port_table ports;
    struct hash_link *datagram_sockets[PORT_BUCKETS]; /* UDP and ping */
    struct list raw_sockets;
    struct datagram_stamp stamp; /* of the datagram that is being sent */
    struct list blocked;         /* of struct socket: the transmit ring was full */
    struct multicast multicast;
    struct igmp igmp;
    struct dhcp dhcp;
    struct ip6 ip6;
    struct tcp_table *tcp_table;
    struct tcp_active idle_active; /* of all connections at rest: never written to */
    struct tcp_metrics_table metrics;
    uint64_t
        sent_ns; /* of the last segment with data: no two have the same, so that RACK knows their order */
    uint32_t time_wait_count, orphan_count; /* of connections: bounded by sysctls */
    uint64_t syncookies_sent_ns;            /* the last; 0: never */
    uint64_t challenge_second;
    uint32_t challenges_left; /* in that second: tcp_challenge_ack_limit */

    struct list events; /* of struct socket */
    struct list output; /* of struct tcp: those that want to send */
    struct list corked; /* ... and those that wait until the transmit ring is empty, by output_link, too */

    struct buffer *loopback[STACK_LOOPBACK_MAX];
    uint32_t loopback_first, loopback_count;

    struct trace trace;
    struct recorder *recorder; /* of what is done with this stack (record.h); NULL: none */
    const void *at_work; /* the socket or struct tcp that is being changed: see stack_work_on, repair.h */
    struct tcp_work tcp_work; /* ... what does not change of it: see tcp_work_on */
    bool repair_failed;
};

enum stack_input_flag {
    /* The frame came from this machine or its adapter: a transport checksum that is unfinished (just the
     * pseudo-header's sum, Linux's CHECKSUM_PARTIAL) is as good as a right one. */
    STACK_INPUT_CHECKSUM_PARTIAL = 1,
    /* Whoever received it knows that the transport checksum is right, or need not be. */
    STACK_INPUT_CHECKSUM_GOOD = 2,
};

enum timer_kind {
    TIMER_NEIGHBOUR,
    TIMER_TCP,
    TIMER_TIME_WAIT,
    TIMER_REASSEMBLY,
    TIMER_PATH,
    TIMER_MULTICAST,
    TIMER_DHCP,
    TIMER_IP6,
};

/* Whether all buffers together are less than tcp_mem[0]: whatever is within a connection's own limits may be
 * queued then. */
static inline bool memory_is_plenty(struct stack *stack) {
    if (stack->buffers.used > (uint64_t)stack->sysctl.tcp_mem[0] * (MEMORY_PAGE_BYTES / BUFFER_BYTES))
        return false;
    stack->memory.pressure = false;
    return true;
}

#define STACK_LOOPBACK_INTERFACE 1u /* its index; it has no prefix but 127.0.0.0/8 and ::1/128 */

/* The index by which programs know the one interface. */
static inline uint32_t stack_interface_index(const struct stack *stack) {
    return stack->config.interface_index ? stack->config.interface_index : 1;
}

/* Makes a stack in zero-filled memory aligned to ARENA_BLOCK_BYTES; the first reserved_bytes of it, at least
 * sizeof(struct stack), are the caller's, who has the struct stack there. Announces the address. Returns 0,
 * -EINVAL for a config that can't be, or -ENOMEM. */
int stack_create(struct stack *stack, void *memory, size_t bytes, size_t reserved_bytes,
                 const struct stack_config *config, const uint8_t seed[RANDOM_SEED_BYTES], uint64_t now_ns);

/* Handles a received frame; takes the chain, made of stack->buffers. */
void stack_input(struct stack *stack, uint64_t now_ns, struct buffer *frame, unsigned flags);

/* Lets time pass: timers, packets to ourselves, and whatever wants to be sent. */
void stack_advance(struct stack *stack, uint64_t now_ns);

/* When stack_advance is due next: at or after now_ns; TIMER_NEVER when nothing is. */
uint64_t stack_deadline(const struct stack *stack);

/* The index-th frame that waits to be sent, or NULL. */
struct frame *stack_frame(struct stack *stack, uint32_t index);

/* Copies a frame to contiguous memory of at least config.mtu + ETHER_HEADER_BYTES bytes. Returns its length.
 */
uint32_t stack_frame_copy(const struct frame *frame, uint8_t *to);

/* The first frame could not be sent at once: if its payload is lent (socket_message.borrow), it is copied. */
void stack_frames_keep(struct stack *stack);

/* The first `count` frames have been sent, or given up. */
void stack_frames_sent(struct stack *stack, uint32_t count);

/* The next socket whose readiness may have risen since it was last given; NULL when there is none. */
struct socket *stack_next_event(struct stack *stack);

/* Notes what is about to be changed, so that a repair knows what the dead was at; NULL: nothing. Adding bytes
 * to a queue's end and dropping them at its start are exempt: that can be repaired. A connection is reset
 * then; tcp_work_on is for changes after which it is not. */
static inline void stack_work_on(struct stack *stack, const void *socket_or_tcp) {
    atomic_signal_fence(memory_order_seq_cst);
    stack->at_work = socket_or_tcp;
    atomic_signal_fence(memory_order_seq_cst);
}

/* Whether any connection is still to be brought to its end. */
bool stack_busy(const struct stack *stack);

/* Gives the stack another first address of IPv4, or none at all (0), with the routes to its networks alone.
 * Connections of what was its address before end with ENETDOWN. Announces its addresses. */
void stack_set_address(struct stack *stack, uint32_t address, uint8_t prefix_length);

/* Takes all routes away but those to the addresses' own networks, which are given anew. */
void stack_set_routes(struct stack *stack);

/* Puts a packet that is addressed to the stack itself on the way back in. */
int stack_loop_back(struct stack *stack, const struct frame *frame);

#endif
