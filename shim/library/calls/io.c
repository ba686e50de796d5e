/*
 * io.c - read(2), write, send, recv, and their kin: all are one transfer of a struct socket_message.
 */
#include "shim/library/calls/call.h"
#include "shim/library/calls/cmsg.h"
#include "shim/library/calls/splice.h"
#include "shim/library/fd/udp_loopback.h"
#include "shim/library/memory.h"
#include "shim/library/netinfo/netlink.h"
#include "shim/library/process/scm_rights.h"
#include "shim/library/process/signals.h"
#include "shim/region/frames.h"
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* From so many bytes on, a burst of datagrams is not copied: it is sent from the program's memory. */
#define BORROW_BYTES 4096

/* The fortified twins check the size that the compiler knew, as glibc's do. */
extern void __chk_fail(void) __attribute__((noreturn));

/* Moves on by `bytes` in a copy of an iovec. */
static void pieces_skip(struct iovec **pieces, int *count, size_t bytes) {
    while (*count > 0 && bytes >= (*pieces)->iov_len) {
        bytes -= (*pieces)->iov_len;
        (*pieces)++;
        (*count)--;
    }
    if (*count > 0) {
        (*pieces)->iov_base = (char *)(*pieces)->iov_base + bytes;
        (*pieces)->iov_len -= bytes;
    }
}

/* `left`: bytes that are still to be sent. */
static int wait_to_send(struct socket *socket, size_t left, uint64_t deadline) {
    return left > 0 ? wait_to_write(socket, deadline) : wait_socket(socket, POLLOUT, deadline);
}

/* Sends all of it, as a blocking send(2) does; what was sent before an error or a signal counts. */
static ssize_t transfer_out(int fd, const struct iovec *given, int count, struct socket_message message) {
    struct iovec copy[count > 0 ? count : 1], *pieces = copy;
    size_t total = buffer_pieces_length(given, count), sent = 0;
    int error = 0;
    pthread_testcancel();
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    memcpy(copy, given, (size_t)count * sizeof *given);
    bool wait = !socket->nonblocking && !(message.flags & MSG_DONTWAIT);
    uint64_t deadline = wait_deadline(socket->options.send_timeout_ns);
    for (;;) {
        message.pieces = pieces;
        message.count = count;
        message.borrow = total >= BORROW_BYTES && !socket->tcp && frames_may_borrow();
        ssize_t result = socket_send(&shared->stack, socket, &message);
        message.flags &= ~MSG_FASTOPEN; /* it has connected: what is left follows */
        while (wait && result >= 0 && socket_is_opening(socket))
            result = (error = wait_to_send(socket, total - sent - (size_t)result, deadline)) ? error
                     : socket->error ? socket_take_error(socket)
                                     : result;
        if (result >= 0) {
            sent += (size_t)result;
            if (!socket->tcp || sent >= total || !wait)
                break;
            pieces_skip(&pieces, &count, (size_t)result);
            continue;
        }
        error = (int)result;
        if (!wait || (error != -EAGAIN && error != -ENOBUFS && error != -EINPROGRESS))
            break;
        if ((error = wait_to_send(socket, total - sent, deadline)))
            break;
    }
    if (error != -EBADF) {
        if (attach_config.verbose && sent > 0)
            verbose_follow(socket);
        frames_coalesced(socket);
    }
    wait_done();
    region_leave();
    if (attach_config.verbose)
        verbose_show();
    if (shared->broken)
        attach_broken();
    if (sent > 0)
        return (ssize_t)sent;
    if (error == -EPIPE && !(message.flags & MSG_NOSIGNAL))
        raise(SIGPIPE);
    return error;
}

/* How often this thread has found nothing since it found something, without waiting: from the second time on
 * it is polling, and should see what comes at once. */
static __thread unsigned refused __attribute__((tls_model("initial-exec")));

