/* SPDX-License-Identifier: MIT */
/*
 * test_inet6.c - sockets of AF_INET6: TCP, UDP, ping and raw over IPv6 between two hosts, and IPv4 on the
 * same sockets (port.c, socket.c, tcp_*.c, udp.c, raw.c).
 */
#include "stack/base/checksum.h"
#include "stack/datagram/udp.h"
#include "stack/ip/icmp6.h"
#include "stack/tcp/tcp_time_wait.h"
#include "tests/unit/peer6.h"
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define A6 v6("fd00::a")
#define B6 v6("fd00::2")
#define V4(address) ip_from_v4(address)

static struct host a, b;
static struct cable cable;
static uint8_t bytes[200000], got[200000];

static struct host make_host(uint32_t v4, struct ip_address six, uint16_t mtu) {
    bool offload = getenv("BAREWIRE_OFFLOAD") != NULL;
    const struct stack_config config = {.address = v4,
                                        .prefix_length = 24,
                                        .mac = {2, 0, 0, 0, 6, (uint8_t)v4},
                                        .mtu = mtu,
                                        .loopback = true,
                                        .offload = offload,
                                        .offload_datagrams = offload,
                                        .ip6 = {.on = true, .address = six, .prefix_length = 64}};
    return host_create_configured(&config);
}

/* Two hosts with both families, whose addresses have been checked. */
static void begin_with(uint16_t mtu) {
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    a = make_host(HOST_A, A6, mtu);
    b = make_host(HOST_B, B6, mtu);
    cable_join(&cable, &a, &b, MS);
    cable_run(&cable, 5 * SECOND);
}

static int begin(void **state) {
    (void)state;
    begin_with(1500);
    return 0;
}

static int end(void **state) {
    (void)state;
    cable_cut(&cable);
    host_destroy(&a);
    host_destroy(&b);
    return 0;
}

static struct socket *make(struct host *host, int type, int protocol) {
    struct socket *socket;
    assert_int_equal(socket_create(host->stack, type, protocol, &socket), 0);
    socket->options.inet6 = true;
    return socket;
}

static struct socket *bound(struct host *host, int type, int protocol, struct ip_address address,
                            uint16_t port) {
    struct socket *socket = make(host, type, protocol);
    assert_int_equal(socket_bind(host->stack, socket, address, port), 0);
    return socket;
}

static struct socket *listening(struct host *host, struct ip_address address, uint16_t port) {
    struct socket *socket = bound(host, SOCK_STREAM, 0, address, port);
    assert_int_equal(socket_listen(host->stack, socket, 8), 0);
    return socket;
}

/* Connects from host a, an AF_INET6 socket if the address is not said to be for one of AF_INET. */
static int connect_to(struct ip_address address, uint16_t port, bool inet6, struct socket **client) {
    *client = inet6 ? make(&a, SOCK_STREAM, 0) : make_socket(&a, SOCK_STREAM, 0, 0);
    stack_advance(a.stack, now);
    int result = socket_connect(a.stack, *client, address, port);
    if (result != -EINPROGRESS)
        return result;
    cable_run(&cable, 20 * MS);
    return socket_connect(a.stack, *client, address, port);
}

