/* SPDX-License-Identifier: MIT */
/*
 * repair.c - see repair.h.
 *
 * Theory of operation. What a stack consists of is written in two places that no death can leave half
 * written: a byte a block says whose it is, a bit an object says that it is in use. Everything that only
 * connects objects (free lists, hash chains, queues, the timer wheel, the reference counts of buffers) is
 * thrown away and made anew from the objects that are found so. What objects hold is right but for the one
 * that was being changed (stack->at_work); what becomes of connections is in tcp_repair.h. What nothing
 * refers to in the end is freed.
 *
 * Packets that the stack has sent to itself are dropped; TCP sends them again. Frames on the transmit ring
 * stay: the ring's count is changed last.
 *
 * A repair that dies itself is begun again by the next one.
 */
#include "stack/repair.h"
#include "stack/stack.h"
#include "stack/tcp/tcp_time_wait.h"
#include <errno.h>

void stack_repair_memory(struct stack *stack) {
    struct pool *pools[] = {&stack->buffers,
                            &stack->sockets,
                            &stack->connections,
                            &stack->time_waits,
                            &stack->out_of_order_segments,
                            &stack->datagrams,
                            &stack->datagram_states,
                            &stack->neighbours.entries,
                            &stack->neighbours.pendings,
                            &stack->paths.pool,
                            &stack->reassemblies.pool,
                            &stack->reassemblies.fragments,
                            &stack->multicast.memberships,
                            &stack->multicast.groups,
                            &stack->sent,
                            &stack->marks,
                            &stack->fastopen_keys,
                            &stack->md5_keys,
                            &stack->corks,
                            &stack->models,
                            &stack->actives,
                            &stack->filter_pool};
    arena_repair(&stack->arena);
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        pool_repair(pools[i]);
}

bool stack_chain_measure(const struct stack *stack, struct buffer *chain, struct chain_measure *measure) {
    uint32_t steps = 0;
    *measure = (struct chain_measure){0, 0, NULL};
    for (; chain; chain = chain->next) {
        if (!pool_has(&stack->buffers, chain) || chain->start > chain->end || chain->end > BUFFER_CAPACITY ||
            steps++ > stack->buffers.used)
            return false;
        measure->length += buffer_length(chain);
        if (buffer_length(chain) > 0) {
            measure->last = chain;
            measure->buffers = steps;
        }
    }
    return true;
}

bool stack_queue_repair(const struct stack *stack, struct byte_queue *queue) {
    struct chain_measure measure;
    if (!stack_chain_measure(stack, queue->head, &measure))
        return false;
    queue->length = measure.length;
    queue->buffers = measure.buffers;
    queue->tail = measure.last;
    if (measure.last)
        measure.last->next = NULL;
    else
        queue->head = NULL;
    return true;
}

static void hold_buffer(struct stack *stack, struct buffer *buffer) {
    if (pool_mark(&stack->buffers, buffer))
        buffer->references = 0;
    buffer->references++;
}

void stack_hold_chain(struct stack *stack, struct buffer *chain) {
    for (; chain; chain = chain->next)
        hold_buffer(stack, chain);
}

/* A frame's payload: each buffer of its range. */
static bool frame_whole(const struct stack *stack, const struct frame *frame) {
    struct byte_cursor cursor = frame->payload;
    uint32_t left = frame->payload_length;
    if (frame->header_length > FRAME_HEADER_MAX || frame->borrowed)
        return false; /* whoever lent it may be the dead */
    while (left > 0) {
        const struct buffer *buffer = cursor.buffer;
        if (!pool_has(&stack->buffers, buffer) || buffer->end > BUFFER_CAPACITY ||
            cursor.position >= buffer->end)
            return false;
        uint32_t here = buffer->end - cursor.position;
        left -= here < left ? here : left;
        cursor = (struct byte_cursor){buffer->next, 0};
    }
    return true;
}

