/* SPDX-License-Identifier: MIT */
/*
 * stack.c - see stack.h.
 */
#include "stack/stack.h"
#include "stack/base/wire.h"
#include "stack/link/ether.h"
#include "stack/tcp/tcp_model.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_time_wait.h"
#include <errno.h>

#define ADVANCE_ROUNDS_MAX \
    1024 /* packets to ourselves may beget packets; the rest waits for the next call \
          */

static bool address_valid(uint32_t address, uint8_t prefix_length) {
    uint8_t first = (uint8_t)(address >> 24);
    return first != 0 && first != 127 && first < 224 && prefix_length <= 32;
}

static bool config_valid(const struct stack_config *config) {
    bool valid = config->more_count <= IP4_MORE_MAX && !(config->mac[0] & 1) && config->mtu >= STACK_MTU_MIN;
    valid = valid && (config->address == 0 || address_valid(config->address, config->prefix_length));
    for (uint32_t i = 0; valid && i < config->more_count; i++)
        valid = address_valid(config->more[i].address, config->more[i].prefix_length);
    return valid;
}

int stack_create(struct stack *stack, void *memory, size_t bytes, size_t reserved_bytes,
                 const struct stack_config *config, const uint8_t seed[RANDOM_SEED_BYTES], uint64_t now_ns) {
    if (!config_valid(config))
        return -EINVAL;
    arena_init(&stack->arena, memory, bytes, reserved_bytes);
    stack->config = *config;
    stack->now_ns = now_ns;
    sysctl_init(&stack->sysctl);
    random_init(&stack->random, seed);
    uint64_t key[2] = {random_u64(&stack->random), random_u64(&stack->random)};
    static const uint8_t none[sizeof stack->isn_key];
    bool given = memcmp(config->key, none, sizeof none) != 0;
    memcpy(stack->isn_key, given ? (const void *)config->key : key, sizeof stack->isn_key);
    port_init(stack);
    timer_wheel_init(&stack->timers, now_ns);
    pool_init(&stack->buffers, &stack->arena, sizeof(struct buffer), UINT32_MAX);
    pool_init(&stack->sockets, &stack->arena, sizeof(struct socket), UINT32_MAX);
    pool_init(&stack->connections, &stack->arena, sizeof(struct tcp), UINT32_MAX);
    pool_init(&stack->time_waits, &stack->arena, sizeof(struct tcp_time_wait), UINT32_MAX);
    pool_init(&stack->out_of_order_segments, &stack->arena, sizeof(struct tcp_out_of_order), UINT32_MAX);
    pool_init(&stack->sent, &stack->arena, sizeof(struct tcp_rtx), UINT32_MAX);
    pool_init(&stack->marks, &stack->arena, sizeof(struct tcp_write_mark), UINT32_MAX);
    pool_init(&stack->fastopen_keys, &stack->arena, sizeof(struct tcp_fastopen_key), UINT32_MAX);
    pool_init(&stack->md5_keys, &stack->arena, sizeof(struct tcp_md5_key), UINT32_MAX);
    pool_init(&stack->corks, &stack->arena, sizeof(struct udp_cork), UINT32_MAX);
    pool_init(&stack->models, &stack->arena, sizeof(struct tcp_model), UINT32_MAX);
    pool_init(&stack->datagrams, &stack->arena, sizeof(struct datagram), UINT32_MAX);
    pool_init(&stack->datagram_states, &stack->arena, sizeof(struct datagram_state), UINT32_MAX);
    pool_init(&stack->filter_pool, &stack->arena, sizeof(struct socket_filters), UINT32_MAX);
    pool_init(&stack->actives, &stack->arena, sizeof(struct tcp_active), UINT32_MAX);
    memory_init(stack);
    tcp_active_init(&stack->idle_active);
    list_init(&stack->events);
    list_init(&stack->output);
    list_init(&stack->corked);
    list_init(&stack->raw_sockets);
    list_init(&stack->blocked);
    ip_path_init(stack);
    ip_reassembly_init(stack);
    ip_identification_init(stack);
    multicast_init(stack);
    stack->tcp_table = arena_take_fixed(&stack->arena, sizeof *stack->tcp_table);
    if (!stack->tcp_table)
        return -ENOMEM;
    neighbour_init(stack);
    ip6_init(stack);
    ip4_addresses_set(stack);
    if (!config->address)
        return 0;
    stack_set_routes(stack);
    if (config->gateway)
        ip_route_add(&stack->routes, 0, 0, config->gateway);
    arp_announce(stack);
    return 0;
}

