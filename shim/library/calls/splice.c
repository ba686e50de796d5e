/* SPDX-License-Identifier: MIT */
/*
 * splice.c - splice(2) between a pipe and a socket of ours, and sendfile(2) from a socket to a pipe.
 * The bytes are copied.
 *
 * None is lost: what the pipe takes is taken from the socket only then, and what is read from a pipe is what
 * the socket has room for. What is wrong is found in the kernel's order (do_splice in its fs/splice.c).
 */
#include "shim/library/calls/splice.h"
#include "shim/library/calls/call.h"
#include "shim/library/fd/udp_loopback.h"
#include "shim/library/memory.h"
#include "shim/library/user_memory.h"
#include "shim/region/frames.h"
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PART_BYTES 65536u
#define PAGE_BYTES 4096u
#define SMALL_BYTES 2048u /* so much lies on the thread's stack, which may be small */
#define ALL_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

/* A buffer for a part of a transfer. */
struct part {
    char small[SMALL_BYTES], *bytes;
    size_t room;
};

static bool part_take(struct part *part, size_t length) {
    part->room = length < PART_BYTES ? length : PART_BYTES;
    part->bytes = part->room <= SMALL_BYTES ? part->small : memory_take(part->room);
    return part->bytes;
}

static void part_give(struct part *part) {
    if (part->bytes != part->small)
        memory_give(part->bytes);
}

static bool is_pipe(int fd) {
    return LIBC(fcntl)(fd, F_GETPIPE_SZ) >= 0;
}

/* Whether a descriptor of the kernel's is open, and for this: O_RDONLY or O_WRONLY. */
static int check_mode(int fd, int mode) {
    int flags = LIBC(fcntl)(fd, F_GETFL);
    if (flags < 0 || flags & O_PATH)
        return -EBADF;
    return (flags & O_ACCMODE) == O_RDWR || (flags & O_ACCMODE) == mode ? 0 : -EBADF;
}

static bool is_nonblocking(int fd) {
    return LIBC(fcntl)(fd, F_GETFL) & O_NONBLOCK;
}

/* Waits until a pipe has `events`, or only looks. Returns what it has; 0: nothing yet; or a negative errno.
 */
static int await_pipe(int pipe, short events, bool waits) {
    struct pollfd look = {.fd = pipe, .events = events};
    int result = LIBC(poll)(&look, 1, waits ? -1 : 0);
    return result < 0 ? -errno : result == 0 ? 0 : look.revents;
}

/* Waits for room in the pipe, as the kernel does before it looks at the socket. */
static int await_room(int pipe, bool waits) {
    int events = await_pipe(pipe, POLLOUT, waits);
    if (events > 0 && events & POLLERR)
        return LIBC(write)(pipe, "", 1) < 0 ? -errno : 0; /* nobody reads it: the signal comes, too */
    return events < 0 ? events : events == 0 ? -EAGAIN : 0;
}

/* How much a pipe surely takes without waiting, once poll(2) has said that it takes something. It holds pages,
 * not bytes: one that was read in part, or written as a packet, is a whole one. So an empty pipe takes its size,
 * and of another one no more is known than a page. */
static size_t pipe_room(int fd) {
    int size = LIBC(fcntl)(fd, F_GETPIPE_SZ), used = 0;
    if (size < 0)
        return PAGE_BYTES;
    LIBC(ioctl)(fd, FIONREAD, &used);
    return used > 0 ? PAGE_BYTES : (size_t)size;
}

/* One part, of at most `length` bytes, of what a socket has. */
static ssize_t part_to_pipe(int fd, int pipe, struct part *part, size_t length) {
    size_t wanted = length < part->room ? length : part->room;
    ssize_t got = recv(fd, part->bytes, wanted, MSG_PEEK), taken = got < 0 ? -errno : got;
    if (got > 0 && (taken = LIBC(write)(pipe, part->bytes, (size_t)got)) < 0)
        taken = -errno;
    /* Of a stream MSG_TRUNC copies nothing. */
    if (taken > 0 && recv(fd, part->bytes, (size_t)taken, MSG_DONTWAIT | MSG_TRUNC) < 0)
        taken = -errno;
    return taken;
}