/* Sends all from one to the other, through the cable. */
static void transfer(struct host *from, struct socket *sender, struct host *to, struct socket *receiver,
                     size_t length) {
    size_t sent = 0, received = 0;
    for (int i = 0; i < 5000 && received < length; i++) {
        if (sent < length) {
            ssize_t n = send_bytes(from, sender, bytes + sent, length - sent, 0);
            sent += n > 0 ? (size_t)n : 0;
        }
        cable_run(&cable, MS);
        ssize_t n = receive_bytes(to, receiver, got + received, sizeof got - received, 0);
        received += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(received, length);
    assert_memory_equal(got, bytes, length);
}

static void assert_local(struct socket *socket, struct ip_address address) {
    struct ip_address local;
    uint16_t port;
    char text[IP_ADDRESS_TEXT], wanted[IP_ADDRESS_TEXT];
    socket_local(socket, &local, &port);
    assert_string_equal(ip_text(local, text), ip_text(address, wanted));
    assert_int_equal(ip_is_v4(local), ip_is_v4(address));
}

static void close_all(struct socket *client, struct socket *server, struct socket *listener) {
    socket_release(a.stack, client);
    cable_run(&cable, 20 * MS);
    socket_release(b.stack, server);
    socket_release(b.stack, listener);
    cable_run(&cable, 200 * MS);
    assert_int_equal(b.stack->connections.used, 0);
    cable_run(&cable, 61 * SECOND);
    assert_false(stack_busy(a.stack));
    assert_int_equal(a.stack->buffers.used, 0);
    assert_int_equal(b.stack->buffers.used, 0);
}

static void connection_carries_data_both_ways_and_ends(void **state) {
    (void)state;
    struct socket *client, *server, *listener = listening(&b, v6("::"), 80);
    struct ip_address remote;
    uint16_t port;
    assert_int_equal(connect_to(B6, 80, true, &client), 0);
    assert_int_equal(socket_accept(b.stack, listener, &server), 0);
    assert_local(client, A6);
    assert_local(server, B6);
    assert_local(listener, v6("::"));
    assert_int_equal(socket_remote(server, &remote, &port), 0);
    assert_true(ip_equal(remote, A6));
    assert_int_equal(client->tcp->mss, 1500 - 40 - 20 - TCP_TIMESTAMP_BYTES);
    transfer(&a, client, &b, server, 150000);
    transfer(&b, server, &a, client, 150000);
    assert_int_equal(a.stack->mib.TcpInErrs + b.stack->mib.TcpInErrs, 0);
    close_all(client, server, listener);
}

static void time_wait_is_handed_on_before_the_address_has_been_checked(void **state) {
    (void)state;
    struct socket *client, *server, *listener = listening(&b, v6("::"), 80);
    struct tcp_waiting waiting[2];
    assert_int_equal(connect_to(B6, 80, true, &client), 0);
    assert_int_equal(socket_accept(b.stack, listener, &server), 0);
    socket_release(a.stack, client);
    cable_run(&cable, 20 * MS);
    socket_release(b.stack, server);
    cable_run(&cable, 20 * MS);
    assert_int_equal(tcp_waiting_save(a.stack, waiting, 2), 1);
    struct host next = make_host(HOST_A, A6, 1500);
    assert_true(tcp_waiting_resume(next.stack, waiting));
    assert_non_null(tcp_time_wait_find(next.stack, A6, waiting->local_port, B6, 80));
    host_destroy(&next);
    next = host_create(HOST_A, 1500); /* it has no IPv6 */
    assert_false(tcp_waiting_resume(next.stack, waiting));
    host_destroy(&next);
}

static void nobody_listens_is_refused(void **state) {
    (void)state;
    struct socket *client;
    assert_int_equal(connect_to(B6, 81, true, &client), -ECONNREFUSED);
    socket_release(a.stack, client);
    assert_int_equal(connect_to(v6("fd01::1"), 81, true, &client), -ENETUNREACH);
    socket_release(a.stack, client);
}

static void listener_of_both_families_takes_both(void **state) {
    (void)state;
    struct socket *client, *server, *listener = listening(&b, v6("::"), 80);
    assert_int_equal(connect_to(V4(HOST_B), 80, false, &client), 0);
    assert_int_equal(socket_accept(b.stack, listener, &server), 0);
    assert_true(server->options.inet6);
    assert_local(server, V4(HOST_B)); /* mapped */
    assert_int_equal(client->tcp->mss, 1500 - 20 - 20 - TCP_TIMESTAMP_BYTES);
    transfer(&a, client, &b, server, 50000);
    close_all(client, server, listener);
}

static void mapped_address_goes_by_ipv4(void **state) {
    (void)state;
    struct socket *client, *server, *listener = make_socket(&b, SOCK_STREAM, 0, 80);
    assert_int_equal(socket_listen(b.stack, listener, 8), 0);
    assert_int_equal(connect_to(v6("::ffff:10.77.0.2"), 80, true, &client), 0);
    assert_int_equal(socket_accept(b.stack, listener, &server), 0);
    assert_local(client, V4(HOST_A));
    transfer(&b, server, &a, client, 5000);
    close_all(client, server, listener);
    assert_int_equal(connect_to(B6, 80, true, &client),
                     -ECONNREFUSED); /* an AF_INET listener takes no IPv6 */
}

static void v6only_takes_and_reaches_ipv6_alone(void **state) {
    (void)state;
    struct socket *client, *listener = make(&b, SOCK_STREAM, 0);
    listener->options.six.only = true;
    assert_int_equal(socket_bind(b.stack, listener, v6("::ffff:0.0.0.0"), 80), -EINVAL);
    assert_int_equal(socket_bind(b.stack, listener, v6("::"), 80), 0);
    assert_int_equal(socket_listen(b.stack, listener, 8), 0);
    assert_int_equal(connect_to(V4(HOST_B), 80, false, &client), -ECONNREFUSED);
    socket_release(a.stack, client);
    assert_int_equal(connect_to(B6, 80, true, &client), 0);
    socket_release(a.stack, client);
    client = make(&a, SOCK_STREAM, 0);
    client->options.six.only = true;
    assert_int_equal(socket_connect(a.stack, client, V4(HOST_B), 80), -ENETUNREACH);
}

/* Linux's tools/testing/selftests/net/bind_wildcard.c, and the listener that a connection goes to: of two
 * that take it, one of its own family. */
static void bindings_conflict_where_both_take_an_address(void **state) {
    (void)state;
    enum { INET, DUAL, ONLY };
    static const struct {
        int first;
        const char *first_address;
        int second;
        const char *second_address;
        bool conflict;
    } cases[] = {
        {INET, "0.0.0.0", DUAL, "::", true},
        {INET, "0.0.0.0", ONLY, "::", false},
        {INET, "0.0.0.0", DUAL, "fd00::2", false},
        {INET, "0.0.0.0", DUAL, "::1", false},
        {INET, "0.0.0.0", DUAL, "::ffff:0.0.0.0", true},
        {INET, "0.0.0.0", DUAL, "::ffff:127.0.0.1", true},
        {INET, "127.0.0.1", DUAL, "::", true},
        {INET, "127.0.0.1", ONLY, "::", false},
        {INET, "127.0.0.1", DUAL, "::1", false},
        {INET, "127.0.0.1", DUAL, "::ffff:0.0.0.0", true},
        {INET, "127.0.0.1", DUAL, "::ffff:127.0.0.1", true},
        {INET, "127.0.0.1", DUAL, "::ffff:10.77.0.2", false},
        {DUAL, "::", INET, "10.77.0.2", true},
        {DUAL, "::", DUAL, "::", true},
        {DUAL, "::", ONLY, "::", true},
        {ONLY, "::", ONLY, "::", true},
        {ONLY, "::", DUAL, "::ffff:0.0.0.0", false},
        {ONLY, "::", DUAL, "::ffff:127.0.0.1", false},
        {ONLY, "::", DUAL, "fd00::2", true},
        {DUAL, "::1", DUAL, "fd00::2", false},
        {DUAL, "::1", DUAL, "::ffff:0.0.0.0", false},
        {DUAL, "::", DUAL, "::ffff:127.0.0.1", true},
        {DUAL, "::1", DUAL, "::1", true},
    };
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
        for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
            size_t at = i / 2;
            bool turned = i % 2;
            struct socket *sockets[2] = {make(&b, type, 0), make(&b, type, 0)};
            int result = 0;
            for (int j = 0; j < 2; j++) {
                bool first = (j == 0) != turned;
                int family = first ? cases[at].first : cases[at].second;
                sockets[j]->options.inet6 = family != INET;
                sockets[j]->options.six.only = family == ONLY;
                assert_int_equal(result, 0);
                result = socket_bind(b.stack, sockets[j],
                                     v6(first ? cases[at].first_address : cases[at].second_address), 80);
            }
            if (result != (cases[at].conflict ? -EADDRINUSE : 0))
                fail_msg("%s beside %s, type %d, turned %d: %d", cases[at].second_address,
                         cases[at].first_address, type, turned, result);
            socket_release(b.stack, sockets[0]);
            socket_release(b.stack, sockets[1]);
        }
}

