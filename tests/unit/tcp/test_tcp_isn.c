/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_isn.c - connections between the same addresses, one after another: what the peer remembers of the
 * one before (tcp_isn.c, port.c, and TIME_WAIT from both of its ends).
 */
#include "stack/tcp/tcp_isn.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <poll.h>
#include <string.h>

static const uint8_t KEY[16] = {7, 1, 4};

/* A stack that may follow another of its address on one boot, and knows its peer. */
static struct host host_begin(void) {
    struct host host = host_create_with_key(HOST_A, 1500, KEY);
    peer_introduce(&host);
    return host;
}

/* Sends a SYN and tells what it said. */
static struct tcp_segment open_and_leave(struct host *host, uint16_t port) {
    static struct packet packet;
    struct socket *socket = make_socket(host, SOCK_STREAM, 0, 0);
    stack_advance(host->stack, now);
    assert_int_equal(socket_connect(host->stack, socket, ip_from_v4(HOST_B), port), -EINPROGRESS);
    assert_true(peer_read(host, &packet));
    assert_int_equal(packet.tcp.flags, TCP_SYN);
    socket_release(host->stack, socket);
    return packet.tcp;
}

static void timestamps_grow_over_connections_and_over_stacks(void **state) {
    (void)state;
    struct host host = host_begin();
    uint32_t before = 0;
    for (int i = 0; i < 40; i++) {
        struct tcp_segment syn = open_and_leave(&host, (uint16_t)(80 + i % 3));
        assert_true(syn.has_timestamp);
        if (i > 0)
            assert_int_equal(syn.timestamp - before, 5);
        before = syn.timestamp;
        now += 5 * MS;
        if (i % 10 == 9) {
            host_destroy(&host);
            host = host_begin();
        }
    }
    host_destroy(&host);
}

static void timestamps_of_two_pairs_of_addresses_tell_nothing_of_each_other(void **state) {
    (void)state;
    const uint8_t other[16] = {1};
    uint32_t origin = tcp_timestamp_origin(KEY, ip_from_v4(HOST_A), ip_from_v4(HOST_B));
    assert_int_equal(tcp_timestamp_origin(KEY, ip_from_v4(HOST_A), ip_from_v4(HOST_B)), origin);
    assert_int_not_equal(tcp_timestamp_origin(KEY, ip_from_v4(HOST_A), ip_from_v4(HOST_B + 1)), origin);
    assert_int_not_equal(tcp_timestamp_origin(KEY, ip_from_v4(HOST_B), ip_from_v4(HOST_A)), origin);
    assert_int_not_equal(tcp_timestamp_origin(other, ip_from_v4(HOST_A), ip_from_v4(HOST_B)), origin);
}

static void timestamps_without_a_secret_are_the_clock(void **state) {
    (void)state;
    struct host host = host_begin();
    assert_int_equal(sysctl_set_all(&host.stack->sysctl, "net.ipv4.tcp_timestamps=2", NULL), 0);
    assert_int_equal(open_and_leave(&host, 80).timestamp, (uint32_t)(now / MS));
    host_destroy(&host);
}

static void initial_sequence_numbers_of_a_port_grow_over_stacks(void **state) {
    (void)state;
    uint32_t before = 0;
    for (int i = 0; i < 4; i++) {
        struct host host = host_begin();
        struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 5000);
        assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -EINPROGRESS);
        if (i > 0)
            assert_int_equal(socket->tcp->iss - before, SECOND / 64);
        before = socket->tcp->iss;
        host_destroy(&host);
        now += SECOND;
    }
}

/* Ports of connections to one destination, until one comes back. */
static unsigned ports_until_one_comes_back(struct host *host, uint16_t port) {
    static uint8_t seen[65536];
    memset(seen, 0, sizeof seen);
    for (unsigned i = 0;; i++) {
        uint16_t local = open_and_leave(host, port).source_port;
        assert_in_range(local, 32768, 60999);
        assert_int_equal(local % 2, 0); /* the others are for bind(2) */
        if (seen[local])
            return i;
        seen[local] = 1;
    }
}

