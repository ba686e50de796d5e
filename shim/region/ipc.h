/* SPDX-License-Identifier: MIT */
/*
 * ipc.h - what is said at a stack's door, the keeper's UNIX socket (SOCK_SEQPACKET): one question and its
 * answer, and then, over the same connection, what needs none.
 *
 * A stack has up to three kinds of doors:
 *
 *   its addresses an abstract socket that is named after interface and address. Abstract names belong to a
 * network namespace, as interfaces do, and to no directory: whatever its environment, its root and its user,
 * whoever asks for that address on that interface finds the stack that has it; and of two keepers only one
 * can bind the name. its name      an abstract socket that is named after the user and the stack: for who
 * knows no more than that its path      a socket in the user's directory, for who knows the name, in another
 * network namespace
 *
 * Anybody can bind an abstract name, and connect to it. So both sides look at the other's user (SO_PEERCRED).
 */
#ifndef SHIM_REGION_IPC_H
#define SHIM_REGION_IPC_H

#include "shim/region/config.h"
#include "shim/region/region.h"
#include <sys/socket.h>
#include <sys/un.h>

enum ipc_request_kind {
    IPC_DOWN,   /* end the stack; the same in all versions, with any request that begins with a ipc_header */
    IPC_ATTACH, /* the sender joins the stack; the reply brings the region's descriptor */
    IPC_RESUME, /* the sender is a program that exec has put in the place of one that may have had sockets */
    IPC_CHILD,  /* brings a pidfd of a child of the sender's, whose number the sender doesn't know; no reply
                 */
    IPC_LOOK,   /* the sender looks at the stack, and is no part of it; the reply brings the region's
                    descriptor */
    IPC_POLLER, /* the sender watches the NIC, too, or has found that something is wrong with it; no reply */
    IPC_TRACE,  /* like IPC_LOOK, and the stack notes what happens as long as the connection lasts */
    IPC_LOCK,   /* like IPC_LOOK, and how long the stack's lock is held is noted as long as the connection
                    lasts */
    IPC_WAITER, /* brings the eventfd of one of the sender's waiters, and gets no reply */
    IPC_INFLIGHT, /* brings a copy of a socket's descriptor that the sender is about to pass on, and gets no
                    reply */
    IPC_REMOTE_EVENTFD, /* the sender wants to wake a waiter of another process's; the reply brings its
                           eventfd */
    IPC_MONITOR, /* brings the socket by which a netlink socket of the sender's is to be told of changes, and gets no
                    reply */
    IPC_YIELD, /* the sender wants to start another stack in the place of this one, if nobody uses it and its
                   connections are all in TIME_WAIT; the same in all versions */
};

enum ipc_status {
    IPC_WELCOME,
    IPC_REFUSED, /* the reply's message says why */
    IPC_YIELDS,  /* nobody uses this stack: it ends, and another one may be started */
    IPC_CLOSING, /* nobody does, but not all that programs have left has been sent: ask again */
};

/* How requests and replies begin, in all versions. */
struct ipc_header {
    uint64_t magic;
    uint32_t version;
    uint32_t kind; /* of a request; of a reply, its status */
};

/* Groups of rtnetlink(7), a bit each, of which the netlink socket at a port is a member; 0: of none any more. */
struct ipc_monitor {
    uint64_t groups;
    uint32_t port;
    uint32_t number; /* shared->monitors_taken is that when it has been noted */
};

struct ipc_request {
    struct ipc_header header;
    struct config config;         /* IPC_ATTACH */
    struct waiter *waiter;        /* IPC_WAITER, IPC_REMOTE_EVENTFD: its place ... */
    uint32_t waiter_number;       /* ... which may be another's by the time that the keeper looks */
    uint64_t inflight;            /* IPC_INFLIGHT: its number */
    struct ipc_monitor monitor;   /* IPC_MONITOR */
    bool inherited;               /* IPC_RESUME: it has descriptors that may be ours */
    struct process_record record; /* IPC_RESUME: made for it by its parent, or none; IPC_CHILD: the child's */
};

struct ipc_reply {
    struct ipc_header header;
    uint64_t region_bytes;
    uint64_t clock_ns, realtime_offset; /* the keeper's clock_now and clock_realtime_offset */
    struct process *process;            /* the sender's account */
    uint32_t waiter_number;             /* IPC_REMOTE_EVENTFD: as in the request */
    char message[SHARED_MESSAGE_BYTES]; /* of a welcome: something that the user should know, or nothing */
};

/* Where a door is. */
struct ipc_address {
    struct sockaddr_un address;
    socklen_t length; /* 0: nowhere */
};

/* The door of the stack that has an address, of either family, on a NIC. `interface`: the number of a packet:'s
 * or pcap:'s interface, which is the same one to both kinds; 0 for others. Nowhere without an address; with
 * --nic passt, whose network is each stack's own; and where there is no such interface. */
struct ipc_address ipc_of_address(const char *nic, unsigned interface, struct ip_address address);

/* The door of a user's stack of that name. */
struct ipc_address ipc_of_name(unsigned user, const char *name);

/* What stands for a MAC address on an interface: nobody listens there. */
struct ipc_address ipc_of_mac(unsigned interface, const uint8_t mac[6]);

/* The door at a path. Nowhere when the path is too long. */
struct ipc_address ipc_of_path(const char *directory, const char *name);

/* Connects to a door. Returns a descriptor, and in *user who listens there; or a negative errno:
 * -ECONNREFUSED or -ENOENT: nobody does. */
int ipc_connect(const struct ipc_address *place, unsigned *user);

/* The descriptors that may go beside a message; -1: none. A second one only with a first. */
struct ipc_ancillary {
    int first;  /* of a reply: the region; of a request: what its kind says */
    int second; /* of a reply to who joins: the NIC, when it can be shared */
};

#define IPC_NOTHING ((struct ipc_ancillary){-1, -1})

/* Room for them. */
union ipc_control {
    char bytes[CMSG_SPACE(sizeof(struct ipc_ancillary))];
    struct cmsghdr align;
};

/* Puts descriptors beside a message that is to be sent. */
void ipc_put_ancillary(struct msghdr *message, union ipc_control *control, struct ipc_ancillary ancillary);

/* The descriptors that came beside a received message. */
struct ipc_ancillary ipc_taken_ancillary(struct msghdr *message);

#endif
