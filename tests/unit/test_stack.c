/* SPDX-License-Identifier: MIT */
/*
 * test_stack.c - a stack's beginning: stack.c.
 */
#include "tests/unit/host.h"
#include <errno.h>

static void config_that_can_not_be_is_refused(void **state) {
    (void)state;
    static uint8_t seed[RANDOM_SEED_BYTES];
    struct host host = host_create(HOST_A, 1500);
    struct stack_config config = host.stack->config;
    config.mac[0] |= 1; /* a group address */
    assert_int_equal(
        stack_create(host.stack, host.memory, 64 << 20, sizeof(struct stack), &config, seed, now), -EINVAL);
    config = (struct stack_config){.address = 0x7f000001, .prefix_length = 8, .mtu = 1500};
    assert_int_equal(
        stack_create(host.stack, host.memory, 64 << 20, sizeof(struct stack), &config, seed, now), -EINVAL);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_that_can_not_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