static void of_two_listeners_that_share_a_port_the_own_family_is_preferred(void **state) {
    (void)state;
    struct socket *client, *server, *both = make(&b, SOCK_STREAM, 0), *own = make(&b, SOCK_STREAM, 0);
    own->options.inet6 = false;
    for (int i = 0; i < 2; i++) {
        struct socket *socket = i ? both : own;
        socket->options.reuse_port = true;
        assert_int_equal(socket_bind(b.stack, socket, i ? v6("::") : V4(0), 80), 0);
        assert_int_equal(socket_listen(b.stack, socket, 8), 0);
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(connect_to(V4(HOST_B), 80, false, &client), 0);
        assert_int_equal(socket_accept(b.stack, own, &server), 0);
        assert_int_equal(connect_to(B6, 80, true, &client), 0);
        assert_int_equal(socket_accept(b.stack, both, &server), 0);
    }
}

static void addresses_of_the_wrong_family_are_refused_as_by_linux(void **state) {
    (void)state;
    struct socket *inet = make_socket(&a, SOCK_DGRAM, 0, 0);
    assert_int_equal(socket_bind(a.stack, inet, A6, 5), -EAFNOSUPPORT);
    assert_int_equal(socket_connect(a.stack, inet, B6, 5), -EAFNOSUPPORT);
    struct socket *six = bound(&a, SOCK_DGRAM, 0, A6, 5);
    assert_int_equal(socket_connect(a.stack, six, V4(HOST_B), 5), -ENETUNREACH);
    struct socket *mapped = bound(&a, SOCK_DGRAM, 0, V4(HOST_A), 5);
    assert_int_equal(socket_connect(a.stack, mapped, B6, 5), -EAFNOSUPPORT);
    assert_int_equal(socket_bind(a.stack, make(&a, SOCK_DGRAM, 0), v6("fd00::99"), 6), -EADDRNOTAVAIL);
    struct socket *any = bound(&a, SOCK_DGRAM, 0, V4(0), 7);
    assert_local(any, V4(0));
    assert_local(bound(&a, SOCK_DGRAM, 0, v6("::"), 8), v6("::"));
}

