/* SPDX-License-Identifier: MIT */
/*
 * socket.h - the socket interface of the stack: what socket(2) and its kin do, without blocking.
 *
 * Every call returns at once; what would block returns -EAGAIN (-EINPROGRESS for connect). Errors are
 * negative errno. Addresses and ports are in host order. When a socket's readiness may have risen, it is put
 * on the stack's list of events (stack_next_event), and socket_poll says what it is now.
 */
#ifndef STACK_SOCKET_H
#define STACK_SOCKET_H

#include "stack/datagram/datagram.h"
#include "stack/datagram/datagram_stamp.h"
#include "stack/ip/filter.h"
#include "stack/ip/ip4_addresses.h"
#include "stack/ip/ip6_anycast.h"
#include "stack/ip/ip6_extension.h"
#include "stack/ip/ip6_label.h"
#include "stack/ip/port.h"
#include <linux/net_tstamp.h>
#include <sys/socket.h>

#define SOCKET_SEND_MIN 4608u /* Linux's SOCK_MIN_SNDBUF */
#define SOCKET_RECEIVE_MIN 2304u

/* Of SOF_TIMESTAMPING_*: those that a control message may say (Linux's SOF_TIMESTAMPING_TX_RECORD_MASK). */
#define SOCKET_STAMPS                                                                          \
    (SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | \
     SOF_TIMESTAMPING_TX_ACK | SOCKET_STAMP_COMPLETION)
#define SOCKET_STAMP_COMPLETION (1u << 18) /* SOF_TIMESTAMPING_TX_COMPLETION, of Linux 6.15 */

struct tcp;

/* ipv6(7): what an AF_INET6 socket says of packets of IPv6. */
struct socket_options6 {
    int16_t hop_limit;           /* IPV6_UNICAST_HOPS; -1: the network's */
    int16_t multicast_hop_limit; /* IPV6_MULTICAST_HOPS; -1: 1 */
    uint8_t traffic_class, min_hop_limit;
    uint8_t source_preferences;    /* IPV6_PREFER_SRC_*, of its lower byte */
    uint8_t path_mtu_discover : 3; /* IPV6_PMTUDISC_* */
    bool only : 1;                 /* IPV6_V6ONLY */
    bool dont_fragment : 1;        /* IPV6_DONTFRAG */
    bool auto_flow_label : 1, send_flow_info : 1;
    bool multicast_loop : 1, multicast_all : 1;
    bool receive_extensions : 1; /* IPV6_RECVERR_RFC4884 */
    bool receive_errors : 1, receive_hop_limit : 1, receive_traffic_class : 1, receive_flow_info : 1;
    bool receive_packet_info : 1; /* IPV6_RECVPKTINFO */
    bool receive_path_mtu : 1, receive_fragment_size : 1, receive_destination : 1;
    bool receive_hop_options : 1, receive_destination_options : 1, receive_routing : 1;
    bool free_bind : 1;           /* IPV6_FREEBIND */
    bool multicast_interface : 1; /* IPV6_MULTICAST_IF named the one that there is */
    bool bound_to_device : 1;     /* SO_BINDTODEVICE: addresses of the link need no interface's index */
};

struct socket_options {
    uint64_t receive_timeout_ns, send_timeout_ns; /* 0: none */
    int linger_seconds;
    int priority;
    int receive_low_water;
    int peek_offset;            /* SO_PEEK_OFF: where MSG_PEEK looks next; -1: always at the start */
    uint32_t timestamping : 24; /* SO_TIMESTAMPING: SOF_TIMESTAMPING_* */
    uint32_t timestamp : 8;     /* enum socket_timestamp */
    uint8_t ttl, tos, min_ttl;
    uint8_t multicast_ttl;
    uint8_t path_mtu_discover; /* IP_PMTUDISC_* */
    bool zerocopy : 1;         /* SO_ZEROCOPY */
    bool inq : 1;              /* TCP_INQ */

