/* SPDX-License-Identifier: MIT */
/*
 * tcp_output.c - what leaves: RFC 9293 section 3.8.
 *
 * tcp_output is the one place that sends from the send queue, and is called whenever something may have
 * changed. What is lost goes first, then what is new, as far as the peer's window, the congestion window,
 * Nagle and the transmit queue allow; when the transmit queue is full it asks to be called again.
 */
#include "stack/tcp/tcp_output.h"
#include "stack/base/checksum.h"
#include "stack/base/minmax.h"
#include "stack/base/wire.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_model.h"
#include "stack/tcp/tcp_nagle.h"
#include "stack/tcp/tcp_pmtu.h"
#include "stack/tcp/tcp_sack.h"
#include "stack/tcp/tcp_timer.h"
#include "stack/tcp/tcp_window.h"
#include <errno.h>

#define GSO_BYTES_MAX 65400u /* with its headers no longer than a packet can be */

/* Writes and sends one segment. False: there was no room, nothing happened. */
static bool send_segment(struct stack *stack, const struct tcp_segment *segment, struct byte_cursor payload,
                         const struct ip_parameters *parameters) {
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame)
        return false;
    frame->note = segment->note;
    uint8_t *header = frame->header + FRAME_TRANSPORT_AT;
    uint32_t header_length = tcp_segment_write(segment, header);
    frame->header_length = (uint16_t)(FRAME_TRANSPORT_AT + header_length);
    uint64_t sum = checksum_pseudo_header(parameters->source, parameters->destination, IP_PROTOCOL_TCP,
                                          (uint16_t)(header_length + segment->length));
    if (segment->length > 0)
        frame_set_payload(frame, payload, segment->length);
    if (ip_offloads(stack, parameters, frame) && !segment->key) {
        frame->segment = segment->size;
        frame->checksum_offset = 16;
        wire_put_sum(header + 16, checksum_fold(sum));
    } else {
        sum = checksum_add(sum, header, header_length);
        if (segment->length > 0)
            sum += checksum_fold(checksum_add_range(0, payload, segment->length));
        if (segment->key) {
            tcp_md5_sign(segment->key, parameters->source, parameters->destination, header, header_length,
                         payload, segment->length, header + TCP_SIGNATURE_AT);
            sum = checksum_add(sum, header + TCP_SIGNATURE_AT, TCP_SIGNATURE_BYTES);
        }
        wire_put_sum(header + 16, (uint16_t)~checksum_fold(sum));
    }
    stack->mib.TcpOutSegs += frame_segments(frame);
    ip_output(stack, frame, parameters);
    return true;
}

void tcp_choose_flow(struct stack *stack, struct tcp *tcp) {
    if (ip_is_v4(tcp->remote_address))
        return;
    uint32_t ports = (uint32_t)tcp->binding.port << 16 | tcp->remote_port;
    uint32_t label = ip6_flow_label(stack, tcp->binding.address, tcp->remote_address, IP_PROTOCOL_TCP,
                                    ports ^ (uint32_t)random_u64(&stack->random));
    bool wanted = !tcp->socket || tcp->socket->options.six.auto_flow_label;
    tcp->flow = wanted ? (uint16_t)label : 0;
}

/* Twenty bits of the flow's sixteen. */
static uint32_t flow_label(const struct tcp *tcp) {
    return (uint32_t)tcp->flow << 4 | tcp->flow >> 12;
}

/* What is IPv6's in a segment's parameters. */
static void put_inet6(const struct stack *stack, const struct tcp *tcp, struct ip_parameters *parameters) {
    const struct tcp_options *options = &tcp->options;
    parameters->ttl = options->hop_limit ? options->hop_limit : ip6_hop_limit(stack);
    parameters->tos = options->traffic_class;
    parameters->flow_label = flow_label(tcp);
    const struct socket_headers6 *six = socket_headers6(tcp->socket);
    if (six) {
        parameters->extensions = socket_extensions6(tcp->socket);
        parameters->flow_label = six->flow_information & IP6_FLOW_LABEL
                                     ? six->flow_information & IP6_FLOW_LABEL
                                     : parameters->flow_label;
    }
    parameters->options = NULL;
}

