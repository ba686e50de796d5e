/*
 * repair.c - see repair.h.
 *
 * Theory of operation. What a stack consists of is written in two places that no death can leave half
 * written: a byte a block says whose it is, a bit an object says that it is in use. Everything that only
 * connects objects (free lists, hash chains, queues, the timer wheel, the reference counts of buffers) is
 * thrown away and made anew from the objects that are found so. What objects hold is right but for the one
 * that was being changed (stack->at_work): that connection is reset, and so is one that belongs to nobody or
 * whose queues are not whole. What nothing refers to in the end is freed.
 *
 * Packets that the stack has sent to itself are dropped; TCP sends them again. Frames on the transmit ring
 * stay: the ring's count is changed last.
 *
 * A repair that dies itself is begun again by the next one.
 */
#include "repair.h"
#include "stack.h"
#include <errno.h>

void stack_repair_memory(struct stack *stack) {
    struct pool *pools[] = {&stack->buffers,
                            &stack->sockets,
                            &stack->connections,
                            &stack->held_segments,
                            &stack->datagrams,
                            &stack->datagram_states,
                            &stack->arp.entries,
                            &stack->arp.pendings,
                            &stack->paths.pool,
                            &stack->reassemblies.pool,
                            &stack->reassemblies.fragments,
                            &stack->igmp.memberships,
                            &stack->igmp.groups,
                            &stack->sent,
                            &stack->marks,
                            &stack->fastopen_keys,
                            &stack->md5_keys,
                            &stack->corks,
                            &stack->bbr,
                            &stack->flights,
                            &stack->extras};
    arena_repair(&stack->arena);
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        pool_repair(pools[i]);
}

/* What a chain holds, when it is one. */
struct chain_measure {
    uint32_t length;
    struct buffer *last; /* the last that is not empty */
};

static bool chain_measure(const struct stack *stack, struct buffer *chain, struct chain_measure *measure) {
    uint32_t steps = 0;
    *measure = (struct chain_measure){0, NULL};
    for (; chain; chain = chain->next) {
        if (!pool_has(&stack->buffers, chain) || chain->start > chain->end || chain->end > BUFFER_CAPACITY ||
            steps++ > stack->buffers.used)
            return false;
        measure->length += buffer_length(chain);
        if (buffer_length(chain) > 0)
            measure->last = chain;
    }
    return true;
}

/* Appending bytes is no change that makes a connection suspect: it may have been left half done, but what is
 * in the chain is right. */
