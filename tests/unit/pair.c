/* SPDX-License-Identifier: MIT */
/*
 * pair.c - see pair.h.
 */
#include "tests/unit/pair.h"
#include <errno.h>

void pair_open(struct pair *pair, uint64_t delay_ns) {
    pair->a = host_create(HOST_A, 1500);
    pair->b = host_create(HOST_B, 1500);
    cable_join(&pair->cable, &pair->a, &pair->b, delay_ns);
    cable_connect(&pair->cable, 80, &pair->client, &pair->server, &pair->listener);
}

void pair_close(struct pair *pair) {
    socket_release(pair->b.stack, pair->listener);
    cable_run(&pair->cable, 200 * SECOND);
    cable_cut(&pair->cable);
    assert_nothing_left(&pair->a);
    assert_nothing_left(&pair->b);
    host_destroy(&pair->a);
    host_destroy(&pair->b);
}

uint8_t pattern(size_t at) {
    return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

uint64_t transfer(struct pair *pair, struct socket *from, struct socket *to, bool from_a, size_t total,
                  uint64_t limit_ns) {
    struct host *sender = from_a ? &pair->a : &pair->b, *receiver = from_a ? &pair->b : &pair->a;
    static uint8_t chunk[60000];
    size_t sent = 0, received = 0;
    uint64_t begun = now;
    while (received < total) {
        assert_true(now - begun < limit_ns);
        while (sent < total) {
            size_t length = total - sent < sizeof chunk ? total - sent : sizeof chunk;
            for (size_t i = 0; i < length; i++)
                chunk[i] = pattern(sent + i);
            ssize_t result = send_bytes(sender, from, chunk, length, 0);
            if (result == -EAGAIN)
                break;
            assert_true(result > 0);
            sent += (size_t)result;
        }
        cable_run(&pair->cable, pair->cable.delay_ns + MS);
        for (;;) {
            ssize_t result = receive_bytes(receiver, to, chunk, sizeof chunk, 0);
            if (result == -EAGAIN)
                break;
            assert_true(result > 0);
            for (ssize_t i = 0; i < result; i++)
                assert_int_equal(chunk[i], pattern(received + (size_t)i));
            received += (size_t)result;
        }
    }
    return now - begun;
}