static void hold_frame(struct stack *stack, const struct frame *frame) {
    struct byte_cursor cursor = frame->payload;
    uint32_t left = frame->payload_length;
    while (left > 0) {
        uint32_t here = cursor.buffer->end - cursor.position;
        hold_buffer(stack, cursor.buffer);
        left -= here < left ? here : left;
        cursor = (struct byte_cursor){cursor.buffer->next, 0};
    }
}

static void repair_frames(struct stack *stack) {
    struct frame_queue *queue = &stack->transmit;
    uint32_t kept = 0;
    queue->first %= FRAME_QUEUE_MAX;
    while (kept < queue->count && kept < FRAME_QUEUE_MAX && frame_whole(stack, frame_queue_at(queue, kept)))
        hold_frame(stack, frame_queue_at(queue, kept++));
    queue->count = kept;
}

/* What a neighbour's address is stays known, and packets wait for it. */
static void repair_neighbour(void *object, void *context) {
    struct stack *stack = context;
    struct neighbour *entry = object;
    bool ran = timer_running(&entry->timer);
    if (ip_is_any(entry->address) || stack->at_work == entry)
        return;
    pool_mark(&stack->neighbours.entries, entry);
    entry->hash = (struct hash_link){NULL, NULL};
    list_init(&entry->age);
    list_init(&entry->pending);
    list_init(&entry->pending_link);
    entry->pending_count = entry->pending_bytes = 0;
    timer_init(&entry->timer, TIMER_NEIGHBOUR);
    timer_start(&stack->timers, &entry->timer,
                ran ? timer_deadline_ns(&entry->timer) : stack->now_ns + NEIGHBOUR_RETRANSMIT_NS);
    neighbour_enter(stack, entry);
}

static void repair_pending(void *object, void *context) {
    struct stack *stack = context;
    struct neighbour_pending *pending = object;
    struct neighbour *entry = pending->neighbour;
    if (!pool_has(&stack->neighbours.entries, entry) || ip_is_any(entry->address) ||
        stack->at_work == entry || !frame_whole(stack, &pending->frame))
        return;
    pool_mark(&stack->neighbours.pendings, pending);
    hold_frame(stack, &pending->frame);
    neighbour_wait(stack, pending);
}

bool stack_socket_alive(const struct stack *stack, const struct socket *socket) {
    return pool_has(&stack->sockets, socket) && socket->holders > 0;
}

/* Links a list backwards as it is forwards, if all in it are datagrams and whole. */
static bool repair_datagrams(const struct stack *stack, struct list *list) {
    struct chain_measure measure;
    struct list *link, *previous = list;
    uint32_t steps = 0;
    for (link = list->next; link != list; link = link->next) {
        struct datagram *datagram = container_of(link, struct datagram, link);
        if (!pool_has(&stack->datagrams, datagram) || steps++ > stack->datagrams.used ||
            !stack_chain_measure(stack, datagram->chain, &measure) || measure.length != datagram->length)
            return false;
        link->previous = previous;
        previous = link;
    }
    list->previous = previous;
    return true;
}

/* Counts their buffers. Returns what they take of their socket's limit. */
static uint32_t hold_datagrams(struct stack *stack, const struct list *list) {
    uint32_t weight = 0;
    for (struct list *link = list->next; link != list; link = link->next) {
        struct datagram *datagram = container_of(link, struct datagram, link);
        pool_mark(&stack->datagrams, datagram);
        stack_hold_chain(stack, datagram->chain);
        datagram->buffers = (uint16_t)buffer_chain_count(datagram->chain);
        stack->memory.datagram_buffers += datagram->buffers;
        weight += datagram_weight(datagram->length);
    }
    return weight;
}

