/* SPDX-License-Identifier: MIT */
/*
 * test_nd.c - nd.c, ip6_addresses.c, neighbour.c over IPv6: one stack, messages made by hand.
 */
#include "stack/base/checksum.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/nd.h"
#include "tests/unit/peer6.h"
#include <stdio.h>
#include <string.h>

static struct ip_address own_of(struct host *host) {
    return host->stack->ip6.addresses.entries[0].address;
}

static void set(struct host *host, const char *name, const char *value) {
    char whole[80];
    snprintf(whole, sizeof whole, "net.ipv6.%s", name);
    assert_int_equal(sysctl_set(&host->stack->sysctl, whole, value), 0);
}

static void stack_without_ipv6_says_nothing_of_it(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct seen6 seen;
    host_run(&host, 20 * SECOND);
    assert_false(peer6_read(&host, &seen));
    peer6_ping(&host, PEER6, IP6_ALL_NODES, PEER6_MAC);
    assert_false(peer6_read(&host, &seen));
    host_destroy(&host);
}

static void new_stack_asks_whether_somebody_has_its_address(void **state) {
    (void)state;
    struct host host = host6_create(false);
    struct seen6 seen;
    struct ip_address own = own_of(&host);
    host_run(&host, 10 * MS);
    assert_true(ip_is_link_local(own));
    assert_true(peer6_read_message(&host, ICMP6_NEIGHBOUR_SOLICITATION, &seen));
    assert_true(ip_is_any(seen.source));
    assert_true(ip_equal(seen.destination, ip_solicited_node(own)));
    assert_memory_equal(seen.mac,
                        ((uint8_t[6]){0x33, 0x33, 0xff, own.bytes[13], own.bytes[14], own.bytes[15]}), 6);
    assert_int_equal(seen.ttl, 255);
    assert_int_equal(seen.flow_label, 0);
    assert_int_equal(seen.length, 32); /* with a nonce, without our MAC address */
    assert_memory_equal(seen.payload + 8, own.bytes, 16);
    assert_int_equal(seen.payload[24], ND_OPTION_NONCE);
    host_destroy(&host);
}

static void address_in_use_is_given_up_for_another(void **state) {
    (void)state;
    struct host host = host6_create(false);
    struct ip_address first = own_of(&host);
    host_run(&host, 10 * MS);
    peer6_advertise(&host, first, 0x20, OTHER6_MAC);
    assert_false(ip_equal(own_of(&host), first));
    assert_int_equal(host.stack->ip6.addresses.conflicts, 1);
    host_run(&host, 5 * SECOND);
    assert_true(ip_is_link_local(own_of(&host)));
    assert_true(ip6_is_local(host.stack, own_of(&host)));
    host_destroy(&host);
}

static void address_that_another_checks_too_is_given_up(void **state) {
    (void)state;
    struct host host = host6_create(false);
    struct ip_address first = own_of(&host);
    host_run(&host, 10 * MS);
    peer6_solicit(&host, (struct ip_address){0}, ip_solicited_node(first), first, NULL);
    assert_false(ip_equal(own_of(&host), first));
    host_destroy(&host);
}

static void own_question_that_comes_back_is_no_conflict(void **state) {
    (void)state;
    struct host host = host6_create(false);
    struct ip_address own = own_of(&host);
    struct seen6 seen;
    uint8_t message[32];
    const struct packet6 packet = {.from_nobody = true, .destination = ip_solicited_node(own)};
    host_run(&host, 10 * MS);
    assert_true(peer6_read_message(&host, ICMP6_NEIGHBOUR_SOLICITATION, &seen));
    memcpy(message, seen.payload, sizeof message);
    peer6_send(&host, &packet, message, sizeof message);
    assert_true(ip_equal(own_of(&host), own));
    message[27] ^= 1; /* another's nonce */
    peer6_send(&host, &packet, message, sizeof message);
    assert_false(ip_equal(own_of(&host), own));
    host_destroy(&host);
}

