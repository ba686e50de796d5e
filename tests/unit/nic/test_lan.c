/* SPDX-License-Identifier: MIT */
/*
 * test_lan.c - nic/lan_wire.c, nic/lan_segment.c: frames on the wire, a hub, a switch.
 */
#include "nic/lan_segment.h"
#include "tests/unit/host.h"
#include <stdlib.h>
#include <string.h>

#define HUB_RATE 10000000u
#define DELAY_NS 1000u

static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};

static struct lan *make(bool is_switch, double bit_errors, int stations) {
    struct lan_config config = {.is_switch = is_switch,
                                .rate = HUB_RATE,
                                .propagation_ns = DELAY_NS,
                                .bit_errors = bit_errors,
                                .seed = 7};
    struct lan *lan = lan_create(&config);
    for (int i = 0; i < stations; i++)
        assert_int_equal(lan_join(lan), i);
    return lan;
}

/* The address of a station. */
static void address(uint8_t mac[6], int station) {
    memcpy(mac, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)station}, 6);
}

/* A frame from one station to another (-1: to everybody) that has a number in it. Returns its length on the
 * wire. */
static uint32_t frame(uint8_t *wire, int from, int to, uint32_t number, uint32_t length) {
    uint8_t *bytes = wire + LAN_PREAMBLE_BYTES;
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 7 + number);
    memcpy(bytes, everybody, 6);
    if (to >= 0)
        address(bytes, to);
    address(bytes + 6, from);
    wire_put32(bytes + 14, number);
    return lan_wire_close(wire, length);
}

static uint32_t number_in(const uint8_t *wire) {
    return wire_get32(wire + LAN_PREAMBLE_BYTES + 14);
}

static int sender_of(const uint8_t *wire) {
    return wire[LAN_PREAMBLE_BYTES + 11];
}

static bool put(struct lan *lan, uint64_t at_ns, int from, int to, uint32_t number, uint32_t length) {
    uint8_t wire[LAN_WIRE_MAX];
    uint32_t total = frame(wire, from, to, number, length);
    return lan_put(lan, from, at_ns, wire, total);
}

