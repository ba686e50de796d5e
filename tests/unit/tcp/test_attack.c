/* SPDX-License-Identifier: MIT */
/*
 * test_attack.c - what strangers and hostile peers may try: forged resets, SYNs, data and ICMP errors in and
 * around the window, storms of acknowledgments, tiny segments, and numbers at the end of their range.
 */
#include "stack/tcp/tcp_isn.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* How many segments the stack has sent since it was last asked. */
static uint32_t count_heard(struct scene *scene) {
    uint32_t count = 0;
    while (hear(scene))
        count++;
    return count;
}

static void assert_open(struct scene *scene) {
    char got[8];
    assert_int_equal(scene->socket->tcp->state, TCP_ESTABLISHED);
    assert_int_equal(receive_bytes(&scene->host, scene->socket, got, sizeof got, 0), -EAGAIN);
}

static void forged_segment_must_have_the_very_number(void **state) {
    (void)state;
    struct scene scene;
    uint32_t answers = 0;
    connected(&scene, 65535, MSS);
    struct random guesses;
    static const uint8_t seed[RANDOM_SEED_BYTES] = {3};
    random_init(&guesses, seed);
    for (int i = 0; i < 30000; i++) {
        uint32_t guess = (uint32_t)random_u64(&guesses), near = scene.remote + 1 + guess % 60000;
        say(&scene, TCP_RST, i % 2 ? near : guess, 0, 0, NULL, 0);
        say(&scene, TCP_SYN, i % 2 ? near : guess, 0, 65535, NULL, 0);
        say(&scene, TCP_RST | TCP_ACK, near, scene.local, 0, NULL, 0);
        answers += count_heard(&scene);
        now += MS / 10;
    }
    assert_open(&scene);
    assert_in_range(answers, 1, 3 * 30); /* three seconds, each kind: two a second, and the SYNs' */
    scene_end(&scene);
}

static void forged_data_must_acknowledge_what_may_be_acknowledged(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    send_bytes(&scene.host, scene.socket, bytes, 1000, 0);
    host_discard(&scene.host);
    for (uint32_t i = 0; i < 5000; i++) {
        /* RFC 5961 section 5: beyond what was sent, or further back than a window. */
        say(&scene, TCP_ACK, scene.remote, scene.local + 1001 + i * 400000, 65535, "evil", 4);
        say(&scene, TCP_ACK, scene.remote, scene.local - 70000 - i * 400000, 65535, "evil", 4);
        host_discard(&scene.host);
    }
    assert_open(&scene);
    assert_int_equal(scene.socket->tcp->snd_una, scene.local);
    scene_end(&scene);
}

/* An ICMP error that quotes a segment of the connection with this sequence number. */
static void say_icmp(struct scene *scene, uint8_t code, uint32_t info, uint32_t sequence) {
    uint8_t quoted[28] = {0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, IP_PROTOCOL_TCP};
    wire_put32(quoted + 12, HOST_A);
    wire_put32(quoted + 16, HOST_B);
    wire_put16(quoted + 20, scene->local_port);
    wire_put16(quoted + 22, scene->remote_port);
    wire_put32(quoted + 24, sequence);
    peer_icmp(&scene->host, ICMP_DESTINATION_UNREACHABLE, code, info, quoted, sizeof quoted);
}

static void forged_icmp_errors_end_nothing(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    send_bytes(&scene.host, scene.socket, bytes, 5000, 0);
    host_discard(&scene.host);
    for (uint32_t i = 0; i < 1000; i++)
        for (uint8_t code = 0; code < 16; code++)
            say_icmp(&scene, code, 68, scene.local + 5001 + i * 4000000);
    assert_int_equal(scene.socket->tcp->mss, MSS); /* not even a path's MTU is believed */
    for (uint8_t code = 0; code < 16; code++)
        if (code != ICMP_FRAGMENTATION_NEEDED)
            say_icmp(&scene, code, 0, scene.local); /* one that might be true */
    assert_open(&scene);
    say_icmp(&scene, ICMP_FRAGMENTATION_NEEDED, 68, scene.local);
    assert_true(scene.socket->tcp->mss >=
                500); /* 68 is not believed: RFC 1191's floor is no use to anybody */
    scene_end(&scene);
}

/* How many of so many connections are answered at once to a SYN in the window of each. */
static unsigned challenges(struct host *host, struct socket *const *sockets, unsigned count) {
    struct packet packet;
    unsigned answers = 0;
    now += SECOND;
    now -= now % SECOND;
    stack_advance(host->stack, now);
    host_discard(host);
    for (unsigned i = 0; i < count; i++) {
        const struct tcp *tcp = sockets[i]->tcp;
        peer_send(host, 80, tcp->binding.port, TCP_SYN, tcp->rcv_nxt + 5, 0, 0, 0, NULL, 0);
        while (peer_read(host, &packet))
            answers += packet.tcp.flags == TCP_ACK;
    }
    return answers;
}

