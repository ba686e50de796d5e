/* SPDX-License-Identifier: MIT */
/*
 * test_nd_router.c - nd_router.c, ip6_route.c, ip6_source.c, and what of ip6_addresses.c routers bring about.
 */
#include "stack/base/checksum.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip6_source.h"
#include "stack/ip/nd.h"
#include "stack/repair.h"
#include "tests/unit/peer6.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FIRST v6("fe80::1")
#define SECOND_ROUTER v6("fe80::99")
#define FAR v6("2001:db8:ffff::1")
#define ON_LINK 0x80
#define AUTONOMOUS 0x40
#define HIGH 0x08
#define LOW 0x18
#define HOUR (3600 * SECOND)

static void set(struct host *host, const char *name, const char *value) {
    char whole[80];
    snprintf(whole, sizeof whole, "net.ipv6.conf.barewire.%s", name);
    assert_int_equal(sysctl_set(&host->stack->sysctl, whole, value), 0);
}

static void advertise(struct host *host, struct ip_address router, uint8_t flags, uint16_t lifetime_s,
                      const uint8_t *options, uint32_t length) {
    const struct advertisement6 advertisement = {
        .flags = flags, .lifetime_s = lifetime_s, .options = options, .options_length = length};
    peer6_router(host, router, ip_equal(router, FIRST) ? PEER6_MAC : OTHER6_MAC, &advertisement);
}

static void advertise_prefix(struct host *host, const char *prefix, uint8_t flags, uint32_t valid_s,
                             uint32_t preferred_s) {
    uint8_t option[32];
    write_prefix(option, prefix, 64, flags, valid_s, preferred_s);
    advertise(host, FIRST, 0, 1800, option, sizeof option);
}

static const struct ip6_address *made_of(struct host *host, const char *prefix,
                                         enum ip6_address_origin origin) {
    const struct ip6_addresses *all = &host->stack->ip6.addresses;
    for (uint32_t i = 0; i < all->count; i++)
        if (all->entries[i].origin == origin && ip_equal(ip_prefix(all->entries[i].address, 64), v6(prefix)))
            return &all->entries[i];
    return NULL;
}

static uint64_t valid_s(const struct ip6_address *address) {
    return (address->valid_ns - now) / SECOND;
}

static bool goes_by(struct host *host, struct ip_address destination, struct ip_address next_hop) {
    struct ip_address way;
    return ip6_route_lookup(host->stack, destination, (struct ip_address){0}, &way) == 0 &&
           ip_equal(way, next_hop);
}

/* RFC 7559: 4 s, then twice as long each time, up to an hour. */
static void routers_are_asked_ever_less_often(void **state) {
    (void)state;
    struct host host = host6_create(true);
    struct seen6 seen;
    uint64_t last = now;
    int asked = 0;
    for (uint64_t end = now + 300 * SECOND; now < end;) {
        host_run(&host, 100 * MS);
        if (!peer6_read_message(&host, ICMP6_ROUTER_SOLICITATION, &seen))
            continue;
        assert_true(ip_equal(seen.destination, IP6_ALL_ROUTERS));
        assert_int_equal(seen.ttl, 255);
        if (asked > 0)
            assert_true(now - last >= (UINT64_C(3600) << (asked - 1)) * MS * 8 / 10);
        if (asked == 0)
            assert_int_equal(seen.length, 8); /* optimistic: without our MAC address */
        else
            assert_int_equal(seen.length, 16);
        last = now;
        asked++;
    }
    assert_in_range(asked, 6, 8);
    host_destroy(&host);
}

static void answered_question_is_not_asked_again(void **state) {
    (void)state;
    struct host host = host6_create(true);
    struct seen6 seen;
    host_run(&host, 10 * MS);
    assert_true(peer6_read_message(&host, ICMP6_ROUTER_SOLICITATION, &seen));
    advertise(&host, FIRST, 0, 1800, NULL, 0);
    host_run(&host, 1000 * SECOND);
    assert_false(peer6_read_message(&host, ICMP6_ROUTER_SOLICITATION, &seen));
    host_destroy(&host);
}