static void wire_has_preamble_padding_and_a_check_that_finds_every_changed_bit(void **state) {
    (void)state;
    uint8_t wire[LAN_WIRE_MAX] = {0};
    uint32_t total = frame(wire, 1, 2, 3, 20);
    assert_int_equal(total, 8 + 60 + 4);
    for (int i = 0; i < 7; i++)
        assert_int_equal(wire[i], 0x55);
    assert_int_equal(wire[7], 0xd5);
    assert_int_equal(lan_wire_check(wire, total), 60);
    for (uint32_t bit = 8 * 8; bit < total * 8; bit++) {
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(lan_wire_check(wire, total), 0);
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (uint32_t length = 0; length < total; length++)
        assert_int_equal(lan_wire_check(wire, length), 0);
    memset(wire + 8, 0, 60);
    memset(wire + 8, 0xff, 6);
    total = lan_wire_close(wire, 60);
    uint32_t sum = UINT32_MAX; /* by the definition, IEEE 802.3 clause 3.2.9, bit by bit */
    for (int i = 0; i < 60 * 8; i++) {
        uint32_t bit = (sum ^ (uint32_t)(wire[8 + i / 8] >> i % 8)) & 1;
        sum = sum >> 1 ^ (bit ? 0xedb88320u : 0);
    }
    sum = ~sum;
    assert_memory_equal(wire + 68, &sum, 4);
    total = frame(wire, 1, 2, 3, LAN_FRAME_MAX);
    assert_int_equal(lan_wire_check(wire, total), LAN_FRAME_MAX);
}

static void hub_carries_one_frame_after_another_to_all_others(void **state) {
    (void)state;
    struct lan *lan = make(false, 0, 3);
    uint8_t wire[LAN_WIRE_MAX];
    uint32_t length;
    assert_true(put(lan, 1000, 0, 1, 1, 60));
    assert_true(put(lan, 1000, 0, 1, 2, 60));
    uint64_t first_ns = 1000 + 72 * 800 + DELAY_NS, second_ns = first_ns + 9600 + 72 * 800;
    assert_int_equal(lan_get(lan, first_ns - 1, wire, &length), -1);
    assert_int_equal(lan_get(lan, first_ns, wire, &length), 1);
    assert_int_equal(number_in(wire), 1);
    assert_int_equal(lan_get(lan, first_ns, wire, &length), 2); /* an adapter's filter is the adapter's */
    assert_int_equal(lan_get(lan, second_ns - 1, wire, &length), -1);
    assert_true(lan_next(lan) <= second_ns);
    assert_int_equal(lan_get(lan, second_ns, wire, &length), 1);
    assert_int_equal(number_in(wire), 2);
    assert_int_equal(lan_get(lan, second_ns, wire, &length), 2);
    assert_true(lan_next(lan) == LAN_NEVER);
    lan_destroy(lan);
}

static void station_waits_while_it_hears_another(void **state) {
    (void)state;
    struct lan *lan = make(false, 0, 2);
    uint8_t wire[LAN_WIRE_MAX];
    uint32_t length;
    put(lan, 0, 0, 1, 1, 1000);
    assert_int_equal(lan_get(lan, 500000, wire, &length), -1);
    put(lan, 500000, 1, 0, 2, 60);
    uint64_t end_ns = 1012 * 800 + DELAY_NS;
    assert_int_equal(lan_get(lan, end_ns, wire, &length), 1);
    assert_int_equal(lan_get(lan, end_ns + 9600 + 72 * 800 + DELAY_NS, wire, &length), 0);
    assert_int_equal(lan_counters(lan, 1)->deferred, 1);
    assert_int_equal(lan_counters(lan, 0)->collisions + lan_counters(lan, 1)->collisions, 0);
    lan_destroy(lan);
}

/* Two that begin before they can hear each other. */
static void collision_costs_both_a_backoff_and_nothing_is_lost(void **state) {
    (void)state;
    struct lan *lan = make(false, 0, 2);
    uint8_t wire[LAN_WIRE_MAX];
    uint32_t length;
    int got = 0;
    put(lan, 0, 0, 1, 1, 1000);
    put(lan, DELAY_NS - 1, 1, 0, 2, 1000);
    assert_int_equal(lan_get(lan, 20000, wire, &length), -1);
    assert_int_equal(lan_counters(lan, 0)->collisions, 1);
    assert_int_equal(lan_counters(lan, 1)->collisions, 1);
    for (uint64_t now_ns; (now_ns = lan_next(lan)) != LAN_NEVER;)
        while (lan_get(lan, now_ns, wire, &length) >= 0) {
            assert_int_equal(lan_wire_check(wire, length), 1000);
            assert_true(now_ns > 1012 * 800);
            got++;
        }
    assert_int_equal(got, 2);
    lan_destroy(lan);
}

/* Many that always have something to send: who is heard, in what order, and how much of the medium is used.
 */
static void crowd(int stations, uint32_t each, uint32_t length, double least_used) {
    struct lan *lan = make(false, 0, stations);
    uint32_t put_so_far[LAN_PORTS_MAX] = {0}, last[LAN_PORTS_MAX][LAN_PORTS_MAX] = {{0}};
    uint64_t now_ns = 0, received = 0, given_up = 0, collisions = 0;
    uint8_t wire[LAN_WIRE_MAX];
    uint32_t got;
    for (;;) {
        for (int i = 0; i < stations; i++)
            while (put_so_far[i] < each && put(lan, now_ns, i, -1, put_so_far[i] + 1, length))
                put_so_far[i]++;
        uint64_t next_ns = lan_next(lan);
        if (next_ns == LAN_NEVER)
            break;
        assert_true(next_ns >= now_ns);
        now_ns = next_ns;
        int port;
        while ((port = lan_get(lan, now_ns, wire, &got)) >= 0) {
            int from = sender_of(wire);
            assert_int_not_equal(from, port);
            assert_true(lan_wire_check(wire, got) > 0);
            assert_true(number_in(wire) > last[port][from]); /* in order, each once */
            last[port][from] = number_in(wire);
            received++;
        }
    }
    for (int i = 0; i < stations; i++) {
        given_up += lan_counters(lan, i)->given_up;
        collisions += lan_counters(lan, i)->collisions;
        assert_int_equal(lan_counters(lan, i)->sent + lan_counters(lan, i)->given_up, each);
    }
    assert_int_equal(received, ((uint64_t)each * (unsigned)stations - given_up) * (unsigned)(stations - 1));
    double used = (double)received / (stations - 1) * (length + 12) * 800 / (double)now_ns;
    print_message("%2d stations, %4u bytes: %5.1f %% of the medium used, %lu collisions, %lu given up\n",
                  stations, length, used * 100, collisions, given_up);
    assert_true(collisions > (uint64_t)stations);
    assert_true(used > least_used && used < 1);
    lan_destroy(lan);
}

static void crowd_shares_the_medium(void **state) {
    (void)state;
    crowd(2, 2000, 1500, 0.9);
    crowd(10, 500, 1500, 0.7);
    crowd(10, 500, 64, 0.2);
    crowd(60, 100, 1500, 0.5);
}

static void switch_learns_floods_forwards_and_forgets(void **state) {
    (void)state;
    struct lan *lan = make(true, 0, 4);
    uint8_t wire[LAN_WIRE_MAX], mac[6], wanted[6];
    uint32_t length;
    int port;
    uint64_t now_ns = 1000000;
    put(lan, now_ns, 0, 1, 1, 60); /* to whom nobody knows: to all others */
    now_ns += 10000000;
    for (int i = 1; i < 4; i++)
        assert_int_equal(lan_get(lan, now_ns, wire, &length), i);
    assert_int_equal(lan_get(lan, now_ns, wire, &length), -1);
    assert_true(lan_learned(lan, 0, now_ns, mac, &port));
    address(wanted, 0);
    assert_memory_equal(mac, wanted, 6);
    assert_int_equal(port, 0);
    put(lan, now_ns, 1, 0, 2, 60); /* to whom it knows: there alone */
    now_ns += 10000000;
    assert_int_equal(lan_get(lan, now_ns, wire, &length), 0);
    assert_int_equal(lan_get(lan, now_ns, wire, &length), -1);
    put(lan, now_ns, 2, -1, 3, 60);
    now_ns += 10000000;
    for (int i = 0; i < 4; i++)
        if (i != 2)
            assert_int_equal(lan_get(lan, now_ns, wire, &length), i);
    /* Whoever moves is found again; what has not been heard for long is forgotten. */
    frame(wire, 1, 0, 4, 60);
    lan_put(lan, 3, now_ns, wire, 72);
    now_ns += 10000000;
    assert_int_equal(lan_get(lan, now_ns, wire, &length), 0);
    put(lan, now_ns, 0, 1, 5, 60);
    now_ns += 10000000;
    assert_int_equal(lan_get(lan, now_ns, wire, &length), 3);
    now_ns += LAN_AGE_NS + 1;
    put(lan, now_ns, 3, 2, 6, 60);
    now_ns += 10000000;
    for (int i = 0; i < 3; i++)
        assert_int_equal(lan_get(lan, now_ns, wire, &length), i);
    /* One that has left takes its addresses with it. */
    lan_leave(lan, 3);
    assert_false(lan_learned(lan, 0, now_ns, mac, &port));
    assert_int_equal(lan_join(lan), 3);
    lan_destroy(lan);
}

/* Both ways at once, and others meanwhile: no medium is shared. A port that gets too much drops. */
static void switch_is_full_duplex_and_its_queues_are_bounded(void **state) {
    (void)state;
    struct lan *lan = make(true, 0, 3);
    uint8_t wire[LAN_WIRE_MAX];
    uint32_t length, got = 0;
    put(lan, 0, 0, -1, 1, 60);
    put(lan, 0, 1, -1, 1, 60);
    put(lan, 0, 2, -1, 1, 60);
    while (lan_get(lan, 10000000, wire, &length) >= 0)
        ;
    uint64_t begun_ns = 10000000, now_ns = begun_ns;
    for (uint32_t i = 0; i < 60; i++) {
        assert_true(put(lan, now_ns, 0, 1, i, 1500));
        assert_true(put(lan, now_ns, 1, 0, i, 1500));
    }
    for (; lan_next(lan) != LAN_NEVER; got += lan_get(lan, now_ns, wire, &length) >= 0)
        now_ns = lan_next(lan);
    assert_int_equal(got, 120);
    /* 60 frames of 1,512 bytes and their gaps, one of them twice for store and forward. */
    assert_in_range(now_ns - begun_ns, 60 * 1512 * 800, 62 * 1524 * 800);
    uint32_t put_so_far[3] = {0};
    for (got = 0; got < 2000;) {
        for (int i = 0; i < 2; i++)
            while (put_so_far[i] < 1000 && put(lan, now_ns, i, 2, put_so_far[i], 1500))
                put_so_far[i]++;
        if (lan_next(lan) == LAN_NEVER)
            break;
        now_ns = lan_next(lan);
        got += lan_get(lan, now_ns, wire, &length) >= 0;
    }
    assert_int_equal(got + lan_counters(lan, 2)->dropped, 2000);
    assert_in_range(lan_counters(lan, 2)->dropped, 800, 1000);
    lan_destroy(lan);
}

static void errors_on_the_cable_are_found_by_the_check(void **state) {
    (void)state;
    uint8_t wire[LAN_WIRE_MAX];
    uint32_t length, bad = 0, good = 0;
    struct lan *hub = make(false, 1e-5, 2), *lan = make(true, 1e-5, 2);
    uint64_t now_ns = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        put(hub, now_ns, 0, 1, i, 1500);
        put(lan, now_ns, 0, 1, i, 1500);
        now_ns += 5000000;
        assert_int_equal(lan_get(hub, now_ns, wire, &length), 1);
        if (lan_wire_check(wire, length)) {
            good++;
            assert_int_equal(number_in(wire), i);
        } else {
            bad++;
        }
        while (lan_get(lan, now_ns, wire, &length) >= 0)
            ;
    }
    /* 12,032 bits at 1e-5: 11.3 % of the frames. */
    assert_in_range(bad, 250, 430);
    assert_int_equal(good + bad, 3000);
    assert_int_equal(lan_counters(hub, 0)->damaged, bad);
    assert_in_range(lan_counters(lan, 0)->bad_fcs, 250, 430);
    assert_int_equal(lan_counters(lan, 0)->bad_fcs, lan_counters(lan, 0)->damaged);
    assert_int_equal(lan_counters(lan, 0)->sent, 3000 - lan_counters(lan, 0)->bad_fcs);
    lan_destroy(hub);
    lan_destroy(lan);
}

