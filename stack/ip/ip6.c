/* SPDX-License-Identifier: MIT */
/*
 * ip6.c - see ip6.h.
 */
#include "stack/ip/ip6.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip6_fragment.h"
#include "stack/ip/ip6_source.h"
#include "stack/ip/mld.h"
#include "stack/link/ether.h"
#include "stack/stack.h"
#include "stack/tcp/tcp_input.h"
#include <errno.h>

#define EXTENSIONS_MAX (FRAME_HEADER_MAX - FRAME_IP_AT - IP6_HEADER_BYTES) /* with the transport's header */

const struct ip_address IP6_ALL_NODES = {.bytes = {0xff, 2, [15] = 1}};
const struct ip_address IP6_ALL_ROUTERS = {.bytes = {0xff, 2, [15] = 2}};

static void begin_interface(struct stack *stack) {
    struct ip6 *ip6 = &stack->ip6;
    ip6->mtu = 0;
    ip6->hop_limit = 0;
    ip6->reachable_ns = NEIGHBOUR_REACHABLE_NS;
    ip6->retransmit_ns = NEIGHBOUR_RETRANSMIT_NS;
    nd_router_init(stack);
    dhcp6_init(stack);
}

/* What the user said. */
static void add_configured(struct stack *stack) {
    const struct ip6_config *config = &stack->config.ip6;
    if (!ip_is_any(config->address))
        ip6_address_add(stack, config->address, config->prefix_length, IP6_ADDRESS_USER, NULL);
    for (uint32_t i = 0; i < config->more_count && i < IP6_MORE_MAX; i++)
        ip6_address_add(stack, config->more[i].address, config->more[i].prefix_length, IP6_ADDRESS_USER,
                        NULL);
    if (!ip_is_any(config->gateway)) {
        struct ip6_route route = {.gateway = config->gateway, .until_ns = TIMER_NEVER};
        ip6_route_add(stack, &route);
    }
}

void ip6_repair(struct stack *stack) {
    struct ip6 *ip6 = &stack->ip6;
    list_init(&ip6->timer.link);
    if (stack->at_work == ip6) {
        begin_interface(stack);
        ip6->addresses.count = ip6->routes.count = 0; /* whatever was being moved there */
        stack->changes++;
        if (ip6->on && !ip6->begins) {
            ip6_addresses_start(stack);
            add_configured(stack);
        }
    } else if (ip6->on && !ip6->begins) {
        ip6_addresses_join(stack);
    }
    ip6_anycast_rejoin(stack);
    ip6_wake(stack);
}

void ip6_init(struct stack *stack) {
    struct ip6 *ip6 = &stack->ip6;
    static const uint64_t key[2] = {0x6970362061646472, 0x6970362072656473};
    timer_init(&ip6->timer, TIMER_IP6);
    /* The same for all stacks of one boot, so that addresses are. */
    for (int i = 0; i < 2; i++) {
        uint64_t own[2] = {key[0], key[1] + (uint64_t)i};
        ip6->key[i] = siphash(own, stack->isn_key, sizeof stack->isn_key);
    }
    begin_interface(stack);
    ip6->on = stack->config.ip6.on && stack->config.mtu >= IP6_MTU_MIN;
    ip6->begins = ip6->on;
    if (ip6->on)
        timer_start(&stack->timers, &ip6->timer, stack->now_ns);
}

void ip6_wake(struct stack *stack) {
    uint64_t due[] = {ip6_addresses_due(stack), ip6_routes_due(stack), nd_router_due(stack),
                      dhcp6_due(stack)};
    uint64_t first_ns = stack->ip6.begins ? stack->now_ns : TIMER_NEVER;
    for (size_t i = 0; i < sizeof due / sizeof *due; i++)
        first_ns = due[i] < first_ns ? due[i] : first_ns;
    if (first_ns == TIMER_NEVER)
        timer_stop(&stack->timers, &stack->ip6.timer);
    else
        timer_start(&stack->timers, &stack->ip6.timer, first_ns);
}

void ip6_begin(struct stack *stack) {
    if (!stack->ip6.begins)
        return;
    stack->ip6.begins = false;
    stack->ip6.begun_ns = stack->now_ns;
    ip6_addresses_start(stack);
    add_configured(stack);
    ip6_wake(stack);
}

void ip6_timer(struct stack *stack) {
    stack_work_on(stack, &stack->ip6);
    ip6_begin(stack);
    mld_tell(stack, NULL); /* before an address is checked: so that switches let the answer through */
    ip6_addresses_run(stack);
    ip6_routes_run(stack);
    nd_router_run(stack);
    dhcp6_run(stack);
    ip6_wake(stack);
    stack_work_on(stack, NULL);
}

