/* SPDX-License-Identifier: MIT */
/*
 * tcp_rtx.h - what a connection has in flight: a record a frame, the SACK scoreboard (RFC 2018, 6675),
 * and RACK's judgment of what is lost (RFC 8985).
 *
 * The records of a connection cover [snd_una, snd_nxt), in order and without gaps. A record is in one of four
 * states: in flight; sacked (the peer has it); lost, to be sent again; or lost and sent again, which is in
 * flight.
 *
 * A frame may be a burst of segments, which the NIC cuts. Its record is cut, too, once one of them fares
 * otherwise than the rest. The segments of a burst are a nanosecond apart, so that RACK knows their order.
 *
 * A peer decides which of them it acknowledges, and how small they are, so no acknowledgment may cost a walk
 * along all. While all records fare alike there is nothing to look for: the first was sent first. From the
 * first that is sacked, lost or sent again until all records of that time are acknowledged they form, beside
 * their list, a tree by sequence, which knows what is below each of them.
 */
#ifndef STACK_TCP_TCP_RTX_H
#define STACK_TCP_TCP_RTX_H

#include "stack/memory/buffer.h"
#include "stack/memory/treap.h"
#include "stack/tcp/tcp_rate.h"
#include <stdbool.h>
#include <stdint.h>

struct stack;
struct tcp;
struct tcp_segment;

struct tcp_rtx {
    struct list link;      /* in tcp->flight->sent */
    uint64_t sent_ns;      /* the last time */
    struct buffer *buffer; /* the place of its first byte: tcp_rtx_place */
    uint16_t position;
    uint16_t size; /* of its segments, but for the last */
    uint32_t sequence;
    uint16_t length;
    uint8_t transmissions; /* at most 255 are counted */
    bool fin : 1, sacked : 1, lost : 1, pushed : 1, app_limited : 1;
    bool below_unsacked : 1, below_lost : 1; /* this record, or any below it in the tree */
    struct tcp_rate_mark rate;
    struct treap_node node;     /* in tcp->flight->sent_root, if that is not NULL */
    uint64_t below_earliest_ns; /* the least sent_ns of those that are neither sacked nor lost */
};

/* What the records of a connection add up to. */
struct tcp_scoreboard {
    uint32_t count; /* segments */
    uint32_t sacked_bytes, sacked_count;
    uint32_t lost_bytes;     /* to be sent again */
    uint32_t duplicate_acks; /* of a peer without SACK: segments that it has, it does not say which */
    uint32_t highest_sacked; /* the end of the highest */
    bool any_sacked;
    uint32_t tree_end; /* the tree of the records is of use until this is acknowledged */

    /* RACK: of what was delivered, that which was sent last; and what it took. */
    uint64_t rack_sent_ns, rack_rtt_ns;
};

/* How far out of order the network delivers. */
struct tcp_reordering {
    bool seen;
    uint8_t steps;     /* of min_rtt / 4 that are waited for what may be out of order */
    uint16_t distance; /* the farthest that was seen, in segments; 0: none */
};

/* What an acknowledgment has told. */
struct tcp_delivery {
    uint32_t delivered; /* bytes that the peer has since, by either kind */
    uint32_t newly_sacked;
    uint64_t rtt_ns; /* of a segment that was sent once; 0: none */
    bool has_echo;   /* it answers what was sent at `echo`, by the timestamp clock */
    uint32_t echo;
    bool duplicate; /* it says that something came twice (DSACK) */
    bool original;  /* ... that something arrived which was sent only once */
    struct tcp_rate_sample rate;
};

static inline struct byte_cursor tcp_rtx_place(const struct tcp_rtx *sent) {
    return (struct byte_cursor){sent->buffer, sent->position};
}

static inline uint32_t tcp_rtx_span(const struct tcp_rtx *sent) {
    return sent->length + sent->fin;
}

static inline uint32_t tcp_rtx_segments(const struct tcp_rtx *sent) {
    return sent->length > sent->size ? (sent->length + sent->size - 1u) / sent->size : 1;
}

/* How many segments that were sent later must have arrived before one is taken for lost: RFC 5681's three, or
 * as far as the network has been seen to put them out of order. */
uint32_t tcp_duplicates(const struct stack *stack, const struct tcp *tcp);

/* Bytes that are thought to be in the network. */
uint32_t tcp_pipe(const struct tcp *tcp);

/* Adds a record at snd_nxt, of segments of `size` bytes. NULL: there is no memory. */
struct tcp_rtx *tcp_rtx_add(struct stack *stack, struct tcp *tcp, uint32_t length, uint32_t size, bool fin,
                            struct byte_cursor place);

/* Takes back the record that was added last. */
void tcp_rtx_retract(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent);

/* Everything before snd_una, which has moved, is acknowledged; the send queue begins there already. */
void tcp_rtx_acknowledge(struct stack *stack, struct tcp *tcp, struct tcp_delivery *delivery);

/* The SACK blocks of a segment. */
void tcp_rtx_sack(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                  struct tcp_delivery *delivery);

/* Marks what RACK takes for lost. Returns whether that is news; *wait_ns is for how long more is uncertain,
 * 0: not at all. */
bool tcp_rtx_detect(struct stack *stack, struct tcp *tcp, bool recovering, uint64_t *wait_ns);

/* The first segment is lost: without SACK that is all that can be known. Returns whether that is news. */
bool tcp_rtx_lose_first(struct stack *stack, struct tcp *tcp);

/* All that is not sacked is lost: after a timeout. The SACKs of a peer that reneges count no more. */
void tcp_rtx_lose_all(struct tcp *tcp);

/* All of segments longer than `mss` are lost: they did not fit. */
void tcp_rtx_lose_longer(struct tcp *tcp, uint32_t mss);

/* Nothing is lost after all. */
void tcp_rtx_lose_none(struct tcp *tcp);

/* The first that is to be sent again, cut to `mss` or joined with those after it; NULL when there is none, or
 * no memory to cut it. */
struct tcp_rtx *tcp_rtx_lost(struct stack *stack, struct tcp *tcp, uint32_t mss);

/* The last segment, by itself; NULL when there is none. */
struct tcp_rtx *tcp_rtx_last(struct stack *stack, struct tcp *tcp);

/* It has been sent again. */
void tcp_rtx_again(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent);

void tcp_rtx_purge(struct stack *stack, struct tcp *tcp);

/* Whether the records are whole; makes their places and sums anew: see repair.h. */
bool tcp_rtx_repair(struct stack *stack, struct tcp *tcp);

#endif