    /* ip(7), of datagram sockets. */
    bool receive_errors : 1, receive_ttl : 1, receive_tos : 1, receive_packet_info : 1;
    bool receive_destination : 1, receive_options : 1, return_options : 1;
    bool receive_extensions : 1, receive_fragment_size : 1; /* IP_RECVERR_RFC4884, IP_RECVFRAGSIZE */
    bool multicast_loop : 1, multicast_all : 1;
    uint8_t multicast_by : 3; /* IP_MULTICAST_IF: enum socket_multicast_by */
    bool header_included : 1; /* IP_HDRINCL */
    bool receive_drops : 1;   /* SO_RXQ_OVFL */
    bool gro : 1;             /* UDP_GRO */
    bool udp_cork : 1;        /* UDP_CORK */

    bool reuse_address : 1, reuse_port : 1, keepalive : 1, broadcast : 1, dont_route : 1, oob_inline : 1;
    bool linger : 1;
    bool free_bind : 1;         /* IP_FREEBIND */
    bool bind_without_port : 1; /* IP_BIND_ADDRESS_NO_PORT */
    bool inet6 : 1;             /* the program's socket is of AF_INET6; the caller sets it */

    struct socket_options6 six;
};

/* The address by which IP_MULTICAST_IF chose the interface, from which multicasts are sent: none, the
 * loopback's, or the place of an own one. */
enum socket_multicast_by {
    SOCKET_MULTICAST_BY_ANY,
    SOCKET_MULTICAST_BY_LOOPBACK,
    SOCKET_MULTICAST_BY_OWN, /* and those behind it */
};
_Static_assert(SOCKET_MULTICAST_BY_OWN + IP4_ADDRESSES_MAX <= 8, "places of addresses fit their field");

enum socket_timestamp {
    SOCKET_TIMESTAMP_NONE,
    SOCKET_TIMESTAMP_US, /* SO_TIMESTAMP */
    SOCKET_TIMESTAMP_NS, /* SO_TIMESTAMPNS */
};

/* ipv6(7), of few sockets. */
struct socket_headers6 {
    struct ip6_extensions extensions;      /* IPV6_HOPOPTS, IPV6_DSTOPTS, IPV6_RTHDR, IPV6_RTHDRDSTOPTS */
    uint32_t mtu;                          /* IPV6_MTU: what is longer is cut; 0: no less than the path's */
    uint32_t interface;                    /* IPV6_PKTINFO; 0: none */
    uint32_t flow_information;             /* of a connected one: sin6_flowinfo; 0: the stack's choice */
    uint32_t labels[IP6_LABELS_OF_SOCKET]; /* that it has leased; 0: none */
    struct ip_address anycast[IP6_ANYCAST_OF_SOCKET]; /* that it has joined; "::": none */
    uint8_t old_forms;                                /* enum socket_old_form */
    struct ip_address path_mtu_of; /* IPV6_RECVPATHMTU: where the last went that was too long ... */
    uint32_t path_mtu;             /* ... for so many bytes; 0: nothing is to be told */
};

/* What is told as RFC 2292 has it: IPV6_2292PKTINFO and so on. */
enum socket_old_form {
    SOCKET_OLD_PACKET_INFO = 1,
    SOCKET_OLD_HOP_LIMIT = 2,
    SOCKET_OLD_HOP_OPTIONS = 4,
    SOCKET_OLD_DESTINATION_OPTIONS = 8,
    SOCKET_OLD_ROUTING = 16,
};

/* When what a stream has to read came: of the bytes up to a place in it, behind which the next ones begin. */
#define STREAM_ARRIVALS_MAX 32u
struct stream_arrivals {
    uint32_t first, count; /* of a ring */
    struct {
        uint32_t end; /* a sequence number */
        uint64_t at_ns;
    } entries[STREAM_ARRIVALS_MAX];
};

/* What few sockets have. */
struct socket_filters {
    struct filter filter;
    struct stream_arrivals arrivals; /* of one that wants to be told (SO_TIMESTAMP, SO_TIMESTAMPING) */
    struct ip_options options;       /* IP_OPTIONS */
    struct socket_headers6 six;
};

