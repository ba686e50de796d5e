/* SPDX-License-Identifier: MIT */
/*
 * process.c - see process.h. The keeper uses it, too, to settle accounts.
 */
#include "shim/region/process.h"
#include "shim/region/frames.h"
#include "shim/region/inflight.h"
#include "shim/region/wake.h"

struct file_table *file_table_create(void) {
    struct file_table *file_table = pool_take_zeroed(&shared->file_tables);
    if (!file_table)
        return NULL;
    list_init(&file_table->file_refs);
    file_table->processes = 1;
    return file_table;
}

void file_table_leave(struct process *process) {
    struct file_table *file_table = process->file_table;
    process->file_table = NULL;
    file_table_drop(file_table);
}

void file_table_drop(struct file_table *file_table) {
    struct list *link;
    if (!file_table || --file_table->processes > 0)
        return;
    while ((link = list_first(&file_table->file_refs)))
        file_ref_release(container_of(link, struct file_ref, link));
    pool_return(&shared->file_tables, file_table);
}

struct file_ref *file_ref_create(struct file_table *file_table, enum file_ref_kind kind) {
    struct file_ref *file_ref = pool_take_zeroed(&shared->file_refs);
    if (!file_ref)
        return NULL;
    file_ref->kind = (uint8_t)kind;
    file_ref->file_table = file_table;
    list_init(&file_ref->link);
    list_add_tail(&file_table->file_refs, &file_ref->link);
    return file_ref;
}

void epoll_item_release(struct epoll_item *item) {
    list_remove(&item->watch.socket_link);
    list_remove(&item->link);
    list_remove(&item->ready_link);
    pool_return(&shared->epoll_items, item);
}

void epoll_set_drop(struct epoll_set *set) {
    struct list *link;
    if (--set->holders > 0)
        return;
    /* Nobody waits for it: who does holds it. */
    while ((link = list_first(&set->items)))
        epoll_item_release(container_of(link, struct epoll_item, link));
    if (set->epoll_eventfd)
        waiter_release(set->epoll_eventfd);
    pool_return(&shared->epoll_sets, set);
}

/* Perhaps nobody can receive it any more: the keeper looks. */
static void note_inflight(void) {
    shared->inflight_changed = true;
    wake_keeper_on_leave();
}

void socket_drop(struct socket *socket) {
    struct list *link, *next;
    if (--socket->holders > 0) {
        if (!list_empty(&shared->inflights) && inflight_is_last(socket))
            note_inflight();
        return;
    }
    list_for_each(link, next, &socket->watches) {
        struct watch *watch = container_of(link, struct watch, socket_link);
        if (watch->kind == WATCH_EPOLL) {
            epoll_item_release(container_of(watch, struct epoll_item, watch));
            continue;
        }
        list_remove(&watch->socket_link);
        watch->gone = true;
        wake_one(watch->waiter);
    }
    hash_remove(&socket->name_link);
    socket_release(&shared->stack, socket);
}

void file_ref_release(struct file_ref *file_ref) {
    list_remove(&file_ref->link);
    if (file_ref->kind == FILE_REF_SOCKET && file_ref->socket)
        socket_drop(file_ref->socket);
    else if (file_ref->kind == FILE_REF_EPOLL && file_ref->epoll)
        epoll_set_drop(file_ref->epoll);
    pool_return(&shared->file_refs, file_ref);
}

struct process *process_create(int pid) {
    struct process *process = pool_take_zeroed(&shared->processes);
    if (!process)
        return NULL;
    process->pid = pid;
    process->pidfd = -1;
    list_init(&process->link);
    list_init(&process->waiters);
    list_add_tail(&shared->process_list, &process->link);
    process->made_ns = shared->stack.now_ns;
    return process;
}

struct process_record process_record_of(struct process *process) {
    return (struct process_record){process, process ? process->made_ns : 0};
}

struct process *process_record_find(struct process_record record) {
    bool there = record.made_ns && pool_has(&shared->processes, record.process) &&
                 record.process->made_ns == record.made_ns;
    return there ? record.process : NULL;
}

void waiter_enter(struct waiter *waiter) {
    while (!waiter->number || waiter->number == UINT32_MAX)
        waiter->number = ++shared->waiters_made;
    list_init(&waiter->link);
    list_init(&waiter->keeper_link);
    list_init(&waiter->watches);
    list_init(&waiter->epoll_link);
    list_init(&waiter->watch.socket_link);
    list_init(&waiter->watch.owner_link);
    list_add_tail(waiter->epoll_eventfd ? &shared->epoll_eventfds : &waiter->process->waiters, &waiter->link);
}

