/* SPDX-License-Identifier: MIT */
/*
 * tcp.c - connection blocks: their life, and where they are found.
 */
#include "stack/tcp/tcp.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp_handshake.h"
#include "stack/tcp/tcp_reassembly.h"
#include <errno.h>

struct tcp *tcp_create(struct stack *stack) {
    struct tcp *tcp = pool_take_zeroed(&stack->connections);
    if (!tcp)
        return NULL;
    list_init(&tcp->output_link);
    list_init(&tcp->queue_link);
    tcp->active = &stack->idle_active;
    tcp_alarm_init(&tcp->alarms);
    tcp->state = TCP_CLOSE;
    tcp->binding.protocol = IP_PROTOCOL_TCP;
    tcp->mss = TCP_MSS_DEFAULT;
    tcp->rtt.rto_ns = TCP_RTO_INITIAL_NS;
    tcp->options = (struct tcp_options){
        .keepalive_idle_s = stack->sysctl.tcp_keepalive_time,
        .keepalive_interval_s = stack->sysctl.tcp_keepalive_intvl,
        .keepalive_probes = (uint8_t)min_u32(stack->sysctl.tcp_keepalive_probes, UINT8_MAX),
        .ttl = (uint8_t)stack->sysctl.ip_default_ttl,
        .congestion = (uint8_t)stack->sysctl.tcp_congestion_control,
        .max_pacing_rate = TCP_PACING_NONE,
    };
    tcp->history.opened_ns = stack->now_ns;
    tcp->ip_identification = (uint16_t)random_u64(&stack->random);
    return tcp;
}

/* Takes a block out of everything that refers to it but its socket, or its listener's queue. */
static void tcp_detach(struct stack *stack, struct tcp *tcp) {
    tcp_alarm_stop_all(stack, tcp);
    list_remove(&tcp->output_link);
    hash_remove(&tcp->tuple_link);
    tcp_fastopen_settled(tcp);
    tcp_congestion_end(stack, tcp);
    tcp_write_mark_purge(stack, tcp);
    tcp_rtx_purge(stack, tcp);
    byte_queue_drop(&tcp->send, &stack->buffers, tcp->send.length);
    tcp_reassembly_purge(stack, tcp);
}

void tcp_destroy(struct stack *stack, struct tcp *tcp) {
    tcp_work_on(stack, tcp);
    tcp_leave_queue(tcp);
    tcp_set_orphan(stack, tcp, false);
    tcp_set_state(stack, tcp, TCP_CLOSE);
    tcp_detach(stack, tcp);
    tcp_md5_purge(stack, tcp);
    if (tcp->fastopen_key)
        pool_return(&stack->fastopen_keys, tcp->fastopen_key);
    byte_queue_drop(&tcp->receive, &stack->buffers, tcp->receive.length);
    port_release(stack, &tcp->binding);
    tcp_active_return(stack, tcp);
    pool_return(&stack->connections, tcp);
    stack_work_on(stack, NULL); /* the next connection may get the same place: see tcp_work_on */
}

void tcp_renew(struct stack *stack, struct tcp *tcp) {
    struct tcp *fresh = tcp_create(stack);
    if (!fresh)
        return; /* the old one will do: only its history and estimates are stale */
    fresh->options = tcp->options;
    fresh->socket = tcp->socket;
    fresh->fastopen_key = tcp->fastopen_key;
    fresh->md5_keys = tcp->md5_keys;
    tcp->fastopen_key = NULL;
    tcp->md5_keys = NULL;
    fresh->last_port = tcp->last_port;
    port_take_families_of(&fresh->binding, &tcp->binding);
    if (tcp->binding.address_chosen) {
        fresh->binding.address = tcp->binding.address;
        fresh->binding.address_chosen = true;
    }
    fresh->binding.reuse_address = tcp->binding.reuse_address;
    fresh->binding.reuse_port = tcp->binding.reuse_port;
    if (tcp->binding.chosen) {
        fresh->binding.address = tcp->binding.address;
        fresh->binding.port = tcp->binding.port;
        fresh->binding.chosen = true;
        port_enter(stack, &fresh->binding);
    }
    tcp->socket->tcp = fresh;
    tcp_destroy(stack, tcp);
}

static inline __attribute__((always_inline)) uint64_t tuple_hash(const struct stack *stack,
                                                                 struct ip_address local, uint16_t local_port,
                                                                 struct ip_address remote,
                                                                 uint16_t remote_port) {
    uint32_t tuple[] = {(uint32_t)local_port << 16 | remote_port,
                        local.words[3],
                        remote.words[3],
                        remote.words[2],
                        remote.words[1],
                        remote.words[0]};
    /* Of our own addresses, which nobody else chooses, the last four bytes will do; of IPv4's that is all
     * there is. */
    size_t length = ip_is_v4(remote) ? 3 * sizeof *tuple : sizeof tuple;
    return random_hash(&stack->random, tuple, length);
}

static inline __attribute__((always_inline)) struct hash_link **
tuple_bucket(struct stack *stack, struct ip_address local, uint16_t local_port, struct ip_address remote,
             uint16_t remote_port) {
    uint64_t hash = tuple_hash(stack, local, local_port, remote, remote_port);
    return &stack->tcp_table->by_tuple[hash % TCP_BUCKETS];
}

struct hash_link **tcp_time_wait_bucket(struct stack *stack, struct ip_address local, uint16_t local_port,
                                        struct ip_address remote, uint16_t remote_port) {
    uint64_t hash = tuple_hash(stack, local, local_port, remote, remote_port);
    return &stack->tcp_table->time_waits[hash % TCP_TIME_WAIT_BUCKETS];
}

