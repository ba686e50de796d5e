/* SPDX-License-Identifier: MIT */
/*
 * placeholder.c - see placeholder.h.
 */
#include "shim/library/fd/placeholder.h"
#include "shim/library/process/sandbox.h"
#include "shim/region/libc.h"
#include <fcntl.h>

#define PLACEHOLDERS_MAX 32

static struct placeholder {
    int descriptor;
    ino_t name;
    bool inet6, nonblocking;
} placeholders[PLACEHOLDERS_MAX];
static int count;

void placeholder_keep(const struct fd_entry *entry, int fd) {
    const struct socket *socket = entry->socket;
    if (entry->kind != FILE_REF_SOCKET || !socket->tcp || !socket->name || entry->altered || sandboxed() ||
        count == PLACEHOLDERS_MAX || !descriptor_is_last(entry))
        return;
    int kept = descriptor_keep_private(fd);
    if (kept >= 0)
        placeholders[count++] =
            (struct placeholder){kept, (ino_t)socket->name, socket->options.inet6, socket->nonblocking};
}

int placeholder_take(const struct socket *socket, int flags, ino_t *name) {
    int at = count - 1;
    while (at >= 0 && placeholders[at].inet6 != socket->options.inet6)
        at--;
    if (at < 0 || !socket->tcp || sandboxed())
        return -1;
    struct placeholder found = placeholders[at];
    int fd = LIBC(fcntl)(found.descriptor, flags & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
    if (fd < 0)
        return -1; /* no number is free: whoever asks makes an object, and is told why that fails */
    placeholders[at] = placeholders[--count];
    descriptor_close_private(found.descriptor);
    bool nonblocking = flags & SOCK_NONBLOCK;
    if (nonblocking != found.nonblocking)
        LIBC(fcntl)(fd, F_SETFL, O_RDWR | (nonblocking ? O_NONBLOCK : 0));
    *name = found.name;
    return fd;
}

void placeholder_forked(void) {
    while (count > 0)
        descriptor_close_private(placeholders[--count].descriptor);
}
