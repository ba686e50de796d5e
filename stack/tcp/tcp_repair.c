/* SPDX-License-Identifier: MIT */
/*
 * tcp_repair.c - see tcp_repair.h.
 *
 * A connection is reset when it belongs to nobody, when its queues are not whole, and when a call of the dead
 * process itself was changing it otherwise than by tcp_work_on.
 */
#include "stack/tcp/tcp_repair.h"
#include "stack/base/minmax.h"
#include "stack/repair.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_timer.h"
#include "stack/tcp/tcp_window.h"
#include <errno.h>

static bool connected(uint8_t state) {
    return state && state != TCP_CLOSE && state != TCP_LISTEN;
}

static bool has_sent_fin(uint8_t state) {
    return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING ||
           state == TCP_LAST_ACK || state == TCP_TIME_WAIT;
}

static bool has_acknowledged_fin(uint8_t state) {
    return state == TCP_FIN_WAIT2 || state == TCP_TIME_WAIT;
}

static bool has_received_fin(uint8_t state) {
    return state == TCP_CLOSE_WAIT || state == TCP_CLOSING || state == TCP_LAST_ACK || state == TCP_TIME_WAIT;
}

void tcp_work_on(struct stack *stack, const struct tcp *tcp) {
    if (stack->at_work == tcp && stack->tcp_work.state)
        return;
    stack_work_on(stack, NULL);
    stack->tcp_work = (struct tcp_work){
        .state = connected(tcp->state) ? tcp->state : 0,
        .send_end = tcp_send_end(tcp) - has_acknowledged_fin(tcp->state),
        .receive_start = tcp_receive_start(tcp),
    };
    stack_work_on(stack, tcp);
}

/* Whose a connection is. Forgets owners that are none. False: it is nobody's. */
static bool find_owner(const struct stack *stack, struct tcp *tcp) {
    if (tcp->socket && !(stack_socket_alive(stack, tcp->socket) && tcp->socket->tcp == tcp))
        tcp->socket = NULL;
    else if (tcp->socket)
        return true;
    if (tcp->listener) {
        struct socket *listener = tcp->listener;
        if (stack_socket_alive(stack, listener) && pool_has(&stack->connections, listener->tcp) &&
            listener->tcp->state == TCP_LISTEN && connected(tcp->state))
            return true;
        tcp->listener = NULL;
    }
    switch (tcp->state) {
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        return true; /* an orphan that ends by itself */
    default:
        return false;
    }
}

static bool repair_out_of_order(struct stack *stack, struct tcp *tcp) {
    struct chain_measure measure;
    uint32_t count = 0;
    struct list *link;
    struct tcp_out_of_order_blocks *blocks = &tcp->active->out_of_order;
    if (!tcp_active_is_own(stack, tcp))
        return true;
    for (link = blocks->list.next; link != &blocks->list; link = link->next) {
        struct tcp_out_of_order *held = container_of(link, struct tcp_out_of_order, link);
        if (!pool_has(&stack->out_of_order_segments, held) || count++ > TCP_OUT_OF_ORDER_MAX ||
            !stack_chain_measure(stack, held->data.head, &measure) || measure.length != held->data.length)
            return false;
        held->data.buffers = measure.buffers;
    }
    tcp_out_of_order_repair(stack, blocks);
    list_init(&tcp->active->memory_link);
    size_class_change(&stack->memory.out_of_order, &tcp->active->memory_link, 0, blocks->buffers);
    return true;
}

/* Marks are worth less than the connection: when one is broken, all are given up. */
static void repair_marks(const struct stack *stack, struct tcp *tcp) {
    uint32_t count = 0;
    for (struct list *link = tcp->active->marks.next; link != &tcp->active->marks; link = link->next)
        if (!pool_has(&stack->marks, container_of(link, struct tcp_write_mark, link)) ||
            count++ > TCP_WRITE_MARKS_MAX) {
            list_init(&tcp->active->marks);
            count = 0;
            break;
        }
    tcp->active->mark_count = count;
}