/* Receives at least something, or all of it under MSG_WAITALL. What the socket's options are is told, too. */
static ssize_t transfer_in(int fd, const struct iovec *given, int count, struct socket_message *message,
                           struct socket_options *options) {
    struct iovec copy[count > 0 ? count : 1], *pieces = copy;
    size_t total = buffer_pieces_length(given, count), received = 0;
    int error = 0;
    pthread_testcancel();
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    memcpy(copy, given, (size_t)count * sizeof *given);
    bool wait = !socket->nonblocking && !(message->flags & (MSG_DONTWAIT | MSG_ERRQUEUE));
    *options = socket->options;
    bool all = socket->tcp && message->flags & MSG_WAITALL && !(message->flags & MSG_PEEK);
    char unseen;
    struct iovec look = {&unseen, 1};
    bool just_look = total == 0 && socket->tcp; /* whether there is something, or an error */
    if (just_look) {
        message->flags |= MSG_PEEK;
        pieces = &look;
        count = 1;
    }
    uint64_t deadline = wait_deadline(socket->options.receive_timeout_ns);
    bool looked = false;
    for (;;) {
        message->pieces = pieces;
        message->count = count;
        ssize_t result = socket_receive(&shared->stack, socket, message);
        if (result >= 0) {
            refused = 0;
            received += (size_t)result;
            if (!all || result == 0 || received >= total)
                break;
            pieces_skip(&pieces, &count, (size_t)result);
            continue;
        }
        error = (int)result;
        if (error == -EAGAIN && !wait && refused++ && !looked && frames_rx_is_due(FRAMES_AGE_LOOK_NS)) {
            looked = true; /* once: a look may take as long as after which another one is due */
            region_leave();
            frames_rx_poll();
            if (!(socket = call_enter(fd, &error)))
                return error;
            continue;
        }
        if (!wait || error != -EAGAIN)
            break;
        if ((error = wait_socket(socket, POLLIN, deadline)))
            break;
    }
    if (attach_config.verbose && received > 0 && error != -EBADF)
        verbose_follow(socket);
    wait_done();
    region_leave();
    if (attach_config.verbose)
        verbose_show();
    if (shared->broken)
        attach_broken();
    if (just_look && received > 0)
        return 0;
    return received > 0 || error == 0 ? (ssize_t)received : error;
}

/* Whether what is sent, to an address if there is one, is for the kernel to send: a UDP socket has an object
 * of the kernel's for that (udp_loopback.h), any other that is fresh becomes the kernel's altogether. */
static bool becomes_kernel(int fd, const struct sockaddr *to, socklen_t length, int flags, int *error) {
    struct ip_address host;
    uint16_t port;
    *error = 0;
    if (!to)
        return false;
    int read = call_address(fd, to, length, &host, &port);
    if (read < 0 || (read == 0 && !call_kernel_address(host)))
        return false;
    struct socket *socket = call_enter(fd, error);
    if (!socket)
        return false;
    bool udp = udp_is(socket);
    bool fresh = socket->tcp ? flags & MSG_FASTOPEN && socket->tcp->state == TCP_CLOSE
                             : !socket->datagram->binding.port || socket->datagram->binding.chosen;
    region_leave();
    if (udp && read == 0) {
        *error = worlds_join(fd);
        return *error == 0;
    }
    if (!fresh)
        return false;
    *error = fallback_to_kernel(fd);
    return *error == 0;
}

static ssize_t send_header(int fd, const struct msghdr *header, int flags) {
    if (!header->msg_name && worlds_sends(descriptor_find(fd))) {
        ssize_t sent = LIBC(sendmsg)(fd, header, flags);
        return sent < 0 ? -errno : sent;
    }
    struct socket_message message = {.flags = flags};
    const struct sockaddr *to = header->msg_name;
    socklen_t to_length = header->msg_namelen;
    struct socket *socket = descriptor_socket(fd);
    bool stream = socket && socket->type == SOCK_STREAM;
    message.invalid = !stream && cmsg_read(header, &message) < 0; /* what else is wrong is said first */
    if (to && (!stream || flags & MSG_FASTOPEN)) {
        message.unspecified = to_length >= sizeof to->sa_family && to->sa_family == AF_UNSPEC;
        int error =
            message.unspecified ? 0 : call_address(fd, to, to_length, &message.address, &message.port);
        if (error)
            return error == ADDRESS_FOREIGN ? -ENETUNREACH : error;
        message.address = call_destination(message.address);
        message.has_address = true;
    }
    return transfer_out(fd, header->msg_iov, (int)header->msg_iovlen, message);
}

