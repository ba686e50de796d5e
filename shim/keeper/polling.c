/* SPDX-License-Identifier: MIT */
/*
 * polling.c - a program that is at work is left to take in its own frames.
 *
 * Theory of operation. A frame that comes while no thread sleeps on the NIC would wake the keeper, on another
 * processor, to do what the program does anyway when it calls next: a wake-up for each batch, and two who
 * want the lock. So, once that has happened with a program that can receive by itself, the keeper does not
 * watch the NIC any more but looks at it every half a millisecond (a tick), and takes in what lies there only
 * if the program has not received since the tick before. What is sent may wait for a tick, too, when the
 * program is in the middle of a batch of events (frames.h). After some ticks without work the NIC is watched
 * again, and the keeper sleeps.
 */
#include "shim/keeper/keeper.h"
#include "shim/region/frames.h"
#include "shim/region/lock.h"
#include "shim/region/wake.h"

#define IDLE_POLLS 4

static struct {
    uint32_t number; /* of the last turn to receive */
    int idle;        /* ticks since there was one */
} last;

/* A process that receives by itself, one that sleeps on the NIC if there is any; or NULL. The lock is held.
 */
static const struct process *receiver(void) {
    const struct process *found = NULL;
    struct list *link, *next;
    if (shared->broken || shared->offloaded || !(keeper.nic->facts.features & NIC_SHARED))
        return NULL;
    list_for_each(link, next, &shared->process_list) {
        const struct process *process = container_of(link, struct process, link);
        if (process->receives && (!found || process->poller))
            found = process;
    }
    return found;
}

void polling_begin(void) {
    region_enter();
    bool begins = !shared->polling && !shared->bulk_receive && receiver();
    if (begins) {
        shared->polling = true;
        last.number = shared->receiving.number;
        last.idle = 0;
    }
    region_leave();
    if (begins)
        keeper_watch_nic_not();
}

void polling_step(void) {
    region_enter();
    const struct process *process = receiver();
    bool at_work = shared->receiving.number != last.number, sleeps = process && process->poller;
    if (!shared->broken && stack_deadline(&shared->stack) <= shared->stack.now_ns)
        stack_advance(&shared->stack, shared->stack.now_ns);
    region_leave(); /* what waits to be sent leaves */
    last.idle = at_work ? 0 : last.idle + 1;
    if (!process || shared->bulk_receive || last.idle > IDLE_POLLS)
        keeper_watch_nic();
    else if (!at_work && !sleeps)
        keeper_frames_receive();
    last.number = shared->receiving.number;
}
