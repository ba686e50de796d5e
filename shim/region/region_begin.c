/* SPDX-License-Identifier: MIT */
/*
 * region_begin.c - see region_begin.h.
 */
#include "shim/region/region_begin.h"
#include "shim/region/inflight.h"
#include "shim/region/region.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

void region_begin(void) {
    struct arena *arena = &shared->stack.arena;
    list_init(&shared->process_list);
    list_init(&shared->keeper_wakes);
    list_init(&shared->inflights);
    list_init(&shared->epoll_eventfds);
    list_init(&shared->ended);
    shared->keeper_deadline_ns = TIMER_NEVER;
    pool_init(&shared->processes, arena, sizeof(struct process), 65536);
    pool_init(&shared->file_tables, arena, sizeof(struct file_table), 65536);
    pool_init(&shared->file_refs, arena, sizeof(struct file_ref), UINT32_MAX);
    pool_init(&shared->watches, arena, sizeof(struct watch), UINT32_MAX);
    pool_init(&shared->inflight_pool, arena, sizeof(struct inflight), 65536);
    pool_init(&shared->waiters, arena, sizeof(struct waiter), 65536);
    pool_init(&shared->epoll_sets, arena, sizeof(struct epoll_set), UINT32_MAX);
    pool_init(&shared->epoll_items, arena, sizeof(struct epoll_item), UINT32_MAX);
    shared->magic = SHARED_MAGIC;
    shared->version = SHARED_VERSION;
}

void region_unmapped(int error, char reason[REGION_REASON_BYTES]) {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    if (error == ENOMEM)
        getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur != RLIM_INFINITY)
        snprintf(
            reason, REGION_REASON_BYTES,
            "the hard limit to the address space (ulimit -Hv, %llu KB) leaves no room for the stack's memory "
            "of %llu MB; raise it",
            (unsigned long long)limit.rlim_max / 1024, (unsigned long long)SHARED_BYTES >> 20);
    else
        snprintf(reason, REGION_REASON_BYTES, "can't map the stack's memory: %s",
                 error ? strerror(error) : "the address is taken");
}
