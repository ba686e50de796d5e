/*
 * door.h - what is said at a stack's door: the keeper's UNIX socket (SOCK_SEQPACKET), one request and one
 * reply a connection.
 */
#ifndef SHIM_DOOR_H
#define SHIM_DOOR_H

#include "config.h"
#include "shared.h"

enum door_request_kind {
    DOOR_ATTACH, /* the sender joins the stack; the reply brings the region's descriptor */
    DOOR_RESUME, /* the sender is a program that exec has put in the place of one that may have had sockets */
    DOOR_WAITER, /* brings the eventfd of one of the sender's waiters */
    DOOR_DOWN,   /* end the stack */
};

enum door_status {
    DOOR_WELCOME,
    DOOR_REFUSED, /* the reply's message says why */
};

struct door_request {
    uint64_t magic;
    uint32_t version;
    uint32_t kind;
    struct config config;  /* DOOR_ATTACH */
    struct waiter *waiter; /* DOOR_WAITER */
    bool inherited;        /* DOOR_RESUME: it has descriptors that may be ours */
};

struct door_reply {
    uint64_t magic;
    uint32_t version;
    uint32_t status;
    uint64_t region_bytes;
    struct process *process; /* the sender's account */
    char message[SHARED_MESSAGE_BYTES];
};

#endif
