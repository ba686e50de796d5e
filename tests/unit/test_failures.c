/* SPDX-License-Identifier: MIT */
/*
 * test_failures.c - what becomes of a stack when memory runs out: each scenario is played once for each take
 * of an object, a buffer or a block of memory that there is in it, and that take fails. And again with that
 * take and the next nine.
 *
 * Whatever a call says then is an error that it may give; what arrives is what was sent; and when all is
 * closed nothing is left over. What fails stops no later attempt.
 */
#include "nic/splitmix.h"
#include "tests/unit/failing.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define GROUP 0xefff0001u /* 239.255.0.1 */
#define BYTES 40000u

static uint8_t bytes[66000], got[66000];
static bool memory_is_out; /* or may be */

struct scenario {
    struct host a, b;
    struct cable cable;
    struct socket *sockets[8];
    uint32_t count;
};

/* What a call may say when memory is out, or when a connection did not survive that. */
static bool is_error_of_memory(ssize_t result) {
    if (result == -EAGAIN || result == -EINPROGRESS)
        return true;
    return memory_is_out &&
           (result == -ENOBUFS || result == -ENOMEM || result == -ECONNRESET || result == -ETIMEDOUT ||
            result == -EPIPE || result == -ECONNREFUSED || result == -EHOSTUNREACH ||
            result == -ECONNABORTED || result == -ENOTCONN || result == -EALREADY);
}

static bool done(ssize_t result) {
    if (result < 0 && !is_error_of_memory(result))
        fail_msg("an error that has nothing to do with memory: %zd", -result);
    return result >= 0;
}

/* A socket, or NULL; released in the end. */
static struct socket *open_socket(struct scenario *scene, struct host *host, int type, int protocol) {
    struct socket *socket = NULL;
    if (!done(socket_create(host->stack, type, protocol, &socket)))
        return NULL;
    assert_true(scene->count < 8);
    return scene->sockets[scene->count++] = socket;
}

static void option(struct host *host, struct socket *socket, int level, int name, int value) {
    done(set_option(host, socket, level, name, value));
}

static struct socket *accept_from(struct scenario *scene, struct socket *listener) {
    struct socket *made = NULL;
    if (!listener || !done(socket_accept(scene->b.stack, listener, &made)))
        return NULL;
    return scene->sockets[scene->count++] = made;
}

/* Both sides send BYTES bytes, in writes of all lengths, and read what the other sends. */
static void talk(struct scenario *scene, struct socket *one, struct socket *other, int flags) {
    struct host *hosts[2] = {&scene->a, &scene->b};
    struct socket *ends[2] = {one, other};
    uint32_t sent[2] = {0, 0}, received[2] = {0, 0};
    bool ended[2] = {!one, !other}, shut[2] = {false, false};
    uint64_t random = 1;
    for (int round = 0; round < 300 && (!ended[0] || !ended[1]); round++) {
        for (int side = 0; side < 2; side++) {
            if (ended[side])
                continue;
            uint32_t length = 1 + (uint32_t)(splitmix64(&random) % 3000), most = BYTES - sent[side];
            length = length < most ? length : most;
            ssize_t result = length == 0 ? 0
                                         : send_bytes(hosts[side], ends[side], bytes + sent[side], length,
                                                      round % 3 ? 0 : flags);
            if (done(result))
                sent[side] += (uint32_t)result;
            if (sent[side] == BYTES && !shut[side])
                shut[side] = done(socket_shutdown(hosts[side]->stack, ends[side], SHUT_WR));
            result = receive_bytes(hosts[side], ends[side], got, sizeof got, 0);
            if (done(result)) {
                assert_true(received[side] + (uint32_t)result <= sent[1 - side]);
                assert_memory_equal(got, bytes + received[side], (size_t)result);
                received[side] += (uint32_t)result;
            }
            if (result == 0)
                assert_int_equal(received[side], sent[1 - side]);
            ended[side] = result == 0 ? sent[side] == BYTES : result != -EAGAIN && !done(result);
            struct socket_message told = {.flags = MSG_ERRQUEUE};
            socket_receive(hosts[side]->stack, ends[side], &told);
        }
        cable_run(&scene->cable, 20 * MS);
    }
    assert_true(memory_is_out || (received[0] == BYTES && received[1] == BYTES));
}

