/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - the parts of the keeper. See README.md for what it is.
 */
#ifndef SHIM_KEEPER_KEEPER_H
#define SHIM_KEEPER_KEEPER_H

#include "nic/nic.h"
#include "shim/region/config.h"
#include "shim/region/ipc.h"
#include "shim/region/region.h"

#define KEEPER_LISTENERS (3 + (int)(CONFIG_ADDRESSES6_MAX + IP4_MORE_MAX))

struct keeper {
    struct config config;
    unsigned user; /* whose keeper this is */
    char directory[108], ipc_path[108], lock_path[116];
    int lock;         /* the locked file that makes us the only keeper of this name in its directory */
    bool leaves_lock; /* that file has something for the next keeper */
    int listeners[KEEPER_LISTENERS]; /* of our addresses, our name, our path: see ipc.h; -1: there is none */
    int region;                      /* memfd */
    int events;                      /* epoll: NIC, door, its connections, processes, leave */
    int leave;                       /* eventfd: something ended; see whether all has */
    _Atomic bool
        unsettled; /* accounts are to be looked at again: of children not yet made, of processes that leave */
    bool joined;   /* somebody has been here: not before may the keeper leave */
    struct nic *nic;
    struct nic *impaired;     /* --impair, or NULL */
    _Atomic uint32_t address; /* that the stack had when the keeper looked last */
    struct nic *guard;        /* before it, if the right to open it was borrowed; or NULL */
    struct process self;
};

extern struct keeper keeper;

/* ipc_server.c: who wants in. */
/* Takes the names of the doors, which nobody else has then: those of the addresses that the user gave, and the
 * stack's name. Returns false if another keeper has one of them. */
bool ipc_server_take_addresses(void);
bool ipc_server_take_name(void);
/* The same for a MAC address on an interface, other than the interface's own, by which nobody comes in. */
bool ipc_server_take_mac(const uint8_t mac[6]);
/* Opens them, and the one in the directory. Returns 0 or a negative errno. */
int ipc_server_open(void);
/* Once a DHCP server has given an address: that one's. False if another stack here has it. */
bool ipc_server_open_leased(uint32_t address);
/* The stack has another address now: whoever wants the one that it had does not come in here. That of the new
 * one can't be opened any more, since a confined keeper takes no names; a stack that is to be started with it
 * finds it in use on the network. */
void ipc_server_leave_address(void);
void ipc_server_accept(int ipc);
void ipc_server_request(int connection);

void ipc_server_close(void); /* nobody finds the stack any more */

/* admission.c: whether who wants in may join the stack as it is (enum ipc_status), with a line for the
 * user in message (SHARED_MESSAGE_BYTES); whether the stack gives way. */
uint32_t keeper_terms(const struct config *asked, bool resumes, char *message);
uint32_t keeper_yields(void);
/* Connections in TIME_WAIT that a stack before this one has left, which gave way to it. */
void keeper_take_over(void);

void ipc_server_again(void); /* after accept(2) has failed for want of a descriptor */

/* inflight_watch.c: sockets on their way between processes. Takes a copy of a descriptor in flight; says
 * after how long to look at them, and looks. */
void inflight_watch_take(uint64_t number, int descriptor);
uint64_t inflight_watch_delay_ms(void);
void inflight_watch_check(void);

/* keeper_frames.c: frames between the NIC and the stack. */
int keeper_frames_start(void); /* starts the transmitter's thread, too */
void keeper_frames_receive(void);
/* Waits until the stack has an address. Returns whether it has. */
bool keeper_frames_await_address(int patience_ms);
/* Gives an address of DHCP's back. */
void keeper_frames_farewell(void);
bool keeper_frames_waiting(void); /* whether any is still to be sent; the lock is held */

/* polling.c: a program that is at work is left to take in its own frames. */
void polling_begin(void); /* the NIC had something, and nobody slept on it */
void polling_step(void);

/* offload_control.c: a program that has more to do than one processor can do is helped. Called often. */
void offload_control(void);

/* netlink_monitor.c: programs' netlink sockets are told of changes. Whether a request's descriptor is kept; looks at
 * what has changed, with the lock held; when that is to be done again, with it; tells of it, without. */
bool netlink_monitor_take(const struct ipc_monitor *monitor, int descriptor);
void netlink_monitor_look(void);
uint64_t netlink_monitor_deadline(void);
void netlink_monitor_tell(void);

/* frame_owner.c: whose a frame is. */
void keeper_describe(const uint8_t *frame, uint32_t length, bool sent, uint64_t note, char *comment);

/* Adds to a comment how a connection stands; why a segment left. As barewire report reads it. */
void capture_put_sample(char *comment, const struct trace_sample *sample);
void capture_put_note(char *comment, const struct frame_note *note);

/* What an epoll event is about: the kind in the upper half, a descriptor in the lower; or a process's
 * address. */
enum keeper_event {
    KEEPER_NIC = 1,
    KEEPER_LISTENER,
    KEEPER_CONNECTION,
    KEEPER_LEAVE,
    KEEPER_PROCESS, /* with the descriptor of its pidfd */
    KEEPER_SIGNAL,
};

void keeper_call_main(void); /* the main thread looks whether all has ended */
void keeper_watch(int descriptor, enum keeper_event kind);

/* Watches the NIC, behind all other processes that do: a frame wakes the first who sleeps. */
void keeper_watch_nic(void);
void keeper_watch_nic_not(void);

/* Frees the waiters of a process whose threads are gone. The lock is held. */
void keeper_release_waiters(struct process *process);

/* Watches the processes that fork has made since. The lock is held. */
void keeper_watch_children(void);

/* Gives a leased address back, and ends the stack for everybody. */
void keeper_take_down(const char *why);

/* Says why the keeper can't go on, to the process that started it, and ends. */
_Noreturn void keeper_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