static ssize_t send_message(int fd, const struct iovec *pieces, int count, int flags,
                            const struct sockaddr *to, socklen_t to_length) {
    struct msghdr header = {.msg_name = (void *)to,
                            .msg_namelen = to_length,
                            .msg_iov = (struct iovec *)pieces,
                            .msg_iovlen = (size_t)count};
    return send_header(fd, &header, flags);
}

static ssize_t to_netlink(int fd, const struct iovec *pieces, int count) {
    struct msghdr header = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    return netlink_send(fd, &header, 0);
}

EXPORT ssize_t write(int fd, const void *buffer, size_t length) {
    struct iovec piece = {(void *)buffer, length};
    if (!descriptor_socket(fd))
        return netlink_is(fd) ? to_netlink(fd, &piece, 1) : LIBC(write)(fd, buffer, length);
    CALL_BEGINS;
    TRACE("write(%d, %s, %zu)", fd, tracing_bytes(buffer, length), length);
    return call_result(send_message(fd, &piece, 1, 0, NULL, 0));
}

EXPORT ssize_t writev(int fd, const struct iovec *pieces, int count) {
    if (!descriptor_socket(fd))
        return netlink_is(fd) ? to_netlink(fd, pieces, count) : LIBC(writev)(fd, pieces, count);
    CALL_BEGINS;
    if (count < 0 || count > IOV_MAX)
        return call_result(-EINVAL);
    if (buffer_pieces_length(pieces, count) == 0)
        return 0; /* of files' calls nothing is left to do then, as in Linux */
    TRACE("writev(%d, [%s, ...], %d)", fd, tracing_bytes(pieces->iov_base, pieces->iov_len), count);
    return call_result(send_message(fd, pieces, count, 0, NULL, 0));
}

EXPORT ssize_t send(int fd, const void *buffer, size_t length, int flags) {
    struct iovec piece = {(void *)buffer, length};
    if (!descriptor_socket(fd))
        return netlink_is(fd) ? to_netlink(fd, &piece, 1) : LIBC(send)(fd, buffer, length, flags);
    CALL_BEGINS;
    TRACE("send(%d, %s, %zu, 0x%x)", fd, tracing_bytes(buffer, length), length, (unsigned)flags);
    return call_result(send_message(fd, &piece, 1, flags, NULL, 0));
}

EXPORT ssize_t sendto(int fd, const void *buffer, size_t length, int flags, const struct sockaddr *to,
                      socklen_t to_length) {
    struct iovec piece = {(void *)buffer, length};
    int error;
    if (netlink_is(fd))
        return to_netlink(fd, &piece, 1);
    if (!descriptor_socket(fd))
        return LIBC(sendto)(fd, buffer, length, flags, to, to_length);
    CALL_BEGINS;
    if (becomes_kernel(fd, to, to_length, flags, &error))
        return call_told(LIBC(sendto)(fd, buffer, length, flags, to, to_length));
    if (error)
        return call_result(error);
    TRACE("sendto(%d, %s, %zu, 0x%x, %s)", fd, tracing_bytes(buffer, length), length, (unsigned)flags,
          tracing_address(to, to_length));
    return call_result(send_message(fd, &piece, 1, flags, to, to_length));
}

/* A message of the kernel's, which may carry descriptors of ours. */
static ssize_t send_foreign(int fd, const struct msghdr *message, int flags) {
    CALL_BEGINS;
    passing_out(message, false);
    ssize_t result = LIBC(sendmsg)(fd, message, flags);
    if (result < 0) {
        int error = errno;
        passing_out(message, true);
        errno = error;
    }
    return call_told(result);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    int error;
    if (netlink_is(fd))
        return netlink_send(fd, message, flags);
    if (!descriptor_socket(fd))
        return message && message->msg_controllen ? send_foreign(fd, message, flags)
                                                  : LIBC(sendmsg)(fd, message, flags);
    CALL_BEGINS;
    if (becomes_kernel(fd, message->msg_name, message->msg_namelen, flags, &error))
        return call_told(LIBC(sendmsg)(fd, message, flags));
    if (error)
        return call_result(error);
    if (message->msg_iovlen > IOV_MAX)
        return call_result(-EMSGSIZE);
    TRACE("sendmsg(%d, %zu bytes, 0x%x)", fd,
          buffer_pieces_length(message->msg_iov, (int)message->msg_iovlen), (unsigned)flags);
    return call_result(send_header(fd, message, flags));
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    unsigned sent = 0;
    if (!descriptor_socket(fd) && !netlink_is(fd))
        return LIBC(sendmmsg)(fd, messages, count, flags);
    CALL_BEGINS;
    for (; sent < count && sent < IOV_MAX; sent++) {
        ssize_t result = sendmsg(fd, &messages[sent].msg_hdr, flags);
        if (result < 0)
            return sent > 0 ? (int)call_result(sent) : -1;
        messages[sent].msg_len = (unsigned)result;
    }
    return (int)sent;
}