void waiter_unwatch(struct waiter *waiter) {
    struct list *link;
    list_remove(&waiter->watch.socket_link);
    list_remove(&waiter->epoll_link);
    list_remove(&waiter->keeper_link);
    while ((link = list_first(&waiter->watches))) {
        struct watch *watch = container_of(link, struct watch, owner_link);
        list_remove(&watch->socket_link);
        list_remove(&watch->owner_link);
        pool_return(&shared->watches, watch);
    }
}

/* Who waits for a turn that nobody has is told of it. */
static void offer_turn(struct socket *socket, enum stream_side side) {
    struct list *link, *next;
    list_for_each(link, next, &socket->watches) {
        const struct watch *watch = container_of(link, struct watch, socket_link);
        if (watch->kind == WATCH_WAITER && watch->side == side)
            socket_event(&shared->stack, socket);
    }
}

void waiter_end_turn(struct waiter *waiter, enum stream_side side) {
    struct socket *socket = waiter->socket;
    waiter->turns &= (uint8_t) ~(1u << side);
    if (!socket || socket->turns[side - 1] != waiter->number)
        return;
    socket->turns[side - 1] = 0;
    offer_turn(socket, side);
}

void waiter_pass_turns(struct waiter *waiter) {
    for (enum stream_side side = STREAM_IN; side <= STREAM_OUT; side++)
        if (waiter->turns_offered & 1u << side && waiter->socket && !waiter->socket->turns[side - 1])
            offer_turn(waiter->socket, side);
    waiter->turns_offered = 0;
}

void waiter_drop_buffers(struct waiter *waiter) {
    struct buffer *staged = waiter->staged, *held = waiter->held;
    uint32_t count = waiter->held_count;
    waiter->staged = waiter->held = NULL;
    waiter->held_count = 0;
    if (shared->broken)
        return;
    atomic_signal_fence(memory_order_seq_cst); /* they are found no more before they are given back */
    buffer_drop_chain(&shared->stack.buffers, staged);
    buffer_drop_count(&shared->stack.buffers, held, count);
}

void waiter_let_go(struct waiter *waiter) {
    struct epoll_set *set = waiter->set;
    struct socket *socket = waiter->socket;
    waiter_drop_buffers(waiter);
    for (enum stream_side side = STREAM_IN; side <= STREAM_OUT; side++)
        if (waiter->turns & 1u << side)
            waiter_end_turn(waiter, side);
    waiter_pass_turns(waiter);
    if (socket && waiter->writing) {
        socket->blocked_writers--;
        record_writers(&shared->stack, socket);
    }
    waiter->set = NULL;
    waiter->socket = NULL;
    waiter->writing = false;
    if (set && !waiter->epoll_eventfd)
        epoll_set_drop(set);
    if (socket)
        socket_drop(socket);
}

void waiters_let_go(struct process *process) {
    struct list *link, *next;
    list_for_each(link, next, &process->waiters) {
        struct waiter *waiter = container_of(link, struct waiter, link);
        if (!waiter->staged && !waiter->held)
            waiter_let_go(waiter);
    }
}

void waiter_release(struct waiter *waiter) {
    if (waiter->sleeping && waiter->word && !waiter->epoll_eventfd && !shared->broken)
        wake_everybody(); /* it may have been woken for something that others wait for, too */
    if (waiter->process && waiter->process->poller == waiter)
        waiter->process->poller = NULL;
    waiter_unwatch(waiter);
    waiter_let_go(waiter);
    list_remove(&waiter->link);
    if (waiter->keeper_descriptor < 0) {
        pool_return(&shared->waiters, waiter);
        return;
    }
    bool rung =
        waiter->epoll_eventfd && waiter->word; /* whoever has the kernel's set would hear it for ever */
    waiter->process = NULL;
    waiter->epoll_eventfd = waiter->sleeping = false;
    list_add_tail(&shared->ended, &waiter->link);
    shared->ended_count += rung ? ENDED_AT_ONCE : 1;
    if (shared->ended_count >= ENDED_AT_ONCE)
        wake_keeper_on_leave();
}

void process_reap(struct process *process) {
    struct list *link;
    while ((link = list_first(&process->waiters)))
        waiter_release(container_of(link, struct waiter, link));
    frames_reap(process);
    file_table_leave(process);
    list_remove(&process->link);
    pool_return(&shared->processes, process);
}
