/* SPDX-License-Identifier: MIT */
/*
 * tcp_time_wait.c - see tcp_time_wait.h.
 */
#include "stack/tcp/tcp_time_wait.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"
#include <string.h>

_Static_assert(sizeof(struct tcp_time_wait) <= 160,
               "no larger than Linux's, and no more than five steps of a pool");

/* What is left of a connection. */
static struct tcp_time_wait essence_of(const struct tcp *tcp) {
    bool v4 = ip_is_v4(tcp->remote_address);
    return (struct tcp_time_wait){
        .binding = tcp->binding,
        .remote_address = tcp->remote_address,
        .md5_keys = tcp->md5_keys,
        .timestamp_recent_ns = tcp->timestamp_recent_ns,
        .refused_ns = tcp->active->refused_ns,
        .snd_nxt = tcp->snd_nxt,
        .rcv_nxt = tcp->rcv_nxt,
        .rcv_adv = tcp->rcv_adv,
        .snd_wnd_largest = tcp->snd_wnd_largest,
        .timestamp_offset = tcp->timestamp_offset,
        .timestamp_recent = tcp->timestamp_recent,
        .remote_port = tcp->remote_port,
        .mss = tcp->mss,
        .flow = tcp->flow,
        .ip_identification = tcp->ip_identification,
        .snd_scale = tcp->snd_scale & 15,
        .rcv_scale = tcp->rcv_scale & 15,
        .ttl = v4 ? tcp->options.ttl : tcp->options.hop_limit,
        .tos = v4 ? tcp->options.tos : tcp->options.traffic_class,
        .min_ttl = v4 ? tcp->options.min_ttl : tcp->options.min_hop_limit,
        .timestamps = tcp->timestamps,
        .sack_permitted = tcp->sack_permitted,
        .scaling = tcp->scaling,
    };
}

/* The connection that it was, in no table. The window that was offered stays offered. */
static void restore(struct tcp *tcp, const struct tcp_time_wait *waiting) {
    tcp->binding = waiting->binding;
    tcp->binding.link = (struct hash_link){NULL, NULL};
    tcp->remote_address = waiting->remote_address;
    tcp->remote_port = waiting->remote_port;
    tcp->timestamp_recent_ns = waiting->timestamp_recent_ns;
    tcp->snd_una = tcp->snd_nxt = waiting->snd_nxt;
    tcp->iss = waiting->snd_nxt - 1;
    tcp->rcv_nxt = tcp->last_ack_sent = waiting->rcv_nxt;
    tcp->rcv_adv = waiting->rcv_adv;
    tcp->receive_window = waiting->rcv_adv - waiting->rcv_nxt;
    tcp->irs = waiting->rcv_nxt - 1;
    tcp->snd_wnd_largest = waiting->snd_wnd_largest;
    tcp->timestamp_offset = waiting->timestamp_offset;
    tcp->timestamp_recent = waiting->timestamp_recent;
    tcp->mss = waiting->mss;
    tcp->ack.segment = waiting->mss;
    tcp->flow = waiting->flow;
    tcp->ip_identification = waiting->ip_identification;
    tcp->snd_scale = waiting->snd_scale;
    tcp->rcv_scale = waiting->rcv_scale;
    tcp->options.ttl = tcp->options.hop_limit = waiting->ttl;
    tcp->options.tos = tcp->options.traffic_class = waiting->tos;
    tcp->options.min_ttl = tcp->options.min_hop_limit = waiting->min_ttl;
    tcp->timestamps = waiting->timestamps;
    tcp->sack_permitted = waiting->sack_permitted;
    tcp->scaling = waiting->scaling;
    tcp->fin_queued = tcp->fin_received = true;
    tcp->alarms.due_ns[TCP_ALARM_STATE] = timer_deadline_ns(&waiting->timer);
    tcp->state = TCP_TIME_WAIT;
}

static struct hash_link **bucket(struct stack *stack, const struct tcp_time_wait *waiting) {
    return tcp_time_wait_bucket(stack, waiting->binding.address, waiting->binding.port,
                                waiting->remote_address, waiting->remote_port);
}