static void router_gives_a_way_and_an_address(void **state) {
    (void)state;
    struct ip_address own, source;
    struct host host = host6_settled(true, &own);
    assert_int_equal(ip6_reachable(host.stack, FAR), -ENETUNREACH);
    advertise_prefix(&host, "2001:db8::", ON_LINK | AUTONOMOUS, 86400, 14400);
    assert_int_equal(ip6_reachable(host.stack, FAR), 0);
    assert_true(goes_by(&host, FAR, FIRST));
    assert_true(goes_by(&host, v6("2001:db8::77"), v6("2001:db8::77")));
    const struct ip6_address *made = made_of(&host, "2001:db8::", IP6_ADDRESS_STABLE);
    assert_non_null(made);
    assert_int_equal(ip6_source(host.stack, FAR, 0, &source), 0);
    assert_true(ip_equal(source, made->address));
    assert_int_equal(ip6_source(host.stack, PEER6, 0, &source), 0);
    assert_true(ip_equal(source, own));
    host_destroy(&host);
}

static void router_goes_with_its_lifetime(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    advertise(&host, FIRST, 0, 100, NULL, 0);
    host_run(&host, 99 * SECOND);
    assert_true(goes_by(&host, FAR, FIRST));
    host_run(&host, 2 * SECOND);
    assert_false(goes_by(&host, FAR, FIRST));
    advertise(&host, FIRST, 0, 100, NULL, 0);
    advertise(&host, FIRST, 0, 0, NULL, 0); /* it says so itself */
    assert_false(goes_by(&host, FAR, FIRST));
    host_destroy(&host);
}

static void stranger_is_no_router(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    advertise(&host, v6("2001:db8::1"), 0, 1800, NULL, 0); /* not of the link */
    assert_int_equal(ip6_reachable(host.stack, FAR), -ENETUNREACH);
    set(&host, "accept_ra", "0");
    advertise(&host, FIRST, 0, 1800, NULL, 0);
    assert_int_equal(ip6_reachable(host.stack, FAR), -ENETUNREACH);
    host_destroy(&host);
}

static void messages_in_our_own_name_are_not_taken(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    struct seen6 seen;
    advertise(&host, own, 0, 1800, NULL, 0);
    assert_int_equal(ip6_reachable(host.stack, FAR), -ENETUNREACH);
    peer6_solicit(&host, own, ip_solicited_node(own), own, PEER6_MAC);
    host_run(&host, 3 * SECOND);
    assert_false(peer6_read_message(&host, ICMP6_NEIGHBOUR_ADVERTISEMENT, &seen));
    assert_int_equal(host.stack->ip6.addresses.conflicts, 0);
    host_destroy(&host);
}

/* RFC 4862 section 5.5.3 (e). */
static void nobody_takes_an_address_away_within_two_hours(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    advertise_prefix(&host, "2001:db8::", AUTONOMOUS, 86400, 14400);
    advertise_prefix(&host, "2001:db8::", AUTONOMOUS, 10, 10);
    assert_int_equal(valid_s(made_of(&host, "2001:db8::", IP6_ADDRESS_STABLE)), 7200);
    host_run(&host, HOUR);
    advertise_prefix(&host, "2001:db8::", AUTONOMOUS, 10, 10); /* less than that is left: ignored */
    assert_in_range(valid_s(made_of(&host, "2001:db8::", IP6_ADDRESS_STABLE)), 3599, 3600);
    advertise_prefix(&host, "2001:db8::", AUTONOMOUS, 7300, 10); /* more than two hours: taken */
    assert_in_range(valid_s(made_of(&host, "2001:db8::", IP6_ADDRESS_STABLE)), 7299, 7300);
    host_run(&host, 20 * SECOND);
    assert_true(made_of(&host, "2001:db8::", IP6_ADDRESS_STABLE)->flags & IP6_FLAG_DEPRECATED);
    host_run(&host, 7300 * SECOND);
    assert_null(made_of(&host, "2001:db8::", IP6_ADDRESS_STABLE));
    host_destroy(&host);
}

