/* SPDX-License-Identifier: MIT */
/*
 * io.c - read(2), write, send, recv, and their kin: all are one transfer of a struct socket_message.
 */
#include "shim/library/calls/call.h"
#include "shim/library/calls/cmsg.h"
#include "shim/library/calls/credentials.h"
#include "shim/library/calls/splice.h"
#include "shim/library/calls/transfer.h"
#include "shim/library/fd/udp_loopback.h"
#include "shim/library/memory.h"
#include "shim/library/netinfo/netlink.h"
#include "shim/library/process/scm_rights.h"
#include "shim/library/process/signals.h"
#include "shim/library/user_memory.h"
#include "shim/region/frames.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONTROL_BYTES 1024   /* of control messages: all that are told; most that are said */
#define CONTROL_MOST 131072u /* Linux's net.core.optmem_max */

/* The fortified twins check the size that the compiler knew, as glibc's do. */
extern void __chk_fail(void) __attribute__((noreturn));

/* Whether what is sent, to an address if there is one, is for the kernel to send: a UDP socket has an object
 * of the kernel's for that (udp_loopback.h), any other that is fresh becomes the kernel's altogether. */
static bool becomes_kernel(int fd, const struct sockaddr *to, socklen_t length, int flags, int *error) {
    struct ip_address host;
    uint16_t port;
    *error = 0;
    if (!to)
        return false;
    int read = call_address(fd, CALL_SENDS, to, length, &host, &port);
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
    if (read == 0 && fallback_is_refused(*error)) {
        *error = 0;
        return false;
    }
    return *error == 0;
}

/* Whether a datagram of an AF_INET6 socket goes by IPv6: to its name, or where the socket is connected to. */
static bool speaks_ip6(const struct socket *socket, const struct msghdr *header) {
    const struct sockaddr_in6 *to = header->msg_name;
    if (!to)
        return !socket->datagram || !ip_is_v4(socket->datagram->remote_address);
    return to->sin6_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&to->sin6_addr);
}

/* The header is the caller's own, and so are its name and its iovec; its control messages are the program's. Not a part
 * of its caller, whose stack may be small: few calls need the room. */
__attribute__((noinline)) static int read_control(const struct msghdr *header, struct socket_message *message,
                                                  const struct socket *socket,
                                                  struct ip6_extensions *extensions) {
    bool stream = socket && socket->type == SOCK_STREAM, inet6 = socket && socket->options.inet6;
    char few[CONTROL_BYTES];
    struct msghdr copy = *header;
    int error = 0;
    if (header->msg_controllen == 0)
        return 0;
    if (header->msg_controllen > CONTROL_MOST)
        return -ENOBUFS;
    copy.msg_control = copy.msg_controllen > sizeof few ? memory_take(copy.msg_controllen) : few;
    if (!copy.msg_control)
        return -ENOBUFS;
    if (user_read(copy.msg_control, header->msg_control, copy.msg_controllen))
        error = -EFAULT;
    else if (stream)
        error = control_is_whole(&copy)
                    ? cmsg_read(&copy, socket, false, message, extensions, credentials_have)
                    : -EINVAL;
    else if (socket)
        message->control_error = /* what else is wrong is said first */
            control_is_whole(&copy) ? cmsg_read(&copy, socket, inet6 && speaks_ip6(socket, header), message,
                                                extensions, credentials_have)
                                    : -EINVAL;
    if (copy.msg_control != few)
        memory_give(copy.msg_control);
    return error;
}

/* IPV6_FLOWINFO_SEND: the address says the flow label, too, unless a control message has. */
static void take_flow(struct socket_message *message, const struct sockaddr *to) {
    uint32_t flow = ntohl(((const struct sockaddr_in6 *)to)->sin6_flowinfo) & IP6_FLOW_INFORMATION;
    if (!flow || message->has_flow)
        return;
    message->has_flow = true;
    message->flow_label = flow;
}