static bool loses_some(const struct seen *seen, bool from_a, void *context) {
    uint64_t *random = context;
    (void)from_a;
    return seen->length > 500 && splitmix64(random) % 8 == 0;
}

/* A connection that loses segments, with marks, time stamps and another congestion control. */
static void streams(struct scenario *scene) {
    uint64_t random = 7;
    struct sock_filter all[] = {{BPF_RET | BPF_K, 0, 0, UINT32_MAX}};
    struct sock_fprog program = {1, all};
    struct socket *listener = open_socket(scene, &scene->b, SOCK_STREAM, 0);
    scene->cable.loses = loses_some;
    scene->cable.context = &random;
    if (listener) {
        done(socket_set_option(scene->b.stack, listener, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                               sizeof program));
        done(socket_bind(scene->b.stack, listener, ip_from_v4(0), 80));
        done(socket_listen(scene->b.stack, listener, 4));
    }
    struct socket *client = open_socket(scene, &scene->a, SOCK_STREAM, 0);
    if (!client)
        return;
    done(socket_set_option(scene->a.stack, client, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3));
    option(&scene->a, client, SOL_SOCKET, SO_ZEROCOPY, 1);
    option(&scene->a, client, SOL_SOCKET, SO_TIMESTAMPING,
           SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK);
    done(socket_connect(scene->a.stack, client, ip_from_v4(HOST_B), 80));
    cable_run(&scene->cable, 3 * SECOND);
    done(socket_connect(scene->a.stack, client, ip_from_v4(HOST_B), 80));
    talk(scene, client, accept_from(scene, listener), MSG_ZEROCOPY | MSG_EOR | MSG_MORE);
}

static void sign(struct host *host, struct socket *socket, uint32_t peer) {
    struct tcp_md5sig signature = {.tcpm_keylen = 6, .tcpm_key = "secret"};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(peer)};
    memcpy(&signature.tcpm_addr, &address, sizeof address);
    done(socket_set_option(host->stack, socket, IPPROTO_TCP, TCP_MD5SIG, &signature, sizeof signature));
}

/* Signed connections, SYN cookies, and a connection that the program gives up. */
static void signed_streams(struct scenario *scene) {
    struct socket *listener = open_socket(scene, &scene->b, SOCK_STREAM, 0);
    struct socket *clients[2];
    scene->b.stack->sysctl.tcp_syncookies = 2;
    if (listener) {
        sign(&scene->b, listener, HOST_A);
        done(socket_bind(scene->b.stack, listener, ip_from_v4(0), 80));
        done(socket_listen(scene->b.stack, listener, 4));
    }
    for (int i = 0; i < 2; i++) {
        clients[i] = open_socket(scene, &scene->a, SOCK_STREAM, 0);
        if (!clients[i])
            continue;
        sign(&scene->a, clients[i], HOST_B);
        done(socket_connect(scene->a.stack, clients[i], ip_from_v4(HOST_B), 80));
    }
    cable_run(&scene->cable, 3 * SECOND);
    struct socket *accepted = accept_from(scene, listener);
    accept_from(scene, listener);
    if (clients[1] && accepted)
        send_bytes(&scene->a, clients[1], bytes, 3000, 0);
    if (clients[0])
        done(socket_disconnect(scene->a.stack, clients[0]));
    cable_run(&scene->cable, SECOND);
    if (clients[0] && done(socket_connect(scene->a.stack, clients[0], ip_from_v4(HOST_B), 80)))
        cable_run(&scene->cable, SECOND);
}

