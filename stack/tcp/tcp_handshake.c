/* SPDX-License-Identifier: MIT */
/*
 * tcp_handshake.c - how connections begin (RFC 9293 section 3.5): active, passive and simultaneous open.
 *
 * A listener has two bounded queues: connections whose handshake is not complete, and those that wait for
 * accept(2). When the first is full, SYNs are answered with cookies (tcp_syncookie.h), which need no memory.
 * When the second is full, the acknowledgment that would complete a handshake is ignored, as in Linux; the
 * peer's next segment, or our SYN-ACK's retransmission, tries again.
 *
 * With Fast Open (tcp_fastopen.h) data may be in flight before the handshake is complete: snd_nxt is beyond
 * the SYN then, and so is snd_una, though the SYN is not acknowledged: tcp_is_opening tells.
 */
#include "stack/tcp/tcp_handshake.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_close.h"
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_input.h"
#include "stack/tcp/tcp_isn.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_pmtu.h"
#include "stack/tcp/tcp_rtt.h"
#include "stack/tcp/tcp_syncookie.h"
#include "stack/tcp/tcp_time_wait.h"
#include "stack/tcp/tcp_timer.h"
#include "stack/tcp/tcp_window.h"
#include <errno.h>

/* What the way to the peer is known to carry, the way back is thought to. */
uint16_t tcp_own_mss(const struct stack *stack, const struct tcp *tcp) {
    uint32_t mtu = ip_mtu(stack, tcp->remote_address);
    uint32_t mss = mtu - ip_header_bytes(tcp->remote_address) - TCP_HEADER_BYTES;
    if (tcp->options.mss_limit && tcp->options.mss_limit < mss)
        mss = tcp->options.mss_limit;
    return (uint16_t)mss;
}

/* As large as the window may ever become. */
static uint32_t largest_window(const struct stack *stack, const struct tcp *tcp) {
    uint32_t space = 2 * tcp->receive_window;
    if (!tcp->tuning.receive_fixed && space < stack->sysctl.tcp_rmem[2])
        space = stack->sysctl.tcp_rmem[2];
    if (!tcp->tuning.receive_fixed && space < stack->sysctl.rmem_max)
        space = stack->sysctl.rmem_max;
    if (tcp->options.window_clamp && space > tcp->options.window_clamp)
        space = tcp->options.window_clamp;
    return space;
}

void tcp_leave_queue(struct tcp *tcp) {
    if (!tcp->listener)
        return;
    if (tcp->in_accept_queue)
        tcp->listener->accept_count--;
    else
        tcp->listener->syn_count--;
    list_remove(&tcp->queue_link);
    tcp->listener = NULL;
}

#define BEYOND_ANY_WINDOW 65537 /* by which a new connection's numbers are past the old one's, as Linux's */

/* Chooses the initial sequence number and what we offer. `follows`: what the connection between the same
 * ports would have sent next that waited out TIME_WAIT, or 0: nothing of it may be taken for something new,
 * also where it sent so fast that it left the clock of RFC 6528 behind. */
static void open_send_side(struct stack *stack, struct tcp *tcp, uint32_t follows) {
    tcp->iss = follows ? follows + BEYOND_ANY_WINDOW
                       : tcp_isn(stack->isn_key, stack->now_ns, tcp->binding.address, tcp->binding.port,
                                 tcp->remote_address, tcp->remote_port);
    tcp->snd_una = tcp->snd_nxt = tcp->active->usage_end = tcp->active->small_end = tcp->iss;
    tcp->timestamp_offset = 0;
    if (stack->sysctl.tcp_timestamps == 1) /* 2: it begins with the boot */
        tcp->timestamp_offset =
            tcp_timestamp_origin(stack->isn_key, tcp->binding.address, tcp->remote_address);
    tcp_choose_flow(stack, tcp);
    tcp_tuning_begin(tcp, tcp->socket ? tcp->socket : tcp->listener);
    tcp->scaling = stack->sysctl.tcp_window_scaling;
    tcp->rcv_scale = tcp->scaling ? tcp_window_scale(largest_window(stack, tcp)) : 0;
    tcp->history.opened_ns = stack->now_ns;
}

/* A header has no room for them beside a signature, as in Linux. */
static bool may_have_timestamps(const struct stack *stack, const struct tcp *tcp) {
    return stack->sysctl.tcp_timestamps && !tcp_md5_find(tcp, tcp->remote_address);
}

