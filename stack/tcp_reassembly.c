/*
 * tcp_reassembly.c - segments that arrived ahead of their turn (RFC 9293 section 3.10.7.4, "seventh").
 *
 * A connection holds as many as take twice its window in buffers, sorted and free of overlap: of a segment
 * that arrives, only the bytes that are not yet there are kept. What is held was already checked to lie in
 * the window.
 */
#include "minmax.h"
#include "stack.h"
#include "tcp.h"

static struct tcp_held *held_of(struct list *link) {
    return container_of(link, struct tcp_held, link);
}

static void held_destroy(struct stack *stack, struct tcp *tcp, struct tcp_held *held) {
    list_remove(&held->link);
    tcp->out_of_order_count--;
    buffer_drop_chain(&stack->buffers, held->chain);
    pool_return(&stack->held_segments, held);
}

void tcp_reassembly_purge(struct stack *stack, struct tcp *tcp) {
    struct list *link;
    while ((link = list_first(&tcp->out_of_order)))
        held_destroy(stack, tcp, held_of(link));
}

static void segment_trim_front(struct stack *stack, struct tcp_segment *segment, uint32_t bytes) {
    segment->chain = buffer_trim_front(&stack->buffers, segment->chain, bytes);
    segment->sequence += bytes;
    segment->length -= bytes;
}

static bool may_hold(const struct tcp *tcp) {
    uint32_t limit = max_u32(2 * tcp->receive_window / BUFFER_BYTES, TCP_OUT_OF_ORDER_MIN);
    return tcp->out_of_order_count < min_u32(limit, TCP_OUT_OF_ORDER_MAX);
}

void tcp_reassembly_insert(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    struct list *after = tcp->out_of_order.previous; /* most segments belong at the end */
    bool fin = segment->flags & TCP_FIN;
    while (after != &tcp->out_of_order && seq_gt(held_of(after)->sequence, segment->sequence))
        after = after->previous;
    if (after != &tcp->out_of_order) {
        struct tcp_held *before = held_of(after);
        uint32_t before_end = before->sequence + before->length;
        if (seq_ge(before_end, segment->sequence + segment->length)) {
            before->fin |= fin && before_end == segment->sequence + segment->length;
            return; /* all there already */
        }
        if (seq_gt(before_end, segment->sequence))
            segment_trim_front(stack, segment, before_end - segment->sequence);
    }
    uint32_t end = segment->sequence + segment->length;
    struct list *next = after->next;
    while (next != &tcp->out_of_order && seq_lt(held_of(next)->sequence, end)) {
        struct tcp_held *later = held_of(next);
        next = next->next;
        if (seq_le(later->sequence + later->length, end)) {
            fin |= later->fin;
            held_destroy(stack, tcp, later);
            continue;
        }
        /* The later one goes on beyond this one: keep it, and of this one what comes before. */
        segment->length = later->sequence - segment->sequence;
        buffer_trim_back(&stack->buffers, segment->chain, segment->length);
        fin = false;
        if (segment->length == 0)
            return;
        break;
    }
    struct tcp_held *held = NULL;
    if (may_hold(tcp))
        held = pool_take(&stack->held_segments);
    if (!held) {
        stack->mib.TcpExtTCPOFODrop++;
        return;
    }
    stack->mib.TcpExtTCPOFOQueue++;
    *held = (struct tcp_held){
        .sequence = segment->sequence, .length = segment->length, .fin = fin, .chain = segment->chain};
    segment->chain = NULL;
    list_init(&held->link);
    list_add_head(after, &held->link);
    tcp->out_of_order_count++;
}

bool tcp_reassembly_advance(struct stack *stack, struct tcp *tcp) {
    struct list *link;
    while ((link = list_first(&tcp->out_of_order))) {
        struct tcp_held *held = held_of(link);
        if (seq_gt(held->sequence, tcp->rcv_nxt))
            return false;
        uint32_t overlap = tcp->rcv_nxt - held->sequence;
        bool fin = held->fin && overlap <= held->length;
        if (overlap < held->length) {
            held->chain = buffer_trim_front(&stack->buffers, held->chain, overlap);
            tcp->rcv_nxt += held->length - overlap;
            tcp->history.bytes_received += held->length - overlap;
            byte_queue_append_chain(&tcp->receive, &stack->buffers, held->chain);
            held->chain = NULL;
        }
        held_destroy(stack, tcp, held);
        if (fin)
            return true;
    }
    return false;
}