static void deprecated_address_is_used_last(void **state) {
    (void)state;
    struct ip_address own, source;
    struct host host = host6_settled(true, &own);
    advertise_prefix(&host, "2001:db8:1::", AUTONOMOUS, 86400, 100);
    host_run(&host, 5 * SECOND);
    advertise_prefix(&host, "2001:db8:2::", AUTONOMOUS, 86400, 86400);
    host_run(&host, 5 * SECOND);
    assert_int_equal(ip6_source(host.stack, v6("2001:db8:1::9"), 0, &source), 0);
    assert_true(ip_equal(ip_prefix(source, 64), v6("2001:db8:1::"))); /* the longest prefix */
    host_run(&host, 100 * SECOND);
    assert_int_equal(ip6_source(host.stack, v6("2001:db8:1::9"), 0, &source), 0);
    assert_true(ip_equal(ip_prefix(source, 64), v6("2001:db8:2::")));
    assert_true(ip6_is_local(host.stack, made_of(&host, "2001:db8:1::", IP6_ADDRESS_STABLE)->address));
    host_destroy(&host);
}

static void prefixes_that_make_no_address_make_none(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    uint8_t options[5 * 32];
    uint32_t length = write_prefix(options, "2001:db8::", 65, AUTONOMOUS, 100, 100);
    length += write_prefix(options + length, "fe80::", 64, AUTONOMOUS, 100, 100);
    length += write_prefix(options + length, "2001:db8::", 64, AUTONOMOUS, 100, 200); /* preferred > valid */
    length += write_prefix(options + length, "2001:db8::", 64, AUTONOMOUS, 0, 0);
    length += write_prefix(options + length, "ff0e::", 64, AUTONOMOUS, 100, 100);
    advertise(&host, FIRST, 0, 1800, options, length);
    assert_int_equal(host.stack->ip6.addresses.count, 1);
    host_destroy(&host);
}

static void flood_of_prefixes_is_bounded(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    for (uint32_t i = 0; i < 1000; i++) {
        char prefix[40];
        snprintf(prefix, sizeof prefix, "2001:db8:%x::", i);
        advertise_prefix(&host, prefix, ON_LINK | AUTONOMOUS, 86400, 86400);
        host_discard(&host);
    }
    assert_int_equal(host.stack->ip6.addresses.count, 1 + 16);
    assert_int_equal(host.stack->ip6.routes.count, IP6_TOLD_MAX);
    assert_true(goes_by(&host, FAR, FIRST));
    host_destroy(&host);
}

static void stable_address_is_the_same_each_time_and_another_elsewhere(void **state) {
    (void)state;
    static const uint8_t key[16] = {1, 2, 3};
    struct ip_address made[3];
    for (int i = 0; i < 3; i++) {
        struct stack_config config = {
            .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .ip6 = {.on = true, .autoconf = true}};
        memcpy(config.key, key, sizeof key);
        struct host host = host_create_configured(&config);
        const char *prefix = i < 2 ? "2001:db8:1::" : "2001:db8:2::";
        host_run(&host, 5 * SECOND);
        advertise_prefix(&host, prefix, AUTONOMOUS, 86400, 86400);
        made[i] = made_of(&host, prefix, IP6_ADDRESS_STABLE)->address;
        host_destroy(&host);
    }
    assert_true(ip_equal(made[0], made[1]));
    assert_memory_not_equal(made[0].bytes + 8, made[2].bytes + 8, 8);
}

