/* SPDX-License-Identifier: MIT */
/*
 * test_dhcp6_message.c - the format of DHCPv6's messages, written and read: dhcp6_message.c.
 */
#include "stack/base/wire.h"
#include "stack/dhcp/dhcp6_message.h"
#include "tests/unit/peer6.h"

static const uint8_t mac[6] = {2, 0, 10, 77, 0, 10};

#define TRANSACTION 0xabcdefu

/* A server's message that grows. */
static uint8_t bytes[2000];
static uint32_t length;

static void put(uint16_t option, const void *value, uint16_t size) {
    wire_put16(bytes + length, option);
    wire_put16(bytes + length + 2, size);
    memcpy(bytes + length + 4, value, size);
    length += 4 + size;
}

static void begin_reply(void) {
    static const uint8_t duid[10] = {0, 3, 0, 1, 2, 0, 10, 77, 0, 10};
    wire_put32(bytes, (uint32_t)DHCP6_REPLY << 24 | TRANSACTION);
    length = 4;
    put(1, duid, sizeof duid);
    put(2, "SERVER", 6);
}

/* IA_NA with an address and, if it is not 0, a status of it. */
static void put_address(const char *address, uint32_t preferred_s, uint32_t valid_s, uint16_t status) {
    uint8_t ia[12 + 28 + 6] = {10, 77, 0, 10, 0, 0, 0, 50,
                               0,  0,  0, 80, 0, 5, 0, (uint8_t)(24 + (status ? 6 : 0))};
    memcpy(ia + 16, v6(address).bytes, 16);
    wire_put32(ia + 32, preferred_s);
    wire_put32(ia + 36, valid_s);
    memcpy(ia + 40, "\0\15\0\2", 4);
    wire_put16(ia + 44, status);
    put(3, ia, status ? sizeof ia : sizeof ia - 6);
}

static bool parse(struct dhcp6_message *message) {
    return dhcp6_parse(bytes, length, TRANSACTION, mac, message);
}

static void a_reply_is_read_with_all_that_it_says(void **state) {
    struct dhcp6_message message;
    uint8_t servers[32];
    (void)state;
    begin_reply();
    put_address("2001:db8::5", 100, 200, 0);
    memcpy(servers, v6("2001:db8::53").bytes, 16);
    memcpy(servers + 16, v6("ff02::1").bytes, 16); /* no server */
    put(23, servers, sizeof servers);
    put(24, "\3lab\7example\0\1x\0", 16);
    put(32, "\0\0\2\x58", 4);
    put(7, "\xff", 1);
    put(14, "", 0);
    assert_true(parse(&message));
    assert_int_equal(message.type, DHCP6_REPLY);
    assert_int_equal(message.server.length, 6);
    assert_memory_equal(message.server.bytes, "SERVER", 6);
    assert_true(ip_equal(message.address, v6("2001:db8::5")));
    assert_int_equal(message.preferred_s, 100);
    assert_int_equal(message.valid_s, 200);
    assert_int_equal(message.renew_s, 50);
    assert_int_equal(message.rebind_s, 80);
    assert_int_equal(message.dns_count, 1);
    assert_string_equal(message.domains, "lab.example x");
    assert_int_equal(message.refresh_s, 600);
    assert_int_equal(message.preference, 255);
    assert_true(message.rapid);
}

static void only_an_answer_to_this_client_and_transaction_by_a_server_is_one(void **state) {
    struct dhcp6_message message;
    (void)state;
    begin_reply();
    assert_true(parse(&message));
    assert_false(dhcp6_parse(bytes, length, TRANSACTION + 1, mac, &message));
    assert_false(dhcp6_parse(bytes, length, TRANSACTION, (const uint8_t[6]){9}, &message));
    assert_false(dhcp6_parse(bytes, 3, TRANSACTION, mac, &message));
    assert_false(dhcp6_parse(bytes, length - 1, TRANSACTION, mac, &message)); /* the last option is cut off */
    assert_false(dhcp6_parse(bytes, length - 10, TRANSACTION, mac, &message)); /* no server */
}

