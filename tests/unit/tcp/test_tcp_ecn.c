/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_ecn.c - marks of routers: tcp_ecn.c.
 */
#include "stack/tcp/tcp_ecn.h"
#include "tests/unit/scene.h"

static void ecn_is_agreed_on_marks_are_echoed_and_echoes_heeded(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    tune(&scene, "net.ipv4.tcp_ecn=1");
    struct ip_address address;
    assert_int_equal(socket_create(scene.host.stack, SOCK_STREAM, 0, &scene.socket), 0);
    socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80);
    socket_local(scene.socket, &address, &scene.local_port);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_SYN | TCP_ECE | TCP_CWR);
    scene.local = scene.packet.tcp.sequence + 1;
    struct tcp_segment answer = segment_from_peer(&scene, TCP_SYN | TCP_ACK | TCP_ECE);
    answer.mss = 1000;
    peer_send_segment(&scene.host, &answer, NULL, 0);
    scene.remote++;
    host_discard(&scene.host);
    assert_true(scene.socket->tcp->ecn & TCP_ECN_ON);

    struct tcp_segment marked = segment_from_peer(&scene, TCP_ACK);
    marked.tos = TCP_ECN_CE;
    peer_send_segment(&scene.host, &marked, bytes, 100);
    scene.remote += 100;
    expect(&scene, TCP_ACK | TCP_ECE, scene.local, 0);
    struct tcp_segment reduced = segment_from_peer(&scene, TCP_ACK | TCP_CWR);
    peer_send_segment(&scene.host, &reduced, bytes, 100);
    scene.remote += 100;
    expect(&scene, TCP_ACK, scene.local, 0);

    send_bytes(&scene.host, scene.socket, bytes, 10000, 0);
    host_discard(&scene.host);
    now += 10 * MS;
    say(&scene, TCP_ACK | TCP_ECE, scene.remote, scene.local + 1000, 65535, NULL, 0);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_REDUCING);
    assert_in_range(scene.socket->tcp->congestion.ssthresh, 7000, 7999);
    say(&scene, TCP_ACK, scene.remote, scene.local + 10000, 65535, NULL, 0);
    send_bytes(&scene.host, scene.socket, bytes, 1000, 0);
    assert_true(hear(&scene));
    assert_true(scene.packet.tcp.flags & TCP_CWR);
    assert_int_equal(scene.host.stack->mib.TcpRetransSegs, 0);
    scene_end(&scene);
}

/* The flags AE, CWR and ECE as a number: RFC 9768 section 3.2. */
static uint32_t ace(const struct tcp_segment *segment) {
    return (segment->accurate_ecn ? 4u : 0) | (segment->flags & TCP_CWR ? 2u : 0) |
           (segment->flags & TCP_ECE ? 1u : 0);
}

static struct tcp_segment with_ace(const struct scene *scene, uint8_t flags, uint32_t number) {
    struct tcp_segment segment = segment_from_peer(scene, flags);
    segment.flags |= (number & 2 ? TCP_CWR : 0) | (number & 1 ? TCP_ECE : 0);
    segment.accurate_ecn = number & 4;
    return segment;
}

/* Our SYN, its ACE checked, and an answer with that of the peer. */
static void connect_with(struct scene *scene, const char *settings, uint32_t asks, uint32_t answers,
                         uint8_t mark) {
    struct ip_address address;
    scene_begin(scene);
    tune(scene, settings);
    assert_int_equal(socket_create(scene->host.stack, SOCK_STREAM, 0, &scene->socket), 0);
    socket_connect(scene->host.stack, scene->socket, ip_from_v4(HOST_B), 80);
    socket_local(scene->socket, &address, &scene->local_port);
    assert_true(hear(scene));
    assert_int_equal(ace(&scene->packet.tcp), asks);
    scene->local = scene->packet.tcp.sequence + 1;
    struct tcp_segment answer = with_ace(scene, TCP_SYN | TCP_ACK, answers);
    answer.mss = 1000;
    answer.tos = mark;
    peer_send_segment(&scene->host, &answer, NULL, 0);
    scene->remote++;
}

static void the_peer_sends_marked(struct scene *scene, uint8_t mark) {
    struct tcp_segment marked = with_ace(scene, TCP_ACK, 5);
    marked.tos = mark;
    peer_send_segment(&scene->host, &marked, bytes, 1000);
    scene->remote += 1000;
}