static void addresses_run_out_after_three_more_tries(void **state) {
    (void)state;
    struct host host = host6_create(false);
    for (int tries = 0; tries < 4; tries++) {
        assert_int_equal(host.stack->ip6.addresses.count, 1);
        host_run(&host, tries ? 1500 * MS : 500 * MS); /* idgen_delay */
        peer6_advertise(&host, own_of(&host), 0x20, OTHER6_MAC);
    }
    assert_int_equal(host.stack->ip6.addresses.count, 0);
    host_destroy(&host);
}

static void users_address_that_is_in_use_stays_and_is_not_used(void **state) {
    (void)state;
    struct ip_address own, address = v6("2001:db8::10");
    struct host host = host6_settled(false, &own);
    assert_int_equal(ip6_address_add(host.stack, address, 64, IP6_ADDRESS_USER, NULL), 0);
    assert_true(ip6_is_local(host.stack, address)); /* optimistic */
    host_run(&host, 10 * MS);
    peer6_advertise(&host, address, 0, OTHER6_MAC);
    assert_false(ip6_is_local(host.stack, address));
    host_run(&host, 5 * SECOND);
    assert_false(ip6_is_local(host.stack, address));
    assert_true(ip6_address_find(host.stack, address)->flags & IP6_FLAG_DADFAILED);
    host_destroy(&host);
}

static void address_is_not_used_before_it_is_checked_without_optimistic_dad(void **state) {
    (void)state;
    struct ip_address own, address = v6("2001:db8::10");
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    set(&host, "conf.all.optimistic_dad", "0");
    assert_int_equal(ip6_address_add(host.stack, address, 64, IP6_ADDRESS_USER, NULL), 0);
    assert_false(ip6_is_local(host.stack, address));
    peer6_solicit(&host, PEER6, ip_solicited_node(address), address, PEER6_MAC);
    assert_false(peer6_read_message(&host, ICMP6_NEIGHBOUR_ADVERTISEMENT, &seen));
    host_run(&host, 2100 * MS);
    assert_true(ip6_is_local(host.stack, address));
    host_destroy(&host);
}

static void neighbour_is_answered(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    peer6_solicit(&host, PEER6, ip_solicited_node(own), own, PEER6_MAC);
    assert_true(peer6_read_message(&host, ICMP6_NEIGHBOUR_ADVERTISEMENT, &seen));
    assert_true(ip_equal(seen.source, own));
    assert_true(ip_equal(seen.destination, PEER6));
    assert_memory_equal(seen.mac, PEER6_MAC, 6);
    assert_int_equal(seen.payload[4], 0x60); /* solicited, override */
    assert_int_equal(seen.length, 32);
    assert_int_equal(seen.payload[24], ND_OPTION_TARGET_MAC);
    assert_memory_equal(seen.payload + 26, host.stack->config.mac, 6);
    assert_int_equal(neighbour_lookup(host.stack, PEER6)->state, NEIGHBOUR_DELAY); /* known, and used */
    /* Asked alone, as a probe: as Linux answers, without the MAC address. */
    peer6_solicit(&host, PEER6, own, own, PEER6_MAC);
    assert_true(peer6_read_message(&host, ICMP6_NEIGHBOUR_ADVERTISEMENT, &seen));
    assert_int_equal(seen.payload[4], 0x40);
    assert_int_equal(seen.length, 24);
    host_destroy(&host);
}

static void checker_of_our_address_is_told_that_it_is_ours(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    peer6_solicit(&host, (struct ip_address){0}, ip_solicited_node(own), own, NULL);
    assert_true(peer6_read_message(&host, ICMP6_NEIGHBOUR_ADVERTISEMENT, &seen));
    assert_true(ip_equal(seen.destination, IP6_ALL_NODES));
    assert_int_equal(seen.payload[4], 0x20);
    assert_int_equal(host.stack->ip6.addresses.conflicts, 0);
    host_destroy(&host);
}