bool tcp_transmit(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                  struct byte_cursor payload) {
    struct tcp_segment marked;
    struct ip_parameters parameters = {.source = tcp->binding.address,
                                       .destination = tcp->remote_address,
                                       .protocol = IP_PROTOCOL_TCP,
                                       .ttl = tcp->options.ttl,
                                       .tos = tcp->options.tos,
                                       .dont_fragment = !tcp->path.may_fragment,
                                       .options = socket_ip_options(tcp->socket),
                                       .identification = &tcp->ip_identification};
    if (!ip_is_v4(tcp->remote_address))
        put_inet6(stack, tcp, &parameters);
    if (tcp->ecn || tcp->md5_keys) {
        marked = *segment;
        marked.key = tcp_md5_find(tcp, tcp->remote_address);
        parameters.tos |=
            tcp_ecn_send(tcp, &marked, segment->length > 0 && segment->sequence == tcp->snd_nxt);
        segment = &marked;
    }
    if (!send_segment(stack, segment, payload, &parameters))
        return false;
    uint32_t size = segment->size ? segment->size : segment->length;
    uint32_t count = segment->size ? (segment->length + size - 1) / size : 1;
    tcp->history.segments_sent += count;
    if (segment->length > 0) {
        tcp->last_sent_ns = stack->now_ns;
        tcp->history.data_segments_sent += count;
        if (size > tcp->history.largest_sent)
            tcp->history.largest_sent = (uint16_t)size;
    }
    if (segment->flags & TCP_ACK) {
        /* Whatever leaves acknowledges what has arrived. */
        tcp->ack_now = false;
        tcp->last_ack_sent = segment->acknowledgment;
        if (!(segment->flags & TCP_SYN)) /* whose window is not scaled */
            tcp_window_advertised(tcp, segment->acknowledgment, (uint16_t)segment->window);
        tcp_alarm_stop(tcp, TCP_ALARM_ACK);
        tcp_ack_sent(stack, tcp, segment->length > 0);
    }
    return true;
}

static struct tcp_segment segment_of(struct stack *stack, struct tcp *tcp, uint32_t sequence, uint8_t flags) {
    struct tcp_segment segment = {
        .source_port = tcp->binding.port,
        .destination_port = tcp->remote_port,
        .sequence = sequence,
        .acknowledgment = tcp->rcv_nxt,
        .window = tcp_window_field(tcp),
        .flags = flags,
        .window_scale = -1,
    };
    if (!segment.window != tcp->active->traced_closed && tcp_active_is_own(stack, tcp)) {
        tcp->active->traced_closed = !segment.window;
        trace_window(stack, tcp, segment.window > 0);
    }
    if (tcp->timestamps)
        tcp_timestamp_put(stack, tcp, &segment);
    if (tcp->urgent.sending)
        tcp_urgent_put(tcp, &segment);
    return segment;
}

void tcp_send_ack(struct stack *stack, struct tcp *tcp) {
    struct tcp_segment segment = segment_of(stack, tcp, tcp->snd_nxt, TCP_ACK);
    if (tcp->active->out_of_order.count > 0 || tcp->has_duplicate)
        tcp_sack_put(tcp, &segment);
    if (!tcp_transmit(stack, tcp, &segment, (struct byte_cursor){NULL, 0}))
        tcp_want_ack(stack, tcp);
}

void tcp_send_probe(struct stack *stack, struct tcp *tcp) {
    /* A number that the peer has acknowledged already: RFC 9293 section 3.10.7.4 makes it answer with an ACK.
     */
    struct tcp_segment segment = segment_of(stack, tcp, tcp->snd_una - 1, TCP_ACK);
    segment.note.why = FRAME_WHY_PROBE;
    tcp_transmit(stack, tcp, &segment, (struct byte_cursor){NULL, 0});
}