static void temporary_address_is_preferred_if_wished_and_renewed(void **state) {
    (void)state;
    struct ip_address own, source, first;
    struct host host = host6_settled(true, &own);
    set(&host, "use_tempaddr", "2");
    advertise_prefix(&host, "2001:db8::", AUTONOMOUS, UINT32_MAX, UINT32_MAX);
    host_run(&host, 5 * SECOND);
    first = made_of(&host, "2001:db8::", IP6_ADDRESS_TEMPORARY)->address;
    assert_int_equal(ip6_source(host.stack, FAR, 0, &source), 0);
    assert_true(ip_equal(source, first));
    assert_int_equal(ip6_source(host.stack, FAR, IP6_PREFER_PUBLIC, &source), 0);
    assert_false(ip_equal(source, first));
    struct socket *usual = make_socket(&host, SOCK_DGRAM, 0, 0),
                  *public = make_socket(&host, SOCK_DGRAM, 0, 0);
    usual->options.inet6 = public->options.inet6 = true;
    public->options.six.source_preferences = IP6_PREFER_PUBLIC; /* IPV6_ADDR_PREFERENCES */
    assert_int_equal(socket_connect(host.stack, usual, FAR, 9), 0);
    assert_int_equal(socket_connect(host.stack, public, FAR, 9), 0);
    assert_true(ip_equal(usual->datagram->binding.address, first));
    assert_true(ip_equal(public->datagram->binding.address, source));
    socket_release(host.stack, usual);
    socket_release(host.stack, public);
    host_run(&host, 25 * HOUR); /* temp_prefered_lft is a day */
    assert_int_equal(ip6_source(host.stack, FAR, 0, &source), 0);
    assert_false(ip_equal(source, first));
    assert_true(ip6_address_find(host.stack, source)->flags & IP6_FLAG_TEMPORARY);
    assert_true(ip6_address_find(host.stack, first)->flags & IP6_FLAG_DEPRECATED);
    host_run(&host, 7 * 24 * HOUR);
    assert_null(ip6_address_find(host.stack, first));
    assert_true(host.stack->ip6.addresses.count <= 16);
    host_destroy(&host);
}

/* RFC 4861 section 6.3.6: a router that does not answer is left for another. */
static void router_that_is_gone_is_left_for_another(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    struct seen6 seen;
    advertise_prefix(&host, "2001:db8::", AUTONOMOUS, 86400, 86400);
    advertise(&host, FIRST, HIGH, 1800, NULL, 0);
    advertise(&host, SECOND_ROUTER, LOW, 1800, NULL, 0);
    host_run(&host, 5 * SECOND);
    assert_true(goes_by(&host, FAR, FIRST));
    struct ip_address source;
    assert_int_equal(ip6_source(host.stack, FAR, 0, &source), 0);
    peer6_ping(&host, FAR, source, PEER6_MAC); /* the answer goes by the router, which gets doubtful */
    host_run(&host, 30 * SECOND);
    assert_true(goes_by(&host, FAR, SECOND_ROUTER));
    host_discard(&host);
    /* It is asked now and then while packets leave, and taken again when it answers. */
    host_run(&host, 61 * SECOND);
    peer6_ping(&host, FAR, source, PEER6_MAC);
    bool asked = false;
    while (peer6_read_message(&host, ICMP6_NEIGHBOUR_SOLICITATION, &seen))
        asked |= ip_equal(ip_from_bytes(seen.payload + 8), FIRST);
    assert_true(asked);
    peer6_advertise(&host, FIRST, 0xe0, PEER6_MAC);
    assert_true(goes_by(&host, FAR, FIRST));
    host_destroy(&host);
}

/* RFC 4191. */
static void router_that_prefers_itself_is_used(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    advertise(&host, FIRST, LOW, 1800, NULL, 0);
    advertise(&host, SECOND_ROUTER, 0, 1800, NULL, 0);
    assert_true(goes_by(&host, FAR, SECOND_ROUTER));
    advertise(&host, FIRST, HIGH, 1800, NULL, 0);
    assert_true(goes_by(&host, FAR, FIRST));
    advertise(&host, FIRST, 0x10, 1800, NULL, 0); /* reserved: as if nothing was said */
    advertise(&host, SECOND_ROUTER, LOW, 1800, NULL, 0);
    assert_true(goes_by(&host, FAR, FIRST));
    host_destroy(&host);
}

static void router_that_says_it_is_none_is_left(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    advertise(&host, FIRST, 0, 1800, NULL, 0);
    assert_true(goes_by(&host, FAR, FIRST));
    peer6_advertise(&host, FIRST, 0x20, PEER6_MAC);
    assert_false(goes_by(&host, FAR, FIRST));
    host_destroy(&host);
}

