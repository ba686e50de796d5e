/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_input.c - which segments are acceptable: tcp_input.c.
 */
#include "stack/base/checksum.h"
#include "tests/unit/scene.h"
#include <errno.h>

static void reset_must_have_the_very_next_number(void **state) {
    (void)state;
    struct scene scene;
    char byte;
    connected(&scene, 65535, MSS);
    say(&scene, TCP_RST, scene.remote + 100, 0, 0, NULL, 0); /* in the window: RFC 5961 */
    expect(&scene, TCP_ACK, scene.local, 0);
    say(&scene, TCP_RST, scene.remote + 10000000, 0, 0, NULL, 0);
    expect_nothing(&scene);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, &byte, 1, 0), -EAGAIN);
    say(&scene, TCP_RST, scene.remote, 0, 0, NULL, 0);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, &byte, 1, 0), -ECONNRESET);
    scene_end(&scene);
}

static void syn_in_the_window_is_challenged_at_a_bounded_rate(void **state) {
    (void)state;
    struct scene scene;
    int answers = 0;
    connected(&scene, 65535, MSS);
    for (int i = 0; i < 1000; i++) {
        say(&scene, TCP_SYN, scene.remote + 5, 0, 0, NULL, 0);
        while (hear(&scene))
            answers++;
    }
    assert_int_equal(answers, 1); /* in half a second, of each connection */
    assert_int_equal(scene.socket->tcp->state, TCP_ESTABLISHED);
    scene_end(&scene);
}

static void acknowledgment_of_what_was_never_sent_is_ignored(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    say(&scene, TCP_ACK, scene.remote, scene.local + 5000, 65535, bytes, 10);
    assert_int_equal(scene.socket->tcp->snd_una, scene.local);
    assert_int_equal(scene.socket->tcp->receive.length, 0);
    scene_end(&scene);
}

static void unfinished_checksum_is_accepted_only_from_the_machine(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    uint64_t errors = scene.host.stack->mib.TcpInCsumErrors;
    static uint8_t frame[14 + 20 + 20 + 5] = {[12] = 0x08, [14] = 0x45, [22] = 64, [23] = 6};
    memcpy(frame, scene.host.stack->config.mac, 6);
    frame[6] = 2;
    wire_put16(frame + 16, sizeof frame - 14);
    wire_put16(frame + 24, 0);
    wire_put32(frame + 26, HOST_B);
    wire_put32(frame + 30, HOST_A);
    wire_put_sum(frame + 24, (uint16_t)~checksum_fold(checksum_add(0, frame + 14, 20)));
    struct tcp_segment segment = {.source_port = 80,
                                  .destination_port = scene.local_port,
                                  .sequence = scene.remote,
                                  .acknowledgment = scene.local,
                                  .window = 65535,
                                  .flags = TCP_ACK,
                                  .window_scale = -1};
    tcp_segment_write(&segment, frame + 34);
    memcpy(frame + 54, "later", 5);
    wire_put_sum(frame + 50,
                 checksum_fold(checksum_pseudo_header(ip_from_v4(HOST_B), ip_from_v4(HOST_A), 6, 25)));
    host_input(&scene.host, frame, sizeof frame, 0);
    assert_int_equal(scene.host.stack->mib.TcpInCsumErrors, errors + 1);
    assert_int_equal(scene.socket->tcp->receive.length, 0);
    host_input(&scene.host, frame, sizeof frame, STACK_INPUT_CHECKSUM_PARTIAL);
    assert_int_equal(scene.socket->tcp->receive.length, 5);
    scene.remote += 5;
    scene_end(&scene);
}

static void merged_segment_beyond_the_mtu_is_taken_whole(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[64000];
    connected(&scene, 65535, MSS);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, bytes, 64000);
    expect(&scene, TCP_ACK, scene.local, 0); /* counts as many, so it is acknowledged at once */
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 64000);
    assert_memory_equal(got, bytes, 64000);
    scene.remote += 64000;
    scene_end(&scene);
}

/* How many segments the stack has sent since it was last asked. */
static uint32_t count_heard(struct scene *scene) {
    uint32_t count = 0;
    while (hear(scene))
        count++;
    return count;
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reset_must_have_the_very_next_number),
        cmocka_unit_test(syn_in_the_window_is_challenged_at_a_bounded_rate),
        cmocka_unit_test(acknowledgment_of_what_was_never_sent_is_ignored),
        cmocka_unit_test(unfinished_checksum_is_accepted_only_from_the_machine),
        cmocka_unit_test(merged_segment_beyond_the_mtu_is_taken_whole),
        cmocka_unit_test(forged_segment_must_have_the_very_number),
        cmocka_unit_test(forged_data_must_acknowledge_what_may_be_acknowledged),
        cmocka_unit_test(challenges_of_all_connections_tell_nothing_of_one),
        cmocka_unit_test(two_hosts_that_disagree_do_not_talk_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
