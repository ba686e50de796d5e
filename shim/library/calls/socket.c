/* SPDX-License-Identifier: MIT */
/*
 * socket.c - socket(2), bind, listen, accept, connect, shutdown, getsockname, getpeername, getsockopt,
 * setsockopt.
 */
#include "shim/library/calls/call.h"
#include "shim/library/calls/credentials.h"
#include "shim/library/calls/option_value.h"
#include "shim/library/fd/loopback.h"
#include "shim/library/fd/udp_loopback.h"
#include "shim/library/netinfo/netlink.h"
#include "shim/library/process/netns.h"
#include "shim/library/user_memory.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#ifndef IPV6_FLOWLABEL_MGR
#define IPV6_FLOWLABEL_MGR 32
#endif

/* A new socket becomes this process's, or is gone when memory is out. */
static struct fd_entry *enter_socket(struct socket *made) {
    struct fd_entry *entry = descriptor_hold_socket(made);
    if (!entry)
        socket_release(&shared->stack, made);
    return entry;
}

/* Where the stack has no IPv6, of AF_INET6 all that may carry IPv4: see socket_address.h. */
static bool is_ours(int domain, int base, int protocol) {
    bool transport =
        base == SOCK_STREAM ||
        (base == SOCK_DGRAM && (!protocol || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE));
    if (domain == AF_INET6)
        return transport || ((base == SOCK_DGRAM || base == SOCK_RAW) && call_join() && attach_has_inet6());
    return domain == AF_INET && (transport || base == SOCK_DGRAM || base == SOCK_RAW);
}

EXPORT int socket(int domain, int type, int protocol) {
    CALL_BEGINS;
    struct socket *made;
    struct fd_entry *entry = NULL;
    int base = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (netns_away())
        return LIBC(socket)(domain, type, protocol);
    if (domain == AF_NETLINK && netlink_is_told(protocol) && attach_is_wanted())
        return netlink_socket(type, protocol);
    if (!is_ours(domain, base, protocol))
        return LIBC(socket)(domain, type, protocol);
    if (base == SOCK_DGRAM && protocol == (domain == AF_INET6 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        return (int)call_result(-EPROTONOSUPPORT);
    if (!call_join())
        return (int)call_result(-ENETDOWN);
    TRACE("socket(%s, %s, %d)", domain == AF_INET6 ? "AF_INET6" : "AF_INET",
          base == SOCK_STREAM  ? "SOCK_STREAM"
          : base == SOCK_DGRAM ? "SOCK_DGRAM"
                               : "SOCK_RAW",
          protocol);
    region_enter();
    int result = shared->broken ? -ENETDOWN : socket_create(&shared->stack, base, protocol, &made);
    if (!result)
        socket_set_family(made, domain == AF_INET6);
    if (!result && !(entry = enter_socket(made)))
        result = -ENOBUFS;
    region_leave();
    return (int)call_result(result ? result : descriptor_create(entry, type));
}

/* Which a program may have kept that is root's no more, or have given up as root. */
static bool may_bind_any_port(void) {
    return credentials_have(CAP_NET_BIND_SERVICE);
}

EXPORT int bind(int fd, const struct sockaddr *address, socklen_t length) {
    struct ip_address host;
    uint16_t port;
    int error;
    if (!descriptor_socket(fd))
        return netlink_is(fd) ? netlink_bind(fd, address, length) : LIBC(bind)(fd, address, length);
    CALL_BEGINS;
    struct sockaddr_storage name;
    if ((error = address_copy(&name, address, length)))
        return (int)call_result(error);
    address = (struct sockaddr *)&name;
    if ((error = call_address(fd, CALL_BINDS, address, length, &host, &port)) < 0)
        return (int)call_result(error);
    bool foreign = error == ADDRESS_FOREIGN;
    if (foreign || (!ip_is_any(host) && call_kernel_address(host))) {
        error = fallback_to_kernel(fd);
        if (foreign || !fallback_is_refused(error))
            return error ? (int)call_result(error) : (int)call_told(LIBC(bind)(fd, address, length));
    }
    if (port > 0 && port < shared->stack.sysctl.ip_unprivileged_port_start && !may_bind_any_port())
        return (int)call_result(-EACCES);
    TRACE("bind(%d, %s)", fd, tracing_address(address, length));
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return (int)call_result(error);
    error = socket_bind(&shared->stack, socket, host, port);
    /* Not where a program's rings are the kernel's: what they are told of the first object, they are told at
     * once, and on one of the loopback network they would wait. */
    bool both = !error && ip_is_any(host) && udp_is(socket) && shared->kernel_loopback &&
                attach_config.io_uring != IO_URING_KERNEL;
    region_leave();
    if (both)
        worlds_join(fd); /* if nobody of the kernel's has the port: else the network alone is heard */
    return (int)call_result(error);
}

EXPORT int listen(int fd, int backlog) {
    int error;
    if (!descriptor_socket(fd))
        return LIBC(listen)(fd, backlog);
    CALL_BEGINS;
    TRACE("listen(%d, %d)", fd, backlog);
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return (int)call_result(error);
    error = socket_listen(&shared->stack, socket, backlog);
    region_leave();
    return (int)call_result(error);
}

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    struct socket *made = NULL;
    struct fd_entry *entry = NULL;
    int result = 0;
    if (!descriptor_socket(fd))
        return LIBC(accept4)(fd, address, length, flags);
    CALL_BEGINS;
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return (int)call_result(-EINVAL);
    pthread_testcancel();
    TRACE("accept(%d)", fd);
    struct socket *socket = call_enter(fd, &result);
    if (!socket)
        return (int)call_result(result);
    uint64_t deadline = wait_deadline(socket->options.receive_timeout_ns);
    while ((result = socket_accept(&shared->stack, socket, &made)) == -EAGAIN && !socket->nonblocking)
        if ((result = wait_socket(socket, POLLIN, deadline)))
            break;
    struct ip_address host = {0};
    uint16_t port = 0;
    bool inet6 = result != -EBADF && socket->options.inet6;
    if (!result) {
        host = made->tcp->remote_address;
        port = made->tcp->remote_port;
        entry = enter_socket(made);
        if (!entry)
            result = -ENOBUFS;
    }
    wait_done();
    region_leave();
    if (result)
        return (int)call_result(result);
    int accepted = descriptor_create(entry, flags);
    int error = accepted >= 0 ? address_write(address, length, inet6, host, port) : 0;
    if (error)
        close(accepted); /* the connection is lost, as in Linux */
    return (int)call_result(error ? error : accepted);
}

EXPORT int accept(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, 0);
}