/* RFC 8028. */
static void packets_go_by_the_router_that_gave_their_source(void **state) {
    (void)state;
    struct ip_address own, way;
    struct host host = host6_settled(true, &own);
    uint8_t option[32];
    write_prefix(option, "2001:db8:1::", 64, ON_LINK | AUTONOMOUS, 86400, 86400);
    advertise(&host, FIRST, 0, 1800, option, sizeof option);
    write_prefix(option, "2001:db8:2::", 64, ON_LINK | AUTONOMOUS, 86400, 86400);
    advertise(&host, SECOND_ROUTER, 0, 1800, option, sizeof option);
    host_run(&host, 5 * SECOND);
    struct ip_address second = made_of(&host, "2001:db8:2::", IP6_ADDRESS_STABLE)->address;
    assert_int_equal(ip6_route_lookup(host.stack, FAR, second, &way), 0);
    assert_true(ip_equal(way, SECOND_ROUTER));
    host_destroy(&host);
}

static void routes_of_routers_are_taken_as_far_as_wished(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    uint8_t option[16] = {ND_OPTION_ROUTE, 2, 48, HIGH, 0, 0, 0x10, 0, 0x20, 1, 0x0d, 0xb8, 0, 9};
    advertise(&host, FIRST, 0, 1800, NULL, 0);
    advertise(&host, SECOND_ROUTER, 0, 0, option, sizeof option);
    assert_true(goes_by(&host, v6("2001:db8:9::1"), FIRST));
    set(&host, "accept_ra_rt_info_max_plen", "64");
    advertise(&host, SECOND_ROUTER, 0, 0, option, sizeof option);
    assert_true(goes_by(&host, v6("2001:db8:9::1"), SECOND_ROUTER));
    assert_true(goes_by(&host, FAR, FIRST));
    host_destroy(&host);
}

static void redirect(struct host *host, struct ip_address from, struct ip_address target,
                     struct ip_address destination, uint8_t ttl) {
    uint8_t message[48] = {ICMP6_REDIRECT};
    const struct packet6 packet = {.source = from, .ttl = ttl};
    memcpy(message + 8, target.bytes, 16);
    memcpy(message + 24, destination.bytes, 16);
    message[40] = ND_OPTION_TARGET_MAC;
    message[41] = 1;
    memcpy(message + 42, OTHER6_MAC, 6);
    peer6_send(host, &packet, message, sizeof message);
}

static void redirect_is_taken_of_the_router_in_use_alone(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    advertise(&host, FIRST, 0, 1800, NULL, 0);
    redirect(&host, v6("fe80::66"), SECOND_ROUTER, FAR, 255); /* another's */
    redirect(&host, FIRST, SECOND_ROUTER, FAR, 254);          /* from beyond the link */
    redirect(&host, FIRST, v6("2001:db8::9"), FAR, 255);      /* to no router's link-local address */
    redirect(&host, FIRST, SECOND_ROUTER, v6("ff0e::1"), 255);
    assert_true(goes_by(&host, FAR, FIRST));
    redirect(&host, FIRST, SECOND_ROUTER, FAR, 255);
    assert_true(goes_by(&host, FAR, SECOND_ROUTER));
    assert_true(goes_by(&host, v6("2001:db8:ffff::2"), FIRST));
    assert_memory_equal(neighbour_lookup(host.stack, SECOND_ROUTER)->mac, OTHER6_MAC, 6);
    redirect(&host, SECOND_ROUTER, FAR, FAR, 255); /* it is on the link itself */
    assert_true(goes_by(&host, FAR, FAR));
    assert_memory_equal(neighbour_lookup(host.stack, FAR)->mac, OTHER6_MAC, 6);
    host_destroy(&host);
}

static void redirects_are_bounded(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    advertise(&host, FIRST, 0, 1800, NULL, 0);
    for (uint32_t i = 0; i < 200; i++) {
        struct ip_address destination = FAR;
        memcpy(destination.bytes + 12, &i, 4);
        redirect(&host, FIRST, SECOND_ROUTER, destination, 255);
    }
    assert_int_equal(host.stack->ip6.routes.count, 1 + IP6_REDIRECTS_MAX);
    host_destroy(&host);
}