/* The header is the caller's own, and so are its name and its iovec, which is changed. */
static ssize_t send_header(int fd, struct msghdr *header, int flags) {
    if (!header->msg_name && worlds_sends(descriptor_find(fd))) {
        ssize_t sent = LIBC(sendmsg)(fd, header, flags);
        return sent < 0 ? -errno : sent;
    }
    struct socket_message message = {.flags = flags};
    const struct sockaddr *to = header->msg_name;
    socklen_t to_length = header->msg_namelen;
    struct socket *socket = descriptor_socket(fd);
    bool stream = socket && socket->type == SOCK_STREAM;
    struct ip6_extensions extensions;
    int error = read_control(header, &message, socket, &extensions);
    if (error)
        return error;
    if (to && (!stream || flags & MSG_FASTOPEN)) {
        message.unspecified = to_length >= sizeof to->sa_family && to->sa_family == AF_UNSPEC;
        error = message.unspecified
                    ? 0
                    : call_address(fd, CALL_SENDS, to, to_length, &message.address, &message.port);
        if (error)
            return error == ADDRESS_FOREIGN ? -ENETUNREACH : error;
        message.address = call_destination(message.address);
        message.has_address = true;
        if (socket && socket->options.six.send_flow_info && to->sa_family == AF_INET6)
            take_flow(&message, to);
    }
    return transfer_out(fd, header->msg_iov, (int)header->msg_iovlen, message);
}

/* The iovec is the caller's own. */
static ssize_t send_pieces(int fd, struct iovec *pieces, int count, int flags) {
    struct msghdr header = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
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
    return call_result(send_pieces(fd, &piece, 1, 0));
}

/* writev(2), pwritev2: a file's call, to which nothing is left to do when there are no bytes, as in Linux. */
static ssize_t write_pieces(int fd, const struct iovec *given, int count, int flags) {
    if (count < 0 || count > IOV_MAX)
        return -EINVAL;
    struct iovec pieces[count > 0 ? count : 1];
    ssize_t total = pieces_read(pieces, given, (size_t)count);
    return total <= 0 ? total : send_pieces(fd, pieces, count, flags);
}

EXPORT ssize_t writev(int fd, const struct iovec *pieces, int count) {
    if (!descriptor_socket(fd))
        return netlink_is(fd) ? to_netlink(fd, pieces, count) : LIBC(writev)(fd, pieces, count);
    CALL_BEGINS;
    TRACE("writev(%d, %s, %d)", fd, tracing_pieces(pieces, count), count);
    return call_result(write_pieces(fd, pieces, count, 0));
}

EXPORT ssize_t send(int fd, const void *buffer, size_t length, int flags) {
    struct iovec piece = {(void *)buffer, length};
    if (!descriptor_socket(fd))
        return netlink_is(fd) ? to_netlink(fd, &piece, 1) : LIBC(send)(fd, buffer, length, flags);
    CALL_BEGINS;
    TRACE("send(%d, %s, %zu, 0x%x)", fd, tracing_bytes(buffer, length), length, (unsigned)flags);
    return call_result(send_pieces(fd, &piece, 1, flags));
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
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    struct sockaddr_storage name;
    if (to && (error = address_copy(&name, to, to_length)))
        return call_result(error);
    if (to) {
        header.msg_name = &name;
        header.msg_namelen = to_length;
    }
    if (becomes_kernel(fd, header.msg_name, to_length, flags, &error))
        return call_told(LIBC(sendto)(fd, buffer, length, flags, to, to_length));
    if (error)
        return call_result(error);
    TRACE("sendto(%d, %s, %zu, 0x%x, %s)", fd, tracing_bytes(buffer, length), length, (unsigned)flags,
          tracing_address(header.msg_name, to_length));
    return call_result(send_header(fd, &header, flags));
}

/* A message of the kernel's, which may carry descriptors of ours. */
static ssize_t send_foreign(int fd, const struct msghdr *message, int flags) {
    struct msghdr header;
    CALL_BEGINS;
    if (user_read(&header, message, sizeof header) || header.msg_controllen == 0)
        return LIBC(sendmsg)(fd, message, flags); /* the kernel says what is wrong */
    passing_out(message, false);
    ssize_t result = LIBC(sendmsg)(fd, message, flags);
    if (result < 0) {
        int error = errno;
        passing_out(message, true);
        errno = error;
    }
    return call_told(result);
}

/* A message of the program's: in the kernel's order of what may be wrong with it. `given`: as the kernel
 * takes it. */