static void messages_that_a_router_let_through_are_dropped(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    struct seen6 seen;
    uint8_t message[32] = {ICMP6_NEIGHBOUR_SOLICITATION};
    struct packet6 packet = {.destination = ip_solicited_node(own), .ttl = 64};
    memcpy(message + 8, own.bytes, 16);
    peer6_send(&host, &packet, message, 24);
    packet.ttl = 255;
    message[1] = 1; /* a code that there is not */
    peer6_send(&host, &packet, message, 24);
    message[1] = 0;
    packet.wrong_checksum = true;
    peer6_send(&host, &packet, message, 24);
    packet.wrong_checksum = false;
    peer6_send(&host, &packet, message, 23); /* cut off */
    message[24] = 1;                         /* an option of length 0 */
    peer6_send(&host, &packet, message, 32);
    message[25] = 2; /* ... and one beyond the end */
    peer6_send(&host, &packet, message, 32);
    message[8] = 0xff; /* a group as target */
    message[25] = 1;
    peer6_send(&host, &packet, message, 32);
    assert_false(peer6_read(&host, &seen));
    assert_int_equal(host.stack->mib.Icmp6InErrors, 7);
    host_destroy(&host);
}

static void message_in_fragments_is_dropped(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    uint8_t message[32] = {IP_PROTOCOL_ICMP6, 0, 0, 0, 0, 0, 0, 1, ICMP6_NEIGHBOUR_SOLICITATION};
    struct packet6 packet = {.destination = ip_solicited_node(own), .protocol = IP6_FRAGMENT};
    memcpy(message + 16, own.bytes, 16);
    uint64_t sum = checksum_pseudo_header(PEER6, packet.destination, IP_PROTOCOL_ICMP6, (uint16_t)(24));
    wire_put_sum(message + 10, (uint16_t)~checksum_fold(checksum_add(sum, message + 8, 24)));
    peer6_send(&host, &packet, message, sizeof message);
    assert_false(peer6_read(&host, &seen));
    set(&host, "conf.all.suppress_frag_ndisc", "0");
    peer6_send(&host, &packet, message, sizeof message);
    assert_true(peer6_read_message(&host, ICMP6_NEIGHBOUR_SOLICITATION, &seen)); /* for the answer's sake */
    host_destroy(&host);
}

static void neighbour_is_asked_before_it_is_answered(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    peer6_ping(&host, PEER6, own, PEER6_MAC);
    assert_true(peer6_read(&host, &seen));
    assert_int_equal(seen.payload[0], ICMP6_NEIGHBOUR_SOLICITATION);
    assert_true(ip_equal(seen.source, own));
    assert_true(ip_equal(seen.destination, ip_solicited_node(PEER6)));
    assert_int_equal(seen.length, 32);
    assert_int_equal(seen.payload[24], ND_OPTION_SOURCE_MAC);
    peer6_advertise(&host, PEER6, 0x60, PEER6_MAC);
    assert_true(peer6_read_message(&host, ICMP6_ECHO_REPLY, &seen));
    assert_memory_equal(seen.mac, PEER6_MAC, 6);
    assert_int_equal(neighbour_lookup(host.stack, PEER6)->state, NEIGHBOUR_REACHABLE);
    host_destroy(&host);
}

static void silent_neighbour_is_asked_three_times(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    int asked = 0;
    peer6_ping(&host, PEER6, own, PEER6_MAC);
    host_run(&host, 10 * SECOND);
    while (peer6_read_message(&host, ICMP6_NEIGHBOUR_SOLICITATION, &seen))
        asked++;
    assert_int_equal(asked, 3);
    assert_null(neighbour_lookup(host.stack, PEER6));
    host_destroy(&host);
}

/* RFC 4861 section 7.2.5 and appendix C. */
static void advertisement_changes_an_entry_as_its_flags_say(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    peer6_advertise(&host, PEER6, 0x60, PEER6_MAC); /* of nobody who was asked: ignored */
    assert_null(neighbour_lookup(host.stack, PEER6));
    peer6_ping(&host, PEER6, own, PEER6_MAC);
    peer6_advertise(&host, PEER6, 0x60, NULL); /* without the address that is asked for */
    struct neighbour *entry = neighbour_lookup(host.stack, PEER6);
    assert_int_equal(entry->state, NEIGHBOUR_INCOMPLETE);
    peer6_advertise(&host, PEER6, 0x60, PEER6_MAC);
    assert_int_equal(entry->state, NEIGHBOUR_REACHABLE);
    peer6_advertise(&host, PEER6, 0x40, OTHER6_MAC); /* another, without override: only doubt */
    assert_memory_equal(entry->mac, PEER6_MAC, 6);
    assert_int_equal(entry->state, NEIGHBOUR_STALE);
    peer6_advertise(&host, PEER6, 0x40, OTHER6_MAC);
    assert_memory_equal(entry->mac, PEER6_MAC, 6);
    peer6_advertise(&host, PEER6, 0x20, OTHER6_MAC); /* with override: believed, not confirmed */
    assert_memory_equal(entry->mac, OTHER6_MAC, 6);
    assert_int_equal(entry->state, NEIGHBOUR_STALE);
    peer6_advertise(&host, PEER6, 0x40, NULL); /* an answer to a probe */
    assert_int_equal(entry->state, NEIGHBOUR_REACHABLE);
    assert_false(entry->is_router);
    peer6_advertise(&host, PEER6, 0xc0, NULL);
    assert_true(entry->is_router);
    host_destroy(&host);
}

