/*
 * tcp_output.c - what leaves: RFC 9293 section 3.8.
 *
 * tcp_output is the one place that sends from the send queue, first time or again, and is called whenever
 * something may have changed. It sends from snd_nxt on as far as the peer's window, the congestion window,
 * Nagle and the transmit queue allow; when the transmit queue is full it asks to be called again. After a
 * timeout snd_nxt goes back to snd_una, and what follows is sent again by the same loop.
 */
#include "checksum.h"
#include "stack.h"
#include "tcp.h"
#include "tcp_nagle.h"
#include "tcp_rtt.h"
#include "wire.h"
#include <errno.h>

static uint32_t min_u32(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Writes and sends one segment. False: there was no room, nothing happened. */
static bool send_segment(struct stack *stack, const struct tcp_segment *segment, struct byte_cursor payload,
                         const struct ip_parameters *parameters) {
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame)
        return false;
    uint8_t *header = frame->header + FRAME_TRANSPORT_AT;
    uint32_t header_length = tcp_segment_write(segment, header);
    frame->header_length = (uint16_t)(FRAME_TRANSPORT_AT + header_length);
    uint64_t sum = checksum_pseudo_header(parameters->source, parameters->destination, IP_PROTOCOL_TCP,
                                          (uint16_t)(header_length + segment->length));
    sum = checksum_add(sum, header, header_length);
    if (segment->length > 0) {
        frame_set_payload(frame, payload, segment->length);
        sum += checksum_fold(checksum_add_range(0, payload, segment->length));
    }
    wire_put_sum(header + 16, (uint16_t)~checksum_fold(sum));
    stack->mib.TcpOutSegs++;
    ip_output(stack, frame, parameters);
    return true;
}

bool tcp_transmit(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                  struct byte_cursor payload) {
    struct ip_parameters parameters = {.source = tcp->binding.address,
                                       .destination = tcp->remote_address,
                                       .protocol = IP_PROTOCOL_TCP,
                                       .ttl = tcp->options.ttl,
                                       .tos = tcp->options.tos,
                                       .dont_fragment = !tcp->path.may_fragment};
    if (!send_segment(stack, segment, payload, &parameters))
        return false;
    tcp->history.segments_sent++;
    if (segment->length > 0) {
        tcp->history.data_segments_sent++;
        if (segment->length > tcp->history.largest_sent)
            tcp->history.largest_sent = segment->length;
    }
    if (segment->flags & TCP_ACK) {
        /* Whatever leaves acknowledges what has arrived. */
        tcp->ack_now = false;
        tcp->unacked_segments = 0;
        timer_stop(&stack->timers, &tcp->ack_timer);
    }
    return true;
}

static struct tcp_segment segment_of(struct tcp *tcp, uint32_t sequence, uint8_t flags) {
    return (struct tcp_segment){
        .source_port = tcp->binding.port,
        .destination_port = tcp->remote_port,
        .sequence = sequence,
        .acknowledgment = tcp->rcv_nxt,
        .window = tcp_advertise(tcp),
        .flags = flags,
        .window_scale = -1,
    };
}

void tcp_send_ack(struct stack *stack, struct tcp *tcp) {
    /* Not snd_nxt, which goes back after a timeout: the peer may have all up to snd_max, and would refuse
     * what it takes for old. Two sides that did so at once would never hear each other again. */
    struct tcp_segment segment = segment_of(tcp, tcp->snd_max, TCP_ACK);
    if (!tcp_transmit(stack, tcp, &segment, (struct byte_cursor){NULL, 0}))
        tcp_want_ack(stack, tcp);
}

void tcp_send_probe(struct stack *stack, struct tcp *tcp) {
    /* A number that the peer has acknowledged already: RFC 9293 section 3.10.7.4 makes it answer with an ACK.
     */
    struct tcp_segment segment = segment_of(tcp, tcp->snd_una - 1, TCP_ACK);
    tcp_transmit(stack, tcp, &segment, (struct byte_cursor){NULL, 0});
}

void tcp_send_reset(struct stack *stack, struct tcp *tcp) {
    struct tcp_segment segment = segment_of(tcp, tcp->snd_max, TCP_RST | TCP_ACK);
    stack->mib.TcpOutRsts++;
    tcp_transmit(stack, tcp, &segment, (struct byte_cursor){NULL, 0});
}

