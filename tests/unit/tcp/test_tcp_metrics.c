/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_metrics.c - tcp_metrics.c: what a connection leaves to the next of its destination.
 */
#include "tests/unit/scene.h"

/* The peer answers our SYN after so long. */
static void open_in(struct scene *scene, uint64_t rtt_ns) {
    scene->remote = PEER_ISS;
    connect_begin(scene);
    now += rtt_ns;
    peer_send(&scene->host, scene->remote_port, scene->local_port, TCP_SYN | TCP_ACK, scene->remote++,
              scene->local, 65535, MSS, NULL, 0);
    expect(scene, TCP_ACK, scene->local, 0);
}

/* We close, then the peer; or the other way round. Our FIN is acknowledged after so long. */
static void close_first(struct scene *scene, uint64_t rtt_ns) {
    socket_release(scene->host.stack, scene->socket);
    scene->socket = NULL;
    expect(scene, TCP_FIN | TCP_ACK, scene->local++, 0);
    now += rtt_ns;
    say(scene, TCP_FIN | TCP_ACK, scene->remote++, scene->local, 65535, NULL, 0);
    expect(scene, TCP_ACK, scene->local, 0);
}

static void close_last(struct scene *scene, uint64_t rtt_ns) {
    say(scene, TCP_FIN | TCP_ACK, scene->remote++, scene->local, 65535, NULL, 0);
    expect(scene, TCP_ACK, scene->local, 0);
    socket_release(scene->host.stack, scene->socket);
    scene->socket = NULL;
    expect(scene, TCP_FIN | TCP_ACK, scene->local++, 0);
    now += rtt_ns;
    say(scene, TCP_ACK, scene->remote, scene->local, 65535, NULL, 0);
}

static uint64_t known_rtt(struct scene *scene) {
    const struct tcp_metrics *metrics = tcp_metrics_find(scene->host.stack, ip_from_v4(HOST_B));
    return metrics ? metrics->srtt_ns : 0;
}

static void end(struct scene *scene) {
    scene->remote_port = 1; /* nobody's */
    scene_end(scene);
}

static void timeout_begins_with_the_round_trip_of_the_connection_before(void **state) {
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct scene scene;
        scene_begin(&scene);
        open_in(&scene, 400 * MS);
        assert_int_equal(scene.socket->tcp->rtt.rto_ns, 1200 * MS); /* SRTT + 4 * SRTT / 2 */
        (first ? close_first : close_last)(&scene, 400 * MS);
        assert_int_equal(known_rtt(&scene), 400 * MS);
        open_in(&scene, 10 * MS);
        assert_int_equal(scene.socket->tcp->rtt.srtt_ns, 10 * MS);
        assert_int_equal(scene.socket->tcp->rtt.rto_ns, 1200 * MS);
        /* The first measurement of its own is what counts from then on. */
        assert_int_equal(send_bytes(&scene.host, scene.socket, "x", 1, 0), 1);
        expect(&scene, TCP_ACK, scene.local++, 1);
        now += 10 * MS;
        say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
        assert_in_range(scene.socket->tcp->rtt.rto_ns, 200 * MS, 250 * MS);
        end(&scene);
    }
}

static void longer_round_trip_counts_at_once_and_a_shorter_one_little_by_little(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    open_in(&scene, 80 * MS);
    close_last(&scene, 80 * MS);
    open_in(&scene, 240 * MS);
    close_last(&scene, 240 * MS);
    assert_int_equal(known_rtt(&scene), 240 * MS);
    open_in(&scene, 80 * MS);
    close_last(&scene, 80 * MS);
    assert_int_equal(known_rtt(&scene), 220 * MS);
    end(&scene);
}

static void reset_connection_saves_nothing(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    open_in(&scene, 80 * MS);
    say(&scene, TCP_RST, scene.remote, 0, 0, NULL, 0);
    assert_int_equal(known_rtt(&scene), 0);
    end(&scene);
}

static void nothing_is_saved_or_known_for_ever(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    tune(&scene, "net.ipv4.tcp_no_metrics_save=1");
    open_in(&scene, 80 * MS);
    close_last(&scene, 80 * MS);
    assert_int_equal(known_rtt(&scene), 0);
    tune(&scene, "net.ipv4.tcp_no_metrics_save=0");
    open_in(&scene, 80 * MS);
    close_last(&scene, 80 * MS);
    assert_int_equal(known_rtt(&scene), 80 * MS);
    host_run(&scene.host, 3599 * SECOND);
    assert_int_equal(known_rtt(&scene), 80 * MS);
    host_run(&scene.host, 2 * SECOND);
    assert_int_equal(known_rtt(&scene), 0);
    peer_introduce(&scene.host);
    open_in(&scene, 80 * MS);
    close_last(&scene, 80 * MS);
    stack_set_address(scene.host.stack, HOST_A + 1, 24);
    assert_int_equal(known_rtt(&scene), 0);
    host_discard(&scene.host);
    scene_end(&scene);
}

