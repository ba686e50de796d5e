/* SPDX-License-Identifier: MIT */
/*
 * udp_loopback.c - see udp_loopback.h.
 */
#include "shim/library/fd/udp_loopback.h"
#include "shim/library/calls/call.h"
#include "shim/library/fd/fallback.h"
#include "shim/region/wake.h"
#include <fcntl.h>
#include <limits.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define LOOPBACK_INTERFACE 1 /* its index in every network namespace */

bool worlds_object(const struct socket *socket, int fd) {
    int interface = 0;
    socklen_t length = sizeof interface;
    return !socket->tcp && LIBC(getsockopt)(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &interface, &length) == 0 &&
           interface == LOOPBACK_INTERFACE;
}

static bool connected_to_kernel(const struct socket *socket) {
    return socket->connected && socket->datagram && call_kernel_address(socket->datagram->remote_address);
}

bool worlds_receives(const struct fd_entry *entry) {
    return entry && entry->loopback && (!entry->socket->connected || connected_to_kernel(entry->socket));
}

bool worlds_sends(const struct fd_entry *entry) {
    return entry && entry->loopback && connected_to_kernel(entry->socket);
}

/* At the socket's port, if nobody of the kernel's has it. The lock is held. */
static int bind_object(const struct socket *socket, int object) {
    struct sockaddr_storage any;
    socklen_t length = sizeof any;
    uint16_t port = socket->datagram->binding.port;
    address_write((struct sockaddr *)&any, &length, socket->options.inet6, (struct ip_address){0}, port);
    if (LIBC(bind)(object, (struct sockaddr *)&any, length) == 0)
        return 0;
    length = sizeof any;
    address_write((struct sockaddr *)&any, &length, socket->options.inet6, (struct ip_address){0}, 0);
    return LIBC(bind)(object, (struct sockaddr *)&any, length) < 0 ? -errno : 0;
}

/* The lock is held. Returns the object, or a negative errno. */
static int make_object(struct socket *socket) {
    const int loopback = LOOPBACK_INTERFACE;
    int flags = SOCK_DGRAM | SOCK_CLOEXEC | (socket->nonblocking ? SOCK_NONBLOCK : 0);
    int object =
        LIBC(socket)(socket->options.inet6 ? AF_INET6 : AF_INET, flags, socket->datagram->binding.protocol);
    if (object < 0)
        return -errno;
    int error = 0;
    if (LIBC(setsockopt)(object, SOL_SOCKET, SO_BINDTOIFINDEX, &loopback, sizeof loopback) < 0)
        error = -errno;
    if (!error) {
        fallback_carry_over(socket, object);
        error = bind_object(socket, object);
    }
    if (error)
        LIBC(close)(object);
    return error ? error : object;
}

/* SIGIO: whether, which signal instead, and whose it is. */
struct signalling {
    struct f_owner_ex owner;
    int signal;
    bool on;
};

static struct signalling signalling_of(int fd) {
    struct signalling now = {.signal = LIBC(fcntl)(fd, F_GETSIG)};
    int flags = LIBC(fcntl)(fd, F_GETFL);
    now.on = flags > 0 && flags & O_ASYNC;
    if (LIBC(fcntl)(fd, F_GETOWN_EX, &now.owner) < 0)
        now.owner.pid = 0;
    return now;
}

/* By the program's descriptor: the signal tells its number. */
static void signalling_set(int fd, const struct signalling *wanted) {
    if (wanted->owner.pid)
        LIBC(fcntl)(fd, F_SETOWN_EX, &wanted->owner);
    if (wanted->signal > 0)
        LIBC(fcntl)(fd, F_SETSIG, wanted->signal);
    if (wanted->on)
        LIBC(fcntl)(fd, F_SETFL, LIBC(fcntl)(fd, F_GETFL) | O_ASYNC);
}

