/* SPDX-License-Identifier: MIT */
/*
 * tcp_input.c - arriving segments, in the order of RFC 9293 section 3.10.7.
 */
#include "stack/tcp/tcp_input.h"
#include "stack/base/checksum.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_close.h"
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_handshake.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_pmtu.h"
#include "stack/tcp/tcp_reassembly.h"
#include "stack/tcp/tcp_rtt.h"
#include "stack/tcp/tcp_sack.h"
#include "stack/tcp/tcp_time_wait.h"
#include "stack/tcp/tcp_timer.h"
#include <errno.h>

static bool checksum_good(const struct ip_packet *packet, const uint8_t *header) {
    uint16_t field;
    if (packet->checksum_good)
        return true;
    memcpy(&field, header + 16, sizeof field);
    uint64_t pseudo = checksum_pseudo_header(packet->source, packet->destination, IP_PROTOCOL_TCP,
                                             (uint16_t)packet->length);
    if (packet->checksum_partial && field == checksum_fold(pseudo))
        return true;
    return checksum_fold(checksum_add_chain(pseudo, packet->chain)) == 0xffff;
}

/* Cuts the bytes that are not in the receive window off a segment (the rest of "first, check sequence
 * number"). */
static void trim_to_window(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    if (seq_lt(segment->sequence, tcp->rcv_nxt)) {
        uint32_t old = tcp->rcv_nxt - segment->sequence;
        if (segment->flags & TCP_SYN) {
            segment->flags &= (uint8_t)~TCP_SYN;
            segment->sequence++;
            old--;
            tcp->ack_now = true; /* both sides opened, and the peer has not got our acknowledgment */
            tcp_sack_duplicate(stack, tcp, segment->sequence - 1, segment->sequence);
        }
        if (old > segment->length)
            old = segment->length; /* acceptable, so a FIN may be all that is new */
        if (segment->length > 0) {
            tcp->ack_now = true; /* a retransmission: our acknowledgment of it was lost */
            tcp_ack_quickly(tcp, TCP_ACK_QUICK_MAX);
            tcp_sack_duplicate(stack, tcp, segment->sequence, segment->sequence + old);
        }
        segment->chain = buffer_trim_front(&stack->buffers, segment->chain, old);
        segment->sequence += old;
        segment->length -= old;
    }
    uint32_t room = tcp->rcv_adv - segment->sequence;
    if (seq_gt(segment->sequence, tcp->rcv_adv))
        room = 0;
    if (segment->length > room) {
        stack->mib.TcpExtTCPRcvQDrop++;
        buffer_trim_back(&stack->buffers, segment->chain, room);
        segment->length = room;
        segment->flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
        tcp->ack_now = true;
    }
}

/* The four cases of RFC 9293 section 3.4 as Linux folds them: the segment ends at or after rcv_nxt and begins
 * within the window. At a zero window that leaves the acknowledgments and probes at rcv_nxt, whose text is
 * cut off. */
static bool sequence_acceptable(const struct tcp *tcp, const struct tcp_segment *segment) {
    uint32_t end = segment->sequence + tcp_segment_span(segment);
    return seq_ge(end, tcp->rcv_nxt) && seq_le(segment->sequence, tcp->rcv_adv);
}

/* Whether this connection has had an answer to what it should not have sent within tcp_invalid_ratelimit; if
 * not, it gets one now. */
static bool answered_lately(const struct stack *stack, struct tcp *tcp) {
    uint64_t limit_ns = stack->sysctl.tcp_invalid_ratelimit * UINT64_C(1000000);
    if (tcp->active->refused_ns && stack->now_ns - tcp->active->refused_ns < limit_ns)
        return true;
    tcp->active->refused_ns = stack->now_ns;
    return false;
}

/* RFC 5961 section 5 and 7: says where we are, at a bounded rate. */
static void challenge_ack(struct stack *stack, struct tcp *tcp) {
    if (answered_lately(stack, tcp))
        return;
    uint64_t second = stack->now_ns / UINT64_C(1000000000);
    uint32_t limit = stack->sysctl.tcp_challenge_ack_limit;
    if (limit < TCP_CHALLENGES_UNLIMITED && second != stack->challenge_second) {
        /* How many there are in a second is not to be told by counting: it would say whether a forged segment
         * was answered (CVE-2016-5696). */
        uint32_t half = limit / 2 + limit % 2;
        stack->challenge_second = second;
        stack->challenges_left = half + (limit > 0 ? random_below(&stack->random, limit) : 0);
    }
    if (limit < TCP_CHALLENGES_UNLIMITED && stack->challenges_left == 0)
        return;
    if (limit < TCP_CHALLENGES_UNLIMITED)
        stack->challenges_left--;
    stack->mib.TcpExtTCPChallengeACK++;
    tcp_send_ack(stack, tcp);
}