/* Whether the content of a connection that nobody was changing is what it must be. Repairs what it may. */
static bool content_whole(struct stack *stack, struct tcp *tcp) {
    if (!stack_queue_repair(stack, &tcp->send) || !stack_queue_repair(stack, &tcp->receive) ||
        !repair_out_of_order(stack, tcp))
        return false;
    if (!connected(tcp->state))
        return true;
    repair_marks(stack, tcp);
    if (tcp_is_lone_syn(tcp))
        return tcp->send.length == 0;
    uint32_t sent = tcp->snd_nxt - tcp->snd_una;
    if (seq_gt(tcp->snd_una, tcp->snd_nxt))
        return false;
    if (!tcp_active_is_own(stack, tcp))
        return sent == 0;
    if (tcp->state != TCP_TIME_WAIT && tcp->snd_nxt - tcp->snd_una > tcp->send.length + tcp->fin_queued)
        return false;
    if (tcp->state != TCP_TIME_WAIT && !tcp_rtx_repair(stack, tcp))
        return false;
    if (sent > 0 && sent < tcp->send.length)
        tcp->active->send_next = byte_queue_at(&tcp->send, sent);
    else if (sent > 0 && tcp->send.length > 0)
        tcp->active->send_next = (struct byte_cursor){tcp->send.tail, tcp->send.tail->end};
    return true;
}

/* What is half done of the flight is forgotten. */
static void forget_flight(const struct stack *stack, struct tcp *tcp) {
    struct tcp_active *active = tcp->active;
    if (!tcp_active_is_own(stack, tcp))
        return;
    list_init(&active->sent);
    active->sent_root = NULL;
    list_init(&active->memory_link);
    tcp_out_of_order_init(&active->out_of_order);
    active->scoreboard = (struct tcp_scoreboard){0};
    active->recovery = (struct tcp_recovery){.recover = tcp->snd_una};
    active->held_recently_count = 0;
    active->mtu_probing = false;
    repair_marks(stack, tcp);
}

/* A handshake, of which nothing but the numbers counts: as before the peer's answer. */
static bool repair_opening(struct tcp *tcp) {
    if (tcp->fastopen || tcp->send.length > 0 || tcp->receive.length > 0)
        return false;
    tcp->snd_una = tcp->iss;
    tcp->snd_nxt = tcp->iss + 1;
    if (tcp->state == TCP_SYN_RECV)
        tcp->rcv_nxt = tcp->irs + 1;
    else
        tcp->rcv_nxt = tcp->last_ack_sent;
    return true;
}

/* Makes the numbers of a connection anew that somebody was at work on, by tcp_work_on. False: that can't be.
 */
static bool mend(struct stack *stack, struct tcp *tcp) {
    const struct tcp_work *work = &stack->tcp_work;
    uint8_t state = tcp->state;
    if (!work->state || !connected(state) || !stack_queue_repair(stack, &tcp->send) ||
        !stack_queue_repair(stack, &tcp->receive))
        return false;
    tcp->fin_queued = has_sent_fin(state);
    tcp->fin_received = has_received_fin(state);
    if (tcp_is_opening(tcp)) {
        if (!repair_opening(tcp))
            return false;
    } else {
        uint32_t start = work->state == TCP_SYN_SENT ? tcp->irs + 1 : work->receive_start;
        uint32_t end = work->send_end + tcp->fin_queued;
        tcp->snd_una = work->send_end - tcp->send.length + has_acknowledged_fin(state);
        if (seq_lt(tcp->snd_nxt, tcp->snd_una))
            tcp->snd_nxt = tcp->snd_una;
        if (seq_gt(tcp->snd_nxt, end))
            tcp->snd_nxt = end;
        tcp->rcv_nxt = start + tcp->receive.length + tcp->fin_received;
        if (seq_lt(tcp->rcv_adv, tcp->rcv_nxt))
            tcp->rcv_adv = tcp->rcv_nxt;
    }
    if (tcp->socket && tcp->fin_received)
        tcp->socket->read_shutdown = true;
    forget_flight(stack, tcp);
    return true;
}

