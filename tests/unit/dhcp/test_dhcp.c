/* SPDX-License-Identifier: MIT */
/*
 * test_dhcp.c - dhcp.c, dhcp_message.c: a stack that has no address yet, and a scripted server.
 */
#include "stack/base/checksum.h"
#include "stack/dhcp/dhcp_message.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define LEASED 0x0a4d0064u /* 10.77.0.100 */

static struct seen seen;
static uint8_t *body;
static uint32_t body_length;

/* The last message that the stack has sent. */
static struct {
    uint8_t type;
    uint32_t transaction, own, requested, server;
    uint32_t source, destination; /* of IP */
    bool broadcast;
    uint8_t mac[6];
} asked;

static bool next_question(struct host *host) {
    uint8_t type = 0;
    while (next_packet(host, IP_PROTOCOL_UDP, &seen, &body, &body_length)) {
        const uint8_t *bootp = body + 8, *end = body + body_length;
        if (wire_get16(body) != 68 || wire_get16(body + 2) != 67)
            continue;
        memset(&asked, 0, sizeof asked);
        assert_true(body_length >= 308);
        assert_int_equal(bootp[0], 1);
        assert_int_equal(wire_get32(bootp + 236), 0x63825363);
        asked.transaction = wire_get32(bootp + 4);
        asked.broadcast = wire_get16(bootp + 10) & 0x8000;
        asked.own = wire_get32(bootp + 12);
        asked.source = wire_get32(seen.bytes + 26);
        asked.destination = wire_get32(seen.bytes + 30);
        memcpy(asked.mac, bootp + 28, 6);
        for (const uint8_t *at = bootp + 240; at < end && *at != 255; at += 2 + at[1]) {
            if (at[0] == 53)
                type = at[2];
            else if (at[0] == 50)
                asked.requested = wire_get32(at + 2);
            else if (at[0] == 54)
                asked.server = wire_get32(at + 2);
        }
        asked.type = type;
        return true;
    }
    return false;
}

static uint32_t answers_go_to = UINT32_MAX;
static uint8_t answers_come_from = 2; /* 10.77.0. */

/* A server's message, with the options of most of them and those given. */
static void answer(struct host *host, uint8_t type, uint32_t seconds, const uint8_t *options,
                   uint32_t length) {
    uint8_t message[1000] = {2, 1, 6};
    uint8_t *at = message + 240;
    wire_put32(message + 4, asked.transaction);
    wire_put32(message + 16, type == DHCP_NAK ? 0 : LEASED);
    memcpy(message + 28, asked.mac, 6);
    wire_put32(message + 236, 0x63825363);
    const uint8_t start[] = {53, 1, type, 54,  4,   10, 77, 0, answers_come_from, 0, 0,
                             1,  4, 255,  255, 255, 0,  51, 4};
    memcpy(at, start, sizeof start);
    at += sizeof start;
    wire_put32(at, seconds);
    at += 4;
    if (length)
        memcpy(at, options, length);
    at += length;
    *at++ = 255;
    peer_udp(host, host->stack->config.address ? 0 : answers_go_to, 67, 68, message,
             (uint32_t)(at - message));
}

static const uint8_t NETWORK[] = {3,  4, 10,   77,  0,   1,                       /* router */
                                  6,  8, 10,   77,  0,   2,   10,  77,  0,   3,   /* name servers */
                                  15, 8, 'l',  'a', 'b', '.', 't', 'e', 's', 't', /* domain */
                                  26, 2, 0x05, 0x14};                             /* MTU 1300 */

static struct host start(void) {
    struct host host = host_create(0, 1500);
    dhcp_start(host.stack);
    return host;
}

/* Goes through all of it. */
static void get_lease(struct host *host, uint32_t seconds, const uint8_t *options, uint32_t length) {
    assert_true(next_question(host));
    assert_int_equal(asked.type, DHCP_DISCOVER);
    answer(host, DHCP_OFFER, seconds, options, length);
    assert_true(next_question(host));
    assert_int_equal(asked.type, DHCP_REQUEST);
    answer(host, DHCP_ACK, seconds, options, length);
    host_run(host, SECOND);
}

