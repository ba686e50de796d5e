/* SPDX-License-Identifier: MIT */
/*
 * object.c - barewire's stack for packetdrill: `packetdrill --so_filename=build/tests/packetdrill.so SCRIPT`.
 *
 * packetdrill loads the object, calls packetdrill_interface_init, and makes its scripts' system calls through
 * the table that it gets. What is declared here of that table is the order and the types of its members.
 *
 * --so_flags: address=A.B.C.D, the stack's own, if it is not packetdrill's --local_ip; 192.168.0.1,
 * packetdrill's default, when there is none. An address that the script binds to or sends a packet to first
 * is taken as well.
 */
#include "shim/library/calls/cmsg.h"
#include "tests/packetdrill/descriptors.h"
#include "tests/packetdrill/patch.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <unistd.h>

struct packetdrill_interface {
    void *userdata;
    void (*free)(void *);
    int (*socket)(void *, int, int, int);
    int (*bind)(void *, int, const struct sockaddr *, socklen_t);
    int (*listen)(void *, int, int);
    int (*accept)(void *, int, struct sockaddr *, socklen_t *);
    int (*connect)(void *, int, const struct sockaddr *, socklen_t);
    ssize_t (*read)(void *, int, void *, size_t);
    ssize_t (*readv)(void *, int, const struct iovec *, int);
    ssize_t (*recv)(void *, int, void *, size_t, int);
    ssize_t (*recvfrom)(void *, int, void *, size_t, int, struct sockaddr *, socklen_t *);
    ssize_t (*recvmsg)(void *, int, struct msghdr *, int);
    ssize_t (*write)(void *, int, const void *, size_t);
    ssize_t (*writev)(void *, int, const struct iovec *, int);
    ssize_t (*send)(void *, int, const void *, size_t, int);
    ssize_t (*sendto)(void *, int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    ssize_t (*sendmsg)(void *, int, const struct msghdr *, int);
    int (*fcntl)(void *, int, int, ...);
    int (*ioctl)(void *, int, unsigned long, ...);
    int (*close)(void *, int);
    int (*shutdown)(void *, int, int);
    int (*getsockopt)(void *, int, int, int, void *, socklen_t *);
    int (*setsockopt)(void *, int, int, int, const void *, socklen_t);
    int (*poll)(void *, struct pollfd *, nfds_t, int);
    int (*netdev_send)(void *, const void *, size_t);
    int (*netdev_receive)(void *, void *, size_t *, long long *);
    int (*usleep)(void *, useconds_t);
    int (*gettimeofday)(void *, struct timeval *, struct timezone *);
    int (*epoll_create)(void *, int);
    int (*epoll_ctl)(void *, int, int, int, struct epoll_event *);
    int (*epoll_wait)(void *, int, struct epoll_event *, int, int);
    int (*pipe)(void *, int[2]);
    int (*splice)(void *, int, loff_t *, int, loff_t *, size_t, unsigned);
};

__attribute__((visibility("default"))) void packetdrill_interface_init(const char *flags,
                                                                       struct packetdrill_interface *table);

static ssize_t result_of(ssize_t result) {
    machine_leave();
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

/* Begins a call on a socket. NULL: *error says why not. */
static struct descriptor *enter(int fd, ssize_t *error) {
    machine_enter();
    struct descriptor *descriptor = descriptor_of(fd);
    *error = !descriptor ? -EBADF : descriptor->kind == SOCKET ? 0 : -ENOTSOCK;
    return *error ? NULL : descriptor;
}

static int sd_socket(void *userdata, int domain, int type, int protocol) {
    struct socket *socket;
    (void)userdata;
    machine_enter();
    int error = domain != AF_INET && domain != AF_INET6
                    ? -EAFNOSUPPORT
                    : socket_create(machine.stack, type & 15, protocol, &socket);
    if (error)
        return (int)result_of(error);
    socket_set_family(socket, domain == AF_INET6);
    int fd = descriptor_add(SOCKET, socket);
    if (fd > 0)
        descriptor_of(fd)->nonblocking = type & SOCK_NONBLOCK;
    return (int)result_of(fd);
}

static int read_address(const struct sockaddr *from, socklen_t length, struct ip_address *address,
                        uint16_t *port) {
    struct sockaddr_in in;
    struct sockaddr_in6 six;
    if (length < sizeof in)
        return -EINVAL;
    memcpy(&in, from, sizeof in);
    *address = ip_from_v4(ntohl(in.sin_addr.s_addr));
    *port = ntohs(in.sin_port);
    if (in.sin_family == AF_INET)
        return 0;
    if (in.sin_family != AF_INET6)
        return -EAFNOSUPPORT;
    if (length < offsetof(struct sockaddr_in6, sin6_scope_id))
        return -EINVAL;
    memcpy(&six, from, offsetof(struct sockaddr_in6, sin6_scope_id));
    *address = ip_from_bytes(&six.sin6_addr);
    return 0;
}

static void give_address(struct sockaddr *to, socklen_t *length, const struct socket *socket,
                         struct ip_address address, uint16_t port) {
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip_to_v4(address)), .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&six.sin6_addr, address.bytes, sizeof address.bytes);
    socklen_t size = socket->options.inet6 ? sizeof six : sizeof in;
    if (!to || !length)
        return;
    memcpy(to, socket->options.inet6 ? (void *)&six : &in, *length < size ? *length : size);
    *length = size;
}

