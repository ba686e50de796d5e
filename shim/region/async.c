/* SPDX-License-Identifier: MIT */
/*
 * async.c - see async.h.
 */
#include "shim/region/async.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool async_confined;

static void set_owner(struct socket *socket, int type, int owner) {
    socket->async.type = (uint8_t)type;
    socket->async.owner = owner;
}

static void set_owner_by_sign(struct socket *socket, int owner) {
    set_owner(socket, owner < 0 ? F_OWNER_PGRP : F_OWNER_PID, owner < 0 ? -owner : owner);
}

static void set_async(struct socket *socket, int fd, bool on) {
    socket->async.on = on;
    socket->async.descriptor = fd;
}

void async_note_command(struct socket *socket, int fd, int command, const void *argument) {
    struct f_owner_ex owner;
    switch (command) {
    case F_SETOWN:
        set_owner_by_sign(socket, (int)(intptr_t)argument);
        break;
    case F_SETOWN_EX:
        memcpy(&owner, argument, sizeof owner);
        set_owner(socket, owner.type, owner.pid);
        break;
    case F_SETSIG:
        socket->async.signal = (uint8_t)(intptr_t)argument;
        break;
    case F_SETFL:
        set_async(socket, fd, (intptr_t)argument & O_ASYNC);
        break;
    default:
        break;
    }
}

void async_note_request(struct socket *socket, int fd, unsigned long request, const void *argument) {
    int value;
    memcpy(&value, argument, sizeof value);
    if (request == FIOASYNC)
        set_async(socket, fd, value != 0);
    else
        set_owner_by_sign(socket, value);
}

static void send_to(const struct socket_async *to, int signal, siginfo_t *info) {
    int saved = errno;
    long result = 0;
    siginfo_t plain = {.si_signo = signal, .si_code = SI_QUEUE};
    if (async_confined && to->type != F_OWNER_PGRP)
        result = syscall(SYS_rt_tgsigqueueinfo, to->owner, to->owner, signal, info ? info : &plain);
    else if (async_confined)
        return; /* a group takes a call that the sandbox may kill us for */
    else if (to->type == F_OWNER_PGRP)
        result = syscall(SYS_kill, -to->owner, signal);
    else if (to->type == F_OWNER_TID)
        result = syscall(SYS_tkill, to->owner, signal);
    else if (info)
        result = syscall(SYS_rt_sigqueueinfo, to->owner, signal, info);
    else
        result = syscall(SYS_kill, to->owner, signal);
    if (result < 0 && errno == EAGAIN && !async_confined)
        syscall(SYS_kill, to->owner,
                SIGIO); /* too many are queued: the plain one says so, as fcntl(2) has it */
    errno = saved;
}

/* fcntl(2), F_SETSIG: what happened, in si_code. A process may say such of itself only. */
static int code_of(unsigned mask) {
    if (mask & POLLPRI)
        return POLL_PRI;
    if (mask & (POLLERR | POLLHUP))
        return mask & POLLERR ? POLL_ERR : POLL_HUP;
    return mask & POLLIN ? POLL_IN : POLL_OUT;
}

void async_send(const struct async_signal *signal) {
    const struct socket_async *to = &signal->to;
    siginfo_t info;
    if (signal->urgent)
        send_to(to, SIGURG, NULL);
    if (!to->on || !signal->mask)
        return;
    if (!to->signal) {
        send_to(to, SIGIO, NULL);
        return;
    }
    memset(&info, 0, sizeof info);
    info.si_signo = to->signal;
    info.si_code = to->owner == getpid() ? code_of(signal->mask) : SI_SIGIO;
    info.si_band = (long)signal->mask;
    info.si_fd = to->descriptor;
    send_to(to, to->signal, &info);
}
