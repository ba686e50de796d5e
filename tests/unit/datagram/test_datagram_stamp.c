/* SPDX-License-Identifier: MIT */
/*
 * test_datagram_stamp.c - SO_TIMESTAMPING of what is sent: datagram_stamp.c.
 */
#include "stack/link/ether.h"
#include "tests/unit/network.h"
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>

#define STAMPS (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED)

static struct host host;
static struct socket *sender;
static uint8_t quoted[4000];

static int begin(void **state) {
    (void)state;
    host = host_create(HOST_A, 1500);
    sender = make_socket(&host, SOCK_DGRAM, 0, 9);
    return 0;
}

static int end(void **state) {
    (void)state;
    socket_release(host.stack, sender);
    host_discard(&host);
    assert_nothing_left(&host);
    host_destroy(&host);
    return 0;
}

static void want(int stamps) {
    assert_int_equal(set_option(&host, sender, SOL_SOCKET, SO_TIMESTAMPING, stamps), 0);
}

/* Reads what is told: which of the times, and the datagram's number. Returns how much was quoted. */
static ssize_t told(uint32_t *what, uint32_t *key) {
    struct iovec piece = {quoted, sizeof quoted};
    struct socket_message message = {.flags = MSG_ERRQUEUE, .pieces = &piece, .count = 1};
    ssize_t length = socket_receive(host.stack, sender, &message);
    if (length < 0)
        return length;
    assert_int_equal(message.error.origin, SO_EE_ORIGIN_TIMESTAMPING);
    assert_int_equal(message.error.error, ENOMSG);
    assert_false(message.has_address);
    *what = message.error.info;
    *key = message.error.data;
    return length;
}

static ssize_t sends(uint32_t length, struct socket_message message) {
    return send_message(&host, sender, HOST_B, length, message);
}

static void what_left_is_told_and_quoted(void **state) {
    (void)state;
    uint32_t what, key;
    want(STAMPS);
    assert_int_equal(sends(20, (struct socket_message){0}), 20);
    assert_int_equal(told(&what, &key), 14 + 20 + 8 + 20);
    assert_int_equal(what, SCM_TSTAMP_SCHED);
    assert_int_equal(wire_get16(quoted + 12), ETHER_TYPE_IP);
    assert_int_equal(wire_get32(quoted + 14 + 16), HOST_B);
    assert_int_equal(wire_get16(quoted + 34), 9);
    assert_int_equal(told(&what, &key), 14 + 20 + 8 + 20);
    assert_int_equal(what, SCM_TSTAMP_SND);
    assert_int_equal(told(&what, &key), -EAGAIN);
    assert_int_equal(sender->error, 0); /* it is no error */
    want(STAMPS | SOF_TIMESTAMPING_OPT_TSONLY);
    assert_int_equal(sends(20, (struct socket_message){0}), 20);
    assert_int_equal(told(&what, &key), 0);
    assert_int_equal(told(&what, &key), 0);
    assert_int_equal(told(&what, &key), -EAGAIN);
}

static void datagrams_are_numbered_by_who_wants_it(void **state) {
    (void)state;
    uint32_t what, key;
    want(SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_ID);
    for (uint32_t i = 0; i < 3; i++) {
        sends(1, (struct socket_message){0});
        assert_true(told(&what, &key) > 0);
        assert_int_equal(key, i);
    }
    sends(1, (struct socket_message){.has_stamp_key = true, .stamp_key = 77});
    assert_true(told(&what, &key) > 0);
    assert_int_equal(key, 77);
    sends(1,
          (struct socket_message){.has_stamps = true}); /* of this one nothing, and it counts for nothing */
    assert_int_equal(told(&what, &key), -EAGAIN);
    sends(1, (struct socket_message){0});
    assert_true(told(&what, &key) > 0);
    assert_int_equal(key, 3);
}

static void one_message_may_ask_alone(void **state) {
    (void)state;
    uint32_t what, key;
    sends(1, (struct socket_message){.has_stamps = true, .stamps = SOF_TIMESTAMPING_TX_SCHED});
    assert_true(told(&what, &key) > 0);
    assert_int_equal(what, SCM_TSTAMP_SCHED);
    assert_int_equal(told(&what, &key), -EAGAIN);
}

static void of_fragments_the_first_is_told(void **state) {
    (void)state;
    uint32_t what, key;
    want(SOF_TIMESTAMPING_TX_SOFTWARE);
    assert_int_equal(sends(4000, (struct socket_message){0}), 4000);
    assert_int_equal(told(&what, &key), 14 + 1500);
    assert_int_equal(told(&what, &key), -EAGAIN);
}

static void queue_of_errors_stays_bounded(void **state) {
    (void)state;
    uint32_t what, key, count = 0;
    want(SOF_TIMESTAMPING_TX_SOFTWARE);
    for (int i = 0; i < 2000; i++) {
        sends(1000, (struct socket_message){0});
        host_discard(&host);
    }
    assert_true(sender->datagram_bytes < sender->receive_limit);
    while (told(&what, &key) >= 0)
        count++;
    assert_in_range(count, 20, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_left_is_told_and_quoted, begin, end),
        cmocka_unit_test_setup_teardown(datagrams_are_numbered_by_who_wants_it, begin, end),
        cmocka_unit_test_setup_teardown(one_message_may_ask_alone, begin, end),
        cmocka_unit_test_setup_teardown(of_fragments_the_first_is_told, begin, end),
        cmocka_unit_test_setup_teardown(queue_of_errors_stays_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