static int sd_bind(void *userdata, int fd, const struct sockaddr *to, socklen_t length) {
    ssize_t error;
    struct ip_address address;
    uint16_t port;
    (void)userdata;
    struct descriptor *descriptor = enter(fd, &error);
    if (descriptor)
        error = read_address(to, length, &address, &port);
    if (!error) {
        machine_adopt(address);
        error = socket_bind(machine.stack, descriptor->socket, address, port);
    }
    return (int)result_of(error);
}

static int sd_listen(void *userdata, int fd, int backlog) {
    ssize_t error;
    (void)userdata;
    struct descriptor *descriptor = enter(fd, &error);
    return (int)result_of(descriptor ? socket_listen(machine.stack, descriptor->socket, backlog) : error);
}

static bool waits(const struct descriptor *descriptor, int flags) {
    return !descriptor->nonblocking && !(flags & MSG_DONTWAIT);
}

static uint64_t deadline_after(uint64_t ns) {
    return ns ? machine.now_ns + ns : UINT64_MAX;
}

static int sd_accept(void *userdata, int fd, struct sockaddr *from, socklen_t *length) {
    ssize_t error;
    struct socket *made;
    (void)userdata;
    struct descriptor *descriptor = enter(fd, &error);
    if (!descriptor)
        return (int)result_of(error);
    uint64_t deadline = deadline_after(descriptor->socket->options.receive_timeout_ns);
    while ((error = socket_accept(machine.stack, descriptor->socket, &made)) == -EAGAIN &&
           waits(descriptor, 0) && machine_wait(deadline))
        ;
    if (error)
        return (int)result_of(error);
    give_address(from, length, made, made->tcp->remote_address, made->tcp->remote_port);
    return (int)result_of(descriptor_add(SOCKET, made));
}

static int sd_connect(void *userdata, int fd, const struct sockaddr *to, socklen_t length) {
    ssize_t error;
    struct ip_address address;
    uint16_t port;
    (void)userdata;
    struct descriptor *descriptor = enter(fd, &error);
    if (!descriptor)
        return (int)result_of(error);
    if (length >= sizeof to->sa_family && to->sa_family == AF_UNSPEC)
        return (int)result_of(socket_disconnect(machine.stack, descriptor->socket));
    error = read_address(to, length, &address, &port);
    if (error)
        return (int)result_of(error);
    uint64_t deadline = deadline_after(descriptor->socket->options.send_timeout_ns);
    error = socket_connect(machine.stack, descriptor->socket, address, port);
    while ((error == -EINPROGRESS || error == -EALREADY) && waits(descriptor, 0)) {
        if (!machine_wait(deadline))
            break;
        error = socket_connect(machine.stack, descriptor->socket, address, port);
    }
    return (int)result_of(error == -EALREADY && waits(descriptor, 0) ? -EINPROGRESS : error);
}

