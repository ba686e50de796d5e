/* SPDX-License-Identifier: MIT */
/*
 * test_dhcp6.c - dhcp6.c, dhcp6_message.c: a stack whose router says that servers have addresses, and a
 * scripted server.
 */
#include "stack/base/checksum.h"
#include "stack/dhcp/dhcp6_message.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/nd.h"
#include "tests/unit/peer6.h"
#include <string.h>

#define LEASED v6("2001:db8::1ea5")
#define MANAGED 0x80
#define OTHER 0x40

static struct ip_address own;

/* The last message that the stack has sent. */
static struct {
    uint8_t type;
    uint32_t transaction, elapsed;
    bool names_server, wants_address, rapid;
    struct ip_address address;
} asked;

static void read_option(uint16_t kind, const uint8_t *value, uint32_t length) {
    switch (kind) {
    case 2:
        asked.names_server = true;
        break;
    case 3:
        asked.wants_address = true;
        if (length >= 12 + 4 + 24)
            asked.address = ip_from_bytes(value + 16);
        break;
    case 8:
        asked.elapsed = wire_get16(value);
        break;
    case 14:
        asked.rapid = true;
        break;
    default:
        break;
    }
}

static bool next_question(struct host *host) {
    struct seen6 seen;
    while (peer6_read(host, &seen)) {
        if (seen.protocol != IP_PROTOCOL_UDP || wire_get16(seen.payload + 2) != DHCP6_SERVER_PORT)
            continue;
        const uint8_t *at = seen.payload + 12, *end = seen.payload + seen.length;
        uint64_t sum =
            checksum_pseudo_header(seen.source, seen.destination, IP_PROTOCOL_UDP, (uint16_t)seen.length);
        assert_int_equal(checksum_fold(checksum_add(sum, seen.payload, seen.length)), 0xffff);
        assert_true(ip_equal(seen.source, own));
        assert_true(ip_equal(seen.destination, v6("ff02::1:2")));
        memset(&asked, 0, sizeof asked);
        asked.type = seen.payload[8];
        asked.transaction = wire_get32(seen.payload + 8) & 0xffffff;
        for (; at < end; at += 4 + wire_get16(at + 2)) {
            assert_true(at + 4 + wire_get16(at + 2) <= end);
            read_option(wire_get16(at), at + 4, wire_get16(at + 2));
        }
        return true;
    }
    return false;
}

/* What a server says; 0 is left out. */
struct answer {
    uint8_t type, preference, server;
    bool rapid, dns, wrong_client, wrong_transaction;
    uint16_t status; /* of the address */
    uint32_t preferred_s, valid_s, renew_s, rebind_s;
    struct ip_address address;
};

static uint32_t put(uint8_t *to, uint16_t kind, const void *value, uint32_t length) {
    wire_put16(to, kind);
    wire_put16(to + 2, (uint16_t)length);
    memcpy(to + 4, value, length);
    return 4 + length;
}

static uint32_t put_address(struct host *host, uint8_t *to, const struct answer *answer) {
    uint8_t ia[100] = {0}, address[24];
    uint32_t length = 12;
    memcpy(ia, host->stack->config.mac + 2, 4);
    wire_put32(ia + 4, answer->renew_s);
    wire_put32(ia + 8, answer->rebind_s);
    if (answer->status) {
        uint8_t status[2];
        wire_put16(status, answer->status);
        length += put(ia + length, 13, status, 2);
    } else {
        memcpy(address, answer->address.bytes, 16);
        wire_put32(address + 16, answer->preferred_s);
        wire_put32(address + 20, answer->valid_s);
        length += put(ia + length, 5, address, sizeof address);
    }
    return put(to, 3, ia, length);
}