static void handshake_that_was_not_measured_waits_longer(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    connect_begin(&scene);
    host_run(&scene.host, 1001 * MS);
    expect(&scene, TCP_SYN, scene.local - 1, 0);
    peer_send(&scene.host, 80, scene.local_port, TCP_SYN | TCP_ACK, scene.remote++, scene.local, 65535, MSS,
              NULL, 0);
    expect(&scene, TCP_ACK, scene.local, 0);
    assert_int_equal(scene.socket->tcp->rtt.srtt_ns, 0);
    assert_int_equal(scene.socket->tcp->rtt.rto_ns, 3 * SECOND); /* RFC 6298 (5.7) */
    end(&scene);
}

static void timestamps_tell_which_syn_was_answered(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    connect_begin(&scene);
    host_run(&scene.host, 1001 * MS);
    expect(&scene, TCP_SYN, scene.local - 1, 0);
    struct tcp_segment answer = segment_from_peer(&scene, TCP_SYN | TCP_ACK);
    answer.has_timestamp = true;
    answer.timestamp = 1;
    answer.timestamp_echo = scene.packet.tcp.timestamp;
    now += 30 * MS;
    peer_send_segment(&scene.host, &answer, NULL, 0);
    scene.remote++;
    expect(&scene, TCP_ACK, scene.local, 0);
    assert_in_range(scene.socket->tcp->rtt.srtt_ns, 29 * MS, 32 * MS);
    end(&scene);
}

static void reordering_and_threshold_are_those_of_the_connection_before(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    for (int save = 0; save < 2; save++) {
        tune(&scene,
             save ? "net.ipv4.tcp_no_ssthresh_metrics_save=0" : "net.ipv4.tcp_no_ssthresh_metrics_save=1");
        open_in(&scene, 80 * MS);
        struct tcp *tcp = scene.socket->tcp;
        assert_int_equal(tcp->reordering.distance, 0);
        tcp->congestion.ssthresh = 50 * tcp->mss;
        tcp->congestion.cwnd = 60 * tcp->mss; /* congestion avoidance */
        close_last(&scene, 80 * MS);
    }
    open_in(&scene, 80 * MS);
    struct tcp *tcp = scene.socket->tcp;
    assert_int_equal(tcp->congestion.ssthresh, 50 * tcp->mss);
    tcp->reordering.distance = 20;
    tcp->congestion.cwnd = 10 * tcp->mss;
    close_last(&scene, 80 * MS);
    open_in(&scene, 80 * MS);
    assert_int_equal(scene.socket->tcp->reordering.distance, 20);
    tune(&scene, "net.ipv4.tcp_no_ssthresh_metrics_save=1");
    close_last(&scene, 80 * MS);
    open_in(&scene, 80 * MS);
    assert_true(scene.socket->tcp->congestion.ssthresh >= TCP_CWND_MAX);
    end(&scene);
}

static void table_is_bounded_and_forgets_what_was_used_longest_ago(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    unsigned known = 0, late = 0;
    for (uint32_t i = 1; i <= 20000; i++) {
        now += MS;
        host.stack->now_ns = now;
        tcp_metrics_make(host.stack, ip_from_v4(0x08000000u + i))->srtt_ns = MS;
        if (i > 1 && i % 100 == 0)
            assert_non_null(tcp_metrics_find(host.stack, ip_from_v4(0x08000001u))); /* it is in use */
    }
    for (uint32_t i = 1; i <= 20000; i++) {
        bool is = tcp_metrics_find(host.stack, ip_from_v4(0x08000000u + i));
        known += is;
        late += is && i > 19000;
    }
    assert_int_equal(known, TCP_METRICS_SETS * TCP_METRICS_WAYS);
    assert_true(late > 700);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeout_begins_with_the_round_trip_of_the_connection_before),
        cmocka_unit_test(longer_round_trip_counts_at_once_and_a_shorter_one_little_by_little),
        cmocka_unit_test(reset_connection_saves_nothing),
        cmocka_unit_test(nothing_is_saved_or_known_for_ever),
        cmocka_unit_test(handshake_that_was_not_measured_waits_longer),
        cmocka_unit_test(timestamps_tell_which_syn_was_answered),
        cmocka_unit_test(reordering_and_threshold_are_those_of_the_connection_before),
        cmocka_unit_test(table_is_bounded_and_forgets_what_was_used_longest_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