static void repair_datagram_state(struct stack *stack, struct socket *socket) {
    struct datagram_state *state = socket->datagram;
    struct udp_cork *cork = state->cork;
    pool_mark(&stack->datagram_states, state);
    list_init(&state->memberships);
    list_init(&state->raw_link);
    list_init(&state->blocked_link);
    state->port_link = state->binding.link = (struct hash_link){NULL, NULL};
    if (stack->at_work == socket || !repair_datagrams(stack, &state->queue))
        list_init(&state->queue); /* datagrams may get lost */
    if (cork && (stack->at_work == socket || !pool_has(&stack->corks, cork) ||
                 !stack_queue_repair(stack, &cork->payload)))
        state->cork = cork = NULL;
    if (cork) {
        pool_mark(&stack->corks, cork);
        stack_hold_chain(stack, cork->payload.head);
    }
    socket->datagram_bytes += hold_datagrams(stack, &state->queue);
    if (state->binding.port)
        port_enter(stack, &state->binding);
    if (state->binding.port || socket->type == SOCK_RAW)
        datagram_enter(stack, socket);
}

/* A program that was being changed counts no instructions. */
static void hold_program(struct stack *stack, struct filter_program *program) {
    for (uint32_t i = 0; i < FILTER_PARTS; i++)
        if (program->count > i * FILTER_PART && !pool_has(&stack->buffers, program->parts[i]))
            program->count = 0;
    for (uint32_t i = 0; i < FILTER_PARTS; i++)
        if (program->count > i * FILTER_PART)
            stack_hold_chain(stack, program->parts[i]);
        else
            program->parts[i] = NULL;
}

static void repair_filters(struct stack *stack, struct socket *socket) {
    if (!pool_has(&stack->filter_pool, socket->filters)) {
        socket->filters = NULL;
        return;
    }
    pool_mark(&stack->filter_pool, socket->filters);
    hold_program(stack, &socket->filters->filter.admits);
    hold_program(stack, &socket->filters->filter.steers);
}

static void repair_socket(void *object, void *context) {
    struct stack *stack = context;
    struct socket *socket = object;
    if (socket->holders == 0)
        return;
    pool_mark(&stack->sockets, socket);
    list_init(&socket->event_link);
    list_init(&socket->watches);
    list_init(&socket->syn_queue);
    list_init(&socket->accept_queue);
    socket->syn_count = socket->accept_count = 0;
    if (stack->at_work == socket || !repair_datagrams(stack, &socket->errors))
        list_init(&socket->errors);
    socket->datagram_bytes = hold_datagrams(stack, &socket->errors);
    if (socket->filters)
        repair_filters(stack, socket);
    if (socket->datagram)
        repair_datagram_state(stack, socket);
}

static void repair_membership(void *object, void *context) {
    struct stack *stack = context;
    struct multicast_membership *membership = object;
    if (!stack_socket_alive(stack, membership->socket) || membership->socket->type == SOCK_STREAM)
        return;
    pool_mark(&stack->multicast.memberships, membership);
    list_init(&membership->link);
    list_add_tail(&membership->socket->datagram->memberships, &membership->link);
}

/* What is only known for a while is forgotten; the lease is not. */
static void repair_network(struct stack *stack) {
    list_init(&stack->raw_sockets);
    list_init(&stack->blocked);
    list_init(&stack->paths.ages);
    list_init(&stack->reassemblies.ages);
    stack->reassemblies.storage = 0;
    memset(stack->paths.buckets, 0, sizeof stack->paths.buckets);
    memset(stack->reassemblies.buckets, 0, sizeof stack->reassemblies.buckets);
    if (stack->dhcp.state == DHCP_OFF)
        return;
    struct timer *timer = &stack->dhcp.timer;
    bool ran = timer_running(timer);
    list_init(&timer->link);
    timer_start(&stack->timers, timer, ran ? timer_deadline_ns(timer) : stack->now_ns);
}