/* Takes what the peer's SYN says. */
static void take_syn(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    uint16_t peer_mss = segment->mss ? segment->mss : tcp_default_mss(tcp);
    uint16_t ours = tcp_own_mss(stack, tcp);
    if (peer_mss < stack->sysctl.tcp_min_snd_mss) /* a tiny MSS is an attack on our resources */
        peer_mss = (uint16_t)stack->sysctl.tcp_min_snd_mss;
    tcp->sack_permitted = segment->sack_permitted && stack->sysctl.tcp_sack;
    tcp->timestamps = segment->has_timestamp && may_have_timestamps(stack, tcp);
    tcp->timestamp_recent = segment->timestamp;
    tcp->timestamp_recent_ns = stack->now_ns;
    tcp_path_begin(stack, tcp, peer_mss < ours ? peer_mss : ours);
    if (segment->window_scale < 0 || !tcp->scaling) {
        tcp->rcv_scale = tcp->snd_scale = 0; /* both sides scale, or none: RFC 7323 section 2.2 */
        tcp->scaling = false;
    } else {
        tcp->snd_scale = (uint8_t)segment->window_scale;
    }
    tcp->irs = segment->sequence;
    tcp->rcv_nxt = segment->sequence + 1;
    tcp->rcv_adv = tcp->rcv_nxt;
    tcp->snd_wnd = segment->window; /* a SYN's window is never scaled */
    tcp->snd_wnd_largest = tcp->snd_wnd;
    tcp->snd_wl1 = segment->sequence;
    tcp->snd_wl2 = segment->acknowledgment;
    tcp_congestion_begin(stack, tcp, tcp->options.congestion);
    tcp_ack_begin(stack, tcp);
}

/* The segment of a SYN, or of a SYN-ACK. */
static struct tcp_segment syn_of(struct stack *stack, struct tcp *tcp, bool acknowledge) {
    struct tcp_segment segment = {
        .source_port = tcp->binding.port,
        .destination_port = tcp->remote_port,
        .sequence = tcp->iss,
        .acknowledgment = acknowledge ? tcp->rcv_nxt : 0,
        .flags = (uint8_t)(TCP_SYN | (acknowledge ? TCP_ACK : 0)),
        .mss = tcp_own_mss(stack, tcp),
        .window_scale = (int8_t)(tcp->scaling ? tcp->rcv_scale : -1),
        .sack_permitted = acknowledge ? tcp->sack_permitted : stack->sysctl.tcp_sack,
    };
    if (acknowledge ? tcp->timestamps : may_have_timestamps(stack, tcp))
        tcp_timestamp_put(stack, tcp, &segment);
    uint32_t space = tcp_receive_space(tcp);
    if (space > segment.mss)
        space = space / segment.mss * segment.mss;
    segment.window = space > 65535 ? 65535 : space; /* not scaled in a SYN */
    return segment;
}

/* Puts what the program has written already into our first SYN: tcp_fastopen_room said how much. */
static struct byte_cursor add_data(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    uint32_t length = tcp->send.length;
    struct byte_cursor payload = {NULL, 0};
    if (length == 0)
        return payload;
    payload = byte_queue_at(&tcp->send, 0);
    struct tcp_rtx *sent = tcp_rtx_add(stack, tcp, length, length, false, payload);
    if (!sent)
        return payload;
    sent->pushed = true;
    segment->length = length;
    tcp->fastopen |= TCP_FASTOPEN_DATA;
    tcp->snd_una = tcp->iss + 1; /* the send queue begins there: see tcp.h */
    tcp_advance_next(tcp, payload, length, false);
    return payload;
}

/* Sends a SYN, or the SYN-ACK of a connection that the peer began; `answer`: the cookie to give with the
 * first. */