static void marks_are_counted_in_the_accurate_way(void **state) {
    struct scene scene;
    (void)state;
    connect_with(&scene, "net.ipv4.tcp_ecn=3", 7, 2, 0);
    assert_true(hear(&scene));
    assert_int_equal(ace(&scene.packet.tcp), 2); /* the SYN-ACK was not ECT */
    for (uint32_t i = 0; i < 9; i++) {
        the_peer_sends_marked(&scene, TCP_ECN_CE);
        assert_true(hear(&scene));
        assert_int_equal(ace(&scene.packet.tcp), (6 + i) & 7);
    }
    now += SECOND;
    the_peer_sends_marked(&scene, TCP_ECN_ECT0);
    the_peer_sends_marked(&scene, TCP_ECN_ECT0);
    assert_true(hear(&scene));
    assert_int_equal(ace(&scene.packet.tcp), (5 + 9) & 7); /* it is a count, not an echo */
    scene_end(&scene);
}

static void the_first_segment_of_a_client_tells_how_the_answer_was_marked(void **state) {
    static const uint8_t aces[] = {2, 3, 4, 6};
    (void)state;
    for (uint8_t mark = 0; mark < 4; mark++) {
        struct scene scene;
        connect_with(&scene, "net.ipv4.tcp_ecn=3", 7, 2, mark);
        assert_true(hear(&scene));
        assert_int_equal(ace(&scene.packet.tcp), aces[mark]);
        send_all(&scene, 1000, 0);
        assert_true(hear(&scene));
        assert_int_equal(ace(&scene.packet.tcp), mark == TCP_ECN_CE ? 6 : 5);
        assert_int_equal(scene.packet.tcp.tos, TCP_ECN_ECT0);
        scene_end(&scene);
    }
}

static void what_the_answer_says_decides_the_way(void **state) {
    static const struct {
        uint8_t answers, ecn;
    } cases[] = {{0, 0},
                 {1, TCP_ECN_ASKED | TCP_ECN_ON},
                 {2, TCP_ECN_ASKED | TCP_ECN_ON | TCP_ECN_ACCURATE},
                 {5, TCP_ECN_ASKED | TCP_ECN_ON},
                 {6, TCP_ECN_ASKED | TCP_ECN_ON | TCP_ECN_ACCURATE},
                 {7, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene scene;
        connect_with(&scene, "net.ipv4.tcp_ecn=3", 7, cases[i].answers, 0);
        assert_int_equal(scene.socket->tcp->ecn, cases[i].ecn);
        scene_end(&scene);
    }
}

static void marks_that_are_told_of_are_heeded_once_a_round_trip(void **state) {
    struct scene scene;
    (void)state;
    connect_with(&scene, "net.ipv4.tcp_ecn=3", 7, 2, 0);
    host_discard(&scene.host);
    send_all(&scene, 10000, 0);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(hear(&scene));
        assert_int_equal(scene.packet.tcp.tos, TCP_ECN_ECT0);
    }
    now += 10 * MS;
    scene.local += 2000;
    struct tcp_segment told = with_ace(&scene, TCP_ACK, 7);
    peer_send_segment(&scene.host, &told, NULL, 0);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_REDUCING);
    assert_int_equal(scene.socket->tcp->history.delivered_ce, 2);
    uint32_t threshold = scene.socket->tcp->congestion.ssthresh;
    assert_in_range(threshold, 7000, 7999);
    scene.local += 2000;
    told = with_ace(&scene, TCP_ACK, 0);
    peer_send_segment(&scene.host, &told, NULL, 0);
    assert_int_equal(scene.socket->tcp->history.delivered_ce, 3);
    assert_int_equal(scene.socket->tcp->congestion.ssthresh, threshold);
    scene_end(&scene);
}

static void a_counter_that_has_passed_eight_is_understood(void **state) {
    struct scene scene;
    (void)state;
    connect_with(&scene, "net.ipv4.tcp_ecn=3", 7, 2, 0);
    host_discard(&scene.host);
    send_all(&scene, 10000, 0);
    host_discard(&scene.host);
    now += 10 * MS;
    scene.local += 10000; /* those before were lost; nine of ten were marked */
    struct tcp_segment told = with_ace(&scene, TCP_ACK, (5 + 9) & 7);
    peer_send_segment(&scene.host, &told, NULL, 0);
    assert_int_equal(scene.socket->tcp->history.delivered_ce, 9);
    scene_end(&scene);
}

