/* SPDX-License-Identifier: MIT */
/*
 * tcp_alarm.h - what a connection waits for: several deadlines, and one timer of the wheel for them all.
 *
 * To set or to stop an alarm mostly writes a number: the timer is moved only when it must fire sooner than it
 * would, and when it fires for an alarm that was stopped or put off meanwhile, it is started again for the
 * next. When none is due, that is the time to see whether the connection is idle (tcp_active.h). So an
 * acknowledgment that puts off the retransmission touches no list, and no other connection's memory.
 */
#ifndef STACK_TCP_TCP_ALARM_H
#define STACK_TCP_TCP_ALARM_H

#include "stack/base/timer.h"

struct stack;
struct tcp;

enum tcp_alarm {
    TCP_ALARM_RETRANSMIT, /* SYN, data or FIN unacknowledged; or persist, when the window is zero */
    TCP_ALARM_ACK,        /* delayed acknowledgment */
    TCP_ALARM_PACING,     /* the next segment's time has not come */
    TCP_ALARM_STATE,      /* keepalive; FIN_WAIT_2 of an orphan; TIME_WAIT */
    TCP_ALARMS,
};

struct tcp_alarms {
    struct timer timer;
    uint64_t due_ns[TCP_ALARMS]; /* 0: not set */
};

void tcp_alarm_init(struct tcp_alarms *alarms);

/* Sets an alarm, or moves one that is set. It goes off as a timer does: see timer.h. */
void tcp_alarm_set(struct stack *stack, struct tcp *tcp, enum tcp_alarm alarm, uint64_t deadline_ns);
void tcp_alarm_stop(struct tcp *tcp, enum tcp_alarm alarm);
bool tcp_alarm_is_set(const struct tcp *tcp, enum tcp_alarm alarm);

/* None of them goes off any more. */
void tcp_alarm_stop_all(struct stack *stack, struct tcp *tcp);

/* Starts the timer for those that are set: it is in no list (repair.h). */
void tcp_alarm_resume(struct stack *stack, struct tcp *tcp);

/* Has the timer fire at that time at the latest. */
void tcp_alarm_look(struct stack *stack, struct tcp *tcp, uint64_t deadline_ns);

/* The timer has fired. Does what one alarm is for, after which the connection may be gone. */
void tcp_alarm_timer(struct stack *stack, struct tcp *tcp);

#endif
