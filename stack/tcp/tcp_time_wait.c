/* SPDX-License-Identifier: MIT */
/*
 * tcp_time_wait.c - see tcp_time_wait.h.
 */
#include "stack/tcp/tcp_time_wait.h"
#include "stack/stack.h"

bool tcp_all_waiting(const struct stack *stack) {
    return stack->connections.used == stack->time_wait_count;
}

struct save {
    struct tcp_waiting *waiting;
    uint32_t count, room;
};

static void save_one(void *object, void *context) {
    const struct tcp *tcp = object;
    struct save *save = context;
    if (tcp->state != TCP_TIME_WAIT || save->count == save->room)
        return;
    save->waiting[save->count++] = (struct tcp_waiting){
        .ends_ns = tcp->alarms.due_ns[TCP_ALARM_STATE],
        .timestamp_recent_ns = tcp->timestamp_recent_ns,
        .local = tcp->binding.address,
        .remote = tcp->remote_address,
        .snd_nxt = tcp->snd_nxt,
        .rcv_nxt = tcp->rcv_nxt,
        .rcv_adv = tcp->rcv_adv,
        .timestamp_offset = tcp->timestamp_offset,
        .timestamp_recent = tcp->timestamp_recent,
        .local_port = tcp->binding.port,
        .remote_port = tcp->remote_port,
        .mss = tcp->mss,
        .snd_scale = tcp->snd_scale,
        .rcv_scale = tcp->rcv_scale,
        .ttl = ip_is_v4(tcp->remote_address) ? tcp->options.ttl : tcp->options.hop_limit,
        .tos = ip_is_v4(tcp->remote_address) ? tcp->options.tos : tcp->options.traffic_class,
        .timestamps = tcp->timestamps,
        .sack_permitted = tcp->sack_permitted,
        .scaling = tcp->scaling,
        .reuse_address = tcp->binding.reuse_address,
        .reuse_port = tcp->binding.reuse_port,
    };
}

uint32_t tcp_waiting_save(struct stack *stack, struct tcp_waiting *waiting, uint32_t room) {
    struct save save = {waiting, 0, room};
    pool_walk(&stack->connections, save_one, &save);
    return save.count;
}

/* Whether an address may have been ours: of IPv6 those that are only being checked, or made of what a router
 * has yet to say, are not known. */
static bool may_be_ours(const struct stack *stack, struct ip_address address) {
    if (ip_is_loopback(address))
        return false;
    return ip_is_v4(address) ? ip_is_local(stack, address) : stack->ip6.on;
}

bool tcp_waiting_resume(struct stack *stack, const struct tcp_waiting *waiting) {
    uint64_t now_ns = stack->now_ns;
    bool lasts = waiting->ends_ns > now_ns && waiting->ends_ns <= now_ns + TCP_TIME_WAIT_NS;
    if (!lasts || !may_be_ours(stack, waiting->local) || !waiting->local_port ||
        tcp_lookup(stack, waiting->local, waiting->local_port, waiting->remote, waiting->remote_port))
        return false;
    struct tcp *tcp = tcp_create(stack);
    if (!tcp)
        return false;
    tcp_work_on(stack, tcp);
    tcp->binding.address = waiting->local;
    tcp->binding.port = waiting->local_port;
    tcp->binding.reuse_address = waiting->reuse_address;
    tcp->binding.reuse_port = waiting->reuse_port;
    tcp->remote_address = waiting->remote;
    tcp->remote_port = waiting->remote_port;
    tcp->snd_una = tcp->snd_nxt = waiting->snd_nxt;
    tcp->iss = waiting->snd_nxt - 1;
    tcp->rcv_nxt = tcp->last_ack_sent = waiting->rcv_nxt;
    tcp->rcv_adv = waiting->rcv_adv;
    tcp->irs = waiting->rcv_nxt - 1;
    tcp->mss = waiting->mss ? waiting->mss : TCP_MSS_DEFAULT;
    tcp->snd_scale = waiting->snd_scale & 15;
    tcp->rcv_scale = waiting->rcv_scale & 15;
    tcp->options.ttl = tcp->options.hop_limit = waiting->ttl;
    tcp->options.tos = tcp->options.traffic_class = waiting->tos;
    tcp->timestamps = waiting->timestamps;
    tcp->sack_permitted = waiting->sack_permitted;
    tcp->scaling = waiting->scaling;
    tcp->timestamp_offset = waiting->timestamp_offset;
    tcp->timestamp_recent = waiting->timestamp_recent;
    tcp->timestamp_recent_ns = waiting->timestamp_recent_ns;
    tcp->fin_queued = tcp->fin_received = true;
    port_enter(stack, &tcp->binding);
    tcp_enter(stack, tcp);
    tcp_set_state(stack, tcp, TCP_TIME_WAIT);
    tcp_alarm_set(stack, tcp, TCP_ALARM_STATE, waiting->ends_ns);
    return true;
}