/* "Second, check the RST bit", with RFC 5961 section 3.2. Returns whether the segment is used up. */
static bool input_reset(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    if (!(segment->flags & TCP_RST))
        return false;
    if (segment->sequence != tcp->rcv_nxt) {
        challenge_ack(stack, tcp);
        return true;
    }
    int error = ECONNRESET;
    if (tcp->state == TCP_TIME_WAIT && stack->sysctl.tcp_rfc1337)
        return true; /* RFC 1337: nothing ends it early */
    switch (tcp->state) {
    case TCP_SYN_RECV:
        stack->mib.TcpAttemptFails++;
        if (!(tcp->fastopen & TCP_FASTOPEN_CHILD))
            error = ECONNREFUSED;
        break;
    case TCP_CLOSE_WAIT:
        error = EPIPE; /* as Linux's tcp_reset */
        stack->mib.TcpEstabResets++;
        break;
    case TCP_ESTABLISHED:
        stack->mib.TcpEstabResets++;
        break;
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        error = 0;
        break;
    default:
        break;
    }
    tcp_end(stack, tcp, error);
    return true;
}

static void window_update(struct tcp *tcp, const struct tcp_segment *segment) {
    if (seq_lt(tcp->snd_wl1, segment->sequence) ||
        (tcp->snd_wl1 == segment->sequence && seq_le(tcp->snd_wl2, segment->acknowledgment))) {
        tcp->snd_wnd = segment->window << tcp->snd_scale;
        tcp->snd_wl1 = segment->sequence;
        tcp->snd_wl2 = segment->acknowledgment;
        if (tcp->snd_wnd > tcp->snd_wnd_largest)
            tcp->snd_wnd_largest = tcp->snd_wnd;
    }
}

/* RFC 5681 section 2's definition. */
static bool is_duplicate_ack(const struct tcp *tcp, const struct tcp_segment *segment, uint32_t old_window) {
    return segment->acknowledgment == tcp->snd_una && segment->length == 0 &&
           !(segment->flags & (TCP_SYN | TCP_FIN)) && tcp->snd_nxt != tcp->snd_una &&
           tcp->snd_wnd == old_window;
}

/* Frees what was acknowledged. Returns whether our FIN was. */
static bool new_ack(struct stack *stack, struct tcp *tcp, uint32_t acknowledgment,
                    struct tcp_delivery *delivery) {
    uint32_t acked = acknowledgment - tcp->snd_una;
    uint32_t data = acked < tcp->send.length ? acked : tcp->send.length;
    bool fin = tcp->fin_queued && acked > tcp->send.length;
    byte_queue_drop(&tcp->send, &stack->buffers, data);
    tcp->history.bytes_acked += data;
    tcp->snd_una = acknowledgment;
    tcp->soft_error = 0;
    tcp_rtx_acknowledge(stack, tcp, delivery);
    if (tcp->active->mark_count > 0)
        tcp_write_mark_acknowledged(stack, tcp);
    if (tcp->path.mss_reduced)
        tcp_path_acknowledged(stack, tcp);
    ip_confirm(stack, tcp->remote_address);
    return fin;
}

/* What an acknowledgment says of what is in flight. Returns whether our FIN was acknowledged. */
static bool take_ack(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                     bool duplicate) {
    struct tcp_delivery delivery = {.has_echo =
                                        tcp->timestamps && segment->has_timestamp && segment->timestamp_echo,
                                    .echo = segment->timestamp_echo};
    uint32_t acked = segment->acknowledgment - tcp->snd_una;
    bool fin = false, advanced = seq_gt(segment->acknowledgment, tcp->snd_una);
    if (advanced)
        fin = new_ack(stack, tcp, segment->acknowledgment, &delivery);
    if (tcp->sack_permitted && segment->sack_count > 0)
        tcp_rtx_sack(stack, tcp, segment, &delivery);
    else if (duplicate && !tcp->sack_permitted)
        tcp_recovery_duplicate(tcp, &delivery);
    tcp_rate_sampled(stack, tcp, &delivery.rate);
    if (advanced && !delivery.rtt_ns && tcp->retransmits > 0 && delivery.has_echo)
        delivery.rtt_ns = tcp_timestamp_rtt_ns(stack, tcp, delivery.echo);
    if (delivery.rtt_ns)
        tcp_rtt_sample(&tcp->rtt, delivery.rtt_ns);
    if (advanced) {
        tcp->retransmits = 0;
        tcp_rtt_restore(&tcp->rtt);
    }
    tcp_ecn_acknowledged(stack, tcp, segment, &delivery);
    if (advanced || delivery.newly_sacked || delivery.duplicate || duplicate)
        tcp_recovery_acknowledged(stack, tcp, advanced ? acked : 0, &delivery);
    return fin;
}