static ssize_t receive_ours(int fd, struct msghdr *header, int flags) {
    struct socket_message message = {.flags = flags};
    struct socket_options options;
    ssize_t result = transfer_in(fd, header->msg_iov, (int)header->msg_iovlen, &message, &options);
    if (result < 0)
        return result;
    header->msg_flags = message.error.origin ? MSG_ERRQUEUE : 0;
    bool timed = options.timestamp || message.error.origin;
    cmsg_write(&shared->stack, timed ? clock_realtime_offset() : 0, header, &options, &message);
    if (message.has_address && header->msg_name)
        address_write(header->msg_name, &header->msg_namelen, options.inet6, message.address, message.port);
    else
        header->msg_namelen = 0;
    if (message.has_address && message.truncated)
        header->msg_flags |= MSG_TRUNC;
    return message.has_address && flags & MSG_TRUNC ? (ssize_t)message.full_length : result;
}

/* Waits until either may have something, as recv(2) waits: a handler with SA_RESTART does not end it, unless
 * there is a time limit. Returns 0 or a negative errno. */
static int wait_for_both(int fd, uint64_t deadline_ns) {
    for (;;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        struct timespec left = wait_time_left(deadline_ns == TIMER_NEVER ? 0 : deadline_ns);
        uint32_t before = signals_interruptions();
        int ready = ppoll(&one, 1, deadline_ns == TIMER_NEVER ? NULL : &left, NULL);
        if (ready != -1)
            return ready > 0 ? 0 : -EAGAIN;
        if (errno != EINTR || deadline_ns != TIMER_NEVER || signals_interruptions() != before)
            return -errno;
    }
}

/* A socket with an object of the kernel's loopback network: from whichever has something, in turn. */
static ssize_t receive_both(int fd, struct fd_entry *entry, struct msghdr *header, int flags) {
    const struct socket *socket = entry->socket;
    bool wait = !socket->nonblocking && !(flags & (MSG_DONTWAIT | MSG_ERRQUEUE));
    uint64_t deadline_ns = wait_deadline(socket->options.receive_timeout_ns);
    for (;;) {
        bool kernel_first = entry->kernel_next;
        for (int turn = 0; turn < 2; turn++) {
            bool kernel = kernel_first ^ (turn > 0);
            ssize_t result = kernel ? LIBC(recvmsg)(fd, header, flags | MSG_DONTWAIT)
                                    : receive_ours(fd, header, flags | MSG_DONTWAIT);
            if (kernel && result < 0)
                result = -errno;
            if (result != -EAGAIN) {
                entry->kernel_next =
                    kernel == (flags & MSG_PEEK && result >= 0); /* what was peeked at comes next */
                return result;
            }
        }
        int error = wait ? wait_for_both(fd, deadline_ns) : -EAGAIN;
        if (error)
            return error;
    }
}

