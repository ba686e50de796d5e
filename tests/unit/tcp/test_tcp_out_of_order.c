/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_out_of_order.c - blocks of data ahead of its turn, by sequence number: tcp_out_of_order.c.
 */
#include "stack/tcp/tcp_out_of_order.h"
#include "tests/unit/host.h"

#define BLOCKS 200u
#define FIRST 0xfffff000u /* the numbers wrap among the blocks */
#define STEP 100u

static struct tcp_out_of_order storage[BLOCKS];

/* Adds block number `i`, of 10 bytes in a buffer: FIRST + i * STEP. */
static void add(struct host *host, struct tcp_out_of_order_blocks *blocks, uint32_t i) {
    storage[i] =
        (struct tcp_out_of_order){.sequence = FIRST + i * STEP, .data = {.length = 10, .buffers = 1}};
    tcp_out_of_order_add(host->stack, blocks, &storage[i]);
    blocks->buffers++;
}

static void assert_in_order(struct tcp_out_of_order_blocks *blocks, uint32_t count) {
    struct list *link, *next;
    uint32_t seen = 0;
    const struct tcp_out_of_order *before = NULL;
    list_for_each(link, next, &blocks->list) {
        const struct tcp_out_of_order *held = tcp_out_of_order_of(link);
        assert_true(!before || seq_lt(before->sequence, held->sequence));
        before = held;
        seen++;
    }
    assert_int_equal(seen, count);
    assert_int_equal(blocks->count, count);
    assert_int_equal(blocks->buffers, count);
    assert_int_equal(blocks->root == NULL, count == 0);
}

static void blocks_are_in_order_whatever_order_they_come_in(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct tcp_out_of_order_blocks blocks;
    (void)state;
    tcp_out_of_order_init(&blocks);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        add(&host, &blocks, i * 77 % BLOCKS);
        assert_in_order(&blocks, i + 1);
    }
    host_destroy(&host);
}

static void the_last_block_at_or_before_a_number_is_found(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct tcp_out_of_order_blocks blocks;
    (void)state;
    tcp_out_of_order_init(&blocks);
    assert_null(tcp_out_of_order_find(&blocks, FIRST));
    for (uint32_t i = 0; i < BLOCKS; i++)
        add(&host, &blocks, i * 77 % BLOCKS);
    assert_null(tcp_out_of_order_find(&blocks, FIRST - 1));
    for (uint32_t i = 0; i < BLOCKS; i++) {
        assert_ptr_equal(tcp_out_of_order_find(&blocks, FIRST + i * STEP), &storage[i]);
        assert_ptr_equal(tcp_out_of_order_find(&blocks, FIRST + i * STEP + STEP - 1), &storage[i]);
    }
    host_destroy(&host);
}

static void a_block_that_is_taken_out_is_found_no_more(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct tcp_out_of_order_blocks blocks;
    (void)state;
    tcp_out_of_order_init(&blocks);
    for (uint32_t i = 0; i < BLOCKS; i++)
        add(&host, &blocks, i);
    for (uint32_t i = 1; i < BLOCKS; i += 2)
        tcp_out_of_order_remove(&blocks, &storage[i]);
    assert_in_order(&blocks, BLOCKS / 2);
    assert_ptr_equal(tcp_out_of_order_find(&blocks, FIRST + 51 * STEP), &storage[50]);
    for (uint32_t i = 0; i < BLOCKS; i += 2)
        tcp_out_of_order_remove(&blocks, &storage[i]);
    assert_in_order(&blocks, 0);
    host_destroy(&host);
}

static void a_repair_makes_tree_counts_and_backward_links_of_the_forward_links(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct tcp_out_of_order_blocks blocks;
    (void)state;
    tcp_out_of_order_init(&blocks);
    for (uint32_t i = 0; i < BLOCKS; i++)
        add(&host, &blocks, i);
    blocks.root = &storage[7].node;
    blocks.count = blocks.buffers = 12345;
    blocks.list.previous = storage[9].link.previous = NULL;
    tcp_out_of_order_repair(host.stack, &blocks);
    assert_in_order(&blocks, BLOCKS);
    assert_ptr_equal(blocks.list.previous, &storage[BLOCKS - 1].link);
    assert_ptr_equal(storage[9].link.previous, &storage[8].link);
    assert_ptr_equal(tcp_out_of_order_find(&blocks, FIRST + 9 * STEP), &storage[9]);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_in_order_whatever_order_they_come_in),
        cmocka_unit_test(the_last_block_at_or_before_a_number_is_found),
        cmocka_unit_test(a_block_that_is_taken_out_is_found_no_more),
        cmocka_unit_test(a_repair_makes_tree_counts_and_backward_links_of_the_forward_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