static void send_syn(struct stack *stack, struct tcp *tcp, const struct tcp_cookie *answer) {
    bool acknowledge = tcp->state != TCP_SYN_SENT;
    bool again = tcp->snd_nxt != tcp->iss;
    struct byte_cursor payload = {NULL, 0};
    struct tcp_segment segment = syn_of(stack, tcp, acknowledge);
    tcp_ecn_syn(stack, tcp, &segment, again);
    if (again) {
        stack->mib.TcpRetransSegs++;
        tcp->history.retransmitted++;
    } else {
        tcp->snd_nxt = tcp->iss + 1;
        if (answer)
            segment.cookie = *answer;
        if (acknowledge)
            tcp->rcv_adv = tcp->rcv_nxt + segment.window;
        if (!acknowledge && tcp->fastopen & TCP_FASTOPEN_ASKED) {
            tcp_fastopen_ask(stack, tcp, &segment);
            payload = add_data(stack, tcp, &segment);
        }
    }
    tcp->last_sent_ns = stack->now_ns;
    tcp_arm_retransmit(stack, tcp);
    tcp_transmit(stack, tcp, &segment, payload);
}

void tcp_send_syn(struct stack *stack, struct tcp *tcp) {
    send_syn(stack, tcp, NULL);
}

struct tuple_question {
    struct stack *stack;
    struct tcp *tcp;
    struct tcp_time_wait
        *old; /* who has the tuple that was asked for last, and may be replaced, if it is not taken */
};

static bool tuple_taken(void *context, uint16_t port) {
    struct tuple_question *question = context;
    struct tcp *tcp = question->tcp;
    struct stack *stack = question->stack;
    struct ip_address local = tcp->binding.address, remote = tcp->remote_address;
    question->old = NULL;
    if (!port_is_held(stack, port))
        return false;
    question->old = tcp_time_wait_find(stack, local, port, remote, tcp->remote_port);
    return question->old ? !tcp_time_wait_reusable(stack, question->old)
                         : tcp_lookup(stack, local, port, remote, tcp->remote_port) != NULL;
}

int tcp_connect(struct stack *stack, struct tcp *tcp, struct ip_address address, uint16_t port) {
    if (ip_is_multicast(address) || ip_is_broadcast(stack, address) || ip_reachable(stack, address))
        return -ENETUNREACH;
    struct tuple_question question = {stack, tcp, NULL};
    tcp->remote_address = address;
    tcp->remote_port = port;
    if (ip_is_any(tcp->binding.address))
        tcp->binding.address =
            ip_source(stack, address, tcp->socket ? tcp->socket->options.six.source_preferences : 0);
    if (tcp->binding.port) {
        if (tuple_taken(&question, tcp->binding.port))
            return -EADDRNOTAVAIL;
    } else {
        int error = port_pick(stack, &tcp->binding, address, port, tuple_taken, &question);
        if (error)
            return error;
    }
    if (!tcp_active_take(stack, tcp))
        return -ENOBUFS;
    uint32_t follows = question.old ? question.old->snd_nxt : 0;
    if (question.old) {
        stack->mib.TcpExtTWRecycled++;
        tcp_time_wait_end(stack, question.old);
    }
    tcp_work_on(stack, tcp);
    tcp_enter(stack, tcp);
    open_send_side(stack, tcp, follows);
    tcp_set_state(stack, tcp, TCP_SYN_SENT);
    stack->mib.TcpActiveOpens++;
    if (!(tcp->fastopen & TCP_FASTOPEN_DEFERRED))
        tcp_send_syn(stack, tcp);
    return 0;
}

int tcp_listen(struct stack *stack, struct tcp *tcp) {
    if (!tcp->binding.port) {
        int error = port_bind(stack, &tcp->binding, tcp->binding.address, 0);
        if (error)
            return error;
    }
    if (port_listen_conflict(stack, &tcp->binding))
        return -EADDRINUSE;
    port_set_listening(stack, &tcp->binding, true);
    tcp_set_state(stack, tcp, TCP_LISTEN);
    tcp_enter_listener(stack, tcp);
    return 0;
}

/* Connections that a listener's program has accepted before they were complete. */
static void forget_listener(void *object, void *listener) {
    struct tcp *tcp = object;
    if (tcp->fastopen_listener == listener)
        tcp_fastopen_settled(tcp);
}

void tcp_unlisten(struct stack *stack, struct socket *listener) {
    struct list *link;
    if (listener->tcp->fastopen_count > 0)
        pool_walk(&stack->connections, forget_listener, listener->tcp);
    while ((link = list_first(&listener->syn_queue)))
        tcp_destroy(stack, container_of(link, struct tcp, queue_link));
    while ((link = list_first(&listener->accept_queue))) {
        struct tcp *tcp = container_of(link, struct tcp, queue_link);
        if (tcp->state != TCP_CLOSE)
            tcp_send_reset(stack, tcp); /* connected, but nobody will ever accept it */
        tcp_destroy(stack, tcp);
    }
}

