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

/* Who of the processes takes frames in by itself, beside the keeper. The lock is held. */
static enum receiver receiver(void) {
    enum receiver found = RECEIVER_NONE;
    struct list *link, *next;
    if (shared->broken || !(keeper.nic->facts.features & NIC_SHARED))
        return RECEIVER_NONE;
    list_for_each(link, next, &shared->process_list) {
        const struct process *process = container_of(link, struct process, link);
        if (process->receives && process->poller)
            return RECEIVER_SLEEPS;
        if (process->receives)
            found = RECEIVER_AT_CALLS;
    }
    return found;
}

void polling_begin(void) {
    region_enter();
    bool begins = receiving_came(&shared->receiving, receiver());
    region_leave();
    if (begins)
        keeper_watch_nic_not();
}

void polling_step(void) {
    region_enter();
    enum receiving_step step = receiving_tick(&shared->receiving, receiver());
    if (!shared->broken && stack_deadline(&shared->stack) <= shared->stack.now_ns)
        stack_advance(&shared->stack, shared->stack.now_ns);
    region_leave(); /* what waits to be sent leaves */
    if (step == RECEIVING_WATCH)
        keeper_watch_nic();
    else if (step == RECEIVING_TAKE)
        keeper_frames_receive();
}