/* Leaves other bytes where the next calls have their variables. */
static __attribute__((noinline)) void leave_bytes(void) {
    volatile uint8_t left[32768];
    for (size_t i = 0; i < sizeof left; i++)
        left[i] = 0x5a;
}

static void a_listener_begins_with_a_number_of_the_clock_too(void **state) {
    static struct packet packet;
    (void)state;
    struct host host = host_begin();
    struct socket *listener = make_socket(&host, SOCK_STREAM, 0, 80);
    assert_int_equal(socket_listen(host.stack, listener, 8), 0);
    for (uint16_t port = 2000; port < 2008; port++) {
        leave_bytes();
        peer_send(&host, port, 80, TCP_SYN, 77, 0, 5000, 1000, NULL, 0);
        assert_true(peer_read(&host, &packet));
        assert_int_equal(packet.tcp.flags, TCP_SYN | TCP_ACK);
        assert_int_equal(packet.tcp.sequence,
                         tcp_isn(KEY, now, ip_from_v4(HOST_A), 80, ip_from_v4(HOST_B), port));
    }
    host_destroy(&host);
}

static void port_comes_back_after_the_whole_range(void **state) {
    (void)state;
    struct host host = host_begin();
    /* 28,232 ports; steps of 2 to 16, 9 on average. */
    assert_true(ports_until_one_comes_back(&host, 80) > 2500);
    assert_true(ports_until_one_comes_back(&host, 81) > 2500);
    host_destroy(&host);
}

static void ports_of_a_destination_do_not_tell_those_of_another(void **state) {
    (void)state;
    struct host host = host_begin();
    unsigned near = 0;
    for (uint16_t port = 1000; port < 1100; port++) {
        int distance =
            open_and_leave(&host, port).source_port - open_and_leave(&host, port + 1000).source_port;
        near += distance > -100 && distance < 100;
    }
    assert_true(near < 10);
    host_destroy(&host);
}

static void ports_of_the_next_stack_go_on(void **state) {
    (void)state;
    uint16_t before = 0;
    for (int i = 0; i < 5; i++) {
        struct host host = host_begin();
        uint16_t first = open_and_leave(&host, 80).source_port, last = first;
        if (i > 0 && first > before) /* not wrapped */
            assert_in_range(first, before + 1, before + 500);
        for (int more = 0; more < 20; more++)
            last = open_and_leave(&host, 80).source_port;
        before = last;
        host_destroy(&host);
        now += SECOND;
    }
}

static void ports_are_shared_between_destinations_and_all_of_them_are_found(void **state) {
    (void)state;
    struct host host = host_begin();
    assert_int_equal(sysctl_set_all(&host.stack->sysctl, "net.ipv4.ip_local_port_range=40000 40006", NULL),
                     0);
    for (uint16_t port = 80; port < 82; port++) {
        unsigned seen = 0;
        for (int i = 0; i < 7; i++) {
            struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 0);
            assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), port), -EINPROGRESS);
            seen |= 1u << (socket->tcp->binding.port - 40000);
        }
        assert_int_equal(seen, 127);
        struct socket *eighth = make_socket(&host, SOCK_STREAM, 0, 0);
        assert_int_equal(socket_connect(host.stack, eighth, ip_from_v4(HOST_B), port), -EADDRNOTAVAIL);
    }
    host_destroy(&host);
}

static void port_of_a_bound_socket_is_picked_for_nobody_else(void **state) {
    (void)state;
    struct host host = host_begin();
    assert_int_equal(sysctl_set_all(&host.stack->sysctl, "net.ipv4.ip_local_port_range=40000 40002", NULL),
                     0);
    make_socket(&host, SOCK_STREAM, 0, 40000);
    struct socket *any = make_socket(&host, SOCK_STREAM, 0, 0);
    assert_int_equal(socket_bind(host.stack, any, ip_from_v4(0), 0), 0);
    assert_int_equal(any->tcp->binding.port, 40001); /* odd ones first */
    for (int i = 0; i < 2; i++) {
        struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 0);
        assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), (uint16_t)(80 + i)),
                         -EINPROGRESS);
        assert_true(socket->tcp->binding.port == 40001 || socket->tcp->binding.port == 40002);
    }
    host_destroy(&host);
}