static bool accept_queue_full(const struct socket *listener) {
    return listener->accept_count > listener->backlog; /* Linux's sk_acceptq_is_full */
}

/* What a listener does with a SYN. */
enum syn_admission {
    REFUSE,
    QUEUE,
    COOKIE, /* it is not remembered: the peer will */
};

static enum syn_admission syn_admission(struct stack *stack, const struct socket *socket) {
    const struct sysctl *sysctl = &stack->sysctl;
    /* A cookie loses the acknowledgment that finds accept's queue full: none are made before it is a flood.
     */
    uint32_t limit = sysctl->tcp_syncookies ? sysctl->tcp_max_syn_backlog : socket->backlog;
    bool full = socket->syn_count > limit;
    if (accept_queue_full(socket)) {
        stack->mib.TcpExtListenOverflows++;
        return REFUSE;
    }
    if (sysctl->tcp_syncookies == 2 || (full && sysctl->tcp_syncookies))
        return COOKIE;
    return full ? REFUSE : QUEUE;
}

/* A connection that a listener makes. NULL: no memory. */
static struct tcp *make_child(struct stack *stack, struct tcp *listener, const struct ip_packet *packet,
                              const struct tcp_segment *segment) {
    struct tcp *tcp = tcp_create(stack);
    if (!tcp)
        return NULL;
    tcp->remote_address = packet->source;
    if (!tcp_active_take(stack, tcp) || !tcp_md5_inherit(stack, listener, tcp)) {
        tcp_alarm_stop_all(stack, tcp);
        tcp_active_return(stack, tcp);
        pool_return(&stack->connections, tcp);
        return NULL;
    }
    tcp_work_on(stack, tcp);
    tcp->options = listener->options;
    tcp->binding.address = packet->destination;
    tcp->binding.port = listener->binding.port;
    port_take_families_of(&tcp->binding, &listener->binding);
    tcp->binding.reuse_address = listener->binding.reuse_address;
    tcp->binding.reuse_port = listener->binding.reuse_port;
    tcp->remote_port = segment->source_port;
    tcp->listener = listener->socket;
    list_add_tail(&listener->socket->syn_queue, &tcp->queue_link);
    listener->socket->syn_count++;
    port_enter(stack, &tcp->binding);
    tcp_enter(stack, tcp);
    open_send_side(stack, tcp, segment->follows);
    take_syn(stack, tcp, segment);
    tcp->state = TCP_SYN_RECV;
    tcp_work_on(stack, tcp);
    return tcp;
}

static void enter_accept_queue(struct stack *stack, struct tcp *tcp) {
    struct socket *listener = tcp->listener;
    listener->syn_count--;
    listener->accept_count++;
    tcp->in_accept_queue = true;
    list_move_tail(&listener->accept_queue, &tcp->queue_link);
    stack->mib.TcpPassiveOpens++;
    socket_event(stack, listener);
}

/* Takes the data and FIN of a SYN or SYN-ACK, whose own number has been taken. */
static void take_data(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    segment->sequence++;
    segment->flags &= (uint8_t)~TCP_SYN;
    tcp->rcv_adv = tcp->rcv_nxt + tcp_receive_space(tcp);
    if (segment->length > 0)
        tcp_take_text(stack, tcp, segment);
    if (segment->flags & TCP_FIN)
        tcp_input_fin(stack, tcp);
}

/* The connection is there at once. */
static void fast_open(struct stack *stack, struct tcp *listener, struct tcp *tcp,
                      struct tcp_segment *segment) {
    tcp->fastopen = TCP_FASTOPEN_CHILD | TCP_FASTOPEN_PENDING;
    if (segment->length > 0)
        tcp->fastopen |= TCP_FASTOPEN_TAKEN;
    tcp->fastopen_listener = listener;
    listener->fastopen_count++;
    tcp->snd_una = tcp->iss + 1; /* the program may write at once */
    take_data(stack, tcp, segment);
    enter_accept_queue(stack, tcp);
}