void tcp_send_reset(struct stack *stack, struct tcp *tcp) {
    struct tcp_segment segment = segment_of(stack, tcp, tcp->snd_nxt, TCP_RST | TCP_ACK);
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

static void send_reset(struct stack *stack, const struct tcp_segment *reset, struct ip_address from,
                       struct ip_address to) {
    struct ip_parameters parameters = {.source = from,
                                       .destination = to,
                                       .protocol = IP_PROTOCOL_TCP,
                                       .ttl = ip_is_v4(to) ? (uint8_t)stack->sysctl.ip_default_ttl
                                                           : ip6_hop_limit(stack),
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
    reset.key = tcp_md5_find(tcp, tcp->remote_address);
    stack->mib.TcpOutRsts++;
    send_reset(stack, &reset, tcp->binding.address, tcp->remote_address);
}

void tcp_advance_next(struct tcp *tcp, struct byte_cursor place, uint32_t length, bool fin) {
    if (length > 0)
        tcp->active->send_next = byte_cursor_after(place, length);
    tcp->snd_nxt += length + fin;
    tcp->history.bytes_sent += length;
}

/* The place of the byte at snd_nxt, `offset` bytes into the send queue, which is longer than that. */
static struct byte_cursor cursor_at(struct tcp *tcp, uint32_t offset) {
    if (offset == 0)
        return byte_queue_at(&tcp->send, 0);
    struct byte_cursor cursor = tcp->active->send_next;
    if (cursor.position == cursor.buffer->end)
        cursor = (struct byte_cursor){cursor.buffer->next, 0};
    return cursor;
}

static uint8_t data_flags(uint32_t length, bool push, bool fin) {
    return (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0) | (push && length ? TCP_PSH : 0));
}

/* What became of an attempt to send. */
enum sending {
    SENT,
    NO_ROOM,   /* the transmit queue is full */
    NO_MEMORY, /* the timer will try again */
};

/* Sends [snd_nxt, snd_nxt + length), in segments of `size`, with the FIN after it if so asked. The end of
 * what the program wrote is pushed whenever it is sent, that of a burst only now. */
static enum sending send_next(struct stack *stack, struct tcp *tcp, uint32_t offset, uint32_t length,
                              uint32_t size, bool ends_write, bool ends_gso, bool fin, uint8_t why) {
    struct tcp_segment segment =
        segment_of(stack, tcp, tcp->snd_nxt, data_flags(length, ends_write || ends_gso, fin));
    struct byte_cursor cursor = {NULL, 0};
    segment.length = length;
    segment.size = length > size ? (uint16_t)size : 0;
    segment.note.why = length > 0 ? why : FRAME_WHY_NONE;
    if (tcp->active->held_by) {
        segment.note.held = tcp->active->held_by;
        segment.note.held_us = (uint32_t)((stack->now_ns - tcp->active->held_since_ns) / 1000);
    }
    if (length > 0)
        cursor = cursor_at(tcp, offset);
    struct tcp_rtx *sent = tcp_rtx_add(stack, tcp, length, size, fin, cursor);
    if (!sent)
        return NO_MEMORY;
    sent->pushed = ends_write;
    if (!tcp_transmit(stack, tcp, &segment, cursor)) {
        tcp_rtx_retract(stack, tcp, sent);
        return NO_ROOM;
    }
    tcp->active->held_by = FRAME_HELD_NOT;
    tcp_advance_next(tcp, cursor, length, fin);
    if (length < tcp->mss || (length > size && length % size))
        tcp->active->small_end = tcp->snd_nxt;
    if (tcp->active->mark_count > 0)
        tcp_write_mark_sent(stack, tcp);
    tcp_pacing_sent(stack, tcp, length);
    tcp_recovery_sent(stack, tcp, length + fin, false);
    if (!tcp_alarm_is_set(tcp, TCP_ALARM_RETRANSMIT) || tcp->timer_mode == TCP_TIMER_PERSIST)
        tcp_arm_retransmit(stack, tcp);
    return SENT;
}

/* Sends a segment again. */
static enum sending resend(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent) {
    struct tcp_segment segment =
        segment_of(stack, tcp, sent->sequence, data_flags(sent->length, sent->pushed, sent->fin));
    segment.length = sent->length;
    segment.note.why = FRAME_WHY_AGAIN;
    tcp_path_lost(stack, tcp);
    if (!tcp_transmit(stack, tcp, &segment, tcp_rtx_place(sent)))
        return NO_ROOM;
    tcp_pacing_sent(stack, tcp, sent->length);
    tcp_recovery_sent(stack, tcp, tcp_rtx_span(sent), true);
    tcp_rtx_again(stack, tcp, sent);
    tcp->history.bytes_sent += sent->length;
    tcp->history.bytes_retransmitted += sent->length;
    if (!tcp_alarm_is_set(tcp, TCP_ALARM_RETRANSMIT))
        tcp_arm_retransmit(stack, tcp);
    return SENT;
}

void tcp_resend_last(struct stack *stack, struct tcp *tcp) {
    struct tcp_rtx *last = tcp_rtx_last(stack, tcp);
    if (last && last->length <= tcp->mss)
        resend(stack, tcp, last);
}

static bool can_send_data(const struct tcp *tcp) {
    switch (tcp->state) {
    case TCP_ESTABLISHED:
    case TCP_CLOSE_WAIT:
    case TCP_FIN_WAIT1:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
        return true;
    case TCP_SYN_RECV:
        return tcp->fastopen & TCP_FASTOPEN_CHILD;
    default:
        return false;
    }
}

/* Data waits, nothing is in flight, and the window does not let it go: probe it (RFC 9293 section 3.8.6.1).
 */
static void consider_persist(struct stack *stack, struct tcp *tcp) {
    if (tcp->snd_nxt == tcp->snd_una && tcp->send.length > 0 &&
        !tcp_alarm_is_set(tcp, TCP_ALARM_RETRANSMIT)) {
        tcp->timer_mode = TCP_TIMER_PERSIST;
        tcp_alarm_set(stack, tcp, TCP_ALARM_RETRANSMIT, stack->now_ns + tcp->rtt.rto_ns);
    }
}

/* RFC 5681 section 4.1: what was learnt of the network is old when nothing was sent for so long. */
static void restart_after_idle(struct stack *stack, struct tcp *tcp) {
    uint32_t initial = TCP_INITIAL_SEGMENTS * tcp->mss;
    if (tcp_congestion_models(&tcp->congestion)) {
        if (tcp->snd_nxt == tcp->snd_una && tcp->send.length > 0)
            tcp_model(tcp)->restart(stack, tcp);
        return;
    }
    if (stack->sysctl.tcp_slow_start_after_idle && tcp->snd_nxt == tcp->snd_una && tcp->last_sent_ns &&
        stack->now_ns - tcp->last_sent_ns > tcp->rtt.rto_ns && tcp->congestion.cwnd > initial)
        tcp->congestion.cwnd = initial;
}

/* Sends what is lost again, as far as the congestion window allows. */
static enum sending send_lost(struct stack *stack, struct tcp *tcp) {
    struct tcp_rtx *sent;
    while ((sent = tcp_rtx_lost(stack, tcp, tcp->mss))) {
        uint32_t pipe = tcp_pipe(tcp);
        if ((pipe > 0 && pipe + tcp_rtx_span(sent) > tcp->congestion.cwnd) || tcp_pacing_holds(stack, tcp))
            return SENT;
        enum sending result = resend(stack, tcp, sent);
        if (result != SENT)
            return result;
    }
    return SENT;
}

/* How much may be sent at `offset` of the send queue. */
static uint32_t room_at(const struct tcp *tcp, uint32_t offset) {
    uint32_t pipe = tcp_pipe(tcp), cwnd = tcp->congestion.cwnd;
    uint32_t window = tcp->snd_wnd > offset ? tcp->snd_wnd - offset : 0;
    uint32_t network = cwnd > pipe ? cwnd - pipe : 0;
    /* Little segments weigh as much as full ones on the network: as many as would be full ones, as Linux. */
    uint32_t arrived = tcp->active->scoreboard.sacked_count + tcp->active->scoreboard.duplicate_acks;
    bool full = tcp->active->scoreboard.count > arrived &&
                (tcp->active->scoreboard.count - arrived) * (uint64_t)tcp->mss >= cwnd;
    if (full && pipe > 0 && tcp->active->recovery.state == TCP_OPEN)
        network = 0;
    return min_u32(window, network);
}

/* RFC 7661: what was in flight at most, until all of it is acknowledged, says how much of the window is used
 * (Linux's tcp_cwnd_validate). */
static void note_usage(struct tcp *tcp) {
    uint32_t flight = tcp->snd_nxt - tcp->snd_una;
    bool full = tcp_pipe(tcp) + tcp->mss > tcp->congestion.cwnd;
    if (seq_ge(tcp->snd_una, tcp->active->usage_end) || full ||
        (!tcp->active->cwnd_limited && flight > tcp->active->usage_flight)) {
        tcp->active->cwnd_limited = full;
        tcp->active->usage_flight = flight;
        tcp->active->usage_end = tcp->snd_nxt;
    }
}

/* What holds a segment back that is not full. */
enum holding {
    BY_NAGLE, /* or by TCP_CORK */
    BY_MORE,  /* the program has said that more will come */
    BY_NO_DELAY,
};

/* Segments leave in bursts: as many as the connection's rate sends in a millisecond, two at least, more when
 * the round trip is short (Linux's tcp_tso_autosize). The last of a burst is marked PSH, so that the receiver
 * need not wait for more before it wakes its program. */
static uint32_t gso_segments(const struct stack *stack, const struct tcp *tcp) {
    uint32_t halvings = (uint32_t)(tcp->rtt.min_ns / 512000);
    uint64_t bytes = tcp_pacing_rate(stack, tcp) / 1000;
    if (halvings < 16)
        bytes += 65536u >> halvings;
    bytes = bytes < 65536 ? bytes : 65536;
    uint32_t segments = (uint32_t)bytes / tcp->mss, least = stack->sysctl.tcp_min_tso_segs;
    return segments > least ? segments : least;
}

/* Whether another full segment will follow at once. */
static bool follows(const struct tcp *tcp, uint32_t left, uint32_t room) {
    return left >= tcp->mss && room >= tcp->mss;
}

/* Sending is over for now: what is in flight may be the tail of it (RFC 8985 section 7.2). */
static void arm_probe(struct stack *stack, struct tcp *tcp) {
    struct list *first = list_first(&tcp->active->sent);
    uint64_t probe_ns = tcp_is_opening(tcp) || !first ? 0 : tcp_recovery_probe_ns(stack, tcp);
    if (!probe_ns)
        return;
    uint64_t latest_ns = container_of(first, struct tcp_rtx, link)->sent_ns + tcp->rtt.rto_ns;
    uint64_t due_ns = stack->now_ns + probe_ns < latest_ns ? stack->now_ns + probe_ns : latest_ns;
    tcp->timer_mode = TCP_TIMER_PROBE;
    tcp_alarm_set(stack, tcp, TCP_ALARM_RETRANSMIT, due_ns);
}

static enum sending sent_all(struct stack *stack, struct tcp *tcp, uint32_t segments) {
    if (segments > 0)
        arm_probe(stack, tcp);
    return SENT;
}

/* Whether what was queued as one ends here: see chunk_of. */
static bool ends_chunk(const struct tcp *tcp, uint32_t end) {
    return tcp->active->chunk_bytes && seq_le(end, tcp->active->chunk_end) &&
           (tcp->active->chunk_end - end) % tcp->active->chunk_bytes == 0;
}

/* How much of `length` bytes from `start` on lies before such an end. */
static uint32_t cut_at_chunk(const struct tcp *tcp, uint32_t start, uint32_t length) {
    if (!tcp->active->chunk_bytes || seq_ge(start, tcp->active->chunk_end))
        return length;
    uint32_t left = (tcp->active->chunk_end - start) % tcp->active->chunk_bytes;
    return min_u32(length, left ? left : tcp->active->chunk_bytes);
}

/* Whether a burst may leave as one frame, which the NIC cuts: all its segments have the same to say. */
static bool leaves_whole(const struct stack *stack, const struct tcp *tcp) {
    return stack->config.offload && !tcp->md5_keys && !tcp->urgent.sending && tcp_ecn_sends_bursts(tcp) &&
           !socket_ip_options(tcp->socket) && !socket_extensions6(tcp->socket);
}

/* How much of what may be sent leaves in one frame: a burst of full segments, and what is left over only if
 * it is the end of all and need not wait. */
static uint32_t gso_length(const struct tcp *tcp, uint32_t segments, uint32_t left, uint32_t room,
                           bool tail) {
    uint32_t most = min_u32(segments, GSO_BYTES_MAX / tcp->mss) * tcp->mss;
    uint32_t length = min_u32(min_u32(left, room), most);
    uint32_t chunk = cut_at_chunk(tcp, tcp->snd_nxt, length);
    if (chunk >= tcp->mss) /* else it ends within a segment, which is not cut there */
        length = chunk;
    bool ends = length == left && tail;
    return length > tcp->mss && !ends ? length / tcp->mss * tcp->mss : length;
}

/* What may be sent next has to wait. */
static void note_held(struct stack *stack, struct tcp *tcp, enum frame_held by) {
    if (tcp->active->held_by == by)
        return;
    if (!tcp->active->held_by)
        tcp->active->held_since_ns = stack->now_ns;
    tcp->active->held_by = (uint8_t)by;
    trace_held(stack, tcp, (uint8_t)by, tcp_unsent(tcp));
}

/* By what, when `length` bytes of those that are left could be sent. */
static enum frame_held holder_of(const struct tcp *tcp, const struct nagle_segment *question, uint32_t offset,
                                 uint32_t left) {
    if (question->length == 0 || question->length < left)
        return tcp->snd_wnd - offset < tcp->mss || tcp->snd_wnd <= offset ? FRAME_HELD_WINDOW
                                                                          : FRAME_HELD_CWND;
    return question->cork ? FRAME_HELD_CORK : FRAME_HELD_NAGLE;
}

static uint8_t why_of(const struct nagle_segment *question, enum holding holding, bool ends_record) {
    if (question->length >= question->mss)
        return FRAME_WHY_FULL;
    if (ends_record)
        return FRAME_WHY_RECORD;
    if (!question->last)
        return FRAME_WHY_WINDOW;
    if (question->fin)
        return FRAME_WHY_FIN;
    if (holding == BY_NO_DELAY)
        return FRAME_WHY_UNCORKED;
    return !question->in_flight ? FRAME_WHY_IDLE : FRAME_WHY_NODELAY;
}

static enum sending send_new(struct stack *stack, struct tcp *tcp, enum holding holding) {
    uint32_t gso = 0; /* reckoned when something does leave */
    bool nodelay = tcp->options.nodelay || holding == BY_NO_DELAY;
    bool cork = (tcp->options.cork && holding != BY_NO_DELAY) || holding == BY_MORE;
    for (uint32_t sent = 0, segments = 1;; segments++, sent++) {
        uint32_t offset = tcp->snd_nxt - tcp->snd_una;
        if (offset > tcp->send.length)
            return sent_all(stack, tcp, sent); /* the FIN, too */
        uint32_t left = tcp->send.length - offset, room = room_at(tcp, offset);
        bool probe = tcp->path.mss_reduced && tcp_path_probe_due(stack, tcp, left, room);
        uint32_t size = probe ? tcp->path.mss_full : tcp->mss;
        uint32_t length = min_u32(min_u32(left, room), size);
        if (length == size && left > size && 2 * size <= GSO_BYTES_MAX && !probe &&
            leaves_whole(stack, tcp)) {
            gso = gso ? gso : gso_segments(stack, tcp);
            bool tail =
                !cork && (nodelay || tcp->fin_queued || !seq_gt(tcp->active->small_end, tcp->snd_una));
            uint32_t burst = tcp_pacing_burst(stack, tcp) / size;
            length = gso_length(tcp, min_u32(gso - segments + 1, burst > 0 ? burst : 1), left, room, tail);
            segments += (length + size - 1) / size - 1;
        }
        uint32_t record =
            tcp->active->mark_count > 0 ? tcp_write_mark_cut(tcp, tcp->snd_nxt, length) : length;
        bool ends_record = record < length, fin = tcp->fin_queued && record == left;
        length = record;
        struct nagle_segment question = {
            .length = length,
            .mss = tcp->mss,
            .largest_window = tcp->snd_wnd_largest,
            .last = length == left,
            .in_flight = seq_gt(tcp->active->small_end, tcp->snd_una),
            .fin = fin,
            .nodelay = nodelay,
            .cork = cork,
        };
        if ((length == 0 && !fin) || (!ends_record && !nagle_allows(&question))) {
            if (left > 0)
                note_held(stack, tcp, holder_of(tcp, &question, offset, left));
            return sent_all(stack, tcp, sent);
        }
        if (length > 0 && tcp_pacing_holds(stack, tcp)) {
            note_held(stack, tcp, FRAME_HELD_PACING);
            return sent_all(stack, tcp, sent);
        }
        if (!gso)
            gso = gso_segments(stack, tcp);
        bool ends_gso = segments >= gso || ends_chunk(tcp, tcp->snd_nxt + length) ||
                        !follows(tcp, left - length, room - length);
        bool ends_write = (length == left && !tcp->more) || ends_record;
        enum sending result =
            send_next(stack, tcp, offset, length, size, ends_write, segments > 1 && ends_gso, fin,
                      why_of(&question, holding, ends_record));
        if (ends_gso)
            segments = 0;
        if (result != SENT)
            return result;
        note_usage(tcp);
        if (probe)
            tcp_path_probed(tcp);
    }
}

bool tcp_send_beyond(struct stack *stack, struct tcp *tcp) {
    uint32_t offset = tcp->snd_nxt - tcp->snd_una;
    if (offset >= tcp->send.length || offset >= tcp->snd_wnd)
        return false;
    uint32_t left = tcp->send.length - offset;
    uint32_t length = min_u32(min_u32(left, tcp->snd_wnd - offset), tcp->mss);
    bool last = length == left;
    return send_next(stack, tcp, offset, length, tcp->mss, last, false, tcp->fin_queued && last,
                     FRAME_WHY_PROBE) == SENT;
}

static void output(struct stack *stack, struct tcp *tcp, enum holding holding) {
    if (tcp->state == TCP_CLOSE || tcp->state == TCP_LISTEN || tcp->state == TCP_SYN_SENT)
        return;
    if (tcp->path.generation != stack->paths.generation)
        tcp_path_measure(stack, tcp);
    if (can_send_data(tcp) && !tcp_active_take(stack, tcp)) {
        tcp_arm_retransmit(stack, tcp); /* no memory: the timer will try again */
        return;
    }
    if (can_send_data(tcp)) {
        restart_after_idle(stack, tcp);
        bool new_first = tcp->active->recovery.new_first;
        enum sending result = new_first ? SENT : send_lost(stack, tcp);
        if (result == SENT)
            result = send_new(stack, tcp, holding);
        tcp->active->recovery.new_first = false;
        if (result == NO_ROOM) {
            note_held(stack, tcp, FRAME_HELD_RING);
            tcp_want_output(stack, tcp);
            return;
        }
        if (result == NO_MEMORY && !tcp_alarm_is_set(tcp, TCP_ALARM_RETRANSMIT))
            tcp_arm_retransmit(stack, tcp);
        consider_persist(stack, tcp);
        tcp_info_note(stack, tcp);
    }
    if (tcp->ack_now)
        tcp_send_ack(stack, tcp);
    trace_standing(stack, tcp);
}

void tcp_output(struct stack *stack, struct tcp *tcp) {
    output(stack, tcp, BY_NAGLE);
}

void tcp_output_uncorked(struct stack *stack, struct tcp *tcp) {
    output(stack, tcp, BY_NO_DELAY);
}

uint32_t tcp_send_end(const struct tcp *tcp) {
    return tcp->snd_una + tcp_is_lone_syn(tcp) + tcp->send.length;
}

static uint32_t lowat(const struct stack *stack, const struct tcp *tcp) {
    return tcp->options.notsent_lowat ? tcp->options.notsent_lowat : stack->sysctl.tcp_notsent_lowat;
}

uint32_t tcp_unsent(const struct tcp *tcp) {
    uint32_t sent = tcp_is_lone_syn(tcp) ? 0 : tcp->snd_nxt - tcp->snd_una;
    return tcp->send.length > sent ? tcp->send.length - sent : 0;
}

/* Linux queues what is written in chunks, as long as half of the largest window that the peer ever offered,
 * and looks at the limits before it begins one: so a write may go beyond them by a chunk. */
static uint32_t chunk_of(const struct tcp *tcp) {
    uint32_t bytes = min_u32(65535, tcp->snd_wnd_largest / 2);
    return bytes > tcp->mss ? bytes / tcp->mss * tcp->mss : tcp->mss;
}

/* What there is memory for, of so many bytes, when that is short. */
static uint32_t within_memory(struct stack *stack, const struct tcp *tcp, uint32_t room) {
    uint32_t buffers = min_u32(memory_room(stack, tcp), room / BUFFER_CAPACITY + 1);
    uint32_t least = tcp->send.length < MEMORY_LEAST_BYTES ? MEMORY_LEAST_BYTES - tcp->send.length : 0;
    return min_u32(room, max_u32(buffers * BUFFER_CAPACITY, memory_has_least(stack) ? least : 0));
}

uint32_t tcp_send_room(struct stack *stack, const struct tcp *tcp) {
    uint32_t unsent = tcp_unsent(tcp), chunk = chunk_of(tcp), room = chunk - unsent % chunk;
    if (room == chunk && (tcp->send.length >= tcp->socket->send_limit || unsent >= lowat(stack, tcp)))
        return 0;
    return memory_is_plenty(stack) ? room : within_memory(stack, tcp, room);
}

bool tcp_writable(struct stack *stack, const struct tcp *tcp) {
    uint32_t limit = tcp->socket->send_limit, queued = tcp->send.length;
    return queued <= limit / 3 * 2 && 2 * (uint64_t)tcp_unsent(tcp) < lowat(stack, tcp) &&
           (memory_is_plenty(stack) || within_memory(stack, tcp, chunk_of(tcp)) > 0);
}

/* Linux's tcp_autocorking: while what was sent before has not left the machine, what does not fill a segment
 * waits for more to be written. */
static bool autocorks(const struct stack *stack, const struct tcp *tcp, int flags) {
    return stack->sysctl.tcp_autocorking && stack->transmit.count > 0 && !(flags & MSG_OOB) &&
           tcp->snd_nxt != tcp->snd_una && tcp_unsent(tcp) % tcp->mss != 0 && can_send_data(tcp);
}

static void cork(struct stack *stack, struct tcp *tcp) {
    stack->mib.TcpExtTCPAutoCorking++;
    if (!list_empty(&tcp->output_link))
        return; /* it is to send anyway */
    tcp->corked = true;
    list_add_tail(&stack->corked, &tcp->output_link);
}

/* So much has been queued as was free until the limits are looked at again: a chunk is whole. */
static void end_chunk(struct tcp *tcp) {
    tcp->active->chunk_bytes = chunk_of(tcp);
    tcp->active->chunk_end = tcp_send_end(tcp);
}

/* Sends what a write has queued, or the end of it. */
static void send_queued(struct stack *stack, struct tcp *tcp, int flags) {
    bool corks = !tcp->more && autocorks(stack, tcp, flags);
    output(stack, tcp,
           tcp->more || corks ? BY_MORE : BY_NAGLE); /* nothing leaves before the connection is open */
    if (corks && tcp_unsent(tcp) > 0)
        cork(stack, tcp);
}

bool tcp_send_begin(struct stack *stack, struct tcp *tcp) {
    if (!tcp_active_take(stack, tcp))
        return false;
    tcp_rate_check_program(tcp);
    return true;
}

/* Bytes have been added to the send queue, and `fills` all the room that there was; more will be, at once. */
static void added(struct stack *stack, struct tcp *tcp, bool fills, bool more) {
    tcp->more = false;
    if (fills)
        end_chunk(tcp);
    if (!more)
        return;
    tcp_work_on(stack, tcp);
    output(stack, tcp, BY_MORE);
    stack_work_on(stack, NULL);
}

void tcp_send_part(struct stack *stack, struct tcp *tcp, struct buffer *chain, uint32_t length, bool fills,
                   bool more) {
    stack_work_on(stack, NULL);
    byte_queue_join(&tcp->send, &stack->buffers, chain, length);
    added(stack, tcp, fills, more);
}

void tcp_send_written(struct stack *stack, struct tcp *tcp, int flags, uint32_t stamps, bool whole) {
    tcp_work_on(stack, tcp);
    tcp->more = flags & MSG_MORE && whole;
    if (whole || flags & MSG_ZEROCOPY || stamps)
        tcp_write_mark_write(stack, tcp, whole ? flags : flags & ~MSG_EOR, stamps);
    if (flags & MSG_OOB && whole)
        tcp_urgent_written(tcp);
    send_queued(stack, tcp, flags);
}

ssize_t tcp_send(struct stack *stack, struct tcp *tcp, const struct iovec *from, int count, int flags,
                 uint32_t stamps) {
    size_t wanted = buffer_pieces_length(from, count), done = 0;
    uint32_t appended = 0, room = 0;
    if (wanted == 0)
        return 0;
    if (!tcp_send_begin(stack, tcp))
        return -ENOBUFS;
    stack_work_on(stack, NULL);
    while (done < wanted && (room = tcp_send_room(stack, tcp)) > 0) {
        uint32_t part = wanted - done < room ? (uint32_t)(wanted - done) : room;
        appended = byte_queue_append(&tcp->send, &stack->buffers, from, count, done, part);
        done += appended;
        if (appended < part)
            break;
        added(stack, tcp, part == room, done < wanted);
    }
    if (done == 0)
        return room > 0 ? -ENOBUFS : -EAGAIN;
    tcp_send_written(stack, tcp, flags, done == wanted ? stamps : 0, done == wanted);
    return (ssize_t)done;
}
