/* SPDX-License-Identifier: MIT */
/*
 * lock_stats.c - `barewire stats --lock`: how long a live stack's lock is held, and waited for, by the
 * function that takes it.
 */
#include "shim/keeper/tools/tool.h"
#include "shim/region/lock_profile.h"
#include "shim/region/region.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double microseconds(uint64_t ns) {
    return (double)ns / 1e3;
}

static double share(const struct lock_times *times, int seconds) {
    return (double)times->sum_ns / (seconds * 1e7);
}

static void show_line(const struct lock_place_profile *place, int seconds) {
    const struct lock_times *held = &place->held, *waited = &place->waited;
    printf("%-24s %9llu %6.2f %8.2f %8.2f %8.2f %9.2f %6.2f %8.2f %8.2f %9.2f\n", place->name,
           (unsigned long long)held->count, share(held, seconds),
           held->count ? microseconds(held->sum_ns) / (double)held->count : 0,
           microseconds(lock_times_quantile(held, 0.5)), microseconds(lock_times_quantile(held, 0.99)),
           microseconds(lock_times_quantile(held, 1)), share(waited, seconds),
           microseconds(lock_times_quantile(waited, 0.5)), microseconds(lock_times_quantile(waited, 0.99)),
           microseconds(lock_times_quantile(waited, 1)));
}

static void show_times(const char *name, const struct lock_times *times) {
    printf("\"%s\":{\"ns\":%llu,\"columns\":[", name, (unsigned long long)times->sum_ns);
    const char *comma = "";
    for (uint32_t column = 0; column < LOCK_TIMES; column++)
        if (times->columns[column]) {
            printf("%s[%llu,%u]", comma, (unsigned long long)lock_times_most(column), times->columns[column]);
            comma = ",";
        }
    printf("]}");
}

static void show_json(const struct lock_place_profile *place, bool first) {
    printf("%s{\"place\":\"%s\",\"count\":%llu,", first ? "" : ",", place->name,
           (unsigned long long)place->held.count);
    show_times("held", &place->held);
    printf(",");
    show_times("waited", &place->waited);
    printf("}");
}

static int by_time(const void *a, const void *b) {
    const struct lock_place_profile *first = a, *second = b;
    return (first->held.sum_ns < second->held.sum_ns) - (first->held.sum_ns > second->held.sum_ns);
}

static void add(struct lock_times *to, const struct lock_times *from) {
    to->count += from->count;
    to->sum_ns += from->sum_ns;
    for (int column = 0; column < LOCK_TIMES; column++)
        to->columns[column] += from->columns[column];
}

int tool_lock(int seconds, bool json) {
    static struct lock_profile before, after;
    static struct lock_place_profile all = {.name = "all"};
    int failed = tool_look(IPC_LOCK);
    if (failed)
        return failed;
    memcpy(&before, &shared->lock_profile, sizeof before);
    struct timespec left = {.tv_sec = seconds};
    while (nanosleep(&left, &left) < 0)
        continue;
    memcpy(&after, &shared->lock_profile, sizeof after);
    uint32_t count = after.count < LOCK_PLACES_MAX ? after.count : LOCK_PLACES_MAX;
    for (uint32_t i = 0; i < count; i++) {
        lock_times_since(&after.places[i].held, &before.places[i].held);
        lock_times_since(&after.places[i].waited, &before.places[i].waited);
        add(&all.held, &after.places[i].held);
        add(&all.waited, &after.places[i].waited);
    }
    qsort(after.places, count, sizeof *after.places, by_time);
    if (json)
        printf("{\"seconds\":%d,\"places\":[", seconds);
    else
        printf("%-24s %9s %6s %8s %8s %8s %9s %6s %8s %8s %9s\n", "Times in us", "Times", "Held %", "average",
               "median", "99 %", "longest", "Wait %", "median", "99 %", "longest");
    bool first = true;
    for (uint32_t i = 0; i < count; i++) {
        if (!after.places[i].held.count)
            continue;
        if (json)
            show_json(&after.places[i], first);
        else
            show_line(&after.places[i], seconds);
        first = false;
    }
    if (json)
        printf("]}\n");
    else
        show_line(&all, seconds);
    return 0;
}
