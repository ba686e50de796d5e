/* SPDX-License-Identifier: MIT */
/*
 * tcp_close.c - how connections end (RFC 9293 section 3.6): the four-way close, half close, simultaneous
 * close, resets, TIME_WAIT.
 */
#include "stack/tcp/tcp_close.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_reassembly.h"

void tcp_shutdown_send(struct stack *stack, struct tcp *tcp) {
    switch (tcp->state) {
    case TCP_SYN_RECV:
    case TCP_ESTABLISHED:
        tcp_set_state(stack, tcp, TCP_FIN_WAIT1);
        break;
    case TCP_CLOSE_WAIT:
        tcp_set_state(stack, tcp, TCP_LAST_ACK);
        break;
    default:
        return;
    }
    tcp->fin_queued = true;
    tcp->more = false;
    tcp_output(stack, tcp);
}

/* An orphan's FIN is acknowledged: the peer's may never come. */
static void wait_for_fin(struct stack *stack, struct tcp *tcp) {
    uint64_t seconds = tcp->options.linger2 > 0   ? (uint64_t)tcp->options.linger2
                       : tcp->options.linger2 < 0 ? 0
                                                  : stack->sysctl.tcp_fin_timeout;
    tcp_metrics_save(stack, tcp);
    tcp_alarm_set(stack, tcp, TCP_ALARM_STATE, stack->now_ns + seconds * UINT64_C(1000000000));
}

static void abort_connection(struct stack *stack, struct tcp *tcp) {
    tcp_send_reset(stack, tcp);
    tcp_destroy(stack, tcp);
}

/* What close(2) does with a connection, as Linux's tcp_close: unread data, or SO_LINGER with no time, resets
 * it. */
void tcp_close(struct stack *stack, struct tcp *tcp) {
    const struct socket_options *options = &tcp->socket->options;
    bool unread = tcp->receive.length > 0;
    bool abandon = options->linger && options->linger_seconds == 0;
    switch (tcp->state) {
    case TCP_CLOSE:
    case TCP_LISTEN:
    case TCP_SYN_SENT:
        tcp->socket = NULL;
        tcp_destroy(stack, tcp);
        return;
    case TCP_TIME_WAIT:
        tcp->socket = NULL;
        byte_queue_drop(&tcp->receive, &stack->buffers, tcp->receive.length);
        tcp_want_output(stack, tcp); /* which makes it compact */
        return;
    default:
        break;
    }
    if (unread)
        stack->mib.TcpExtTCPAbortOnClose++;
    else if (abandon)
        stack->mib.TcpExtTCPAbortOnData++;
    if (unread || abandon) {
        tcp->socket = NULL;
        abort_connection(stack, tcp);
        return;
    }
    if (stack->orphan_count >= stack->sysctl.tcp_max_orphans) {
        stack->mib.TcpExtTCPAbortOnMemory++;
        tcp->socket = NULL;
        abort_connection(stack, tcp);
        return;
    }
    tcp_shutdown_send(stack, tcp);
    tcp->socket = NULL; /* an orphan from here on */
    tcp_set_orphan(stack, tcp, tcp->state != TCP_TIME_WAIT);
    tcp_alarm_stop(tcp, TCP_ALARM_STATE);
    if (tcp->state == TCP_FIN_WAIT2)
        wait_for_fin(stack, tcp);
}

void tcp_enter_time_wait(struct stack *stack, struct tcp *tcp) {
    if (tcp->state != TCP_FIN_WAIT2 || tcp->socket) /* else it has been saved: wait_for_fin */
        tcp_metrics_save(stack, tcp);
    tcp_set_orphan(stack, tcp, false);
    tcp_set_state(stack, tcp, TCP_TIME_WAIT);
    tcp_alarm_stop(tcp, TCP_ALARM_RETRANSMIT);
    tcp_write_mark_purge(stack, tcp);
    tcp_rtx_purge(stack, tcp);
    byte_queue_drop(&tcp->send, &stack->buffers, tcp->send.length);
    tcp_reassembly_purge(stack, tcp);
    stack->mib.TcpExtTW++;
    /* With too many of them it lasts no longer than it takes to answer; not ended here, where it is in use.
     */
    bool full = stack->time_wait_count > stack->sysctl.tcp_max_tw_buckets;
    stack->mib.TcpExtTCPTimeWaitOverflow += full;
    tcp_alarm_set(stack, tcp, TCP_ALARM_STATE, stack->now_ns + (full ? 0 : TCP_TIME_WAIT_NS));
    tcp_want_output(stack, tcp); /* which makes it compact, if it is nobody's */
}

/* The peer acknowledged our FIN, and the connection goes on: in LAST_ACK it would have ended. */
void tcp_fin_acknowledged(struct stack *stack, struct tcp *tcp) {
    switch (tcp->state) {
    case TCP_FIN_WAIT1:
        tcp_set_state(stack, tcp, TCP_FIN_WAIT2);
        tcp_alarm_stop(tcp, TCP_ALARM_RETRANSMIT);
        if (!tcp->socket)
            wait_for_fin(stack, tcp);
        socket_event(stack, tcp->socket);
        break;
    case TCP_CLOSING:
        tcp_enter_time_wait(stack, tcp);
        socket_event(stack, tcp->socket);
        break;
    default:
        break;
    }
}

/* The peer's FIN came into its turn. */
void tcp_input_fin(struct stack *stack, struct tcp *tcp) {
    tcp->rcv_nxt++;
    tcp->fin_received = true;
    tcp_want_ack(stack, tcp);
    switch (tcp->state) {
    case TCP_SYN_RECV:
    case TCP_ESTABLISHED:
        tcp_set_state(stack, tcp, TCP_CLOSE_WAIT);
        break;
    case TCP_FIN_WAIT1:
        tcp_set_state(stack, tcp,
                      TCP_CLOSING); /* our FIN is not acknowledged yet, or the state had changed */
        break;
    case TCP_FIN_WAIT2:
        tcp_enter_time_wait(stack, tcp); /* before it is acknowledged: see tcp_repair.h */
        tcp_send_ack(stack, tcp);
        break;
    default:
        break;
    }
    if (tcp->socket)
        tcp->socket->read_shutdown = true;
    socket_event(stack, tcp->socket);
}