static void answer_with_cookie(struct stack *stack, struct tcp *listener, const struct ip_packet *packet,
                               const struct tcp_segment *segment) {
    struct tcp *tcp = make_child(stack, listener, packet, segment);
    if (!tcp)
        return;
    stack->syncookies_sent_ns = stack->now_ns;
    stack->mib.TcpExtSyncookiesSent++;
    tcp_syncookie_make(stack, tcp);
    struct tcp_segment answer = syn_of(stack, tcp, true);
    if (tcp->timestamps)
        tcp_syncookie_put(tcp, &answer);
    tcp_transmit(stack, tcp, &answer, (struct byte_cursor){NULL, 0});
    tcp_destroy(stack, tcp);
}

/* An acknowledgment for nobody: of a SYN-ACK that was a cookie, perhaps. */
static bool input_cookie(struct stack *stack, struct tcp *listener, const struct ip_packet *packet,
                         struct tcp_segment *segment) {
    struct tcp_segment syn;
    if (segment->flags & (TCP_SYN | TCP_RST) || !stack->sysctl.tcp_syncookies ||
        !tcp_syncookie_check(stack, packet, segment, &syn)) {
        return false;
    }
    if (accept_queue_full(listener->socket)) {
        stack->mib.TcpExtListenOverflows++;
        return true;
    }
    struct tcp *tcp = make_child(stack, listener, packet, &syn);
    if (!tcp)
        return true;
    stack->mib.TcpExtSyncookiesRecv++;
    tcp->iss = segment->acknowledgment - 1;
    tcp->snd_una = tcp->iss;
    tcp->snd_nxt = tcp->iss + 1;
    tcp->rcv_adv = tcp->rcv_nxt + 65535;
    tcp->retransmits = 1; /* when its SYN-ACK left, nobody knows */
    tcp_input_connection(stack, tcp, segment);
    return true;
}

/* RFC 9293 section 3.10.7.2. */
void tcp_input_listen(struct stack *stack, struct tcp *listener, const struct ip_packet *packet,
                      struct tcp_segment *segment) {
    struct socket *socket = listener->socket;
    struct tcp_cookie answer;
    if (segment->flags & TCP_RST)
        return;
    if (segment->flags & TCP_ACK) {
        if (!input_cookie(stack, listener, packet, segment))
            tcp_reply_reset(stack, packet, segment);
        return;
    }
    if (!(segment->flags & TCP_SYN) || packet->multicast)
        return;
    enum syn_admission how = syn_admission(stack, socket);
    if (how == COOKIE) {
        answer_with_cookie(stack, listener, packet, segment);
        return;
    }
    struct tcp *tcp = how == QUEUE ? make_child(stack, listener, packet, segment) : NULL;
    if (!tcp) {
        stack->mib.TcpExtListenDrops++;
        return;
    }
    tcp_ecn_asked(stack, tcp, packet, segment);
    if (tcp_fastopen_accept(stack, listener, packet, segment, &answer))
        fast_open(stack, listener, tcp, segment);
    send_syn(stack, tcp, &answer);
}

/* TCP_DEFER_ACCEPT: a client that has not said anything yet is let in when it does, or at the last moment. */
static bool defers(struct tcp *tcp, const struct tcp_segment *segment) {
    bool bare = segment->length == 0 && !(segment->flags & TCP_FIN);
    if (!bare || tcp->retransmits >= tcp->options.defer_accept)
        return false;
    tcp->handshake_acknowledged = true;
    return true;
}

bool tcp_handshake_done(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    struct socket *listener = tcp->listener;
    if (listener && !tcp->in_accept_queue) {
        if (defers(tcp, segment)) {
            stack->mib.TcpExtTCPDeferAcceptDrop++;
            return false;
        }
        if (accept_queue_full(listener)) {
            stack->mib.TcpExtListenOverflows++;
            stack->mib.TcpExtListenDrops++;
            if (stack->sysctl.tcp_abort_on_overflow) {
                tcp_reply_reset_to(stack, tcp, segment);
                tcp_destroy(stack, tcp);
            }
            return false;
        }
        enter_accept_queue(stack, tcp);
    }
    tcp_fastopen_settled(tcp);
    if (tcp->state == TCP_SYN_RECV)
        tcp_set_state(stack, tcp, TCP_ESTABLISHED);
    tcp->snd_wnd = segment->window << tcp->snd_scale;
    tcp->snd_wnd_largest = tcp->snd_wnd;
    tcp->snd_wl1 = segment->sequence;
    tcp->snd_wl2 = segment->acknowledgment;
    tcp_tuning_established(stack, tcp);
    tcp_arm_keepalive(stack, tcp);
    socket_event(stack, tcp->socket);
    return true;
}