bool ip6_is_local(const struct stack *stack, struct ip_address address) {
    const struct ip6_addresses *addresses = &stack->ip6.addresses;
    if (ip_is_loopback(address))
        return stack->config.loopback;
    for (uint32_t i = 0; i < addresses->count; i++)
        if (ip_equal(addresses->entries[i].address, address))
            return ip6_address_usable(&addresses->entries[i]);
    return false;
}

#define LEASING_NS UINT64_C(2000000000) /* the first message, its answer, and once again */
#define ASKING_NS \
    UINT64_C(1500000000) /* a router on the link takes up to half a second (RFC 4861 section 6.2.6) */

/* Whether a DHCPv6 server is being asked for the only address that there will be. */
static bool awaits_lease(const struct ip6 *ip6) {
    for (uint32_t i = 0; i < ip6->addresses.count; i++)
        if (!ip_is_link_local(ip6->addresses.entries[i].address))
            return false;
    return ip6->dhcp6.state == DHCP6_SOLICITING || ip6->dhcp6.state == DHCP6_REQUESTING;
}

bool ip6_is_asking(const struct stack *stack) {
    const struct ip6 *ip6 = &stack->ip6;
    uint64_t since_ns = stack->now_ns - ip6->begun_ns;
    bool awaited = ip6->router.asking && !ip6->router.answered;
    return ip6->on && stack->config.ip6.autoconf &&
           (ip6->begins || (awaited && since_ns < ASKING_NS) ||
            (awaits_lease(ip6) && since_ns < ASKING_NS + LEASING_NS));
}

int ip6_reachable(const struct stack *stack, struct ip_address destination) {
    struct ip_address way;
    if (ip6_is_local(stack, destination)) /* ::1, also where there is no IPv6 on the link */
        return 0;
    if (!stack->ip6.on)
        return -ENETUNREACH;
    if (ip6_source(stack, destination, 0, &way))
        return -ENETUNREACH;
    return ip_is_multicast(destination) ? 0
                                        : ip6_route_lookup(stack, destination, (struct ip_address){0}, &way);
}

uint32_t ip6_link_mtu(const struct stack *stack) {
    uint32_t mtu = stack->ip6.mtu && stack->ip6.mtu < stack->config.mtu ? stack->ip6.mtu : stack->config.mtu;
    return mtu > IP6_MTU_MIN ? mtu : IP6_MTU_MIN; /* DHCP's MTU may be less, the NIC's is not */
}

uint8_t ip6_hop_limit(const struct stack *stack) {
    return stack->ip6.hop_limit ? stack->ip6.hop_limit : (uint8_t)stack->sysctl.ip6_hop_limit;
}

void ip6_confirm(struct stack *stack, struct ip_address destination) {
    struct ip_address next_hop;
    if (!ip6_is_local(stack, destination) &&
        ip6_route_lookup(stack, destination, (struct ip_address){0}, &next_hop) == 0)
        neighbour_confirm(stack, next_hop);
}

void ip6_group_mac(struct ip_address group, uint8_t mac[6]) {
    mac[0] = mac[1] = 0x33;
    memcpy(mac + 2, group.bytes + 12, 4);
}

/* RFC 2675: a length of 0 before hop-by-hop options is told in these; what else there is to see is all. */
static bool tells_length_later(const uint8_t *header) {
    return wire_get16(header + 4) == 0 && header[6] == IP6_HOP_BY_HOP;
}

/* Checks what needs no more than the header, and trims link padding. */
static bool check_header(struct stack *stack, struct buffer *chain) {
    const uint8_t *header = buffer_data(chain);
    uint32_t present = buffer_chain_length(chain);
    if (buffer_length(chain) < IP6_HEADER_BYTES || header[0] >> 4 != 6) {
        stack->mib.Ip6InHdrErrors++;
        return false;
    }
    uint32_t total = IP6_HEADER_BYTES + wire_get16(header + 4);
    if (total > present) {
        stack->mib.Ip6InTruncatedPkts++;
        return false;
    }
    if (total < present && !tells_length_later(header))
        buffer_trim_back(&stack->buffers, chain, total);
    return true;
}

/* Addresses that no packet from the wire may bear: loopback (RFC 4291 section 2.5.3), an IPv4 address, a
 * group as the source, groups of scope 0 and 1. */
static bool is_martian(const struct ip_packet *packet) {
    struct ip_address source = packet->source, destination = packet->destination;
    bool group = ip_is_multicast(destination);
    if (ip_is_multicast(source) || ip_is_v4(source) || ip_is_v4(destination) || ip_is_any(destination) ||
        (group && ip_scope(destination) == 0))
        return true;
    return !packet->looped && (ip_is_loopback(source) || ip_is_loopback(destination) ||
                               (group && ip_scope(destination) == IP_SCOPE_INTERFACE));
}