/* RFC 9293 section 3.10.7.1: a reset that the peer will believe. */
static struct tcp_segment reset_for(const struct tcp_segment *segment) {
    struct tcp_segment reset = {
        .source_port = segment->destination_port,
        .destination_port = segment->source_port,
        .flags = TCP_RST,
        .window_scale = -1,
    };
    if (segment->flags & TCP_ACK) {
        reset.sequence = segment->acknowledgment;
    } else {
        reset.flags |= TCP_ACK;
        reset.acknowledgment = segment->sequence + tcp_segment_span(segment);
    }
    return reset;
}

static void send_reset(struct stack *stack, const struct tcp_segment *reset, uint32_t from, uint32_t to) {
    struct ip_parameters parameters = {.source = from,
                                       .destination = to,
                                       .protocol = IP_PROTOCOL_TCP,
                                       .ttl = IP_DEFAULT_TTL,
                                       .dont_fragment = true};
    send_segment(stack, reset, (struct byte_cursor){NULL, 0}, &parameters);
}

void tcp_reply_reset(struct stack *stack, const struct ip_packet *packet, const struct tcp_segment *segment) {
    if (segment->flags & TCP_RST || packet->multicast)
        return;
    struct tcp_segment reset = reset_for(segment);
    stack->mib.TcpOutRsts++;
    send_reset(stack, &reset, packet->destination, packet->source);
}

void tcp_reply_reset_to(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    struct tcp_segment reset = reset_for(segment);
    stack->mib.TcpOutRsts++;
    send_reset(stack, &reset, tcp->binding.address, tcp->remote_address);
}

/* Moves the cursor of the byte at snd_nxt past what was sent. */
static void advance_cursor(struct tcp *tcp, struct byte_cursor cursor, uint32_t length) {
    while (length > cursor.buffer->end - cursor.position) {
        length -= cursor.buffer->end - cursor.position;
        cursor.buffer = cursor.buffer->next;
        cursor.position = 0;
    }
    cursor.position += length;
    tcp->send_next = cursor;
}

/* The place of the byte at snd_nxt, `offset` bytes into the send queue, which is longer than that. */
static struct byte_cursor cursor_at(struct tcp *tcp, uint32_t offset) {
    if (offset == 0)
        return byte_queue_at(&tcp->send, 0);
    struct byte_cursor cursor = tcp->send_next;
    if (cursor.position == cursor.buffer->end)
        cursor = (struct byte_cursor){cursor.buffer->next, 0};
    return cursor;
}

/* Sends [snd_nxt, snd_nxt + length), with the FIN after it if so asked. */
static bool send_next(struct stack *stack, struct tcp *tcp, uint32_t offset, uint32_t length, bool fin) {
    bool again = seq_lt(tcp->snd_nxt, tcp->snd_max);
    bool last = offset + length == tcp->send.length;
    uint8_t flags = (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0) | (last && length ? TCP_PSH : 0));
    struct tcp_segment segment = segment_of(tcp, tcp->snd_nxt, flags);
    struct byte_cursor cursor = {NULL, 0};
    segment.length = length;
    if (length > 0)
        cursor = cursor_at(tcp, offset);
    if (!tcp_transmit(stack, tcp, &segment, cursor))
        return false;
    if (length > 0)
        advance_cursor(tcp, cursor, length);
    tcp->snd_nxt += length + fin;
    tcp->history.bytes_sent += length;
    if (again) {
        stack->mib.TcpRetransSegs++;
        tcp->history.retransmitted++;
        tcp_rtt_retransmitted(&tcp->rtt);
    } else {
        tcp_rtt_start(&tcp->rtt, tcp->snd_nxt, stack->now_ns);
    }
    if (seq_gt(tcp->snd_nxt, tcp->snd_max))
        tcp->snd_max = tcp->snd_nxt;
    if (!timer_running(&tcp->retransmit_timer) || tcp->persisting)
        tcp_arm_retransmit(stack, tcp);
    return true;
}

static bool can_send_data(const struct tcp *tcp) {
    switch (tcp->state) {
    case TCP_ESTABLISHED:
    case TCP_CLOSE_WAIT:
    case TCP_FIN_WAIT1:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
        return true;
    default:
        return false;
    }
}

/* Data waits, nothing is in flight, and the window does not let it go: probe it (RFC 9293 section 3.8.6.1).
 */