static void lease_is_asked_for_checked_and_used(void **state) {
    (void)state;
    struct host host = start();
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP_DISCOVER);
    assert_int_equal(asked.source, 0);
    assert_int_equal(asked.destination, UINT32_MAX);
    assert_true(asked.broadcast);
    answer(&host, DHCP_OFFER, 3600, NETWORK, sizeof NETWORK);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP_REQUEST);
    assert_int_equal(asked.requested, LEASED);
    assert_int_equal(asked.server, HOST_B);
    answer(&host, DHCP_ACK, 3600, NETWORK, sizeof NETWORK);
    assert_int_equal(host.stack->config.address, 0);
    /* Three probes, an announcement. */
    int probes = 0;
    host_run(&host, SECOND);
    while (host_sent(&host, &seen))
        probes += wire_get16(seen.bytes + 12) == ETHER_TYPE_ARP && wire_get32(seen.bytes + 28) == 0 &&
                  wire_get32(seen.bytes + 38) == LEASED;
    assert_in_range(probes, 3, 4);
    const struct stack_config *config = &host.stack->config;
    const struct dhcp_lease *lease = &host.stack->dhcp.lease;
    assert_int_equal(config->address, LEASED);
    assert_int_equal(config->prefix_length, 24);
    assert_int_equal(config->mtu, 1300);
    assert_int_equal(lease->dns_count, 2);
    assert_int_equal(lease->dns[1], 0x0a4d0003);
    assert_string_equal(lease->domain, "lab.test");
    uint32_t hop;
    assert_int_equal(ip_route_lookup(&host.stack->routes, 0x08080808, &hop), 0);
    assert_int_equal(hop, 0x0a4d0001);
    dhcp_release(host.stack);
    peer_introduce(&host);
    host_destroy(&host);
}

/* Not every server heeds that we ask for a broadcast. Nothing else is let in by that. */
static void server_that_sends_to_the_offered_address_is_heard(void **state) {
    (void)state;
    struct host host = start();
    assert_true(next_question(&host));
    static const uint8_t nothing[20];
    while (host_sent(&host, &seen))
        continue;
    peer_udp(&host, LEASED, 67, 69, nothing, sizeof nothing);
    peer_udp(&host, LEASED, 53, 68, nothing, sizeof nothing);
    assert_false(host_sent(&host, &seen));
    answers_go_to = LEASED;
    answer(&host, DHCP_OFFER, 3600, NETWORK, sizeof NETWORK);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP_REQUEST);
    answer(&host, DHCP_ACK, 3600, NETWORK, sizeof NETWORK);
    answers_go_to = UINT32_MAX;
    host_run(&host, SECOND);
    assert_int_equal(host.stack->config.address, LEASED);
    host_destroy(&host);
}

static void unanswered_questions_are_repeated_less_and_less_often(void **state) {
    (void)state;
    struct host host = start();
    uint64_t before = now;
    static const unsigned waits[] = {4, 8, 16, 32, 64, 64};
    assert_true(next_question(&host));
    for (int i = 0; i < 6; i++) {
        while (!next_question(&host))
            host_run(&host, 100 * MS);
        assert_int_equal(asked.type, DHCP_DISCOVER);
        assert_in_range((now - before) / MS, waits[i] * 1000 - 1100, waits[i] * 1000 + 1200);
        before = now;
    }
    /* Others' answers, and nonsense, are none. */
    asked.transaction++;
    answer(&host, DHCP_OFFER, 3600, NULL, 0);
    asked.transaction--;
    asked.mac[5]++;
    answer(&host, DHCP_OFFER, 3600, NULL, 0);
    asked.mac[5]--;
    answer(&host, DHCP_ACK, 3600, NULL, 0);
    answer(&host, DHCP_OFFER, 0, NULL, 0);
    assert_false(next_question(&host));
    assert_int_equal(host.stack->dhcp.state, DHCP_SELECTING);
    answer(&host, DHCP_OFFER, 3600, NULL, 0);
    for (int i = 0; i < 4; i++) {
        while (!next_question(&host))
            host_run(&host, 100 * MS);
        assert_int_equal(asked.type, DHCP_REQUEST);
    }
    while (!next_question(&host)) /* the server is gone: who else? */
        host_run(&host, 100 * MS);
    assert_int_equal(asked.type, DHCP_DISCOVER);
    host_destroy(&host);
}

