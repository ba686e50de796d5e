/* SPDX-License-Identifier: MIT */
/*
 * test_dhcp_message.c - the format of DHCP's messages, written and read: dhcp_message.c.
 */
#include "stack/base/wire.h"
#include "stack/dhcp/dhcp_message.h"
#include "tests/unit/host.h"
#include <string.h>

static const uint8_t mac[6] = {2, 0, 10, 77, 0, 10};

#define TRANSACTION 0x12345678u

/* A server's message with options: "code, length, bytes ..." with 255 behind them. */
static bool parse(const uint8_t *options, uint32_t length, struct dhcp_message *message) {
    static uint8_t bytes[2000];
    memset(bytes, 0, sizeof bytes);
    bytes[0] = 2;
    bytes[1] = 1;
    bytes[2] = 6;
    wire_put32(bytes + 4, TRANSACTION);
    wire_put32(bytes + 16, 0x0a4d000a);
    memcpy(bytes + 28, mac, 6);
    bytes[108] = 15; /* in `file`: a domain, which counts only where option 52 says so */
    bytes[109] = 3;
    memcpy(bytes + 110, "lab\377", 4);
    wire_put32(bytes + 236, 0x63825363);
    memcpy(bytes + 240, options, length);
    return dhcp_parse(bytes, 240 + length, TRANSACTION, mac, message);
}

#define PARSE(message, ...)                                       \
    ({                                                            \
        const uint8_t options[] = {53, 1, DHCP_ACK, __VA_ARGS__}; \
        parse(options, sizeof options, message);                  \
    })

static void a_lease_is_read_with_all_that_it_says(void **state) {
    struct dhcp_message message;
    const struct dhcp_lease *lease = &message.lease;
    (void)state;
    assert_true(PARSE(&message, 1, 4, 255, 255, 240, 0, 3, 8, 10, 77, 0, 1, 10, 77, 0, 2, 6, 8, 9, 9, 9, 9, 8,
                      8, 8, 8, 0, 26, 2, 5, 0xdc, 51, 4, 0, 0, 0x0e, 0x10, 58, 4, 0, 0, 7, 8, 59, 4, 0, 0, 12,
                      78, 54, 4, 10, 77, 0, 3, 15, 8, 'a', '.', 'e', 'x', 'a', 'm', '-', '1', 255, 1, 4, 255,
                      0, 0, 0));
    assert_int_equal(message.type, DHCP_ACK);
    assert_int_equal(lease->address, 0x0a4d000a);
    assert_int_equal(lease->prefix_length, 20);
    assert_int_equal(lease->router, 0x0a4d0001);
    assert_int_equal(lease->dns_count, 2);
    assert_int_equal(lease->dns[1], 0x08080808);
    assert_int_equal(lease->mtu, 1500);
    assert_int_equal(lease->length_ns, 3600 * SECOND);
    assert_int_equal(lease->renew_ns, 1800 * SECOND);
    assert_int_equal(lease->rebind_ns, 3150 * SECOND);
    assert_int_equal(lease->server, 0x0a4d0003);
    assert_string_equal(lease->domain, "a.exam-1");
}

static void only_an_answer_to_this_transaction_of_this_client_is_one(void **state) {
    uint8_t bytes[300] = {2, 1, 6};
    struct dhcp_message message;
    static const struct {
        uint32_t at;
        uint8_t value;
    } faults[] = {{0, 1}, {1, 6}, {2, 8}, {7, 0}, {33, 0}, {236, 0}};
    (void)state;
    wire_put32(bytes + 4, TRANSACTION);
    memcpy(bytes + 28, mac, 6);
    wire_put32(bytes + 236, 0x63825363);
    bytes[240] = 53;
    bytes[241] = 1;
    assert_false(dhcp_parse(bytes, sizeof bytes, TRANSACTION, mac, &message)); /* of no type */
    bytes[242] = DHCP_OFFER;
    assert_true(dhcp_parse(bytes, sizeof bytes, TRANSACTION, mac, &message));
    assert_false(dhcp_parse(bytes, 239, TRANSACTION, mac, &message));
    assert_false(dhcp_parse(bytes, 242, TRANSACTION, mac, &message)); /* the option's value is cut off */
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        uint8_t kept = bytes[faults[i].at];
        bytes[faults[i].at] = faults[i].value;
        assert_false(dhcp_parse(bytes, sizeof bytes, TRANSACTION, mac, &message));
        bytes[faults[i].at] = kept;
    }
}