/* --- UDP. --- */

static ssize_t send_to(struct host *host, struct socket *socket, struct ip_address to, uint16_t port,
                       size_t length) {
    struct iovec piece = {bytes, length};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = to, .port = port};
    stack_advance(host->stack, now);
    return socket_send(host->stack, socket, &message);
}

static ssize_t receive_message(struct host *host, struct socket *socket, struct socket_message *message,
                               int flags) {
    static struct iovec piece = {got, sizeof got};
    *message = (struct socket_message){.pieces = &piece, .count = 1, .flags = flags};
    stack_advance(host->stack, now);
    return socket_receive(host->stack, socket, message);
}

static void datagrams_go_by_the_family_of_their_address(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 1452, 1453, 9000, 65527};
    struct socket *from = make(&a, SOCK_DGRAM, 0), *to = bound(&b, SOCK_DGRAM, 0, v6("::"), 9);
    struct socket_message message;
    from->options.six.hop_limit = 33;
    from->options.six.traffic_class = 0xb8;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(send_to(&a, from, B6, 9, lengths[i]), lengths[i]);
        cable_run(&cable, 20 * MS);
        assert_int_equal(receive_message(&b, to, &message, 0), lengths[i]);
        assert_memory_equal(got, bytes, lengths[i]);
        assert_true(ip_equal(message.address, A6));
        assert_true(ip_equal(message.local_address, B6));
        assert_int_equal(message.ttl, 33);
        assert_int_equal(message.tos, 0xb8);
        assert_true(message.flow_label != 0);
    }
    assert_int_equal(send_to(&a, from, B6, 9, 65528), -EMSGSIZE);
    assert_int_equal(send_to(&a, from, V4(HOST_B), 9, 65507), 65507);
    cable_run(&cable, 20 * MS);
    assert_int_equal(receive_message(&b, to, &message, 0), 65507);
    assert_true(ip_equal(message.address, V4(HOST_A)));
    assert_int_equal(message.ttl, 64);
    assert_int_equal(send_to(&a, from, V4(HOST_B), 9, 65508), -EMSGSIZE);
}

static void a_port_that_nobody_has_is_told(void **state) {
    (void)state;
    struct socket *from = make(&a, SOCK_DGRAM, 0);
    struct socket_message message;
    from->options.six.receive_errors = true;
    assert_int_equal(socket_connect(a.stack, from, B6, 9), 0);
    assert_int_equal(send_bytes(&a, from, bytes, 50, 0), 50);
    cable_run(&cable, 20 * MS);
    assert_int_equal(receive_message(&a, from, &message, MSG_ERRQUEUE), 50);
    assert_memory_equal(got, bytes, 50);
    assert_int_equal(message.error.error, ECONNREFUSED);
    assert_int_equal(message.error.origin, SO_EE_ORIGIN_ICMP6);
    assert_int_equal(message.error.type, ICMP6_UNREACHABLE);
    assert_int_equal(message.error.code, ICMP6_PORT_UNREACHABLE);
    assert_true(ip_equal(message.error.offender, B6));
    assert_true(ip_equal(message.address, B6));
    from->options.six.receive_errors = false;
    assert_int_equal(send_bytes(&a, from, bytes, 50, 0), 50);
    cable_run(&cable, 20 * MS);
    assert_int_equal(receive_bytes(&a, from, got, 50, 0), -ECONNREFUSED);
}