static void reply(struct host *host, const struct answer *answer) {
    uint8_t datagram[600];
    uint8_t client[10] = {0, 3, 0, 1}, server[5] = {0, 4, 1, 2, answer->server};
    uint32_t length = 12;
    memcpy(client + 4, host->stack->config.mac, 6);
    client[9] ^= answer->wrong_client;
    wire_put16(datagram, DHCP6_SERVER_PORT);
    wire_put16(datagram + 2, DHCP6_CLIENT_PORT);
    wire_put32(datagram + 8, (uint32_t)answer->type << 24 | (asked.transaction ^ answer->wrong_transaction));
    length += put(datagram + length, 1, client, sizeof client);
    length += put(datagram + length, 2, server, sizeof server);
    if (answer->preference)
        length += put(datagram + length, 7, &answer->preference, 1);
    if (answer->rapid)
        length += put(datagram + length, 14, NULL, 0);
    if (answer->dns) {
        length += put(datagram + length, 23, v6("2001:db8::53").bytes, 16);
        length += put(datagram + length, 24, "\7example\3org\0\3lab", 18);
    }
    if (!ip_is_any(answer->address) || answer->status)
        length += put_address(host, datagram + length, answer);
    wire_put16(datagram + 4, (uint16_t)length);
    wire_put16(datagram + 6, 0);
    uint64_t sum = checksum_pseudo_header(PEER6, own, IP_PROTOCOL_UDP, (uint16_t)length);
    wire_put_sum(datagram + 6, (uint16_t)~checksum_fold(checksum_add(sum, datagram, length)));
    const struct packet6 packet = {.protocol = IP_PROTOCOL_UDP, .destination = own, .ttl = 1};
    peer6_send(host, &packet, datagram, length);
}

static struct answer lease(uint8_t type) {
    return (struct answer){.type = type,
                           .server = 1,
                           .preferred_s = 1000,
                           .valid_s = 2000,
                           .renew_s = 400,
                           .rebind_s = 700,
                           .address = LEASED};
}

static struct host told(uint8_t flags) {
    struct host host = host6_settled(true, &own);
    peer6_router(&host, PEER6, PEER6_MAC, &(struct advertisement6){.flags = flags, .lifetime_s = 60000});
    return host;
}

static struct host bound(void) {
    struct host host = told(MANAGED);
    host_run(&host, 1100 * MS);
    assert_true(next_question(&host));
    struct answer answer = lease(DHCP6_REPLY);
    answer.rapid = true;
    reply(&host, &answer);
    host_run(&host, 3 * SECOND);
    host_discard(&host);
    assert_true(ip6_is_local(host.stack, LEASED));
    return host;
}

static void without_a_routers_word_nobody_is_asked(void **state) {
    (void)state;
    struct host host = told(0);
    host_run(&host, 100 * SECOND);
    assert_false(next_question(&host));
    host_destroy(&host);
}

static void other_flag_asks_for_names_alone(void **state) {
    (void)state;
    struct host host = told(OTHER);
    host_run(&host, 1100 * MS); /* INF_MAX_DELAY */
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP6_INFORMATION_REQUEST);
    assert_false(asked.wants_address);
    reply(&host, &(struct answer){.type = DHCP6_REPLY, .dns = true});
    assert_int_equal(host.stack->ip6.dhcp6.best.dns_count, 1);
    assert_true(ip_equal(host.stack->ip6.dhcp6.best.dns[0], v6("2001:db8::53")));
    assert_string_equal(host.stack->ip6.dhcp6.best.domains, "example.org lab");
    host_run(&host, 1000 * SECOND);
    assert_false(next_question(&host));
    host_run(&host, 86400 * SECOND); /* RFC 8415 section 21.23 */
    assert_true(next_question(&host));
    host_destroy(&host);
}

static void question_is_repeated_ever_less_often(void **state) {
    (void)state;
    struct host host = told(MANAGED);
    int questions = 0;
    uint32_t last = 0;
    host_run(&host, 300 * SECOND);
    while (next_question(&host)) {
        assert_int_equal(asked.type, DHCP6_SOLICIT);
        assert_true(asked.rapid);
        assert_true(asked.wants_address);
        if (questions > 1)
            assert_true(asked.elapsed >= last * 18 / 10);
        last = asked.elapsed;
        questions++;
    }
    assert_in_range(questions, 7, 10);
    host_destroy(&host);
}

static void best_server_is_asked_for_its_address(void **state) {
    (void)state;
    struct host host = told(MANAGED);
    host_run(&host, 1050 * MS);
    assert_true(next_question(&host));
    struct answer answer = lease(DHCP6_ADVERTISE);
    answer.preference = 10;
    reply(&host, &answer);
    answer.preference = 20;
    answer.server = 2;
    answer.address = v6("2001:db8::2");
    reply(&host, &answer);
    assert_false(next_question(&host)); /* who knows who answers still */
    host_run(&host, 1200 * MS);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP6_REQUEST);
    assert_true(asked.names_server);
    assert_true(ip_equal(asked.address, v6("2001:db8::2")));
    answer.type = DHCP6_REPLY;
    answer.server = 1; /* that was not asked */
    reply(&host, &answer);
    assert_null(ip6_address_find(host.stack, answer.address));
    answer.server = 2;
    reply(&host, &answer);
    assert_true(ip6_is_local(host.stack, answer.address));
    host_destroy(&host);
}