static bool wants(const struct stack *stack, const struct ip_packet *packet) {
    if (ip_is_multicast(packet->destination))
        return ip6_addresses_want(stack, packet->destination) ||
               multicast_wants(stack, packet->destination, packet->source);
    return ip6_is_local(stack, packet->destination) || ip6_is_anycast(stack, packet->destination);
}

/* Only ICMPv6 has anything to say without an address, or about one that is ours. */
static bool source_is_strange(const struct stack *stack, const struct ip_packet *packet) {
    if (packet->protocol == IP_PROTOCOL_ICMP6)
        return false;
    return ip_is_any(packet->source) || (!packet->looped && ip6_is_local(stack, packet->source));
}

static void deliver(struct stack *stack, struct ip_packet *packet) {
    bool nobodys = packet->protocol == IP_PROTOCOL_TCP && ip6_is_anycast(stack, packet->destination);
    if (source_is_strange(stack, packet) || nobodys) {
        stack->mib.Ip6InAddrErrors++;
        return;
    }
    stack->mib.Ip6InDelivers++;
    bool raw = !list_empty(&stack->raw_sockets) && raw_input(stack, packet);
    switch (packet->protocol) {
    case IP_PROTOCOL_TCP:
        tcp_input(stack, packet);
        break;
    case IP_PROTOCOL_UDP:
        if (dhcp6_input(stack, packet))
            break;
        udp_input(stack, packet);
        break;
    case IP_PROTOCOL_UDPLITE:
        udp_input(stack, packet);
        break;
    case IP_PROTOCOL_ICMP6:
        icmp6_input(stack, packet);
        break;
    case IP6_NO_NEXT_HEADER:
        break;
    default:
        if (raw)
            break;
        stack->mib.Ip6InUnknownProtos++;
        icmp6_send_error(stack, packet, ICMP6_PARAMETER_PROBLEM, ICMP6_UNKNOWN_NEXT_HEADER,
                         packet->next_header_at - packet->header_at);
        break;
    }
}

/* What sockets may want to be told of: see struct ip_packet. Longer ones are not, nor those of a packet that was put
 * together. */
static void keep_extensions(struct ip_packet *packet) {
    const uint8_t *header = packet->chain->storage + packet->header_at;
    if (packet->extensions > sizeof packet->options.bytes || packet->fragmented)
        return;
    packet->options.length = (uint8_t)packet->extensions;
    packet->first_extension = header[6];
    memcpy(packet->options.bytes, header + IP6_HEADER_BYTES, packet->extensions);
}

void ip6_input(struct stack *stack, struct buffer *chain, unsigned flags) {
    const uint8_t *header = buffer_data(chain);
    struct ip_packet packet = {.header_at = chain->start,
                               .next_header_at = chain->start + 6,
                               .checksum_partial = flags & IP_INPUT_CHECKSUM_PARTIAL,
                               .checksum_good = flags & IP_INPUT_CHECKSUM_GOOD,
                               .looped = flags & IP_INPUT_LOOPED,
                               .chain = chain};
    if (!stack->ip6.on && !packet.looped)
        goto drop;
    stack->mib.Ip6InReceives++;
    if (!check_header(stack, chain))
        goto drop;
    packet.source = ip_from_bytes(header + 8);
    packet.destination = ip_from_bytes(header + 24);
    packet.protocol = header[6];
    packet.ttl = header[7];
    packet.tos = (uint8_t)(wire_get16(header) >> 4);
    packet.flow_label = wire_get32(header) & IP6_FLOW_LABEL;
    packet.multicast = flags & IP_INPUT_LINK_MULTICAST || ip_is_multicast(packet.destination);
    packet.length =
        tells_length_later(header) ? buffer_chain_length(chain) - IP6_HEADER_BYTES : wire_get16(header + 4);
    if (ip_is_multicast(packet.destination))
        stack->mib.Ip6InMcastPkts++;
    if (is_martian(&packet) || !wants(stack, &packet)) {
        stack->mib.Ip6InAddrErrors++;
        goto drop;
    }
    chain->start +=
        IP6_HEADER_BYTES; /* the buffer stays, even when nothing follows: errors quote its header */
    if (ip6_extensions_input(stack, &packet)) {
        if (packet.extensions)
            keep_extensions(&packet);
        deliver(stack, &packet);
    }
drop:
    buffer_drop_chain(&stack->buffers, packet.chain);
}