static void table_keeps_its_gateway_whoever_asks(void **state) {
    (void)state;
    struct ip_address own, router = v6("fe80::1");
    struct host host = host6_settled(true, &own);
    peer6_router(&host, router, PEER6_MAC, &(struct advertisement6){.lifetime_s = 1800});
    for (uint32_t i = 0; i < 3 * NEIGHBOURS_MAX; i++) {
        struct ip_address other = v6("fe80::1:0:0:0");
        memcpy(other.bytes + 12, &i, 4);
        peer6_solicit(&host, other, ip_solicited_node(own), own, OTHER6_MAC);
        host_discard(&host);
    }
    assert_true(host.stack->neighbours.entries.used <= NEIGHBOURS_MAX);
    assert_non_null(neighbour_lookup(host.stack, router));
    host_destroy(&host);
}

static void optimistic_address_overrides_no_entry(void **state) {
    (void)state;
    struct host host = host6_create(false);
    struct ip_address own = own_of(&host);
    struct seen6 seen;
    host_run(&host, 10 * MS);
    host_discard(&host);
    peer6_solicit(&host, PEER6, ip_solicited_node(own), own, PEER6_MAC);
    assert_true(peer6_read_message(&host, ICMP6_NEIGHBOUR_ADVERTISEMENT, &seen));
    assert_int_equal(seen.payload[4], 0x40);
    peer6_ping(&host, v6("fe80::3"), own, PEER6_MAC);
    assert_true(peer6_read_message(&host, ICMP6_NEIGHBOUR_SOLICITATION, &seen));
    assert_int_equal(seen.length, 24); /* without our MAC address */
    host_destroy(&host);
}

static void conflict_about_an_address_in_use_is_told_and_changes_nothing(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    peer6_advertise(&host, own, 0x20, OTHER6_MAC);
    assert_int_equal(host.stack->ip6.addresses.conflicts, 1);
    assert_true(ip6_is_local(host.stack, own));
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stack_without_ipv6_says_nothing_of_it),
        cmocka_unit_test(new_stack_asks_whether_somebody_has_its_address),
        cmocka_unit_test(address_in_use_is_given_up_for_another),
        cmocka_unit_test(address_that_another_checks_too_is_given_up),
        cmocka_unit_test(own_question_that_comes_back_is_no_conflict),
        cmocka_unit_test(addresses_run_out_after_three_more_tries),
        cmocka_unit_test(users_address_that_is_in_use_stays_and_is_not_used),
        cmocka_unit_test(address_is_not_used_before_it_is_checked_without_optimistic_dad),
        cmocka_unit_test(neighbour_is_answered),
        cmocka_unit_test(checker_of_our_address_is_told_that_it_is_ours),
        cmocka_unit_test(messages_that_a_router_let_through_are_dropped),
        cmocka_unit_test(message_in_fragments_is_dropped),
        cmocka_unit_test(neighbour_is_asked_before_it_is_answered),
        cmocka_unit_test(silent_neighbour_is_asked_three_times),
        cmocka_unit_test(advertisement_changes_an_entry_as_its_flags_say),
        cmocka_unit_test(table_keeps_its_gateway_whoever_asks),
        cmocka_unit_test(optimistic_address_overrides_no_entry),
        cmocka_unit_test(conflict_about_an_address_in_use_is_told_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