/* Whether memory that a script names is there: a bad pointer is EFAULT, as from a kernel. */
static bool memory_readable(const struct iovec *pieces, int count) {
    char byte;
    for (int i = 0; i < count; i++) {
        struct iovec to = {&byte, 1}, from = {pieces[i].iov_base, 1};
        if (pieces[i].iov_len > 0 && process_vm_readv(getpid(), &to, 1, &from, 1, 0) != 1)
            return false;
    }
    return true;
}

/* What is left of `pieces` after `done` bytes. */
static int left_of(const struct iovec *pieces, int count, size_t done, struct iovec *left) {
    int used = 0;
    for (int i = 0; i < count; i++) {
        size_t skip = done < pieces[i].iov_len ? done : pieces[i].iov_len;
        done -= skip;
        if (skip < pieces[i].iov_len)
            left[used++] = (struct iovec){(char *)pieces[i].iov_base + skip, pieces[i].iov_len - skip};
    }
    return used;
}

static bool wait_to_send(struct descriptor *descriptor, size_t left, uint64_t deadline) {
    descriptor->socket->blocked_writers += left > 0;
    bool again = machine_wait(deadline);
    descriptor->socket->blocked_writers -= left > 0;
    return again;
}

/* Scripts may do what root may. */
static bool have(int capability) {
    (void)capability;
    return true;
}

static ssize_t transfer_out(struct descriptor *descriptor, const struct msghdr *header, int flags) {
    struct socket_message message = {.flags = flags};
    struct ip6_extensions extensions;
    int count = (int)header->msg_iovlen;
    struct iovec left[count > 0 ? count : 1];
    size_t total, sent = 0;
    ssize_t result = 0;
    if (!memory_readable(header->msg_iov, count))
        return -EFAULT;
    if (header->msg_name) {
        const struct sockaddr *to = header->msg_name;
        message.has_address = true;
        message.unspecified = header->msg_namelen >= sizeof to->sa_family && to->sa_family == AF_UNSPEC;
        if (!message.unspecified)
            result = read_address(to, header->msg_namelen, &message.address, &message.port);
    }
    if (!result)
        result =
            cmsg_read(header, descriptor->socket, !ip_is_v4(message.address), &message, &extensions, have);
    if (result)
        return result;
    total = buffer_pieces_length(header->msg_iov, count);
    uint64_t deadline = deadline_after(descriptor->socket->options.send_timeout_ns);
    for (;;) {
        message.pieces = left;
        message.count = left_of(header->msg_iov, count, sent, left);
        result = socket_send(machine.stack, descriptor->socket, &message);
        message.flags &= ~MSG_FASTOPEN; /* it has connected: what is left follows */
        while (waits(descriptor, flags) && socket_is_opening(descriptor->socket) &&
               wait_to_send(descriptor, total - (result > 0 ? (size_t)result : 0), deadline))
            result = descriptor->socket->error ? socket_take_error(descriptor->socket) : result;
        if (result >= 0)
            sent += (size_t)result;
        if (result >= 0 && (!descriptor->socket->tcp || sent >= total || !waits(descriptor, flags)))
            break;
        bool later = result == -EAGAIN || result == -EINPROGRESS || result == -ENOBUFS || result >= 0;
        if (!later || !waits(descriptor, flags) || (result < 0 && !wait_to_send(descriptor, total, deadline)))
            break;
    }
    return sent > 0 || result >= 0 ? (ssize_t)sent : result;
}