static void address_in_use_is_declined(void **state) {
    (void)state;
    struct host host = start();
    assert_true(next_question(&host));
    answer(&host, DHCP_OFFER, 3600, NULL, 0);
    assert_true(next_question(&host));
    answer(&host, DHCP_ACK, 3600, NULL, 0);
    uint8_t reply[60] = {0};
    memcpy(reply, host.stack->config.mac, 6);
    const uint8_t owner[6] = {2, 9, 9, 9, 9, 9};
    memcpy(reply + 6, owner, 6);
    wire_put16(reply + 12, ETHER_TYPE_ARP);
    wire_put16(reply + 14, 1);
    wire_put16(reply + 16, ETHER_TYPE_IP);
    reply[18] = 6;
    reply[19] = 4;
    wire_put16(reply + 20, 2);
    memcpy(reply + 22, owner, 6);
    wire_put32(reply + 28, LEASED);
    host_input(&host, reply, sizeof reply, 0);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP_DECLINE);
    assert_int_equal(asked.requested, LEASED);
    host_run(&host, 9 * SECOND);
    assert_false(next_question(&host));
    assert_int_equal(host.stack->config.address, 0);
    host_run(&host, 2 * SECOND);
    get_lease(&host, 3600, NULL, 0);
    assert_int_equal(host.stack->config.address, LEASED);
    host_destroy(&host);
}

static void lease_is_renewed_rebound_and_lost(void **state) {
    (void)state;
    struct host host = start();
    struct socket *socket;
    get_lease(&host, 1000, NULL, 0);
    peer_introduce(&host);
    assert_int_equal(socket_create(host.stack, SOCK_STREAM, 0, &socket), 0);
    host_run(&host, 498 * SECOND);
    peer_introduce(&host);
    host_run(&host, 3 * SECOND);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP_REQUEST);
    assert_int_equal(asked.destination, HOST_B); /* its own server */
    assert_int_equal(asked.own, LEASED);
    assert_int_equal(asked.requested, 0);
    answer(&host, DHCP_ACK, 1000, NETWORK, sizeof NETWORK);
    assert_int_equal(host.stack->dhcp.state, DHCP_BOUND);
    assert_int_equal(host.stack->config.mtu, 1300); /* what is new about it counts */
    /* Nobody answers any more. */
    uint64_t renewed = now;
    uint32_t questions = 0;
    bool rebinding = false;
    while (host.stack->config.address && now - renewed < 1100 * SECOND) {
        host_run(&host, SECOND);
        while (next_question(&host)) {
            questions++;
            rebinding |= asked.type == DHCP_REQUEST && asked.destination == UINT32_MAX;
        }
        if (now - renewed > 995 * SECOND && socket->tcp->state == TCP_CLOSE && host.stack->config.address)
            assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -EINPROGRESS);
    }
    assert_in_range((now - renewed) / SECOND, 996, 1005);
    assert_true(rebinding);
    assert_in_range(questions, 3, 15);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -ENETDOWN);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -ENETUNREACH);
    host_discard(&host);
    host_run(&host, 6 * SECOND);
    get_lease(&host, 1000, NULL, 0);
    assert_int_equal(host.stack->config.address, LEASED);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void refusal_takes_the_address_away(void **state) {
    (void)state;
    struct host host = start();
    get_lease(&host, 1000, NULL, 0);
    peer_introduce(&host);
    host_run(&host, 498 * SECOND);
    peer_introduce(&host);
    host_run(&host, 3 * SECOND);
    assert_true(next_question(&host));
    answers_come_from = 3; /* whom nobody has asked */
    answer(&host, DHCP_NAK, 0, NULL, 0);
    assert_int_equal(host.stack->config.address, LEASED);
    answers_come_from = 2;
    answer(&host, DHCP_NAK, 0, NULL, 0);
    assert_int_equal(host.stack->config.address, 0);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP_DISCOVER);
    host_destroy(&host);
}

