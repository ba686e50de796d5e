/* SPDX-License-Identifier: MIT */
/*
 * receiving.c - see receiving.h.
 */
#include "shim/region/receiving.h"

#define BULK_BYTES 8192 /* received at once, ... */
#define BULK_FRAME 1000 /* ... so many a frame: that is bulk */

bool receiving_came(struct receiving *receiving, enum receiver receiver) {
    if (receiving->state != RECEIVING_WATCHED || receiving->bulk || receiver == RECEIVER_NONE)
        return false;
    receiving->state = RECEIVING_POLLED;
    receiving->at_work = false;
    receiving->idle_ticks = 0;
    return true;
}

enum receiving_step receiving_tick(struct receiving *receiving, enum receiver receiver) {
    bool at_work = receiving->at_work;
    receiving->at_work = false;
    receiving->idle_ticks = at_work ? 0 : receiving->idle_ticks + 1;
    if (receiver == RECEIVER_NONE || receiving->bulk || receiving->idle_ticks > RECEIVING_IDLE_TICKS)
        return RECEIVING_WATCH;
    return at_work || receiver == RECEIVER_SLEEPS ? RECEIVING_LEAVE : RECEIVING_TAKE;
}

bool receiving_watch(struct receiving *receiving) {
    bool polled = receiving->state == RECEIVING_POLLED;
    if (polled)
        receiving->state = RECEIVING_WATCHED;
    return polled;
}

bool receiving_offload(struct receiving *receiving, bool offloaded) {
    bool was = receiving->state == RECEIVING_OFFLOADED;
    if (offloaded != was)
        receiving->state = offloaded ? RECEIVING_OFFLOADED : RECEIVING_WATCHED;
    return offloaded != was;
}

bool receiving_begin(struct receiving *receiving, struct process *process, bool is_keeper, uint64_t now_ns,
                     uint32_t *number) {
    struct lease *lease = &receiving->lease;
    bool stale = is_keeper && lease->owner != process && now_ns - lease->since_ns > RECEIVING_LEASE_NS;
    if (lease->owner && !stale) {
        receiving_await(receiving);
        return false;
    }
    *number = lease_begin(lease, process, now_ns);
    receiving->at_work |= !is_keeper;
    return true;
}

bool receiving_end(struct receiving *receiving, const struct process *process, uint32_t number, int frames,
                   uint32_t bytes) {
    bool awaited = receiving->lease.awaited;
    receiving->lease.awaited = false;
    lease_end(&receiving->lease, process, number);
    if (frames > 0)
        atomic_store_explicit(&receiving->bulk, bytes >= BULK_BYTES && bytes >= (uint32_t)frames * BULK_FRAME,
                              memory_order_relaxed);
    return awaited;
}
