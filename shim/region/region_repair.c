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
    if (process->estate && pool_has(&shared->estates, process->estate)) {
        process->estate->processes++;
        pool_mark(&shared->estates, process->estate);
    } else {
        process->estate = NULL;
    }
    list_init(&process->waiters);
    process->poller = NULL;
    list_add_tail(&shared->process_list, &process->link);
    if (process->pid == 0 && !is_process(process->maker)) {
        process->maker = NULL;
        process->unborn_until_ns = clock_now() + UNBORN_SOON_NS; /* its parent may have died in fork */
    }
}

static void forget_holders(void *object, void *context) {
    struct socket *socket = object;
    (void)context;
    socket->holders = 0;
}

static void repair_epoll_set(void *object, void *context) {
    struct epoll_set *set = object;
    (void)context;
    set->holders = set->passed;
    if (set->passed)
        pool_mark(&shared->epoll_sets, set);
    set->bell = NULL;
    list_init(&set->items);
    list_init(&set->ready);
    list_init(&set->waiters);
}

static void repair_estate(void *object, void *context) {
    struct estate *estate = object;
    (void)context;
    estate->processes = 0;
    list_init(&estate->holdings);
}

static void repair_holding(void *object, void *context) {
    struct holding *holding = object;
    (void)context;
    if (!pool_has(&shared->estates, holding->estate) || holding->estate->processes == 0)
        return;
    if (holding->kind == HOLDING_SOCKET && pool_has(&shared->stack.sockets, holding->socket)) {
        holding->socket->holders++;
    } else if (holding->kind == HOLDING_EPOLL && pool_has(&shared->epoll_sets, holding->epoll)) {
        holding->epoll->holders++;
        pool_mark(&shared->epoll_sets, holding->epoll);
    } else {
        return;
    }
    pool_mark(&shared->holdings, holding);
    list_init(&holding->link);
    list_add_tail(&holding->estate->holdings, &holding->link);
}

static void repair_flight(void *object, void *context) {
    struct flight *flight = object;
    (void)context;
    if (!pool_has(&shared->stack.sockets, flight->socket))
        return;
    pool_mark(&shared->flights_pool, flight);
    flight->socket->holders++;
    shared->flights_changed = true;
    list_init(&flight->link);
    list_add_tail(&shared->flights, &flight->link);
}

/* A call that is under way has what it works on, whoever closed that meanwhile. */
static void repair_waiter(void *object, void *context) {
    struct waiter *waiter = object;
    (void)context;
    if (waiter->bell || !is_process(waiter->process))
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
}

/* Bells of sets that are left; each tells once more, and whoever looks finds out whether there is anything.
 */
static void repair_bell(void *object, void *context) {
    struct waiter *waiter = object;
    (void)context;
    if (!waiter->bell || !pool_has(&shared->epoll_sets, waiter->set) || waiter->set->holders == 0 ||
        waiter->set->bell)
        return;
    pool_mark(&shared->waiters, waiter);
    waiter_enter(waiter);
    waiter->set->bell = waiter;
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
    waiter->bell = false;
    list_init(&waiter->link);
    list_add_tail(&shared->ended, &waiter->link);
    shared->ended_count++;
}

bool shared_repair(void) {
    struct pool *pools[] = {&shared->processes,    &shared->holdings,   &shared->watches,
                            &shared->waiters,      &shared->epoll_sets, &shared->epoll_items,
                            &shared->flights_pool, &shared->estates};
    size_t count = sizeof pools / sizeof *pools;
    stack_repair_memory(&shared->stack);
    for (size_t i = 0; i < count; i++)
        pool_repair(pools[i]);
    list_init(&shared->process_list);
    list_init(&shared->flights);
    list_init(&shared->bells);
    list_init(&shared->ended);
    shared->ended_count = 0;
    list_init(&shared->keeper_wakes);
    memset(shared->names, 0, sizeof shared->names);
    pool_walk(&shared->stack.sockets, forget_holders, NULL);
    pool_walk(&shared->epoll_sets, repair_epoll_set, NULL);
    pool_walk(&shared->estates, repair_estate, NULL);
    pool_walk(&shared->processes, repair_process, NULL);
    pool_walk(&shared->holdings, repair_holding, NULL);
    pool_walk(&shared->flights_pool, repair_flight, NULL);
    pool_walk(&shared->waiters, repair_waiter, NULL);
    pool_walk(&shared->waiters, repair_bell, NULL);
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