static void server_that_none_is_better_than_is_asked_at_once(void **state) {
    (void)state;
    struct host host = told(MANAGED);
    host_run(&host, 1050 * MS);
    assert_true(next_question(&host));
    struct answer answer = lease(DHCP6_ADVERTISE);
    answer.preference = 255;
    reply(&host, &answer);
    host_run(&host, 10 * MS);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP6_REQUEST);
    host_destroy(&host);
}

static void lease_is_renewed_rebound_and_ends(void **state) {
    (void)state;
    struct host host = bound();
    assert_int_equal(ip6_address_find(host.stack, LEASED)->prefix_length, 128);
    host_run(&host, 400 * SECOND);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP6_RENEW);
    assert_true(ip_equal(asked.address, LEASED));
    struct answer answer = lease(DHCP6_REPLY);
    reply(&host, &answer);
    host_run(&host, 380 * SECOND);
    while (next_question(&host))
        assert_int_equal(asked.type, 0);
    host_run(&host, 330 * SECOND);
    uint8_t last = 0;
    while (next_question(&host))
        last = asked.type;
    assert_int_equal(last, DHCP6_REBIND);
    host_run(&host, 1400 * SECOND); /* nobody answers */
    assert_null(ip6_address_find(host.stack, LEASED));
    while (next_question(&host))
        last = asked.type;
    assert_int_equal(last, DHCP6_SOLICIT);
    host_destroy(&host);
}

static void address_of_somebody_is_declined(void **state) {
    (void)state;
    struct host host = told(MANAGED);
    host_run(&host, 1050 * MS);
    assert_true(next_question(&host));
    struct answer answer = lease(DHCP6_REPLY);
    answer.rapid = true;
    reply(&host, &answer);
    host_run(&host, 10 * MS);
    peer6_advertise(&host, LEASED, 0x20, OTHER6_MAC);
    assert_null(ip6_address_find(host.stack, LEASED));
    host_run(&host, 10 * MS);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP6_DECLINE);
    assert_true(ip_equal(asked.address, LEASED));
    host_destroy(&host);
}

static void answers_for_others_are_not_taken(void **state) {
    (void)state;
    struct host host = told(MANAGED);
    host_run(&host, 1050 * MS);
    assert_true(next_question(&host));
    struct answer answer = lease(DHCP6_REPLY);
    reply(&host, &answer); /* without Rapid Commit */
    answer.rapid = answer.wrong_client = true;
    reply(&host, &answer);
    answer.wrong_client = false;
    answer.wrong_transaction = true;
    reply(&host, &answer);
    answer.wrong_transaction = false;
    answer.address = v6("ff02::1");
    reply(&host, &answer);
    answer.address = LEASED;
    answer.preferred_s = 5000; /* more than valid */
    reply(&host, &answer);
    assert_int_equal(host.stack->ip6.dhcp6.state, DHCP6_SOLICITING);
    assert_int_equal(host.stack->ip6.addresses.count, 1);
    host_destroy(&host);
}

static void address_is_given_back(void **state) {
    (void)state;
    struct host host = bound();
    dhcp6_release(host.stack);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP6_RELEASE);
    assert_true(asked.names_server);
    assert_null(ip6_address_find(host.stack, LEASED));
    host_run(&host, 10000 * SECOND);
    assert_false(next_question(&host));
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_routers_word_nobody_is_asked),
        cmocka_unit_test(other_flag_asks_for_names_alone),
        cmocka_unit_test(question_is_repeated_ever_less_often),
        cmocka_unit_test(best_server_is_asked_for_its_address),
        cmocka_unit_test(server_that_none_is_better_than_is_asked_at_once),
        cmocka_unit_test(lease_is_renewed_rebound_and_ends),
        cmocka_unit_test(address_of_somebody_is_declined),
        cmocka_unit_test(answers_for_others_are_not_taken),
        cmocka_unit_test(address_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