void tcp_acknowledge_syn_data(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    if (tcp->snd_una == tcp->snd_nxt)
        return;
    take_ack(stack, tcp, segment, false);
    tcp_rtx_lose_all(tcp);
    if (tcp->snd_una != tcp->snd_nxt)
        tcp_arm_retransmit(stack, tcp);
    tcp_want_output(stack, tcp);
}

/* Tells a writer that there is room, once it is worth while (Linux's sk_stream_is_writeable: a third). */
static void writer_wakeup(struct stack *stack, struct tcp *tcp) {
    struct socket *socket = tcp->socket;
    if (!socket || !socket->no_space)
        return;
    tcp_tuning_send(stack, tcp);
    if (!tcp_writable(stack, tcp))
        return;
    socket->no_space = false;
    socket_event(stack, socket);
}

/* "Fifth, check the ACK field". Returns false when the segment is used up; the connection may be gone then.
 */
static bool input_ack(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    if (!(segment->flags & TCP_ACK))
        return false;
    bool opening = tcp_is_opening(tcp);
    if (opening) {
        bool all = segment->acknowledgment == tcp->snd_nxt;
        bool early = tcp->snd_una != tcp->iss; /* there may be data in flight: Fast Open */
        if (!all && !(early && seq_gt(segment->acknowledgment, tcp->iss) &&
                      seq_le(segment->acknowledgment, tcp->snd_nxt))) {
            tcp_reply_reset_to(stack, tcp, segment);
            return false;
        }
        if (!tcp_handshake_done(stack, tcp, segment))
            return false;
    }
    if (seq_gt(segment->acknowledgment, tcp->snd_nxt) && tcp->state == TCP_ESTABLISHED)
        return false; /* as Linux: an answer might be answered by one like it */
    if (seq_gt(segment->acknowledgment, tcp->snd_nxt) ||
        seq_lt(segment->acknowledgment, tcp->snd_una - (tcp->snd_wnd_largest + tcp->mss))) {
        challenge_ack(stack, tcp); /* RFC 5961 section 5.2 */
        return false;
    }
    uint32_t old_window = tcp->snd_wnd;
    if (seq_ge(segment->acknowledgment, tcp->snd_una))
        window_update(tcp, segment);
    if (tcp->timer_mode == TCP_TIMER_PERSIST) {
        tcp->probes = 0; /* the peer answers */
        if (tcp->snd_wnd > 0) {
            tcp->timer_mode = TCP_TIMER_RTO;
            tcp_alarm_stop(tcp, TCP_ALARM_RETRANSMIT);
        }
    }
    if (opening) {
        tcp->fastopen &= (uint8_t)~TCP_FASTOPEN_PENDING;
        if (tcp->snd_una == tcp->iss)
            tcp->snd_una++; /* our SYN */
        tcp->history.delivered++;
        tcp_measure_handshake(stack, tcp, segment);
        tcp_metrics_begin(stack, tcp);
        tcp->retransmits = 0;
        tcp_alarm_stop(tcp, TCP_ALARM_RETRANSMIT);
        if (tcp->snd_una != tcp->snd_nxt)
            tcp_arm_retransmit(stack, tcp);
    }
    tcp->history.last_ack_received_ns = stack->now_ns;
    bool in_flight = tcp->snd_una != tcp->snd_nxt;
    if ((in_flight || segment->sack_count > 0) && /* what was only late comes when all is acknowledged */
        take_ack(stack, tcp, segment, is_duplicate_ack(tcp, segment, old_window))) {
        if (tcp->state == TCP_LAST_ACK) {
            tcp_metrics_save(stack, tcp);
            tcp_end(stack, tcp, 0);
            return false;
        }
        tcp_fin_acknowledged(stack, tcp);
    }
    writer_wakeup(stack, tcp);
    if (tcp->send.length > 0 || tcp->fin_queued)
        tcp_want_output(stack, tcp);
    tcp_info_note(stack, tcp);
    return true;
}

