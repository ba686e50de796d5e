/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_dctcp.c - the average of what is marked, and what is left of a window: tcp_dctcp.c. What it achieves:
 * test_goodput.c; the feedback: test_tcp_ecn.c.
 */
#include "stack/tcp/tcp_dctcp.h"
#include "tests/unit/scene.h"
#include <netinet/in.h>

static void begin(struct scene *scene) {
    connected(scene, 65535, MSS);
    assert_int_equal(
        socket_set_option(scene->host.stack, scene->socket, IPPROTO_TCP, TCP_CONGESTION, "dctcp", 5), 0);
}

static void the_part_that_is_marked_is_averaged_round_trip_by_round_trip(void **state) {
    struct scene scene;
    (void)state;
    begin(&scene);
    struct tcp *tcp = scene.socket->tcp;
    assert_int_equal(tcp->congestion.alpha, TCP_DCTCP_ALPHA_MAX);
    uint32_t previous = TCP_DCTCP_ALPHA_MAX;
    for (int i = 0; i < 100; i++) {
        tcp_dctcp_acknowledged(tcp, 10, 1); /* nothing is in flight: each ends a round trip */
        assert_true(tcp->congestion.alpha <= previous);
        previous = tcp->congestion.alpha;
    }
    assert_in_range(tcp->congestion.alpha, 90, 130); /* a tenth of 1,024, and what whole numbers make of it */
    for (int i = 0; i < 200; i++) {
        tcp_dctcp_acknowledged(tcp, 10, 0);
    }
    assert_int_equal(tcp->congestion.alpha, 0);
    scene_end(&scene);
}

static void within_a_round_trip_nothing_changes(void **state) {
    struct scene scene;
    (void)state;
    begin(&scene);
    struct tcp *tcp = scene.socket->tcp;
    send_all(&scene, MSS, 0);
    host_discard(&scene.host);
    tcp_dctcp_acknowledged(tcp, 10, 0);
    tcp_dctcp_acknowledged(tcp, 10, 1);
    assert_int_equal(tcp->congestion.alpha, TCP_DCTCP_ALPHA_MAX);
    assert_int_equal(tcp->active->dctcp.delivered, 20);
    scene_end(&scene);
}

static void a_mark_takes_half_of_alpha_and_a_loss_half(void **state) {
    struct tcp_congestion congestion = {0};
    struct tcp_growth growth = {0};
    (void)state;
    assert_int_equal(tcp_dctcp_threshold(100000, TCP_DCTCP_ALPHA_MAX), 50000);
    assert_int_equal(tcp_dctcp_threshold(100000, 0), 100000);
    tcp_congestion_init(&congestion, TCP_DCTCP, 1000);
    congestion.cwnd = 100000;
    congestion.alpha = 256;
    assert_int_equal(tcp_congestion_threshold(&congestion, &growth, 80000, 1000, true), 87500);
    assert_int_equal(tcp_congestion_threshold(&congestion, &growth, 80000, 1000, false), 40000);
}

static void it_tells_what_it_knows(void **state) {
    struct scene scene;
    struct tcp_dctcp_information told;
    socklen_t length = sizeof told;
    (void)state;
    begin(&scene);
    send_all(&scene, MSS, 0);
    host_discard(&scene.host);
    tcp_dctcp_acknowledged(scene.socket->tcp, 4, 1);
    assert_int_equal(
        socket_get_option(scene.host.stack, scene.socket, IPPROTO_TCP, TCP_CC_INFO, &told, &length), 0);
    assert_int_equal(length, sizeof told);
    assert_int_equal(told.enabled, 0); /* the peer has no ECN: it is Reno */
    assert_int_equal(told.alpha, TCP_DCTCP_ALPHA_MAX);
    assert_int_equal(told.bytes, 4 * MSS);
    assert_int_equal(told.marked_bytes, MSS);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_part_that_is_marked_is_averaged_round_trip_by_round_trip),
        cmocka_unit_test(within_a_round_trip_nothing_changes),
        cmocka_unit_test(a_mark_takes_half_of_alpha_and_a_loss_half),
        cmocka_unit_test(it_tells_what_it_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
