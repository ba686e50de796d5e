/* SPDX-License-Identifier: MIT */
/*
 * async.h - signals that tell of a socket: SIGIO, or what F_SETSIG says, when it is ready (O_ASYNC), and
 * SIGURG when urgent data comes (fcntl(2), socket(7)).
 *
 * Whose signals they are is kept twice: by the kernel, with the descriptor, which checks what is asked for
 * and answers F_GETOWN; and in the stack's socket, for whoever notices that it is ready, in whatever process.
 */
#ifndef SHIM_REGION_ASYNC_H
#define SHIM_REGION_ASYNC_H

#include "stack/socket.h"

/* A signal to be sent once the lock is let go. */
struct async_signal {
    struct socket_async to;
    bool urgent;
    unsigned mask; /* POLLIN ... */
};

/* What a command of fcntl(2) that the kernel has carried out means for a socket. The lock is held. */
void async_note_command(struct socket *socket, int fd, int command, const void *argument);

/* The same of FIOASYNC, FIOSETOWN and SIOCSPGRP. */
void async_note_request(struct socket *socket, int fd, unsigned long request, const void *argument);

/* Whether anybody is to be signalled of this socket, which has an event. */
static inline bool async_wanted(const struct socket *socket) {
    return socket->async.owner && (socket->async.on || socket->async.urgent);
}

void async_send(const struct async_signal *signal);

/* The program has a sandbox of its own, which lets pass only what sandbox.c lists. */
extern bool async_confined;

#endif