static bool queue_repair(const struct stack *stack, struct byte_queue *queue) {
    struct chain_measure measure;
    if (!chain_measure(stack, queue->head, &measure))
        return false;
    queue->length = measure.length;
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

static void hold_chain(struct stack *stack, struct buffer *chain) {
    for (; chain; chain = chain->next)
        hold_buffer(stack, chain);
}

/* A frame's payload: each buffer of its range. */
static bool frame_whole(const struct stack *stack, const struct frame *frame) {
    struct byte_cursor cursor = frame->payload;
    uint32_t left = frame->payload_length;
    if (frame->header_length > FRAME_HEADER_MAX)
        return false;
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
    struct arp_entry *entry = object;
    bool ran = timer_running(&entry->timer);
    if (!entry->address || stack->at_work == entry)
        return;
    pool_mark(&stack->arp.entries, entry);
    entry->hash = (struct hash_link){NULL, NULL};
    list_init(&entry->age);
    list_init(&entry->pending);
    entry->pending_count = 0;
    timer_init(&entry->timer, TIMER_ARP);
    timer_start(&stack->timers, &entry->timer,
                ran ? timer_deadline_ns(&entry->timer) : stack->now_ns + ARP_RETRANSMIT_NS);
    arp_enter(stack, entry);
}

static void repair_pending(void *object, void *context) {
    struct stack *stack = context;
    struct arp_pending *pending = object;
    struct arp_entry *entry = pending->entry;
    if (!pool_has(&stack->arp.entries, entry) || !entry->address || stack->at_work == entry ||
        !frame_whole(stack, &pending->frame))
        return;
    pool_mark(&stack->arp.pendings, pending);
    hold_frame(stack, &pending->frame);
    list_init(&pending->link);
    list_add_tail(&entry->pending, &pending->link);
    entry->pending_count++;
}

static bool socket_alive(const struct stack *stack, const struct socket *socket) {
    return pool_has(&stack->sockets, socket) && socket->holders > 0;
}

static bool datagrams_whole(const struct stack *stack, const struct list *list) {
    struct chain_measure measure;
    uint32_t steps = 0;
    for (struct list *link = list->next; link != list; link = link->next) {
        struct datagram *datagram = container_of(link, struct datagram, link);
        if (!pool_has(&stack->datagrams, datagram) || steps++ > stack->datagrams.used ||
            !chain_measure(stack, datagram->chain, &measure) || measure.length != datagram->length)
            return false;
    }
    return true;
}

/* Returns what they take of their socket's limit. */
static uint32_t hold_datagrams(struct stack *stack, const struct list *list) {
    uint32_t weight = 0;
    for (struct list *link = list->next; link != list; link = link->next) {
        struct datagram *datagram = container_of(link, struct datagram, link);
        pool_mark(&stack->datagrams, datagram);
        hold_chain(stack, datagram->chain);
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
    if (stack->at_work == socket || !datagrams_whole(stack, &state->queue))
        list_init(&state->queue); /* datagrams may get lost */
    if (cork &&
        (stack->at_work == socket || !pool_has(&stack->corks, cork) || !queue_repair(stack, &cork->payload)))
        state->cork = cork = NULL;
    if (cork) {
        pool_mark(&stack->corks, cork);
        hold_chain(stack, cork->payload.head);
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
            hold_chain(stack, program->parts[i]);
        else
            program->parts[i] = NULL;
}

static void repair_extra(struct stack *stack, struct socket *socket) {
    if (!pool_has(&stack->extras, socket->extra)) {
        socket->extra = NULL;
        return;
    }
    pool_mark(&stack->extras, socket->extra);
    hold_program(stack, &socket->extra->filter.admits);
    hold_program(stack, &socket->extra->filter.steers);
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
    bool at_work = stack->at_work && (stack->at_work == socket || stack->at_work == socket->tcp);
    if (at_work || !datagrams_whole(stack, &socket->errors))
        list_init(&socket->errors);
    socket->datagram_bytes = hold_datagrams(stack, &socket->errors);
    if (socket->extra)
        repair_extra(stack, socket);
    if (socket->datagram)
        repair_datagram_state(stack, socket);
}

static void repair_membership(void *object, void *context) {
    struct stack *stack = context;
    struct igmp_membership *membership = object;
    if (!socket_alive(stack, membership->socket) || membership->socket->type == SOCK_STREAM)
        return;
    pool_mark(&stack->igmp.memberships, membership);
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

static bool connected(uint8_t state) {
    return state && state != TCP_CLOSE && state != TCP_LISTEN;
}

/* Whose a connection is. Forgets owners that are none. False: it is nobody's. */
static bool find_owner(const struct stack *stack, struct tcp *tcp) {
    if (tcp->socket && !(socket_alive(stack, tcp->socket) && tcp->socket->tcp == tcp))
        tcp->socket = NULL;
    else if (tcp->socket)
        return true;
    if (tcp->listener) {
        struct socket *listener = tcp->listener;
        if (socket_alive(stack, listener) && pool_has(&stack->connections, listener->tcp) &&
            listener->tcp->state == TCP_LISTEN && connected(tcp->state))
            return true;
        tcp->listener = NULL;
    }
    switch (tcp->state) {
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        return true; /* an orphan that ends by itself */
    default:
        return false;
    }
}

static bool repair_out_of_order(struct stack *stack, struct tcp *tcp) {
    struct chain_measure measure;
    uint32_t count = 0;
    struct list *link;
    for (link = tcp->flight->out_of_order.next; link != &tcp->flight->out_of_order; link = link->next) {
        struct tcp_held *held = container_of(link, struct tcp_held, link);
        if (!pool_has(&stack->held_segments, held) || count++ > TCP_OUT_OF_ORDER_MAX ||
            !chain_measure(stack, held->data.head, &measure) || measure.length != held->data.length)
            return false;
    }
    return count == tcp->flight->out_of_order_count;
}

/* Marks are worth less than the connection: when one is broken, all are given up. */
static void repair_marks(const struct stack *stack, struct tcp *tcp) {
    uint32_t count = 0;
    for (struct list *link = tcp->flight->marks.next; link != &tcp->flight->marks; link = link->next)
        if (!pool_has(&stack->marks, container_of(link, struct tcp_mark, link)) || count++ > TCP_MARKS_MAX) {
            list_init(&tcp->flight->marks);
            count = 0;
            break;
        }
    tcp->flight->mark_count = count;
}

/* Whether the content of a connection that nobody was changing is what it must be. Repairs what it may. */
static bool content_whole(struct stack *stack, struct tcp *tcp) {
    if (!queue_repair(stack, &tcp->send) || !queue_repair(stack, &tcp->receive) ||
        !repair_out_of_order(stack, tcp))
        return false;
    if (!connected(tcp->state))
        return true;
    repair_marks(stack, tcp);
    if (tcp_is_lone_syn(tcp))
        return tcp->send.length == 0;
    uint32_t sent = tcp->snd_nxt - tcp->snd_una;
    if (seq_gt(tcp->snd_una, tcp->snd_nxt))
        return false;
    if (!tcp_flight_is_own(stack, tcp))
        return sent == 0;
    if (tcp->state != TCP_TIME_WAIT && tcp->snd_nxt - tcp->snd_una > tcp->send.length + tcp->fin_queued)
        return false;
    if (tcp->state != TCP_TIME_WAIT && !tcp_sent_repair(stack, tcp))
        return false;
    if (sent > 0 && sent < tcp->send.length)
        tcp->flight->send_next = byte_queue_at(&tcp->send, sent);
    else if (sent > 0 && tcp->send.length > 0)
        tcp->flight->send_next = (struct byte_cursor){tcp->send.tail, tcp->send.tail->end};
    return true;
}

static void hold_content(struct stack *stack, struct tcp *tcp) {
    struct list *link;
    for (link = tcp->flight->sent.next; link != &tcp->flight->sent; link = link->next)
        pool_mark(&stack->sent, container_of(link, struct tcp_sent, link));
    for (link = tcp->flight->marks.next; link != &tcp->flight->marks; link = link->next)
        pool_mark(&stack->marks, container_of(link, struct tcp_mark, link));
    hold_chain(stack, tcp->send.head);
    hold_chain(stack, tcp->receive.head);
    for (link = tcp->flight->out_of_order.next; link != &tcp->flight->out_of_order; link = link->next) {
        struct tcp_held *held = container_of(link, struct tcp_held, link);
        pool_mark(&stack->held_segments, held);
        hold_chain(stack, held->data.head);
    }
}

static void forget_content(const struct stack *stack, struct tcp *tcp) {
    tcp->send = tcp->receive = (struct byte_queue){NULL, NULL, 0};
    if (tcp_flight_is_own(stack, tcp))
        tcp_flight_init(tcp->flight);
}

/* Into its listener's queue, by age. */
static void join_queue(struct tcp *tcp) {
    struct socket *listener = tcp->listener;
    tcp->acceptable = tcp->state != TCP_SYN_RECV || tcp->fastopen & TCP_FASTOPEN_CHILD;
    if (!tcp->acceptable) {
        list_add_tail(&listener->syn_queue, &tcp->queue_link);
        listener->syn_count++;
        return;
    }
    struct list *after = listener->accept_queue.previous;
    while (after != &listener->accept_queue &&
           container_of(after, struct tcp, queue_link)->history.established_ns > tcp->history.established_ns)
        after = after->previous;
    list_add_head(after, &tcp->queue_link);
    listener->accept_count++;
}

static void repair_connection(void *object, void *context) {
    struct stack *stack = context;
    struct tcp *tcp = object;
    bool at_work = stack->at_work && (stack->at_work == tcp || stack->at_work == tcp->socket);
    bool owned = find_owner(stack, tcp);
    bool strayed = tcp_flight_is_own(stack, tcp) && !pool_has(&stack->flights, tcp->flight);
    if (strayed)
        tcp->flight = &stack->resting;
    bool spared = tcp->state == TCP_LISTEN && owned; /* it has no content, and many depend on it */
    tcp->doomed = !owned || (at_work && !spared) || strayed || !content_whole(stack, tcp);
    if (!owned && !connected(tcp->state))
        return; /* freed */
    tcp->orphan = false;
    stack->time_wait_count += tcp->state == TCP_TIME_WAIT;
    if (!tcp->socket && !tcp->listener && connected(tcp->state) && tcp->state != TCP_TIME_WAIT)
        tcp_set_orphan(stack, tcp, true);
    pool_mark(&stack->connections, tcp);
    if (tcp_flight_is_own(stack, tcp))
        pool_mark(&stack->flights, tcp->flight);
    tcp->tuple_link = tcp->binding.link = (struct hash_link){NULL, NULL};
    list_init(&tcp->output_link);
    tcp->corked = false;
    list_init(&tcp->queue_link);
    list_init(&tcp->alarms.timer.link);
    tcp->fastopen_listener = NULL; /* what is pending counts no more */
    tcp->fastopen_count = 0;
    struct tcp_md5_key **key = &tcp->md5_keys;
    while (*key && pool_has(&stack->md5_keys, *key) && pool_mark(&stack->md5_keys, *key))
        key = &(*key)->next;
    *key = NULL;
    if (tcp->congestion.bbr && pool_has(&stack->bbr, tcp->congestion.bbr))
        pool_mark(&stack->bbr, tcp->congestion.bbr);
    else
        tcp->congestion.bbr = NULL;
    if (tcp->fastopen_key && pool_has(&stack->fastopen_keys, tcp->fastopen_key))
        pool_mark(&stack->fastopen_keys, tcp->fastopen_key);
    else
        tcp->fastopen_key = NULL;
    if (tcp->doomed)
        forget_content(stack, tcp);
    else
        hold_content(stack, tcp);
    if (tcp->binding.port)
        port_enter(stack, &tcp->binding);
    if (connected(tcp->state))
        tcp_enter(stack, tcp);
    else if (tcp->state == TCP_LISTEN)
        tcp_enter_listener(stack, tcp);
    if (tcp->listener)
        join_queue(tcp);
}

/* All timers that the connection's state asks for, whether or not they ran. */
static void restart_timers(struct stack *stack, struct tcp *tcp) {
    tcp_alarm_resume(stack, tcp);
    if (tcp_flight_is_own(stack, tcp))
        tcp_alarm_look(stack, tcp, stack->now_ns + TCP_FLIGHT_IDLE_NS);
    if (tcp->state == TCP_TIME_WAIT || (tcp->state == TCP_FIN_WAIT2 && !tcp->socket)) {
        if (!tcp_alarm_is_set(tcp, TCP_ALARM_STATE))
            tcp_alarm_set(stack, tcp, TCP_ALARM_STATE, stack->now_ns + TCP_TIME_WAIT_NS);
        return;
    }
    if (!tcp_alarm_is_set(tcp, TCP_ALARM_RETRANSMIT) && tcp->snd_nxt != tcp->snd_una)
        tcp_arm_retransmit(stack, tcp);
    if (!tcp_alarm_is_set(tcp, TCP_ALARM_STATE))
        tcp_arm_keepalive(stack, tcp);
    if (tcp->rcv_nxt != tcp->last_ack_sent)
        tcp_want_ack(stack, tcp);
    tcp_want_output(stack, tcp);
}

static void resume_connection(void *object, void *context) {
    struct stack *stack = context;
    struct tcp *tcp = object;
    if (!tcp->doomed) {
        if (connected(tcp->state))
            restart_timers(stack, tcp);
        return;
    }
    tcp->doomed = false;
    if (!connected(tcp->state) && !tcp->iss)
        return; /* never connected: nothing to lose */
    if (connected(tcp->state) && tcp->state != TCP_SYN_SENT && tcp->state != TCP_TIME_WAIT)
        tcp_send_reset(stack, tcp);
    tcp_end(stack, tcp, ECONNRESET);
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

bool stack_repair(struct stack *stack, uint64_t now_ns, void (*each_held)(void)) {
    stack->now_ns = now_ns;
    stack->user = 0;
    stack->repair_failed = false;
    list_init(&stack->events);
    list_init(&stack->output);
    list_init(&stack->corked);
    list_init(&stack->arp.ages);
    memset(stack->arp.buckets, 0, sizeof stack->arp.buckets);
    stack->arp.recent = NULL;
    memset(stack->datagram_sockets, 0, sizeof stack->datagram_sockets);
    memset(&stack->ports, 0, sizeof stack->ports);
    memset(stack->tcp_table, 0, sizeof *stack->tcp_table);
    timer_wheel_init(&stack->timers, now_ns);
    stack->loopback_first = stack->loopback_count = 0;
    repair_network(stack);
    if (each_held)
        each_held();
    repair_frames(stack);
    pool_walk(&stack->arp.entries, repair_neighbour, stack);
    pool_walk(&stack->arp.pendings, repair_pending, stack);
    pool_walk(&stack->sockets, repair_socket, stack);
    pool_walk(&stack->igmp.memberships, repair_membership, stack);
    stack->time_wait_count = stack->orphan_count = 0;
    pool_walk(&stack->connections, repair_connection, stack);
    pool_sweep(&stack->arp.pendings);
    pool_sweep(&stack->arp.entries);
    pool_sweep(&stack->held_segments);
    pool_sweep(&stack->sent);
    pool_sweep(&stack->marks);
    pool_sweep(&stack->fastopen_keys);
    pool_sweep(&stack->md5_keys);
    pool_sweep(&stack->corks);
    pool_sweep(&stack->bbr);
    pool_sweep(&stack->datagrams);
    pool_sweep(&stack->paths.pool);
    pool_sweep(&stack->reassemblies.fragments);
    pool_sweep(&stack->reassemblies.pool);
    pool_sweep(&stack->igmp.groups);
    pool_sweep(&stack->igmp.memberships);
    pool_sweep(&stack->buffers);
    pool_sweep(&stack->connections);
    pool_sweep(&stack->flights);
    pool_sweep(&stack->extras);
    pool_sweep(&stack->sockets);
    pool_sweep(&stack->datagram_states);
    igmp_repair(stack);
    pool_walk(&stack->connections, resume_connection, stack);
    pool_walk(&stack->sockets, resume_socket, stack);
    stack->at_work = NULL;
    return !stack->repair_failed;
}