static int connect_ours(int fd, struct ip_address host, uint16_t port, bool unspecified) {
    int result;
    pthread_testcancel();
    struct socket *socket = call_enter(fd, &result);
    if (!socket)
        return result;
    if (unspecified) {
        result = socket_disconnect(&shared->stack, socket);
        bool both = worlds_has(fd);
        worlds_leave(fd);
        region_leave();
        if (both)
            LIBC(connect)(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr));
        return result;
    }
    uint64_t deadline = wait_deadline(socket->options.send_timeout_ns);
    result = socket_connect(&shared->stack, socket, host, port);
    bool begun = result == -EINPROGRESS;
    if (begun && !socket->nonblocking) {
        /* A peer on this stack answers at once, and what it does next is too late to be this call's result. */
        stack_advance(&shared->stack, shared->stack.now_ns);
        result = socket_connect(&shared->stack, socket, host, port);
    }
    while ((result == -EINPROGRESS || (result == -EALREADY && begun)) && !socket->nonblocking) {
        result = wait_socket(socket, POLLOUT, deadline);
        if (result == -EAGAIN)
            result = -EINPROGRESS; /* SO_SNDTIMEO: connect(2) says so */
        if (result)
            break;
        result = socket_connect(&shared->stack, socket, host, port);
    }
    wait_done();
    region_leave();
    return result;
}

/* A stream says first what it is at, before it looks at an address that can't be. */
static int connect_nowhere(int fd, int error) {
    int ignored;
    struct socket *socket = call_enter(fd, &ignored);
    if (!socket)
        return ignored;
    if (socket->tcp && (socket->tcp->state != TCP_CLOSE || socket->connecting || socket->connected))
        error = socket_connect(&shared->stack, socket, ip_from_v4(0), 0);
    region_leave();
    return error;
}

/* A UDP socket to the kernel's loopback network. */
static int connect_by_kernel(int fd, const struct sockaddr *address, socklen_t length, struct ip_address host,
                             uint16_t port) {
    int error = worlds_join(fd);
    if (error || LIBC(connect)(fd, address, length) < 0)
        return error ? error : -errno;
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    error = datagram_connect_elsewhere(&shared->stack, socket, call_destination(host), port);
    region_leave();
    return error;
}

static bool is_udp(int fd) {
    const struct socket *socket = descriptor_socket(fd);
    return socket && udp_is(socket);
}