/* A datagram of the peer's with a checksum, or with none. */
static void peer_datagram(struct host *host, uint8_t protocol, bool with_sum) {
    uint8_t datagram[UDP_HEADER_BYTES + 4] = {0, 7, 0, 9, 0, 12, 0, 0, 1, 2, 3, 4};
    struct ip_address own = host->stack->ip6.addresses.entries[0].address;
    uint64_t sum = checksum_pseudo_header(PEER6, own, protocol, sizeof datagram);
    if (with_sum)
        wire_put_sum(datagram + 6, (uint16_t)~checksum_fold(checksum_add(sum, datagram, sizeof datagram)));
    peer6_send(host, &(struct packet6){.protocol = protocol}, datagram, sizeof datagram);
}

static void datagram_without_a_checksum_is_none(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct socket_message message;
    for (int lite = 0; lite < 2; lite++) {
        uint8_t protocol = lite ? IP_PROTOCOL_UDPLITE : IP_PROTOCOL_UDP;
        struct socket *socket = bound(&host, SOCK_DGRAM, lite ? IPPROTO_UDPLITE : 0, v6("::"), 9);
        peer_datagram(&host, protocol, true);
        assert_int_equal(receive_message(&host, socket, &message, 0), 4);
        peer_datagram(&host, protocol, false);
        assert_int_equal(receive_message(&host, socket, &message, 0), -EAGAIN);
    }
    host_destroy(&host);
}

static void bursts_of_datagrams_arrive_as_datagrams(void **state) {
    (void)state;
    struct socket *from = make(&a, SOCK_DGRAM, 0), *to = bound(&b, SOCK_DGRAM, 0, v6("::"), 9);
    assert_int_equal(set_option(&a, from, IPPROTO_UDP, 103 /* UDP_SEGMENT */, 1000), 0);
    assert_int_equal(send_to(&a, from, B6, 9, 5500), 5500);
    cable_run(&cable, 20 * MS);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(receive_bytes(&b, to, got, sizeof got, 0), i < 5 ? 1000 : 500);
        assert_memory_equal(got, bytes + 1000 * i, i < 5 ? 1000 : 500);
    }
    assert_int_equal(set_option(&a, from, IPPROTO_UDP, 103, 1453), 0);
    assert_int_equal(send_to(&a, from, B6, 9, 5500), -EMSGSIZE);
    assert_int_equal(send_to(&a, from, V4(HOST_B), 9, 5500), 5500); /* whose header is shorter */
}

/* --- TCP's secrets and special ways. --- */

static void syn_cookie_carries_a_connection(void **state) {
    (void)state;
    assert_int_equal(sysctl_set_all(&b.stack->sysctl, "net.ipv4.tcp_syncookies=2", NULL), 0);
    struct socket *client, *server, *listener = listening(&b, v6("::"), 80);
    assert_int_equal(connect_to(B6, 80, true, &client), 0);
    cable_run(&cable, 20 * MS);
    assert_int_equal(socket_accept(b.stack, listener, &server), 0);
    assert_int_equal(b.stack->mib.TcpExtSyncookiesSent, 1);
    assert_int_equal(b.stack->mib.TcpExtSyncookiesRecv, 1);
    assert_local(server, B6);
    transfer(&a, client, &b, server, 30000);
    close_all(client, server, listener);
}

static void data_goes_with_the_syn_to_a_peer_that_was_met(void **state) {
    (void)state;
    assert_int_equal(sysctl_set_all(&a.stack->sysctl, "net.ipv4.tcp_fastopen=3", NULL), 0);
    assert_int_equal(sysctl_set_all(&b.stack->sysctl, "net.ipv4.tcp_fastopen=3", NULL), 0);
    struct socket *server, *listener = make(&b, SOCK_STREAM, 0);
    assert_int_equal(set_option(&b, listener, IPPROTO_TCP, TCP_FASTOPEN, 8), 0);
    assert_int_equal(socket_bind(b.stack, listener, v6("::"), 80), 0);
    assert_int_equal(socket_listen(b.stack, listener, 8), 0);
    for (int i = 0; i < 2; i++) {
        struct socket *client = make(&a, SOCK_STREAM, 0);
        struct iovec piece = {bytes, 100};
        struct socket_message message = {.pieces = &piece,
                                         .count = 1,
                                         .flags = MSG_FASTOPEN,
                                         .has_address = true,
                                         .address = B6,
                                         .port = 80};
        stack_advance(a.stack, now);
        assert_int_equal(socket_send(a.stack, client, &message), i ? 100 : -EINPROGRESS);
        cable_run(&cable, 20 * MS);
        assert_int_equal(socket_accept(b.stack, listener, &server), 0);
        assert_int_equal(receive_bytes(&b, server, got, 200, 0), i ? 100 : -EAGAIN);
    }
    assert_int_equal(b.stack->mib.TcpExtTCPFastOpenPassive, 1);
}

