/* SPDX-License-Identifier: MIT */
/*
 * tcp_time_wait.h - connections in TIME_WAIT, handed on from a stack that ends to the next one of the same
 * address: what is left of them is a few numbers. So the next stack answers a FIN that comes again (RFC 9293,
 * section 3.10.7.8), and takes none of their ports too early.
 */
#ifndef STACK_TCP_TCP_TIME_WAIT_H
#define STACK_TCP_TCP_TIME_WAIT_H

#include "stack/ip/ip_address.h"
#include <stdbool.h>
#include <stdint.h>

struct stack;

struct tcp_waiting {
    uint64_t ends_ns; /* of the clock that both stacks have */
    uint64_t timestamp_recent_ns;
    struct ip_address local, remote; /* addresses */
    uint32_t snd_nxt, rcv_nxt, rcv_adv;
    uint32_t timestamp_offset, timestamp_recent;
    uint16_t local_port, remote_port, mss;
    uint8_t snd_scale, rcv_scale, ttl, tos;
    bool timestamps, sack_permitted, scaling;
    bool reuse_address, reuse_port; /* what its socket had said of its port */
};

/* Whether all connections of a stack are in TIME_WAIT. */
bool tcp_all_waiting(const struct stack *stack);

/* Copies those in TIME_WAIT, as far as there is room. Returns how many. */
uint32_t tcp_waiting_save(struct stack *stack, struct tcp_waiting *waiting, uint32_t room);

/* Makes one again. False: its time is up, its address is not the stack's, or there is no memory. */
bool tcp_waiting_resume(struct stack *stack, const struct tcp_waiting *waiting);

#endif
