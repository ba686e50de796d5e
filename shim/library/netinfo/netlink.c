/* SPDX-License-Identifier: MIT */
/*
 * netlink.c - see netlink.h: the sockets. netlink_answer.c knows the answers.
 */
#include "shim/library/netinfo/netlink.h"
#include "shim/library/calls/call.h"
#include "shim/library/calls/transfer.h"
#include "shim/library/memory.h"
#include "shim/library/netinfo/netlink_answer.h"
#include "shim/library/process/attach.h"
#include "shim/library/user_memory.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>

#define KNOWN_MAX 64
#define REQUEST_MAX 65536
#define ANSWERER_LOWEST 0x80000000u /* above all process numbers */
#define ANSWERER_TRIES 16

_Atomic bool netlink_any;
static _Atomic uint64_t known[KNOWN_MAX];  /* descriptor + 1, and above it the protocol; or 0 */
static _Atomic uint64_t joined[KNOWN_MAX]; /* ... the groups that it is a member of, a bit each */
static _Atomic int answerer;               /* descriptor + 1, or 0 */
static uint32_t answerer_port;

/* The place of a socket that is known, or -1; its protocol, or -1. */
static int place_of(int fd) {
    for (int i = 0; i < KNOWN_MAX; i++)
        if ((uint32_t)known[i] == (uint32_t)fd + 1)
            return i;
    return -1;
}

static int protocol_of(int fd) {
    int place = place_of(fd);
    return place < 0 ? -1 : (int)(known[place] >> 32);
}

bool netlink_known(int fd) {
    return protocol_of(fd) >= 0;
}

static bool remember(int fd, int protocol, uint64_t groups) {
    for (int i = 0; i < KNOWN_MAX; i++) {
        uint64_t empty = 0;
        if (atomic_compare_exchange_strong(&known[i], &empty,
                                           (uint64_t)protocol << 32 | ((uint32_t)fd + 1))) {
            joined[i] = groups;
            netlink_any = true;
            return true;
        }
    }
    return false;
}

void netlink_follow(int fd, int made) {
    if (netlink_is(made))
        netlink_forget((unsigned)made, (unsigned)made);
    int place = netlink_any ? place_of(fd) : -1;
    if (place >= 0)
        remember(made, protocol_of(fd), joined[place]); /* of KNOWN_MAX at once one more goes unanswered */
}

void netlink_forget(unsigned first, unsigned last) {
    for (int i = 0; netlink_any && i < KNOWN_MAX; i++) {
        uint64_t entry = known[i];
        unsigned fd = (uint32_t)entry - 1;
        if (entry && fd >= first && fd <= last)
            atomic_compare_exchange_strong(&known[i], &entry, 0);
    }
}

static uint32_t port_of(int fd) {
    struct sockaddr_nl name = {0};
    socklen_t length = sizeof name;
    return LIBC(getsockname)(fd, (struct sockaddr *)&name, &length) < 0 ? 0 : name.nl_pid;
}

/* Takes a port that no program asks for: they take their process's number, as the kernel does for them. */
static int bind_anywhere(int fd) {
    struct sockaddr_nl name = {.nl_family = AF_NETLINK};
    int result = -1;
    for (int tries = 0; result < 0 && tries < ANSWERER_TRIES; tries++) {
        if (LIBC(syscall)(SYS_getrandom, &name.nl_pid, sizeof name.nl_pid, 0) < 0)
            return -1;
        name.nl_pid |= ANSWERER_LOWEST;
        result = LIBC(bind)(fd, (struct sockaddr *)&name, sizeof name);
    }
    return result;
}

/* One for all of a process's sockets: its port is the peer that they are connected to. */
static bool start_answerer(void) {
    if (answerer)
        return true;
    int fd = LIBC(socket)(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);
    if (fd < 0)
        return false;
    if (bind_anywhere(fd) < 0) {
        LIBC(close)(fd);
        return false;
    }
    int empty = 0;
    fd = descriptor_make_private(fd);
    if (!atomic_compare_exchange_strong(&answerer, &empty, fd + 1))
        descriptor_close_private(fd); /* another thread was first */
    answerer_port = port_of(answerer - 1);
    return true;
}

int netlink_socket(int type, int protocol) {
    if (!call_join() || !start_answerer())
        return LIBC(socket)(AF_NETLINK, type, protocol);
    int fd = LIBC(socket)(AF_NETLINK, type, NETLINK_USERSOCK);
    if (fd >= 0 && !remember(fd, protocol, 0)) {
        LIBC(close)(fd);
        return LIBC(socket)(AF_NETLINK, type, protocol);
    }
    return fd;
}

int netlink_connect(int fd) {
    struct sockaddr_nl peer = {.nl_family = AF_NETLINK, .nl_pid = answerer_port};
    return LIBC(connect)(fd, (struct sockaddr *)&peer, sizeof peer);
}

#define NOTED_MS 1000 /* until the keeper has noted who is a member of what; it takes no time */

/* Groups of a protocol are 1 up to this. A later kernel knows more of NETLINK_ROUTE's than we do: those of which there is
 * nothing to tell are quiet. Linux has 32 for any protocol with fewer (__netlink_kernel_create()). */
static unsigned groups_of(int protocol) {
    return protocol == NETLINK_ROUTE ? 63 : 32;
}

/* The keeper tells a socket of changes by the answerer, and begins before this returns: what a program asks for then is
 * no older than what it is told of. Returns 0, or a negative errno. */
