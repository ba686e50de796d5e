/* SPDX-License-Identifier: MIT */
/*
 * offload_control.c - a program that has more to do than one processor can do is helped.
 *
 * Theory of operation. A program's threads take in and send their own frames (frames.h): nothing is handed
 * over, and a wake-up is saved each way. But a thread that is busy all the time may get more done if the
 * keeper, on another processor, does that for it: all frames go through the keeper then, as those of a
 * process that can't reach the NIC. Whether that is so depends on what the program does (a new connection is
 * much work for the stack, a request on an old one little), on whether there is a processor to spare, and on
 * the other side; offload.c finds out, by what goes over the NIC. Programs that have time to sleep are left
 * alone, since a hand-over costs latency; so are those that spin for its sake.
 */
#include "shim/keeper/keeper.h"
#include "shim/keeper/offload.h"
#include "shim/region/lock.h"
#include "shim/region/wake.h"
#include "stack/base/minmax.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct offload offload;
static uint64_t begun_ns, moved_bytes, own_cpu_ns; /* when the window began, and what they were then */

/* By vDSO or kernel: it sleeps for nothing. */
static uint64_t cpu_of(int pid) {
    LOCK_EXCEPTION;
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used) < 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

static uint64_t since(uint64_t *before, uint64_t now) {
    uint64_t passed = *before && now > *before ? now - *before : 0;
    *before = now;
    return passed;
}

/* The processor time, in this window, of the busiest program that can move its own frames, with what help it
 * has. The lock is held. */
static uint64_t busiest(void) {
    uint64_t most_ns = 0, own_ns = since(&own_cpu_ns, cpu_of(shared->keeper_pid));
    struct list *link, *next;
    list_for_each(link, next, &shared->process_list) {
        struct process *process = container_of(link, struct process, link);
        if (!process->receives || process->in_child_pid_namespace || process->spins)
            continue;
        most_ns = max_u64(most_ns, since(&process->cpu_ns, cpu_of(process->pid)));
    }
    return most_ns + (shared->receiving.state == RECEIVING_OFFLOADED ? own_ns : 0);
}

/* BAREWIRE_HELP=flip: a change with every window, for tests. */
static bool flips(void) {
    static int known = -1;
    const char *set = known < 0 ? getenv("BAREWIRE_HELP") : NULL;
    if (known < 0)
        known = set && !strcmp(set, "flip");
    return known;
}

void offload_control(void) {
    uint64_t now_ns = clock_now(), length_ns = now_ns - begun_ns;
    if (length_ns < OFFLOAD_WINDOW_NS || !(keeper.nic->facts.features & NIC_SHARED))
        return; /* where all frames go through the keeper in any case, nothing is to be found out */
    bool flip = flips();
    region_enter();
    bool before = shared->receiving.state == RECEIVING_OFFLOADED,
         busy = busiest() > length_ns - length_ns / 5;
    uint64_t done = shared->moved_bytes - moved_bytes;
    bool after = flip ? !before : offload_next(&offload, done, busy, length_ns, now_ns);
    bool changed = receiving_offload(&shared->receiving, after);
    moved_bytes = shared->moved_bytes;
    begun_ns = now_ns;
    region_leave();
    if (!changed)
        return;
    keeper_watch_nic(); /* whether it is to be polled is found out anew */
    wake_keeper();      /* the transmitter, to look what is due */
}