void tcp_measure_handshake(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    bool echoes = tcp->timestamps && segment->has_timestamp && segment->timestamp_echo;
    uint64_t rtt_ns = echoes ? tcp_timestamp_rtt_ns(stack, tcp, segment->timestamp_echo) : 0;
    if (tcp->retransmits == 0) /* Karn's rule: or nobody knows which SYN was answered, but by its timestamp */
        tcp_rtt_sample(&tcp->rtt, stack->now_ns - tcp->last_sent_ns);
    else if (rtt_ns)
        tcp_rtt_sample(&tcp->rtt, rtt_ns);
}

/* Our SYN is acknowledged, and perhaps data that went with it. */
static void syn_acknowledged(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    tcp->snd_una = tcp->iss + 1;
    tcp->history.delivered++;
    tcp_measure_handshake(stack, tcp, segment);
    tcp_alarm_stop(tcp, TCP_ALARM_RETRANSMIT);
    tcp_set_state(stack, tcp, TCP_ESTABLISHED);
    tcp_tuning_established(stack, tcp);
    if (tcp->fastopen & TCP_FASTOPEN_ASKED) {
        bool all = segment->acknowledgment == tcp->snd_nxt;
        tcp_fastopen_answered(stack, tcp, segment, all);
        tcp_acknowledge_syn_data(stack, tcp, segment);
        take_data(stack, tcp, segment);
    }
    tcp->retransmits = 0;
    tcp_rtt_restore(&tcp->rtt);
    tcp_metrics_begin(stack, tcp);
    tcp_arm_keepalive(stack, tcp);
    if (tcp->socket && tcp->socket->blocked_writers > 0 && tcp->send.length == 0) {
        /* A writer waits: our acknowledgment goes with its data. */
        tcp_ack_quickly(tcp, TCP_ACK_QUICK_MAX);
        tcp_alarm_set(stack, tcp, TCP_ALARM_ACK, stack->now_ns + TCP_ACK_DELAY_MAX_NS);
    } else {
        tcp_want_ack(stack, tcp);
    }
    socket_event(stack, tcp->socket);
}

/* RFC 9293 section 3.10.7.3. */
void tcp_input_syn_sent(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    bool acknowledges = segment->flags & TCP_ACK;
    if (tcp->snd_nxt == tcp->iss)
        return; /* TCP_FASTOPEN_CONNECT: nothing has been sent */
    if (acknowledges &&
        (seq_le(segment->acknowledgment, tcp->iss) || seq_gt(segment->acknowledgment, tcp->snd_nxt))) {
        /* The peer has a connection of ours still, which this host, or its stack, has lost: the reset ends
         * it, and need not be waited for. Once only, since anybody could send such an acknowledgment. */
        if (tcp->retransmits == 0)
            tcp_alarm_set(stack, tcp, TCP_ALARM_RETRANSMIT, stack->now_ns + TCP_SYN_AGAIN_NS);
        if (!(segment->flags & TCP_RST))
            tcp_reply_reset_to(stack, tcp, segment);
        return;
    }
    bool echoes =
        acknowledges && segment->has_timestamp && segment->timestamp_echo && stack->sysctl.tcp_timestamps;
    uint32_t first = tcp_timestamp_at(tcp, tcp->history.opened_ns);
    if (echoes && (seq_lt(segment->timestamp_echo, first) ||
                   seq_gt(segment->timestamp_echo, tcp_timestamp_now(stack, tcp)))) {
        stack->mib.TcpExtPAWSActive++; /* it answers a SYN of an earlier connection */
        if (!(segment->flags & TCP_RST))
            tcp_reply_reset_to(stack, tcp, segment);
        return;
    }
    if (segment->flags & TCP_RST) {
        if (acknowledges) {
            stack->mib.TcpAttemptFails++;
            tcp_end(stack, tcp, ECONNREFUSED);
        }
        return;
    }
    if (!(segment->flags & TCP_SYN))
        return;
    take_syn(stack, tcp, segment);
    tcp_ecn_answered(tcp, segment);
    if (!acknowledges) {
        /* Simultaneous open: both sides have sent a SYN. */
        tcp_set_state(stack, tcp, TCP_SYN_RECV);
        tcp_send_syn(stack, tcp);
        return;
    }
    syn_acknowledged(stack, tcp, segment);
}