static void addresses_that_no_host_may_use_are_none(void **state) {
    static const struct {
        const char *address;
        uint32_t preferred_s, valid_s;
        uint16_t status;
    } cases[] = {{"fe80::1", 1, 2, 0},     {"ff02::1", 1, 2, 0},     {"::1", 1, 2, 0},
                 {"2001:db8::1", 0, 0, 0}, {"2001:db8::1", 3, 2, 0}, {"2001:db8::1", 1, 2, 2}};
    struct dhcp6_message message;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_reply();
        put_address(cases[i].address, cases[i].preferred_s, cases[i].valid_s, cases[i].status);
        assert_true(parse(&message));
        assert_true(ip_is_any(message.address));
    }
    begin_reply();
    put_address("2001:db8::1", 1, 2, 0);
    bytes[length - 40]++; /* of another IAID */
    assert_true(parse(&message));
    assert_true(ip_is_any(message.address));
}

static void of_domains_with_one_that_is_none_none_is_taken(void **state) {
    struct dhcp6_message message;
    (void)state;
    begin_reply();
    put(24, "\3lab\0\3a;b\0", 10);
    assert_true(parse(&message));
    assert_string_equal(message.domains, "");
    begin_reply();
    put(24, "\3lab\0\5ab", 8); /* beyond the end */
    assert_true(parse(&message));
    assert_string_equal(message.domains, "");
}

static void a_status_is_told(void **state) {
    struct dhcp6_message message;
    (void)state;
    begin_reply();
    put(13, "\0\2no", 4);
    assert_true(parse(&message));
    assert_int_equal(message.status, 2);
}

/* An option of a message of ours; NULL: it has none. */
static const uint8_t *option_of(const uint8_t *message, uint32_t size, uint16_t option) {
    for (uint32_t at = 4; at < size; at += 4 + wire_get16(message + at + 2))
        if (wire_get16(message + at) == option)
            return message + at;
    return NULL;
}

static void a_message_of_ours_has_the_options_of_its_type(void **state) {
    struct dhcp6_duid server = {.length = 6};
    struct dhcp6_question question = {.type = DHCP6_SOLICIT,
                                      .transaction = 0x55abcdef,
                                      .elapsed_ns = 120 * MS,
                                      .mac = {2, 0, 10, 77, 0, 10},
                                      .wants_address = true};
    uint8_t out[DHCP6_MESSAGE_MAX];
    (void)state;
    memcpy(server.bytes, "SERVER", 6);
    uint32_t size = dhcp6_write(&question, out);
    assert_memory_equal(out, "\1\xab\xcd\xef", 4);
    assert_memory_equal(option_of(out, size, 1), "\0\1\0\12\0\3\0\1\2\0\12\x4d\0\12", 14);
    assert_memory_equal(option_of(out, size, 3), "\0\3\0\14\12\x4d\0\12", 8);
    assert_memory_equal(option_of(out, size, 8), "\0\10\0\2\0\14", 6);
    assert_non_null(option_of(out, size, 14));
    assert_non_null(option_of(out, size, 6));
    assert_null(option_of(out, size, 2));
    question.type = DHCP6_RELEASE;
    question.server = &server;
    question.address = v6("2001:db8::5");
    question.elapsed_ns = 3600 * SECOND;
    size = dhcp6_write(&question, out);
    assert_memory_equal(option_of(out, size, 2), "\0\2\0\6SERVER", 10);
    assert_memory_equal(option_of(out, size, 3) + 20, v6("2001:db8::5").bytes, 16);
    assert_memory_equal(option_of(out, size, 8), "\0\10\0\2\xff\xff", 6);
    assert_null(option_of(out, size, 6));
    assert_null(option_of(out, size, 14));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_read_with_all_that_it_says),
        cmocka_unit_test(only_an_answer_to_this_client_and_transaction_by_a_server_is_one),
        cmocka_unit_test(addresses_that_no_host_may_use_are_none),
        cmocka_unit_test(of_domains_with_one_that_is_none_none_is_taken),
        cmocka_unit_test(a_status_is_told),
        cmocka_unit_test(a_message_of_ours_has_the_options_of_its_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
