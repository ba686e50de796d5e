/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_repair.c - what becomes of a connection whose change was left half done: tcp_repair.c. Deaths at each
 * instruction: test_repair.c.
 */
#include "stack/repair.h"
#include "stack/tcp/tcp_repair.h"
#include "tests/unit/scene.h"
#include <errno.h>

static void repair(struct scene *scene) {
    scene->socket->holders = 1;
    stack_repair_memory(scene->host.stack);
    assert_true(stack_repair(scene->host.stack, now, NULL));
}

/* The peer has acknowledged the first of three segments: the queue was cut, and the numbers were not. */
static void numbers_are_measured_by_what_the_queues_hold(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    send_all(&scene, 3 * MSS, 0);
    host_discard(&scene.host);
    tcp_work_on(scene.host.stack, tcp);
    byte_queue_drop(&tcp->send, &scene.host.stack->buffers, MSS);
    tcp->snd_una += 17; /* whatever stands there */
    repair(&scene);
    assert_int_equal(scene.socket->tcp->snd_una, scene.local + MSS);
    assert_int_equal(tcp->state, TCP_ESTABLISHED);
    host_run(&scene.host, SECOND);
    expect(&scene, TCP_ACK, scene.local + MSS, MSS); /* what may be lost is sent again */
    acknowledge(&scene, 3 * MSS);
    scene_end(&scene);
}

static void what_was_received_counts_though_its_number_was_not_written(void **state) {
    struct scene scene;
    char got[600];
    (void)state;
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    feed(&scene, 500);
    host_discard(&scene.host);
    tcp_work_on(scene.host.stack, tcp);
    tcp->rcv_nxt -= 500;
    repair(&scene);
    assert_int_equal(tcp->rcv_nxt, scene.remote);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 500);
    scene_end(&scene);
}

static void a_connection_that_nobody_was_at_is_as_it_was(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    send_all(&scene, 2 * MSS, 0);
    host_discard(&scene.host);
    uint32_t una = scene.socket->tcp->snd_una, nxt = scene.socket->tcp->snd_nxt;
    stack_work_on(scene.host.stack, NULL);
    repair(&scene);
    assert_int_equal(scene.socket->tcp->snd_una, una);
    assert_int_equal(scene.socket->tcp->snd_nxt, nxt);
    assert_int_equal(scene.socket->tcp->active->scoreboard.lost_bytes, 0);
    acknowledge(&scene, 2 * MSS);
    assert_int_equal(scene.socket->tcp->send.length, 0);
    scene_end(&scene);
}

static void a_connection_whose_own_call_was_at_it_is_reset(void **state) {
    struct scene scene;
    char byte;
    (void)state;
    connected(&scene, 65535, MSS);
    stack_work_on(scene.host.stack, scene.socket);
    repair(&scene);
    assert_true(hear(&scene));
    assert_true(scene.packet.tcp.flags & TCP_RST);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, &byte, 1, 0), -ECONNRESET);
    scene_end(&scene);
}

static void a_connection_of_nobody_is_ended(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    scene.socket->holders = 0;
    stack_work_on(scene.host.stack, NULL);
    stack_repair_memory(scene.host.stack);
    assert_true(stack_repair(scene.host.stack, now, NULL));
    scene.socket = NULL;
    assert_true(hear(&scene));
    assert_true(scene.packet.tcp.flags & TCP_RST);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_measured_by_what_the_queues_hold),
        cmocka_unit_test(what_was_received_counts_though_its_number_was_not_written),
        cmocka_unit_test(a_connection_that_nobody_was_at_is_as_it_was),
        cmocka_unit_test(a_connection_whose_own_call_was_at_it_is_reset),
        cmocka_unit_test(a_connection_of_nobody_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
