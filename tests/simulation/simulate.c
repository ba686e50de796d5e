/* SPDX-License-Identifier: MIT */
/*
 * simulate.c - two stacks on a bad link, in virtual time, from one seed.
 *
 *   simulate [FIRST COUNT]    runs so many seeds (1 to 2,000); says which fail, and why
 *   simulate --trace SEED     runs one, and tells what happens
 *   simulate --replay FIRST COUNT    what host A was called with is recorded, and done again: the same frames leave
 *
 * Everything is chosen by the seed: whether there is IPv6 besides IPv4, and by which each connection goes,
 * whether host A lives by what routers tell of IPv6 (routers6.h), the link, the MTU of either end and of a router between them, which changes on the way, clocks that run
 * apart, buffers, memory that runs out, what the programs at the ends of up to six connections do, and
 * datagrams of any length. After every event the invariants of each connection hold; what is read is what was
 * written; what was written is read, unless an error says otherwise; and in the end nothing is left over.
 */
#include "nic/impair.h"
#include "nic/splitmix.h"
#include "stack/datagram/udp.h"
#include "stack/doors.h"
#include "stack/link/software_gso.h"
#include "stack/replay.h"
#include "stack/stack.h"
#include "tests/simulation/router.h"
#include "tests/simulation/routers6.h"
#include "tests/unit/failing.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REGION_BYTES (64u << 20)
#define RECORD_BYTES (UINT64_C(256) << 20)
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define CONNECTIONS_MAX 6
#define PORT 80
#define DATAGRAM_PORT 90
#define DATAGRAM_MAX 30000
#define DATAGRAMS_UNTIL (10 * SECOND)
#define PATH_CHANGES_UNTIL (60 * SECOND)
#define ROUTERS_UNTIL (90 * SECOND)
#define EVENTS_MAX 3000000 /* of one seed: more is a livelock */
#define FRAME_MAX 66000

/* One side of a connection, and the program there. */
struct end {
    struct socket *socket; /* NULL: none yet, or closed */
    uint64_t acts_ns;      /* the program's next action */
    uint64_t pause_ns;     /* between its actions, at most */
    uint64_t idle_ns;      /* ... and more, when there is nothing to do */
    uint32_t to_send, sent, received;
    uint32_t chunk; /* what it reads or writes at a time */
    bool shut, saw_end, failed, gives_up;
};

struct connection {
    struct end ends[2]; /* 0: on host A; the client is at `client` */
    int client;
    bool six, accepted;
    bool routed; /* from an address that a router of A's gave, by such a router */
    uint16_t client_port;
};

struct host {
    struct stack *stack;
    void *mapped;
    struct socket *listener;
    struct socket *datagrams;
    uint64_t datagram_ns; /* when the next one is sent */
    int64_t offset_ns;    /* of its clock */
    int32_t drift_ppm;
};

static struct {
    uint64_t seed, random, now_ns;
    struct host hosts[2];
    struct impair *links[2]; /* from host i */
    bool corrupts; /* a link does. Then there are no fragments: two wrong bits in one datagram can cancel out
                      in its sum. */
    uint32_t path_mtu;
    uint32_t datagram_max;
    bool six;    /* both hosts have IPv6, too */
    bool routed; /* ... and host A asks routers */
    struct routers6 routers;
    bool black_hole;
    uint64_t path_changes_ns;
    uint64_t down_from_ns, down_until_ns;
    uint64_t starved_from_ns, starved_until_ns; /* of buffers, host 0 */
    uint64_t failing_from_ns,
        failing_until_ns; /* any object, buffer or block may not be had, on either host */
    uint32_t failing_one_in;
    bool fails; /* now */
    struct connection connections[CONNECTIONS_MAX];
    int connection_count;
    bool trace, failed;
    char failure[300];
    uint64_t events, frames;
} world;

static char *recording; /* what host A is called with: a head, a recorder; NULL: nobody wants to know */
static uint64_t total_virtual_ns, total_frames, total_bytes, total_datagrams;

static uint64_t below(uint64_t limit) {
    return splitmix64(&world.random) % limit;
}

static bool one_in(uint64_t n) {
    return below(n) == 0;
}

/* As often between 1 and 10 as between 1,000 and 10,000. */
static uint64_t any_size(uint64_t most) {
    uint64_t size = most;
    while (size > 1 && one_in(3))
        size /= 1 + below(20);
    return size ? 1 + below(size) : 1;
}