/* The caller's: who is signalled (fcntl(2), F_SETOWN). */
struct socket_async {
    int owner;      /* 0: nobody */
    int descriptor; /* whose flag was set */
    uint8_t type;   /* F_OWNER_* */
    uint8_t signal; /* 0: SIGIO */
    bool on;        /* O_ASYNC */
    bool urgent;    /* the stack's: urgent data has come, and nobody been told */
};

struct socket {
    struct list event_link;     /* in stack->events, or in no list */
    struct list watches;        /* the caller's: who waits for this socket */
    struct hash_link name_link; /* the caller's */
    uint64_t name;              /* the caller's: the inode of its descriptor */
    uint32_t holders;           /* the caller's: how many processes have it */
    struct socket_async async;  /* the caller's, but for one field */
    uint32_t blocked_writers;   /* the caller's: threads that wait to send; a hint */
    uint32_t turns[2];          /* the caller's: who copies from and to the stream now; 0: nobody */

    uint8_t type;     /* SOCK_STREAM, SOCK_DGRAM or SOCK_RAW */
    bool nonblocking; /* the caller's: O_NONBLOCK */
    bool read_shutdown, write_shutdown;
    bool no_space : 1;   /* a writer waits for room */
    bool connecting : 1; /* connect was called, and its outcome not yet told by another connect */
    bool connected : 1;  /* it was, and that has been told; of a stream until it is disconnected, whatever
                        becomes  of it */
    bool send_limit_set : 1, receive_limit_set : 1;
    int error;                          /* SO_ERROR */
    uint32_t send_limit, receive_limit; /* bytes */
    struct socket_options options;

    struct socket_filters *filters; /* or NULL */
    struct tcp *tcp;                /* of SOCK_STREAM; NULL: all others */
    /* Of what is told to MSG_ERRQUEUE: the next number of MSG_ZEROCOPY; for SOF_TIMESTAMPING_OPT_ID the next datagram's
     * number, or where in a stream they begin. */
    uint32_t zerocopy_next, stamp_base;

    /* A listener's connections: not yet established, and waiting for accept. */
    struct list syn_queue, accept_queue;
    uint32_t syn_count, accept_count, backlog;

    uint32_t datagram_bytes;         /* what all datagrams take of receive_limit */
    struct datagram_state *datagram; /* of all others; NULL: SOCK_STREAM */
    struct list errors;              /* of struct datagram: MSG_ERRQUEUE */
};

struct socket_message {
    const struct iovec *pieces;
    int count;
    int flags; /* MSG_PEEK, MSG_TRUNC, MSG_MORE ... those that bear on the stack */
    bool has_address;
    bool unspecified;  /* ... of family AF_UNSPEC */
    int control_error; /* a control message of a datagram is wrong: a negative errno */
    bool unreadable;   /* what is to be sent is not there: -EFAULT, if nothing else is wrong with the call */
    struct ip_address address; /* destination of a send; source of a receive */
    uint16_t port;
    uint32_t full_length; /* of a received datagram */
    bool truncated;       /* ... of which there was no room for all */

    /* Of datagrams, what control messages say (cmsg(3)). 0 in a send: as the socket says. */
    struct ip_address local_address; /* to send from; what it was sent to */
    int ttl, tos;
    uint32_t flow_label; /* of IPv6: of one that is received; of a send if has_flow, with the traffic class */
    uint32_t interface;  /* ... to send by: its index; 0: whichever */
    const struct ip6_extensions *extensions; /* ... of a send; NULL: the socket's */
    uint16_t local_port;                     /* of one that is received */
    uint8_t old_forms;                       /* ... enum socket_old_form */
    uint8_t first_extension;                 /* ... the kind of the first of the headers in `options` */
    uint32_t longest_fragment;               /* ... see struct ip_packet */
    uint32_t path_mtu; /* of what is no datagram: the path's to `address`; 0: it is one */
    bool has_ttl, has_tos, has_flow, has_packet_info, has_dont_fragment, dont_fragment;
    bool
        borrow; /* the pieces stay good until the caller has sent the frame, before anybody else can (frame.h)
                 */
    uint16_t segment;     /* UDP_SEGMENT; UDP_GRO's length, 0: it is a single one */
    uint64_t received_ns; /* by the stack's clock */
    uint32_t drops;
    struct ip_options
        options; /* that a received one came with; of a send if has_options, else the socket's */
    bool has_options;
    bool has_stamps;    /* of a send: SOF_TIMESTAMPING_* in `stamps`, instead of the socket's */
    bool has_stamp_key; /* ... and the number that is told with them */
    uint32_t stamps, stamp_key;
    struct icmp_error error; /* MSG_ERRQUEUE */
    bool has_inq;            /* of a stream: bytes that are left to read */
    uint32_t inq;
};

