/* SPDX-License-Identifier: MIT */
/*
 * test_router_queue.c - stack/router/router_queue.c: the line's rate, the limit, CoDel, RED, and ECN's marks.
 */
#include "tests/unit/router/rig.h"

#define RATE 10000000u
#define FRAME 1014u /* what is sent here */

static struct router_queue queue;
static struct router_packets *packets;
static struct random chance;
static uint32_t numbers;

static int make(void **state) {
    (void)state;
    packets = calloc(1, sizeof *packets);
    random_init(&chance, seed);
    queue = (struct router_queue){.config.rate = RATE};
    now = 1000 * SECOND;
    numbers = 0;
    return 0;
}

static int end(void **state) {
    (void)state;
    struct router_packet *packet;
    while (queue.first) {
        now += SECOND;
        if ((packet = router_queue_take(&queue, packets, now)))
            router_packet_free(packets, packet);
    }
    uint32_t held = packets->fresh;
    for (packet = packets->free; packet; packet = packet->next)
        held--;
    free(packets);
    return held != 0;
}

static void put(uint8_t ecn) {
    struct router_packet *packet = router_packet_take(packets);
    assert_non_null(packet);
    packet->length = FRAME;
    compose(router_packet_ip(packet), &(struct shape){.payload = 980, .tos = ecn});
    wire_put16(packet->frame + 12, ETHER_TYPE_IP);
    wire_put32(router_packet_ip(packet) + 40, numbers++);
    router_queue_put(&queue, packets, &chance, now, packet);
}

/* The number of the next packet; -1: there is none by now. */
static int64_t take(bool *marked) {
    struct router_packet *packet = router_queue_take(&queue, packets, now);
    if (!packet)
        return -1;
    const uint8_t *ip = router_packet_ip(packet);
    if (marked)
        *marked = (ip[1] & 3) == 3;
    assert_int_equal(checksum_fold(checksum_header(ip, 20)), 0xffff);
    uint32_t number = wire_get32(ip + 40);
    router_packet_free(packets, packet);
    return number;
}

static void line_carries_its_rate_in_order(void **state) {
    (void)state;
    queue.config.limit_ns = SECOND;
    for (int i = 0; i < 100; i++)
        put(0);
    uint64_t begun = now;
    for (int i = 0; i < 100; i++) {
        now = router_queue_next(&queue);
        assert_int_equal(take(NULL), i);
        assert_int_equal(take(NULL), -1);
    }
    assert_int_equal(now - begun, UINT64_C(99) * FRAME * 8 * 100);
    assert_int_equal(router_queue_next(&queue), ROUTER_NEVER);
}

/* Who looks after the line comes late: what it could have sent meanwhile leaves at once. */
static void late_service_costs_no_rate(void **state) {
    (void)state;
    int count = 0;
    queue.config.limit_ns = SECOND;
    for (int i = 0; i < 100; i++)
        put(0);
    take(NULL);
    now += 10 * MS;
    while (take(NULL) >= 0)
        count++;
    assert_int_equal(count, 10 * 1000000 / (FRAME * 8 * 100));
    now += SECOND;
    while (take(NULL) >= 0)
        count++;
    now += SECOND; /* an idle line saves nothing up */
    put(0);
    put(0);
    assert_true(take(NULL) >= 0);
    assert_int_equal(take(NULL), -1);
}

static void drop_tail_holds_its_limit(void **state) {
    (void)state;
    queue.config.limit_ns = 50 * MS;
    for (int i = 0; i < 200; i++)
        put(0);
    assert_int_equal(queue.count, 50 * 1000000 / (FRAME * 8 * 100));
    assert_int_equal(queue.counters.overflowed, 200 - queue.count);
    queue.config.packets = 70;
    for (int i = 0; i < 200; i++)
        put(0);
    assert_int_equal(queue.count, 70);
}

static void without_a_rate_the_number_is_bounded(void **state) {
    (void)state;
    queue.config.rate = 0;
    for (uint32_t i = 0; i < ROUTER_QUEUE_PACKETS_MAX + 10; i++)
        put(0);
    assert_int_equal(queue.count, ROUTER_QUEUE_PACKETS_MAX);
    assert_int_equal(take(NULL), 0);
    assert_int_equal(take(NULL), 1);
}

/* A sender that fills the line by `percent` for some seconds. Returns the mean delay of its last second, ns. */
static uint64_t load(uint32_t percent, int seconds, uint8_t ecn, uint32_t *marks) {
    uint64_t until = now + (uint64_t)seconds * SECOND, next = now, sum = 0, count = 0;
    while (now < until) {
        uint64_t leaves = router_queue_next(&queue);
        now = leaves < next ? leaves : next;
        bool marked = false;
        uint64_t since = queue.first ? queue.first->since_ns : now;
        if (take(&marked) >= 0 && until - now < SECOND) {
            sum += now - since;
            count++;
        }
        *marks += marked;
        if (now == next) {
            put(ecn);
            next += (uint64_t)FRAME * 8 * 100 * 100 / percent;
        }
    }
    return count ? sum / count : 0;
}

