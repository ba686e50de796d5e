/* SPDX-License-Identifier: MIT */
/*
 * nd.c - see nd.h. An optimistic address (RFC 4429) overrides nobody's entry: where it is the source, our MAC
 * address is left out, and asked for.
 */
#include "stack/ip/nd.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip6_source.h"
#include "stack/ip/nd_router.h"
#include "stack/link/ether.h"
#include "stack/stack.h"

#define TARGET_AT 8u
#define OPTIONS_AT 24u /* of solicitations and advertisements */

enum {
    FLAG_ROUTER = 0x80,
    FLAG_SOLICITED = 0x40,
    FLAG_OVERRIDE = 0x20,
};

const uint8_t *nd_next_option(const uint8_t **at, uint32_t *left) {
    const uint8_t *option = *at;
    if (*left < 8 || option[1] == 0 || option[1] * 8u > *left)
        return NULL;
    *at += option[1] * 8u;
    *left -= option[1] * 8u;
    return option;
}

const uint8_t *nd_find_option(const uint8_t *options, uint32_t length, enum nd_option kind) {
    const uint8_t *option;
    while ((option = nd_next_option(&options, &length)))
        if (option[0] == kind)
            return option;
    return NULL;
}

/* RFC 4861: a message with an option of length 0, or beyond its end, is dropped whole. */
static bool options_are_whole(const uint8_t *options, uint32_t length) {
    while (nd_next_option(&options, &length))
        continue;
    return length == 0;
}

static bool is_optimistic(struct stack *stack, struct ip_address address) {
    const struct ip6_address *entry = ip6_address_find(stack, address);
    return entry && entry->flags & IP6_FLAG_OPTIMISTIC && !stack->config.ip6.at_once;
}

static uint32_t put_mac(struct stack *stack, uint8_t *to, enum nd_option kind) {
    to[0] = (uint8_t)kind;
    to[1] = 1;
    memcpy(to + 2, stack->config.mac, 6);
    return 8;
}

/* Sends the message of so many bytes that stands in a frame. */
static void send_message(struct stack *stack, struct frame *frame, uint32_t length, struct ip_address source,
                         struct ip_address destination) {
    const struct ip_parameters parameters = {.source = source,
                                             .destination = destination,
                                             .protocol = IP_PROTOCOL_ICMP6,
                                             .ttl = ND_HOP_LIMIT,
                                             .on_link = true};
    frame->header_length = (uint16_t)(FRAME_TRANSPORT_AT + length);
    icmp6_output(stack, frame, &parameters);
}

static uint8_t *begin(struct stack *stack, enum icmp6_type type, struct frame **frame) {
    *frame = frame_begin(&stack->transmit);
    if (!*frame)
        return NULL; /* it is said again */
    uint8_t *message = (*frame)->header + FRAME_TRANSPORT_AT;
    memset(message, 0, OPTIONS_AT);
    message[0] = (uint8_t)type;
    return message;
}

void nd_ask(struct stack *stack, struct ip_address target, const uint8_t mac[6]) {
    struct frame *frame;
    struct ip_address source;
    uint8_t *message = begin(stack, ICMP6_NEIGHBOUR_SOLICITATION, &frame);
    if (!message || ip6_source(stack, target, 0, &source))
        return;
    uint32_t length = OPTIONS_AT;
    memcpy(message + TARGET_AT, target.bytes, 16);
    if (!is_optimistic(stack, source))
        length += put_mac(stack, message + length, ND_OPTION_SOURCE_MAC);
    send_message(stack, frame, length, source, mac ? target : ip_solicited_node(target));
}

void nd_probe(struct stack *stack, struct ip_address address, const uint8_t nonce[ND_NONCE_BYTES]) {
    const struct ip_address none = {0};
    struct frame *frame;
    uint8_t *message = begin(stack, ICMP6_NEIGHBOUR_SOLICITATION, &frame);
    if (!message)
        return;
    memcpy(message + TARGET_AT, address.bytes, 16);
    message[OPTIONS_AT] = ND_OPTION_NONCE;
    message[OPTIONS_AT + 1] = 1;
    memcpy(message + OPTIONS_AT + 2, nonce, ND_NONCE_BYTES);
    send_message(stack, frame, OPTIONS_AT + (stack->sysctl.ip6_enhanced_dad ? 8 : 0), none,
                 ip_solicited_node(address));
}

