/* SPDX-License-Identifier: MIT */
/*
 * frames.h - frames from the stack to the NIC, and back: by whoever has something to do there and can reach
 * it, a program's thread or the keeper.
 *
 * One at a time sends, and one at a time receives: it is somebody's turn. A turn is short, but its owner may
 * be killed or stopped in it; the keeper takes it away then.
 */
#ifndef SHIM_REGION_FRAMES_H
#define SHIM_REGION_FRAMES_H

#include "shim/region/region.h"

/* This process's way to the NIC; NULL: it has none, and the keeper moves the frames. */
extern struct nic *frames_nic;

/* Whether a frame that is made now will be sent by this thread when it lets the lock go, before anybody else
 * can: its payload may be lent then (socket_message.borrow). It will be the first. The lock is held. */
bool frames_may_borrow(void);

/* The lock is let go, and this thread sends nothing: what it has lent after all is copied. */
void frames_materialise(void);

/* Takes the turn to send, and the frames that wait, as many as go at once; their buffers are held by the
 * stack's ring. The lock is held. Returns how many; 0: there are none, or it is somebody else's turn. */
int frames_tx_acquire(void);

/* Sends what was taken. The lock is not held. Returns how many the NIC took. */
int frames_tx_submit(int count);

/* So many are sent, and the turn is over. The lock is held again. */
void frames_tx_complete(int count);

/* This process uses its way to the NIC no more: the keeper moves the frames. Returns when no thread of its
 * own is at it: what was frames_nic, whose descriptor nobody uses; NULL: there was none, or it is still in
 * use. The lock is not held. */
struct nic *frames_leave_nic(void);

/* Whether a thread of this process is sending. The lock is held. */
bool frames_sending(void);

/* Whether this process can receive by itself: it has a way to the NIC. */
bool frames_may_receive(void);

/* Takes the turn to receive, and buffers to receive into. The lock is held. False: it is somebody else's
 * turn, who looks again when he is done; or memory is out. */
bool frames_rx_acquire(void);

/* Receives what has come. The lock is not held. Returns how many frames, or what nic_receive says is wrong.
 */
int frames_rx_read(void);

/* Hands so many frames to the stack; the turn is over. The lock is held again. Returns whether there may be
 * more. */
bool frames_rx_complete(int count);

/* All of that, as often as there are more. Neither is the lock held nor has this thread a turn. Returns a
 * negative errno when something is wrong with the NIC; -EPERM: this process may not, and the keeper does not
 * know of the frames; or -EAGAIN: there are so many that whoever receives should do something else, too. */
int frames_rx_poll(void);

/* Frames that a program sends one by one while it works off a batch of events leave together: a system call,
 * and a wake-up at the other end, is paid once. A wait has given this thread so many events; it sends on the
 * socket of one. Once that is done, or the program waits again, or DEFER_NS later, nothing is held back any
 * more; the keeper's next tick sends what is left behind, and without ticks nothing is held back at all. */
void frames_coalesce(int events);
void frames_coalesced(const struct socket *socket);

/* Whether what waits to be sent may wait for more. The lock is held. */
bool frames_are_coalescing(void);

/* Whether this process should take in frames, since that was last done so long ago and nobody else will. The
 * lock is held. */
bool frames_rx_is_due(uint64_t age_ns);

/* Takes them in then; the lock is held, and let go meanwhile. */
void frames_rx_poll_due_at(struct lock_place *place, uint64_t age_ns);
#define frames_rx_poll_due(age_ns) frames_rx_poll_due_at(LOCK_PLACE, age_ns)
#define FRAMES_AGE_CALL_NS 100000       /* at any call */
#define FRAMES_AGE_LOOK_NS 5000         /* when there is nothing for who does not want to wait */
#define FRAMES_POLL_NS UINT64_C(500000) /* polling.c */

/* Whether frames wait that nobody is about to send. The lock is held. */
bool frames_wait(void);

/* In a child that fork has made. */
void frames_forked(void);

/* Ends the turns of a process that has died, and gives its buffers back. The lock is held. */
void frames_reap(struct process *process);

/* In a repair: holds the buffers that frames are received into. */
void frames_hold(void);

/* After a repair: nothing that was taken is good any more. The lock is held. */
void frames_repair(void);

#endif