static bool receives_text(const struct tcp *tcp) {
    return (tcp->state == TCP_SYN_RECV && tcp->fastopen & TCP_FASTOPEN_CHILD) ||
           tcp->state == TCP_ESTABLISHED || tcp->state == TCP_FIN_WAIT1 || tcp->state == TCP_FIN_WAIT2;
}

/* Text in its turn: RFC 9293 section 3.10.7.4, "seventh", with RFC 1122's delayed acknowledgment. */
void tcp_take_text(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    tcp->rcv_nxt += segment->length;
    tcp->history.bytes_received += segment->length;
    tcp->history.data_segments_received++;
    if (segment->length > tcp->history.largest_received)
        tcp->history.largest_received = (uint16_t)segment->length;
    if (!tcp->history.smallest_received || segment->length < tcp->history.smallest_received)
        tcp->history.smallest_received = (uint16_t)segment->length;
    if (stack->memory.pressure)
        byte_queue_append_packed(&tcp->receive, &stack->buffers, segment->chain);
    else
        byte_queue_append_chain(&tcp->receive, &stack->buffers, segment->chain);
    segment->chain = NULL;
    socket_arrived(stack, tcp->socket, tcp->rcv_nxt);
    tcp_ack_received(stack, tcp, segment->length);
    tcp_tuning_received(stack, tcp, segment->length, tcp->timestamps && segment->has_timestamp,
                        segment->timestamp_echo);
    socket_event(stack, tcp->socket);
}

/* Leaves what is in the first buffers of a segment. */
static void keep_buffers(struct stack *stack, struct tcp_segment *segment, uint32_t buffers) {
    struct buffer *buffer = segment->chain;
    segment->length = 0;
    for (; buffers > 0; buffers--, buffer = buffer->next)
        segment->length += buffer_length(buffer);
    buffer_trim_back(&stack->buffers, segment->chain, segment->length);
    segment->flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
}

/* Whether there is memory for a segment's text, or for a part of it if it is in its turn. A connection that
 * has nothing for its program to read gets a part in any case. */
static bool has_memory(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment, bool in_turn) {
    if (memory_is_plenty(stack) || (in_turn && byte_queue_takes(&tcp->receive, segment->length)))
        return true;
    uint32_t buffers = buffer_chain_count(segment->chain), room = memory_room(stack, tcp);
    if (room >= buffers)
        return true;
    memory_prune(stack);
    if (in_turn && tcp->active->out_of_order.count > 0) {
        stack->mib.TcpExtOfoPruned++; /* what is in its turn is worth more */
        tcp_reassembly_purge(stack, tcp);
    }
    room = memory_room(stack, tcp);
    if (in_turn && tcp->receive.length == 0 && memory_has_least(stack))
        room = max_u32(room, MEMORY_LEAST_BYTES / BUFFER_BYTES);
    if (room < buffers && in_turn && room > 0)
        keep_buffers(stack, segment, room);
    return room > 0 && (in_turn || room >= buffers);
}

/* "Seventh, process the segment text" and "eighth, check the FIN bit". */
static void input_text(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    bool fin = segment->flags & TCP_FIN;
    if (!receives_text(tcp)) {
        if (fin && tcp->state == TCP_TIME_WAIT) {
            tcp_send_ack(stack, tcp);
            tcp_alarm_set(stack, tcp, TCP_ALARM_STATE, stack->now_ns + TCP_TIME_WAIT_NS);
        }
        return;
    }
    if (segment->length == 0 && !fin)
        return;
    bool in_turn = segment->sequence == tcp->rcv_nxt;
    if (segment->length > 0 && !has_memory(stack, tcp, segment, in_turn)) {
        stack->mib.TcpExtTCPRcvQDrop++;
        socket_event(stack, tcp->socket);
        return; /* the peer sends it again */
    }
    fin = segment->flags & TCP_FIN;
    if (!in_turn) {
        uint32_t sequence = segment->sequence, length = segment->length;
        const struct tcp_out_of_order *held = tcp_reassembly_insert(stack, tcp, segment);
        bool news = held && tcp_sack_held(tcp, held, sequence);
        if (tcp->sack_permitted)
            tcp_tuning_held(stack, tcp, length);
        tcp->history.out_of_order++;
        tcp_ack_out_of_order(stack, tcp, news);
        return;
    }
    if (segment->length > 0)
        tcp_take_text(stack, tcp, segment);
    if (tcp->active->out_of_order.count > 0) {
        fin |= tcp_reassembly_advance(stack, tcp);
        tcp_want_ack(stack, tcp); /* a gap was filled: RFC 5681 section 4.2 */
    }
    if (fin)
        tcp_input_fin(stack, tcp);
}