/* Whether a forged segment was answered is not to be told by counting one's own answers (CVE-2016-5696). */
static void challenges_of_all_connections_tell_nothing_of_one(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *sockets[200];
    unsigned least = UINT32_MAX, most = 0;
    peer_introduce(&host);
    for (int i = 0; i < 200; i++) {
        sockets[i] = make_socket(&host, SOCK_STREAM, 0, 0);
        assert_int_equal(socket_connect(host.stack, sockets[i], ip_from_v4(HOST_B), 80), -EINPROGRESS);
        const struct tcp *tcp = sockets[i]->tcp;
        peer_send(&host, 80, tcp->binding.port, TCP_SYN | TCP_ACK, 1, tcp->snd_nxt, 65535, MSS, NULL, 0);
        assert_int_equal(tcp->state, TCP_ESTABLISHED);
        host_discard(&host);
    }
    assert_int_equal(challenges(&host, sockets, 200), 200); /* as many as there are connections */
    assert_int_equal(sysctl_set_all(&host.stack->sysctl, "net.ipv4.tcp_challenge_ack_limit=100", NULL), 0);
    for (int second = 0; second < 20; second++) {
        unsigned answers = challenges(&host, sockets, 200);
        assert_in_range(answers, 50, 149);
        least = answers < least ? answers : least;
        most = answers > most ? answers : most;
    }
    assert_true(most - least > 20);
    assert_int_equal(sysctl_set_all(&host.stack->sysctl, "net.ipv4.tcp_challenge_ack_limit=0", NULL), 0);
    assert_int_equal(challenges(&host, sockets, 200), 0);
    host_destroy(&host);
}

/* A filter that wants less than the header, of a segment that has nothing behind it. */
static void filter_cuts_no_header_off(void **state) {
    (void)state;
    for (uint32_t wanted = 1; wanted <= 33; wanted++) {
        struct scene scene;
        struct sock_filter keep[] = {{BPF_RET | BPF_K, 0, 0, wanted}};
        struct sock_fprog program = {.len = 1, .filter = keep};
        char got[10];
        connected(&scene, 65535, MSS);
        assert_int_equal(socket_set_option(scene.host.stack, scene.socket, SOL_SOCKET, SO_ATTACH_FILTER,
                                           &program, sizeof program),
                         0);
        assert_int_equal(send_bytes(&scene.host, scene.socket, "x", 1, 0), 1);
        expect(&scene, TCP_ACK, scene.local++, 1);
        say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
        assert_int_equal(scene.socket->tcp->snd_una, scene.local);
        say(&scene, TCP_ACK, scene.remote, scene.local, 65535, "some data", 9);
        ssize_t left = wanted > 20 ? (ssize_t)(wanted - 20 < 9 ? wanted - 20 : 9) : -EAGAIN;
        assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), left);
        scene.remote += left > 0 ? (uint32_t)left : 0;
        scene_end(&scene);
    }
}

static void two_hosts_that_disagree_do_not_talk_for_ever(void **state) {
    (void)state;
    struct host a = host_create(HOST_A, 1500), b = host_create(HOST_B, 1500);
    struct cable cable;
    struct socket *client, *server, *listener;
    cable_join(&cable, &a, &b, MS);
    cable_connect(&cable, 80, &client, &server, &listener);
    cable_run(&cable, SECOND);
    /* As if somebody had slipped data into both: each takes the other's numbers for old or not sent yet. */
    client->tcp->rcv_nxt += 100;
    client->tcp->rcv_adv += 100;
    server->tcp->rcv_nxt += 100;
    server->tcp->rcv_adv += 100;
    send_bytes(&a, client, "x", 1, 0);
    cable_run(&cable, SECOND);
    uint64_t before = cable.frames;
    cable_run(&cable, 10 * SECOND);
    assert_in_range(cable.frames - before, 0, 200);
    socket_release(a.stack, client);
    socket_release(b.stack, server);
    socket_release(b.stack, listener);
    cable_cut(&cable);
    host_destroy(&a);
    host_destroy(&b);
}

static void tiny_segments_and_a_maze_of_sacks_cost_little(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1); /* an MSS of one byte is not believed */
    assert_int_equal(scene.socket->tcp->mss, 48);
    scene.socket->tcp->congestion.cwnd = 1 << 20;
    ssize_t sent = send_bytes(&scene.host, scene.socket, bytes, 60000, 0);
    assert_true(sent >= 48 * 500);
    host_discard(&scene.host);
    scene.socket->tcp->sack_permitted = true;
    for (uint32_t round = 0; round < 20000; round++) {
        struct tcp_segment segment = segment_from_peer(&scene, TCP_ACK);
        segment.sack_count = 3;
        for (uint32_t i = 0; i < 3; i++) {
            uint32_t start = (round * 3 + i) * 96 % 24000 + 48;
            segment.sack[i] = (struct tcp_sack_block){scene.local + start, scene.local + start + 48};
        }
        peer_send_segment(&scene.host, &segment, NULL, 0);
        host_discard(&scene.host);
    }
    assert_true(scene.host.stack->sent.used <= 60000 / 48 + 2);
    scene_end(&scene);
}

