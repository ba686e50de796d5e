/* SPDX-License-Identifier: MIT */
/*
 * tcp_urgent.c - see tcp_urgent.h. The rules are those of Linux's tcp_check_urg, tcp_urg and tcp_recv_urg.
 */
#include "stack/tcp/tcp_urgent.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_window.h"
#include <errno.h>

/* Takes the byte once it lies in the queue. */
static void pick_up(struct stack *stack, struct tcp *tcp) {
    struct tcp_urgent *urgent = &tcp->urgent;
    uint32_t offset = urgent->at - tcp_receive_start(tcp);
    if (urgent->state != TCP_URGENT_COMING || offset >= tcp->receive.length)
        return;
    byte_queue_peek_at(&tcp->receive, offset, &urgent->byte);
    urgent->state = TCP_URGENT_HERE;
    socket_event(stack, tcp->socket);
}

void tcp_urgent_received(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    struct tcp_urgent *urgent = &tcp->urgent;
    if (segment->flags & TCP_URG && segment->urgent > 0) {
        uint32_t at = segment->first_sequence + segment->urgent - 1;
        bool new_one = urgent->state == TCP_URGENT_NONE || seq_gt(at, urgent->at);
        if (new_one && seq_ge(at, tcp_receive_start(tcp))) {
            urgent->at = at;
            urgent->state = TCP_URGENT_COMING;
            if (tcp->socket) {
                tcp->socket->async.urgent = true;
                socket_event(stack, tcp->socket);
            }
        }
    }
    pick_up(stack, tcp);
}

void tcp_urgent_written(struct tcp *tcp) {
    tcp->urgent.sending = true;
    tcp->urgent.end = tcp_send_end(tcp);
}

void tcp_urgent_put(struct tcp *tcp, struct tcp_segment *segment) {
    struct tcp_urgent *urgent = &tcp->urgent;
    if (seq_ge(tcp->snd_una, urgent->end)) {
        urgent->sending = false;
        return;
    }
    uint32_t distance = urgent->end - segment->sequence;
    if (seq_le(urgent->end, segment->sequence))
        return;
    segment->flags |= TCP_URG;
    segment->urgent = (uint16_t)(distance < UINT16_MAX ? distance : UINT16_MAX);
}

uint32_t tcp_urgent_distance(const struct tcp *tcp, bool in_line) {
    const struct tcp_urgent *urgent = &tcp->urgent;
    uint32_t offset = urgent->at - tcp_receive_start(tcp);
    bool apart = urgent->state != TCP_URGENT_NONE && !in_line && offset < tcp->receive.length;
    return apart ? offset : tcp->receive.length;
}

uint32_t tcp_urgent_readable(struct stack *stack, struct tcp *tcp, bool in_line) {
    struct tcp_urgent *urgent = &tcp->urgent;
    uint32_t offset = urgent->at - tcp_receive_start(tcp);
    if (urgent->state == TCP_URGENT_NONE || offset > tcp->receive.length)
        return tcp->receive.length;
    if (offset > 0)
        return offset; /* a read ends before it: the program can see where it is */
    if (tcp->receive.length == 0)
        return 0; /* it has not come yet */
    if (!in_line)
        byte_queue_drop(&tcp->receive, &stack->buffers, 1);
    urgent->state = TCP_URGENT_NONE;
    return tcp->receive.length;
}

ssize_t tcp_urgent_read(struct tcp *tcp, bool in_line, bool peek, uint8_t *byte) {
    struct tcp_urgent *urgent = &tcp->urgent;
    if (in_line || urgent->state == TCP_URGENT_NONE || urgent->state == TCP_URGENT_READ)
        return -EINVAL;
    if (urgent->state == TCP_URGENT_COMING)
        return -EAGAIN;
    *byte = urgent->byte;
    if (!peek)
        urgent->state = TCP_URGENT_READ;
    return 1;
}

bool tcp_urgent_at_mark(const struct tcp *tcp) {
    return tcp->urgent.state != TCP_URGENT_NONE && tcp->urgent.at == tcp_receive_start(tcp);
}