/* Into the tables, and among the timers. */
static void enter(struct stack *stack, struct tcp_time_wait *waiting, uint64_t ends_ns) {
    hash_add(bucket(stack, waiting), &waiting->tuple_link);
    port_enter(stack, &waiting->binding);
    timer_start(&stack->timers, &waiting->timer, ends_ns);
}

/* Out of them. Without its port it is nothing any more. */
static void discard(struct stack *stack, struct tcp_time_wait *waiting) {
    hash_remove(&waiting->tuple_link);
    timer_stop(&stack->timers, &waiting->timer);
    port_release(stack, &waiting->binding);
    pool_return(&stack->time_waits, waiting);
}

/* Makes a compact one. False: there is no memory. */
static bool make(struct stack *stack, const struct tcp *tcp, uint64_t ends_ns) {
    struct tcp_time_wait *waiting = pool_take_zeroed(&stack->time_waits);
    if (!waiting)
        return false;
    struct tcp_time_wait essence = essence_of(tcp);
    essence.binding.link = (struct hash_link){NULL, NULL};
    essence.binding.port = 0;
    timer_init(&essence.timer, TIMER_TIME_WAIT);
    *waiting = essence;
    list_init(&waiting->timer.link);
    waiting->timer.due = timer_tick(ends_ns) & TIMER_TICK_MAX;
    atomic_signal_fence(memory_order_seq_cst);
    waiting->binding.port = tcp->binding.port;
    atomic_signal_fence(memory_order_seq_cst);
    enter(stack, waiting, ends_ns);
    return true;
}

void tcp_time_wait_settle(struct stack *stack, struct tcp *tcp) {
    if (tcp->ack_now)
        tcp_send_ack(stack, tcp);
    if (!make(stack, tcp, tcp->alarms.due_ns[TCP_ALARM_STATE]))
        return;
    tcp->state = TCP_CLOSE; /* it goes on elsewhere: nobody is told of an end */
    tcp->md5_keys = NULL;
    tcp_destroy(stack, tcp);
}

struct tcp_time_wait *tcp_time_wait_find(struct stack *stack, struct ip_address local, uint16_t local_port,
                                         struct ip_address remote, uint16_t remote_port) {
    if (stack->time_waits.used == 0)
        return NULL;
    struct hash_link *link = *tcp_time_wait_bucket(stack, local, local_port, remote, remote_port);
    for (; link; link = link->next) {
        struct tcp_time_wait *waiting = container_of(link, struct tcp_time_wait, tuple_link);
        if (waiting->binding.port == local_port && waiting->remote_port == remote_port &&
            ip_equal(waiting->remote_address, remote) && ip_equal(waiting->binding.address, local))
            return waiting;
    }
    return NULL;
}

struct tcp *tcp_time_wait_wake(struct stack *stack, struct tcp_time_wait *waiting) {
    struct tcp *tcp = tcp_create(stack);
    if (!tcp)
        return NULL;
    if (!tcp_active_take(stack, tcp)) {
        pool_return(&stack->connections, tcp);
        return NULL;
    }
    tcp->active->refused_ns = waiting->refused_ns;
    tcp->md5_keys = waiting->md5_keys;
    restore(tcp, waiting);
    atomic_signal_fence(memory_order_seq_cst);
    discard(stack, waiting);
    port_enter(stack, &tcp->binding);
    tcp_enter(stack, tcp);
    tcp_alarm_resume(stack, tcp);
    tcp_want_output(stack, tcp);
    return tcp;
}

bool tcp_time_wait_reusable(const struct stack *stack, const struct tcp_time_wait *waiting) {
    uint32_t mode = stack->sysctl.tcp_tw_reuse;
    bool loopback = ip_is_loopback(waiting->remote_address) ||
                    ip_equal(waiting->remote_address, waiting->binding.address);
    /* RFC 6191: with timestamps that go on, nothing old can be taken for new after a second. */
    return waiting->timestamps && (mode == 1 || (mode == 2 && loopback)) &&
           stack->now_ns - waiting->timestamp_recent_ns > UINT64_C(1000000000);
}