static bool is_stream(int fd) {
    const struct socket *socket = descriptor_socket(fd);
    return socket && socket->type == SOCK_STREAM;
}

/* IPV6_FLOWINFO_SEND: the address says the connection's flow label, too. Returns 0, or -EINVAL for one that is leased by
 * others. */
static int connect_flow(int fd, const struct sockaddr_in6 *address, socklen_t length) {
    const struct socket *socket = descriptor_socket(fd);
    int ignored;
    if (!socket || !socket->options.six.send_flow_info || length < sizeof *address ||
        address->sin6_family != AF_INET6)
        return 0;
    struct socket *entered = call_enter(fd, &ignored);
    if (!entered)
        return 0;
    uint32_t flow = ntohl(address->sin6_flowinfo) & IP6_FLOW_INFORMATION;
    bool may = ip6_label_may(&shared->stack, entered, flow & IP6_FLOW_LABEL);
    struct socket_filters *extra = may ? socket_filters(&shared->stack, entered) : NULL;
    if (extra)
        extra->six.flow_information = flow;
    region_leave();
    return may ? 0 : -EINVAL;
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length) {
    struct ip_address host;
    uint16_t port;
    int error;
    if (!descriptor_socket(fd))
        return netlink_is(fd) ? netlink_connect(fd) : LIBC(connect)(fd, address, length);
    CALL_BEGINS;
    struct sockaddr_storage name;
    if ((error = address_copy(&name, address, length)))
        return (int)call_result(error);
    address = (struct sockaddr *)&name;
    if (length >= sizeof(sa_family_t) && address->sa_family == AF_UNSPEC)
        return (int)call_result(connect_ours(fd, (struct ip_address){0}, 0, true));
    if ((error = call_address(fd, CALL_CONNECTS, address, length, &host, &port)) < 0)
        return (int)call_result(connect_nowhere(fd, error));
    if (error != ADDRESS_FOREIGN && call_kernel_address(host) && is_udp(fd)) {
        TRACE("connect(%d, %s)", fd, tracing_address(address, length));
        return (int)call_result(connect_by_kernel(fd, address, length, host, port));
    }
    bool here = error != ADDRESS_FOREIGN && call_kernel_address(host) && is_stream(fd) &&
                loopback_listens(call_destination(host), port);
    bool foreign = error == ADDRESS_FOREIGN;
    if (foreign || (call_kernel_address(host) && !here)) {
        error = fallback_to_kernel(fd);
        if (foreign || !fallback_is_refused(error))
            return error ? (int)call_result(error) : (int)call_told(LIBC(connect)(fd, address, length));
    }
    TRACE("connect(%d, %s)", fd, tracing_address(address, length));
    if ((error = connect_flow(fd, (const struct sockaddr_in6 *)address, length)))
        return (int)call_result(error);
    error = connect_ours(fd, call_destination(host), port, false);
    if (!error)
        worlds_deafen(fd);
    if (shared->broken)
        attach_broken();
    if (error == -ENETUNREACH && !shared->broken)
        verbose_no_route(fd, host, port);
    return (int)call_result(error);
}

EXPORT int shutdown(int fd, int how) {
    int error;
    if (!descriptor_socket(fd))
        return LIBC(shutdown)(fd, how);
    CALL_BEGINS;
    TRACE("shutdown(%d, %s)", fd, how == SHUT_RD ? "SHUT_RD" : how == SHUT_WR ? "SHUT_WR" : "SHUT_RDWR");
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return (int)call_result(error);
    error = socket_shutdown(&shared->stack, socket, how);
    bool both = worlds_has(fd);
    region_leave();
    if (both)
        LIBC(shutdown)(fd, how);
    return (int)call_result(error);
}

static int give_name(int fd, struct sockaddr *address, socklen_t *length,
                     int (*name)(const struct socket *, struct ip_address *, uint16_t *)) {
    CALL_BEGINS;
    struct ip_address host;
    uint16_t port;
    int error;
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return (int)call_result(error);
    error = name(socket, &host, &port);
    bool inet6 = socket->options.inet6;
    const struct socket_headers6 *six = socket_headers6(socket);
    uint32_t flow =
        six && socket->options.six.send_flow_info && name == socket_remote ? six->flow_information : 0;
    region_leave();
    if (!error)
        error = address_give_flow(address, length, inet6, host, port, flow);
    TRACE("%s(%d, %s)", name == socket_local ? "getsockname" : "getpeername", fd,
          error ? "..." : tracing_given(address, length));
    return (int)call_result(error);
}

