/* SPDX-License-Identifier: MIT */
/*
 * descriptors.c - see descriptors.h.
 */
#include "tests/packetdrill/descriptors.h"
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MS_NS UINT64_C(1000000)

static struct descriptor table[DESCRIPTORS_MAX];

int descriptor_add(enum kind kind, void *object) {
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fd >= DESCRIPTORS_MAX) {
        close(fd);
        return -EMFILE;
    }
    table[fd] = (struct descriptor){.kind = kind, .socket = object};
    if (kind == SOCKET)
        table[fd].socket->name = (uint64_t)fd;
    return fd;
}

struct descriptor *descriptor_of(int fd) {
    return fd >= 0 && fd < DESCRIPTORS_MAX && table[fd].kind != UNUSED && !table[fd].closed ? &table[fd]
                                                                                            : NULL;
}

void descriptor_drop(int fd) {
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        for (int j = 0; table[i].kind == EPOLL && j < WATCHED_MAX; j++)
            if (table[i].epoll->watched[j].fd == fd)
                table[i].epoll->watched[j].fd = 0;
    table[fd] = (struct descriptor){0};
    close(fd);
}

static bool epoll_ready(struct epoll *epoll) {
    for (int i = 0; i < WATCHED_MAX; i++) {
        struct descriptor *watched = epoll->watched[i].fd ? descriptor_of(epoll->watched[i].fd) : NULL;
        if (watched && descriptor_ready(watched) & epoll->watched[i].events)
            return true;
    }
    return false;
}

unsigned descriptor_ready(struct descriptor *descriptor) {
    switch (descriptor->kind) {
    case SOCKET:
        return socket_poll(machine.stack, descriptor->socket);
    case EPOLL:
        return epoll_ready(descriptor->epoll) ? POLLIN : 0;
    case PIPE_READ:
        return descriptor->pipe->length > 0 ? POLLIN | POLLRDNORM : 0;
    case PIPE_WRITE:
        return descriptor->pipe->length < PIPE_BYTES ? POLLOUT | POLLWRNORM : 0;
    default:
        return POLLNVAL;
    }
}

static uint64_t deadline_after(int timeout_ms) {
    return timeout_ms < 0 ? UINT64_MAX : machine.now_ns + (uint64_t)timeout_ms * MS_NS;
}

int descriptors_poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
    uint64_t deadline = deadline_after(timeout_ms);
    int ready;
    do {
        ready = 0;
        for (nfds_t i = 0; i < count; i++) {
            struct descriptor *descriptor = descriptor_of(fds[i].fd);
            unsigned mask = descriptor ? descriptor_ready(descriptor) : POLLNVAL;
            fds[i].revents = (short)(mask & ((unsigned)fds[i].events | POLLERR | POLLHUP | POLLNVAL));
            ready += fds[i].revents != 0;
        }
    } while (ready == 0 && machine_wait(deadline));
    return ready;
}

static struct watched *find(struct epoll *epoll, int fd) {
    for (int i = 0; i < WATCHED_MAX; i++)
        if (epoll->watched[i].fd == fd)
            return &epoll->watched[i];
    return NULL;
}

int descriptors_epoll_control(int epoll, int operation, int fd, const struct epoll_event *event) {
    struct descriptor *set = descriptor_of(epoll);
    if (!set || !descriptor_of(fd))
        return -EBADF;
    if (set->kind != EPOLL)
        return -EINVAL;
    struct watched *watched = find(set->epoll, fd);
    if (operation == EPOLL_CTL_ADD && watched)
        return -EEXIST;
    if (operation == EPOLL_CTL_ADD)
        watched = find(set->epoll, 0);
    if (!watched)
        return operation == EPOLL_CTL_ADD ? -ENOSPC : -ENOENT;
    if (operation == EPOLL_CTL_DEL)
        *watched = (struct watched){0};
    else
        *watched =
            (struct watched){.fd = fd, .events = event->events, .data = event->data.u64, .ready = true};
    return 0;
}

void descriptors_take_events(void) {
    struct socket *socket;
    while ((socket = stack_next_event(machine.stack)))
        for (int i = 0; i < DESCRIPTORS_MAX; i++) {
            struct watched *watched =
                table[i].kind == EPOLL && socket->name ? find(table[i].epoll, (int)socket->name) : NULL;
            if (watched)
                watched->ready = true;
        }
}

static int collect(struct epoll *epoll, struct epoll_event *events, int limit) {
    int count = 0;
    descriptors_take_events();
    for (int i = 0; i < WATCHED_MAX && count < limit; i++) {
        struct watched *watched = &epoll->watched[i];
        struct descriptor *descriptor = watched->fd ? descriptor_of(watched->fd) : NULL;
        if (!descriptor || (watched->events & EPOLLET && !watched->ready))
            continue;
        uint32_t behaviour = (uint32_t)EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP;
        uint32_t wanted = watched->events & ~behaviour;
        uint32_t mask = descriptor_ready(descriptor) & (wanted ? wanted | EPOLLERR | EPOLLHUP : 0);
        watched->ready = false;
        if (!mask)
            continue;
        events[count].events = mask;
        events[count++].data.u64 = watched->data;
        if (watched->events & EPOLLONESHOT)
            watched->events &= behaviour;
    }
    return count;
}

int descriptors_epoll_wait(int epoll, struct epoll_event *events, int limit, int timeout_ms) {
    struct descriptor *set = descriptor_of(epoll);
    uint64_t deadline = deadline_after(timeout_ms);
    int count;
    if (!set)
        return -EBADF;
    if (set->kind != EPOLL || limit <= 0)
        return -EINVAL;
    while ((count = collect(set->epoll, events, limit)) == 0 && machine_wait(deadline))
        ;
    return count;
}