/* What acknowledgments cost of a connection with `records` segments of one byte in flight, in nanoseconds
 * each, at best: the peer has all of one half of them but every second, and says so from both ends and of the
 * middle. */
static double cost_of_a_sack(uint32_t records) {
    struct scene scene;
    struct timespec from, to;
    double best_ns = 1e12;
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    tcp->congestion.cwnd = 1 << 28;
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NODELAY, 1);
    tcp->sack_permitted = true;
    for (uint32_t i = 0; i < records; i++) {
        assert_int_equal(send_bytes(&scene.host, scene.socket, bytes, 1, 0), 1);
        host_discard(&scene.host);
    }
    assert_int_equal(tcp->active->scoreboard.count, records);
    for (uint32_t i = 0; i + 4 < records / 2; i += 4) {
        struct tcp_segment segment = segment_from_peer(&scene, TCP_ACK);
        segment.sack_count = 2;
        for (uint32_t block = 0; block < 2; block++) {
            uint32_t start = scene.local + records / 4 + i + 2 * block;
            segment.sack[block] = (struct tcp_sack_block){start, start + 1};
        }
        peer_send_segment(&scene.host, &segment, NULL, 0);
        host_discard(&scene.host);
    }
    for (int round = 0; round < 20; round++) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        for (uint32_t i = 0; i < 50; i++) {
            struct tcp_segment segment = segment_from_peer(&scene, TCP_ACK);
            segment.sack_count = 3;
            for (uint32_t block = 0; block < 3; block++) {
                uint32_t start = scene.local + records / 2 + block * records / 16;
                segment.sack[block] = (struct tcp_sack_block){start, start + records / 32};
            }
            peer_send_segment(&scene.host, &segment, NULL, 0);
            host_discard(&scene.host);
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
        best_ns = ns / 50 < best_ns ? ns / 50 : best_ns;
    }
    scene_end(&scene);
    return best_ns;
}

static void cost_of_a_sack_does_not_grow_with_what_is_in_flight(void **state) {
    (void)state;
    double few_ns = cost_of_a_sack(600), many_ns = cost_of_a_sack(60000);
    printf("%.0f ns with 600 segments in flight, %.0f with 60,000\n", few_ns, many_ns);
    assert_true(many_ns < 10 * few_ns);
}

static void connections_work_at_every_place_around_the_wrap(void **state) {
    (void)state;
    for (uint32_t before = 0; before < 40; before++) {
        struct host a = host_create(HOST_A, 1500), b = host_create(HOST_B, 1500);
        struct cable cable;
        struct socket *client = make_socket(&a, SOCK_STREAM, 0, 5000), *server = NULL;
        struct socket *listener = make_socket(&b, SOCK_STREAM, 0, 80);
        char got[40];
        socket_listen(b.stack, listener, 1);
        cable_join(&cable, &a, &b, MS);
        /* The initial number follows the clock: RFC 6528. */
        uint32_t iss = tcp_isn(a.stack->isn_key, now, ip_from_v4(HOST_A), 5000, ip_from_v4(HOST_B), 80);
        now += (uint64_t)(0u - before - iss) * 64;
        stack_advance(a.stack, now);
        stack_advance(b.stack, now);
        socket_connect(a.stack, client, ip_from_v4(HOST_B), 80);
        assert_int_equal(client->tcp->iss, 0u - before);
        cable_run(&cable, 10 * MS);
        assert_int_equal(socket_accept(b.stack, listener, &server), 0);
        for (int i = 0; i < 3; i++) {
            send_bytes(&a, client, "0123456789", 10, 0);
            cable_run(&cable, 10 * MS);
        }
        assert_int_equal(receive_bytes(&b, server, got, sizeof got, 0), 30);
        assert_memory_equal(got, "012345678901234567890123456789", 30);
        socket_shutdown(a.stack, client, SHUT_WR);
        cable_run(&cable, 10 * MS);
        assert_int_equal(receive_bytes(&b, server, got, sizeof got, 0), 0);
        socket_release(b.stack, server);
        socket_release(b.stack, listener);
        cable_run(&cable, 10 * MS);
        assert_int_equal(client->tcp->state, TCP_TIME_WAIT);
        assert_int_equal(a.stack->mib.TcpRetransSegs + b.stack->mib.TcpRetransSegs, 0);
        socket_release(a.stack, client);
        cable_cut(&cable);
        host_destroy(&a);
        host_destroy(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_segment_must_have_the_very_number),
        cmocka_unit_test(forged_data_must_acknowledge_what_may_be_acknowledged),
        cmocka_unit_test(forged_icmp_errors_end_nothing),
        cmocka_unit_test(challenges_of_all_connections_tell_nothing_of_one),
        cmocka_unit_test(filter_cuts_no_header_off),
        cmocka_unit_test(two_hosts_that_disagree_do_not_talk_for_ever),
        cmocka_unit_test(tiny_segments_and_a_maze_of_sacks_cost_little),
        cmocka_unit_test(cost_of_a_sack_does_not_grow_with_what_is_in_flight),
        cmocka_unit_test(connections_work_at_every_place_around_the_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