/* A connection whose program has closed it gets data that nobody will read: Linux resets it. */
static bool input_orphan(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    bool orphan = !tcp->socket && !tcp->listener;
    if (!orphan || segment->length == 0 || !receives_text(tcp) ||
        !seq_gt(segment->sequence + segment->length, tcp->rcv_nxt))
        return false;
    stack->mib.TcpExtTCPAbortOnData++;
    tcp_reply_reset_to(stack, tcp, segment);
    tcp_destroy(stack, tcp);
    return true;
}

/* Answers an unacceptable segment; those without data, which may be answers themselves, at a bounded rate, as
 * Linux does: or two hosts that disagree would talk for ever. */
static void refuse(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    bool may_be_answer = segment->length == 0 && !(segment->flags & TCP_FIN);
    if (segment->flags & TCP_SYN) {
        challenge_ack(stack, tcp);
        return;
    }
    if (may_be_answer && answered_lately(stack, tcp)) {
        stack->mib.TcpExtTCPACKSkippedSeq++;
        return;
    }
    tcp_send_ack(stack, tcp);
}

/* RFC 9293 section 3.10.7.4. */
void tcp_input_connection(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    bool old = !(segment->flags & TCP_RST) && tcp_timestamp_is_old(stack, tcp, segment);
    stack->mib.TcpExtPAWSTimewait += old && tcp->state == TCP_TIME_WAIT;
    stack->mib.TcpExtPAWSEstab += old && tcp->state != TCP_TIME_WAIT;
    if (old || !sequence_acceptable(tcp, segment)) {
        if (segment->length > 0 && seq_lt(segment->sequence, tcp->rcv_nxt))
            tcp_sack_duplicate(stack, tcp, segment->sequence, segment->sequence + segment->length);
        if (!(segment->flags & TCP_RST))
            refuse(stack, tcp, segment);
        return;
    }
    if (input_reset(stack, tcp, segment))
        return;
    if (segment->flags & TCP_SYN && !(tcp->state == TCP_SYN_RECV && segment->sequence == tcp->irs)) {
        challenge_ack(stack, tcp); /* "fourth", by RFC 5961 section 4.2 */
        return;
    }
    if (segment->flags & TCP_SYN && !(segment->flags & TCP_ACK)) {
        tcp_send_syn(stack, tcp); /* our SYN-ACK was lost */
        return;
    }
    tcp_ecn_received(stack, tcp, segment);
    if (!input_ack(stack, tcp, segment))
        return;
    tcp_timestamp_take(stack, tcp, segment);
    trim_to_window(stack, tcp, segment);
    if (input_orphan(stack, tcp, segment))
        return;
    input_text(stack, tcp, segment);
    if (segment->flags & TCP_URG || tcp->urgent.state == TCP_URGENT_COMING)
        tcp_urgent_received(stack, tcp, segment);
    if (tcp->ack_now)
        tcp_want_output(stack, tcp);
}

/* A new SYN may take the place of a connection in TIME_WAIT: by its sequence number (RFC 1122 section
 * 4.2.2.13), or by its timestamp (RFC 6191). */
