/* SPDX-License-Identifier: MIT */
/*
 * region_repair.c - see region_repair.h; and stack/repair.c, which does the same for the stack itself.
 *
 * Accounts, holdings, flights, waiters, epoll sets and their items each say whom they belong to. All lists
 * and counts are made anew from that; what belongs to nobody is freed. Waiters are taken off everything and
 * woken: their threads look again at what they wait for. The dead process's account is settled by the keeper,
 * as always.
 */
#include "shim/region/region_repair.h"
#include "shim/region/frames.h"
#include "shim/region/inflight.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include "stack/repair.h"
#include <string.h>

static bool is_process(const struct process *process) {
    return pool_has(&shared->processes, process) && process->made_ns;
}

static void repair_process(void *object, void *context) {
    struct process *process = object;
    (void)context;
    if (!process->made_ns)
        return;
    pool_mark(&shared->processes, process);
    list_init(&process->link);
    if (process->file_table && pool_has(&shared->file_tables, process->file_table)) {
        process->file_table->processes++;
        pool_mark(&shared->file_tables, process->file_table);
    } else {
        process->file_table = NULL;
    }
    list_init(&process->waiters);
    process->poller = NULL;
    list_add_tail(&shared->process_list, &process->link);
    if (process->pid == 0 && !is_process(process->maker)) {
        process->maker = NULL;
        process->fork_deadline_ns = clock_now() + FORK_SOON_NS; /* its parent may have died in fork */
    }
}

static void forget_holders(void *object, void *context) {
    struct socket *socket = object;
    (void)context;
    socket->holders = 0;
    socket->turns[STREAM_IN - 1] = socket->turns[STREAM_OUT - 1] = 0;
}

static void repair_epoll_set(void *object, void *context) {
    struct epoll_set *set = object;
    (void)context;
    set->holders = set->passed;
    if (set->passed)
        pool_mark(&shared->epoll_sets, set);
    set->epoll_eventfd = NULL;
    list_init(&set->items);
    list_init(&set->ready);
    list_init(&set->waiters);
}

static void repair_file_table(void *object, void *context) {
    struct file_table *file_table = object;
    (void)context;
    file_table->processes = 0;
    list_init(&file_table->file_refs);
}

static void repair_file_ref(void *object, void *context) {
    struct file_ref *file_ref = object;
    (void)context;
    if (!pool_has(&shared->file_tables, file_ref->file_table) || file_ref->file_table->processes == 0)
        return;
    if (file_ref->kind == FILE_REF_SOCKET && pool_has(&shared->stack.sockets, file_ref->socket)) {
        file_ref->socket->holders++;
    } else if (file_ref->kind == FILE_REF_EPOLL && pool_has(&shared->epoll_sets, file_ref->epoll)) {
        file_ref->epoll->holders++;
        pool_mark(&shared->epoll_sets, file_ref->epoll);
    } else {
        return;
    }
    pool_mark(&shared->file_refs, file_ref);
    list_init(&file_ref->link);
    list_add_tail(&file_ref->file_table->file_refs, &file_ref->link);
}

static void repair_inflight(void *object, void *context) {
    struct inflight *inflight = object;
    (void)context;
    if (!pool_has(&shared->stack.sockets, inflight->socket))
        return;
    pool_mark(&shared->inflight_pool, inflight);
    inflight->socket->holders++;
    shared->inflight_changed = true;
    list_init(&inflight->link);
    list_add_tail(&shared->inflights, &inflight->link);
}

/* A thread that copies goes on, whoever died meanwhile: it has its turn and its buffers. */
static void repair_copy(struct waiter *waiter) {
    for (enum stream_side side = STREAM_IN; side <= STREAM_OUT; side++)
        if (waiter->socket && waiter->turns & 1u << side)
            waiter->socket->turns[side - 1] = waiter->number;
    if (!stack_repair_hold_chain(&shared->stack, waiter->staged))
        waiter->staged = NULL;
    if (!stack_repair_hold_buffers(&shared->stack, waiter->held, waiter->held_count)) {
        waiter->held = NULL;
        waiter->held_count = 0;
    }
}