static void advertise(struct stack *stack, struct ip_address target, struct ip_address destination,
                      uint8_t flags, bool with_mac) {
    struct frame *frame;
    struct ip_address source = target;
    if (ip6_is_anycast(
            stack, target)) { /* nothing comes from it, and others may be nearer: RFC 4861 section 7.2.7 */
        flags &= (uint8_t)~FLAG_OVERRIDE;
        if (ip6_source(stack, destination, 0, &source))
            return;
    }
    uint8_t *message = begin(stack, ICMP6_NEIGHBOUR_ADVERTISEMENT, &frame);
    if (!message)
        return;
    if (is_optimistic(stack, target))
        flags &= (uint8_t)~FLAG_OVERRIDE;
    uint32_t length = OPTIONS_AT;
    message[4] = flags;
    memcpy(message + TARGET_AT, target.bytes, 16);
    if (with_mac)
        length += put_mac(stack, message + length, ND_OPTION_TARGET_MAC);
    send_message(stack, frame, length, source, destination);
}

void nd_announce(struct stack *stack, struct ip_address address) {
    advertise(stack, address, IP6_ALL_NODES, FLAG_OVERRIDE, true);
}

void nd_solicit_routers(struct stack *stack) {
    const struct ip6_address *source = ip6_link_local(stack);
    struct frame *frame;
    uint8_t *message = begin(stack, ICMP6_ROUTER_SOLICITATION, &frame);
    if (!message)
        return;
    uint32_t length = 8;
    if (source && !(source->flags & IP6_FLAG_OPTIMISTIC))
        length += put_mac(stack, message + length, ND_OPTION_SOURCE_MAC);
    send_message(stack, frame, length, source ? source->address : (struct ip_address){0}, IP6_ALL_ROUTERS);
}

/* As the table says what was being changed, and then the rest of IPv6 again: see repair.h. */
static void note(struct stack *stack, struct neighbour *entry, const uint8_t mac[6],
                 enum neighbour_state state) {
    stack_work_on(stack, entry);
    neighbour_learn(stack, entry, mac, state);
    stack_work_on(stack, &stack->ip6);
}

struct neighbour *nd_heard(struct stack *stack, struct ip_address sender, const uint8_t *mac_option,
                           bool create) {
    struct neighbour *entry = neighbour_lookup(stack, sender);
    const uint8_t *mac = mac_option ? mac_option + 2 : NULL;
    if (!mac || mac[0] & 1 || ip6_is_local(stack, sender))
        return entry;
    if (!entry && create)
        entry = neighbour_create(stack, sender);
    else if (entry && entry->state != NEIGHBOUR_INCOMPLETE && memcmp(entry->mac, mac, 6) == 0)
        return entry; /* no news */
    if (entry)
        note(stack, entry, mac, NEIGHBOUR_STALE);
    return entry;
}

/* Section 5.4.3 of RFC 4862: somebody asks about an address that we are checking. If it is another host that
 * checks it, too, nobody gets it; our own question, come back by a loop on the link, bears our nonce. */
static void asked_while_checking(struct stack *stack, struct ip6_address *own, const uint8_t *nonce) {
    if (nonce && nonce[1] == 1 && memcmp(nonce + 2, own->nonce, ND_NONCE_BYTES) == 0)
        return;
    ip6_address_taken(stack, own);
}