static void __attribute__((format(printf, 1, 2))) tell(const char *format, ...) {
    va_list arguments;
    if (!world.trace)
        return;
    printf("%12.6f  ", (double)world.now_ns / 1e9);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static void __attribute__((format(printf, 2, 3))) expect(bool true_now, const char *format, ...) {
    va_list arguments;
    if (true_now || world.failed)
        return;
    world.failed = true;
    va_start(arguments, format);
    vsnprintf(world.failure, sizeof world.failure, format, arguments);
    va_end(arguments);
    tell("FAILED: %s", world.failure);
}

/* The time by a host's own clock, and the time at which that shows `local_ns`. */
static uint64_t local_time(const struct host *host, uint64_t now_ns) {
    return (uint64_t)((int64_t)now_ns + host->offset_ns + (int64_t)(now_ns / 1000000) * host->drift_ppm);
}

static uint64_t global_time(const struct host *host, uint64_t local_ns) {
    if (local_ns == TIMER_NEVER)
        return TIMER_NEVER;
    double since = (double)((int64_t)local_ns - host->offset_ns);
    uint64_t guess = (uint64_t)(since / (1.0 + host->drift_ppm / 1e6));
    while (local_time(host, guess) < local_ns)
        guess += 1000;
    return guess;
}

/* An address of a host, of either family. */
static struct ip_address address_of(int side, bool six) {
    struct ip_address address = {.bytes = {0xfd, [15] = (uint8_t)(side + 1)}};
    return six ? address : ip_from_v4(0x0a000001u + (uint32_t)side);
}

static struct host make_host(int side, uint16_t mtu) {
    uint32_t address = ip_to_v4(address_of(side, false));
    struct host host = {.mapped = mmap(NULL, REGION_BYTES + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)};
    uint8_t seed[RANDOM_SEED_BYTES];
    struct stack_config config = {
        .address = address, .prefix_length = 24, .mac = {2, 0, 0, 0, 0, (uint8_t)address}, .mtu = mtu};
    uintptr_t base = ((uintptr_t)host.mapped + ARENA_BLOCK_BYTES - 1) & ~(uintptr_t)(ARENA_BLOCK_BYTES - 1);
    config.ip6.on = world.six;
    config.ip6.address = address_of(side, true);
    config.ip6.prefix_length = 64;
    if (world.routed && side == 0)
        config.ip6.autoconf = true;
    if (world.routed && side == 1) {
        config.ip6.more[0] = (struct ip6_own){routers6_far(), IP_ADDRESS_BITS};
        config.ip6.more_count = 1;
        config.ip6.gateway = routers6_gateway();
    }
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)splitmix64(&world.random);
    config.offload = config.offload_datagrams = below(2);
    host.offset_ns = (int64_t)(SECOND * (1 + below(100000)));
    host.drift_ppm = (int32_t)below(1001) - 500;
    host.stack = (struct stack *)base;
    if (recording && side == 0)
        record_begin(host.stack, recording + sizeof(struct record_head), RECORD_BYTES);
    if (stack_create(host.stack, host.stack, REGION_BYTES, sizeof(struct stack), &config, seed,
                     local_time(&host, 0) - 100 * MS))
        abort();
    host.stack->sysctl.ip6_dad_transmits = 0; /* addresses are good from the beginning */
    host.stack->sysctl.ip6_rtr_solicitations = 4;
    record_sysctl(host.stack);
    stack_advance(host.stack, local_time(&host, 0));
    uint64_t chosen = host.stack->recorder ? below(UINT64_MAX) : random_u64(&host.stack->random);
    host.stack->sysctl.tcp_congestion_control = (uint32_t)(chosen % TCP_ALGORITHMS);
    record_sysctl(host.stack);
    return host;
}

/* The tree has the records from `link` on in the list's order, and knows what is below each. Returns the link
 * behind them. */
static const struct list *check_tree(struct treap_node *node, const struct list *link) {
    if (!node)
        return link;
    const struct tcp_rtx *sent = container_of(node, struct tcp_rtx, node);
    bool unsacked = !sent->sacked, lost = sent->lost;
    uint64_t earliest_ns = sent->sacked || sent->lost ? TIMER_NEVER : sent->sent_ns;
    link = check_tree(node->left, link);
    expect(link == &sent->link, "the tree of what was sent is in another order");
    link = check_tree(node->right, link->next);
    for (int i = 0; i < 2; i++) {
        const struct treap_node *child = i ? node->right : node->left;
        if (!child)
            continue;
        const struct tcp_rtx *below = container_of(child, struct tcp_rtx, node);
        unsacked |= below->below_unsacked;
        lost |= below->below_lost;
        if (below->below_earliest_ns < earliest_ns)
            earliest_ns = below->below_earliest_ns;
    }
    expect(unsacked == sent->below_unsacked && lost == sent->below_lost &&
               earliest_ns == sent->below_earliest_ns,
           "what is below a record is not what it says");
    return link;
}

/* The records of what is in flight cover all of it, and add up. */
static void check_records(const struct tcp *tcp) {
    bool opening = tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECV;
    uint32_t next = tcp->snd_una, sacked = 0, lost = 0, count = 0, segments = 0;
    bool again = false;
    for (struct list *link = tcp->active->sent.next; link != &tcp->active->sent; link = link->next) {
        const struct tcp_rtx *sent = container_of(link, struct tcp_rtx, link);
        expect(sent->sequence == next, "a gap in what was sent: %u, not %u", sent->sequence - tcp->snd_una,
               next - tcp->snd_una);
        expect(!(sent->sacked && sent->lost), "sacked and lost");
        next += tcp_rtx_span(sent);
        sacked += sent->sacked ? tcp_rtx_span(sent) : 0;
        count += sent->sacked ? tcp_rtx_segments(sent) : 0;
        segments += tcp_rtx_segments(sent);
        again |= sent->transmissions > 1;
        lost += sent->lost ? tcp_rtx_span(sent) : 0;
    }
    expect(opening || tcp->state == TCP_TIME_WAIT || next == tcp->snd_nxt, "records end at %u of %u",
           next - tcp->snd_una, tcp->snd_nxt - tcp->snd_una);
    expect(sacked == tcp->active->scoreboard.sacked_bytes && count == tcp->active->scoreboard.sacked_count,
           "%u sacked, not %u", tcp->active->scoreboard.sacked_bytes, sacked);
    expect(segments == tcp->active->scoreboard.count, "%u segments, not %u", tcp->active->scoreboard.count,
           segments);
    expect(lost == tcp->active->scoreboard.lost_bytes, "%u lost, not %u", tcp->active->scoreboard.lost_bytes,
           lost);
    if (tcp->active->sent_root)
        expect(check_tree(tcp->active->sent_root, tcp->active->sent.next) == &tcp->active->sent,
               "the tree of what was sent lacks a record");
    else
        expect(sacked == 0 && lost == 0 && !again, "there is no tree of what was sent");
}