static ssize_t send_given(int fd, const struct msghdr *given, const struct msghdr *asked, int flags) {
    struct msghdr header = *asked;
    struct sockaddr_storage name;
    int error = 0;
    if (!header.msg_name)
        header.msg_namelen = 0;
    if ((int)header.msg_namelen < 0)
        return -EINVAL;
    if (header.msg_namelen > sizeof name)
        header.msg_namelen = sizeof name;
    if (header.msg_namelen == 0)
        header.msg_name = NULL;
    if (header.msg_name && (error = address_copy(&name, header.msg_name, header.msg_namelen)))
        return error;
    if (header.msg_name)
        header.msg_name = &name;
    if (header.msg_iovlen > IOV_MAX)
        return -EMSGSIZE;
    struct iovec pieces[header.msg_iovlen > 0 ? header.msg_iovlen : 1];
    ssize_t total = pieces_read(pieces, header.msg_iov, header.msg_iovlen);
    if (total < 0)
        return total;
    header.msg_iov = pieces;
    if (becomes_kernel(fd, header.msg_name, header.msg_namelen, flags, &error)) {
        ssize_t sent = LIBC(sendmsg)(fd, given, flags);
        return sent < 0 ? -errno : sent;
    }
    return error ? error : send_header(fd, &header, flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    struct msghdr header;
    if (netlink_is(fd))
        return netlink_send(fd, message, flags);
    if (!descriptor_socket(fd))
        return message && descriptor_any ? send_foreign(fd, message, flags)
                                         : LIBC(sendmsg)(fd, message, flags);
    CALL_BEGINS;
    if (user_read(&header, message, sizeof header))
        return call_result(-EFAULT);
    TRACE("sendmsg(%d, %s, 0x%x)", fd, tracing_pieces(header.msg_iov, (int)header.msg_iovlen),
          (unsigned)flags);
    return call_result(send_given(fd, message, &header, flags));
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
        unsigned length = (unsigned)result;
        if (user_write(&messages[sent].msg_len, &length, sizeof length))
            return (int)call_result(sent > 0 ? (long)sent : -EFAULT);
    }
    return (int)sent;
}

/* What came with a message: the header is the caller's own, and says how much room there is for it in the
 * program's memory, and then how much there was. Control messages that can't be written are lost, as in
 * Linux. */
static void write_control(struct msghdr *header, const struct socket_options *options,
                          const struct socket_message *message) {
    char own[CONTROL_BYTES];
    struct msghdr copy = *header;
    bool timed = options->timestamp || options->timestamping || message->error.origin;
    copy.msg_control = header->msg_control ? own : NULL;
    if (copy.msg_controllen > sizeof own)
        copy.msg_controllen = sizeof own;
    cmsg_write(&shared->stack, timed ? clock_realtime_offset() : 0, &copy, options, message);
    header->msg_flags = copy.msg_flags;
    header->msg_controllen = copy.msg_controllen;
    if (copy.msg_controllen > 0 && user_write(header->msg_control, own, copy.msg_controllen))
        header->msg_controllen = 0;
}

/* The header is the caller's own; what it points to is the program's. */
static ssize_t receive_ours(int fd, struct msghdr *header, int flags) {
    struct socket_message message = {.flags = flags};
    struct socket_options options;
    struct iovec pieces[header->msg_iovlen > 0 ? header->msg_iovlen : 1];
    ssize_t result = pieces_read(pieces, header->msg_iov, header->msg_iovlen);
    if (result >= 0)
        result = transfer_in(fd, pieces, (int)header->msg_iovlen, &message, &options);
    if (result < 0)
        return result;
    header->msg_flags = message.error.origin ? MSG_ERRQUEUE : 0;
    write_control(header, &options, &message);
    int error = 0;
    if (message.has_address && header->msg_name)
        error = address_write(header->msg_name, &header->msg_namelen, options.inet6, message.address,
                              message.port);
    else
        header->msg_namelen = 0;
    if (error)
        return error;
    if (message.truncated)
        header->msg_flags |= MSG_TRUNC;
    return message.has_address && !message.error.origin && flags & MSG_TRUNC ? (ssize_t)message.full_length
                                                                             : result;
}

/* Waits until either may have something, as recv(2) waits: a handler with SA_RESTART does not end it, unless
 * there is a time limit. Returns 0 or a negative errno. */