void stack_set_routes(struct stack *stack) {
    const struct ip4_addresses *addresses = &stack->addresses4;
    stack->changes++;
    stack->routes.count = 0;
    for (uint32_t i = 0; i < addresses->count; i++)
        ip_route_add(&stack->routes, addresses->entries[i].address, addresses->entries[i].mask, 0);
}

static bool lost_address(const struct stack *stack, const struct binding *binding) {
    return ip_is_v4(binding->address) && !ip4_address_find(stack, ip_to_v4(binding->address)) &&
           !ip_is_loopback(binding->address);
}

static void end_connection(void *object, void *context) {
    struct stack *stack = context;
    struct tcp *tcp = object;
    if (tcp->state != TCP_CLOSE && tcp->state != TCP_LISTEN && lost_address(stack, &tcp->binding))
        tcp_end(stack, tcp, ENETDOWN);
}

static void end_time_wait(void *object, void *context) {
    struct stack *stack = context;
    struct tcp_time_wait *waiting = object;
    if (lost_address(stack, &waiting->binding))
        tcp_time_wait_end(stack, waiting);
}

void stack_set_address(struct stack *stack, uint32_t address, uint8_t prefix_length) {
    stack->config.address = address;
    stack->config.prefix_length = prefix_length;
    stack->config.gateway = 0;
    ip4_addresses_set(stack);
    stack_set_routes(stack);
    ip_path_forget(stack);
    tcp_metrics_forget(stack);
    pool_walk(&stack->connections, end_connection, stack);
    pool_walk(&stack->time_waits, end_time_wait, stack);
    if (address)
        arp_announce(stack);
}

void stack_input(struct stack *stack, uint64_t now_ns, struct buffer *frame, unsigned flags) {
    stack->now_ns = now_ns;
    trace_frame_in(stack, frame);
    ether_input(stack, frame,
                (flags & STACK_INPUT_CHECKSUM_PARTIAL ? IP_INPUT_CHECKSUM_PARTIAL : 0) |
                    (flags & STACK_INPUT_CHECKSUM_GOOD ? IP_INPUT_CHECKSUM_GOOD : 0));
}

int stack_loop_back(struct stack *stack, const struct frame *frame) {
    struct byte_queue queue = {0};
    struct iovec header = {(void *)(frame->header + FRAME_IP_AT), frame->header_length - FRAME_IP_AT};
    if (stack->loopback_count == STACK_LOOPBACK_MAX)
        return -ENOBUFS;
    if (byte_queue_append(&queue, &stack->buffers, &header, 1, 0, (uint32_t)header.iov_len) <
            header.iov_len ||
        !frame_append_payload(frame, &queue, &stack->buffers)) {
        buffer_drop_chain(&stack->buffers, queue.head);
        return -ENOBUFS;
    }
    stack->loopback[(stack->loopback_first + stack->loopback_count++) % STACK_LOOPBACK_MAX] = queue.head;
    stack->looped.in_frames = ++stack->looped.out_frames;
    stack->looped.in_bytes = stack->looped.out_bytes += ETHER_HEADER_BYTES + queue.length;
    return 0;
}