static void solicitation(struct stack *stack, const struct ip_packet *packet, const uint8_t *message) {
    const uint8_t *options = message + OPTIONS_AT;
    uint32_t left = packet->length - OPTIONS_AT;
    struct ip_address target = ip_from_bytes(message + TARGET_AT);
    const uint8_t *mac = nd_find_option(options, left, ND_OPTION_SOURCE_MAC);
    struct ip6_address *own = ip6_address_find(stack, target);
    bool checks = ip_is_any(packet->source), to_group = ip_is_multicast(packet->destination);
    if (checks && (mac || !ip_equal(packet->destination, ip_solicited_node(target))))
        return;
    bool anycast = !own && ip6_is_anycast(stack, target);
    if ((!own && !anycast) || ip6_address_find(stack, packet->source))
        return;
    if (own && own->flags & IP6_FLAG_TENTATIVE && checks) {
        asked_while_checking(stack, own, nd_find_option(options, left, ND_OPTION_NONCE));
        return;
    }
    if (own && !ip6_address_usable(own))
        return;
    if (checks) {
        advertise(stack, target, IP6_ALL_NODES, FLAG_OVERRIDE, true);
        return;
    }
    nd_heard(stack, packet->source, mac, true);
    advertise(stack, target, packet->source, FLAG_SOLICITED | (to_group ? FLAG_OVERRIDE : 0),
              to_group || is_optimistic(stack, target));
}

/* Section 7.2.5: what an advertisement changes of an entry. */
static void learn(struct stack *stack, struct neighbour *entry, uint8_t flags, const uint8_t *mac) {
    bool solicited = flags & FLAG_SOLICITED, differs = mac && memcmp(entry->mac, mac, 6) != 0;
    bool was_router = entry->is_router;
    if (entry->state == NEIGHBOUR_INCOMPLETE) {
        if (!mac)
            return;
        note(stack, entry, mac, solicited ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE);
    } else if (differs && !(flags & FLAG_OVERRIDE)) {
        uint8_t known[6];
        memcpy(known, entry->mac, 6);
        if (entry->state == NEIGHBOUR_REACHABLE)
            note(stack, entry, known, NEIGHBOUR_STALE);
        return;
    } else if (solicited || differs) {
        uint8_t learnt[6];
        memcpy(learnt, differs ? mac : entry->mac, 6);
        note(stack, entry, learnt, solicited ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE);
    }
    entry->is_router = flags & FLAG_ROUTER;
    if (was_router && !entry->is_router)
        nd_router_left(stack, entry->address);
}

static void advertisement(struct stack *stack, const struct ip_packet *packet, const uint8_t *message) {
    struct ip_address target = ip_from_bytes(message + TARGET_AT);
    uint8_t flags = message[4];
    const uint8_t *option =
        nd_find_option(message + OPTIONS_AT, packet->length - OPTIONS_AT, ND_OPTION_TARGET_MAC);
    const uint8_t *mac = option && !(option[2] & 1) ? option + 2 : NULL;
    if (ip_is_multicast(packet->destination) && flags & FLAG_SOLICITED)
        return;
    struct ip6_address *own = ip6_address_find(stack, target);
    if (own) {
        if (own->flags & IP6_FLAG_TENTATIVE) {
            ip6_address_taken(stack, own);
        } else { /* as Linux does: it is said, and that is all */
            stack->ip6.addresses.conflicts++;
            stack->ip6.addresses.conflict = target;
        }
        return;
    }
    struct neighbour *entry = neighbour_lookup(stack, target);
    if (entry)
        learn(stack, entry, flags, mac);
}

void nd_input(struct stack *stack, struct ip_packet *packet) {
    const uint8_t *message = buffer_data(packet->chain);
    uint8_t type = message[0];
    uint32_t options_at = type == ICMP6_ROUTER_ADVERTISEMENT ? 16 : type == ICMP6_REDIRECT ? 40 : OPTIONS_AT;
    if (packet->ttl != ND_HOP_LIMIT || message[1] != 0 || packet->length < options_at ||
        buffer_length(packet->chain) < packet->length ||
        (packet->fragmented && stack->sysctl.ip6_suppress_frag_ndisc) ||
        !options_are_whole(message + options_at, packet->length - options_at) ||
        (options_at == OPTIONS_AT && ip_is_multicast(ip_from_bytes(message + TARGET_AT)))) {
        stack->mib.Icmp6InErrors++;
        return;
    }
    switch (type) {
    case ICMP6_NEIGHBOUR_SOLICITATION:
        solicitation(stack, packet, message);
        break;
    case ICMP6_NEIGHBOUR_ADVERTISEMENT:
        advertisement(stack, packet, message);
        break;
    case ICMP6_ROUTER_ADVERTISEMENT:
        nd_router_advertisement(stack, packet);
        break;
    default:
        nd_router_redirect(stack, packet);
        break;
    }
}