static void link_is_as_the_router_says(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    uint8_t option[8] = {ND_OPTION_MTU, 1, 0, 0, 0, 0, 0x05, 0x78}; /* 1400 */
    const struct advertisement6 advertisement = {.hop_limit = 33,
                                                 .reachable_ms = 20000,
                                                 .retransmit_ms = 500,
                                                 .options = option,
                                                 .options_length = sizeof option};
    peer6_router(&host, FIRST, PEER6_MAC, &advertisement);
    assert_int_equal(ip6_link_mtu(host.stack), 1400);
    assert_int_equal(ip6_hop_limit(host.stack), 33);
    assert_int_equal(host.stack->ip6.reachable_ns, 20 * SECOND);
    assert_int_equal(host.stack->ip6.retransmit_ns, 500 * MS);
    wire_put32(option + 4, 1279); /* less than any link has */
    peer6_router(&host, FIRST, PEER6_MAC, &advertisement);
    assert_int_equal(ip6_link_mtu(host.stack), 1400);
    wire_put32(option + 4, 9000); /* more than the NIC */
    peer6_router(&host, FIRST, PEER6_MAC, &advertisement);
    assert_int_equal(ip6_link_mtu(host.stack), 1400);
    host_destroy(&host);
}

static void names_are_as_the_router_says_for_as_long(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    uint8_t options[24 + 40] = {ND_OPTION_RDNSS, 3, 0, 0, 0, 0, 0, 100};
    uint8_t *domains = options + 24;
    static const uint8_t names[] = "\7example\3org\0\3lab\0";
    memcpy(options + 8, v6("2001:db8::53").bytes, 16);
    domains[0] = ND_OPTION_DNSSL;
    domains[1] = 5;
    wire_put32(domains + 4, 200);
    memcpy(domains + 8, names, sizeof names);
    advertise(&host, FIRST, 0, 1800, options, sizeof options);
    const struct nd_router *router = &host.stack->ip6.router;
    assert_int_equal(router->dns_count, 1);
    assert_true(ip_equal(router->dns[0].address, v6("2001:db8::53")));
    assert_int_equal(router->domain_count, 2);
    assert_string_equal(router->domains[0].name, "example.org");
    assert_string_equal(router->domains[1].name, "lab");
    host_run(&host, 101 * SECOND);
    assert_int_equal(router->dns_count, 0);
    assert_int_equal(router->domain_count, 2);
    host_run(&host, 100 * SECOND);
    assert_int_equal(router->domain_count, 0);
    host_destroy(&host);
}

static void names_that_are_none_are_not_taken(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(true, &own);
    uint8_t option[24] = {ND_OPTION_DNSSL, 3, 0, 0, 0, 0, 1, 0, 63, 'a'}; /* goes beyond its end */
    advertise(&host, FIRST, 0, 1800, option, sizeof option);
    static const uint8_t spaced[16] = "\5a b\nc\0";
    memcpy(option + 8, spaced, sizeof spaced);
    advertise(&host, FIRST, 0, 1800, option, sizeof option);
    assert_int_equal(host.stack->ip6.router.domain_count, 0);
    host_destroy(&host);
}

static void tunables_go_by_the_name_of_any_interface(void **state) {
    (void)state;
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct sysctl *sysctl = &host.stack->sysctl;
    char text[SYSCTL_TEXT_BYTES];
    assert_int_equal(sysctl_set(sysctl, "net.ipv6.conf.eth0.hop_limit", "7"), 0);
    assert_int_equal(sysctl_get(sysctl, "net/ipv6/conf/default/hop_limit", text), 0);
    assert_string_equal(text, "7");
    assert_int_equal(ip6_hop_limit(host.stack), 7);
    assert_int_equal(sysctl_set(sysctl, "net.ipv6.neigh.eth0.hop_limit", "7"), -ENOENT);
    assert_int_equal(sysctl_set(sysctl, "net.ipv6.neigh.eth0.ucast_solicit", "5"), 0);
    assert_int_equal(sysctl_set(sysctl, "net.ipv6.conf.eth0.ucast_solicit", "5"), -ENOENT);
    assert_int_equal(sysctl_set(sysctl, "net.ipv6.conf.hop_limit", "7"), -ENOENT);
    assert_int_equal(sysctl_get(sysctl, "net.ipv6.conf.all.router_solicitations", text), 0);
    assert_string_equal(text, "-1");
    assert_int_equal(sysctl_set(sysctl, "net.ipv6.conf.all.router_solicitations", "-1"), 0);
    assert_int_equal(sysctl_set(sysctl, "net.ipv6.conf.all.router_solicitations", "-2"), -EINVAL);
    host_destroy(&host);
}