/* Makes a socket. Returns 0, -ENOBUFS, -ESOCKTNOSUPPORT or -EPROTONOSUPPORT. SOCK_DGRAM is UDP, or with
 * IPPROTO_ICMP a ping socket. */
int socket_create(struct stack *stack, int type, int protocol, struct socket **made);

/* The family of the program's socket. Linux has IP_MULTICAST_ALL off in those of AF_INET6. */
static inline void socket_set_family(struct socket *socket, bool inet6) {
    socket->options.inet6 = inet6;
    socket->options.multicast_all = !inet6;
}

/* Ends a socket that nobody holds any more, as close(2) does for the last descriptor. The connection may
 * outlive it. */
void socket_release(struct stack *stack, struct socket *socket);

/* Notes which families a socket takes that has not been bound: when it gets a port without bind(2). */
void socket_settle_families(struct socket *socket);

/* Whether a socket may speak with an address, by its own family and that of what it is bound to: 0,
 * -ENETUNREACH, -EAFNOSUPPORT or -EINVAL. */
int socket_reaches(const struct socket *socket, struct ip_address address);

int socket_bind(struct stack *stack, struct socket *socket, struct ip_address address, uint16_t port);
int socket_listen(struct stack *stack, struct socket *socket, int backlog);
int socket_connect(struct stack *stack, struct socket *socket, struct ip_address address, uint16_t port);
int socket_disconnect(struct stack *stack, struct socket *socket); /* connect to AF_UNSPEC */
int socket_accept(struct stack *stack, struct socket *listener, struct socket **made);
int socket_shutdown(struct stack *stack, struct socket *socket, int how);

/* A stream's data is copied by the caller, without the stack's lock, from and to buffers of the stack's.
 *
 * Out: how much a part of a write may be now, which it `begins` or goes on with (and a note that a writer
 * waits, if there is no room); or what socket_send would say (-EAGAIN, -EPIPE ...); 0: it has to be sent by
 * socket_send, as what opens a connection. Then a part, as a chain of buffers that are filled from their
 * storage's start on, of at most that length, which it `fills` or not, and of which there is `more` to come
 * at once or not; the chain is taken. Then the end of a write, of which that was the `whole` rest or for
 * which there is no more room; of the message count the flags and the stamps. */
ssize_t socket_send_room(struct stack *stack, struct socket *socket, int flags, bool begins);
void socket_send_part(struct stack *stack, struct socket *socket, struct buffer *chain, uint32_t length,
                      bool fills, bool more);
void socket_send_written(struct stack *stack, struct socket *socket, const struct socket_message *message,
                         bool whole);

/* In: the next bytes that a receive would give, at most so many; 0: what socket_receive does is not just to
 * copy. They stay where they are; the caller holds their buffers (buffer_hold_range). Then they are taken,
 * or, under MSG_PEEK, were seen, as socket_receive does it; nothing, if the connection has lost them
 * meanwhile. */
uint32_t socket_receive_extent(struct stack *stack, struct socket *socket,
                               const struct socket_message *message, uint32_t most,
                               struct byte_cursor *start);
void socket_receive_taken(struct stack *stack, struct socket *socket, struct socket_message *message,
                          struct byte_cursor start, uint32_t length);