static void run_timer(struct stack *stack, struct timer *timer) {
    switch ((enum timer_kind)timer->kind) {
    case TIMER_NEIGHBOUR:
        neighbour_timer(stack, container_of(timer, struct neighbour, timer));
        break;
    case TIMER_TCP:
        tcp_alarm_timer(stack, container_of(timer, struct tcp, alarms.timer));
        break;
    case TIMER_TIME_WAIT:
        tcp_time_wait_end(stack, container_of(timer, struct tcp_time_wait, timer));
        break;
    case TIMER_REASSEMBLY:
        ip_reassembly_timer(stack, container_of(timer, struct ip_reassembly, timer));
        break;
    case TIMER_PATH:
        ip_path_timer(stack, container_of(timer, struct ip_path, timer));
        break;
    case TIMER_MULTICAST:
        multicast_timer(stack, container_of(timer, struct multicast_group, timer));
        break;
    case TIMER_DHCP:
        dhcp_timer(stack);
        break;
    case TIMER_IP6:
        ip6_timer(stack);
        break;
    }
}

static bool run_output(struct stack *stack) {
    struct list *link = list_first(&stack->output);
    if (!link || stack->transmit.count == FRAME_QUEUE_MAX)
        return false;
    struct tcp *tcp = container_of(link, struct tcp, output_link);
    tcp_work_on(stack, tcp);
    list_remove(link);
    if (tcp_may_settle(tcp))
        tcp_time_wait_settle(stack, tcp);
    else
        tcp_output(stack, tcp);
    return true;
}

static bool run_loopback(struct stack *stack) {
    if (stack->loopback_count == 0)
        return false;
    struct buffer *chain = stack->loopback[stack->loopback_first];
    stack->loopback_first = (stack->loopback_first + 1) % STACK_LOOPBACK_MAX;
    stack->loopback_count--;
    bool is_v6 = buffer_data(chain)[0] >> 4 == 6;
    (is_v6 ? ip6_input : ip_input)(stack, chain, IP_INPUT_CHECKSUM_GOOD | IP_INPUT_LOOPED);
    return true;
}

void stack_advance(struct stack *stack, uint64_t now_ns) {
    stack->now_ns = now_ns;
    struct timer *timer;
    while ((timer = timer_expire(&stack->timers, now_ns)))
        run_timer(stack, timer);
    for (int round = 0; round < ADVANCE_ROUNDS_MAX; round++) {
        bool worked = run_output(stack);
        worked |= run_loopback(stack);
        if (!worked)
            break;
    }
}

uint64_t stack_deadline(const struct stack *stack) {
    bool at_once =
        stack->loopback_count > 0 || (!list_empty(&stack->output) && stack->transmit.count < FRAME_QUEUE_MAX);
    return at_once ? stack->now_ns : timer_next(&stack->timers);
}

struct frame *stack_frame(struct stack *stack, uint32_t index) {
    return frame_queue_at(&stack->transmit, index);
}

uint32_t stack_frame_copy(const struct frame *frame, uint8_t *to) {
    memcpy(to, frame->header, frame->header_length);
    frame_copy(frame, 0, to + frame->header_length, frame->payload_length);
    return frame->header_length + frame->payload_length;
}

void stack_frames_keep(struct stack *stack) {
    struct frame *frame = stack_frame(stack, 0);
    if (frame && frame_keep(&stack->buffers, frame))
        stack_frames_sent(stack, 1); /* memory is out: it is lost, as in a full queue */
}

void stack_frames_sent(struct stack *stack, uint32_t count) {
    struct list *link;
    frame_queue_drop(&stack->transmit, &stack->buffers, count);
    while (stack->transmit.count == 0 && (link = list_first(&stack->corked)))
        tcp_want_output(stack, container_of(link, struct tcp, output_link));
    while ((link = list_first(&stack->blocked))) {
        list_remove(link);
        socket_event(stack, container_of(link, struct datagram_state, blocked_link)->socket);
    }
}

struct socket *stack_next_event(struct stack *stack) {
    struct list *link = list_first(&stack->events);
    if (!link)
        return NULL;
    list_remove(link);
    return container_of(link, struct socket, event_link);
}

bool stack_busy(const struct stack *stack) {
    return stack->connections.used + stack->time_waits.used > 0;
}