static ssize_t transfer_in(struct descriptor *descriptor, struct msghdr *header, int flags) {
    struct socket_message message = {.flags = flags};
    int count = (int)header->msg_iovlen;
    struct iovec left[count > 0 ? count : 1];
    size_t total, received = 0;
    ssize_t result;
    if (!memory_readable(header->msg_iov, count))
        return -EFAULT;
    total = buffer_pieces_length(header->msg_iov, count);
    bool all = flags & MSG_WAITALL && !(flags & MSG_PEEK);
    uint64_t deadline = deadline_after(descriptor->socket->options.receive_timeout_ns);
    for (;;) {
        message.pieces = left;
        message.count = left_of(header->msg_iov, count, received, left);
        result = socket_receive(machine.stack, descriptor->socket, &message);
        if (result >= 0)
            received += (size_t)result;
        if (result >= 0 && (!all || result == 0 || received >= total))
            break;
        if (result < 0 && (result != -EAGAIN || !waits(descriptor, flags) || flags & MSG_ERRQUEUE))
            break;
        if (result < 0 && !machine_wait(deadline))
            break;
    }
    if (received == 0 && result < 0)
        return result;
    if (message.has_address)
        give_address(header->msg_name, &header->msg_namelen, descriptor->socket, message.address,
                     message.port);
    else
        header->msg_namelen = 0;
    header->msg_flags = flags & MSG_ERRQUEUE;
    cmsg_write(machine.stack, 0, header, &descriptor->socket->options, &message);
    return (ssize_t)received;
}

static ssize_t pipe_transfer(struct descriptor *descriptor, void *bytes, size_t length) {
    struct pipe *pipe = descriptor->pipe;
    if (descriptor->kind == PIPE_WRITE) {
        uint32_t room = PIPE_BYTES - pipe->length, part = length < room ? (uint32_t)length : room;
        memcpy(pipe->bytes + pipe->length, bytes, part);
        pipe->length += part;
        return part ? (ssize_t)part : -EAGAIN;
    }
    uint32_t part = length < pipe->length ? (uint32_t)length : pipe->length;
    memcpy(bytes, pipe->bytes, part);
    memmove(pipe->bytes, pipe->bytes + part, pipe->length - part);
    pipe->length -= part;
    return part ? (ssize_t)part : -EAGAIN;
}

static ssize_t transfer(int fd, struct msghdr *header, int flags, bool out) {
    ssize_t error;
    struct descriptor *descriptor = enter(fd, &error);
    if (error == -ENOTSOCK && descriptor_of(fd)->kind >= PIPE_READ && header->msg_iovlen == 1)
        return result_of(
            pipe_transfer(descriptor_of(fd), header->msg_iov->iov_base, header->msg_iov->iov_len));
    if (!descriptor)
        return result_of(error);
    descriptor->busy++;
    ssize_t result = out ? transfer_out(descriptor, header, flags) : transfer_in(descriptor, header, flags);
    if (--descriptor->busy == 0 && descriptor->closed) {
        socket_release(machine.stack, descriptor->socket);
        descriptor_drop(fd);
    }
    return result_of(result);
}

static ssize_t sd_recvmsg(void *userdata, int fd, struct msghdr *header, int flags) {
    (void)userdata;
    return transfer(fd, header, flags, false);
}

static ssize_t sd_recvfrom(void *userdata, int fd, void *buffer, size_t length, int flags,
                           struct sockaddr *from, socklen_t *from_length) {
    struct iovec piece = {buffer, length};
    struct msghdr header = {
        .msg_name = from, .msg_namelen = from_length ? *from_length : 0, .msg_iov = &piece, .msg_iovlen = 1};
    ssize_t result = sd_recvmsg(userdata, fd, &header, flags);
    if (from_length)
        *from_length = header.msg_namelen;
    return result;
}

static ssize_t sd_recv(void *userdata, int fd, void *buffer, size_t length, int flags) {
    return sd_recvfrom(userdata, fd, buffer, length, flags, NULL, NULL);
}

static ssize_t sd_read(void *userdata, int fd, void *buffer, size_t length) {
    return sd_recv(userdata, fd, buffer, length, 0);
}

static ssize_t sd_readv(void *userdata, int fd, const struct iovec *pieces, int count) {
    struct msghdr header = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    return sd_recvmsg(userdata, fd, &header, 0);
}

static ssize_t sd_sendmsg(void *userdata, int fd, const struct msghdr *header, int flags) {
    (void)userdata;
    return transfer(fd, (struct msghdr *)header, flags, true);
}