/* Fast Open, both ways; and chains of buffers that are sent as they are. */
static void fast_streams(struct scenario *scene) {
    struct socket *listener = open_socket(scene, &scene->b, SOCK_STREAM, 0);
    scene->a.stack->sysctl.tcp_fastopen = scene->b.stack->sysctl.tcp_fastopen = 3;
    if (listener) {
        done(socket_bind(scene->b.stack, listener, ip_from_v4(0), 80));
        done(socket_listen(scene->b.stack, listener, 4));
        option(&scene->b, listener, IPPROTO_TCP, TCP_FASTOPEN, 4);
        done(socket_set_option(scene->b.stack, listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, bytes, 16));
    }
    for (int i = 0; i < 2; i++) {
        struct socket *client = open_socket(scene, &scene->a, SOCK_STREAM, 0);
        struct iovec piece = {bytes, 700};
        struct socket_message message = {.pieces = &piece,
                                         .count = 1,
                                         .flags = MSG_FASTOPEN,
                                         .has_address = true,
                                         .address = ip_from_v4(HOST_B),
                                         .port = 80};
        if (!client)
            continue;
        ssize_t sent = socket_send(scene->a.stack, client, &message);
        done(sent);
        cable_run(&scene->cable, 2 * SECOND);
        struct socket *accepted = accept_from(scene, listener);
        done(socket_connect(scene->a.stack, client, ip_from_v4(HOST_B), 80));
        ssize_t room = socket_send_room(scene->a.stack, client, 0, true);
        struct byte_queue chain = {0};
        struct iovec more = {bytes, room < 0 ? 0 : room < 5000 ? (size_t)room : 5000};
        uint32_t length =
            byte_queue_append(&chain, &scene->a.stack->buffers, &more, 1, 0, (uint32_t)more.iov_len);
        if (length > 0) {
            socket_send_part(scene->a.stack, client, chain.head, length, length == room, false);
            socket_send_written(scene->a.stack, client, &(struct socket_message){0}, true);
        }
        cable_run(&scene->cable, 2 * SECOND);
        ssize_t length_there = accepted ? receive_bytes(&scene->b, accepted, got, sizeof got, 0) : 0;
        assert_true(memory_is_out || length_there == (i ? 5700 : 5000));
    }
}

static void datagrams_of(struct scenario *scene, struct socket *from, struct socket *to, uint32_t address) {
    static const uint32_t lengths[] = {0, 1, 100, 1472, 1473, 9000, 40000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct iovec piece = {bytes, lengths[i]};
        struct socket_message message = {
            .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(address), .port = 9};
        stack_advance(scene->a.stack, now);
        ssize_t sent = socket_send(scene->a.stack, from, &message);
        if (done(sent))
            assert_int_equal(sent, lengths[i]);
        cable_run(&scene->cable, 5 * MS);
        ssize_t length = to ? receive_bytes(&scene->b, to, got, sizeof got, 0) : -EAGAIN;
        if (done(length))
            assert_memory_equal(got, bytes, (size_t)length);
        assert_true(memory_is_out || !to || length == (ssize_t)lengths[i]);
    }
}