static void address_is_given_back(void **state) {
    (void)state;
    struct host host = start();
    get_lease(&host, 1000, NULL, 0);
    peer_introduce(&host);
    dhcp_release(host.stack);
    assert_true(next_question(&host));
    assert_int_equal(asked.type, DHCP_RELEASE);
    assert_int_equal(asked.destination, HOST_B);
    assert_int_equal(asked.own, LEASED);
    assert_int_equal(asked.server, HOST_B);
    host_run(&host, 5000 * SECOND);
    assert_false(next_question(&host));
    host_destroy(&host);
}

static void classless_routes_stand_for_the_router(void **state) {
    (void)state;
    struct host host = start();
    static const uint8_t options[] = {3,   4,   10, 77, 0,  1, 121, 9, 24,
                                      192, 168, 5,  10, 77, 0, 7,   0, /* in two parts: RFC 3396 */
                                      121, 4,   10, 77, 0,  8};
    uint32_t hop;
    get_lease(&host, 1000, options, sizeof options);
    ip_route_lookup(&host.stack->routes, 0xc0a80509, &hop);
    assert_int_equal(hop, 0x0a4d0007);
    ip_route_lookup(&host.stack->routes, 0x08080808, &hop);
    assert_int_equal(hop, 0x0a4d0008);
    host_destroy(&host);
}

static void bad_options_do_no_harm(void **state) {
    (void)state;
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    static uint8_t message[1500] = {2, 1, 6};
    struct dhcp_message read;
    wire_put32(message + 4, 77);
    memcpy(message + 28, mac, 6);
    wire_put32(message + 236, 0x63825363);
    assert_false(dhcp_parse(message, 239, 77, mac, &read));
    assert_false(dhcp_parse(message, 240, 77, mac, &read)); /* no type */
    static const uint8_t cases[][12] = {{53, 1, 5, 3, 200, 10},
                                        {53, 1, 5, 121, 3, 33, 1, 2, 255},
                                        {53, 1, 5, 121, 2, 24, 10, 255},
                                        {53, 1, 5, 15, 3, 'a', '\n', 'b', 255},
                                        {53, 1, 5, 26, 2, 0, 10, 255},
                                        {53, 1, 5, 26, 2, 2, 63, 255},
                                        {53, 1, 5, 6, 3, 1, 2, 3, 255},
                                        {53, 1, 5, 1, 1, 255},
                                        {53, 1, 5, 12},
                                        {53, 1, 5, 51, 0, 255}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(message + 240, cases[i], 12);
        assert_true(dhcp_parse(message, 252, 77, mac, &read));
        assert_int_equal(read.lease.router, 0);
        assert_int_equal(read.lease.route_count, 0);
        assert_int_equal(read.lease.dns_count, 0);
        assert_int_equal(read.lease.mtu, 0);
        assert_string_equal(read.lease.domain, "");
    }
    /* Options in the fields for names, when so told. */
    const uint8_t overload[] = {52, 1, 3, 255};
    memcpy(message + 240, overload, 4);
    const uint8_t type[] = {53, 1, 5, 255}, router[] = {3, 4, 10, 77, 0, 1, 255};
    memcpy(message + 108, type, 4);
    memcpy(message + 44, router, 7);
    assert_true(dhcp_parse(message, 252, 77, mac, &read));
    assert_int_equal(read.lease.router, 0x0a4d0001);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lease_is_asked_for_checked_and_used),
        cmocka_unit_test(server_that_sends_to_the_offered_address_is_heard),
        cmocka_unit_test(unanswered_questions_are_repeated_less_and_less_often),
        cmocka_unit_test(address_in_use_is_declined),
        cmocka_unit_test(lease_is_renewed_rebound_and_lost),
        cmocka_unit_test(refusal_takes_the_address_away),
        cmocka_unit_test(address_is_given_back),
        cmocka_unit_test(classless_routes_stand_for_the_router),
        cmocka_unit_test(bad_options_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