static ssize_t sd_sendto(void *userdata, int fd, const void *buffer, size_t length, int flags,
                         const struct sockaddr *to, socklen_t to_length) {
    struct iovec piece = {(void *)buffer, length};
    struct msghdr header = {
        .msg_name = (void *)to, .msg_namelen = to_length, .msg_iov = &piece, .msg_iovlen = 1};
    return sd_sendmsg(userdata, fd, &header, flags);
}

static ssize_t sd_send(void *userdata, int fd, const void *buffer, size_t length, int flags) {
    return sd_sendto(userdata, fd, buffer, length, flags, NULL, 0);
}

static ssize_t sd_write(void *userdata, int fd, const void *buffer, size_t length) {
    return sd_send(userdata, fd, buffer, length, 0);
}

static ssize_t sd_writev(void *userdata, int fd, const struct iovec *pieces, int count) {
    struct msghdr header = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    return sd_sendmsg(userdata, fd, &header, 0);
}

static int sd_fcntl(void *userdata, int fd, int command, ...) {
    va_list arguments;
    (void)userdata;
    va_start(arguments, command);
    int flags = va_arg(arguments, int);
    va_end(arguments);
    machine_enter();
    struct descriptor *descriptor = descriptor_of(fd);
    if (!descriptor)
        return (int)result_of(-EBADF);
    if (command == F_GETFL)
        return (int)result_of(O_RDWR | (descriptor->nonblocking ? O_NONBLOCK : 0));
    if (command != F_SETFL)
        return (int)result_of(-EINVAL);
    descriptor->nonblocking = flags & O_NONBLOCK;
    return (int)result_of(0);
}

static int sd_ioctl(void *userdata, int fd, unsigned long request, ...) {
    ssize_t error;
    va_list arguments;
    (void)userdata;
    va_start(arguments, request);
    int *value = va_arg(arguments, int *);
    va_end(arguments);
    struct descriptor *descriptor = enter(fd, &error);
    if (!descriptor)
        return (int)result_of(error);
    if (request == FIONBIO) {
        descriptor->nonblocking = *value;
        return (int)result_of(0);
    }
    return (int)result_of(socket_control(descriptor->socket, request, value));
}

static int sd_close(void *userdata, int fd) {
    (void)userdata;
    machine_enter();
    struct descriptor *descriptor = descriptor_of(fd);
    if (!descriptor)
        return (int)result_of(-EBADF);
    if (descriptor->busy > 0) {
        descriptor->closed = true;
        return (int)result_of(0);
    }
    switch (descriptor->kind) {
    case SOCKET:
        socket_release(machine.stack, descriptor->socket);
        break;
    case EPOLL:
        free(descriptor->epoll);
        break;
    default:
        break; /* a pipe stays as long as the script */
    }
    descriptor_drop(fd);
    return (int)result_of(0);
}

static int sd_shutdown(void *userdata, int fd, int how) {
    ssize_t error;
    (void)userdata;
    struct descriptor *descriptor = enter(fd, &error);
    return (int)result_of(descriptor ? socket_shutdown(machine.stack, descriptor->socket, how) : error);
}

static int sd_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *length) {
    ssize_t error;
    (void)userdata;
    struct descriptor *descriptor = enter(fd, &error);
    return (int)result_of(
        descriptor ? socket_get_option(machine.stack, descriptor->socket, level, name, value, length)
                   : error);
}

static int sd_setsockopt(void *userdata, int fd, int level, int name, const void *value, socklen_t length) {
    ssize_t error;
    (void)userdata;
    struct descriptor *descriptor = enter(fd, &error);
    return (int)result_of(
        descriptor ? socket_set_option(machine.stack, descriptor->socket, level, name, value, length)
                   : error);
}

static int sd_poll(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms) {
    (void)userdata;
    machine_enter();
    return (int)result_of(descriptors_poll(fds, count, timeout_ms));
}

static int sd_epoll_create(void *userdata, int size) {
    (void)userdata;
    machine_enter();
    struct epoll *epoll = size > 0 ? calloc(1, sizeof *epoll) : NULL;
    return (int)result_of(epoll ? descriptor_add(EPOLL, epoll) : -EINVAL);
}

