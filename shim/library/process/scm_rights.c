/* SPDX-License-Identifier: MIT */
/*
 * scm_rights.c - see scm_rights.h.
 */
#include "shim/library/process/scm_rights.h"
#include "shim/library/calls/call.h"
#include "shim/library/memory.h"
#include "shim/library/process/after_exec.h"
#include "shim/library/user_memory.h"
#include "shim/library/wait/epoll_set.h"
#include "shim/region/inflight.h"
#include "shim/region/wake.h"
#include <string.h>

#define CONTROL_FEW 1024 /* bytes of control messages: 253 descriptors at most are in one */
#define CONTROL_MOST 131072u

/* pidfd_getfd(2): a copy of another process's descriptor. */
EXPORT int pidfd_getfd(int pidfd, int target, unsigned flags) {
    CALL_BEGINS;
    int fd = LIBC(pidfd_getfd)(pidfd, target, flags);
    if (fd >= 0) {
        epoll_arrived(fd, false);
        resume_received(fd);
    }
    return (int)call_told(fd);
}

static void each_of(struct msghdr *message, void (*visit)(int fd)) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
            header->cmsg_len < CMSG_LEN(sizeof(int)))
            continue;
        size_t room = (size_t)((char *)message->msg_control + message->msg_controllen - (char *)header);
        size_t length = header->cmsg_len < room ? header->cmsg_len : room;
        size_t count = (length - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            visit(fd);
        }
    }
}

/* The message is the program's; what can't be read of it the kernel says. */
static void each_passed(const struct msghdr *message, void (*visit)(int fd)) {
    char few[CONTROL_FEW];
    struct msghdr copy;
    if (user_read(&copy, message, sizeof copy) || !copy.msg_control ||
        copy.msg_controllen < sizeof(struct cmsghdr) || copy.msg_controllen > CONTROL_MOST)
        return;
    void *given = copy.msg_control;
    copy.msg_control = copy.msg_controllen <= sizeof few ? few : memory_take(copy.msg_controllen);
    if (copy.msg_control && !user_read(copy.msg_control, given, copy.msg_controllen))
        each_of(&copy, visit);
    if (copy.msg_control != few)
        memory_give(copy.msg_control);
}

/* Takes the lock for a descriptor that may be ours; NULL, without the lock, when it is not. */
static struct socket *enter_if_ours(int fd) {
    int error;
    return descriptor_socket(fd) ? call_enter(fd, &error) : NULL;
}

static void take_off(int fd) {
    epoll_passed(fd);
    struct socket *socket = enter_if_ours(fd);
    if (!socket)
        return;
    struct ipc_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, IPC_INFLIGHT},
                                  .inflight = inflight_begin(socket)};
    region_leave();
    if (request.inflight)
        attach_tell(&request, fd);
    wake_keeper(); /* who looks after flights from now on */
}

static void come_back(int fd) {
    epoll_not_passed(fd);
    struct socket *socket = enter_if_ours(fd);
    if (!socket)
        return;
    inflight_end(socket);
    region_leave();
}

void passing_out(const struct msghdr *message, bool failed) {
    if (descriptor_any)
        each_passed(message, failed ? come_back : take_off);
}

/* A look at a message (MSG_PEEK) gives copies, and leaves the message where it is. */
static void look(int fd) {
    epoll_arrived(fd, false);
    resume_received(fd);
}

static void land(int fd) {
    epoll_arrived(fd, true);
    struct socket *socket = resume_received(fd);
    if (!socket)
        return;
    region_enter();
    if (!shared->broken && descriptor_socket(fd) == socket)
        inflight_end(socket);
    region_leave();
}

void passing_in(struct msghdr *message, int flags) {
    each_passed(message, flags & MSG_PEEK ? look : land);
}
