/*
 * process.c - see process.h. The keeper uses it, too, to settle accounts.
 */
#include "shim/region/process.h"
#include "shim/region/frames.h"
#include "shim/region/inflight.h"
#include "shim/region/wake.h"

struct estate *estate_create(void) {
    struct estate *estate = pool_take_zeroed(&shared->estates);
    if (!estate)
        return NULL;
    list_init(&estate->holdings);
    estate->processes = 1;
    return estate;
}

void estate_leave(struct process *process) {
    struct estate *estate = process->estate;
    process->estate = NULL;
    estate_drop(estate);
}

void estate_drop(struct estate *estate) {
    struct list *link;
    if (!estate || --estate->processes > 0)
        return;
    while ((link = list_first(&estate->holdings)))
        holding_release(container_of(link, struct holding, link));
    pool_return(&shared->estates, estate);
}

struct holding *holding_create(struct estate *estate, enum holding_kind kind) {
    struct holding *holding = pool_take_zeroed(&shared->holdings);
    if (!holding)
        return NULL;
    holding->kind = (uint8_t)kind;
    holding->estate = estate;
    list_init(&holding->link);
    list_add_tail(&estate->holdings, &holding->link);
    return holding;
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
    if (set->bell)
        waiter_release(set->bell);
    pool_return(&shared->epoll_sets, set);
}

/* Perhaps nobody can receive it any more: the keeper looks. */
static void note_flights(void) {
    shared->flights_changed = true;
    wake_keeper();
}

void socket_drop(struct socket *socket) {
    struct list *link, *next;
    if (--socket->holders > 0) {
        if (!list_empty(&shared->flights) && flight_is_last(socket))
            note_flights();
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

void holding_release(struct holding *holding) {
    list_remove(&holding->link);
    if (holding->kind == HOLDING_SOCKET && holding->socket)
        socket_drop(holding->socket);
    else if (holding->kind == HOLDING_EPOLL && holding->epoll)
        epoll_set_drop(holding->epoll);
    pool_return(&shared->holdings, holding);
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

struct account account_of(struct process *process) {
    return (struct account){process, process ? process->made_ns : 0};
}

struct process *account_find(struct account account) {
    bool there = account.made_ns && pool_has(&shared->processes, account.process) &&
                 account.process->made_ns == account.made_ns;
    return there ? account.process : NULL;
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
    list_add_tail(waiter->bell ? &shared->bells : &waiter->process->waiters, &waiter->link);
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

void waiter_let_go(struct waiter *waiter) {
    struct epoll_set *set = waiter->set;
    struct socket *socket = waiter->socket;
    if (socket && waiter->writing)
        socket->blocked_writers--;
    waiter->set = NULL;
    waiter->socket = NULL;
    waiter->writing = false;
    if (set && !waiter->bell)
        epoll_set_drop(set);
    if (socket)
        socket_drop(socket);
}

void waiters_let_go(struct process *process) {
    struct list *link, *next;
    list_for_each(link, next, &process->waiters) waiter_let_go(container_of(link, struct waiter, link));
}

void waiter_release(struct waiter *waiter) {
    if (waiter->sleeping && waiter->word && !waiter->bell && !shared->broken)
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
    bool rung = waiter->bell && waiter->word; /* whoever has the kernel's set would hear it for ever */
    waiter->process = NULL;
    waiter->bell = waiter->sleeping = false;
    list_add_tail(&shared->ended, &waiter->link);
    shared->ended_count += rung ? ENDED_AT_ONCE : 1;
    if (shared->ended_count >= ENDED_AT_ONCE)
        wake_keeper();
}

void process_settle(struct process *process) {
    struct list *link;
    while ((link = list_first(&process->waiters)))
        waiter_release(container_of(link, struct waiter, link));
    frames_settle(process);
    estate_leave(process);
    list_remove(&process->link);
    pool_return(&shared->processes, process);
}
