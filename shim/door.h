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
    struct config config;    /* DOOR_ATTACH */
    struct process *process; /* DOOR_ATTACH: an account made by fork, or NULL */
    struct waiter *waiter;   /* DOOR_WAITER */
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