/* See repair.h: a user died while it changed what is known of the network. */
static void repair_begins_anew_with_the_same_addresses(void **state) {
    (void)state;
    struct ip_address own, user = v6("2001:db8::10");
    struct host host = host6_settled(true, &own);
    advertise_prefix(&host, "2001:db8:1::", ON_LINK | AUTONOMOUS, 86400, 86400);
    host.stack->config.ip6.address = user;
    host.stack->config.ip6.prefix_length = 64;
    assert_int_equal(ip6_address_add(host.stack, user, 64, IP6_ADDRESS_USER, NULL), 0);
    struct ip_address stable = made_of(&host, "2001:db8:1::", IP6_ADDRESS_STABLE)->address;
    host_run(&host, 5 * SECOND);
    host_discard(&host);
    for (int torn = 0; torn < 2; torn++) {
        if (torn) {
            stack_work_on(host.stack, &host.stack->ip6);
            host.stack->ip6.routes.count = 12345;
            memset(&host.stack->ip6.router, 0xff, sizeof host.stack->ip6.router);
        }
        stack_repair_memory(host.stack);
        assert_true(stack_repair(host.stack, now, NULL));
        assert_true(ip6_is_local(host.stack, own));
        assert_true(ip6_is_local(host.stack, user));
        assert_int_equal(ip6_is_local(host.stack, stable), !torn);
        host_run(&host, 5 * SECOND);
        advertise_prefix(&host, "2001:db8:1::", ON_LINK | AUTONOMOUS, 86400, 86400);
        assert_true(ip6_is_local(host.stack, stable));
        assert_true(goes_by(&host, FAR, FIRST));
        assert_true(multicast_wants(host.stack, ip_solicited_node(stable), PEER6));
        host_run(&host, 5 * SECOND);
        host_discard(&host);
    }
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routers_are_asked_ever_less_often),
        cmocka_unit_test(answered_question_is_not_asked_again),
        cmocka_unit_test(router_gives_a_way_and_an_address),
        cmocka_unit_test(router_goes_with_its_lifetime),
        cmocka_unit_test(stranger_is_no_router),
        cmocka_unit_test(messages_in_our_own_name_are_not_taken),
        cmocka_unit_test(nobody_takes_an_address_away_within_two_hours),
        cmocka_unit_test(deprecated_address_is_used_last),
        cmocka_unit_test(prefixes_that_make_no_address_make_none),
        cmocka_unit_test(flood_of_prefixes_is_bounded),
        cmocka_unit_test(stable_address_is_the_same_each_time_and_another_elsewhere),
        cmocka_unit_test(temporary_address_is_preferred_if_wished_and_renewed),
        cmocka_unit_test(router_that_is_gone_is_left_for_another),
        cmocka_unit_test(router_that_prefers_itself_is_used),
        cmocka_unit_test(router_that_says_it_is_none_is_left),
        cmocka_unit_test(packets_go_by_the_router_that_gave_their_source),
        cmocka_unit_test(routes_of_routers_are_taken_as_far_as_wished),
        cmocka_unit_test(redirect_is_taken_of_the_router_in_use_alone),
        cmocka_unit_test(redirects_are_bounded),
        cmocka_unit_test(link_is_as_the_router_says),
        cmocka_unit_test(names_are_as_the_router_says_for_as_long),
        cmocka_unit_test(names_that_are_none_are_not_taken),
        cmocka_unit_test(tunables_go_by_the_name_of_any_interface),
        cmocka_unit_test(repair_begins_anew_with_the_same_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