/* One connection through the cable that the server closes first, as a server that closes after each answer.
 */
static void connect_once(struct cable *cable, struct socket *listener) {
    struct stack *a = cable->a->stack, *b = cable->b->stack;
    struct socket *client, *server;
    char byte;
    assert_int_equal(socket_create(a, SOCK_STREAM, 0, &client), 0);
    assert_int_equal(socket_connect(a, client, ip_from_v4(HOST_B), 80), -EINPROGRESS);
    cable_run(cable, 300000);
    assert_int_equal(client->tcp->state, TCP_ESTABLISHED);
    assert_int_equal(socket_accept(b, listener, &server), 0);
    socket_release(b, server);
    cable_run(cable, 300000);
    assert_int_equal(receive_bytes(cable->a, client, &byte, 1, 0), 0);
    socket_release(a, client);
    cable_run(cable, 300000);
    while (stack_next_event(a) || stack_next_event(b))
        continue;
}

/* So many connections, without a retransmission: each SYN that meets a connection in TIME_WAIT takes its
 * place. A new stack of the client's after every `life` of them. */
static void connect_often(unsigned count, unsigned life) {
    struct host a = host_create_with_key(HOST_A, 1500, KEY), b = host_create(HOST_B, 1500);
    struct cable cable;
    struct socket *listener = make_socket(&b, SOCK_STREAM, 0, 80);
    uint64_t again = 0, begun = now;
    assert_int_equal(socket_listen(b.stack, listener, 16), 0);
    cable_join(&cable, &a, &b, 50000);
    for (unsigned i = 0; i < count; i++) {
        connect_once(&cable, listener);
        if (i % life != life - 1)
            continue;
        again += a.stack->mib.TcpRetransSegs;
        assert_int_equal(a.stack->connections.used, 0); /* TIME_WAIT is the server's */
        cable_cut(&cable);
        host_destroy(&a);
        a = host_create_with_key(HOST_A, 1500, KEY);
    }
    assert_int_equal(again + a.stack->mib.TcpRetransSegs + b.stack->mib.TcpRetransSegs, 0);
    assert_int_equal(b.stack->mib.TcpExtTW, count);
    assert_true(now - begun < count * MS);
    assert_true(b.stack->time_wait_count < count || count < 1000); /* tuples did come back */
    cable_cut(&cable);
    host_destroy(&a);
    host_destroy(&b);
}

static void sixty_thousand_connections_in_a_row_wait_for_no_retransmission(void **state) {
    (void)state;
    connect_often(60000, UINT32_MAX);
}

static void nor_do_those_of_stacks_that_end_and_start_between(void **state) {
    (void)state;
    connect_often(60000, 1000);
    connect_often(200, 1);
}

/* A connection of the peer's to port 8080 that we closed first is in TIME_WAIT. Its last timestamp was
 * `stamp`, if not 0. */
static void wait_out(struct scene *scene, uint32_t stamp, bool close) {
    struct tcp_segment segment;
    listen_on(scene, 5);
    segment = segment_from_peer(scene, TCP_SYN);
    segment.has_timestamp = stamp;
    segment.timestamp = stamp;
    peer_send_segment(&scene->host, &segment, NULL, 0);
    assert_true(hear(scene));
    scene->local = scene->packet.tcp.sequence + 1;
    scene->remote++;
    segment = segment_from_peer(scene, TCP_ACK);
    segment.has_timestamp = stamp;
    segment.timestamp = stamp;
    peer_send_segment(&scene->host, &segment, NULL, 0);
    assert_int_equal(socket_accept(scene->host.stack, scene->listener, &scene->socket), 0);
    if (close) {
        socket_release(scene->host.stack, scene->socket);
        scene->socket = NULL;
    } else {
        socket_shutdown(scene->host.stack, scene->socket, SHUT_WR);
    }
    expect(scene, TCP_FIN | TCP_ACK, scene->local++, 0);
    segment = segment_from_peer(scene, TCP_FIN | TCP_ACK);
    segment.has_timestamp = stamp;
    segment.timestamp = stamp;
    scene->remote++;
    peer_send_segment(&scene->host, &segment, NULL, 0);
    expect(scene, TCP_ACK, scene->local, 0);
    assert_int_equal(scene->host.stack->time_wait_count, 1);
}