int worlds_next_length(int fd, int stack) {
    struct fd_entry *entry = descriptor_find(fd);
    int kernel = 0;
    if (!entry || LIBC(ioctl)(fd, FIONREAD, &kernel) < 0 || kernel == 0)
        return stack; /* another thread may have closed it meanwhile */
    entry->kernel_next = entry->kernel_next || stack == 0;
    return entry->kernel_next ? kernel : stack;
}

struct join {
    const struct fd_entry *entry;
    int object;
};

static void replace(int fd, void *context) {
    const struct join *join = context;
    if (descriptor_find(fd) != join->entry)
        return;
    int flags = LIBC(fcntl)(fd, F_GETFD);
    LIBC(dup3)(join->object, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
}

/* The socket is found by the object's name: exec, messages. The lock is held. */
static void rename_socket(struct socket *socket, int object) {
    struct stat status;
    if (LIBC(syscall)(SYS_fstat, object, &status) < 0)
        return;
    hash_remove(&socket->name_link);
    socket->name = status.st_ino;
    hash_add(&shared->names[socket->name % SHARED_NAME_BUCKETS], &socket->name_link);
}

/* A connected object hears its peer alone: itself. */
void worlds_deafen(int fd) {
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    if (!worlds_has(fd) || LIBC(getsockname)(fd, (struct sockaddr *)&own, &length) < 0)
        return;
    bool inet6 = own.ss_family == AF_INET6;
    uint16_t port =
        ntohs(inet6 ? ((struct sockaddr_in6 *)&own)->sin6_port : ((struct sockaddr_in *)&own)->sin_port);
    static const struct ip_address loopback6 = {{{[15] = 1}}};
    int only = 0;
    length = sizeof only;
    if (inet6 && LIBC(getsockopt)(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &length) < 0)
        only = 0;
    length = sizeof own;
    address_write((struct sockaddr *)&own, &length, inet6, only ? loopback6 : ip_from_v4(IP_LOOPBACK), port);
    LIBC(connect)(fd, (struct sockaddr *)&own, length);
}

void worlds_leave(int fd) {
    struct fd_entry *entry = descriptor_find(fd);
    if (entry && entry->loopback && entry->socket->datagram->binding.port == 0)
        entry->loopback = false;
}

#define STACKS_EVENTS ((uint32_t)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND))

static struct epoll_event kernels_part(const struct epoll_event *event) {
    return (struct epoll_event){.events = event->events & ~STACKS_EVENTS, .data = event->data};
}

/* Makes an object of the kernel's and puts it under the descriptors. The lock is held. */
static int join_world(struct fd_entry *entry, struct socket *socket, int fd, struct fallback_sets *sets) {
    LOCK_EXCEPTION;
    struct join join = {entry, make_object(socket)};
    if (join.object < 0)
        return join.object;
    int error = fallback_find_sets(entry, fd, sets);
    if (!error) {
        struct signalling signalling = signalling_of(fd);
        descriptor_walk(0, UINT32_MAX, replace, &join);
        signalling_set(fd, &signalling);
        rename_socket(socket, join.object);
        entry->altered = entry->loopback = true;
    }
    LIBC(close)(join.object);
    return error;
}

int worlds_join(int fd) {
    int error = 0;
    bool made = false;
    struct fallback_sets sets = {0, NULL};
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    struct fd_entry *entry = descriptor_find(fd);
    if (!entry->loopback && !(error = datagram_autobind(&shared->stack, socket))) {
        error = join_world(entry, socket, fd, &sets);
        made = !error;
    }
    bool deaf = made && socket->connected;
    region_leave();
    if (deaf)
        worlds_deafen(fd);
    fallback_register(&sets, STACKS_EVENTS);
    return error;
}

void worlds_control(int epoll, int operation, int fd, const struct epoll_event *event) {
    struct epoll_event part = operation == EPOLL_CTL_DEL ? (struct epoll_event){0} : kernels_part(event);
    LIBC(epoll_ctl)(epoll, operation, fd, &part);
}