/* Whether a stream has more: what is wrong with it is left to the next call. */
static bool has_more(int fd) {
    struct socket *socket = descriptor_socket(fd);
    int waiting = 0;
    return socket && socket->tcp && ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

/* What a stream has goes into the pipe at once, as far as it has room, as tcp_splice_read of Linux does. */
ssize_t splice_to_pipe(int fd, int pipe, size_t length, unsigned flags) {
    struct part part;
    bool waits = !(flags & SPLICE_F_NONBLOCK) && !is_nonblocking(pipe);
    int error = await_room(pipe, waits);
    if (error || length == 0)
        return error;
    if (!part_take(&part, length))
        return -ENOMEM;
    size_t sent = 0, room = pipe_room(pipe);
    ssize_t taken;
    do {
        size_t left = length - sent;
        taken = part_to_pipe(fd, pipe, &part, left < room ? left : room);
        if (taken <= 0)
            break;
        sent += (size_t)taken;
        size_t pages = ((size_t)taken + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        room = pages < room ? room - pages : 0;
        if (room == 0 && await_pipe(pipe, POLLOUT, false) == POLLOUT)
            room = pipe_room(pipe);
    } while (sent < length && room > 0 && has_more(fd));
    part_give(&part);
    return sent > 0 ? (ssize_t)sent : taken;
}

/* How much a socket takes at once; a negative errno: what a send would say now. `waits`: for room; `always`: also if it
 * is not to be waited for. */
static ssize_t await_socket(int fd, bool waits, bool always) {
    int error = 0;
    ssize_t room = 0;
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    uint64_t deadline = wait_deadline(socket->options.send_timeout_ns);
    while (!error && room == 0) {
        struct iovec nothing = {NULL, 0};
        struct socket_message message = {.pieces = &nothing, .count = 1};
        if (!socket->tcp) {
            error = socket_take_error(socket);
            if (!error && !socket->connected)
                error = -EDESTADDRREQ;
            room = SSIZE_MAX;
            break;
        }
        ssize_t said = socket_send(&shared->stack, socket, &message);
        room = said < 0 ? 0 : socket_send_room(&shared->stack, socket, 0, false);
        room = room < 0 ? 0 : room;
        if (said < 0 && said != -EAGAIN)
            error = (int)said;
        else if (room == 0)
            error = always || (waits && !socket->nonblocking) ? wait_to_write(socket, deadline) : -EAGAIN;
    }
    wait_done();
    region_leave();
    return error ? error : room;
}

/* One part, of what is in the pipe. */
static ssize_t part_from_pipe(int pipe, int fd, struct part *part, size_t length, bool more) {
    int used = 0;
    ssize_t room = await_socket(fd, true, false);
    if (room < 0)
        return room;
    LIBC(ioctl)(pipe, FIONREAD, &used);
    if ((size_t)room < length)
        length = (size_t)room;
    if (used > 0 && (size_t)used < length)
        length = (size_t)used;
    ssize_t got = LIBC(read)(pipe, part->bytes, length < part->room ? length : part->room),
            result = got < 0 ? -errno : got;
    size_t sent = 0;
    while (got > 0 && sent < (size_t)got) {
        ssize_t said = send(fd, part->bytes + sent, (size_t)got - sent, more ? MSG_MORE : 0);
        /* Somebody else has taken the room: it can't go back, so that a signal is waited out. */
        if (said < 0 && (errno == EINTR || errno == EAGAIN) && await_socket(fd, true, true) != -EBADF)
            continue;
        if (said < 0) {
            result = sent > 0 ? (ssize_t)sent : -errno;
            break;
        }
        sent += (size_t)said;
    }
    return result;
}

static ssize_t from_pipe(int pipe, int fd, size_t length, unsigned flags) {
    bool waits = !(flags & SPLICE_F_NONBLOCK) && !is_nonblocking(pipe);
    struct part part;
    size_t sent = 0;
    ssize_t result = 0;
    if (!part_take(&part, length))
        return -ENOMEM;
    while (sent < length) {
        int events = await_pipe(pipe, POLLIN, waits && sent == 0);
        if (events <= 0) {
            result = events < 0 ? events : -EAGAIN;
            break;
        }
        if (!(events & POLLIN))
            break; /* nobody writes to it any more */
        if ((result = part_from_pipe(pipe, fd, &part, length - sent, flags & SPLICE_F_MORE)) <= 0)
            break;
        sent += (size_t)result;
    }
    part_give(&part);
    if (result == -EPIPE && sent == 0)
        raise(SIGPIPE);
    return sent > 0 ? (ssize_t)sent : result;
}

/* What is wrong with a call that has one end that is ours: `pipe` is the other. */
static int check(int pipe, int mode, const off64_t *pipe_offset, const off64_t *socket_offset) {
    int flags = LIBC(fcntl)(pipe, F_GETFL);
    if (flags < 0 || flags & O_PATH)
        return -EBADF;
    off64_t offset;
    if (is_pipe(pipe) && pipe_offset)
        return -ESPIPE;
    if (socket_offset && user_read(&offset, socket_offset, sizeof offset))
        return -EFAULT;
    int error = check_mode(pipe, mode);
    return error ? error : !is_pipe(pipe) || socket_offset ? -EINVAL : 0;
}

EXPORT ssize_t splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t length,
                      unsigned flags) {
    bool from = descriptor_socket(in), to = descriptor_socket(out);
    if (!from && (!to || worlds_sends(descriptor_find(out))))
        return LIBC(splice)(in, in_offset, out, out_offset, length, flags);
    CALL_BEGINS;
    if (length == 0)
        return 0;
    if (flags & ~ALL_FLAGS || (from && to))
        return call_result(-EINVAL);
    pthread_testcancel();
    int error =
        from ? check(out, O_WRONLY, out_offset, in_offset) : check(in, O_RDONLY, in_offset, out_offset);
    if (error)
        return call_result(error);
    return call_result(from ? splice_to_pipe(in, out, length, flags) : from_pipe(in, out, length, flags));
}

/* The kernel tries a byte, into a pipe. */
int splice_check_file(int in, off_t at) {
    int pipes[2], error = 0;
    struct stat status;
    if (LIBC(syscall)(SYS_fstat, in, &status) < 0 || S_ISREG(status.st_mode) || S_ISBLK(status.st_mode))
        return 0;
    if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    if (LIBC(sendfile)(pipes[1], in, &at, 1) < 0)
        error = errno == ESPIPE ? -EINVAL : -errno;
    LIBC(close)(pipes[0]);
    LIBC(close)(pipes[1]);
    return error ? error : 1;
}

int splice_check_sendfile(int out, const off_t *offset) {
    if (offset)
        return -ESPIPE;
    if (descriptor_socket(out))
        return -EINVAL;
    int error = check_mode(out, O_WRONLY);
    return error ? error : is_pipe(out) ? 0 : -EINVAL;
}
