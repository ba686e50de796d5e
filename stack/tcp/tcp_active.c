/* SPDX-License-Identifier: MIT */
/*
 * tcp_active.c - see tcp_active.h.
 */
#include "stack/tcp/tcp_active.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include <string.h>

void tcp_active_init(struct tcp_active *active) {
    *active = (struct tcp_active){0};
    list_init(&active->sent);
    list_init(&active->marks);
    list_init(&active->memory_link);
    tcp_out_of_order_init(&active->out_of_order);
}

/* Both are made of zeroed memory and copies of it: what lies between the members is equal, too. */
bool tcp_active_is_blank(const struct tcp_active *active) {
    struct tcp_active copy = *active, blank = {0};
    copy.sent = copy.marks = copy.memory_link = copy.out_of_order.list = blank.sent;
    return list_empty(&active->sent) && list_empty(&active->marks) && list_empty(&active->memory_link) &&
           list_empty(&active->out_of_order.list) &&
           memcmp(&copy, &blank, sizeof copy) == 0; /* NOLINT(bugprone-suspicious-memory-comparison) */
}

bool tcp_active_is_own(const struct stack *stack, const struct tcp *tcp) {
    return tcp->active != &stack->idle_active;
}

bool tcp_active_take(struct stack *stack, struct tcp *tcp) {
    if (tcp_active_is_own(stack, tcp))
        return true;
    struct tcp_active *active = pool_take(&stack->actives);
    if (!active)
        return false;
    tcp_active_init(active);
    active->owner = tcp;
    active->usage_end = active->small_end = active->recovery.recover = tcp->snd_una;
    tcp->active = active;
    tcp_tuning_resume(stack, tcp);
    tcp_alarm_look(stack, tcp, stack->now_ns + TCP_ACTIVE_IDLE_NS);
    return true;
}

void tcp_active_return(struct stack *stack, struct tcp *tcp) {
    struct tcp_active *active = tcp->active;
    if (!tcp_active_is_own(stack, tcp))
        return;
    tcp->active = &stack->idle_active;
    list_remove(&active->memory_link);
    pool_return(&stack->actives, active);
}

static bool busy(const struct tcp *tcp) {
    const struct tcp_active *active = tcp->active;
    return tcp_is_opening(tcp) || tcp->snd_una != tcp->snd_nxt || tcp->send.length > 0 ||
           active->scoreboard.count > 0 || active->out_of_order.count > 0 ||
           active->recovery.state != TCP_OPEN;
}

uint64_t tcp_active_rest(struct stack *stack, struct tcp *tcp) {
    uint64_t idle_at_ns = max_u64(tcp->last_sent_ns, tcp->last_received_ns) + TCP_ACTIVE_IDLE_NS;
    if (!tcp_active_is_own(stack, tcp) || tcp_congestion_models(&tcp->congestion))
        return TIMER_NEVER;
    if (busy(tcp) || stack->now_ns < idle_at_ns)
        return max_u64(idle_at_ns, stack->now_ns + TCP_ACTIVE_IDLE_NS / 2);
    tcp_active_return(stack, tcp);
    return TIMER_NEVER;
}