static int sd_epoll_ctl(void *userdata, int epoll, int operation, int fd, struct epoll_event *event) {
    (void)userdata;
    machine_enter();
    return (int)result_of(descriptors_epoll_control(epoll, operation, fd, event));
}

static int sd_epoll_wait(void *userdata, int epoll, struct epoll_event *events, int limit, int timeout_ms) {
    (void)userdata;
    machine_enter();
    return (int)result_of(descriptors_epoll_wait(epoll, events, limit, timeout_ms));
}

static int sd_pipe(void *userdata, int fds[2]) {
    struct pipe *pipe = calloc(1, sizeof *pipe);
    (void)userdata;
    machine_enter();
    fds[0] = pipe ? descriptor_add(PIPE_READ, pipe) : -ENOMEM;
    fds[1] = pipe ? descriptor_add(PIPE_WRITE, pipe) : -ENOMEM;
    return (int)result_of(fds[0] < 0 ? fds[0] : fds[1] < 0 ? fds[1] : 0);
}

/* One side is a pipe, the other a socket: splice(2) moves what fits, by copying. */
static int sd_splice(void *userdata, int from, loff_t *from_offset, int to, loff_t *to_offset, size_t length,
                     unsigned flags) {
    char bytes[PIPE_BYTES];
    struct descriptor *source, *target;
    (void)userdata;
    (void)from_offset;
    (void)to_offset;
    machine_enter();
    source = descriptor_of(from);
    target = descriptor_of(to);
    if (!source || !target)
        return (int)result_of(-EBADF);
    struct iovec piece = {bytes, length < sizeof bytes ? length : sizeof bytes};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    int wait = flags & 2 /* SPLICE_F_NONBLOCK */ ? MSG_DONTWAIT : 0;
    if (source->kind == SOCKET && target->kind == PIPE_WRITE) {
        if (source->socket->tcp && tcp_urgent_at_mark(source->socket->tcp))
            return (int)result_of(0); /* splice(2) goes no further than that */
        uint32_t room = PIPE_BYTES - target->pipe->length;
        piece.iov_len = piece.iov_len < room ? piece.iov_len : room;
        ssize_t result = transfer_in(source, &header, wait);
        return (int)result_of(result > 0 ? pipe_transfer(target, bytes, (size_t)result) : result);
    }
    if (source->kind == PIPE_READ && target->kind == SOCKET) {
        struct pipe *pipe = source->pipe;
        piece = (struct iovec){pipe->bytes, length < pipe->length ? length : pipe->length};
        ssize_t result = piece.iov_len ? transfer_out(target, &header, wait) : -EAGAIN;
        return (int)result_of(result > 0 ? pipe_transfer(source, bytes, (size_t)result) : result);
    }
    return (int)result_of(-EINVAL);
}

static int sd_netdev_send(void *userdata, const void *packet, size_t length) {
    (void)userdata;
    machine_send(packet, length);
    return 0;
}

static int sd_netdev_receive(void *userdata, void *packet, size_t *length, long long *time_us) {
    uint64_t at_ns = 0;
    (void)userdata;
    if (!machine_receive(packet, length, &at_ns))
        *length = 0; /* packetdrill finds no packet in that, and says which one it expected */
    *time_us = (long long)(at_ns / 1000);
    return 0;
}

static int sd_usleep(void *userdata, useconds_t us) {
    (void)userdata;
    machine_sleep(us * UINT64_C(1000));
    return 0;
}

static int sd_gettimeofday(void *userdata, struct timeval *time, struct timezone *zone) {
    (void)userdata;
    (void)zone;
    uint64_t us = machine_clock() / 1000;
    *time = (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
    return 0;
}

static void sd_free(void *userdata) {
    (void)userdata;
    machine_destroy();
}

/* Scripts' own lines name tun0 (tc, ip route), which packetdrill makes only when it tests the kernel. It
 * lasts as long as this process. */
static void make_tun0(void) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "tun0"};
    int fd = if_nametoindex("tun0") ? -1 : open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0)
        close(fd);
}

