/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_time_wait.c - stack/tcp/tcp_time_wait.c: TIME_WAIT outlives its stack.
 */
#include "stack/tcp/tcp_time_wait.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <sys/socket.h>

/* Closes a connection from this end: it is in TIME_WAIT then. Returns its numbers. */
static struct tcp_waiting wait_out(struct scene *scene) {
    struct tcp_waiting waiting[2];
    connected(scene, 5000, MSS);
    assert_false(tcp_all_waiting(scene->host.stack));
    assert_int_equal(tcp_waiting_save(scene->host.stack, waiting, 2), 0);
    socket_shutdown(scene->host.stack, scene->socket, SHUT_WR);
    expect(scene, TCP_FIN | TCP_ACK, scene->local, 0);
    say(scene, TCP_FIN | TCP_ACK, scene->remote, scene->local + 1, 5000, NULL, 0);
    expect(scene, TCP_ACK, scene->local + 1, 0);
    assert_true(tcp_all_waiting(scene->host.stack));
    assert_int_equal(tcp_waiting_save(scene->host.stack, waiting, 2), 1);
    return waiting[0];
}

static void next_stack_answers_a_fin_that_comes_again(void **state) {
    static struct scene first, second;
    (void)state;
    scene_begin(&first);
    struct tcp_waiting waiting = wait_out(&first);
    host_run(&first.host, 10 * SECOND);
    scene_begin(&second);
    peer_introduce(&second.host);
    assert_true(tcp_waiting_resume(second.host.stack, &waiting));
    assert_false(tcp_waiting_resume(second.host.stack, &waiting)); /* it is there already */
    assert_true(tcp_all_waiting(second.host.stack));
    second.local_port = first.local_port;
    second.remote_port = first.remote_port;
    say(&second, TCP_FIN | TCP_ACK, first.remote, first.local + 1, 5000, NULL, 0);
    expect(&second, TCP_ACK, first.local + 1, 0);
    assert_int_equal(second.packet.tcp.acknowledgment, first.remote + 1);
    scene_end(&second); /* nothing is left of it in the end */
    scene_end(&first);
}

static void wait_is_as_long_as_it_would_have_been(void **state) {
    static struct scene first, second;
    (void)state;
    scene_begin(&first);
    struct tcp_waiting waiting = wait_out(&first);
    host_run(&first.host, 50 * SECOND);
    scene_begin(&second);
    assert_true(tcp_waiting_resume(second.host.stack, &waiting));
    host_run(&second.host, 9 * SECOND);
    assert_int_equal(second.host.stack->time_wait_count, 1);
    host_run(&second.host, 2 * SECOND);
    assert_int_equal(second.host.stack->time_wait_count, 0);
    assert_false(tcp_waiting_resume(second.host.stack, &waiting)); /* over */
    scene_end(&second);
    scene_end(&first);
}

static void port_that_waits_is_not_taken_and_another_address_is_none_of_ours(void **state) {
    static struct scene first, second;
    (void)state;
    scene_begin(&first);
    struct tcp_waiting waiting = wait_out(&first);
    scene_begin(&second);
    assert_true(tcp_waiting_resume(second.host.stack, &waiting));
    struct socket *socket = make_socket(&second.host, SOCK_STREAM, 0, 0);
    assert_int_equal(socket_bind(second.host.stack, socket, ip_from_v4(0), waiting.local_port), -EADDRINUSE);
    set_option(&second.host, socket, SOL_SOCKET, SO_REUSEADDR, 1); /* the other one must have said so, too */
    assert_int_equal(socket_bind(second.host.stack, socket, ip_from_v4(0), waiting.local_port), -EADDRINUSE);
    waiting.remote_port++;
    waiting.local_port++;
    waiting.reuse_address = true;
    assert_true(tcp_waiting_resume(second.host.stack, &waiting));
    assert_int_equal(socket_bind(second.host.stack, socket, ip_from_v4(0), waiting.local_port), 0);
    socket_release(second.host.stack, socket);
    waiting.local.bytes[15]++;
    assert_false(tcp_waiting_resume(second.host.stack, &waiting));
    waiting.local.bytes[15]--;
    waiting.ends_ns = now + 3600 * SECOND; /* no such wait */
    waiting.remote_port++;
    assert_false(tcp_waiting_resume(second.host.stack, &waiting));
    scene_end(&second);
    scene_end(&first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_stack_answers_a_fin_that_comes_again),
        cmocka_unit_test(wait_is_as_long_as_it_would_have_been),
        cmocka_unit_test(port_that_waits_is_not_taken_and_another_address_is_none_of_ours),
    };
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
