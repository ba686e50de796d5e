/* SPDX-License-Identifier: MIT */
/*
 * tcp_alarm.c - see tcp_alarm.h.
 */
#include "stack/tcp/tcp_alarm.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_timer.h"

void tcp_alarm_init(struct tcp_alarms *alarms) {
    timer_init(&alarms->timer, TIMER_TCP);
}

void tcp_alarm_look(struct stack *stack, struct tcp *tcp, uint64_t deadline_ns) {
    struct timer *timer = &tcp->alarms.timer;
    if (!timer_running(timer) || deadline_ns < timer_deadline_ns(timer))
        timer_start(&stack->timers, timer, deadline_ns);
}

void tcp_alarm_set(struct stack *stack, struct tcp *tcp, enum tcp_alarm alarm, uint64_t deadline_ns) {
    tcp->alarms.due_ns[alarm] = deadline_ns ? deadline_ns : 1;
    tcp_alarm_look(stack, tcp, deadline_ns);
}

void tcp_alarm_stop(struct tcp *tcp, enum tcp_alarm alarm) {
    tcp->alarms.due_ns[alarm] = 0;
}

bool tcp_alarm_is_set(const struct tcp *tcp, enum tcp_alarm alarm) {
    return tcp->alarms.due_ns[alarm] != 0;
}

void tcp_alarm_stop_all(struct stack *stack, struct tcp *tcp) {
    memset(tcp->alarms.due_ns, 0, sizeof tcp->alarms.due_ns);
    timer_stop(&stack->timers, &tcp->alarms.timer);
}

/* The alarm that is due first; TCP_ALARMS: none is set. */
static enum tcp_alarm soonest(const struct tcp_alarms *alarms) {
    enum tcp_alarm first = TCP_ALARMS;
    for (enum tcp_alarm alarm = 0; alarm < TCP_ALARMS; alarm++)
        if (alarms->due_ns[alarm] && (first == TCP_ALARMS || alarms->due_ns[alarm] < alarms->due_ns[first]))
            first = alarm;
    return first;
}

void tcp_alarm_resume(struct stack *stack, struct tcp *tcp) {
    enum tcp_alarm next = soonest(&tcp->alarms);
    if (next < TCP_ALARMS)
        timer_start(&stack->timers, &tcp->alarms.timer, tcp->alarms.due_ns[next]);
}

void tcp_alarm_timer(struct stack *stack, struct tcp *tcp) {
    enum tcp_alarm alarm = soonest(&tcp->alarms);
    tcp_work_on(stack, tcp);
    if (alarm == TCP_ALARMS || !timer_is_due(tcp->alarms.due_ns[alarm], stack->now_ns)) {
        uint64_t look_ns = tcp_active_rest(stack, tcp);
        tcp_alarm_resume(stack, tcp);
        if (look_ns != TIMER_NEVER)
            tcp_alarm_look(stack, tcp, look_ns);
        return;
    }
    tcp_alarm_stop(tcp, alarm);
    tcp_alarm_resume(stack, tcp);
    switch (alarm) {
    case TCP_ALARM_RETRANSMIT:
        tcp_retransmit_timer(stack, tcp);
        break;
    case TCP_ALARM_ACK:
        tcp_ack_timeout(stack, tcp);
        break;
    case TCP_ALARM_PACING:
        tcp_output(stack, tcp);
        break;
    case TCP_ALARM_STATE:
        tcp_state_timer(stack, tcp);
        break;
    case TCP_ALARMS:
        break;
    }
}