static int join_groups(int fd, uint64_t groups) {
    int place = place_of(fd);
    if (place < 0 || joined[place] == groups)
        return 0;
    if ((int)(known[place] >> 32) != NETLINK_ROUTE) {
        joined[place] = groups; /* nothing is told */
        return 0;
    }
    if (port_of(fd) == 0 && netlink_connect(fd) < 0)
        return -errno;
    struct ipc_request request = {
        .header = {SHARED_MAGIC, SHARED_VERSION, IPC_MONITOR},
        .monitor = {.groups = groups, .port = port_of(fd), .number = ++shared->monitors_asked}};
    int error = attach_tell(&request, answerer - 1);
    if (error)
        return error;
    joined[place] = groups;
    for (int waited = 0; waited < NOTED_MS && !shared->broken; waited++) {
        if ((int32_t)(shared->monitors_taken - request.monitor.number) >= 0)
            break;
        LIBC(poll)(NULL, 0, 1);
    }
    return 0;
}

/* The kernel's own groups would be those of NETLINK_USERSOCK; and nobody else is to be heard through them. A socket has
 * a port once it is a member of a group. */
int netlink_bind(int fd, const struct sockaddr *address, socklen_t length) {
    CALL_BEGINS;
    struct sockaddr_nl name = {0};
    if (length < sizeof name || user_read(&name, address, sizeof name) || name.nl_family != AF_NETLINK)
        return LIBC(bind)(fd, address, length);
    uint64_t groups = (uint64_t)name.nl_groups << 1;
    name.nl_groups = 0;
    if (name.nl_pid == 0)
        name.nl_pid = port_of(fd);
    int place = place_of(fd), result = LIBC(bind)(fd, (struct sockaddr *)&name, sizeof name);
    if (result < 0 || netlink_connect(fd) < 0)
        return -1;
    uint64_t others = place >= 0 ? joined[place] & ~(uint64_t)UINT32_MAX << 1 : 0;
    return call_result(join_groups(fd, others | groups));
}

/* One thread's answers are not mixed with another's: each datagram is whole, and says whose it is. */
static void deliver(void *context, const void *bytes, size_t length) {
    uint32_t port = *(uint32_t *)context;
    struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = port};
    LIBC(sendto)
    (answerer - 1, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to);
}

static bool is_strict(int fd) {
    int strict = 0;
    socklen_t length = sizeof strict;
    return LIBC(getsockopt)(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, &length) == 0 && strict;
}

ssize_t netlink_send(int fd, const struct msghdr *message, int flags) {
    CALL_BEGINS;
    struct msghdr header;
    (void)flags;
    if (user_read(&header, message, sizeof header))
        return call_result(-EFAULT);
    if (header.msg_iovlen > IOV_MAX)
        return call_result(-EMSGSIZE);
    struct iovec pieces[header.msg_iovlen > 0 ? header.msg_iovlen : 1];
    ssize_t length = pieces_read(pieces, header.msg_iov, header.msg_iovlen);
    if (length < 0 || length > REQUEST_MAX)
        return call_result(length < 0 ? length : -EMSGSIZE);
    if (port_of(fd) == 0 && netlink_connect(fd) < 0)
        return -1;
    uint32_t port = port_of(fd);
    uint8_t *request = memory_take((size_t)length + 1);
    if (!request)
        return call_result(-ENOBUFS);
    int error = pieces_gather(request, pieces, (size_t)length);
    if (!error &&
        !netlink_answer(protocol_of(fd), request, (size_t)length, port, is_strict(fd), deliver, &port))
        error = -ENOBUFS;
    memory_give(request);
    return error ? call_result(error) : length;
}

static int change_group(int fd, bool joins, const void *value, socklen_t length) {
    int group, place = place_of(fd);
    if (length < sizeof group)
        return -EINVAL;
    if (user_read(&group, value, sizeof group))
        return -EFAULT;
    if (place < 0 || group <= 0 || (unsigned)group > groups_of((int)(known[place] >> 32)))
        return -EINVAL;
    uint64_t before = joined[place], bit = UINT64_C(1) << group;
    return join_groups(fd, joins ? before | bit : before & ~bit);
}

int netlink_set_option(int fd, int level, int name, const void *value, socklen_t length) {
    CALL_BEGINS;
    if (level == SOL_NETLINK && (name == NETLINK_ADD_MEMBERSHIP || name == NETLINK_DROP_MEMBERSHIP))
        return call_result(change_group(fd, name == NETLINK_ADD_MEMBERSHIP, value, length));
    return LIBC(setsockopt)(fd, level, name, value, length);
}

/* Writes as many whole words as there is room for, and says how many bytes there are, as the kernel does. */
static int list_groups(int fd, void *value, socklen_t *length) {
    socklen_t room;
    int place = place_of(fd);
    if (user_read(&room, length, sizeof room))
        return -EFAULT;
    if ((int)room < 0)
        return -EINVAL;
    uint64_t groups = place >= 0 ? joined[place] : 0;
    uint32_t words[2] = {(uint32_t)(groups >> 1), (uint32_t)(groups >> 33)};
    socklen_t there = (groups_of(protocol_of(fd)) + 31) / 32 * sizeof *words;
    room = room < there ? room / sizeof *words * sizeof *words : there;
    if ((room && user_write(value, words, room)) || user_write(length, &there, sizeof there))
        return -EFAULT;
    return 0;
}

int netlink_get_option(int fd, int level, int name, void *value, socklen_t *length) {
    CALL_BEGINS;
    if (level == SOL_NETLINK && name == NETLINK_LIST_MEMBERSHIPS)
        return call_result(list_groups(fd, value, length));
    int protocol = protocol_of(fd), result = LIBC(getsockopt)(fd, level, name, value, length);
    if (result == 0 && level == SOL_SOCKET && name == SO_PROTOCOL)
        memcpy(value, &protocol, *length < sizeof protocol ? *length : sizeof protocol);
    return result;
}

void netlink_name_sender(void *name, socklen_t length) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (name)
        memcpy(name, &kernel, length < sizeof kernel ? length : sizeof kernel);
}
