/*
 * tcp_handshake.c - how connections begin (RFC 9293 section 3.5): active, passive and simultaneous open.
 *
 * A listener has two bounded queues: connections whose handshake is not complete, and those that wait for
 * accept(2). When the second is full, the acknowledgment that would complete a handshake is ignored, as in
 * Linux; the peer's next segment, or our SYN-ACK's retransmission, tries again.
 */
#include "stack.h"
#include "tcp.h"
#include "tcp_isn.h"
#include "tcp_rtt.h"
#include <errno.h>

/* What we take, whatever the path to the peer carries: the way back may be another. */
static uint16_t own_mss(const struct stack *stack, const struct tcp *tcp) {
    uint32_t mtu = ip_is_local(stack, tcp->remote_address) ? STACK_MTU_MAX : stack->config.mtu;
    uint32_t mss = mtu - IP_HEADER_BYTES - TCP_HEADER_BYTES;
    if (tcp->options.mss_limit && tcp->options.mss_limit < mss)
        mss = tcp->options.mss_limit;
    return (uint16_t)mss;
}

static uint32_t receive_limit(const struct tcp *tcp) {
    return tcp->socket ? tcp->socket->receive_limit : tcp->listener->receive_limit;
}

void tcp_leave_queue(struct tcp *tcp) {
    if (!tcp->listener)
        return;
    if (tcp->acceptable)
        tcp->listener->accept_count--;
    else
        tcp->listener->syn_count--;
    list_remove(&tcp->queue_link);
    tcp->listener = NULL;
}

/* Chooses the initial sequence number and what we offer. */
static void open_send_side(struct stack *stack, struct tcp *tcp) {
    tcp->iss = tcp_isn(stack->isn_key, stack->now_ns, tcp->binding.address, tcp->binding.port,
                       tcp->remote_address, tcp->remote_port);
    tcp->snd_una = tcp->snd_nxt = tcp->iss;
    tcp->timestamp_offset = (uint32_t)random_u64(&stack->random);
    tcp->rcv_scale = tcp_window_scale(receive_limit(tcp));
    tcp->history.opened_ns = stack->now_ns;
}

/* Takes what the peer's SYN says. */
static void take_syn(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    uint16_t peer_mss = segment->mss ? segment->mss : TCP_MSS_DEFAULT;
    uint16_t ours = own_mss(stack, tcp);
    if (peer_mss < 48) /* Linux's TCP_MIN_SND_MSS: a tiny MSS is an attack on our resources */
        peer_mss = 48;
    tcp->sack_permitted = segment->sack_permitted;
    tcp->timestamps = segment->has_timestamp;
    tcp->timestamp_recent = segment->timestamp;
    tcp->timestamp_recent_ns = stack->now_ns;
    tcp_path_begin(stack, tcp, peer_mss < ours ? peer_mss : ours);
    if (segment->window_scale >= 0)
        tcp->snd_scale = (uint8_t)segment->window_scale;
    else
        tcp->rcv_scale = tcp->snd_scale = 0; /* both sides scale, or none: RFC 7323 section 2.2 */
    tcp->irs = segment->sequence;
    tcp->rcv_nxt = segment->sequence + 1;
    tcp->rcv_adv = tcp->rcv_nxt;
    tcp->snd_wnd = segment->window; /* a SYN's window is never scaled */
    tcp->snd_wnd_largest = tcp->snd_wnd;
    tcp->snd_wl1 = segment->sequence;
    tcp->snd_wl2 = segment->acknowledgment;
    tcp_congestion_init(&tcp->congestion, tcp->options.congestion, tcp->mss);
}

/* Sends a SYN, or the SYN-ACK of SYN_RECV; first time or again. */
void tcp_send_syn(struct stack *stack, struct tcp *tcp) {
    bool acknowledge = tcp->state == TCP_SYN_RECV;
    bool again = tcp->snd_nxt != tcp->iss;
    struct tcp_segment segment = {
        .source_port = tcp->binding.port,
        .destination_port = tcp->remote_port,
        .sequence = tcp->iss,
        .acknowledgment = acknowledge ? tcp->rcv_nxt : 0,
        .flags = (uint8_t)(TCP_SYN | (acknowledge ? TCP_ACK : 0)),
        .mss = own_mss(stack, tcp),
        .window_scale = (int8_t)tcp->rcv_scale,
        .sack_permitted = !acknowledge || tcp->sack_permitted,
    };
    if (!acknowledge || tcp->timestamps)
        tcp_timestamp_put(stack, tcp, &segment);
    if (acknowledge && tcp->rcv_scale == 0 && tcp->snd_scale == 0 && receive_limit(tcp) > 65535)
        segment.window_scale = -1; /* the peer offered none */
    uint32_t space = tcp_receive_space(tcp);
    segment.window = space > 65535 ? 65535 : space; /* not scaled in a SYN */
    if (acknowledge)
        tcp->rcv_adv = tcp->rcv_nxt + segment.window;
    tcp->snd_nxt = tcp->iss + 1;
    if (again) {
        stack->mib.TcpRetransSegs++;
        tcp->history.retransmitted++;
    }
    tcp->last_sent_ns = stack->now_ns;
    tcp_arm_retransmit(stack, tcp);
    tcp_transmit(stack, tcp, &segment, (struct byte_cursor){NULL, 0});
}

struct tuple_question {
    struct stack *stack;
    struct tcp *tcp;
};

static bool tuple_taken(void *context, uint16_t port) {
    struct tuple_question *question = context;
    struct tcp *tcp = question->tcp;
    return tcp_lookup(question->stack, tcp->binding.address, port, tcp->remote_address, tcp->remote_port);
}