/* Datagrams of all lengths, in fragments, in bursts, corked; to groups, to ourselves, to a closed port. */
static void datagrams(struct scenario *scene) {
    struct socket *to = open_socket(scene, &scene->b, SOCK_DGRAM, 0);
    struct socket *from = open_socket(scene, &scene->a, SOCK_DGRAM, 0);
    struct socket *self = open_socket(scene, &scene->a, SOCK_DGRAM, 0);
    struct socket *raw = open_socket(scene, &scene->b, SOCK_RAW, IPPROTO_UDP);
    struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(GROUP)};
    if (to) {
        done(socket_bind(scene->b.stack, to, ip_from_v4(0), 9));
        done(socket_set_option(scene->b.stack, to, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    }
    if (self)
        done(socket_bind(scene->a.stack, self, ip_from_v4(0), 9));
    if (!from)
        return;
    option(&scene->a, from, IPPROTO_IP, IP_RECVERR, 1);
    option(&scene->a, from, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
    datagrams_of(scene, from, to, HOST_B);
    datagrams_of(scene, from, to, GROUP);
    datagrams_of(scene, from, NULL, HOST_A);
    if (self)
        while (receive_bytes(&scene->a, self, got, sizeof got, 0) >= 0)
            continue;
    if (raw)
        while (receive_bytes(&scene->b, raw, got, sizeof got, 0) >= 0)
            continue;
    struct iovec piece = {bytes, 3000};
    struct socket_message message = {.pieces = &piece,
                                     .count = 1,
                                     .has_address = true,
                                     .address = ip_from_v4(HOST_B),
                                     .port = 7,
                                     .flags = MSG_MORE};
    done(socket_send(scene->a.stack, from, &message)); /* corked, and to a port that nobody has */
    message.flags = 0;
    done(socket_send(scene->a.stack, from, &message));
    message.segment = 500;
    message.borrow = !stack_frame(scene->a.stack, 0);
    done(socket_send(scene->a.stack, from, &message));
    stack_frames_keep(scene->a.stack);
    cable_run(&scene->cable, SECOND);
    message.flags = MSG_ERRQUEUE;
    done(socket_receive(scene->a.stack, from, &message));
    if (to)
        done(socket_set_option(scene->b.stack, to, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group) == 0
                 ? 0
                 : -ENOBUFS);
}

/* Pings, to hosts that answer and to those that do not, and what is narrower than it seemed. */
static void pings(struct scenario *scene) {
    struct socket *ping = open_socket(scene, &scene->a, SOCK_DGRAM, IPPROTO_ICMP);
    uint8_t request[64] = {8};
    for (uint32_t i = 0; ping && i < 6; i++) {
        struct iovec piece = {request, sizeof request};
        struct socket_message message = {.pieces = &piece,
                                         .count = 1,
                                         .has_address = true,
                                         .address = ip_from_v4(i % 2 ? HOST_B : HOST_A + 90 + i)};
        stack_advance(scene->a.stack, now);
        done(socket_send(scene->a.stack, ping, &message));
        cable_run(&scene->cable, SECOND);
        done(receive_bytes(&scene->a, ping, got, sizeof got, 0));
    }
    ip_path_reduce(scene->a.stack, ip_from_v4(HOST_B), 1000, 1500);
    ip_path_reduce(scene->a.stack, ip_from_v4(HOST_B + 1), 900, 1500);
    ip_path_forget(scene->a.stack);
    dhcp_start(scene->a.stack);
    cable_run(&scene->cable, 30 * SECOND);
    dhcp_release(scene->a.stack);
}

/* Runs a scenario; the takes from the first-th on fail, so many. Returns how many takes there were. */
static uint64_t play(void (*run)(struct scenario *scene), uint64_t first, uint64_t count) {
    struct scenario scene = {.count = 0};
    uint64_t begun = now;
    memory_is_out = count > 0;
    scene.a = host_create(HOST_A, 1500);
    scene.b = host_create(HOST_B, 1500);
    cable_join(&scene.cable, &scene.a, &scene.b, MS);
    failing_begin(first, count);
    run(&scene);
    uint64_t takes = failing_end();
    for (uint32_t i = scene.count; i-- > 0;) {
        struct socket *socket = scene.sockets[i];
        bool of_a = pool_has(&scene.a.stack->sockets, socket);
        socket_release(of_a ? scene.a.stack : scene.b.stack, socket);
    }
    scene.cable.loses = NULL;
    cable_run(&scene.cable, 300 * SECOND);
    cable_cut(&scene.cable);
    assert_nothing_left(&scene.a);
    assert_nothing_left(&scene.b);
    host_destroy(&scene.a);
    host_destroy(&scene.b);
    now = begun;
    return takes;
}

static void play_all(void (*run)(struct scenario *scene)) {
    static const uint64_t lengths[] = {1, 10};
    host_lacks_memory = true;
    uint64_t takes = play(run, 0, 0);
    assert_true(takes > 20);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (uint64_t first = 1; first <= takes; first += lengths[i])
            play(run, first, lengths[i]);
    play(run, 1, UINT64_MAX - 1); /* there never is any */
    host_lacks_memory = false;
}

static void streams_do_without_any_piece_of_memory(void **state) {
    (void)state;
    play_all(streams);
}

static void signed_streams_do_without_any_piece_of_memory(void **state) {
    (void)state;
    play_all(signed_streams);
}

static void fast_streams_do_without_any_piece_of_memory(void **state) {
    (void)state;
    play_all(fast_streams);
}

static void datagrams_do_without_any_piece_of_memory(void **state) {
    (void)state;
    play_all(datagrams);
}

static void pings_do_without_any_piece_of_memory(void **state) {
    (void)state;
    play_all(pings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_do_without_any_piece_of_memory),
        cmocka_unit_test(signed_streams_do_without_any_piece_of_memory),
        cmocka_unit_test(fast_streams_do_without_any_piece_of_memory),
        cmocka_unit_test(datagrams_do_without_any_piece_of_memory),
        cmocka_unit_test(pings_do_without_any_piece_of_memory),
    };
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