/* What became of 300 frames from station 5 to station 6, one of each `fate`: 1 it arrived, 2 it did damaged. On
 * a hub, each collides with one of station 6's. `before`: stations that have come before these two, and that
 * speak meanwhile. Returns when the last one has arrived. */
static uint64_t meet(bool is_switch, uint64_t seed, int before, uint8_t fate[300]) {
    uint8_t wire[LAN_WIRE_MAX];
    uint32_t length;
    uint64_t now_ns = 0, last_ns = 0;
    struct lan *lan = lan_create(
        &(struct lan_config){.is_switch = is_switch, .rate = HUB_RATE, .bit_errors = 3e-5, .seed = seed});
    for (int i = 0; i < before; i++)
        lan_join(lan);
    int from = lan_join(lan), to = lan_join(lan);
    memset(fate, 0, 300);
    for (uint32_t i = 0; i < 300; i++) {
        for (int other = 0; other < before; other++)
            lan_put(lan, other, now_ns, wire, frame(wire, 20 + other, -1, 1000 + i, 800));
        while (lan_get(lan, now_ns + 50000000, wire, &length) >= 0)
            continue;
        now_ns += 100000000;
        lan_put(lan, to, now_ns, wire, frame(wire, 6, 5, 2000 + i, 100));
        lan_put(lan, from, now_ns, wire, frame(wire, 5, 6, i, 1500));
        for (int port; lan_next(lan) != LAN_NEVER;) {
            uint64_t next_ns = lan_next(lan);
            while ((port = lan_get(lan, next_ns, wire, &length)) >= 0)
                if (port == to && sender_of(wire) == 5 && length > 1000) {
                    fate[i] = lan_wire_check(wire, length) ? 1 : 2;
                    last_ns = next_ns - now_ns;
                }
        }
        now_ns += 100000000;
    }
    lan_destroy(lan);
    return last_ns;
}

