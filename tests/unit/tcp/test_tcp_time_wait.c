/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_time_wait.c - stack/tcp/tcp_time_wait.c: TIME_WAIT in little memory, and beyond the end of its stack.
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

/* The same, and its program has closed it. */
static void close_and_wait_out(struct scene *scene) {
    wait_out(scene);
    socket_release(scene->host.stack, scene->socket);
    scene->socket = NULL;
    scene->remote++;
    scene->local++;
    stack_advance(scene->host.stack, now);
}

static void assert_compact(struct scene *scene) {
    const struct stack *stack = scene->host.stack;
    assert_int_equal(stack->connections.used, 0);
    assert_int_equal(stack->actives.used, 0);
    assert_int_equal(stack->time_waits.used, 1);
    assert_int_equal(stack->time_wait_count, 1);
    assert_true(stack_busy(stack));
}

static void connection_whose_socket_is_closed_is_compact(void **state) {
    static struct scene scene;
    (void)state;
    wait_out(&scene);
    stack_advance(scene.host.stack, now);
    assert_int_equal(scene.host.stack->connections.used, 1); /* its program may ask it things */
    socket_release(scene.host.stack, scene.socket);
    scene.socket = NULL;
    assert_int_equal(stack_deadline(scene.host.stack), now); /* without anything else that happens */
    stack_advance(scene.host.stack, now);
    assert_compact(&scene);
    assert_in_range(scene.host.stack->time_waits.object_bytes, 1, 168); /* Linux's inet_timewait_sock */
    scene_end(&scene);
}

static void compact_connection_answers_as_before_and_waits_anew(void **state) {
    static struct scene scene;
    (void)state;
    close_and_wait_out(&scene);
    uint16_t window = scene.packet.tcp.window;
    host_run(&scene.host, 50 * SECOND);
    peer_introduce(&scene.host);
    say(&scene, TCP_FIN | TCP_ACK, scene.remote - 1, scene.local, 5000, NULL, 0);
    expect(&scene, TCP_ACK, scene.local, 0);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote);
    assert_in_range(scene.packet.tcp.window, window - 1, window + 1);
    stack_advance(scene.host.stack, now);
    assert_compact(&scene);
    host_run(&scene.host, 59 * SECOND);
    assert_compact(&scene);
    host_run(&scene.host, 2 * SECOND);
    assert_false(stack_busy(scene.host.stack));
    assert_int_equal(scene.host.stack->time_wait_count, 0);
    scene_end(&scene);
}

static void data_that_comes_again_with_the_fin_is_told_of(void **state) {
    static struct scene scene;
    (void)state;
    wait_out(&scene);
    socket_release(scene.host.stack, scene.socket);
    scene.socket = NULL;
    stack_advance(scene.host.stack, now);
    assert_compact(&scene);
    say(&scene, TCP_FIN | TCP_ACK, scene.remote - 100, scene.local + 1, 5000, bytes, 100);
    expect(&scene, TCP_ACK, scene.local + 1, 0);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 1);
    scene.remote++;
    scene_end(&scene);
}

static void answers_of_a_compact_connection_are_limited(void **state) {
    static struct scene scene;
    (void)state;
    close_and_wait_out(&scene);
    for (int round = 0; round < 3; round++) {
        say(&scene, TCP_ACK, scene.remote + 1000000, scene.local, 5000, NULL, 0);
        expect(&scene, TCP_ACK, scene.local, 0);
        stack_advance(scene.host.stack, now);
        assert_compact(&scene);
        say(&scene, TCP_ACK, scene.remote + 1000000, scene.local, 5000, NULL, 0);
        expect_nothing(&scene);
        host_run(&scene.host, 501 * MS); /* tcp_invalid_ratelimit */
        peer_introduce(&scene.host);
    }
    scene_end(&scene);
}

static void visit(void *object, void *context) {
    const struct tcp *tcp = object;
    struct tcp *seen = context;
    assert_int_equal(seen->state, 0); /* one only */
    *seen = *tcp;
}

static void look(const void *object, void *context) {
    *(struct tcp *)context = *(const struct tcp *)object;
}

static void compact_connection_is_shown_as_it_was(void **state) {
    static struct scene scene;
    (void)state;
    close_and_wait_out(&scene);
    struct tcp walked = {0}, looked = {0};
    tcp_walk(scene.host.stack, visit, &walked);
    tcp_look(scene.host.stack, look, &looked);
    for (const struct tcp *tcp = &walked; tcp; tcp = tcp == &walked ? &looked : NULL) {
        assert_int_equal(tcp->state, TCP_TIME_WAIT);
        assert_int_equal(tcp->binding.port, scene.local_port);
        assert_int_equal(tcp->remote_port, 80);
        assert_true(ip_equal(tcp->remote_address, ip_from_v4(HOST_B)));
        assert_int_equal(tcp->snd_nxt, scene.local);
        assert_int_equal(tcp->rcv_nxt, scene.remote);
        assert_in_range(tcp->alarms.due_ns[TCP_ALARM_STATE], now + 59 * SECOND, now + 61 * SECOND);
    }
    scene_end(&scene);
}

static void address_that_is_lost_takes_its_waits_with_it(void **state) {
    static struct scene scene;
    (void)state;
    close_and_wait_out(&scene);
    stack_set_address(scene.host.stack, HOST_A + 100, 24);
    assert_false(stack_busy(scene.host.stack));
    assert_int_equal(scene.host.stack->time_wait_count, 0);
    scene_end(&scene);
}

#define MANY 60000u

/* Memory is what the arena has given to pools, their own tables among it. */
static void sixty_thousand_take_about_ten_megabytes(void **state) {
    static struct scene first, second;
    (void)state;
    scene_begin(&first);
    struct tcp_waiting waiting = wait_out(&first);
    scene_begin(&second);
    struct stack *stack = second.host.stack;
    uint32_t before = stack->arena.blocks_taken;
    for (uint32_t i = 0; i < MANY; i++) {
        waiting.local_port = (uint16_t)(1024 + i % 20000);
        waiting.remote_port = (uint16_t)(80 + i / 20000);
        assert_true(tcp_waiting_resume(stack, &waiting));
    }
    assert_int_equal(stack->time_wait_count, MANY);
    assert_int_equal(stack->connections.used, 0);
    assert_in_range((stack->arena.blocks_taken - before) * ARENA_BLOCK_BYTES, 9000000, 10200000);
    host_run(&second.host, 61 * SECOND);
    assert_false(stack_busy(stack));
    assert_in_range(stack->arena.blocks_taken, 0, before + 1); /* given back */
    scene_end(&second);
    scene_end(&first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_stack_answers_a_fin_that_comes_again),
        cmocka_unit_test(wait_is_as_long_as_it_would_have_been),
        cmocka_unit_test(port_that_waits_is_not_taken_and_another_address_is_none_of_ours),
        cmocka_unit_test(connection_whose_socket_is_closed_is_compact),
        cmocka_unit_test(compact_connection_answers_as_before_and_waits_anew),
        cmocka_unit_test(data_that_comes_again_with_the_fin_is_told_of),
        cmocka_unit_test(answers_of_a_compact_connection_are_limited),
        cmocka_unit_test(compact_connection_is_shown_as_it_was),
        cmocka_unit_test(address_that_is_lost_takes_its_waits_with_it),
        cmocka_unit_test(sixty_thousand_take_about_ten_megabytes),
    };
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