EXPORT int getsockname(int fd, struct sockaddr *address, socklen_t *length) {
    return descriptor_socket(fd) ? give_name(fd, address, length, socket_local)
                                 : LIBC(getsockname)(fd, address, length);
}

EXPORT int getpeername(int fd, struct sockaddr *address, socklen_t *length) {
    return descriptor_socket(fd) ? give_name(fd, address, length, socket_remote)
                                 : LIBC(getpeername)(fd, address, length);
}

/* An option that the stack does not know is checked and borne by the kernel's object, which makes no use of
 * it; unless a program that is told "yes" would rely on what does not happen then. */
static bool may_be_inert(int level, int name) {
    switch (level) {
    case SOL_SOCKET:
        return name != SO_ATTACH_FILTER && name != SO_ATTACH_BPF && name != SO_ATTACH_REUSEPORT_CBPF &&
               name != SO_ATTACH_REUSEPORT_EBPF;
    case IPPROTO_TCP:
        return name != TCP_ULP && name != TCP_TX_DELAY && name != TCP_ZEROCOPY_RECEIVE;
    case IPPROTO_UDP:
        return name != UDP_ENCAP;
    default:
        return true;
    }
}

/* The kernel's object of a raw or ping socket is one of UDP, which has options that they have not, and the other way
 * round. */
static bool object_bears(int fd, int level, int name) {
    const struct socket *socket = descriptor_socket(fd);
    bool inet6 = socket && socket->options.inet6, raw = socket && socket->type == SOCK_RAW;
    if (inet6 && level == IPPROTO_IPV6 &&
        (name == IPV6_ADDRFORM || name == IPV6_CHECKSUM || name == IPV6_HDRINCL))
        return false;
    return may_be_inert(level, name) && !(raw && (level == SOL_RAW || (inet6 && level == IPPROTO_IP)));
}

/* IPV6_FLOWLABEL_MGR, whose value is a question either way. */
static bool is_label_request(const struct socket *socket, int level, int name) {
    return socket && socket->options.inet6 && level == IPPROTO_IPV6 && name == IPV6_FLOWLABEL_MGR;
}

static int set_label(int fd, const struct option_value *value, void *given) {
    struct ip6_label_request request;
    struct ip6_label_owner owner = {(uint32_t)getpid(), geteuid(), credentials_have(CAP_NET_ADMIN)};
    int error;
    if (value->length < sizeof request)
        return -EINVAL;
    memcpy(&request, value->bytes, sizeof request);
    uint32_t before = request.label;
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    error = ip6_label_set(&shared->stack, socket, &request, &owner);
    region_leave();
    if (!error && request.label != before) /* Linux does not mind that it can't be written */
        user_write((char *)given + offsetof(struct ip6_label_request, label), &request.label,
                   sizeof request.label);
    return error;
}

static int get_label(int fd, void *given, socklen_t *length) {
    struct ip6_label_request request;
    socklen_t room, bytes = sizeof request;
    int error;
    if (user_read(&room, length, sizeof room))
        return -EFAULT;
    if (room < sizeof request)
        return -EINVAL;
    if (user_read(&request, given, sizeof request))
        return -EFAULT;
    const struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    error = ip6_label_get(&shared->stack, socket, &request);
    region_leave();
    if (!error && (user_write(length, &bytes, sizeof bytes) || user_write(given, &request, sizeof request)))
        error = -EFAULT;
    return error;
}

/* Asks the stack. */
static int ask_option(int fd, int level, int name, struct option_value *value, bool *both) {
    int error;
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    *both = worlds_has(fd);
    error = socket_get_option(&shared->stack, socket, level, name, value->bytes, &value->length);
    region_leave();
    return error;
}

static int get_option(int fd, int level, int name, void *given, socklen_t *length) {
    struct option_value value;
    bool both = false;
    int error = option_value_room(&value, level, name, given, length);
    if (!error)
        error = ask_option(fd, level, name, &value, &both);
    bool asks = (error == -ENOPROTOOPT && object_bears(fd, level, name)) ||
                (!error && both && level == SOL_SOCKET && name == SO_ERROR && value.length == sizeof(int) &&
                 !*(int *)value.bytes);
    if (asks)
        error = LIBC(getsockopt)(fd, level, name, given, length) < 0 ? -errno : 0;
    else if (!error)
        error = option_value_write(&value, level, name, given, length);
    option_value_give(&value);
    return error;
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *length) {
    if (!descriptor_socket(fd))
        return netlink_is(fd) ? netlink_get_option(fd, level, name, value, length)
                              : LIBC(getsockopt)(fd, level, name, value, length);
    CALL_BEGINS;
    int error = is_label_request(descriptor_socket(fd), level, name)
                    ? get_label(fd, value, length)
                    : get_option(fd, level, name, value, length);
    TRACE("getsockopt(%d, %s, %s, %u)", fd, tracing_option(level, name),
          error ? "..." : tracing_value(value, *length), error ? 0 : *length);
    return (int)call_result(error);
}

