/*
 * tcp_active.c - see tcp_active.h.
 */
#include "stack/tcp/tcp_active.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include <string.h>

void tcp_flight_init(struct tcp_flight *flight) {
    *flight = (struct tcp_flight){0};
    list_init(&flight->sent);
    list_init(&flight->marks);
    list_init(&flight->memory_link);
    tcp_held_init(&flight->out_of_order);
}

/* Both are made of zeroed memory and copies of it: what lies between the members is equal, too. */
bool tcp_flight_is_blank(const struct tcp_flight *flight) {
    struct tcp_flight copy = *flight, blank = {0};
    copy.sent = copy.marks = copy.memory_link = copy.out_of_order.list = blank.sent;
    return list_empty(&flight->sent) && list_empty(&flight->marks) && list_empty(&flight->memory_link) &&
           list_empty(&flight->out_of_order.list) &&
           memcmp(&copy, &blank, sizeof copy) == 0; /* NOLINT(bugprone-suspicious-memory-comparison) */
}

bool tcp_flight_is_own(const struct stack *stack, const struct tcp *tcp) {
    return tcp->flight != &stack->resting;
}

bool tcp_flight_take(struct stack *stack, struct tcp *tcp) {
    if (tcp_flight_is_own(stack, tcp))
        return true;
    struct tcp_flight *flight = pool_take(&stack->flights);
    if (!flight)
        return false;
    tcp_flight_init(flight);
    flight->owner = tcp;
    flight->usage_end = flight->small_end = flight->recovery.recover = tcp->snd_una;
    tcp->flight = flight;
    tcp_tuning_resume(stack, tcp);
    tcp_alarm_look(stack, tcp, stack->now_ns + TCP_FLIGHT_IDLE_NS);
    return true;
}

void tcp_flight_return(struct stack *stack, struct tcp *tcp) {
    struct tcp_flight *flight = tcp->flight;
    if (!tcp_flight_is_own(stack, tcp))
        return;
    tcp->flight = &stack->resting;
    list_remove(&flight->memory_link);
    pool_return(&stack->flights, flight);
}

static bool busy(const struct tcp *tcp) {
    const struct tcp_flight *flight = tcp->flight;
    return tcp_is_opening(tcp) || tcp->snd_una != tcp->snd_nxt || tcp->send.length > 0 ||
           flight->scoreboard.count > 0 || flight->out_of_order.count > 0 ||
           flight->recovery.state != TCP_OPEN;
}

uint64_t tcp_flight_rest(struct stack *stack, struct tcp *tcp) {
    uint64_t idle_at_ns = max_u64(tcp->last_sent_ns, tcp->last_received_ns) + TCP_FLIGHT_IDLE_NS;
    if (!tcp_flight_is_own(stack, tcp) || tcp_congestion_models(&tcp->congestion))
        return TIMER_NEVER;
    if (busy(tcp) || stack->now_ns < idle_at_ns)
        return max_u64(idle_at_ns, stack->now_ns + TCP_FLIGHT_IDLE_NS / 2);
    tcp_flight_return(stack, tcp);
    return TIMER_NEVER;
}