int tcp_connect(struct stack *stack, struct tcp *tcp, uint32_t address, uint16_t port) {
    if (ip_is_multicast(address) || ip_is_broadcast(stack, address) || ip_reachable(stack, address))
        return -ENETUNREACH;
    struct tuple_question question = {stack, tcp};
    tcp->remote_address = address;
    tcp->remote_port = port;
    if (!tcp->binding.address)
        tcp->binding.address = ip_source(stack, address);
    if (tcp->binding.port) {
        if (tuple_taken(&question, tcp->binding.port))
            return -EADDRNOTAVAIL;
    } else {
        int error = port_pick(stack, &tcp->binding, tuple_taken, &question);
        if (error)
            return error;
    }
    tcp_enter(stack, tcp);
    open_send_side(stack, tcp);
    tcp_set_state(stack, tcp, TCP_SYN_SENT);
    stack->mib.TcpActiveOpens++;
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
    tcp->binding.listening = true;
    tcp_set_state(stack, tcp, TCP_LISTEN);
    tcp_enter_listener(stack, tcp);
    return 0;
}

void tcp_unlisten(struct stack *stack, struct socket *listener) {
    struct list *link;
    while ((link = list_first(&listener->syn_queue)))
        tcp_destroy(stack, container_of(link, struct tcp, queue_link));
    while ((link = list_first(&listener->accept_queue))) {
        struct tcp *tcp = container_of(link, struct tcp, queue_link);
        tcp_send_reset(stack, tcp); /* connected, but nobody will ever accept it */
        tcp_destroy(stack, tcp);
    }
}

static bool accept_queue_full(const struct socket *listener) {
    return listener->accept_count > listener->backlog; /* Linux's sk_acceptq_is_full */
}

/* RFC 9293 section 3.10.7.2. */
void tcp_input_listen(struct stack *stack, struct tcp *listener, const struct ip_packet *packet,
                      struct tcp_segment *segment) {
    struct socket *socket = listener->socket;
    if (segment->flags & TCP_RST)
        return;
    if (segment->flags & TCP_ACK) {
        tcp_reply_reset(stack, packet, segment);
        return;
    }
    if (!(segment->flags & TCP_SYN) || packet->multicast)
        return;
    if (accept_queue_full(socket) || socket->syn_count > socket->backlog) {
        stack->mib.TcpExtListenOverflows += accept_queue_full(socket);
        stack->mib.TcpExtListenDrops++;
        return;
    }
    struct tcp *tcp = tcp_create(stack);
    if (!tcp) {
        stack->mib.TcpExtListenDrops++;
        return;
    }
    stack_work_on(stack, tcp);
    tcp->options = listener->options;
    tcp->binding.address = packet->destination;
    tcp->binding.port = listener->binding.port;
    tcp->binding.reuse_address = listener->binding.reuse_address;
    tcp->binding.reuse_port = listener->binding.reuse_port;
    tcp->remote_address = packet->source;
    tcp->remote_port = segment->source_port;
    tcp->listener = socket;
    list_add_tail(&socket->syn_queue, &tcp->queue_link);
    socket->syn_count++;
    port_enter(stack, &tcp->binding);
    tcp_enter(stack, tcp);
    open_send_side(stack, tcp);
    take_syn(stack, tcp, segment);
    tcp->state = TCP_SYN_RECV;
    tcp_send_syn(stack, tcp);
}

bool tcp_handshake_done(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    struct socket *listener = tcp->listener;
    if (listener) {
        if (accept_queue_full(listener)) {
            stack->mib.TcpExtListenOverflows++;
            stack->mib.TcpExtListenDrops++;
            return false;
        }
        listener->syn_count--;
        listener->accept_count++;
        tcp->acceptable = true;
        list_move_tail(&listener->accept_queue, &tcp->queue_link);
        stack->mib.TcpPassiveOpens++;
    }
    tcp_set_state(stack, tcp, TCP_ESTABLISHED);
    tcp->snd_wnd = segment->window << tcp->snd_scale;
    tcp->snd_wnd_largest = tcp->snd_wnd;
    tcp->snd_wl1 = segment->sequence;
    tcp->snd_wl2 = segment->acknowledgment;
    tcp_arm_keepalive(stack, tcp);
    socket_event(stack, listener ? listener : tcp->socket);
    return true;
}

void tcp_measure_handshake(struct stack *stack, struct tcp *tcp) {
    if (tcp->retransmits == 0) /* Karn's rule: or nobody knows which SYN was answered */
        tcp_rtt_sample(&tcp->rtt, stack->now_ns - tcp->last_sent_ns);
}

/* RFC 9293 section 3.10.7.3. */
void tcp_input_syn_sent(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    bool acknowledges = segment->flags & TCP_ACK;
    if (acknowledges && segment->acknowledgment != tcp->snd_nxt) {
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
    if (!acknowledges) {
        /* Simultaneous open: both sides have sent a SYN. */
        tcp_set_state(stack, tcp, TCP_SYN_RECV);
        tcp_send_syn(stack, tcp);
        return;
    }
    tcp->snd_una = segment->acknowledgment;
    tcp_measure_handshake(stack, tcp);
    tcp->retransmits = 0;
    tcp_rtt_restore(&tcp->rtt);
    timer_stop(&stack->timers, &tcp->retransmit_timer);
    tcp_set_state(stack, tcp, TCP_ESTABLISHED);
    tcp_arm_keepalive(stack, tcp);
    tcp_want_ack(stack, tcp);
    socket_event(stack, tcp->socket);
}
