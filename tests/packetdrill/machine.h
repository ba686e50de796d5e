/* SPDX-License-Identifier: MIT */
/*
 * machine.h - the machine that a packetdrill script believes to run on: one stack, a virtual clock, a link
 * whose far end is the script, and threads that block in system calls.
 *
 * Time passes only in machine_sleep and machine_receive, from one deadline of the stack to the next, and by a
 * microsecond whenever somebody reads the clock, so that who spins on it gets on. packetdrill has two
 * threads: the script's, and one that makes calls which may block; both wait for an event's time to come. A
 * call that has become able to go on does so before time passes any further, and its thread reads the clock
 * before that, too: the times that a script checks are exact.
 */
#ifndef TESTS_PACKETDRILL_MACHINE_H
#define TESTS_PACKETDRILL_MACHINE_H

#include "stack/stack.h"

#define MACHINE_MTU 1500u
#define MACHINE_MTU_MAX 9000u

struct machine {
    struct stack *stack;
    uint64_t now_ns; /* since the epoch */
};

/* Makes the machine, with an address. `address` may be changed by machine_adopt as long as nothing has
 * happened. */
void machine_create(struct ip_address address, uint16_t mtu);
void machine_destroy(void);
extern struct machine machine;

/* Around everything that touches the stack. Enter reads the sysctl tree of the network namespace; leave lets
 * the stack work and wakes who can go on. */
void machine_enter(void);
void machine_leave(void);

/* In a call that can't go on: waits until it is worth another try. False: the deadline (UINT64_MAX: none) has
 * passed. Between enter and leave. */
bool machine_wait(uint64_t deadline_ns);

/* The script uses this address for its own: takes it when nothing has been connected yet. */
void machine_adopt(struct ip_address address);

void machine_sleep(uint64_t ns);
uint64_t machine_clock(void); /* ns since the epoch; also tells that a blocked call's thread has gone on */

/* IP packets into the stack, and out of it. Receive waits for one; false when none will come. */
void machine_send(const void *packet, size_t length);
bool machine_receive(void *packet, size_t *length, uint64_t *at_ns);

#endif