static void check_connection(void *object, void *context) {
    struct tcp *tcp = object;
    struct stack *stack = context;
    if (tcp->state == TCP_CLOSE || tcp->state == TCP_LISTEN)
        return;
    uint32_t flight = tcp->snd_nxt - tcp->snd_una;
    expect(seq_le(tcp->snd_una, tcp->snd_nxt), "snd_una <= snd_nxt");
    check_records(tcp);
    expect(tcp->state == TCP_TIME_WAIT || flight <= tcp->send.length + 2, "%u in flight of %u", flight,
           tcp->send.length);
    expect(seq_le(tcp->rcv_nxt, tcp->rcv_adv + 1), "rcv_nxt beyond what was advertised");
    expect(buffer_chain_length(tcp->send.head) == tcp->send.length, "send queue's length");
    expect(buffer_chain_length(tcp->receive.head) == tcp->receive.length, "receive queue's length");
    expect(tcp->active->out_of_order.count <= TCP_OUT_OF_ORDER_MAX, "out of order: %u",
           tcp->active->out_of_order.count);
    expect(tcp->state == TCP_TIME_WAIT || flight == 0 || tcp_alarm_is_set(tcp, TCP_ALARM_RETRANSMIT) ||
               !list_empty(&tcp->output_link),
           "%u in flight and no timer, state %u", flight, tcp->state);
    const struct socket *owner = tcp->socket ? tcp->socket : tcp->listener;
    expect(!owner || tcp->receive.length <= owner->receive_limit + 65536, "receive queue of %u",
           tcp->receive.length);
    expect(tcp_active_is_blank(&stack->idle_active), "somebody wrote to what belongs to all at rest");
}

/* What has ended is gone; what no router says any more is not used. A timer of the wheel's rings up to two ticks late. */
static void check_network(const struct stack *stack) {
    const struct ip6 *ip6 = &stack->ip6;
    uint64_t late_ns = 2 * TIMER_TICK_NS;
    expect(ip6->addresses.count <= IP6_ADDRESSES_MAX && ip6->routes.count <= IP6_ROUTES_MAX,
           "tables without a bound");
    for (uint32_t i = 0; i < ip6->addresses.count; i++) {
        const struct ip6_address *own = &ip6->addresses.entries[i];
        expect(own->valid_ns + late_ns > stack->now_ns || own->valid_ns == TIMER_NEVER,
               "an address that has ended is there");
        expect(own->preferred_ns + late_ns > stack->now_ns || own->preferred_ns == TIMER_NEVER ||
                   own->flags & IP6_FLAG_DEPRECATED,
               "an address is preferred for too long");
    }
    for (uint32_t i = 0; i < ip6->routes.count; i++)
        expect(ip6->routes.routes[i].until_ns == TIMER_NEVER ||
                   ip6->routes.routes[i].until_ns + late_ns > stack->now_ns,
               "a route that has ended is there");
}

static uint8_t pattern(int connection, int direction, uint32_t at) {
    return (uint8_t)(at * 31 + (at >> 8) * 7 + (uint32_t)connection * 101 + (uint32_t)direction * 53);
}

static void close_end(struct connection *connection, int side) {
    struct end *end = &connection->ends[side];
    if (!end->socket)
        return;
    tell("%c closes connection %d", 'A' + side, (int)(connection - world.connections));
    socket_release(world.hosts[side].stack, end->socket);
    end->socket = NULL;
}

static void fail_end(struct connection *connection, int side, ssize_t error) {
    struct end *end = &connection->ends[side];
    tell("%c: connection %d: %s", 'A' + side, (int)(connection - world.connections), strerror((int)-error));
    expect(error == -ECONNRESET || error == -EPIPE || error == -ETIMEDOUT || error == -ECONNREFUSED ||
               error == -EHOSTUNREACH || error == -ECONNABORTED ||
               (connection->routed && error == -ENETUNREACH),
           "unexpected error %zd", -error);
    end->failed = true;
    close_end(connection, side);
}

static void program_writes(struct connection *connection, int side) {
    struct end *end = &connection->ends[side];
    static uint8_t bytes[65536];
    uint32_t length = end->to_send - end->sent < end->chunk ? end->to_send - end->sent : end->chunk;
    struct iovec piece = {bytes, length};
    struct socket_message message = {.pieces = &piece, .count = 1, .flags = one_in(8) ? MSG_MORE : 0};
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = pattern((int)(connection - world.connections), side, end->sent + i);
    ssize_t sent = socket_send(world.hosts[side].stack, end->socket, &message);
    if (sent > 0)
        end->sent += (uint32_t)sent;
    else if (sent != -EAGAIN && sent != -ENOBUFS)
        fail_end(connection, side, sent);
}