static ssize_t receive_message(int fd, const struct iovec *pieces, int count, int flags,
                               struct sockaddr *from, socklen_t *from_length) {
    struct fd_entry *entry = descriptor_find(fd);
    if (worlds_receives(entry)) {
        struct msghdr header = {.msg_name = from,
                                .msg_namelen = from && from_length ? *from_length : 0,
                                .msg_iov = (struct iovec *)pieces,
                                .msg_iovlen = (size_t)count};
        ssize_t received = receive_both(fd, entry, &header, flags);
        if (received >= 0 && from && from_length)
            *from_length = header.msg_namelen;
        return received;
    }
    struct socket_message message = {.flags = flags};
    struct socket_options options;
    ssize_t result = transfer_in(fd, pieces, count, &message, &options);
    if (result < 0)
        return result;
    if (message.has_address)
        address_write(from, from_length, options.inet6, message.address, message.port);
    else if (from && from_length)
        *from_length = 0; /* a stream's peer is known already: recvfrom(2) */
    return message.has_address && flags & MSG_TRUNC ? (ssize_t)message.full_length : result;
}

EXPORT ssize_t read(int fd, void *buffer, size_t length) {
    struct iovec piece = {buffer, length};
    if (!descriptor_socket(fd))
        return LIBC(read)(fd, buffer, length);
    CALL_BEGINS;
    if (length == 0)
        return 0;
    TRACE_DATA(buffer, length, "read(%d, @, %zu)", fd, length);
    return call_result(receive_message(fd, &piece, 1, 0, NULL, NULL));
}

EXPORT ssize_t readv(int fd, const struct iovec *pieces, int count) {
    if (!descriptor_socket(fd))
        return LIBC(readv)(fd, pieces, count);
    CALL_BEGINS;
    if (count < 0 || count > IOV_MAX)
        return call_result(-EINVAL);
    if (buffer_pieces_length(pieces, count) == 0)
        return 0;
    TRACE_DATA(pieces->iov_base, pieces->iov_len, "readv(%d, [@, ...], %d)", fd, count);
    return call_result(receive_message(fd, pieces, count, 0, NULL, NULL));
}

EXPORT ssize_t recv(int fd, void *buffer, size_t length, int flags) {
    struct iovec piece = {buffer, length};
    if (!descriptor_socket(fd))
        return LIBC(recv)(fd, buffer, length, flags);
    CALL_BEGINS;
    TRACE_DATA(buffer, length, "recv(%d, @, %zu, 0x%x)", fd, length, (unsigned)flags);
    return call_result(receive_message(fd, &piece, 1, flags, NULL, NULL));
}

EXPORT ssize_t recvfrom(int fd, void *buffer, size_t length, int flags, struct sockaddr *from,
                        socklen_t *from_length) {
    CALL_BEGINS;
    struct iovec piece = {buffer, length};
    if (!descriptor_socket(fd)) {
        ssize_t received = LIBC(recvfrom)(fd, buffer, length, flags, from, from_length);
        if (received >= 0 && from && from_length && netlink_is(fd))
            netlink_name_sender(from, *from_length);
        return received;
    }
    TRACE_DATA(buffer, length, "recvfrom(%d, @, %zu, 0x%x)", fd, length, (unsigned)flags);
    return call_result(receive_message(fd, &piece, 1, flags, from, from_length));
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *header, int flags) {
    CALL_BEGINS;
    struct fd_entry *entry = descriptor_find(fd);
    if (!descriptor_socket(fd)) {
        ssize_t received = LIBC(recvmsg)(fd, header, flags);
        if (received >= 0 && header->msg_controllen > 0)
            passing_in(header, flags);
        if (received >= 0 && netlink_is(fd))
            netlink_name_sender(header->msg_name, header->msg_namelen);
        return call_told(received);
    }
    if (header->msg_iovlen > IOV_MAX)
        return call_result(-EMSGSIZE);
    TRACE("recvmsg(%d, %d pieces, 0x%x)", fd, (int)header->msg_iovlen, (unsigned)flags);
    return call_result(worlds_receives(entry) ? receive_both(fd, entry, header, flags)
                                              : receive_ours(fd, header, flags));
}

