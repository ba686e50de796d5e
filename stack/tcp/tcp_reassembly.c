/* SPDX-License-Identifier: MIT */
/*
 * tcp_reassembly.c - segments that arrived ahead of their turn (RFC 9293 section 3.10.7.4, "seventh").
 *
 * They are held as blocks without a gap, sorted, and free of overlap: of a segment that arrives, only the
 * bytes that are not yet there are kept. How many blocks a connection may hold, and how many buffers they may
 * take with what waits to be read, depends on its window: what is highest makes room for what is lower, which
 * is needed first.
 */
#include "stack/tcp/tcp_reassembly.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"

#define LENIENT_BUFFERS 32u /* beyond twice the window, for windows that are small */

/* The blocks take more buffers, or fewer. */
static void recount(struct stack *stack, struct tcp *tcp, uint32_t before) {
    size_class_change(&stack->memory.out_of_order, &tcp->active->memory_link, before,
                      tcp->active->out_of_order.buffers);
}

static void held_destroy(struct stack *stack, struct tcp *tcp, struct tcp_out_of_order *held) {
    uint32_t before = tcp->active->out_of_order.buffers;
    tcp_out_of_order_remove(&tcp->active->out_of_order, held);
    recount(stack, tcp, before);
    buffer_drop_chain(&stack->buffers, held->data.head);
    pool_return(&stack->out_of_order_segments, held);
}

static struct tcp_out_of_order *last_of(const struct tcp_out_of_order_blocks *blocks) {
    return list_empty(&blocks->list) ? NULL : tcp_out_of_order_of(blocks->list.previous);
}

void tcp_reassembly_purge(struct stack *stack, struct tcp *tcp) {
    struct tcp_out_of_order *held;
    if (!tcp_active_is_own(stack, tcp))
        return;
    while ((held = last_of(&tcp->active->out_of_order)))
        held_destroy(stack, tcp, held);
    tcp->active->held_recently_count = 0;
}

static void segment_trim_front(struct stack *stack, struct tcp_segment *segment, uint32_t bytes) {
    segment->chain = buffer_trim_front(&stack->buffers, segment->chain, bytes);
    segment->sequence += bytes;
    segment->length -= bytes;
}

static bool may_hold(const struct tcp *tcp, uint32_t buffers) {
    uint32_t limit = 2 * tcp->receive_window / BUFFER_BYTES;
    return tcp->active->out_of_order.count <
               min_u32(max_u32(limit, TCP_OUT_OF_ORDER_MIN), TCP_OUT_OF_ORDER_MAX) &&
           tcp->receive.buffers + tcp->active->out_of_order.buffers + buffers <= limit + LENIENT_BUFFERS;
}

/* A block for a segment; NULL: there is no memory, or there is too much that comes before it. */
static struct tcp_out_of_order *hold_segment(struct stack *stack, struct tcp *tcp,
                                             const struct tcp_segment *segment) {
    struct tcp_out_of_order_blocks *blocks = &tcp->active->out_of_order;
    struct tcp_out_of_order *last, *held = NULL;
    uint32_t buffers = buffer_chain_count(segment->chain);
    while (!may_hold(tcp, buffers) && (last = last_of(blocks)) && seq_gt(last->sequence, segment->sequence)) {
        stack->mib.TcpExtOfoPruned++;
        held_destroy(stack, tcp, last);
    }
    if (may_hold(tcp, buffers))
        held = pool_take_zeroed(&stack->out_of_order_segments);
    if (!held) {
        stack->mib.TcpExtTCPOFODrop++;
        return NULL;
    }
    held->sequence = segment->sequence;
    tcp_out_of_order_add(stack, blocks, held);
    return held;
}