uint32_t ip6_flow_label(const struct stack *stack, struct ip_address source, struct ip_address destination,
                        uint8_t protocol, uint32_t ports) {
    struct {
        struct ip_address source, destination;
        uint32_t protocol, ports;
    } flow = {source, destination, protocol, ports};
    if (!stack->sysctl.ip6_auto_flowlabels)
        return 0;
    return (uint32_t)siphash(stack->ip6.key, &flow, sizeof flow) & IP6_FLOW_LABEL;
}

void ip6_write_header(struct frame *frame, const struct ip_parameters *parameters, uint8_t protocol,
                      const uint8_t *from, uint32_t extensions) {
    uint8_t *header = frame->header + FRAME_IP_AT, *transport = header + IP6_HEADER_BYTES + extensions;
    memmove(transport, frame->header + FRAME_TRANSPORT_AT, frame->header_length - FRAME_TRANSPORT_AT);
    memcpy(header + IP6_HEADER_BYTES, from, extensions);
    frame->transport_at = (uint8_t)(transport - frame->header);
    frame->header_length = (uint16_t)(frame->header_length + IP6_HEADER_BYTES - IP_HEADER_BYTES + extensions);
    wire_put32(header, UINT32_C(6) << 28 | (uint32_t)parameters->tos << 20 |
                           (parameters->flow_label & IP6_FLOW_LABEL));
    wire_put16(header + 4,
               (uint16_t)(frame->header_length - FRAME_IP_AT - IP6_HEADER_BYTES + frame->payload_length));
    header[6] = protocol;
    header[7] = parameters->ttl;
    memcpy(header + 8, parameters->source.bytes, 16);
    memcpy(header + 24, parameters->destination.bytes, 16);
}

/* To a group, on the link: and to ourselves, who may be in it. */
static int output_to_group(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters) {
    struct ip_address group = parameters->destination;
    uint8_t mac[6];
    stack->mib.Ip6OutMcastPkts++;
    if (parameters->loop &&
        (ip6_addresses_want(stack, group) || multicast_wants(stack, group, parameters->source)))
        stack_loop_back(stack, frame);
    if (parameters->ttl == 0 || ip_scope(group) <= IP_SCOPE_INTERFACE) {
        frame_release(&stack->buffers, frame);
        return 0;
    }
    ip6_group_mac(group, mac);
    ether_output(stack, frame, mac, ETHER_TYPE_IP6);
    return 0;
}

int ip6_output_whole(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters) {
    struct ip_address destination = parameters->destination, next_hop = destination;
    if (parameters->stamp)
        datagram_leaves(stack, frame, parameters);
    if (ip6_is_local(stack, destination) || ip6_is_anycast(stack, destination)) {
        int result = stack_loop_back(stack, frame);
        frame_release(&stack->buffers, frame);
        return result;
    }
    if (!stack->ip6.on || (!ip_is_multicast(destination) && !parameters->on_link &&
                           ip6_route_lookup(stack, destination, parameters->source, &next_hop))) {
        stack->mib.Ip6OutNoRoutes++;
        frame_release(&stack->buffers, frame);
        return -ENETUNREACH;
    }
    if (ip_is_multicast(destination))
        return output_to_group(stack, frame, parameters);
    int result = neighbour_output(stack, frame, next_hop);
    if (result)
        stack->mib.Ip6OutDiscards++;
    ip6_route_probe(stack, destination);
    return result;
}

int ip6_output(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters) {
    uint8_t bytes[IP6_CHAIN_MAX];
    uint8_t protocol = parameters->protocol;
    uint32_t length = parameters->extensions
                          ? ip6_extensions_write(parameters->extensions, IP6_ALL_PARTS, &protocol, bytes)
                          : 0;
    uint32_t transport = frame->header_length - FRAME_TRANSPORT_AT;
    uint32_t payload = frame->segment ? frame->segment : frame->payload_length;
    stack->mib.Ip6OutRequests++;
    if (length + transport > EXTENSIONS_MAX) {
        frame_release(&stack->buffers, frame);
        return -EMSGSIZE;
    }
    if (parameters->mtu && IP6_HEADER_BYTES + length + transport + payload > parameters->mtu) {
        struct frame whole = *frame; /* its fragments begin in the same place */
        int result = ip6_output_fragments(stack, &whole, parameters);
        frame_release(&stack->buffers, &whole);
        return result;
    }
    if (!parameters->extensions) {
        ip6_write_header(frame, parameters, protocol, bytes, length);
        return ip6_output_whole(stack, frame, parameters);
    }
    struct ip_parameters routed = *parameters;
    routed.destination = ip6_extensions_route(parameters->extensions, parameters->destination, bytes);
    ip6_write_header(frame, &routed, protocol, bytes, length);
    return ip6_output_whole(stack, frame, &routed);
}