static void program_reads(struct connection *connection, int side) {
    struct end *end = &connection->ends[side], *other = &connection->ends[1 - side];
    static uint8_t bytes[65536];
    struct iovec piece = {bytes, end->chunk};
    struct socket_message message = {.pieces = &piece, .count = 1};
    ssize_t got = socket_receive(world.hosts[side].stack, end->socket, &message);
    if (got < 0 && got != -EAGAIN) {
        fail_end(connection, side, got);
    } else if (got == 0) {
        end->saw_end = true;
        expect(other->shut || !other->socket, "end of file that nobody has sent");
        expect(end->received == other->sent, "end of file after %u of %u bytes", end->received, other->sent);
    }
    for (ssize_t i = 0; i < got; i++)
        expect(bytes[i] ==
                   pattern((int)(connection - world.connections), 1 - side, end->received + (uint32_t)i),
               "byte %u of connection %d is wrong", end->received + (uint32_t)i,
               (int)(connection - world.connections));
    if (got > 0)
        end->received += (uint32_t)got;
    expect(end->received <= other->sent, "more read than written");
    total_bytes += got > 0 ? (uint64_t)got : 0;
}

/* The program at one end does something. */
static void act(struct connection *connection, int side) {
    struct end *end = &connection->ends[side];
    struct stack *stack = world.hosts[side].stack;
    uint32_t before = end->sent + end->received;
    unsigned ready = socket_poll(stack, end->socket);
    if (!end->shut && end->sent < end->to_send && (ready & (POLLOUT | POLLERR | POLLHUP)))
        program_writes(connection, side);
    if (end->socket && !end->saw_end && (ready & (POLLIN | POLLERR | POLLHUP)))
        program_reads(connection, side);
    /* A program that waits looks less and less often. */
    end->idle_ns = end->sent + end->received != before ? 0
                   : end->idle_ns < 10 * SECOND        ? end->idle_ns * 2 + MS
                                                       : end->idle_ns;
    end->acts_ns = world.now_ns + 100000 + below(end->pause_ns) + end->idle_ns;
    if (!end->socket)
        return;
    if (end->gives_up && one_in(20)) {
        end->failed = true;
        end->socket->options.linger = one_in(2); /* a reset, or a close with whatever there is */
        close_end(connection, side);
        return;
    }
    if (!end->shut && end->sent == end->to_send && (ready & POLLOUT)) {
        tell("%c has sent its %u bytes on connection %d", 'A' + side, end->sent,
             (int)(connection - world.connections));
        end->shut = true;
        int error = socket_shutdown(stack, end->socket, SHUT_WR);
        if (error)
            fail_end(connection, side, error == -ENOTCONN ? -ECONNRESET : error);
    }
    if (end->socket && end->shut && end->saw_end)
        close_end(connection, side);
}

static void choose_end(struct end *end) {
    *end = (struct end){
        .pause_ns = one_in(4) ? any_size(2 * SECOND) : any_size(20 * MS),
        .to_send = one_in(4) ? 0 : (uint32_t)any_size(300000),
        .chunk = (uint32_t)any_size(65535),
        .gives_up = one_in(25),
    };
}