/* What the n-th frame of a station meets is the same from the same seed, whoever else is there. */
static void chance_is_of_the_station_and_its_frame(void **state) {
    (void)state;
    for (int is_switch = 0; is_switch < 2; is_switch++) {
        uint8_t alone[300], beside[300], other[300];
        uint64_t last_ns = meet(is_switch, 7, 0, alone);
        assert_int_equal(meet(is_switch, 7, 2, beside), last_ns);
        assert_memory_equal(alone, beside, 300);
        meet(is_switch, 8, 0, other);
        assert_memory_not_equal(alone, other, 300);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wire_has_preamble_padding_and_a_check_that_finds_every_changed_bit),
        cmocka_unit_test(hub_carries_one_frame_after_another_to_all_others),
        cmocka_unit_test(station_waits_while_it_hears_another),
        cmocka_unit_test(collision_costs_both_a_backoff_and_nothing_is_lost),
        cmocka_unit_test(crowd_shares_the_medium),
        cmocka_unit_test(switch_learns_floods_forwards_and_forgets),
        cmocka_unit_test(switch_is_full_duplex_and_its_queues_are_bounded),
        cmocka_unit_test(errors_on_the_cable_are_found_by_the_check),
        cmocka_unit_test(chance_is_of_the_station_and_its_frame),
    };
    return cmocka_run_group_tests_name("lan", tests, NULL, NULL);
}