static bool has_passed(const struct timespec *deadline) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > deadline->tv_sec ||
           (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

/* As recvmmsg(2) says, the time is looked at after each message only. */
EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
    struct timespec deadline;
    unsigned received = 0;
    if (!descriptor_socket(fd) && !netlink_is(fd))
        return LIBC(recvmmsg)(fd, messages, count, flags, timeout);
    CALL_BEGINS;
    if (timeout) {
        if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000)
            return (int)call_result(-EINVAL);
        clock_gettime(CLOCK_MONOTONIC, &deadline);
        deadline.tv_sec += timeout->tv_sec + (deadline.tv_nsec + timeout->tv_nsec) / 1000000000;
        deadline.tv_nsec = (deadline.tv_nsec + timeout->tv_nsec) % 1000000000;
    }
    if (!(flags & MSG_ERRQUEUE) && descriptor_socket(fd)) {
        int error;
        struct socket *socket = call_enter(fd, &error);
        if (socket) {
            error = socket_take_error(socket);
            region_leave();
        }
        if (error)
            return (int)call_result(error);
    }
    while (received < count && received < IOV_MAX) {
        ssize_t result = recvmsg(fd, &messages[received].msg_hdr, flags & ~MSG_WAITFORONE);
        if (result < 0)
            return received > 0 ? (int)call_result(received) : -1;
        messages[received++].msg_len = (unsigned)result;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (timeout && has_passed(&deadline))
            break;
    }
    return (int)call_result(received);
}

EXPORT ssize_t __read_chk(int fd, void *buffer, size_t length, size_t room) {
    if (length > room)
        __chk_fail();
    return read(fd, buffer, length);
}

EXPORT ssize_t __recv_chk(int fd, void *buffer, size_t length, size_t room, int flags) {
    if (length > room)
        __chk_fail();
    return recv(fd, buffer, length, flags);
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buffer, size_t length, size_t room, int flags,
                              struct sockaddr *from, socklen_t *from_length) {
    if (length > room)
        __chk_fail();
    return recvfrom(fd, buffer, length, flags, from, from_length);
}

/* preadv2(2) and pwritev2(2) of what has no place to read at: readv and writev with flags. */
static int flags_at(off_t offset, int flags) {
    if (offset != -1)
        return -ESPIPE;
    if (flags & ~(RWF_NOWAIT | RWF_HIPRI | RWF_DSYNC | RWF_SYNC))
        return -EOPNOTSUPP;
    return flags & RWF_NOWAIT ? MSG_DONTWAIT : 0;
}

EXPORT ssize_t preadv2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) {
    if (!descriptor_socket(fd))
        return LIBC(preadv2)(fd, pieces, count, offset, flags);
    CALL_BEGINS;
    int how = flags_at(offset, flags);
    if (how < 0 || count < 0 || count > IOV_MAX)
        return call_result(how < 0 ? how : -EINVAL);
    if (buffer_pieces_length(pieces, count) == 0)
        return 0;
    TRACE_DATA(pieces->iov_base, pieces->iov_len, "preadv2(%d, [@, ...], %d, -1, 0x%x)", fd, count,
               (unsigned)flags);
    return call_result(receive_message(fd, pieces, count, how, NULL, NULL));
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) {
    if (!descriptor_socket(fd))
        return LIBC(pwritev2)(fd, pieces, count, offset, flags);
    CALL_BEGINS;
    int how = flags_at(offset, flags);
    if (how < 0 || count < 0 || count > IOV_MAX)
        return call_result(how < 0 ? how : -EINVAL);
    if (buffer_pieces_length(pieces, count) == 0)
        return 0;
    TRACE("pwritev2(%d, [%s, ...], %d, -1, 0x%x)", fd, tracing_bytes(pieces->iov_base, pieces->iov_len),
          count, (unsigned)flags);
    return call_result(send_message(fd, pieces, count, how, NULL, 0));
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *pieces, int count, off64_t offset, int flags) {
    return preadv2(fd, pieces, count, offset, flags);
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count, off64_t offset, int flags) {
    return pwritev2(fd, pieces, count, offset, flags);
}

#define DIRECT_PIECES 33 /* buffers, as much as a chunk of a send queue */
#define DIRECT_LEAST 4096u
#define SENDFILE_BYTES 65536u

/* Reads from the page cache straight into buffers of the stack's, and sends those: what is not in the cache
 * is not waited for, since the lock is held. Returns how much; 0: not this way. */