/* A call that is under way has what it works on, whoever closed that meanwhile. */
static void repair_waiter(void *object, void *context) {
    struct waiter *waiter = object;
    (void)context;
    if (waiter->epoll_eventfd || !is_process(waiter->process))
        return;
    pool_mark(&shared->waiters, waiter);
    waiter_enter(waiter);
    if (waiter->set && pool_has(&shared->epoll_sets, waiter->set)) {
        waiter->set->holders++;
        pool_mark(&shared->epoll_sets, waiter->set);
    } else {
        waiter->set = NULL;
    }
    if (waiter->socket && pool_has(&shared->stack.sockets, waiter->socket))
        waiter->socket->holders++;
    else
        waiter->socket = NULL;
    repair_copy(waiter);
}

/* Bells of sets that are left; each tells once more, and whoever looks finds out whether there is anything.
 */
static void repair_epoll_eventfd(void *object, void *context) {
    struct waiter *waiter = object;
    (void)context;
    if (!waiter->epoll_eventfd || !pool_has(&shared->epoll_sets, waiter->set) || waiter->set->holders == 0 ||
        waiter->set->epoll_eventfd)
        return;
    pool_mark(&shared->waiters, waiter);
    waiter_enter(waiter);
    waiter->set->epoll_eventfd = waiter;
    waiter->word = 0;
    list_add_tail(&waiter->set->waiters, &waiter->epoll_link);
}

static void repair_name(void *object, void *context) {
    struct socket *socket = object;
    (void)context;
    socket->name_link = (struct hash_link){NULL, NULL};
    if (socket->name)
        hash_add(&shared->names[socket->name % SHARED_NAME_BUCKETS], &socket->name_link);
}

static void repair_epoll_item(void *object, void *context) {
    struct epoll_item *item = object;
    (void)context;
    if (!pool_has(&shared->epoll_sets, item->set) || item->set->holders == 0 ||
        !pool_has(&shared->stack.sockets, item->socket))
        return;
    pool_mark(&shared->epoll_items, item);
    list_init(&item->link);
    list_init(&item->ready_link);
    list_init(&item->watch.socket_link);
    list_init(&item->watch.owner_link);
    list_add_tail(&item->set->items, &item->link);
    list_add_tail(&item->set->ready, &item->ready_link); /* who collects it finds out whether it is */
    list_add_tail(&item->socket->watches, &item->watch.socket_link);
}

static void repair_ended(void *object, void *context) {
    struct waiter *waiter = object;
    (void)context;
    if (waiter->keeper_descriptor < 0 || !pool_mark(&shared->waiters, waiter))
        return;
    waiter->process = NULL;
    waiter->epoll_eventfd = false;
    list_init(&waiter->link);
    list_add_tail(&shared->ended, &waiter->link);
    shared->ended_count++;
}

bool shared_repair(void) {
    struct pool *pools[] = {&shared->processes,     &shared->file_refs,  &shared->watches,
                            &shared->waiters,       &shared->epoll_sets, &shared->epoll_items,
                            &shared->inflight_pool, &shared->file_tables};
    size_t count = sizeof pools / sizeof *pools;
    record_end(&shared->stack, "a process died while it was changing the stack");
    stack_repair_memory(&shared->stack);
    for (size_t i = 0; i < count; i++)
        pool_repair(pools[i]);
    list_init(&shared->process_list);
    list_init(&shared->inflights);
    list_init(&shared->epoll_eventfds);
    list_init(&shared->ended);
    shared->ended_count = 0;
    list_init(&shared->keeper_wakes);
    memset(shared->names, 0, sizeof shared->names);
    pool_walk(&shared->stack.sockets, forget_holders, NULL);
    pool_walk(&shared->epoll_sets, repair_epoll_set, NULL);
    pool_walk(&shared->file_tables, repair_file_table, NULL);
    pool_walk(&shared->processes, repair_process, NULL);
    pool_walk(&shared->file_refs, repair_file_ref, NULL);
    pool_walk(&shared->inflight_pool, repair_inflight, NULL);
    pool_walk(&shared->waiters, repair_waiter, NULL);
    pool_walk(&shared->waiters, repair_epoll_eventfd, NULL);
    pool_walk(&shared->waiters, repair_ended, NULL);
    if (!stack_repair(&shared->stack, clock_now(), frames_hold))
        return false;
    pool_walk(&shared->stack.sockets, repair_name, NULL);
    pool_walk(&shared->epoll_items, repair_epoll_item, NULL);
    for (size_t i = 0; i < count; i++)
        pool_sweep(pools[i]);
    frames_repair();
    shared->repairs++;
    wake_everybody();
    return true;
}