/* RFC 8289: a short burst is let through; a queue that stands is brought down, faster the longer it stands. */
static void codel_leaves_bursts_and_ends_a_standing_queue(void **state) {
    (void)state;
    uint32_t marks = 0;
    queue.config.aqm = ROUTER_CODEL;
    queue.config.limit_ns = SECOND;
    for (int i = 0; i < 60; i++)
        put(0);
    load(50, 3, 0, &marks);
    assert_int_equal(queue.counters.dropped, 0);
    uint64_t delay = load(102, 20, 0, &marks);
    assert_in_range(queue.counters.dropped, 200, 700); /* the excess is 2 % of 24,600 */
    assert_true(delay < 30 * MS);
    assert_int_equal(queue.counters.overflowed, 0);
    assert_int_equal(marks, 0);
}

/* RFC 8289 section 5.5: the packet that ends the dropping state goes on, and the state is not entered anew with
 * it. */
static void codel_leaves_the_dropping_state(void **state) {
    (void)state;
    queue.config.aqm = ROUTER_CODEL;
    queue.config.rate = 0;
    for (int i = 0; i < 6; i++)
        put(0);
    now += 10 * MS;
    assert_int_equal(take(NULL), 0);
    now += 100 * MS;
    assert_int_equal(take(NULL), 2); /* 1 is dropped */
    now += 50 * MS;
    assert_int_equal(take(NULL), 3);
    now += 49 * MS;
    for (int i = 0; i < 4; i++)
        put(0);
    assert_int_equal(take(NULL), 4);
    now += MS;
    assert_int_equal(take(NULL), 6); /* 5 is dropped, and nothing behind it */
    assert_int_equal(queue.counters.dropped, 2);
    assert_int_equal(take(NULL), 7);
}

/* A queue that stands: `drops` packets are dropped, each when it is due. Then it is empty. */
static void stand(uint32_t drops) {
    uint64_t before = queue.counters.dropped;
    for (uint32_t i = 0; i < 2 * drops + 40; i++)
        put(0);
    now += 10 * MS;
    take(NULL);
    now += 100 * MS;
    take(NULL);
    while (queue.counters.dropped - before < drops) {
        now = queue.codel.drop_next_ns;
        take(NULL);
    }
    while (take(NULL) >= 0)
        continue;
    assert_int_equal(queue.counters.dropped - before, drops);
    assert_false(queue.codel.dropping);
}

/* RFC 8289 section 5.5: a dropping state that begins within 16 intervals begins with the rate that the last one
 * had come to; a later one with a drop an interval. */
static void codel_begins_anew_where_it_was(void **state) {
    (void)state;
    queue.config.aqm = ROUTER_CODEL;
    queue.config.rate = 0;
    stand(6);
    assert_int_equal(queue.codel.count, 6);
    stand(1);
    assert_int_equal(queue.codel.count, 5);
    now += 3 * SECOND;
    stand(1);
    assert_int_equal(queue.codel.count, 1);
}

static void codel_marks_what_can_be_told(void **state) {
    (void)state;
    uint32_t marks = 0;
    queue.config.aqm = ROUTER_CODEL;
    queue.config.ecn = true;
    queue.config.limit_ns = SECOND;
    load(102, 10, 2, &marks);
    assert_true(marks > 20);
    assert_int_equal(queue.counters.marked, marks);
    assert_int_equal(queue.counters.dropped, 0);
    load(102, 10, 0, &marks); /* others are dropped */
    assert_true(queue.counters.dropped > 20);
}

/* RED by the average length: none below its lower threshold, by chance between, all above. */
static void red_drops_by_the_average(void **state) {
    (void)state;
    uint32_t marks = 0;
    queue.config.aqm = ROUTER_RED;
    queue.config.limit_ns = 120 * MS;
    load(90, 5, 0, &marks);
    assert_int_equal(queue.counters.dropped, 0);
    load(105, 30, 0, &marks);
    assert_in_range(queue.counters.dropped, 1000, 2800); /* the excess is 5 % of 38,800 */
    assert_int_equal(queue.counters.overflowed, 0);
    assert_in_range(queue.red.average, RATE / 8 * 0.02, RATE / 8 * 0.09);
    queue.config.ecn = true;
    load(105, 10, 1, &marks);
    assert_true(marks > 200);
}

static void mark_is_of_either_family(void **state) {
    (void)state;
    uint8_t six[40] = {0x60, 0x20}, plain[40] = {0x60};
    assert_true(router_mark_congestion(six));
    assert_int_equal(six[1], 0x30);
    assert_false(router_mark_congestion(plain));
    assert_int_equal(plain[1], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(line_carries_its_rate_in_order),
        TEST(late_service_costs_no_rate),
        TEST(drop_tail_holds_its_limit),
        TEST(without_a_rate_the_number_is_bounded),
        TEST(codel_leaves_bursts_and_ends_a_standing_queue),
        TEST(codel_leaves_the_dropping_state),
        TEST(codel_begins_anew_where_it_was),
        TEST(codel_marks_what_can_be_told),
        TEST(red_drops_by_the_average),
        TEST(mark_is_of_either_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