/* What socket_receive has just given of a stream could not be passed on: it is the next again. */
void socket_receive_undone(struct stack *stack, struct socket *socket, const void *bytes, uint32_t length);

ssize_t socket_send(struct stack *stack, struct socket *socket, struct socket_message *message);
ssize_t socket_receive(struct stack *stack, struct socket *socket, struct socket_message *message);

/* Whether a write that opens a connection (Fast Open) waits for its end, when it may. */
bool socket_is_opening(const struct socket *socket);

/* SO_PEEK_OFF: bytes were looked at, or read, which moves on where the next look is. */
static inline void socket_peeked(struct socket *socket, size_t bytes) {
    if (socket->options.peek_offset >= 0)
        socket->options.peek_offset += (int)bytes;
}

static inline void socket_read_past(struct socket *socket, size_t bytes) {
    int *offset = &socket->options.peek_offset;
    if (*offset >= 0)
        *offset = (size_t)*offset > bytes ? *offset - (int)bytes : 0;
}

/* What poll(2) would say now: POLLIN | POLLOUT | ... */
unsigned socket_poll(struct stack *stack, struct socket *socket);

/* getsockname(2) and getpeername(2). */
int socket_local(const struct socket *socket, struct ip_address *address, uint16_t *port);
int socket_remote(const struct socket *socket, struct ip_address *address, uint16_t *port);

/* ioctl(2): SIOCINQ (bytes that a read would give), SIOCOUTQ (not yet acknowledged), SIOCOUTQNSD (not yet
 * sent), SIOCATMARK. -ENOTTY for all others. */
int socket_control(const struct socket *socket, unsigned long request, int *value);

/* getsockopt(2) and setsockopt(2) for SOL_SOCKET, IPPROTO_IP and IPPROTO_TCP. */
int socket_get_option(struct stack *stack, struct socket *socket, int level, int name, void *value,
                      socklen_t *length);
int socket_set_option(struct stack *stack, struct socket *socket, int level, int name, const void *value,
                      socklen_t length);

/* What few sockets have, made if need be; NULL: no memory. */
struct socket_filters *socket_filters(struct stack *stack, struct socket *socket);

/* The address of IPv4 that IP_MULTICAST_IF has chosen; 0: none. */
uint32_t socket_multicast_address(const struct stack *stack, const struct socket_options *options);

/* The IP options of what a socket sends; NULL: none. */
static inline const struct ip_options *socket_ip_options(const struct socket *socket) {
    return socket && socket->filters && socket->filters->options.length ? &socket->filters->options : NULL;
}

static inline const struct socket_headers6 *socket_headers6(const struct socket *socket) {
    return socket && socket->filters ? &socket->filters->six : NULL;
}

/* The extension headers of what a socket sends by IPv6; NULL: none. */
static inline const struct ip6_extensions *socket_extensions6(const struct socket *socket) {
    const struct socket_headers6 *six = socket_headers6(socket);
    return six && ip6_extensions_bytes(&six->extensions) ? &six->extensions : NULL;
}

/* The longest packet that it sends uncut, as far as the program cares. */
static inline uint32_t socket_mtu6(const struct socket *socket) {
    const struct socket_headers6 *six = socket_headers6(socket);
    return six && six->mtu ? six->mtu : UINT32_MAX;
}

/* SOF_TIMESTAMPING_*: what is to be told of the way of what a message sends. */
static inline uint32_t socket_stamps(const struct socket *socket, const struct socket_message *message) {
    uint32_t stamps = socket->options.timestamping;
    return message->has_stamps ? (stamps & ~SOCKET_STAMPS) | message->stamps : stamps;
}

/* A stream's next bytes have come, up to that sequence number. */
void socket_arrived(struct stack *stack, struct socket *socket, uint32_t end);

/* Takes the pending error, as every call that reports it does. Negative errno or 0. */
int socket_take_error(struct socket *socket);

/* Notes that readiness may have risen. A NULL socket is nobody's. */
void socket_event(struct stack *stack, struct socket *socket);

#endif