void tcp_enter(struct stack *stack, struct tcp *tcp) {
    hash_add(
        tuple_bucket(stack, tcp->binding.address, tcp->binding.port, tcp->remote_address, tcp->remote_port),
        &tcp->tuple_link);
}

void tcp_enter_listener(struct stack *stack, struct tcp *tcp) {
    hash_add(&stack->tcp_table->listeners[tcp->binding.port % TCP_LISTEN_BUCKETS], &tcp->tuple_link);
}

struct tcp *tcp_lookup(struct stack *stack, struct ip_address local, uint16_t local_port,
                       struct ip_address remote, uint16_t remote_port) {
    struct hash_link *link = *tuple_bucket(stack, local, local_port, remote, remote_port);
    for (; link; link = link->next) {
        struct tcp *tcp = container_of(link, struct tcp, tuple_link);
        if (tcp->binding.port == local_port && tcp->remote_port == remote_port &&
            ip_equal(tcp->remote_address, remote) && ip_equal(tcp->binding.address, local))
            return tcp;
    }
    return NULL;
}

/* How well a listener fits. */
static int listener_fits(const struct hash_link *link, struct ip_address address, uint16_t port) {
    const struct tcp *tcp = container_of(link, struct tcp, tuple_link);
    return tcp->binding.port == port ? port_fits(&tcp->binding, address) : 0;
}

/* The first listener of those that fit best, and how many of them share the port. */
static struct tcp *find_listener(struct hash_link *chain, struct ip_address address, uint16_t port, int *best,
                                 uint32_t *count, struct tcp **steering) {
    struct tcp *first = NULL;
    for (struct hash_link *link = chain; link; link = link->next) {
        struct tcp *tcp = container_of(link, struct tcp, tuple_link);
        int fits = listener_fits(link, address, port);
        if (fits == 0 || fits < *best)
            continue;
        if (fits > *best) {
            first = tcp;
            *best = fits;
            *count = 0;
            *steering = NULL;
        }
        *count += tcp->binding.reuse_port;
        if (filter_has_steering(tcp->socket))
            *steering = tcp;
    }
    return first;
}

struct tcp *tcp_lookup_listener(struct stack *stack, struct ip_address local, uint16_t local_port,
                                struct ip_address remote, uint16_t remote_port, struct filter_view *view) {
    struct hash_link *chain = stack->tcp_table->listeners[local_port % TCP_LISTEN_BUCKETS];
    struct tcp *steering = NULL;
    uint32_t count = 0;
    int best = 0;
    struct tcp *first = find_listener(chain, local, local_port, &best, &count, &steering);
    if (count < 2)
        return first;
    uint32_t chosen = steering && view ? filter_steers(steering->socket, view) : count;
    if (chosen >= count)
        chosen = port_share(stack, remote, remote_port, count);
    for (struct hash_link *link = chain; link; link = link->next) { /* the youngest comes first */
        struct tcp *tcp = container_of(link, struct tcp, tuple_link);
        if (listener_fits(link, local, local_port) == best && tcp->binding.reuse_port && --count == chosen)
            return tcp;
    }
    return first;
}

void tcp_set_orphan(struct stack *stack, struct tcp *tcp, bool orphan) {
    stack->orphan_count += orphan && !tcp->orphan;
    stack->orphan_count -= !orphan && tcp->orphan;
    tcp->orphan = orphan;
}

void tcp_set_state(struct stack *stack, struct tcp *tcp, uint8_t state) {
    if (tcp->state == state)
        return;
    stack->time_wait_count += state == TCP_TIME_WAIT;
    stack->time_wait_count -= tcp->state == TCP_TIME_WAIT;
    if (state == TCP_ESTABLISHED)
        tcp->history.established_ns = stack->now_ns;
    trace_state(stack, tcp, tcp->state, state);
    tcp->state = state;
}

void tcp_end(struct stack *stack, struct tcp *tcp, int error) {
    struct socket *socket = tcp->socket;
    tcp_work_on(stack, tcp);
    if (!tcp->history.established_ns)
        tcp->history.failed = (uint16_t)error;
    tcp_set_state(stack, tcp, TCP_CLOSE);
    if (!socket && tcp->listener && tcp->in_accept_queue) {
        /* accept(2) gives it all the same, with what was received and the error. */
        tcp_detach(stack, tcp);
        tcp->final_error = error;
        return;
    }
    if (!socket) {
        tcp_destroy(stack, tcp);
        return;
    }
    tcp_detach(stack, tcp);
    tcp->fastopen &= (uint8_t)~TCP_FASTOPEN_DEFERRED; /* a write does not open it any more */
    if (!tcp->binding.chosen) {
        if (tcp->binding.port)
            tcp->last_port = tcp->binding.port;
        port_release(stack, &tcp->binding); /* bind(2) lasts as long as the socket */
    }
    if (error)
        socket->error = error;
    socket->read_shutdown = socket->write_shutdown = true;
    socket_event(stack, socket);
}

bool tcp_is_opening(const struct tcp *tcp) {
    return tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECV || tcp->fastopen & TCP_FASTOPEN_PENDING;
}

bool tcp_is_lone_syn(const struct tcp *tcp) {
    return tcp_is_opening(tcp) && tcp->snd_una == tcp->iss;
}

void tcp_want_output(struct stack *stack, struct tcp *tcp) {
    if (tcp->corked)
        list_remove(&tcp->output_link);
    tcp->corked = false;
    if (list_empty(&tcp->output_link))
        list_add_tail(&stack->output, &tcp->output_link);
}

void tcp_want_ack(struct stack *stack, struct tcp *tcp) {
    tcp->ack_now = true;
    tcp_want_output(stack, tcp);
}
