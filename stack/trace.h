/* SPDX-License-Identifier: MIT */
/*
 * trace.h - what happens in a stack, event by event, for who wants to look.
 *
 * Theory of operation. Events go into a ring in the stack's memory, the oldest giving way, if somebody has
 * said that he wants their kind (stack->trace.wanted); else an event costs a load and a branch. Whoever reads
 * keeps the number of the next event that he wants to see; he may read from another process, without a lock,
 * if he looks afterwards whether the event has been overwritten meanwhile (trace_at).
 */
#ifndef STACK_TRACE_H
#define STACK_TRACE_H

#include "stack/ip/ip_address.h"
#include "stack/link/frame.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct stack;
struct tcp;

#define TRACE_EVENTS 4096u
#define TRACE_HEADER_BYTES 114u /* of a frame: Ethernet, IPv6, and TCP with its options */

enum trace_group {
    TRACE_TCP = 1,
    TRACE_FRAMES = 2,
    TRACE_SAMPLES = 4,
};

enum trace_kind {
    TRACE_NOTHING,
    TRACE_FRAME_IN,
    TRACE_FRAME_OUT,
    TRACE_STATE,    /* `from` and `to`: the states */
    TRACE_HELD,     /* `to`: enum frame_held; values[0]: bytes that wait */
    TRACE_TIMER,    /* `to`: enum trace_timer; values[0]: how often in a row */
    TRACE_RECOVERY, /* `from` and `to`: enum tcp_recovery_state; sample */
    TRACE_WINDOW,   /* `to`: 0: our window has closed; 1: it is open again */
    TRACE_SAMPLE,
};

enum trace_timer {
    TRACE_TIMER_RETRANSMIT,
    TRACE_TIMER_SYN,
    TRACE_TIMER_PROBE,
    TRACE_TIMER_PERSIST,
    TRACE_TIMER_KEEPALIVE,
};

/* How a connection stands. */
struct trace_sample {
    uint32_t cwnd, ssthresh; /* bytes; UINT32_MAX: none */
    uint32_t srtt_us, rto_us;
    uint32_t flight, unsent, unread; /* bytes: in the network; not sent yet; not read by the program yet */
    uint32_t peer_window, own_window;
    uint8_t recovery; /* enum tcp_recovery_state */
};

struct trace_event {
    uint64_t time_ns;
    struct ip_address local, remote;
    uint16_t local_port, remote_port;
    uint8_t kind, from, to;
    union {
        uint32_t values[4];
        struct trace_sample sample;
        struct {
            uint32_t length; /* of the whole frame; the NIC may cut it */
            uint16_t segment, header_length;
            struct frame_note note;
            uint8_t header[TRACE_HEADER_BYTES]; /* its beginning */
        } frame;
    };
};

struct trace {
    unsigned wanted;          /* enum trace_group */
    _Atomic uint64_t next;    /* the number of the next event */
    _Atomic uint64_t writing; /* ... that is being written: next, or one more */
    struct trace_event events[TRACE_EVENTS];
};

/* Copies the event of that number. False: it is gone, or has not come yet. */
bool trace_at(const struct trace *trace, uint64_t number, struct trace_event *event);

/* What the sample of a connection is now. */
void trace_sample_of(const struct tcp *tcp, struct trace_sample *sample);

/* Called where it happens; nothing is done if nobody wants it. */
void trace_frame_in(struct stack *stack, const struct buffer *frame);
void trace_frame_out(struct stack *stack, const struct frame *frame);
void trace_state(struct stack *stack, const struct tcp *tcp, uint8_t from, uint8_t to);
void trace_held(struct stack *stack, const struct tcp *tcp, uint8_t by, uint32_t bytes);
void trace_timer(struct stack *stack, const struct tcp *tcp, enum trace_timer timer, uint32_t times);
void trace_window(struct stack *stack, const struct tcp *tcp, bool open);
void trace_standing(struct stack *stack, struct tcp *tcp); /* a sample, and a change of recovery's state */

#endif