static void classless_routes_are_read_whole_or_not(void **state) {
    struct dhcp_message message;
    const struct ip_route *routes = message.lease.routes;
    (void)state;
    assert_true(PARSE(&message, 121, 14, 0, 10, 77, 0, 1, 17, 10, 1, 0xff, 10, 77, 0, 2, 24, 255));
    assert_int_equal(message.lease.route_count, 2);
    assert_int_equal(routes[0].mask, 0);
    assert_int_equal(routes[0].gateway, 0x0a4d0001);
    assert_int_equal(routes[1].destination, 0x0a018000); /* no bits beyond the prefix */
    assert_int_equal(routes[1].mask, 0xffff8000);
    /* In two parts (RFC 3396). */
    assert_true(PARSE(&message, 121, 3, 0, 10, 77, 121, 2, 0, 9, 255));
    assert_int_equal(message.lease.route_count, 1);
    assert_int_equal(routes[0].gateway, 0x0a4d0009);
    assert_true(PARSE(&message, 121, 6, 33, 1, 1, 1, 1, 1, 255));
    assert_int_equal(message.lease.route_count, 0);
}

static void what_does_harm_or_has_a_wrong_length_is_passed_over(void **state) {
    struct dhcp_message message;
    (void)state;
    assert_true(PARSE(&message, 26, 2, 2, 0x3f, 1, 3, 255, 255, 255, 51, 2, 0, 9, 15, 3, 'a', ';', 'b', 54, 1,
                      9, 255));
    assert_int_equal(message.lease.mtu, 0); /* 575 */
    assert_int_equal(message.lease.prefix_length, 0);
    assert_int_equal(message.lease.length_ns, 0);
    assert_string_equal(message.lease.domain, "");
    assert_int_equal(message.lease.server, 0);
    assert_true(PARSE(&message, 26, 2, 2, 0x40, 255));
    assert_int_equal(message.lease.mtu, 576);
}

static void options_lie_in_other_fields_where_the_message_says_so(void **state) {
    struct dhcp_message message;
    (void)state;
    assert_true(PARSE(&message, 255));
    assert_string_equal(message.lease.domain, "");
    assert_true(PARSE(&message, 52, 1, 1, 255));
    assert_string_equal(message.lease.domain, "lab");
    assert_true(PARSE(&message, 52, 1, 2, 255));
    assert_string_equal(message.lease.domain, "");
}

/* An option of a message of ours; NULL: it has none. */
static const uint8_t *option_of(const uint8_t *bytes, uint8_t code) {
    for (const uint8_t *at = bytes + 240; *at != 255; at += 2 + at[1])
        if (*at == code)
            return at;
    return NULL;
}

static void a_discovery_asks_by_broadcast_for_what_is_read(void **state) {
    const struct dhcp_question question = {.type = DHCP_DISCOVER,
                                           .transaction = TRANSACTION,
                                           .seconds = 7,
                                           .mac = {2, 0, 10, 77, 0, 10},
                                           .requested = 0x0a4d0007};
    uint8_t bytes[DHCP_MESSAGE_MAX];
    (void)state;
    assert_int_equal(dhcp_write(&question, bytes), 300);
    assert_memory_equal(bytes, "\1\1\6\0\x12\x34\x56\x78\0\7\x80\0\0\0\0\0", 16);
    assert_memory_equal(bytes + 28, mac, 6);
    assert_memory_equal(option_of(bytes, 53), "\x35\1\1", 3);
    assert_memory_equal(option_of(bytes, 61), "\x3d\7\1\2\0\x0a\x4d\0\x0a", 9);
    assert_memory_equal(option_of(bytes, 50), "\x32\4\x0a\x4d\0\7", 6);
    assert_null(option_of(bytes, 54));
    const uint8_t *wanted = option_of(bytes, 55);
    static const uint8_t read[] = {121, 1, 3, 6, 15, 26, 51, 58, 59};
    assert_int_equal(wanted[1], sizeof read);
    for (size_t i = 0; i < sizeof read; i++)
        assert_non_null(memchr(wanted + 2, read[i], sizeof read));
}

static void who_has_an_address_says_so_and_is_answered_there(void **state) {
    const struct dhcp_question question = {
        .type = DHCP_RELEASE, .own_address = 0x0a4d000a, .server = 0x0a4d0003};
    uint8_t bytes[DHCP_MESSAGE_MAX];
    (void)state;
    dhcp_write(&question, bytes);
    assert_int_equal(wire_get16(bytes + 10), 0);
    assert_int_equal(wire_get32(bytes + 12), 0x0a4d000a);
    assert_memory_equal(option_of(bytes, 54), "\x36\4\x0a\x4d\0\3", 6);
    assert_null(option_of(bytes, 55));
    assert_null(option_of(bytes, 50));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_read_with_all_that_it_says),
        cmocka_unit_test(only_an_answer_to_this_transaction_of_this_client_is_one),
        cmocka_unit_test(classless_routes_are_read_whole_or_not),
        cmocka_unit_test(what_does_harm_or_has_a_wrong_length_is_passed_over),
        cmocka_unit_test(options_lie_in_other_fields_where_the_message_says_so),
        cmocka_unit_test(a_discovery_asks_by_broadcast_for_what_is_read),
        cmocka_unit_test(who_has_an_address_says_so_and_is_answered_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