/* A peer opens with such a number; gives our answer's, or 0 with another flag. */
static uint32_t answer_to(struct scene *scene, const char *settings, uint32_t asks, uint8_t mark) {
    listen_on(scene, 5);
    tune(scene, settings);
    struct tcp_segment syn = with_ace(scene, TCP_SYN, asks);
    syn.destination_port = 8080;
    syn.mss = 1000;
    syn.tos = mark;
    peer_send_segment(&scene->host, &syn, NULL, 0);
    scene->remote++;
    assert_true(hear(scene));
    scene->local = scene->packet.tcp.sequence + 1;
    scene->local_port = 8080;
    return ace(&scene->packet.tcp);
}

static void a_server_answers_in_the_way_that_it_is_asked_for(void **state) {
    static const struct {
        const char *settings;
        uint32_t asks, answers;
        uint8_t mark;
    } cases[] = {
        {"net.ipv4.tcp_ecn=3", 7, 2, 0},          {"net.ipv4.tcp_ecn=4", 7, 4, TCP_ECN_ECT0},
        {"net.ipv4.tcp_ecn=5", 7, 6, TCP_ECN_CE}, {"net.ipv4.tcp_ecn=3", 3, 1, 0},
        {"net.ipv4.tcp_ecn=2", 7, 1, 0},          {"net.ipv4.tcp_ecn=0", 7, 0, 0},
        {"net.ipv4.tcp_ecn=3", 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene scene;
        assert_int_equal(answer_to(&scene, cases[i].settings, cases[i].asks, cases[i].mark),
                         cases[i].answers);
        scene_end(&scene);
    }
}

static void where_something_clears_the_flags_nothing_is_sent_as_capable(void **state) {
    (void)state;
    for (uint32_t third = 0; third <= 2; third += 2) {
        struct scene scene;
        assert_int_equal(answer_to(&scene, "net.ipv4.tcp_ecn=3", 7, 0), 2);
        struct tcp_segment done = with_ace(&scene, TCP_ACK, third);
        peer_send_segment(&scene.host, &done, NULL, 0);
        assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
        send_all(&scene, 1000, 0);
        assert_true(hear(&scene));
        assert_int_equal(scene.packet.tcp.tos, third ? TCP_ECN_ECT0 : 0);
        scene_end(&scene);
    }
}

static void by_dctcp_each_acknowledgment_says_whether_its_data_was_marked(void **state) {
    static const uint8_t marks[] = {TCP_ECN_ECT0, TCP_ECN_CE, TCP_ECN_CE, TCP_ECN_ECT0};
    struct scene scene;
    (void)state;
    connect_with(&scene, "net.ipv4.tcp_congestion_control=dctcp", 3, 1, 0);
    host_discard(&scene.host);
    for (size_t i = 0; i < sizeof marks; i++) {
        the_peer_sends_marked(&scene, marks[i]);
        assert_true(hear(&scene));
        assert_int_equal(scene.packet.tcp.flags & TCP_ECE, marks[i] == TCP_ECN_CE ? TCP_ECE : 0);
        assert_int_equal(scene.packet.tcp.tos, TCP_ECN_ECT0); /* an acknowledgment, too */
    }
    scene_end(&scene);
}

static void by_dctcp_what_came_before_a_mark_is_acknowledged_without(void **state) {
    struct scene scene;
    (void)state;
    connect_with(&scene, "net.ipv4.tcp_congestion_control=dctcp", 3, 1, 0);
    host_discard(&scene.host);
    scene.socket->tcp->ack.quick = 0;
    scene.socket->tcp->ack.ping_pong = true;
    the_peer_sends_marked(&scene, TCP_ECN_ECT0);
    expect_nothing(&scene); /* it waits */
    the_peer_sends_marked(&scene, TCP_ECN_CE);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags & TCP_ECE, 0);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote - 1000);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags & TCP_ECE, TCP_ECE);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ecn_is_agreed_on_marks_are_echoed_and_echoes_heeded),
        cmocka_unit_test(marks_are_counted_in_the_accurate_way),
        cmocka_unit_test(the_first_segment_of_a_client_tells_how_the_answer_was_marked),
        cmocka_unit_test(what_the_answer_says_decides_the_way),
        cmocka_unit_test(marks_that_are_told_of_are_heeded_once_a_round_trip),
        cmocka_unit_test(a_counter_that_has_passed_eight_is_understood),
        cmocka_unit_test(a_server_answers_in_the_way_that_it_is_asked_for),
        cmocka_unit_test(where_something_clears_the_flags_nothing_is_sent_as_capable),
        cmocka_unit_test(by_dctcp_each_acknowledgment_says_whether_its_data_was_marked),
        cmocka_unit_test(by_dctcp_what_came_before_a_mark_is_acknowledged_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
