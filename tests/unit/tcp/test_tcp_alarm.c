/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_alarm.c - several deadlines of a connection, and one timer for them all: tcp_alarm.c.
 */
#include "stack/tcp/tcp_alarm.h"
#include "tests/unit/scene.h"

#define FAR (UINT64_C(1000000) * SECOND)

static void the_timer_fires_for_the_alarm_that_is_due_first(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    struct timer *timer = &tcp->alarms.timer;
    tcp_alarm_stop_all(scene.host.stack, tcp);
    assert_false(timer_running(timer));
    tcp_alarm_set(scene.host.stack, tcp, TCP_ALARM_STATE, now + 50 * SECOND);
    uint64_t late_ns = timer_deadline_ns(timer);
    tcp_alarm_set(scene.host.stack, tcp, TCP_ALARM_ACK, now + 30 * SECOND);
    uint64_t soon_ns = timer_deadline_ns(timer);
    assert_true(soon_ns < late_ns);
    tcp_alarm_set(scene.host.stack, tcp, TCP_ALARM_PACING, now + 40 * SECOND);
    assert_int_equal(timer_deadline_ns(timer), soon_ns);
    tcp_alarm_stop_all(scene.host.stack, tcp);
    scene_end(&scene);
}

static void an_alarm_that_is_put_off_moves_no_timer_and_goes_off_in_time(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    tcp_alarm_stop_all(scene.host.stack, tcp);
    tcp_alarm_set(scene.host.stack, tcp, TCP_ALARM_ACK, now + 20 * MS);
    uint64_t first_ns = timer_deadline_ns(&tcp->alarms.timer);
    tcp_alarm_set(scene.host.stack, tcp, TCP_ALARM_ACK, now + 60 * MS);
    assert_int_equal(timer_deadline_ns(&tcp->alarms.timer), first_ns);
    host_run(&scene.host, 50 * MS);
    assert_true(tcp_alarm_is_set(tcp, TCP_ALARM_ACK));
    host_run(&scene.host, 20 * MS);
    assert_false(tcp_alarm_is_set(tcp, TCP_ALARM_ACK));
    scene_end(&scene);
}

static void an_alarm_that_is_stopped_does_not_go_off(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    send_all(&scene, 100, 0);
    expect(&scene, TCP_ACK, scene.local, 100);
    assert_true(tcp_alarm_is_set(tcp, TCP_ALARM_RETRANSMIT));
    tcp_alarm_stop(tcp, TCP_ALARM_RETRANSMIT);
    assert_false(tcp_alarm_is_set(tcp, TCP_ALARM_RETRANSMIT));
    host_run(&scene.host, 10 * SECOND);
    expect_nothing(&scene);
    acknowledge(&scene, 100);
    scene_end(&scene);
}

static void each_alarm_does_what_it_is_for(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    send_all(&scene, 100, 0);
    expect(&scene, TCP_ACK, scene.local, 100);
    tcp_alarm_set(scene.host.stack, tcp, TCP_ALARM_RETRANSMIT, now + FAR);
    tcp_alarm_set(scene.host.stack, tcp, TCP_ALARM_RETRANSMIT, now + 10 * MS);
    host_run(&scene.host, 20 * MS);
    expect(&scene, TCP_ACK, scene.local, 100); /* again */
    acknowledge(&scene, 100);
    scene.local += 100;
    feed(&scene, 100); /* its acknowledgment is delayed */
    host_discard(&scene.host);
    feed(&scene, 10);
    host_discard(&scene.host);
    feed(&scene, 10);
    host_discard(&scene.host);
    tcp_alarm_set(scene.host.stack, tcp, TCP_ALARM_ACK, now + 5 * MS);
    host_run(&scene.host, 10 * MS);
    assert_false(tcp_alarm_is_set(tcp, TCP_ALARM_ACK));
    scene_end(&scene);
}

static void a_time_of_zero_is_set_all_the_same(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    tcp_alarm_set(scene.host.stack, scene.socket->tcp, TCP_ALARM_PACING, 0);
    assert_true(tcp_alarm_is_set(scene.socket->tcp, TCP_ALARM_PACING));
    scene_end(&scene);
}

static void alarms_that_are_set_start_a_timer_that_is_in_no_list(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    tcp_alarm_stop_all(scene.host.stack, tcp);
    tcp_alarm_resume(scene.host.stack, tcp);
    assert_false(timer_running(&tcp->alarms.timer)); /* none is */
    tcp->alarms.due_ns[TCP_ALARM_STATE] = now + 50 * SECOND;
    tcp->alarms.due_ns[TCP_ALARM_ACK] = now + 40 * SECOND;
    tcp_alarm_resume(scene.host.stack, tcp);
    assert_true(timer_running(&tcp->alarms.timer));
    assert_in_range(timer_deadline_ns(&tcp->alarms.timer), now + 39 * SECOND, now + 41 * SECOND);
    tcp_alarm_stop_all(scene.host.stack, tcp);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_timer_fires_for_the_alarm_that_is_due_first),
        cmocka_unit_test(an_alarm_that_is_put_off_moves_no_timer_and_goes_off_in_time),
        cmocka_unit_test(an_alarm_that_is_stopped_does_not_go_off),
        cmocka_unit_test(each_alarm_does_what_it_is_for),
        cmocka_unit_test(a_time_of_zero_is_set_all_the_same),
        cmocka_unit_test(alarms_that_are_set_start_a_timer_that_is_in_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