/* The peer's SYN from the same port, `ahead` of what it had sent last. Whether it is taken. */
static bool knock_again(struct scene *scene, int32_t ahead, uint32_t stamp) {
    struct tcp_segment syn = segment_from_peer(scene, TCP_SYN);
    syn.sequence += (uint32_t)ahead;
    syn.has_timestamp = stamp;
    syn.timestamp = stamp;
    peer_send_segment(&scene->host, &syn, NULL, 0);
    if (!hear(scene))
        return false;
    bool taken = scene->packet.tcp.flags == (TCP_SYN | TCP_ACK);
    if (taken) {
        assert_int_equal(scene->packet.tcp.acknowledgment, syn.sequence + 1);
        assert_true(seq_gt(scene->packet.tcp.sequence, scene->local + 65535));
        scene->remote = syn.sequence + 1;
    }
    return taken;
}

static void syn_reopens_by_its_number_or_by_its_timestamp(void **state) {
    (void)state;
    static const struct {
        int32_t ahead;
        uint32_t before, stamp;
        bool taken;
    } cases[] = {
        {1000, 0, 0, true},       {-1000, 0, 0, false},    {-1000, 500, 501, true},  {1000, 500, 500, true},
        {-1000, 500, 500, false}, {1000, 500, 499, false}, {-1000, 500, 499, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene scene;
        wait_out(&scene, cases[i].before, true);
        assert_int_equal(knock_again(&scene, cases[i].ahead, cases[i].stamp), cases[i].taken);
        bool older = cases[i].stamp < cases[i].before;
        assert_int_equal(scene.host.stack->mib.TcpExtPAWSTimewait, older);
        scene_end(&scene);
    }
}

static void connection_whose_program_has_not_closed_it_makes_room_too(void **state) {
    (void)state;
    struct scene scene;
    char byte;
    wait_out(&scene, 500, false);
    assert_true(knock_again(&scene, 1000, 501));
    assert_int_equal(receive_bytes(&scene.host, scene.socket, &byte, 1, 0), 0);
    assert_true(socket_poll(scene.host.stack, scene.socket) & POLLHUP);
    scene_end(&scene);
}

static void connection_in_time_wait_makes_room_for_one_of_ours(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    assert_int_equal(sysctl_set_all(&scene.host.stack->sysctl,
                                    "net.ipv4.tcp_tw_reuse=1,net.ipv4.ip_local_port_range=40000 40000", NULL),
                     0);
    connect_begin(&scene);
    struct tcp_segment segment = segment_from_peer(&scene, TCP_SYN | TCP_ACK);
    segment.has_timestamp = true;
    segment.timestamp = 1;
    segment.timestamp_echo = scene.packet.tcp.timestamp;
    uint32_t stamp = scene.packet.tcp.timestamp;
    peer_send_segment(&scene.host, &segment, NULL, 0);
    scene.remote++;
    expect(&scene, TCP_ACK, scene.local, 0);
    socket_release(scene.host.stack, scene.socket);
    scene.socket = NULL;
    expect(&scene, TCP_FIN | TCP_ACK, scene.local++, 0);
    segment = segment_from_peer(&scene, TCP_FIN | TCP_ACK);
    segment.has_timestamp = true;
    segment.timestamp = 2;
    scene.remote++;
    peer_send_segment(&scene.host, &segment, NULL, 0);
    expect(&scene, TCP_ACK, scene.local, 0);
    uint32_t last = scene.local;
    assert_int_equal(scene.host.stack->time_wait_count, 1);
    struct socket *socket = make_socket(&scene.host, SOCK_STREAM, 0, 0);
    assert_int_equal(socket_connect(scene.host.stack, socket, ip_from_v4(HOST_B), 80),
                     -EADDRNOTAVAIL); /* too soon */
    socket_release(scene.host.stack, socket);
    now += 1001 * MS;
    stack_advance(scene.host.stack, now);
    connect_begin(&scene);
    assert_int_equal(scene.local_port, 40000);
    assert_true(seq_gt(scene.packet.tcp.sequence, last));
    assert_true(seq_gt(scene.packet.tcp.timestamp, stamp));
    assert_int_equal(scene.host.stack->mib.TcpExtTWRecycled, 1);
    scene_end(&scene);
}

/* The acknowledgment of a connection that the peer has still and we have not. */
static void acknowledge_otherwise(struct scene *scene) {
    struct tcp_segment challenge = segment_from_peer(scene, TCP_ACK);
    challenge.acknowledgment = scene->local - 1000;
    peer_send_segment(&scene->host, &challenge, NULL, 0);
}

static void syn_answered_by_a_challenge_comes_again_at_once(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    connect_begin(&scene);
    acknowledge_otherwise(&scene);
    expect(&scene, TCP_RST, scene.local - 1000, 0);
    expect_nothing(&scene);
    host_run(&scene.host, 3 * MS);
    expect(&scene, TCP_SYN, scene.local - 1, 0);
    /* Once: whoever forges such acknowledgments makes us send no more than that. */
    acknowledge_otherwise(&scene);
    expect(&scene, TCP_RST, scene.local - 1000, 0);
    host_run(&scene.host, 900 * MS);
    expect_nothing(&scene);
    host_run(&scene.host, 200 * MS);
    expect(&scene, TCP_SYN, scene.local - 1, 0);
    peer_send(&scene.host, 80, scene.local_port, TCP_SYN | TCP_ACK, scene.remote++, scene.local, 65535, MSS,
              NULL, 0);
    expect(&scene, TCP_ACK, scene.local, 0);
    scene_end(&scene);
}

/* The client's host has crashed and comes back with the port that it had. */
static void connection_of_a_life_before_costs_no_second(void **state) {
    (void)state;
    struct host a = host_create_with_key(HOST_A, 1500, KEY), b = host_create(HOST_B, 1500);
    struct cable cable;
    struct socket *listener = make_socket(&b, SOCK_STREAM, 0, 80);
    assert_int_equal(socket_listen(b.stack, listener, 16), 0);
    for (int life = 0; life < 3; life++) {
        struct socket *client = make_socket(&a, SOCK_STREAM, 0, 5000), *server;
        cable_join(&cable, &a, &b, 50000);
        assert_int_equal(socket_connect(a.stack, client, ip_from_v4(HOST_B), 80), -EINPROGRESS);
        cable_run(&cable, 5 * MS);
        assert_int_equal(client->tcp->state, TCP_ESTABLISHED);
        assert_int_equal(socket_accept(b.stack, listener, &server), 0);
        cable_cut(&cable);
        host_destroy(&a);
        now += SECOND;
        a = host_create_with_key(HOST_A, 1500, KEY);
    }
    host_destroy(&a);
    host_destroy(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestamps_grow_over_connections_and_over_stacks),
        cmocka_unit_test(timestamps_of_two_pairs_of_addresses_tell_nothing_of_each_other),
        cmocka_unit_test(timestamps_without_a_secret_are_the_clock),
        cmocka_unit_test(initial_sequence_numbers_of_a_port_grow_over_stacks),
        cmocka_unit_test(a_listener_begins_with_a_number_of_the_clock_too),
        cmocka_unit_test(port_comes_back_after_the_whole_range),
        cmocka_unit_test(ports_of_a_destination_do_not_tell_those_of_another),
        cmocka_unit_test(ports_of_the_next_stack_go_on),
        cmocka_unit_test(ports_are_shared_between_destinations_and_all_of_them_are_found),
        cmocka_unit_test(port_of_a_bound_socket_is_picked_for_nobody_else),
        cmocka_unit_test(sixty_thousand_connections_in_a_row_wait_for_no_retransmission),
        cmocka_unit_test(nor_do_those_of_stacks_that_end_and_start_between),
        cmocka_unit_test(syn_reopens_by_its_number_or_by_its_timestamp),
        cmocka_unit_test(connection_whose_program_has_not_closed_it_makes_room_too),
        cmocka_unit_test(connection_in_time_wait_makes_room_for_one_of_ours),
        cmocka_unit_test(syn_answered_by_a_challenge_comes_again_at_once),
        cmocka_unit_test(connection_of_a_life_before_costs_no_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
