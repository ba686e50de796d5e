/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_write_mark.c - places in what is written: tcp_write_mark.c.
 */
#include "stack/tcp/tcp_output.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>

static void record_ends_are_segment_ends_when_sent_again_too(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(send_all(&scene, 300, MSG_EOR), 300);
    for (uint32_t i = 0; i < 3; i++) /* the last has nothing after it yet: Nagle holds it */
        expect(&scene, TCP_ACK, scene.local + i * 300, 300);
    expect_nothing(&scene);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NODELAY, 1);
    expect(&scene, TCP_ACK, scene.local + 900, 300);
    host_run(&scene.host, 2 * SECOND);
    peer_introduce(&scene.host);
    host_run(&scene.host, 4 * SECOND); /* a timeout, and then all */
    while (hear(&scene))
        assert_int_equal(scene.packet.tcp.length, 300);
    assert_true(scene.host.stack->mib.TcpRetransSegs > 0);
    scene_end(&scene);
}

static struct icmp_error next_told(struct scene *scene) {
    struct socket_message message = {.flags = MSG_ERRQUEUE};
    assert_int_equal(socket_receive(scene->host.stack, scene->socket, &message), 0);
    return message.error;
}

static void memory_is_said_to_be_free_once_all_is_acknowledged(void **state) {
    (void)state;
    struct scene scene;
    struct socket_message message = {.flags = MSG_ERRQUEUE};
    connected(&scene, 65535, 1000);
    assert_int_equal(set_option(&scene.host, scene.socket, SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    send_all(&scene, 2000, MSG_ZEROCOPY);
    send_all(&scene, 1000, MSG_ZEROCOPY);
    send_all(&scene, 1000, MSG_ZEROCOPY);
    acknowledge(&scene, 1999);
    assert_int_equal(socket_receive(scene.host.stack, scene.socket, &message), -EAGAIN);
    assert_false(socket_poll(scene.host.stack, scene.socket) & POLLERR);
    acknowledge(&scene, 3000);
    assert_true(socket_poll(scene.host.stack, scene.socket) & POLLERR);
    struct icmp_error told = next_told(&scene);
    assert_int_equal(told.origin, SO_EE_ORIGIN_ZEROCOPY);
    assert_int_equal(told.info, 0); /* the first two, in one */
    assert_int_equal(told.data, 1);
    acknowledge(&scene, 4000);
    told = next_told(&scene);
    assert_int_equal(told.info, 2);
    assert_int_equal(told.data, 2);
    scene_end(&scene);
}

static void way_of_a_write_is_told(void **state) {
    (void)state;
    struct scene scene;
    struct socket_message message = {.flags = MSG_ERRQUEUE};
    const int ways = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK;
    const uint32_t order[] = {SCM_TSTAMP_SCHED, SCM_TSTAMP_SND, SCM_TSTAMP_ACK};
    connected(&scene, 65535, 1000);
    set_option(&scene.host, scene.socket, SOL_SOCKET, SO_TIMESTAMPING, ways | SOF_TIMESTAMPING_OPT_ID);
    for (uint32_t end = 1000; end <= 3000; end += 1000) {
        send_all(&scene, 1000, 0);
        acknowledge(&scene, end);
        for (int i = 0; i < 3; i++) {
            struct icmp_error told = next_told(&scene);
            assert_int_equal(told.info, order[i]);
            assert_int_equal(told.data, end - 1);
        }
    }
    assert_int_equal(socket_receive(scene.host.stack, scene.socket, &message), -EAGAIN);
    scene_end(&scene);
}

static void unsent_bytes_are_bounded_when_the_program_says_so(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000);
    ssize_t taken = send_all(&scene, sizeof bytes, 0);
    assert_in_range(taken, 10000, 10000 + 32000); /* what the window lets go, and one chunk */
    assert_false(socket_poll(scene.host.stack, scene.socket) & POLLOUT);
    uint32_t unsent = tcp_unsent(scene.socket->tcp);
    assert_true(unsent >= 4000);
    host_discard(&scene.host);
    for (uint32_t end = 1000; unsent >= 2000; end += 1000) {
        assert_false(socket_poll(scene.host.stack, scene.socket) & POLLOUT);
        acknowledge(&scene, end);
        host_discard(&scene.host);
        unsent = tcp_unsent(scene.socket->tcp);
    }
    assert_true(socket_poll(scene.host.stack, scene.socket) & POLLOUT);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_ends_are_segment_ends_when_sent_again_too),
        cmocka_unit_test(memory_is_said_to_be_free_once_all_is_acknowledged),
        cmocka_unit_test(way_of_a_write_is_told),
        cmocka_unit_test(unsent_bytes_are_bounded_when_the_program_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
