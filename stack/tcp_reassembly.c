/*
 * tcp_reassembly.c - segments that arrived ahead of their turn (RFC 9293 section 3.10.7.4, "seventh").
 *
 * They are held as blocks without a gap, sorted, and free of overlap: of a segment that arrives, only the
 * bytes that are not yet there are kept. How many blocks a connection may hold depends on its window; what is
 * in them was already checked to lie in that.
 */
#include "minmax.h"
#include "stack.h"
#include "tcp.h"

static struct tcp_held *held_of(struct list *link) {
    return container_of(link, struct tcp_held, link);
}

static uint32_t end_of(const struct tcp_held *held) {
    return held->sequence + held->data.length;
}

static void held_destroy(struct stack *stack, struct tcp *tcp, struct tcp_held *held) {
    list_remove(&held->link);
    tcp->flight->out_of_order_count--;
    buffer_drop_chain(&stack->buffers, held->data.head);
    pool_return(&stack->held_segments, held);
}

void tcp_reassembly_purge(struct stack *stack, struct tcp *tcp) {
    struct list *link;
    while ((link = list_first(&tcp->flight->out_of_order)))
        held_destroy(stack, tcp, held_of(link));
}

static void segment_trim_front(struct stack *stack, struct tcp_segment *segment, uint32_t bytes) {
    segment->chain = buffer_trim_front(&stack->buffers, segment->chain, bytes);
    segment->sequence += bytes;
    segment->length -= bytes;
}

static bool may_hold(const struct tcp *tcp) {
    uint32_t limit = max_u32(2 * tcp->receive_window / BUFFER_BYTES, TCP_OUT_OF_ORDER_MIN);
    return tcp->flight->out_of_order_count < min_u32(limit, TCP_OUT_OF_ORDER_MAX);
}

/* A block for a segment, behind another; NULL: there is no memory, or there are too many. */
static struct tcp_held *hold(struct stack *stack, struct tcp *tcp, struct list *after, uint32_t sequence) {
    struct tcp_held *held = may_hold(tcp) ? pool_take_zeroed(&stack->held_segments) : NULL;
    if (!held) {
        stack->mib.TcpExtTCPOFODrop++;
        return NULL;
    }
    held->sequence = sequence;
    list_init(&held->link);
    list_add_head(after, &held->link);
    tcp->flight->out_of_order_count++;
    return held;
}

/* Takes what a block has to the end of the one before it, which it follows. */
static void join(struct stack *stack, struct tcp *tcp, struct tcp_held *held, struct tcp_held *later) {
    byte_queue_append_chain(&held->data, &stack->buffers, later->data.head);
    held->fin |= later->fin;
    later->data = (struct byte_queue){0};
    held_destroy(stack, tcp, later);
}

const struct tcp_held *tcp_reassembly_insert(struct stack *stack, struct tcp *tcp,
                                             struct tcp_segment *segment) {
    struct list *after = tcp->flight->out_of_order.previous; /* most segments belong at the end */
    struct tcp_held *held = NULL;
    bool fin = segment->flags & TCP_FIN;
    while (after != &tcp->flight->out_of_order && seq_gt(held_of(after)->sequence, segment->sequence))
        after = after->previous;
    if (after != &tcp->flight->out_of_order) {
        struct tcp_held *before = held_of(after);
        if (seq_ge(end_of(before), segment->sequence + segment->length)) {
            before->fin |= fin && end_of(before) == segment->sequence + segment->length;
            return before; /* all there already */
        }
        if (seq_gt(end_of(before), segment->sequence))
            segment_trim_front(stack, segment, end_of(before) - segment->sequence);
        if (end_of(before) == segment->sequence)
            held = before;
    }
    uint32_t end = segment->sequence + segment->length;
    struct list *next = after->next;
    while (next != &tcp->flight->out_of_order && seq_lt(held_of(next)->sequence, end)) {
        struct tcp_held *later = held_of(next);
        next = next->next;
        if (seq_le(end_of(later), end)) {
            fin |= later->fin;
            held_destroy(stack, tcp, later);
            continue;
        }
        /* The later one goes on beyond this one: keep it, and of this one what comes before. */
        next = &later->link;
        segment->length = later->sequence - segment->sequence;
        buffer_trim_back(&stack->buffers, segment->chain, segment->length);
        fin = false;
        break;
    }
    if (!held)
        held = hold(stack, tcp, after, segment->sequence);
    if (!held)
        return NULL;
    stack->mib.TcpExtTCPOFOQueue++;
    byte_queue_append_chain(&held->data, &stack->buffers, segment->chain);
    segment->chain = NULL;
    held->fin |= fin;
    if (next != &tcp->flight->out_of_order && held_of(next)->sequence == end_of(held))
        join(stack, tcp, held, held_of(next));
    return held;
}

bool tcp_reassembly_advance(struct stack *stack, struct tcp *tcp) {
    struct list *link;
    while ((link = list_first(&tcp->flight->out_of_order))) {
        struct tcp_held *held = held_of(link);
        if (seq_gt(held->sequence, tcp->rcv_nxt))
            return false;
        uint32_t overlap = tcp->rcv_nxt - held->sequence;
        bool fin = held->fin && overlap <= held->data.length;
        if (overlap < held->data.length) {
            byte_queue_drop(&held->data, &stack->buffers, overlap);
            tcp->rcv_nxt += held->data.length;
            tcp->history.bytes_received += held->data.length;
            byte_queue_append_chain(&tcp->receive, &stack->buffers, held->data.head);
            held->data = (struct byte_queue){0};
        }
        held_destroy(stack, tcp, held);
        if (fin)
            return true;
    }
    return false;
}

uint32_t tcp_reassembly_end(const struct tcp *tcp) {
    return list_empty(&tcp->flight->out_of_order) ? tcp->rcv_nxt
                                                  : end_of(held_of(tcp->flight->out_of_order.previous));
}