static void consider_persist(struct stack *stack, struct tcp *tcp) {
    if (tcp->snd_nxt == tcp->snd_una && tcp->send.length > 0 && !timer_running(&tcp->retransmit_timer)) {
        tcp->persisting = true;
        timer_start(&stack->timers, &tcp->retransmit_timer, stack->now_ns + tcp->rtt.rto_ns);
    }
}

/* Sends what may be sent from the queue. Returns false when the transmit queue is full. */
static bool send_queue(struct stack *stack, struct tcp *tcp) {
    for (;;) {
        uint32_t offset = tcp->snd_nxt - tcp->snd_una;
        if (offset > tcp->send.length)
            return true; /* the FIN has been sent, too */
        uint32_t window = min_u32(tcp->snd_wnd, tcp->congestion.cwnd);
        uint32_t room = window > offset ? window - offset : 0;
        uint32_t left = tcp->send.length - offset;
        bool probe = tcp->path.narrowed && tcp_path_probe_due(stack, tcp, left, room);
        uint32_t length = min_u32(min_u32(left, room), probe ? tcp->path.mss_full : tcp->mss);
        bool fin = tcp->fin_queued && length == left;
        struct nagle_segment question = {
            .length = length,
            .mss = tcp->mss,
            .largest_window = tcp->snd_wnd_largest,
            .last = length == left,
            .in_flight = offset > 0,
            .retransmission = seq_lt(tcp->snd_nxt, tcp->snd_max),
            .fin = fin,
            .nodelay = tcp->options.nodelay,
            .cork = tcp->options.cork || tcp->more,
        };
        if ((length == 0 && !fin) || !nagle_allows(&question))
            return true;
        if (!send_next(stack, tcp, offset, length, fin))
            return false;
        if (probe)
            tcp_path_probed(tcp);
    }
}

void tcp_push_window(struct stack *stack, struct tcp *tcp) {
    uint32_t length = min_u32(min_u32(tcp->send.length, tcp->snd_wnd), tcp->mss);
    if (tcp->snd_nxt == tcp->snd_una && length > 0)
        send_next(stack, tcp, 0, length, tcp->fin_queued && length == tcp->send.length);
}

void tcp_output(struct stack *stack, struct tcp *tcp) {
    if (tcp->state == TCP_CLOSE || tcp->state == TCP_LISTEN || tcp->state == TCP_SYN_SENT)
        return;
    if (can_send_data(tcp)) {
        if (!send_queue(stack, tcp)) {
            tcp_want_output(stack, tcp);
            return;
        }
        consider_persist(stack, tcp);
    }
    if (tcp->ack_now)
        tcp_send_ack(stack, tcp);
}

bool tcp_retransmit_first(struct stack *stack, struct tcp *tcp) {
    if (tcp->send.length == 0)
        return true; /* only the FIN is in flight; the timer sends it again */
    tcp_path_lost(stack, tcp);
    uint32_t in_flight = tcp->snd_max - tcp->snd_una;
    uint32_t length = min_u32(min_u32(tcp->send.length, tcp->mss), in_flight);
    bool fin = tcp->fin_queued && length == tcp->send.length && in_flight > length;
    struct tcp_segment segment = segment_of(tcp, tcp->snd_una, (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0)));
    segment.length = length;
    if (!tcp_transmit(stack, tcp, &segment, byte_queue_at(&tcp->send, 0)))
        return false;
    stack->mib.TcpRetransSegs++;
    tcp->history.retransmitted++;
    tcp_rtt_retransmitted(&tcp->rtt);
    return true;
}

ssize_t tcp_send(struct stack *stack, struct tcp *tcp, const struct iovec *from, int count, bool more) {
    uint32_t limit = tcp->socket->send_limit;
    uint32_t free_bytes = tcp->send.length < limit ? limit - tcp->send.length : 0;
    size_t wanted = 0;
    for (int i = 0; i < count; i++)
        wanted += from[i].iov_len;
    if (wanted == 0)
        return 0;
    if (free_bytes == 0)
        return -EAGAIN;
    uint32_t length = wanted < free_bytes ? (uint32_t)wanted : free_bytes;
    uint32_t appended = byte_queue_append(&tcp->send, &stack->buffers, from, count, 0, length);
    if (appended == 0)
        return -ENOBUFS;
    stack_work_on(stack, tcp);
    tcp->more = more && appended == wanted;
    if (tcp->state != TCP_SYN_SENT && tcp->state != TCP_SYN_RECV)
        tcp_output(stack, tcp);
    return appended;
}
