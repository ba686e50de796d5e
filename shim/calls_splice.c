/*
 * calls_splice.c - splice(2) between a pipe and a socket of ours. The bytes are copied; none is lost when the
 * other end takes fewer than there were.
 */
#include "call.h"
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#define PART_BYTES 65536u

static bool ready(int fd, short events) {
    struct pollfd poll_fd = {.fd = fd, .events = events};
    return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & events;
}

/* How much a pipe has room for: whole pages count. */
static size_t pipe_room(int fd) {
    int size = LIBC(fcntl)(fd, F_GETPIPE_SZ), used = 0;
    if (size < 0)
        return 0;
    LIBC(ioctl)(fd, FIONREAD, &used);
    return size > used ? (size_t)(size - used) : 0;
}

/* From the socket: what the pipe has taken is taken from the socket only then. */
static ssize_t to_pipe(int fd, int pipe, size_t length, unsigned flags) {
    char buffer[PART_BYTES];
    int how = flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0;
    size_t room = pipe_room(pipe);
    if (room == 0 && flags & SPLICE_F_NONBLOCK)
        return -EAGAIN;
    if (room > 0 && length > room)
        length = room;
    ssize_t got = recv(fd, buffer, length < sizeof buffer ? length : sizeof buffer, MSG_PEEK | how);
    if (got <= 0)
        return got < 0 ? -errno : 0;
    ssize_t taken = LIBC(write)(pipe, buffer, (size_t)got);
    if (taken < 0)
        return -errno;
    return recv(fd, buffer, (size_t)taken, MSG_DONTWAIT) < 0 ? -errno : taken;
}

/* To the socket: what is read from the pipe can't go back, so there must be room for it. */
static ssize_t from_pipe(int pipe, int fd, size_t length, unsigned flags) {
    char buffer[PART_BYTES];
    bool dont_wait = flags & SPLICE_F_NONBLOCK;
    bool nonblocking = LIBC(fcntl)(fd, F_GETFL) & O_NONBLOCK;
    if ((dont_wait || LIBC(fcntl)(pipe, F_GETFL) & O_NONBLOCK) && !ready(pipe, POLLIN | POLLHUP))
        return -EAGAIN;
    const struct socket *socket = descriptor_socket(fd);
    bool stream = socket && socket->type == SOCK_STREAM;
    if (stream && send(fd, buffer, 0, MSG_DONTWAIT) < 0 && errno != EAGAIN)
        return -errno; /* before anything is read */
    if (nonblocking && !ready(fd, POLLOUT | POLLERR | POLLHUP))
        return -EAGAIN;
    if (nonblocking && length > 4096)
        length = 4096; /* a socket that is writable takes so much */
    ssize_t got = LIBC(read)(pipe, buffer, length < sizeof buffer ? length : sizeof buffer);
    if (got <= 0)
        return got < 0 ? -errno : 0;
    ssize_t sent = send(fd, buffer, (size_t)got, flags & SPLICE_F_MORE ? MSG_MORE : 0);
    return sent < 0 ? -errno : sent;
}

EXPORT ssize_t splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t length,
                      unsigned flags) {
    CALL_BEGINS;
    bool from = descriptor_socket(in), to = descriptor_socket(out);
    if (!from && !to)
        return LIBC(splice)(in, in_offset, out, out_offset, length, flags);
    if ((from && in_offset) || (to && out_offset))
        return call_result(-ESPIPE);
    if (from && to)
        return call_result(-EINVAL); /* one of them has to be a pipe */
    if (length == 0)
        return 0;
    return call_result(from ? to_pipe(in, out, length, flags) : from_pipe(in, out, length, flags));
}
