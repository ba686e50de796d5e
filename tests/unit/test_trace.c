/* SPDX-License-Identifier: MIT */
/*
 * test_trace.c - events of a stack, for who wants to look: trace.c.
 */
#include "stack/trace.h"
#include "tests/unit/scene.h"

/* The next event of a kind from *number on, which is behind it then. */
static bool next_of(const struct trace *trace, uint64_t *number, enum trace_kind kind,
                    struct trace_event *event) {
    while (trace_at(trace, *number, event)) {
        ++*number;
        if (event->kind == kind)
            return true;
    }
    return false;
}

static void nobody_who_wants_nothing_costs_an_event(void **state) {
    struct scene scene;
    struct trace_event event;
    (void)state;
    connected(&scene, 65535, MSS);
    assert_false(trace_at(&scene.host.stack->trace, 0, &event));
    scene_end(&scene);
}

static void frames_are_told_of_both_ways_with_their_beginning(void **state) {
    struct scene scene;
    struct trace_event event;
    uint64_t number = 0;
    (void)state;
    connected(&scene, 65535, MSS);
    scene.host.stack->trace.wanted = TRACE_FRAMES;
    send_all(&scene, 1000, 0);
    feed(&scene, 500);
    host_discard(&scene.host);
    assert_true(next_of(&scene.host.stack->trace, &number, TRACE_FRAME_OUT, &event));
    assert_int_equal(event.frame.length, 14 + 20 + 20 + 1000);
    assert_int_equal(event.frame.header_length, 14 + 20 + 20);
    assert_memory_equal(event.frame.header + 12, "\x08\0\x45", 3);
    assert_int_equal(event.frame.note.why, FRAME_WHY_IDLE);
    number = 0;
    assert_true(next_of(&scene.host.stack->trace, &number, TRACE_FRAME_IN, &event));
    assert_int_equal(event.frame.length, 14 + 20 + 20 + 500);
    assert_int_equal(event.frame.header_length, TRACE_HEADER_BYTES);
    scene.host.stack->trace.wanted = 0;
    acknowledge(&scene, 1000);
    scene_end(&scene);
}

static void states_of_a_connection_are_told_with_its_ends(void **state) {
    struct scene scene;
    struct trace_event event;
    uint64_t number = 0;
    (void)state;
    scene_begin(&scene);
    scene.host.stack->trace.wanted = TRACE_TCP;
    connect_begin(&scene);
    say(&scene, TCP_SYN | TCP_ACK, scene.remote++, scene.local, 65535, NULL, 0);
    assert_true(next_of(&scene.host.stack->trace, &number, TRACE_STATE, &event));
    assert_int_equal(event.from, TCP_CLOSE);
    assert_int_equal(event.to, TCP_SYN_SENT);
    assert_true(next_of(&scene.host.stack->trace, &number, TRACE_STATE, &event));
    assert_int_equal(event.from, TCP_SYN_SENT);
    assert_int_equal(event.to, TCP_ESTABLISHED);
    assert_true(ip_equal(event.remote, ip_from_v4(HOST_B)));
    assert_int_equal(event.local_port, scene.local_port);
    assert_int_equal(event.remote_port, 80);
    assert_int_equal(event.time_ns, scene.host.stack->now_ns);
    scene_end(&scene);
}

static void a_timer_says_which_and_how_often_in_a_row(void **state) {
    struct scene scene;
    struct trace_event event;
    uint64_t number = 0;
    (void)state;
    scene_begin(&scene);
    scene.host.stack->trace.wanted = TRACE_TCP;
    connect_begin(&scene);
    host_run(&scene.host, 4 * SECOND);
    assert_true(next_of(&scene.host.stack->trace, &number, TRACE_TIMER, &event));
    assert_int_equal(event.to, TRACE_TIMER_SYN);
    assert_int_equal(event.values[0], 1);
    assert_true(next_of(&scene.host.stack->trace, &number, TRACE_TIMER, &event));
    assert_int_equal(event.values[0], 2);
    scene_end(&scene);
}

static void a_sample_says_how_a_connection_stands(void **state) {
    struct scene scene;
    struct trace_sample sample;
    (void)state;
    connected(&scene, 3 * MSS, MSS);
    say(&scene, TCP_ACK, scene.remote, scene.local, 3 * MSS, bytes, 200);
    scene.remote += 200;
    send_all(&scene, 5 * MSS, 0);
    trace_sample_of(scene.socket->tcp, &sample);
    assert_int_equal(sample.cwnd, scene.socket->tcp->congestion.cwnd);
    assert_int_equal(sample.flight, 3 * MSS);
    assert_int_equal(sample.unsent, 2 * MSS);
    assert_int_equal(sample.unread, 200);
    assert_int_equal(sample.recovery, 0);
    scene_end(&scene);
}

static void the_oldest_events_give_way_and_are_gone(void **state) {
    struct scene scene;
    struct trace_event event;
    const struct trace *trace;
    (void)state;
    connected(&scene, 65535, MSS);
    trace = &scene.host.stack->trace;
    scene.host.stack->trace.wanted = TRACE_TCP;
    for (uint32_t i = 0; i < TRACE_EVENTS + 10; i++)
        trace_held(scene.host.stack, scene.socket->tcp, FRAME_HELD_CWND, i);
    assert_false(trace_at(trace, 9, &event));
    assert_true(trace_at(trace, 10, &event));
    assert_int_equal(event.values[0], 10);
    assert_int_equal(event.to, FRAME_HELD_CWND);
    assert_true(trace_at(trace, TRACE_EVENTS + 9, &event));
    assert_int_equal(event.values[0], TRACE_EVENTS + 9);
    assert_false(trace_at(trace, TRACE_EVENTS + 10, &event));
    scene_end(&scene);
}

static void an_event_that_is_being_overwritten_is_not_given_out(void **state) {
    struct scene scene;
    struct trace_event event;
    (void)state;
    connected(&scene, 65535, MSS);
    struct trace *trace = &scene.host.stack->trace;
    trace->wanted = TRACE_TCP;
    for (uint32_t i = 0; i < TRACE_EVENTS; i++)
        trace_window(scene.host.stack, scene.socket->tcp, false);
    assert_true(trace_at(trace, 0, &event));
    trace->writing++; /* somebody has begun with the next, in its place */
    assert_false(trace_at(trace, 0, &event));
    trace->writing--;
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_who_wants_nothing_costs_an_event),
        cmocka_unit_test(frames_are_told_of_both_ways_with_their_beginning),
        cmocka_unit_test(states_of_a_connection_are_told_with_its_ends),
        cmocka_unit_test(a_timer_says_which_and_how_often_in_a_row),
        cmocka_unit_test(a_sample_says_how_a_connection_stands),
        cmocka_unit_test(the_oldest_events_give_way_and_are_gone),
        cmocka_unit_test(an_event_that_is_being_overwritten_is_not_given_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
