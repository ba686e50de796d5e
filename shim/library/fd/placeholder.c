/*
 * placeholder.c - see placeholder.h.
 */
#include "shim/library/fd/placeholder.h"
#include "shim/library/process/sandbox.h"
#include "shim/region/libc.h"
#include <fcntl.h>

#define SPARES_MAX 32

static struct spare {
    int descriptor;
    ino_t name;
    bool inet6, nonblocking;
} spares[SPARES_MAX];
static int count;

void spare_keep(const struct handle *handle, int fd) {
    const struct socket *socket = handle->socket;
    if (handle->kind != HOLDING_SOCKET || !socket->tcp || !socket->name || handle->altered || sandboxed() ||
        count == SPARES_MAX || !descriptor_is_last(handle))
        return;
    int kept = descriptor_keep_private(fd);
    if (kept >= 0)
        spares[count++] =
            (struct spare){kept, (ino_t)socket->name, socket->options.inet6, socket->nonblocking};
}

int spare_take(const struct socket *socket, int flags, ino_t *name) {
    int at = count - 1;
    while (at >= 0 && spares[at].inet6 != socket->options.inet6)
        at--;
    if (at < 0 || !socket->tcp || sandboxed())
        return -1;
    struct spare found = spares[at];
    int fd = LIBC(fcntl)(found.descriptor, flags & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
    if (fd < 0)
        return -1; /* no number is free: whoever asks makes an object, and is told why that fails */
    spares[at] = spares[--count];
    descriptor_close_private(found.descriptor);
    bool nonblocking = flags & SOCK_NONBLOCK;
    if (nonblocking != found.nonblocking)
        LIBC(fcntl)(fd, F_SETFL, O_RDWR | (nonblocking ? O_NONBLOCK : 0));
    *name = found.name;
    return fd;
}

void spare_forked(void) {
    while (count > 0)
        descriptor_close_private(spares[--count].descriptor);
}
