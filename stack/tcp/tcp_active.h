/* SPDX-License-Identifier: MIT */
/*
 * tcp_active.h - what a connection needs while it is at work, and an idle one does without: the records of
 * what is in flight and what they add up to, what is held out of order, and what is measured meanwhile.
 *
 * Every connection has a struct tcp_active to read from. One that is at rest has the stack's
 * (stack->idle_active), which is as a new one is, and which nobody writes to. It gets its own when a segment
 * comes or is to be sent (tcp_active_take), and gives it back when it has been idle for a while. What it has
 * learnt of its path by then (windows, round trips, reordering) is in struct tcp and stays.
 */
#ifndef STACK_TCP_TCP_ACTIVE_H
#define STACK_TCP_TCP_ACTIVE_H

#include "stack/memory/buffer.h"
#include "stack/memory/list.h"
#include "stack/tcp/tcp_autotune.h"
#include "stack/tcp/tcp_congestion.h"
#include "stack/tcp/tcp_dctcp.h"
#include "stack/tcp/tcp_out_of_order.h"
#include "stack/tcp/tcp_rate.h"
#include "stack/tcp/tcp_recovery.h"
#include "stack/tcp/tcp_rtx.h"
#include "stack/tcp/tcp_segment.h"

#define TCP_ACTIVE_IDLE_NS UINT64_C(1000000000)

struct tcp_active {
    /* Sending. */
    struct list sent;             /* of struct tcp_rtx: what is in flight */
    struct treap_node *sent_root; /* the same as a tree; NULL: none of them is sacked, lost or sent again */
    struct byte_cursor send_next; /* the byte with number snd_nxt, when that is not snd_una */
    struct tcp_scoreboard scoreboard;
    struct tcp_recovery recovery;
    struct tcp_rate rate;
    struct tcp_growth growth;
    struct tcp_dctcp dctcp;
    struct list marks; /* of struct tcp_write_mark, by sequence */
    uint32_t mark_count;
    uint32_t chunk_end, chunk_bytes; /* the last chunk that tcp_send has queued whole */
    uint64_t pacing_due_ns;          /* the next segment's time */
    uint64_t stalled_since_ns;       /* of the first timeout in a row */
    uint32_t small_end;     /* after the last segment that was not full: Minshall's variant of Nagle's rule */
    uint32_t usage_flight;  /* the most that was in flight ... */
    uint32_t usage_end;     /* ... until this is acknowledged */
    uint32_t mtu_probe_end; /* a segment of path.mss_full bytes is in flight, up to here */
    uint64_t held_since_ns; /* what is to be sent next is held back since then ... */
    uint8_t held_by;        /* ... by this: enum frame_held */
    uint8_t traced_recovery;
    uint16_t acked_average; /* packets that an acknowledgment is for, in eighths */
    bool traced_closed;
    bool mtu_probing;
    bool cwnd_limited; /* the congestion window was full meanwhile */

    /* Receiving. */
    uint8_t held_recently_count;
    struct tcp_out_of_order_blocks out_of_order;
    struct tcp *owner;                           /* NULL: it is the stack's */
    struct list memory_link;                     /* in memory.out_of_order, while anything is held */
    uint32_t held_recently[TCP_SACK_BLOCKS_MAX]; /* a sequence number of each block that grew last, the latest
                                                    first */
    struct tcp_reading reading;
    uint64_t refused_ns; /* when an unacceptable segment was last answered */
};

/* As one at rest reads it. */
void tcp_active_init(struct tcp_active *active);

/* Whether it is as that made it. */
bool tcp_active_is_blank(const struct tcp_active *active);

bool tcp_active_is_own(const struct stack *stack, const struct tcp *tcp);

/* Gives a connection its own, if it has none. False: there is no memory. */
bool tcp_active_take(struct stack *stack, struct tcp *tcp);

/* Gives it back: the connection is at its end. */
void tcp_active_return(struct stack *stack, struct tcp *tcp);

/* No alarm of a connection is due: gives it back if it has been idle for long enough. Else says when to look
 * again, TIMER_NEVER if it keeps it. */
uint64_t tcp_active_rest(struct stack *stack, struct tcp *tcp);

#endif
