/* SPDX-License-Identifier: MIT */
/*
 * trace.c - see trace.h.
 */
#include "stack/trace.h"
#include "stack/stack.h"
#include "stack/tcp/tcp_output.h"

bool trace_at(const struct trace *trace, uint64_t number, struct trace_event *event) {
    if (number >= atomic_load_explicit(&trace->next, memory_order_acquire))
        return false;
    memcpy(event, &trace->events[number % TRACE_EVENTS], sizeof *event);
    bool frame = event->kind == TRACE_FRAME_IN || event->kind == TRACE_FRAME_OUT;
    if (frame && event->frame.header_length > sizeof event->frame.header)
        event->frame.header_length =
            sizeof event->frame.header; /* half written, or somebody's that means harm */
    atomic_thread_fence(memory_order_acquire);
    return number + TRACE_EVENTS >= atomic_load_explicit(&trace->writing, memory_order_relaxed);
}

static struct trace_event *begin_event(struct stack *stack, const struct tcp *tcp, enum trace_kind kind) {
    struct trace *trace = &stack->trace;
    uint64_t number = trace->next;
    atomic_store_explicit(&trace->writing, number + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    struct trace_event *event = &trace->events[number % TRACE_EVENTS];
    *event = (struct trace_event){.time_ns = stack->now_ns, .kind = (uint8_t)kind};
    if (tcp) {
        event->local = tcp->binding.address;
        event->remote = tcp->remote_address;
        event->local_port = tcp->binding.port;
        event->remote_port = tcp->remote_port;
    }
    return event;
}

static void end_event(struct stack *stack) {
    atomic_store_explicit(&stack->trace.next, stack->trace.next + 1, memory_order_release);
}

void trace_frame_in(struct stack *stack, const struct buffer *frame) {
    if (!(stack->trace.wanted & TRACE_FRAMES))
        return;
    struct trace_event *event = begin_event(stack, NULL, TRACE_FRAME_IN);
    uint32_t here = buffer_length(frame);
    event->frame.length = buffer_chain_length(frame);
    event->frame.header_length = (uint16_t)(here < TRACE_HEADER_BYTES ? here : TRACE_HEADER_BYTES);
    memcpy(event->frame.header, frame->storage + frame->start, event->frame.header_length);
    end_event(stack);
}

void trace_frame_out(struct stack *stack, const struct frame *frame) {
    if (!(stack->trace.wanted & TRACE_FRAMES))
        return;
    struct trace_event *event = begin_event(stack, NULL, TRACE_FRAME_OUT);
    uint32_t here = frame->header_length;
    event->frame.length = frame->header_length + frame->payload_length;
    event->frame.segment = frame->segment;
    event->frame.note = frame->note;
    event->frame.header_length = (uint16_t)(here < TRACE_HEADER_BYTES ? here : TRACE_HEADER_BYTES);
    memcpy(event->frame.header, frame->header, event->frame.header_length);
    end_event(stack);
}

static void simple(struct stack *stack, const struct tcp *tcp, enum trace_kind kind, uint8_t from, uint8_t to,
                   uint32_t value) {
    if (!(stack->trace.wanted & TRACE_TCP))
        return;
    struct trace_event *event = begin_event(stack, tcp, kind);
    event->from = from;
    event->to = to;
    event->values[0] = value;
    end_event(stack);
}

void trace_state(struct stack *stack, const struct tcp *tcp, uint8_t from, uint8_t to) {
    simple(stack, tcp, TRACE_STATE, from, to, 0);
}

void trace_held(struct stack *stack, const struct tcp *tcp, uint8_t by, uint32_t bytes) {
    simple(stack, tcp, TRACE_HELD, 0, by, bytes);
}

void trace_timer(struct stack *stack, const struct tcp *tcp, enum trace_timer timer, uint32_t times) {
    simple(stack, tcp, TRACE_TIMER, 0, (uint8_t)timer, times);
}

void trace_window(struct stack *stack, const struct tcp *tcp, bool open) {
    simple(stack, tcp, TRACE_WINDOW, !open, open, 0);
}

void trace_sample_of(const struct tcp *tcp, struct trace_sample *sample) {
    *sample = (struct trace_sample){.cwnd = tcp->congestion.cwnd,
                                    .ssthresh = tcp->congestion.ssthresh,
                                    .srtt_us = (uint32_t)(tcp->rtt.srtt_ns / 1000),
                                    .rto_us = (uint32_t)(tcp->rtt.rto_ns / 1000),
                                    .flight = tcp->snd_nxt - tcp->snd_una,
                                    .unsent = tcp_unsent(tcp),
                                    .unread = tcp->receive.length,
                                    .peer_window = tcp->snd_wnd,
                                    .own_window = tcp->rcv_adv - tcp->rcv_nxt,
                                    .recovery = (uint8_t)tcp->active->recovery.state};
}

void trace_standing(struct stack *stack, struct tcp *tcp) {
    if (!(stack->trace.wanted & (TRACE_TCP | TRACE_SAMPLES)) || !tcp_active_is_own(stack, tcp))
        return;
    uint8_t state = (uint8_t)tcp->active->recovery.state;
    bool changed = state != tcp->active->traced_recovery;
    if (!changed && !(stack->trace.wanted & TRACE_SAMPLES))
        return;
    struct trace_event *event = begin_event(stack, tcp, changed ? TRACE_RECOVERY : TRACE_SAMPLE);
    event->from = tcp->active->traced_recovery;
    event->to = state;
    trace_sample_of(tcp, &event->sample);
    tcp->active->traced_recovery = state;
    end_event(stack);
}