void tcp_time_wait_end(struct stack *stack, struct tcp_time_wait *waiting) {
    struct tcp shown = {.active = &stack->idle_active, .md5_keys = waiting->md5_keys};
    restore(&shown, waiting);
    tcp_set_state(stack, &shown, TCP_CLOSE);
    tcp_md5_purge(stack, &shown);
    discard(stack, waiting);
}

void tcp_time_wait_repair(void *object, void *context) {
    struct stack *stack = context;
    struct tcp_time_wait *waiting = object;
    const struct binding *binding = &waiting->binding;
    if (!binding->port ||
        tcp_lookup(stack, binding->address, binding->port, waiting->remote_address, waiting->remote_port))
        return; /* freed */
    pool_mark(&stack->time_waits, waiting);
    stack->time_wait_count++;
    tcp_md5_repair(stack, &waiting->md5_keys);
    waiting->tuple_link = waiting->binding.link = (struct hash_link){NULL, NULL};
    list_init(&waiting->timer.link);
    enter(stack, waiting, timer_deadline_ns(&waiting->timer));
}

struct walk {
    const struct stack *stack;
    void (*visit)(void *tcp, void *context);
    void (*look)(const void *tcp, void *context);
    void *context;
};

static void show_one(const void *object, void *context) {
    const struct walk *walk = context;
    struct tcp_time_wait waiting; /* that may be changed meanwhile */
    memcpy(&waiting, object, sizeof waiting);
    struct tcp tcp = {.active = (struct tcp_active *)&walk->stack->idle_active};
    restore(&tcp, &waiting);
    if (walk->visit)
        walk->visit(&tcp, walk->context);
    else
        walk->look(&tcp, walk->context);
}

static void visit_one(void *object, void *context) {
    show_one(object, context);
}

void tcp_walk(struct stack *stack, void (*visit)(void *tcp, void *context), void *context) {
    struct walk walk = {.stack = stack, .visit = visit, .context = context};
    pool_walk(&stack->connections, visit, context);
    pool_walk(&stack->time_waits, visit_one, &walk);
}

void tcp_look(const struct stack *stack, void (*visit)(const void *tcp, void *context), void *context) {
    struct walk walk = {.stack = stack, .look = visit, .context = context};
    pool_look(&stack->connections, visit, context);
    pool_look(&stack->time_waits, show_one, &walk);
}

bool tcp_all_waiting(const struct stack *stack) {
    return stack->connections.used + stack->time_waits.used == stack->time_wait_count;
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
    tcp_walk(stack, save_one, &save);
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
        tcp_lookup(stack, waiting->local, waiting->local_port, waiting->remote, waiting->remote_port) ||
        tcp_time_wait_find(stack, waiting->local, waiting->local_port, waiting->remote, waiting->remote_port))
        return false;
    struct tcp tcp = {
        .active = &stack->idle_active,
        .binding = {.address = waiting->local,
                    .port = waiting->local_port,
                    .protocol = IP_PROTOCOL_TCP,
                    .reuse_address = waiting->reuse_address,
                    .reuse_port = waiting->reuse_port},
        .remote_address = waiting->remote,
        .remote_port = waiting->remote_port,
        .snd_nxt = waiting->snd_nxt,
        .rcv_nxt = waiting->rcv_nxt,
        .rcv_adv = waiting->rcv_adv,
        .mss = waiting->mss ? waiting->mss : TCP_MSS_DEFAULT,
        .snd_scale = waiting->snd_scale,
        .rcv_scale = waiting->rcv_scale,
        .options = {.ttl = waiting->ttl,
                    .hop_limit = waiting->ttl,
                    .tos = waiting->tos,
                    .traffic_class = waiting->tos},
        .timestamps = waiting->timestamps,
        .sack_permitted = waiting->sack_permitted,
        .scaling = waiting->scaling,
        .timestamp_offset = waiting->timestamp_offset,
        .timestamp_recent = waiting->timestamp_recent,
        .timestamp_recent_ns = waiting->timestamp_recent_ns,
        .ip_identification = (uint16_t)random_u64(&stack->random),
    };
    if (!make(stack, &tcp, waiting->ends_ns))
        return false;
    stack->time_wait_count++;
    return true;
}