static void set_up_socket(struct stack *stack, struct socket *socket) {
    int size = (int)any_size(200000), one = 1;
    if (one_in(3))
        socket_set_option(stack, socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    size = (int)any_size(200000);
    if (one_in(3))
        socket_set_option(stack, socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (one_in(3))
        socket_set_option(stack, socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static struct ip_address server_of(const struct connection *connection) {
    return connection->routed ? routers6_far() : address_of(1 - connection->client, connection->six);
}

static bool may_be_from(const struct connection *connection, struct ip_address address) {
    return connection->routed ? routers6_gave(&world.routers, address)
                              : ip_equal(address, address_of(connection->client, connection->six));
}

static void connect_one(struct connection *connection) {
    int side = connection->client;
    struct stack *stack = world.hosts[side].stack;
    struct socket *socket;
    struct ip_address address;
    if (socket_create(stack, SOCK_STREAM, 0, &socket)) {
        connection->ends[side].failed = true;
        return;
    }
    set_up_socket(stack, socket);
    socket->options.inet6 = connection->six || one_in(2); /* an IPv4 address may be a mapped one */
    int error = socket_connect(stack, socket, server_of(connection), PORT);
    if (error == -ENETUNREACH && connection->routed && world.now_ns < ROUTERS_UNTIL) {
        socket_release(stack, socket); /* no router has said anything yet, or all have gone */
        connection->ends[side].acts_ns = world.now_ns + SECOND;
        return;
    }
    if ((error == -ENOBUFS && world.fails) || (error == -ENETUNREACH && connection->routed)) {
        socket_release(stack, socket);
        connection->ends[side].failed = true;
        return;
    }
    expect(error == -EINPROGRESS, "connect: %d", error);
    socket_local(socket, &address, &connection->client_port);
    connection->ends[side].socket = socket;
    tell("%c opens connection %d by IPv%d%s from port %u", 'A' + side, (int)(connection - world.connections),
         connection->six ? 6 : 4, connection->routed ? " and a router" : "", connection->client_port);
}

/* Who is there is told by its port. */
static void accept_all(int side) {
    struct socket *socket;
    struct stack *stack = world.hosts[side].stack;
    while (socket_accept(stack, world.hosts[side].listener, &socket) == 0) {
        struct connection *found = NULL;
        for (int i = 0; i < world.connection_count; i++)
            if (world.connections[i].client == 1 - side &&
                world.connections[i].client_port == socket->tcp->remote_port &&
                may_be_from(&world.connections[i], socket->tcp->remote_address) &&
                !world.connections[i].accepted)
                found = &world.connections[i];
        expect(found, "a connection that nobody has opened");
        if (!found) {
            socket_release(stack, socket);
            return;
        }
        found->accepted = true;
        found->ends[side].socket = socket;
        found->ends[side].acts_ns = world.now_ns;
    }
}

/* What is acknowledged, the other side has. */
static void check_pair(const struct connection *connection) {
    for (int side = 0; side < 2; side++) {
        const struct socket *here = connection->ends[side].socket, *there = connection->ends[1 - side].socket;
        if (!here || !there || here->tcp->state < TCP_ESTABLISHED || there->tcp->state < TCP_ESTABLISHED ||
            here->tcp->state == TCP_CLOSE || there->tcp->state == TCP_CLOSE ||
            here->tcp->state == TCP_SYN_SENT || here->tcp->state == TCP_SYN_RECV ||
            there->tcp->state == TCP_SYN_RECV)
            continue;
        expect(seq_le(here->tcp->snd_una, there->tcp->rcv_nxt), "%u bytes acknowledged that never arrived",
               here->tcp->snd_una - there->tcp->rcv_nxt);
    }
}

static void carry_out(int side);

/* Each datagram says where in the pattern it begins; it arrives as it was, or not at all. Some are a burst
 * (UDP_SEGMENT), whose memory may be lent until it is sent. */
static void send_datagram(int side) {
    static uint8_t bytes[DATAGRAM_MAX];
    struct host *host = &world.hosts[side];
    uint32_t length = 4 + (uint32_t)any_size(world.datagram_max - 4),
             one = one_in(3) ? 4 + (uint32_t)any_size(1000) : length;
    bool gso = length > one && length % one >= 4 && length < UDP_SEGMENTS_MAX * one;
    uint32_t part = gso ? one : length;
    struct iovec piece = {bytes, length};
    struct socket_message message = {.pieces = &piece,
                                     .count = 1,
                                     .has_address = true,
                                     .address = address_of(1 - side, world.six && one_in(2)),
                                     .port = DATAGRAM_PORT,
                                     .segment = gso ? (uint16_t)one : 0,
                                     .borrow = !stack_frame(host->stack, 0)};
    for (uint32_t at = 0; at < length; at += part) {
        uint32_t start = (uint32_t)splitmix64(&world.random);
        wire_put32(bytes + at, start);
        for (uint32_t i = 4; i < part && at + i < length; i++)
            bytes[at + i] = pattern(side, 7, start + i);
    }
    ssize_t sent = socket_send(host->stack, host->datagrams, &message);
    expect(sent == (ssize_t)length || sent == -EAGAIN || (sent == -EMSGSIZE && gso), "datagram of %u: %zd",
           length, sent);
    if (one_in(2))
        carry_out(side);
    stack_frames_keep(host->stack);
    memset(bytes, 0, sizeof bytes);
    host->datagram_ns = world.now_ns < DATAGRAMS_UNTIL ? world.now_ns + any_size(SECOND) : TIMER_NEVER;
}

static void take_datagrams(int side) {
    static uint8_t bytes[DATAGRAM_MAX + 100];
    struct iovec piece = {bytes, sizeof bytes};
    struct socket_message message = {.pieces = &piece, .count = 1};
    ssize_t length;
    while ((length = socket_receive(world.hosts[side].stack, world.hosts[side].datagrams, &message)) >= 0) {
        expect(length >= 4 && ip_equal(message.address, address_of(1 - side, !ip_is_v4(message.address))),
               "a strange datagram");
        for (ssize_t i = 4; i < length; i++)
            expect(bytes[i] == pattern(1 - side, 7, wire_get32(bytes) + (uint32_t)i),
                   "byte %zd of a datagram of %zd", i, length);
        total_datagrams++;
    }
}

static struct socket *datagrams_on(struct stack *stack) {
    struct socket *socket;
    int discover = (int)below(2); /* IP_PMTUDISC_DONT, IP_PMTUDISC_WANT */
    if (socket_create(stack, SOCK_DGRAM, 0, &socket))
        abort();
    socket_set_option(stack, socket, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover);
    socket->options.inet6 = world.six;
    socket_bind(stack, socket, (struct ip_address){0}, DATAGRAM_PORT);
    return socket;
}

static struct socket *listen_on(struct stack *stack) {
    struct socket *listener;
    if (socket_create(stack, SOCK_STREAM, 0, &listener))
        abort();
    set_up_socket(stack, listener);
    listener->options.inet6 = world.six || one_in(2);
    socket_bind(stack, listener, (struct ip_address){0}, PORT);
    socket_listen(stack, listener, 1 + (int)below(8));
    return listener;
}

static struct impair_spec choose_link(void) {
    struct impair_spec spec = {.queue = one_in(3) ? 5 + (uint32_t)below(50) : 1000};
    if (one_in(2))
        spec.loss = (uint32_t)any_size(100000);
    if (one_in(4))
        spec.burst = 1 + (uint32_t)below(10);
    if (one_in(3))
        spec.duplicate = (uint32_t)any_size(100000);
    if (one_in(3))
        spec.reorder = (uint32_t)any_size(200000);
    if (one_in(4))
        spec.corrupt = (uint32_t)any_size(50000);
    spec.delay_ns = any_size(200 * MS);
    if (one_in(2))
        spec.jitter_ns = any_size(50 * MS);
    if (one_in(2))
        spec.rate = 20000 + any_size(1000000000);
    return spec;
}

static bool is_down(void) {
    return world.now_ns >= world.down_from_ns && world.now_ns < world.down_until_ns;
}

static void put_by_router(void *context, int side, const uint8_t *frame, uint32_t length) {
    (void)context;
    if (!is_down())
        impair_put(world.links[1 - side], world.now_ns, frame, length);
}

static void world_begin(uint64_t seed, bool trace) {
    static const uint16_t mtus[] = {296, 576, 1280, 1500, 1500, 1500, 9000, 65535};
    memset(&world, 0, sizeof world);
    world.seed = seed;
    world.random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    world.trace = trace;
    uint16_t mtu = mtus[below(sizeof mtus / sizeof *mtus)];
    world.six = mtu >= IP6_MTU_MIN && !one_in(4);
    uint64_t routed =
        seed ^ UINT64_C(0x726f7574657273); /* numbers of its own: the rest of a seed is as it was */
    world.routed = world.six && splitmix64(&routed) % 2;
    world.routers = (struct routers6){.deliver = put_by_router, .tell = tell, .next_ns = TIMER_NEVER};
    for (int i = 0; i < 2; i++) {
        struct impair_spec spec = choose_link();
        world.corrupts |= spec.corrupt > 0;
        world.hosts[i] = make_host(i, mtu);
        world.hosts[i].listener = listen_on(world.hosts[i].stack);
        world.hosts[i].datagrams = datagrams_on(world.hosts[i].stack);
        world.hosts[i].datagram_ns = one_in(3) ? below(SECOND) : TIMER_NEVER;
        world.links[i] = impair_create(&spec, splitmix64(&world.random));
        tell("link from %c: loss %u burst %u duplicate %u reorder %u corrupt %u ppm, delay %.3f +- %.3f ms, "
             "%llu bit/s, queue %u",
             'A' + i, spec.loss, spec.burst, spec.duplicate, spec.reorder, spec.corrupt,
             (double)spec.delay_ns / 1e6, (double)spec.jitter_ns / 1e6, (unsigned long long)spec.rate,
             spec.queue);
    }
    world.path_mtu = mtu;
    world.black_hole = one_in(4);
    world.path_changes_ns = one_in(3) && !world.corrupts ? any_size(5 * SECOND) : TIMER_NEVER;
    world.datagram_max = world.corrupts && mtu < DATAGRAM_MAX ? mtu - 48u : DATAGRAM_MAX;
    if (one_in(4)) {
        world.down_from_ns = below(10 * SECOND);
        world.down_until_ns = world.down_from_ns + any_size(20 * SECOND);
    }
    if (one_in(6)) {
        world.starved_from_ns = below(5 * SECOND);
        world.starved_until_ns = world.starved_from_ns + any_size(5 * SECOND);
    }
    if (one_in(6)) {
        world.failing_from_ns = below(3 * SECOND);
        world.failing_until_ns = world.failing_from_ns + any_size(10 * SECOND);
        world.failing_one_in = 2 + (uint32_t)any_size(1000);
    }
    world.connection_count = 1 + (int)below(CONNECTIONS_MAX);
    for (int i = 0; i < world.connection_count; i++) {
        struct connection *connection = &world.connections[i];
        choose_end(&connection->ends[0]);
        choose_end(&connection->ends[1]);
        connection->client = (int)below(2);
        connection->six = world.six && one_in(2);
        connection->routed =
            world.routed && connection->six && connection->client == 0 && splitmix64(&routed) % 2;
        connection->ends[connection->client].acts_ns = below(2 * SECOND);
        connection->ends[1 - connection->client].acts_ns = TIMER_NEVER;
    }
    if (world.routed)
        routers6_begin(&world.routers, routed, ROUTERS_UNTIL);
}

static void put_on_link(void *context, const uint8_t *frame, uint32_t length) {
    impair_put(context == &world.hosts[0] ? world.links[0] : world.links[1], world.now_ns, frame, length);
}

static void put_back(void *context, const uint8_t *frame, uint32_t length) {
    impair_put(context == &world.hosts[0] ? world.links[1] : world.links[0], world.now_ns, frame, length);
}

/* The way gets narrower or wider, down to what makes a path that must not be narrowed further
 * (IP_PATH_MTU_MIN). */
static void change_path(void) {
    static const uint16_t mtus[] = {68, 296, 552, 576, 1006, 1280, 1492, 1500, 9000, 65535};
    world.path_mtu = mtus[below(sizeof mtus / sizeof *mtus)];
    if (world.black_hole && world.path_mtu < 576)
        world.path_mtu = 576; /* nobody finds out about less */
    tell("the path's MTU is %u%s", world.path_mtu, world.black_hole ? ", and nobody says so" : "");
    world.path_changes_ns =
        world.now_ns < PATH_CHANGES_UNTIL ? world.now_ns + any_size(30 * SECOND) : TIMER_NEVER;
}

/* What a host has sent goes onto its link. */
static void carry_out(int side) {
    static uint8_t bytes[FRAME_MAX];
    struct stack *stack = world.hosts[side].stack;
    struct frame *frame;
    while ((frame = stack_frame(stack, 0))) {
        struct router router = {.mtu = world.path_mtu,
                                .black_hole = world.black_hole,
                                .forward = put_on_link,
                                .answer = put_back,
                                .context = &world.hosts[side]};
        for (uint32_t i = 0; i < frame_segments(frame); i++) {
            uint32_t length = frame_cut(frame, i, bytes);
            world.frames++;
            if (!is_down() && !(world.routed && routers6_take(&world.routers, side, bytes, length)))
                router_handle(&router, bytes, length);
        }
        stack_frames_sent(stack, 1);
    }
}

static void carry_in(int side) {
    static uint8_t bytes[FRAME_MAX];
    struct host *host = &world.hosts[side];
    uint32_t length;
    while ((length = impair_get(world.links[1 - side], world.now_ns, bytes, sizeof bytes))) {
        struct byte_queue queue = {0};
        struct iovec piece = {bytes, length};
        if (byte_queue_append(&queue, &host->stack->buffers, &piece, 1, 0, length) < length)
            buffer_drop_chain(&host->stack->buffers, queue.head); /* no memory: lost */
        else
            stack_input(host->stack, local_time(host, world.now_ns), queue.head, 0);
    }
}

static void starve(void) {
    bool starved = world.now_ns >= world.starved_from_ns && world.now_ns < world.starved_until_ns;
    struct pool *buffers = &world.hosts[0].stack->buffers;
    buffers->limit = starved ? (buffers->used < 20 ? 20 : buffers->used) : UINT32_MAX;
}

static void fail_takes(void) {
    bool fails = world.now_ns >= world.failing_from_ns && world.now_ns < world.failing_until_ns;
    if (fails && !world.fails)
        failing_by_chance(world.seed, world.failing_one_in);
    if (!fails && world.fails)
        failing_end();
    if (fails != world.fails)
        tell("one of %u takes fails: %s", world.failing_one_in, fails ? "from now on" : "no more");
    world.fails = fails;
}

static void take_events(int side) {
    struct stack *stack = world.hosts[side].stack;
    while (stack_next_event(stack))
        continue;
    if (world.hosts[side].listener)
        accept_all(side); /* who could not be accepted before, for want of memory, is there still */
}

static void step(void) {
    starve();
    fail_takes();
    if (world.path_changes_ns <= world.now_ns)
        change_path();
    if (world.routers.next_ns <= world.now_ns)
        routers6_act(&world.routers, world.now_ns);
    for (int side = 0; side < 2; side++) {
        struct host *host = &world.hosts[side];
        carry_in(side);
        stack_advance(host->stack, local_time(host, world.now_ns));
        take_events(side);
        take_datagrams(side);
        if (host->datagram_ns <= world.now_ns)
            send_datagram(side);
    }
    for (int i = 0; i < world.connection_count; i++) {
        struct connection *connection = &world.connections[i];
        for (int side = 0; side < 2; side++) {
            struct end *end = &connection->ends[side];
            if (end->acts_ns > world.now_ns)
                continue;
            bool opens = side == connection->client && !connection->client_port && !end->failed;
            if (opens)
                connect_one(connection);
            if (!end->socket && opens && end->acts_ns > world.now_ns)
                continue; /* it tries again */
            if (!end->socket) {
                end->acts_ns = TIMER_NEVER;
                continue;
            }
            act(connection, side);
        }
    }
    for (int side = 0; side < 2; side++) {
        struct host *host = &world.hosts[side];
        stack_advance(host->stack, local_time(host, world.now_ns));
        carry_out(side);
        check_network(host->stack);
        pool_walk(&host->stack->connections, check_connection, host->stack);
    }
    for (int i = 0; i < world.connection_count; i++)
        check_pair(&world.connections[i]);
}

static uint64_t soonest(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t next_event(void) {
    uint64_t next = TIMER_NEVER;
    for (int side = 0; side < 2; side++) {
        const struct host *host = &world.hosts[side];
        next = soonest(next, impair_next(world.links[side]));
        next = soonest(next, global_time(host, stack_deadline(host->stack)));
        next = soonest(next, host->datagram_ns);
    }
    next = soonest(next, world.path_changes_ns);
    next = soonest(next, world.routers.next_ns);
    for (int i = 0; i < world.connection_count; i++)
        next = soonest(next,
                       soonest(world.connections[i].ends[0].acts_ns, world.connections[i].ends[1].acts_ns));
    return next;
}

static bool programs_done(void) {
    for (int i = 0; i < world.connection_count; i++)
        for (int side = 0; side < 2; side++)
            if (world.connections[i].ends[side].acts_ns != TIMER_NEVER)
                return false;
    return true;
}

static void run_until_idle(void) {
    while (!world.failed) {
        uint64_t next = next_event();
        if (next == TIMER_NEVER)
            return;
        if (next > world.now_ns)
            world.now_ns = next;
        step();
        expect(++world.events < EVENTS_MAX, "it goes on for ever");
        expect(world.now_ns < 100000 * SECOND, "it lasts for ever");
        /* Whom the peer has not reached any more: a program that waits for ever would be ended by its user.
         */
        for (int i = 0; i < world.connection_count && world.now_ns > 20000 * SECOND; i++)
            for (int side = 0; side < 2; side++)
                close_end(&world.connections[i], side);
    }
}

static void tell_where_it_stands(void) {
    for (int i = 0; i < world.connection_count; i++)
        for (int side = 0; side < 2; side++) {
            const struct end *end = &world.connections[i].ends[side];
            const struct tcp *tcp = end->socket ? end->socket->tcp : NULL;
            tell("connection %d at %c: sent %u of %u, received %u, %u at a time; %s state %u, send queue %u, "
                 "window %u, "
                 "receive queue %u",
                 i, 'A' + side, end->sent, end->to_send, end->received, end->chunk, tcp ? "open" : "closed",
                 tcp ? tcp->state : 0, tcp ? tcp->send.length : 0, tcp ? tcp->snd_wnd : 0,
                 tcp ? tcp->receive.length : 0);
        }
    tell("%llu frames, %llu events", (unsigned long long)world.frames, (unsigned long long)world.events);
}

static void world_end(void) {
    if (world.failed)
        tell_where_it_stands();
    expect(world.failed || programs_done(), "programs that never end");
    for (int side = 0; side < 2; side++) {
        struct stack *stack = world.hosts[side].stack;
        if (world.hosts[side].listener)
            socket_release(stack, world.hosts[side].listener);
        world.hosts[side].listener = NULL;
        world.hosts[side].datagram_ns = TIMER_NEVER;
    }
    run_until_idle();
    failing_end();
    for (int side = 0; side < 2; side++)
        socket_release(world.hosts[side].stack, world.hosts[side].datagrams);
    for (int side = 0; side < 2 && !world.failed; side++) {
        const struct stack *stack = world.hosts[side].stack;
        expect(stack->datagrams.used == 0, "%c: %u datagrams left", 'A' + side, stack->datagrams.used);
        expect(stack->reassemblies.pool.used == 0, "%c: %u reassemblies left", 'A' + side,
               stack->reassemblies.pool.used);
        expect(stack->paths.pool.used == 0, "%c: %u paths left", 'A' + side, stack->paths.pool.used);
        expect(!stack_busy(stack), "%c: %u connections left", 'A' + side,
               stack->connections.used + stack->time_waits.used);
        expect(stack->sockets.used == 0, "%c: %u sockets left", 'A' + side, stack->sockets.used);
        expect(stack->buffers.used == 0, "%c: %u buffers left", 'A' + side, stack->buffers.used);
        expect(stack->sent.used == 0, "%c: %u records left", 'A' + side, stack->sent.used);
        expect(stack->actives.used == 0, "%c: %u flights left", 'A' + side, stack->actives.used);
        expect(stack->out_of_order_segments.used == 0, "%c: %u held segments left", 'A' + side,
               stack->out_of_order_segments.used);
        expect(stack->neighbours.pendings.used == 0, "%c: %u packets wait for a neighbour", 'A' + side,
               stack->neighbours.pendings.used);
    }
    for (int side = 0; side < 2; side++) {
        munmap(world.hosts[side].mapped, REGION_BYTES + ARENA_BLOCK_BYTES);
        impair_destroy(world.links[side]);
    }
    total_virtual_ns += world.now_ns;
    total_frames += world.frames;
}

static bool simulate(uint64_t seed, bool trace) {
    world_begin(seed, trace);
    run_until_idle();
    world_end();
    return !world.failed;
}

/* Does again what host A was called with, in the ring, which has not gone round. */
static void replay_host(const struct recorder *recorder) {
    static struct replay replay;
    const struct record_head head = {RECORD_MAGIC, 0, sizeof(struct stack)};
    char *mapped = mmap(NULL, REGION_BYTES + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *file = (uint8_t *)recorder->ring - sizeof head;
    size_t bytes = sizeof head + recorder->written;
    memcpy(file, &head, sizeof head); /* over the recorder's own, which has done its work */
    replay_begin(&replay, file, bytes, 0, mapped + (-(uintptr_t)mapped & (ARENA_BLOCK_BYTES - 1)),
                 REGION_BYTES);
    enum replay_outcome outcome;
    while ((outcome = replay_step(&replay)) == REPLAY_GOES_ON)
        continue;
    expect(outcome == REPLAY_ENDED && !*replay.message, "the replay: %s", replay.message);
    total_frames += replay.frames;
    munmap(mapped, REGION_BYTES + ARENA_BLOCK_BYTES);
}

/* Memory runs out by no call of host A's: there is none of that. Of the longest seeds the beginning is recorded. */
static bool simulate_again(uint64_t seed) {
    size_t bytes = sizeof(struct record_head) + RECORD_BYTES;
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    recording = memory;
    world_begin(seed, false);
    recording = NULL;
    world.starved_until_ns = world.failing_until_ns = 0;
    run_until_idle();
    world_end();
    const struct recorder *recorder = (void *)((char *)memory + sizeof(struct record_head));
    if (!world.failed)
        replay_host(recorder);
    munmap(memory, bytes);
    return !world.failed;
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count == 3 && strcmp(arguments[1], "--trace") == 0)
        return simulate(strtoull(arguments[2], NULL, 10), true) ? 0 : 1;
    const char *self = arguments[0];
    bool again = count == 4 && strcmp(arguments[1], "--replay") == 0;
    arguments += again;
    count -= again;
    if (count != 1 && count != 3) {
        fprintf(stderr, "usage: simulate [[--replay] FIRST COUNT] | --trace SEED\n");
        return 2;
    }
    uint64_t first = count == 3 ? strtoull(arguments[1], NULL, 10) : 1;
    uint64_t seeds = count == 3 ? strtoull(arguments[2], NULL, 10) : 2000, failed = 0;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        bool good = again || simulate(seed, false);
        if (good && (again || (count == 1 && seed % 16 == 0)))
            good = simulate_again(seed);
        if (good)
            continue;
        failed++;
        printf("seed %llu: %s; replay: %s --trace %llu\n", (unsigned long long)seed, world.failure, self,
               (unsigned long long)seed);
    }
    printf("%.0f seconds of virtual time, %llu frames, %llu bytes and %llu datagrams read\n",
           (double)total_virtual_ns / 1e9, (unsigned long long)total_frames, (unsigned long long)total_bytes,
           (unsigned long long)total_datagrams);
    printf("%llu passed, %llu failed, 0 skipped\n", (unsigned long long)(seeds - failed),
           (unsigned long long)failed);
    return failed ? 1 : 0;
}