static size_t send_direct(int out, int in, off_t at, size_t length) {
    struct iovec pieces[DIRECT_PIECES];
    struct buffer *chain = NULL, **link = &chain;
    uint32_t room = 0;
    int error, count = 0;
    struct socket *socket = call_enter(out, &error);
    if (!socket)
        return 0;
    uint32_t most = socket_chain_room(&shared->stack, socket);
    most = length < most ? (uint32_t)length : most;
    while (most >= DIRECT_LEAST && room < most && count < DIRECT_PIECES &&
           (*link = buffer_take(&shared->stack.buffers))) {
        uint32_t here = most - room < BUFFER_CAPACITY ? most - room : BUFFER_CAPACITY;
        pieces[count++] = (struct iovec){(*link)->storage, here};
        room += here;
        link = &(*link)->next;
    }
    ssize_t got = count > 0 ? LIBC(preadv2)(in, pieces, count, at, RWF_NOWAIT) : 0;
    uint32_t left = got > 0 ? (uint32_t)got : 0;
    struct buffer *rest = chain;
    for (link = &chain; *link && left > 0; link = &(*link)->next, rest = *link) {
        (*link)->end = left < BUFFER_CAPACITY ? left : BUFFER_CAPACITY;
        left -= (*link)->end;
    }
    *link = NULL;
    buffer_drop_chain(&shared->stack.buffers, rest);
    if (got > 0) {
        socket_send_chain(&shared->stack, socket, chain, (uint32_t)got);
        frames_coalesced(socket);
    }
    region_leave();
    return got > 0 ? (size_t)got : 0;
}

/* sendfile(2) to a socket of ours: from the page cache into the send queue, or through a buffer, which can
 * wait. */
static ssize_t send_file(int out, int in, off_t *offset, size_t length) {
    char small[2048], *buffer = NULL; /* the thread's stack may be small */
    size_t sent = 0, room = length < sizeof small ? length : SENDFILE_BYTES;
    ssize_t error = 0;
    while (sent < length) {
        off_t at = offset ? *offset : lseek(in, 0, SEEK_CUR);
        if (at < 0) {
            error = errno == ESPIPE ? -EINVAL : -errno;
            break;
        }
        size_t direct = send_direct(out, in, at, length - sent);
        if (direct > 0) {
            sent += direct;
            if (offset)
                *offset += (off_t)direct;
            else
                lseek(in, (off_t)direct, SEEK_CUR);
            continue;
        }
        if (!buffer && !(buffer = room > sizeof small ? memory_take(room) : small)) {
            error = -ENOMEM;
            break;
        }
        ssize_t got = pread(in, buffer, length - sent < room ? length - sent : room, at);
        if (got <= 0) {
            error = got < 0 ? -errno : 0;
            break;
        }
        struct iovec piece = {buffer, (size_t)got};
        ssize_t result = send_message(out, &piece, 1, 0, NULL, 0);
        if (result < 0) {
            error = result;
            break;
        }
        sent += (size_t)result;
        if (offset)
            *offset += result;
        else
            lseek(in, result, SEEK_CUR);
        if (result < got)
            break;
    }
    if (buffer && buffer != small)
        memory_give(buffer);
    return sent > 0 ? (ssize_t)sent : error;
}

EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t length) {
    bool by_kernel = !descriptor_socket(out) || worlds_sends(descriptor_find(out));
    if (!descriptor_socket(in) && by_kernel)
        return LIBC(sendfile)(out, in, offset, length);
    CALL_BEGINS;
    if (descriptor_socket(in)) {
        int error = splice_check_sendfile(out, offset);
        return call_result(error ? error : splice_to_pipe(in, out, length, 0));
    }
    /* The kernel says what is wrong with the file, by its object in the place of our socket. */
    off_t at = offset ? *offset : 0;
    if (LIBC(sendfile)(out, in, offset ? &at : NULL, 0) < 0)
        return call_told(-1);
    int kind = length > 0 ? splice_check_file(in, at) : 0;
    if (kind < 0)
        return call_result(kind);
    if (offset)
        TRACE("sendfile(%d, %d, [%lld], %zu)", out, in, (long long)*offset, length);
    else
        TRACE("sendfile(%d, %d, NULL, %zu)", out, in, length);
    ssize_t sent = send_file(out, in, offset, length);
    if (kind > 0 && offset)
        *offset = at;
    return call_result(sent);
}

EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t length) {
    return sendfile(out, in, offset, length);
}
