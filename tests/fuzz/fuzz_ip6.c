/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ip6.c - IPv6 into a stack that has nothing else: headers and their extensions, fragments, Neighbor
 * Discovery, Multicast Listener Discovery, DHCPv6.
 *
 * An input is a list of steps, each a byte for what, two for how long, and so many bytes. What is in the way
 * of the first checks (our addresses, checksums, a transaction) is put right.
 */
#include "stack/base/checksum.h"
#include "stack/dhcp/dhcp6.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/nd.h"
#include "tests/fuzz/target.h"

enum step {
    STEP_FRAME,   /* as it is, but for our addresses and ICMPv6's checksum */
    STEP_PACKET,  /* a byte that says to whom and how, the next header's number, the rest */
    STEP_MESSAGE, /* ICMPv6 from the link: a byte that says from whom and to whom, the message */
    STEP_DHCP,    /* a server's message */
    STEP_TIME,
    STEP_COUNT
};

static struct stack *stack;
static const struct ip_address PEER = {.bytes = {0xfe, 0x80, [15] = 2}};
static const uint8_t PEER_MAC[6] = {2, 0, 0, 0, 0, 2};

static struct ip_address own(void) {
    const struct ip6_addresses *all = &stack->ip6.addresses;
    return all->count ? all->entries[all->count - 1].address : IP6_ALL_NODES;
}

/* Where a packet goes: to one of our addresses, its group, all nodes, or nobody here. */
static struct ip_address destination_of(uint8_t choice) {
    switch (choice & 3) {
    case 0:
        return own();
    case 1:
        return ip_solicited_node(own());
    case 2:
        return IP6_ALL_NODES;
    default:
        return PEER;
    }
}

/* If a packet ends with a message of ICMPv6, puts its checksum right. */
static void seal(uint8_t *ip, uint32_t length) {
    uint8_t protocol;
    uint32_t at;
    if (!ip6_find_transport(ip, length, &protocol, &at) || protocol != IP_PROTOCOL_ICMP6 || length - at < 4)
        return;
    uint64_t sum = checksum_pseudo_header(ip_from_bytes(ip + 8), ip_from_bytes(ip + 24), IP_PROTOCOL_ICMP6,
                                          (uint16_t)(length - at));
    wire_put16(ip + at + 2, 0);
    wire_put_sum(ip + at + 2, (uint16_t)~checksum_fold(checksum_add(sum, ip + at, length - at)));
}

static void frame_of(uint8_t *frame, uint32_t length) {
    uint8_t *ip = frame + ETHER_HEADER_BYTES;
    memcpy(frame + 6, PEER_MAC, 6);
    memcpy(frame, stack->config.mac, 6);
    if (ip[24] == 0xff)
        ip6_group_mac(ip_from_bytes(ip + 24), frame);
    wire_put16(frame + 12, ETHER_TYPE_IP6);
    seal(ip, length);
    target_input(stack, frame, ETHER_HEADER_BYTES + length);
}

static void input_frame(const uint8_t *data, uint32_t length) {
    uint8_t frame[16384];
    uint8_t *ip = frame + ETHER_HEADER_BYTES;
    if (length < ETHER_HEADER_BYTES + IP6_HEADER_BYTES || length > sizeof frame) {
        target_input(stack, data, length);
        return;
    }
    memcpy(frame, data, length);
    if (ip_is_link_local(ip_from_bytes(ip + 24)))
        memcpy(ip + 24, own().bytes, 16);
    frame_of(frame, length - ETHER_HEADER_BYTES);
}

static void packet(uint8_t protocol, uint8_t hop_limit, struct ip_address source,
                   struct ip_address destination, const uint8_t *data, uint32_t length) {
    uint8_t frame[16384 + 100];
    uint8_t *ip = frame + ETHER_HEADER_BYTES;
    wire_put32(ip, 6u << 28);
    wire_put16(ip + 4, (uint16_t)length);
    ip[6] = protocol;
    ip[7] = hop_limit;
    memcpy(ip + 8, source.bytes, 16);
    memcpy(ip + 24, destination.bytes, 16);
    memcpy(ip + IP6_HEADER_BYTES, data, length);
    frame_of(frame, IP6_HEADER_BYTES + length);
}

static void input_packet(const uint8_t *data, uint32_t length) {
    if (length < 2 || length > 16384)
        return;
    packet(data[1], data[0] & 4 ? 255 : 64, PEER, destination_of(data[0]), data + 2, length - 2);
}