static void hold_content(struct stack *stack, struct tcp *tcp) {
    struct list *link;
    for (link = tcp->active->sent.next; link != &tcp->active->sent; link = link->next)
        pool_mark(&stack->sent, container_of(link, struct tcp_rtx, link));
    for (link = tcp->active->marks.next; link != &tcp->active->marks; link = link->next)
        pool_mark(&stack->marks, container_of(link, struct tcp_write_mark, link));
    stack_hold_chain(stack, tcp->send.head);
    stack_hold_chain(stack, tcp->receive.head);
    struct list *blocks = &tcp->active->out_of_order.list;
    for (link = blocks->next; link != blocks; link = link->next) {
        struct tcp_out_of_order *held = container_of(link, struct tcp_out_of_order, link);
        pool_mark(&stack->out_of_order_segments, held);
        stack_hold_chain(stack, held->data.head);
    }
}

static void forget_content(const struct stack *stack, struct tcp *tcp) {
    tcp->send = tcp->receive = (struct byte_queue){NULL, NULL, 0, 0};
    if (tcp_active_is_own(stack, tcp)) {
        list_remove(&tcp->active->memory_link);
        tcp_active_init(tcp->active);
        tcp->active->owner = tcp;
    }
}

/* Into its listener's queue, by age. */
static void join_queue(struct tcp *tcp) {
    struct socket *listener = tcp->listener;
    tcp->in_accept_queue = tcp->state != TCP_SYN_RECV || tcp->fastopen & TCP_FASTOPEN_CHILD;
    if (!tcp->in_accept_queue) {
        list_add_tail(&listener->syn_queue, &tcp->queue_link);
        listener->syn_count++;
        return;
    }
    struct list *after = listener->accept_queue.previous;
    while (after != &listener->accept_queue &&
           container_of(after, struct tcp, queue_link)->history.established_ns > tcp->history.established_ns)
        after = after->previous;
    list_add_head(after, &tcp->queue_link);
    listener->accept_count++;
}

static enum tcp_verdict verdict_of(struct stack *stack, struct tcp *tcp, bool owned) {
    if (!owned)
        return TCP_UNREPAIRABLE;
    if (tcp_active_is_own(stack, tcp) && !pool_has(&stack->actives, tcp->active)) {
        tcp->active = &stack->idle_active;
        return TCP_UNREPAIRABLE;
    }
    if (stack->at_work == tcp && tcp->state != TCP_LISTEN)
        return mend(stack, tcp) ? TCP_REBUILT : TCP_UNREPAIRABLE;
    bool spared = tcp->state == TCP_LISTEN; /* it has no content, and many depend on it */
    bool at_work = stack->at_work && stack->at_work == tcp->socket;
    return (at_work && !spared) || !content_whole(stack, tcp) ? TCP_UNREPAIRABLE : TCP_INTACT;
}

void tcp_repair(void *object, void *context) {
    struct stack *stack = context;
    struct tcp *tcp = object;
    bool owned = find_owner(stack, tcp);
    tcp->verdict = verdict_of(stack, tcp, owned);
    if (!owned && !connected(tcp->state))
        return; /* freed */
    tcp->orphan = false;
    stack->time_wait_count += tcp->state == TCP_TIME_WAIT;
    if (!tcp->socket && !tcp->listener && connected(tcp->state) && tcp->state != TCP_TIME_WAIT)
        tcp_set_orphan(stack, tcp, true);
    pool_mark(&stack->connections, tcp);
    if (tcp_active_is_own(stack, tcp))
        pool_mark(&stack->actives, tcp->active);
    tcp->tuple_link = tcp->binding.link = (struct hash_link){NULL, NULL};
    list_init(&tcp->output_link);
    tcp->corked = false;
    list_init(&tcp->queue_link);
    list_init(&tcp->alarms.timer.link);
    tcp->fastopen_listener = NULL; /* what is pending counts no more */
    tcp->fastopen_count = 0;
    tcp_md5_repair(stack, &tcp->md5_keys);
    if (tcp->congestion.model && pool_has(&stack->models, tcp->congestion.model))
        pool_mark(&stack->models, tcp->congestion.model);
    else
        tcp->congestion.model = NULL;
    if (tcp->fastopen_key && pool_has(&stack->fastopen_keys, tcp->fastopen_key))
        pool_mark(&stack->fastopen_keys, tcp->fastopen_key);
    else
        tcp->fastopen_key = NULL;
    if (tcp->verdict == TCP_UNREPAIRABLE)
        forget_content(stack, tcp);
    else
        hold_content(stack, tcp);
    if (tcp->binding.port)
        port_enter(stack, &tcp->binding);
    if (connected(tcp->state))
        tcp_enter(stack, tcp);
    else if (tcp->state == TCP_LISTEN)
        tcp_enter_listener(stack, tcp);
    if (tcp->listener)
        join_queue(tcp);
}

