/* SPDX-License-Identifier: MIT */
/*
 * keeper_frames.c - frames between a NIC whose handle is the keeper's alone and the stack.
 *
 * Two threads. The receiver waits for the NIC, fills packet buffers without the lock, and hands a batch to
 * the stack under it. The transmitter sleeps on the doorbell until a program has something to send that it
 * can't send itself, or a timer is due. Whoever lets the lock go sends what waits (frames.h).
 */
#include "shim/keeper/keeper.h"
#include "shim/region/frames.h"
#include "shim/region/lock.h"
#include "shim/region/wake.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define BUSY_PAUSE_NS 50000 /* when the interface's queue is full */
#define BUSY_PAUSES_MAX 200 /* 10 ms, then the frame is given up, as a full queue would */
#define DOWN_PAUSE_NS 100000000
#define FAREWELL_MS 500 /* for a server that does not answer ARP */

static void pause_for(long ns) {
    struct timespec time = {0, ns};
    nanosleep(&time, NULL);
}

bool keeper_frames_waiting(void) {
    return shared->sending.owner || stack_frame(&shared->stack, 0);
}

/* A conflict that shows while the stack is young means that the address was never ours. */
#define YOUNG_NS UINT64_C(2000000000)

/* An address of IPv6 that the user gave, and somebody has, is not used (RFC 4862 section 5.4.5); of others
 * another is chosen. */
static void check_conflict6(void) {
    struct stack *stack = &shared->stack;
    const struct ip6_addresses *addresses = &stack->ip6.addresses;
    char message[SHARED_MESSAGE_BYTES], text[IP_ADDRESS_TEXT];
    bool news = addresses->conflicts != shared->conflicts6_seen;
    shared->conflicts6_seen = addresses->conflicts;
    const struct ip6_address *entry = news ? ip6_address_find(stack, addresses->conflict) : NULL;
    if (!entry || entry->origin != IP6_ADDRESS_USER)
        return;
    snprintf(message, sizeof message, "address %s is in use on the link; choose another",
             ip_text(addresses->conflict, text));
    shared->refused = true;
    shared_break(message);
    keeper_call_main();
}

static void check_conflict(void) {
    static uint64_t born_ns;
    struct stack *stack = &shared->stack;
    if (!born_ns)
        born_ns = stack->now_ns;
    bool news = stack->arp.conflicts != shared->conflicts_seen;
    shared->conflicts_seen = stack->arp.conflicts;
    if (!news || stack->dhcp.state != DHCP_OFF)
        return; /* DHCP has asked before it took the address */
    if (stack->now_ns - born_ns > YOUNG_NS)
        return; /* defended: RFC 5227 section 2.4 (b) */
    const uint8_t *mac = stack->arp.conflict_mac;
    uint32_t address = stack->arp.conflict_address;
    char message[SHARED_MESSAGE_BYTES];
    snprintf(message, sizeof message,
             "address %u.%u.%u.%u is in use on the link by %02x:%02x:%02x:%02x:%02x:%02x; choose another",
             address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255, mac[0], mac[1], mac[2],
             mac[3], mac[4], mac[5]);
    shared->refused = true;
    shared_break(message);
    keeper_call_main();
}

void keeper_frames_receive(void) {
    int result = frames_rx_poll();
    if (result == -ENETDOWN)
        pause_for(DOWN_PAUSE_NS); /* it may come up again */
    if (result == -ENETDOWN || result == -EAGAIN) {
        keeper_watch_nic(); /* which says so if there is more */
        return;
    }
    region_enter();
    if (result < 0) {
        shared_break(keeper.nic->trouble ? keeper.nic->trouble : "the interface is gone");
        keeper_call_main();
    }
    region_leave();
}

/* Receives, while the transmitter's thread sends, until that is so. */
static bool await(bool (*is_so)(const struct stack *stack), int patience_ms) {
    uint64_t end_ns = clock_now() + (uint64_t)patience_ms * UINT64_C(1000000);
    struct pollfd nic = {.fd = keeper.nic->descriptor, .events = POLLIN};
    for (;;) {
        region_enter();
        bool so = !shared->broken && is_so(&shared->stack), broken = shared->broken;
        region_leave();
        if (so || broken || clock_now() >= end_ns)
            return so;
        if (poll(&nic, 1, 20) > 0)
            keeper_frames_receive();
    }
}

static bool has_address(const struct stack *stack) {
    return stack->config.address != 0;
}

bool keeper_frames_await_address(int patience_ms) {
    return await(has_address, patience_ms);
}

static bool all_sent(const struct stack *stack) {
    return stack->transmit.count == 0 && stack->neighbours.pendings.used == 0 && !shared->sending.owner;
}

void keeper_frames_farewell(void) {
    region_enter();
    bool leased = !shared->broken && (shared->stack.dhcp.lease.address || dhcp6_is_bound(&shared->stack));
    if (leased) {
        stack_advance(&shared->stack, shared->stack.now_ns);
        dhcp_release(&shared->stack);
        dhcp6_release(&shared->stack);
    }
    region_leave();
    if (leased)
        await(all_sent, FAREWELL_MS);
}

/* Frames wait that the interface had no room for: later, then; or one is given up, as a full queue would. */
static void wait_for_room(void) {
    static uint32_t front, pauses;
    region_enter();
    bool full = !shared->broken && stack_frame(&shared->stack, 0) && !shared->sending.owner;
    if (shared->stack.transmit.first != front)
        pauses = 0;
    front = shared->stack.transmit.first;
    if (full && ++pauses > BUSY_PAUSES_MAX)
        stack_frames_sent(&shared->stack, 1);
    region_leave();
    if (full)
        pause_for(BUSY_PAUSE_NS);
}

static void *transmitter(void *unused) {
    (void)unused;
    for (;;) {
        bool concerns_main = false;
        region_enter();
        uint32_t heard = shared->doorbell; /* whoever rings from now on wants to be looked at once more */
        keeper.unsettled |= shared->unwatched;
        if (!shared->broken) {
            if (shared->begun)
                keeper_watch_children();
            shared->begun = false;
            stack_advance(&shared->stack, shared->stack.now_ns);
            check_conflict();
            check_conflict6();
            netlink_monitor_look();
            /* The main thread is to see whether all has ended, that there are flights to look after, or that
             * the address is another one. */
            concerns_main = (list_empty(&shared->process_list) && !stack_busy(&shared->stack)) ||
                            !list_empty(&shared->inflights) || keeper.unsettled ||
                            shared->ended_count >= ENDED_AT_ONCE ||
                            shared->stack.config.address != keeper.address;
        }
        region_leave(); /* sends what there is */
        if (concerns_main)
            keeper_call_main();
        netlink_monitor_tell();
        region_enter();
        bool more = !shared->broken && frames_wait();
        uint64_t deadline = shared->broken ? TIMER_NEVER : stack_deadline(&shared->stack);
        if (!shared->broken && netlink_monitor_deadline() < deadline)
            deadline = netlink_monitor_deadline();
        shared->keeper_deadline_ns = deadline;
        shared->keeper_sleeping = !more;
        region_leave();
        if (more)
            wait_for_room();
        else
            wake_sleep(&shared->doorbell, heard, deadline);
        shared->keeper_sleeping = false;
    }
    return NULL;
}

int keeper_frames_start(void) {
    pthread_t thread;
    return -pthread_create(&thread, NULL, transmitter, NULL);
}