static int wait_for_both(int fd, uint64_t deadline_ns) {
    uint32_t before = signals_at_call.interrupting;
    for (;;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        struct timespec left = wait_time_left(deadline_ns == TIMER_NEVER ? 0 : deadline_ns);
        if (signals_handled.interrupting != before)
            return -EINTR;
        int ready = ppoll(&one, 1, deadline_ns == TIMER_NEVER ? NULL : &left, NULL);
        if (ready != -1)
            return ready > 0 ? 0 : -EAGAIN;
        if (errno != EINTR || deadline_ns != TIMER_NEVER || signals_handled.interrupting != before)
            return -errno;
    }
}

/* A socket with an object of the kernel's loopback network: from whichever has something, in turn. Who waits
 * asks the kernel's only when the stack's had nothing and something came: a call less for what the network
 * sends. */
static ssize_t receive_both(int fd, struct fd_entry *entry, struct msghdr *header, int flags) {
    const struct socket *socket = entry->socket;
    bool wait = !socket->nonblocking && !(flags & (MSG_DONTWAIT | MSG_ERRQUEUE));
    uint64_t deadline_ns = wait_deadline(socket->options.receive_timeout_ns);
    for (bool waited = !wait;; waited = true) {
        bool kernel_first = entry->kernel_next;
        for (int turn = 0; turn < (kernel_first || waited ? 2 : 1); turn++) {
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
        if (wait && waited && socket->read_shutdown)
            return 0;
        int error = wait ? wait_for_both(fd, deadline_ns) : -EAGAIN;
        if (error)
            return error;
    }
}

/* The iovec is the caller's own; all else is the program's. */
static ssize_t receive_message(int fd, struct iovec *pieces, int count, int flags, struct sockaddr *from,
                               socklen_t *from_length) {
    struct fd_entry *entry = descriptor_find(fd);
    if (worlds_receives(entry)) {
        struct msghdr header = {.msg_name = from, .msg_iov = pieces, .msg_iovlen = (size_t)count};
        if (from && from_length && user_read(&header.msg_namelen, from_length, sizeof *from_length))
            return -EFAULT;
        ssize_t received = receive_both(fd, entry, &header, flags);
        if (received >= 0 && from && user_write(from_length, &header.msg_namelen, sizeof *from_length))
            return -EFAULT;
        return received;
    }
    struct socket_message message = {.flags = flags};
    struct socket_options options;
    ssize_t result = transfer_in(fd, pieces, count, &message, &options);
    if (result < 0)
        return result;
    int error = 0;
    if (message.has_address)
        error = address_write(from, from_length, options.inet6, message.address, message.port);
    else if (from) /* a stream's peer is known already: recvfrom(2) */
        error = address_write_nothing(from_length);
    if (error)
        return error;
    return message.has_address && !message.error.origin && flags & MSG_TRUNC ? (ssize_t)message.full_length
                                                                             : result;
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

/* readv(2), preadv2: see write_pieces. */
static ssize_t read_pieces(int fd, const struct iovec *given, int count, int flags) {
    if (count < 0 || count > IOV_MAX)
        return -EINVAL;
    struct iovec pieces[count > 0 ? count : 1];
    ssize_t total = pieces_read(pieces, given, (size_t)count);
    return total <= 0 ? total : receive_message(fd, pieces, count, flags, NULL, NULL);
}

EXPORT ssize_t readv(int fd, const struct iovec *pieces, int count) {
    struct iovec first;
    if (!descriptor_socket(fd))
        return LIBC(readv)(fd, pieces, count);
    CALL_BEGINS;
    if (tracing && count > 0 && !user_read(&first, pieces, sizeof first))
        TRACE_DATA(first.iov_base, first.iov_len, "readv(%d, [@, ...], %d)", fd, count);
    return call_result(read_pieces(fd, pieces, count, 0));
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

/* A message of the kernel's, which may have brought descriptors of ours. */
static ssize_t receive_foreign(int fd, struct msghdr *message, int flags) {
    ssize_t received = LIBC(recvmsg)(fd, message, flags);
    if (received >= 0 && message->msg_controllen > 0)
        passing_in(message, flags);
    if (received >= 0 && netlink_is(fd))
        netlink_name_sender(message->msg_name, message->msg_namelen);
    return received;
}

/* A message of the program's: in the kernel's order of what may be wrong with it. */
static ssize_t receive_given(int fd, struct msghdr *given, int flags) {
    struct msghdr header;
    struct fd_entry *entry = descriptor_find(fd);
    if (user_read(&header, given, sizeof header))
        return -EFAULT;
    if ((int)header.msg_namelen < 0)
        return -EINVAL;
    if (header.msg_iovlen > IOV_MAX)
        return -EMSGSIZE;
    TRACE("recvmsg(%d, %d pieces, 0x%x)", fd, (int)header.msg_iovlen, (unsigned)flags);
    ssize_t received =
        worlds_receives(entry) ? receive_both(fd, entry, &header, flags) : receive_ours(fd, &header, flags);
    if (received >= 0 &&
        (user_write(&given->msg_namelen, &header.msg_namelen, sizeof header.msg_namelen) ||
         user_write(&given->msg_controllen, &header.msg_controllen, sizeof header.msg_controllen) ||
         user_write(&given->msg_flags, &header.msg_flags, sizeof header.msg_flags)))
        return -EFAULT;
    return received;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *header, int flags) {
    CALL_BEGINS;
    if (!descriptor_socket(fd))
        return call_told(receive_foreign(fd, header, flags));
    return call_result(receive_given(fd, header, flags));
}

static bool has_passed(const struct timespec *deadline) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > deadline->tv_sec ||
           (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

/* What is left of the time, as Linux says it. */
static int tell_rest(struct timespec *given, const struct timespec *deadline) {
    struct timespec now, rest = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = (int64_t)(deadline->tv_sec - now.tv_sec) * 1000000000 + deadline->tv_nsec - now.tv_nsec;
    if (left > 0)
        rest = (struct timespec){left / 1000000000, left % 1000000000};
    return user_write(given, &rest, sizeof rest);
}

/* As recvmmsg(2) says, the time is looked at after each message only. */
EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
    struct timespec deadline, limit, *given = NULL;
    unsigned received = 0;
    if (!descriptor_socket(fd) && !netlink_is(fd))
        return LIBC(recvmmsg)(fd, messages, count, flags, timeout);
    CALL_BEGINS;
    if (timeout) {
        if (user_read(&limit, timeout, sizeof limit))
            return (int)call_result(-EFAULT);
        given = timeout;
        timeout = &limit;
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
        unsigned length = (unsigned)result;
        if (user_write(&messages[received].msg_len, &length, sizeof length))
            return (int)call_result(received > 0 ? (long)received : -EFAULT);
        received++;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (timeout && has_passed(&deadline))
            break;
    }
    return (int)call_result(received > 0 && timeout && tell_rest(given, &deadline) ? -EFAULT
                                                                                   : (long)received);
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
    TRACE("preadv2(%d, %d pieces, -1, 0x%x)", fd, count, (unsigned)flags);
    return call_result(how < 0 ? how : read_pieces(fd, pieces, count, how));
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) {
    if (!descriptor_socket(fd))
        return LIBC(pwritev2)(fd, pieces, count, offset, flags);
    CALL_BEGINS;
    int how = flags_at(offset, flags);
    TRACE("pwritev2(%d, %s, %d, -1, 0x%x)", fd, tracing_pieces(pieces, count), count, (unsigned)flags);
    return call_result(how < 0 ? how : write_pieces(fd, pieces, count, how));
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *pieces, int count, off64_t offset, int flags) {
    return preadv2(fd, pieces, count, offset, flags);
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count, off64_t offset, int flags) {
    return pwritev2(fd, pieces, count, offset, flags);
}

#define SENDFILE_BYTES 65536u

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
        size_t direct = transfer_file(out, in, at, length - sent);
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
        ssize_t result = send_pieces(out, &piece, 1, 0);
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
    off_t at = 0, here;
    if (offset && user_read(&at, offset, sizeof at))
        return call_result(-EFAULT);
    /* The kernel says what is wrong with the file, by its object in the place of our socket. */
    here = at;
    if (LIBC(sendfile)(out, in, offset ? &here : NULL, 0) < 0)
        return call_told(-1);
    int kind = length > 0 ? splice_check_file(in, at) : 0;
    if (kind < 0)
        return call_result(kind);
    if (offset)
        TRACE("sendfile(%d, %d, [%lld], %zu)", out, in, (long long)at, length);
    else
        TRACE("sendfile(%d, %d, NULL, %zu)", out, in, length);
    here = at;
    ssize_t sent = send_file(out, in, offset ? &here : NULL, length);
    if (kind > 0)
        here = at;
    return call_result(offset && user_write(offset, &here, sizeof here) ? -EFAULT : sent);
}

EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t length) {
    return sendfile(out, in, offset, length);
}