/* Takes what a block has to the end of the one before it, which it follows. */
static void join(struct stack *stack, struct tcp *tcp, struct tcp_out_of_order *held,
                 struct tcp_out_of_order *later) {
    struct byte_queue data = later->data;
    held->fin |= later->fin;
    later->data = (struct byte_queue){0};
    tcp_out_of_order_remove(&tcp->active->out_of_order, later); /* its buffers stay in the sum */
    pool_return(&stack->out_of_order_segments, later);
    byte_queue_append_queue(&held->data, &data);
}

static struct tcp_out_of_order *after(const struct tcp_out_of_order_blocks *blocks, struct list *link) {
    return link->next == &blocks->list ? NULL : tcp_out_of_order_of(link->next);
}

const struct tcp_out_of_order *tcp_reassembly_insert(struct stack *stack, struct tcp *tcp,
                                                     struct tcp_segment *segment) {
    struct tcp_out_of_order_blocks *blocks = &tcp->active->out_of_order;
    struct tcp_out_of_order *held = NULL, *later, *before = tcp_out_of_order_find(blocks, segment->sequence);
    bool fin = segment->flags & TCP_FIN;
    if (before) {
        if (seq_ge(tcp_out_of_order_end(before), segment->sequence + segment->length)) {
            before->fin |= fin && tcp_out_of_order_end(before) == segment->sequence + segment->length;
            return before; /* all there already */
        }
        if (seq_gt(tcp_out_of_order_end(before), segment->sequence))
            segment_trim_front(stack, segment, tcp_out_of_order_end(before) - segment->sequence);
        if (tcp_out_of_order_end(before) == segment->sequence)
            held = before;
    }
    uint32_t end = segment->sequence + segment->length;
    while ((later = after(blocks, before ? &before->link : &blocks->list)) && seq_lt(later->sequence, end)) {
        if (seq_le(tcp_out_of_order_end(later), end)) {
            fin |= later->fin;
            held_destroy(stack, tcp, later);
            continue;
        }
        /* The later one goes on beyond this one: keep it, and of this one what comes before. */
        segment->length = later->sequence - segment->sequence;
        buffer_trim_back(&stack->buffers, segment->chain, segment->length);
        fin = false;
        break;
    }
    if (!held)
        held = hold_segment(stack, tcp, segment);
    if (!held)
        return NULL;
    stack->mib.TcpExtTCPOFOQueue++;
    uint32_t all = blocks->buffers, own = held->data.buffers;
    byte_queue_append_chain(&held->data, &stack->buffers, segment->chain);
    segment->chain = NULL;
    held->fin |= fin;
    blocks->buffers += held->data.buffers - own;
    recount(stack, tcp, all);
    later = after(blocks, &held->link);
    if (later && later->sequence == tcp_out_of_order_end(held))
        join(stack, tcp, held, later);
    return held;
}

bool tcp_reassembly_advance(struct stack *stack, struct tcp *tcp) {
    struct list *link;
    bool fin = false;
    while (!fin && (link = list_first(&tcp->active->out_of_order.list))) {
        struct tcp_out_of_order *held = tcp_out_of_order_of(link);
        if (seq_gt(held->sequence, tcp->rcv_nxt))
            return false;
        uint32_t overlap = tcp->rcv_nxt - held->sequence, buffers = held->data.buffers;
        fin = held->fin && overlap <= held->data.length;
        if (overlap < held->data.length) {
            byte_queue_drop(&held->data, &stack->buffers, overlap);
            tcp->rcv_nxt += held->data.length;
            tcp->history.bytes_received += held->data.length;
            byte_queue_append_queue(&tcp->receive, &held->data);
            socket_arrived(stack, tcp->socket, tcp->rcv_nxt);
        }
        held->data.buffers = buffers; /* by which the sum gets less */
        held_destroy(stack, tcp, held);
    }
    if (tcp->active->out_of_order.count == 0)
        tcp->active->held_recently_count = 0;
    return fin;
}

uint32_t tcp_reassembly_end(const struct tcp *tcp) {
    const struct tcp_out_of_order *last = last_of(&tcp->active->out_of_order);
    return last ? tcp_out_of_order_end(last) : tcp->rcv_nxt;
}