static int sign_with(struct host *host, struct socket *socket, struct ip_address peer, int prefix,
                     const char *key) {
    struct tcp_md5sig request = {.tcpm_keylen = (uint16_t)strlen(key)};
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    memcpy(&address.sin6_addr, peer.bytes, sizeof peer.bytes);
    memcpy(&request.tcpm_addr, &address, sizeof address);
    memcpy(request.tcpm_key, key, strlen(key));
    if (prefix >= 0) {
        request.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
        request.tcpm_prefixlen = (uint8_t)prefix;
    }
    return socket_set_option(host->stack, socket, IPPROTO_TCP, prefix >= 0 ? TCP_MD5SIG_EXT : TCP_MD5SIG,
                             &request, sizeof request);
}

static void segments_are_signed_in_both_families(void **state) {
    (void)state;
    for (int six = 0; six < 2; six++) {
        struct socket *client = make(&a, SOCK_STREAM, 0), *server, *listener = make(&b, SOCK_STREAM, 0);
        uint16_t port = (uint16_t)(80 + six);
        assert_int_equal(sign_with(&b, listener, six ? A6 : V4(HOST_A), six ? 129 : 33, "key"), -EINVAL);
        assert_int_equal(sign_with(&b, listener, six ? A6 : V4(HOST_A), six ? 64 : 24, "key"), 0);
        assert_int_equal(sign_with(&a, client, six ? B6 : V4(HOST_B), -1, "key"), 0);
        assert_int_equal(socket_bind(b.stack, listener, v6("::"), port), 0);
        assert_int_equal(socket_listen(b.stack, listener, 8), 0);
        stack_advance(a.stack, now);
        assert_int_equal(socket_connect(a.stack, client, six ? B6 : V4(HOST_B), port), -EINPROGRESS);
        cable_run(&cable, 20 * MS);
        assert_int_equal(socket_connect(a.stack, client, six ? B6 : V4(HOST_B), port), 0);
        assert_int_equal(socket_accept(b.stack, listener, &server), 0);
        transfer(&a, client, &b, server, 20000);
        struct socket *stranger;
        assert_int_equal(connect_to(six ? B6 : V4(HOST_B), port, true, &stranger), -EALREADY); /* unsigned */
        assert_true(b.stack->mib.TcpExtTCPMD5NotFound > 0);
        assert_int_equal(b.stack->mib.TcpExtTCPMD5Failure, 0);
    }
}

static void datagrams_are_counted_by_family(void **state) {
    (void)state;
    struct socket *from = make(&a, SOCK_DGRAM, 0), *to = bound(&b, SOCK_DGRAM, 0, v6("::"), 9);
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_to(&a, from, i ? B6 : V4(HOST_B), 9, 10), 10);
    assert_int_equal(send_to(&a, from, B6, 10, 10), 10);
    cable_run(&cable, 20 * MS);
    assert_int_equal(a.stack->mib.UdpOutDatagrams, 1);
    assert_int_equal(a.stack->mib.Udp6OutDatagrams, 3);
    assert_int_equal(b.stack->mib.UdpInDatagrams, 1);
    assert_int_equal(b.stack->mib.Udp6InDatagrams, 2);
    assert_int_equal(b.stack->mib.Udp6NoPorts, 1);
    assert_int_equal(b.stack->mib.UdpNoPorts, 0);
    (void)to;
}

static void path_that_is_narrower_is_found_by_packet_too_big(void **state) {
    (void)state;
    struct socket *client, *server, *listener = listening(&b, v6("::"), 80);
    assert_int_equal(connect_to(B6, 80, true, &client), 0);
    assert_int_equal(socket_accept(b.stack, listener, &server), 0);
    assert_int_equal(send_bytes(&a, client, bytes, 5000, 0), 5000);
    stack_advance(a.stack, now);
    static struct seen seen;
    assert_true(host_sent(&a, &seen)); /* it is in flight, and a router has no room for it */
    uint8_t body[ICMP6_HEADER_BYTES + 1280 - IP6_HEADER_BYTES - ICMP6_HEADER_BYTES] = {ICMP6_TOO_BIG};
    memcpy(body + ICMP6_HEADER_BYTES, seen.bytes + ETHER_HEADER_BYTES, sizeof body - ICMP6_HEADER_BYTES);
    for (int i = 0; i < 2; i++) {
        wire_put32(body + 4, i ? 1400 : 1279); /* RFC 8201: less than every link carries is not believed */
        peer6_send(&a, &(struct packet6){.destination = A6, .source = v6("fd00::1")}, body, sizeof body);
        assert_int_equal(ip_mtu(a.stack, B6), i ? 1400 : 1500);
    }
    assert_int_equal(client->tcp->mss, 1400 - 40 - 20 - TCP_TIMESTAMP_BYTES);
    cable_run(&cable, SECOND);
    assert_int_equal(receive_bytes(&b, server, got, sizeof got, 0), 5000);
    assert_memory_equal(got, bytes, 5000);
}