/* All timers that the connection's state asks for, whether or not they ran. */
static void restart_timers(struct stack *stack, struct tcp *tcp) {
    tcp_alarm_resume(stack, tcp);
    if (tcp_active_is_own(stack, tcp))
        tcp_alarm_look(stack, tcp, stack->now_ns + TCP_ACTIVE_IDLE_NS);
    if (tcp->state == TCP_TIME_WAIT || (tcp->state == TCP_FIN_WAIT2 && !tcp->socket)) {
        if (!tcp_alarm_is_set(tcp, TCP_ALARM_STATE))
            tcp_alarm_set(stack, tcp, TCP_ALARM_STATE, stack->now_ns + TCP_TIME_WAIT_NS);
        tcp_want_output(stack, tcp);
        return;
    }
    if (!tcp_alarm_is_set(tcp, TCP_ALARM_RETRANSMIT) && tcp->snd_nxt != tcp->snd_una)
        tcp_arm_retransmit(stack, tcp);
    if (!tcp_alarm_is_set(tcp, TCP_ALARM_STATE))
        tcp_arm_keepalive(stack, tcp);
    if (tcp->rcv_nxt != tcp->last_ack_sent)
        tcp_want_ack(stack, tcp);
    tcp_want_output(stack, tcp);
}

/* Records what a mended connection has in flight, and takes it for lost. False: there is no memory, or it
 * can't be. */
static bool record_flight(struct stack *stack, struct tcp *tcp) {
    uint32_t end = tcp->snd_nxt, longest = max_u32(UINT16_MAX / tcp->mss, 1) * tcp->mss;
    if (tcp_is_opening(tcp) || tcp->state == TCP_TIME_WAIT || end == tcp->snd_una)
        return true;
    if (!tcp_active_take(stack, tcp))
        return false;
    struct byte_cursor place = {NULL, 0};
    for (tcp->snd_nxt = tcp->snd_una; tcp->snd_nxt != end;) {
        uint32_t offset = tcp->snd_nxt - tcp->snd_una, left = end - tcp->snd_nxt;
        uint32_t length = min_u32(min_u32(tcp->send.length - offset, left), longest);
        if (length > 0)
            place = byte_queue_at(&tcp->send, offset);
        bool fin = offset + length == tcp->send.length && left > length;
        struct tcp_rtx *sent = tcp_rtx_add(stack, tcp, length, tcp->mss, fin, place);
        if (!sent || tcp_rtx_span(sent) == 0)
            return false;
        tcp->snd_nxt += tcp_rtx_span(sent);
        if (length > 0)
            tcp->active->send_next = byte_cursor_after(place, length);
    }
    tcp_recovery_timeout(stack, tcp);
    tcp_arm_retransmit(stack, tcp);
    return true;
}

void tcp_repair_resume(void *object, void *context) {
    struct stack *stack = context;
    struct tcp *tcp = object;
    enum tcp_verdict verdict = tcp->verdict;
    tcp->verdict = TCP_INTACT;
    if (verdict != TCP_UNREPAIRABLE && connected(tcp->state))
        restart_timers(stack, tcp);
    if (verdict == TCP_INTACT || (verdict == TCP_REBUILT && record_flight(stack, tcp)))
        return;
    if (!connected(tcp->state) && !tcp->iss)
        return; /* never connected: nothing to lose */
    if (connected(tcp->state) && tcp->state != TCP_SYN_SENT && tcp->state != TCP_TIME_WAIT)
        tcp_send_reset(stack, tcp);
    tcp_end(stack, tcp, ECONNRESET);
}