static bool may_reopen(const struct stack *stack, const struct tcp *tcp, const struct tcp_segment *segment) {
    if (tcp->state != TCP_TIME_WAIT || (segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN ||
        tcp_timestamp_is_old(stack, tcp, segment))
        return false;
    return seq_gt(segment->sequence, tcp->rcv_nxt) ||
           (tcp->timestamps && segment->has_timestamp && seq_gt(segment->timestamp, tcp->timestamp_recent));
}

/* Its program may not have closed it yet: its socket is left without a connection, as in Linux, where what
 * waits out TIME_WAIT is none of its. */
static void make_room(struct stack *stack, struct tcp *tcp) {
    if (tcp->socket)
        tcp_end(stack, tcp, 0);
    else
        tcp_destroy(stack, tcp);
}

/* Whether a segment may be looked at: signed as it must be, and from near enough (IP_MINTTL; RFC 5082). */
static bool trusted(struct stack *stack, const struct tcp *tcp, const struct ip_packet *packet,
                    const struct tcp_segment *segment) {
    if (packet->ttl < (ip_is_v4(packet->source) ? tcp->options.min_ttl : tcp->options.min_hop_limit)) {
        stack->mib.TcpExtTCPMinTTLDrop++;
        return false;
    }
    return tcp_md5_good(stack, tcp, packet, segment);
}

static struct tcp *find_listener(struct stack *stack, const struct ip_packet *packet,
                                 const struct tcp_segment *segment) {
    return tcp_lookup_listener(stack, packet->destination, segment->destination_port, packet->source,
                               segment->source_port, segment->view);
}

/* Whether the socket's filter (SO_ATTACH_FILTER) wants a segment; cuts it to what it wants. */
static bool admitted(struct stack *stack, const struct tcp *tcp, struct tcp_segment *segment) {
    const struct socket *socket = tcp->socket ? tcp->socket : tcp->listener;
    if (!segment->view || !socket || !socket->filters)
        return true;
    uint32_t header = segment->view->transport_length;
    uint32_t wanted = filter_admits(socket, segment->view, header + segment->length);
    if (wanted > 0 && wanted < header + segment->length) {
        segment->length = wanted > header ? wanted - header : 0;
        buffer_trim_back(&stack->buffers, segment->chain, segment->length);
    }
    return wanted > 0;
}

static void dispatch(struct stack *stack, const struct ip_packet *packet, struct tcp_segment *segment) {
    struct tcp *tcp = tcp_lookup(stack, packet->destination, segment->destination_port, packet->source,
                                 segment->source_port);
    struct tcp_time_wait *waiting =
        tcp ? NULL
            : tcp_time_wait_find(stack, packet->destination, segment->destination_port, packet->source,
                                 segment->source_port);
    if (waiting && !(tcp = tcp_time_wait_wake(stack, waiting)))
        return; /* as if it had been lost */
    if (tcp && may_reopen(stack, tcp, segment) && tcp_md5_good(stack, tcp, packet, segment) &&
        find_listener(stack, packet, segment)) {
        segment->follows = tcp->snd_nxt;
        make_room(stack, tcp);
        tcp = NULL;
    }
    if (!tcp) {
        struct tcp *listener = find_listener(stack, packet, segment);
        if (listener && (!trusted(stack, listener, packet, segment) || !admitted(stack, listener, segment)))
            return;
        if (listener)
            tcp_input_listen(stack, listener, packet, segment);
        else
            tcp_reply_reset(stack, packet, segment);
        return;
    }
    if (!trusted(stack, tcp, packet, segment) || !admitted(stack, tcp, segment))
        return;
    tcp_work_on(stack, tcp);
    if (!tcp_active_take(stack, tcp))
        return; /* as if it had been lost */
    tcp->history.segments_received++;
    tcp->last_received_ns = stack->now_ns;
    if (tcp->state == TCP_SYN_SENT)
        tcp_input_syn_sent(stack, tcp, segment);
    else
        tcp_input_connection(stack, tcp, segment);
}

void tcp_input(struct stack *stack, struct ip_packet *packet) {
    struct tcp_segment segment;
    stack->mib.TcpInSegs++;
    const uint8_t *header = buffer_data(packet->chain);
    int header_length = tcp_segment_parse(&segment, header, buffer_length(packet->chain));
    if (header_length < 0) {
        stack->mib.TcpInErrs++;
        return;
    }
    if (!checksum_good(packet, header)) {
        stack->mib.TcpInCsumErrors++;
        stack->mib.TcpInErrs++;
        return;
    }
    struct filter_view view;
    segment.view = stack->filter_pool.used > 0 ? &view : NULL;
    if (segment.view)
        filter_view(stack, &view, packet, (uint32_t)header_length);
    segment.tos = packet->tos;
    segment.length = packet->length - (uint32_t)header_length;
    segment.chain = buffer_trim_front(&stack->buffers, packet->chain, (uint32_t)header_length);
    packet->chain = NULL;
    if (segment.view)
        filter_view_trimmed(&view, segment.chain);
    dispatch(stack, packet, &segment);
    buffer_drop_chain(&stack->buffers, segment.chain);
}
