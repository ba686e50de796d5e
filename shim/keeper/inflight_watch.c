/* SPDX-License-Identifier: MIT */
/*
 * inflight_watch.c - which sockets in flight somebody can still receive: see inflight.h.
 */
#include "shim/keeper/keeper.h"
#include "shim/region/inflight.h"
#include "shim/region/lock.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static int set = -1; /* an epoll set that nobody waits for */
static uint64_t delay_ms = INFLIGHT_CHECK_MS;

void inflight_watch_take(uint64_t number, int descriptor) {
    struct epoll_event event = {.events = 0, .data.u64 = number};
    if (set < 0)
        set = epoll_create1(EPOLL_CLOEXEC);
    /* The same number was another's before, or the same object's in an earlier flight. */
    bool listed = epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) == 0 ||
                  epoll_ctl(set, EPOLL_CTL_MOD, descriptor, &event) == 0;
    close(descriptor);
    if (!listed)
        return; /* so it lasts as long as its sender */
    region_enter();
    inflight_list(number);
    region_leave();
}

uint64_t inflight_watch_delay_ms(void) {
    uint64_t now_ms = delay_ms;
    if (shared->inflight_changed)
        now_ms = INFLIGHT_CHECK_MS;
    shared->inflight_changed = false;
    delay_ms = now_ms * 2 < INFLIGHT_CHECK_MAX_MS ? now_ms * 2 : INFLIGHT_CHECK_MAX_MS;
    return now_ms;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The numbers of what the set lists, unsorted. Returns whether it could be read to its end. */
static bool read_set(uint64_t **numbers, size_t *count) {
    char path[40], line[256];
    size_t room = 0;
    unsigned long long number;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", set);
    FILE *info = fopen(path, "re");
    while (info && fgets(line, sizeof line, info)) {
        if (sscanf(line, "tfd: %*d events: %*x data: %llx", &number) != 1)
            continue;
        if (*count == room) {
            room = room ? room * 2 : 256;
            uint64_t *grown = realloc(*numbers, room * sizeof *grown);
            if (!grown)
                break;
            *numbers = grown;
        }
        (*numbers)[(*count)++] = number;
    }
    bool whole = info && feof(info);
    if (info)
        fclose(info);
    return whole;
}

void inflight_watch_check(void) {
    uint64_t *numbers = NULL;
    size_t count = 0;
    if (set < 0 || read_set(&numbers, &count)) {
        if (count > 0)
            qsort(numbers, count, sizeof *numbers, compare);
        region_enter();
        if (!shared->broken)
            inflight_expire(numbers, count);
        region_leave();
    }
    free(numbers);
}