static bool loses_all_of_a(const struct seen *seen, bool from_a, void *context) {
    uint32_t *label = context;
    if (from_a && wire_get16(seen->bytes + 12) == ETHER_TYPE_IP6 && seen->bytes[14 + 6] == IP_PROTOCOL_TCP)
        *label = wire_get32(seen->bytes + 14) & 0xfffff;
    return from_a;
}

static void flow_has_a_label_and_another_one_after_a_timeout(void **state) {
    (void)state;
    struct socket *client, *server, *listener = listening(&b, v6("::"), 80);
    uint32_t label = 0, first;
    assert_int_equal(connect_to(B6, 80, true, &client), 0);
    assert_int_equal(socket_accept(b.stack, listener, &server), 0);
    cable.loses = loses_all_of_a;
    cable.context = &label;
    send_bytes(&a, client, bytes, 100, 0);
    cable_run(&cable, 5 * MS);
    first = label;
    assert_int_not_equal(first, 0);
    cable_run(&cable, 2 * SECOND);
    assert_int_not_equal(label, first);
    cable.loses = NULL;
    cable_run(&cable, 5 * SECOND);
    assert_int_equal(receive_bytes(&b, server, got, sizeof got, 0), 100);
}

/* --- Ping, raw and ourselves. --- */

static void ping_is_answered(void **state) {
    (void)state;
    struct socket *ping = make(&a, SOCK_DGRAM, IPPROTO_ICMPV6);
    struct socket_message message;
    uint8_t request[40] = {ICMP6_ECHO_REQUEST};
    memcpy(bytes, request, sizeof request);
    assert_int_equal(send_to(&a, ping, B6, 0, sizeof request), sizeof request);
    cable_run(&cable, 20 * MS);
    assert_int_equal(receive_message(&a, ping, &message, 0), sizeof request);
    assert_int_equal(got[0], ICMP6_ECHO_REPLY);
    assert_true(ip_equal(message.address, B6));
    assert_int_equal(send_to(&a, ping, V4(HOST_B), 0, sizeof request), -EINVAL);
}

static void raw_socket_sees_what_follows_the_header_with_its_checksum(void **state) {
    (void)state;
    struct socket *from = make(&a, SOCK_RAW, IPPROTO_ICMPV6), *to = make(&b, SOCK_RAW, IPPROTO_ICMPV6);
    struct socket *four = make_socket(&b, SOCK_RAW, IPPROTO_ICMPV6, 0), *other = make(&b, SOCK_RAW, 200);
    struct socket_message message;
    memset(to->datagram->icmp6_filter, 0xff, sizeof to->datagram->icmp6_filter); /* neighbours talk, too */
    to->datagram->icmp6_filter[200 / 32] &= ~(1u << 200 % 32);
    memset(bytes, 0, 24);
    bytes[0] = 200; /* a type for private use */
    bytes[2] = bytes[3] = 0xee;
    assert_int_equal(send_to(&a, from, B6, 0, 24), 24);
    cable_run(&cable, 20 * MS);
    assert_int_equal(receive_message(&b, to, &message, 0), 24);
    assert_int_equal(got[0], 200);
    assert_true(ip_equal(message.address, A6));
    uint64_t sum = checksum_pseudo_header(A6, B6, IP_PROTOCOL_ICMP6, 24);
    assert_int_equal(checksum_fold(checksum_add(sum, got, 24)), 0xffff);
    assert_int_equal(receive_message(&b, four, &message, 0), -EAGAIN);
    struct socket *sender = make(&a, SOCK_RAW, 200);
    assert_int_equal(send_to(&a, sender, B6, 0, 24), 24);
    cable_run(&cable, 20 * MS);
    assert_int_equal(receive_message(&b, other, &message, 0), 24);
    assert_memory_equal(got, bytes, 24); /* no checksum was asked for */
    sender->datagram->checksum_offset = 22;
    other->datagram->checksum_offset = 22;
    assert_int_equal(send_to(&a, sender, B6, 0, 24), 24);
    sender->datagram->checksum_offset = -1;
    assert_int_equal(send_to(&a, sender, B6, 0, 24), 24); /* a wrong one */
    sender->datagram->checksum_offset = 23;
    assert_int_equal(send_to(&a, sender, B6, 0, 24), -EINVAL);
    cable_run(&cable, 20 * MS);
    assert_int_equal(receive_message(&b, other, &message, 0), 24);
    assert_int_equal(receive_message(&b, other, &message, 0), -EAGAIN);
}