static void resume_socket(void *object, void *context) {
    struct stack *stack = context;
    struct socket *socket = object;
    bool whole = socket->type != SOCK_STREAM ||
                 (pool_has(&stack->connections, socket->tcp) && socket->tcp->socket == socket);
    if (!whole) {
        socket->tcp = tcp_create(stack);
        if (!socket->tcp) {
            stack->repair_failed = true;
            return;
        }
        socket->tcp->socket = socket;
        socket->error = ECONNRESET;
        socket->read_shutdown = socket->write_shutdown = true;
    }
    socket_event(stack, socket);
}

void stack_repair_hold(struct stack *stack, struct buffer *buffer) {
    if (buffer && pool_has(&stack->buffers, buffer))
        hold_buffer(stack, buffer);
}

bool stack_repair_hold_buffers(struct stack *stack, struct buffer *first, uint32_t count) {
    const struct buffer *each = first;
    for (uint32_t i = 0; i < count; i++, each = each->next)
        if (!pool_has(&stack->buffers, each))
            return false;
    for (; count > 0; count--, first = first->next)
        hold_buffer(stack, first);
    return true;
}

bool stack_repair_hold_chain(struct stack *stack, struct buffer *chain) {
    struct chain_measure measure;
    if (!stack_chain_measure(stack, chain, &measure))
        return false;
    stack_hold_chain(stack, chain);
    return true;
}

bool stack_repair(struct stack *stack, uint64_t now_ns, void (*each_held)(void)) {
    stack->now_ns = now_ns;
    stack->repair_failed = false;
    list_init(&stack->events);
    list_init(&stack->output);
    list_init(&stack->corked);
    neighbour_begin(stack);
    stack->memory.datagram_buffers = 0;
    size_classes_init(&stack->memory.out_of_order);
    memset(stack->datagram_sockets, 0, sizeof stack->datagram_sockets);
    memset(&stack->ports, 0, sizeof stack->ports);
    memset(stack->tcp_table, 0, sizeof *stack->tcp_table);
    timer_wheel_init(&stack->timers, now_ns);
    stack->loopback_first = stack->loopback_count = 0;
    repair_network(stack);
    if (each_held)
        each_held();
    repair_frames(stack);
    pool_walk(&stack->neighbours.entries, repair_neighbour, stack);
    pool_walk(&stack->neighbours.pendings, repair_pending, stack);
    pool_walk(&stack->sockets, repair_socket, stack);
    pool_walk(&stack->multicast.memberships, repair_membership, stack);
    stack->time_wait_count = stack->orphan_count = 0;
    pool_walk(&stack->connections, tcp_repair, stack);
    pool_walk(&stack->time_waits, tcp_time_wait_repair, stack);
    pool_sweep(&stack->neighbours.pendings);
    pool_sweep(&stack->neighbours.entries);
    pool_sweep(&stack->out_of_order_segments);
    pool_sweep(&stack->sent);
    pool_sweep(&stack->marks);
    pool_sweep(&stack->fastopen_keys);
    pool_sweep(&stack->md5_keys);
    pool_sweep(&stack->corks);
    pool_sweep(&stack->models);
    pool_sweep(&stack->datagrams);
    pool_sweep(&stack->paths.pool);
    pool_sweep(&stack->reassemblies.fragments);
    pool_sweep(&stack->reassemblies.pool);
    pool_sweep(&stack->multicast.groups);
    pool_sweep(&stack->multicast.memberships);
    pool_sweep(&stack->buffers);
    pool_sweep(&stack->connections);
    pool_sweep(&stack->time_waits);
    pool_sweep(&stack->actives);
    pool_sweep(&stack->filter_pool);
    pool_sweep(&stack->sockets);
    pool_sweep(&stack->datagram_states);
    multicast_repair(stack);
    ip6_repair(stack);
    pool_walk(&stack->connections, tcp_repair_resume, stack);
    pool_walk(&stack->sockets, resume_socket, stack);
    stack->at_work = NULL;
    return !stack->repair_failed;
}