/* What packetdrill itself was told by an option, "--NAME="; "": nothing. */
static const char *told(const char *option) {
    static char line[8192];
    static size_t length;
    FILE *file = length ? NULL : fopen("/proc/self/cmdline", "re");
    if (file) {
        length = fread(line, 1, sizeof line - 1, file);
        fclose(file);
    }
    for (const char *at = line; at < line + length; at += strlen(at) + 1)
        if (strncmp(at, option, strlen(option)) == 0)
            return at + strlen(option);
    return "";
}

/* The stack's address: told by flags, or to packetdrill; its default, else. */
static struct ip_address address_of(const char *flags) {
    struct ip_address address = ip_from_v4(0xc0a80001);
    char text[IP_ADDRESS_TEXT] = "";
    const char *given = flags ? strstr(flags, "address=") : NULL;
    given = given ? strchr(given, '=') + 1 : told("--local_ip=");
    if (!*given && strcmp(told("--ip_version="), "ipv6") == 0)
        given = "fd3d:0a0b:17d6::1";
    if (sscanf(given, "%45[0-9a-fA-F.:]", text) == 1 && ip_parse(text, &address)) {
        fprintf(stderr, "packetdrill.so: '%s' is no address\n", text);
        exit(2);
    }
    return address;
}

static uint16_t mtu_of(void) {
    long mtu = atol(told("--mtu="));
    return mtu >= (long)IP_MTU_MIN && mtu <= (long)MACHINE_MTU_MAX ? (uint16_t)mtu : MACHINE_MTU;
}

/* packetdrill asks for TCP_INFO by libc's own getsockopt. */
static int getsockopt_of_scripts(int fd, int level, int name, void *value, socklen_t *length) {
    if (!descriptor_of(fd))
        return getsockopt(fd, level, name, value, length);
    return sd_getsockopt(NULL, fd, level, name, value, length);
}

/* ... and runs scripts' commands by libc's system. They work on the kernel's namespace; what there is of it
 * in the stack has to follow. */
static int system_of_scripts(const char *command) {
    machine_enter();
    if (command && strstr(command, "tcp_metrics flush"))
        tcp_metrics_forget(machine.stack);
    machine_leave();
    return system(command);
}

/* ... and sends files by libc's sendfile. */
static ssize_t sendfile_of_scripts(int to, int from, off_t *offset, size_t length) {
    char bytes[PIPE_BYTES];
    if (!descriptor_of(to))
        return sendfile(to, from, offset, length);
    length = length < sizeof bytes ? length : sizeof bytes;
    ssize_t result = offset ? pread(from, bytes, length, *offset) : read(from, bytes, length);
    if (result > 0)
        result = sd_write(NULL, to, bytes, (size_t)result);
    if (result > 0 && offset)
        *offset += result;
    return result;
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *table) {
    make_tun0();
    machine_create(address_of(flags), mtu_of());
    patch_import("getsockopt", (void *)getsockopt_of_scripts);
    patch_import("system", (void *)system_of_scripts);
    patch_import("sendfile", (void *)sendfile_of_scripts);
    *table = (struct packetdrill_interface){
        .free = sd_free,
        .socket = sd_socket,
        .bind = sd_bind,
        .listen = sd_listen,
        .accept = sd_accept,
        .connect = sd_connect,
        .read = sd_read,
        .readv = sd_readv,
        .recv = sd_recv,
        .recvfrom = sd_recvfrom,
        .recvmsg = sd_recvmsg,
        .write = sd_write,
        .writev = sd_writev,
        .send = sd_send,
        .sendto = sd_sendto,
        .sendmsg = sd_sendmsg,
        .fcntl = sd_fcntl,
        .ioctl = sd_ioctl,
        .close = sd_close,
        .shutdown = sd_shutdown,
        .getsockopt = sd_getsockopt,
        .setsockopt = sd_setsockopt,
        .poll = sd_poll,
        .netdev_send = sd_netdev_send,
        .netdev_receive = sd_netdev_receive,
        .usleep = sd_usleep,
        .gettimeofday = sd_gettimeofday,
        .epoll_create = sd_epoll_create,
        .epoll_ctl = sd_epoll_ctl,
        .epoll_wait = sd_epoll_wait,
        .pipe = sd_pipe,
        .splice = sd_splice,
    };
}