static void input_message(const uint8_t *data, uint32_t length) {
    uint8_t message[2000];
    if (length < 9 || length > sizeof message)
        return;
    memcpy(message, data + 1, length - 1);
    if (data[0] & 8 && length >= 25) /* about one of ours */
        memcpy(message + 8, own().bytes, 16);
    struct ip_address source = data[0] & 4 ? (struct ip_address){.bytes = {0}} : PEER;
    bool listeners = message[0] == ICMP6_MLD_QUERY || message[0] == ICMP6_MLD_REPORT;
    packet(IP_PROTOCOL_ICMP6, listeners ? 1 : 255, source, destination_of(data[0]), message, length - 1);
}

static void input_dhcp(const uint8_t *data, uint32_t length) {
    uint8_t datagram[1400];
    uint8_t *message = datagram + UDP_HEADER_BYTES;
    uint32_t total = UDP_HEADER_BYTES + 4 + 14 + length;
    if (length < 1 || total > sizeof datagram)
        return;
    wire_put16(datagram, DHCP6_SERVER_PORT);
    wire_put16(datagram + 2, DHCP6_CLIENT_PORT);
    wire_put16(datagram + 4, (uint16_t)total);
    wire_put16(datagram + 6, 0);
    wire_put32(message, (uint32_t)data[0] << 24 | (stack->ip6.dhcp6.transaction & 0xffffff));
    memcpy(message + 4, (uint8_t[8]){0, 1, 0, 10, 0, 3, 0, 1}, 8);
    memcpy(message + 12, stack->config.mac, 6);
    memcpy(message + 18, data + 1, length - 1);
    uint64_t sum = checksum_pseudo_header(PEER, own(), IP_PROTOCOL_UDP, (uint16_t)total);
    wire_put_sum(datagram + 6, (uint16_t)~checksum_fold(checksum_add(sum, datagram, total)));
    packet(IP_PROTOCOL_UDP, 64, PEER, own(), datagram, total);
}

static void check(void) {
    const struct ip6 *ip6 = &stack->ip6;
    target_expect(ip6->addresses.count <= IP6_ADDRESSES_MAX && ip6->routes.count <= IP6_ROUTES_MAX, "bounds");
    target_expect(ip6_link_mtu(stack) >= IP6_MTU_MIN && ip6_link_mtu(stack) <= 1500, "the MTU");
    target_expect(ip6_hop_limit(stack) > 0, "the hop limit");
    target_expect(ip6->retransmit_ns >= SECOND / 10 && ip6->reachable_ns >= SECOND / 10, "the link's times");
    target_expect(stack->neighbours.entries.used <= NEIGHBOURS_MAX, "neighbours");
    target_expect(stack->reassemblies.storage <= IP_REASSEMBLY_BYTES_MAX + IP_REASSEMBLY_DATAGRAM_MAX,
                  "fragments");
    for (uint32_t i = 0; i < ip6->addresses.count; i++) {
        struct ip_address address = ip6->addresses.entries[i].address;
        target_expect(!ip_is_v4(address) && !ip_is_multicast(address) && !ip_is_any(address) &&
                          !ip_is_loopback(address),
                      "an address for hosts");
    }
    for (uint32_t i = 0; i < ip6->router.domain_count; i++)
        target_expect(memchr(ip6->router.domains[i].name, 0, ND_DOMAIN_BYTES), "a domain's end");
}

static void do_step(enum step step, const uint8_t *data, uint32_t length) {
    switch (step) {
    case STEP_FRAME:
        input_frame(data, length);
        break;
    case STEP_PACKET:
        input_packet(data, length);
        break;
    case STEP_MESSAGE:
        input_message(data, length);
        break;
    case STEP_DHCP:
        input_dhcp(data, length);
        break;
    case STEP_TIME:
        target_run(stack, (uint64_t)(length ? data[0] : 1) * (length > 1 ? data[1] : 1) * (SECOND / 10));
        break;
    case STEP_COUNT:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stack = target_stack(0);
    stack->config.ip6 = (struct ip6_config){.on = true, .autoconf = true};
    ip6_init(stack);
    if (size >= 1)
        stack->sysctl.ip6_use_tempaddr = data[0] % 3;
    target_run(stack, SECOND / 10);
    while (size >= 3) {
        uint32_t length = wire_get16(data + 1);
        enum step step = data[0] % STEP_COUNT;
        data += 3;
        size -= 3;
        length = length < size ? length : (uint32_t)size;
        do_step(step, data, length);
        check();
        data += length;
        size -= length;
    }
    target_end(stack);
    return 0;
}
