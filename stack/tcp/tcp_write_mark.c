/* SPDX-License-Identifier: MIT */
/*
 * tcp_write_mark.c - see tcp_write_mark.h.
 */
#include "stack/tcp/tcp_write_mark.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

static struct tcp_write_mark *mark_of(struct list *link) {
    return container_of(link, struct tcp_write_mark, link);
}

static uint8_t kind_of(const struct socket *socket, int flags, uint32_t stamps) {
    return (uint8_t)((flags & MSG_EOR ? TCP_WRITE_MARK_RECORD : 0) |
                     (flags & MSG_ZEROCOPY && socket->options.zerocopy ? TCP_WRITE_MARK_ZEROCOPY : 0) |
                     (stamps & SOF_TIMESTAMPING_TX_SCHED ? TCP_WRITE_MARK_QUEUED : 0) |
                     (stamps & SOF_TIMESTAMPING_TX_SOFTWARE ? TCP_WRITE_MARK_SENT : 0) |
                     (stamps & SOF_TIMESTAMPING_TX_ACK ? TCP_WRITE_MARK_ACKNOWLEDGED : 0));
}

void tcp_write_mark_write(struct stack *stack, struct tcp *tcp, int flags, uint32_t stamps) {
    struct socket *socket = tcp->socket;
    uint8_t kind = kind_of(socket, flags, stamps);
    if (!kind || tcp->active->mark_count >= TCP_WRITE_MARKS_MAX)
        return;
    struct tcp_write_mark *mark = pool_take_zeroed(&stack->marks);
    if (!mark)
        return;
    list_init(&mark->link);
    mark->kind = kind;
    mark->sequence = tcp_send_end(tcp);
    mark->key = mark->sequence - 1 - socket->stamp_base;
    if (kind & TCP_WRITE_MARK_ZEROCOPY)
        mark->id = socket->zerocopy_next++;
    list_add_tail(&tcp->active->marks, &mark->link);
    tcp->active->mark_count++;
}

uint32_t tcp_write_mark_cut(const struct tcp *tcp, uint32_t sequence, uint32_t length) {
    struct list *link, *next;
    list_for_each(link, next, &tcp->active->marks) {
        const struct tcp_write_mark *mark = mark_of(link);
        if (seq_ge(mark->sequence, sequence + length))
            break;
        if (mark->kind & TCP_WRITE_MARK_RECORD && seq_gt(mark->sequence, sequence))
            return mark->sequence - sequence;
    }
    return length;
}

/* Joins what is told to what was told before, if the program has not read that yet. */
static void tell_copied(struct stack *stack, struct socket *socket, uint32_t id) {
    struct datagram *last = datagram_last_error(socket);
    if (last && last->error.origin == SO_EE_ORIGIN_ZEROCOPY && last->error.data + 1 == id) {
        last->error.data = id;
        socket_event(stack, socket);
        return;
    }
    struct icmp_error told = {
        .origin = SO_EE_ORIGIN_ZEROCOPY, .code = SO_EE_CODE_ZEROCOPY_COPIED, .info = id, .data = id};
    datagram_tell(stack, socket, &told, NULL);
}

/* To whoever still has the connection's socket, if the mark is of that kind. */
static void tell_time(struct stack *stack, const struct tcp *tcp, const struct tcp_write_mark *mark,
                      enum tcp_write_mark_kind kind, uint32_t what) {
    struct socket *socket = tcp->socket;
    if (!socket || !(mark->kind & kind))
        return;
    struct icmp_error told = {.error = ENOMSG,
                              .origin = SO_EE_ORIGIN_TIMESTAMPING,
                              .info = what,
                              .offender = tcp->binding.address,
                              .receiver = tcp->remote_address};
    if (socket->options.timestamping & SOF_TIMESTAMPING_OPT_ID)
        told.data = mark->key;
    datagram_tell(stack, socket, &told, NULL);
}

void tcp_write_mark_sent(struct stack *stack, struct tcp *tcp) {
    struct list *link, *next;
    list_for_each(link, next, &tcp->active->marks) {
        struct tcp_write_mark *mark = mark_of(link);
        if (seq_gt(mark->sequence, tcp->snd_nxt))
            break;
        if (mark->sent)
            continue;
        mark->sent = true;
        tell_time(stack, tcp, mark, TCP_WRITE_MARK_QUEUED, SCM_TSTAMP_SCHED);
        tell_time(stack, tcp, mark, TCP_WRITE_MARK_SENT, SCM_TSTAMP_SND);
    }
}

static void return_mark(struct stack *stack, struct tcp *tcp, struct tcp_write_mark *mark) {
    if (tcp->socket && mark->kind & TCP_WRITE_MARK_ZEROCOPY)
        tell_copied(stack, tcp->socket, mark->id);
    list_remove(&mark->link);
    pool_return(&stack->marks, mark);
    tcp->active->mark_count--;
}

void tcp_write_mark_acknowledged(struct stack *stack, struct tcp *tcp) {
    struct list *link;
    while ((link = list_first(&tcp->active->marks)) && seq_le(mark_of(link)->sequence, tcp->snd_una)) {
        struct tcp_write_mark *mark = mark_of(link);
        tell_time(stack, tcp, mark, TCP_WRITE_MARK_ACKNOWLEDGED, SCM_TSTAMP_ACK);
        return_mark(stack, tcp, mark);
    }
}

void tcp_write_mark_purge(struct stack *stack, struct tcp *tcp) {
    struct list *link;
    while ((link = list_first(&tcp->active->marks)))
        return_mark(stack, tcp, mark_of(link));
}