static void loopback_address_is_ourselves(void **state) {
    (void)state;
    struct socket *server, *listener = listening(&a, v6("::1"), 80), *client = make(&a, SOCK_STREAM, 0);
    assert_int_equal(socket_connect(a.stack, client, v6("::1"), 80), -EINPROGRESS);
    cable_run(&cable, MS);
    assert_int_equal(socket_connect(a.stack, client, v6("::1"), 80), 0);
    assert_int_equal(socket_accept(a.stack, listener, &server), 0);
    assert_local(client, v6("::1"));
    transfer(&a, client, &a, server, 100000);
}

/* As the program's own loopback interface, which IPV6_PKTINFO has told of, is named in the answer. */
static void loopback_interface_leads_to_ourselves_alone(void **state) {
    (void)state;
    struct socket *receiver = make(&a, SOCK_DGRAM, 0), *sender = make(&a, SOCK_DGRAM, 0);
    struct iovec piece = {bytes, 10};
    struct socket_message out = {
        .pieces = &piece, .count = 1, .has_address = true, .address = v6("::1"), .port = 53};
    struct socket_message in;
    assert_int_equal(socket_bind(a.stack, receiver, v6("::"), 53), 0);
    out.has_packet_info = true;
    out.interface = STACK_LOOPBACK_INTERFACE;
    a.stack->config.interface_index = 2;
    assert_int_equal(socket_send(a.stack, sender, &out), 10);
    cable_run(&cable, MS);
    assert_int_equal(receive_message(&a, receiver, &in, 0), 10);
    out.address = A6;
    assert_int_equal(socket_send(a.stack, sender, &out), 10);
    out.address = B6;
    assert_int_equal(socket_send(a.stack, sender, &out), -ENODEV);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connection_carries_data_both_ways_and_ends, begin, end),
        cmocka_unit_test_setup_teardown(time_wait_is_handed_on_before_the_address_has_been_checked, begin,
                                        end),
        cmocka_unit_test_setup_teardown(nobody_listens_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(listener_of_both_families_takes_both, begin, end),
        cmocka_unit_test_setup_teardown(mapped_address_goes_by_ipv4, begin, end),
        cmocka_unit_test_setup_teardown(v6only_takes_and_reaches_ipv6_alone, begin, end),
        cmocka_unit_test_setup_teardown(bindings_conflict_where_both_take_an_address, begin, end),
        cmocka_unit_test_setup_teardown(of_two_listeners_that_share_a_port_the_own_family_is_preferred, begin,
                                        end),
        cmocka_unit_test_setup_teardown(addresses_of_the_wrong_family_are_refused_as_by_linux, begin, end),
        cmocka_unit_test_setup_teardown(datagrams_go_by_the_family_of_their_address, begin, end),
        cmocka_unit_test_setup_teardown(a_port_that_nobody_has_is_told, begin, end),
        cmocka_unit_test(datagram_without_a_checksum_is_none),
        cmocka_unit_test_setup_teardown(bursts_of_datagrams_arrive_as_datagrams, begin, end),
        cmocka_unit_test_setup_teardown(syn_cookie_carries_a_connection, begin, end),
        cmocka_unit_test_setup_teardown(data_goes_with_the_syn_to_a_peer_that_was_met, begin, end),
        cmocka_unit_test_setup_teardown(segments_are_signed_in_both_families, begin, end),
        cmocka_unit_test_setup_teardown(datagrams_are_counted_by_family, begin, end),
        cmocka_unit_test_setup_teardown(path_that_is_narrower_is_found_by_packet_too_big, begin, end),
        cmocka_unit_test_setup_teardown(flow_has_a_label_and_another_one_after_a_timeout, begin, end),
        cmocka_unit_test_setup_teardown(ping_is_answered, begin, end),
        cmocka_unit_test_setup_teardown(raw_socket_sees_what_follows_the_header_with_its_checksum, begin,
                                        end),
        cmocka_unit_test_setup_teardown(loopback_address_is_ourselves, begin, end),
        cmocka_unit_test_setup_teardown(loopback_interface_leads_to_ourselves_alone, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