/* An option of IPv6: the kernel's object bears it, too, since it may come to carry the socket (fallback.c);
 * and bears alone what the stack makes no use of. But for what is of the stack's interface. */
static bool is_of_interface(int name) {
    return name == IPV6_JOIN_ANYCAST || name == IPV6_LEAVE_ANYCAST || name == IPV6_MULTICAST_IF ||
           name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP ||
           (name >= MCAST_JOIN_GROUP && name <= MCAST_MSFILTER);
}

static int set_inet6_option(int fd, int name, const void *value, socklen_t length) {
    CALL_BEGINS;
    int error = 0;
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return (int)call_result(error);
    if (!shared->stack.config.ip6.on && is_of_interface(name)) {
        region_leave();
        descriptor_alter(fd);
        return (int)call_told(LIBC(setsockopt)(fd, IPPROTO_IPV6, name, value, length));
    }
    bool may =
        name != IPV6_JOIN_ANYCAST || length < sizeof(struct ipv6_mreq) || credentials_have(CAP_NET_ADMIN);
    error = may ? socket_set_option(&shared->stack, socket, IPPROTO_IPV6, name, value, length) : -EPERM;
    bool has_inet6 = shared->stack.config.ip6.on;
    region_leave();
    if ((error && (error != -ENOPROTOOPT || !object_bears(fd, IPPROTO_IPV6, name))) || is_of_interface(name))
        return (int)call_result(error);
    descriptor_alter(fd);
    int result = LIBC(setsockopt)(fd, IPPROTO_IPV6, name, value, length);
    if (result < 0 && error)
        return (int)call_told(result);
    if (name == IPV6_V6ONLY && length >= sizeof(int) && *(const int *)value && !has_inet6)
        return (int)call_result(fallback_to_kernel(fd));
    return (int)call_result(0);
}

/* What of a UDP socket's options is about the network alone: the kernel's object keeps to its loopback
 * interface, and tells no network of groups. */
static bool is_of_network(int level, int name) {
    return level == SOL_SOCKET ? name == SO_BINDTODEVICE
                               : level == IPPROTO_IP && name >= IP_MULTICAST_IF && name <= MCAST_MSFILTER &&
                                     name != IP_MULTICAST_TTL && name != IP_MULTICAST_LOOP;
}

/* `given`: as the kernel takes it. */
static int set_option(int fd, int level, int name, const struct option_value *value, const void *given) {
    int error;
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    if (level == IPPROTO_IPV6 && socket->options.inet6) {
        region_leave();
        return set_inet6_option(fd, name, value->bytes, value->length) < 0 ? -errno : 0;
    }
    error = socket_set_option(&shared->stack, socket, level, name, value->bytes, value->length);
    bool both = worlds_has(fd);
    region_leave();
    if (!error && both && !is_of_network(level, name))
        LIBC(setsockopt)(fd, level, name, given, value->length);
    if (error != -ENOPROTOOPT || !object_bears(fd, level, name))
        return error;
    descriptor_alter(fd);
    return LIBC(setsockopt)(fd, level, name, given, value->length) < 0 ? -errno : 0;
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    struct option_value copy;
    if (!descriptor_socket(fd))
        return netlink_is(fd) ? netlink_set_option(fd, level, name, value, length)
                              : LIBC(setsockopt)(fd, level, name, value, length);
    CALL_BEGINS;
    int error = option_value_read(&copy, level, name, value, length);
    TRACE("setsockopt(%d, %s, %s, %u)", fd, tracing_option(level, name),
          error ? "..." : tracing_value(copy.bytes, copy.length), length);
    if (!error && is_label_request(descriptor_socket(fd), level, name))
        error = set_label(fd, &copy, (void *)(uintptr_t)value);
    else if (!error)
        error = set_option(fd, level, name, &copy, value);
    option_value_give(&copy);
    return (int)call_result(error);
}
