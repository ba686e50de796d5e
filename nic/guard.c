/* SPDX-License-Identifier: MIT */
/*
 * guard.c - see guard.h.
 *
 * The bytes that are looked at are copied first and sent from the copy: who shares the memory could change
 * them in between.
 */
#include "nic/guard.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ETHERNET_BYTES 14u
#define COPIED \
    256u /* all headers of a frame; what programs make themselves (raw sockets) lies behind the first piece */
#define AT_ONCE 32
#define ADDRESSES6_MAX 16

/* IPv6's next headers, ICMPv6's messages, and their options. */
enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, ICMP6 = 58, DESTINATION_OPTIONS = 60 };
enum {
    ROUTER_SOLICITATION = 133,
    ROUTER_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION,
    NEIGHBOUR_ADVERTISEMENT,
    REDIRECT
};
enum { SOURCE_LINK_ADDRESS = 1, TARGET_LINK_ADDRESS = 2 };

struct nic_guard {
    struct nic nic;
    struct nic *inner;
    uint8_t mac[6];
    _Atomic uint32_t addresses[GUARD_ADDRESSES_MAX]; /* 0: none */
    uint32_t (*ask)(void);
    uint8_t addresses6[ADDRESSES6_MAX][16]; /* that were asked for lately, and are its own */
    uint64_t until6_ns[ADDRESSES6_MAX];     /* when each is asked for again */
    uint32_t next6;
    bool (*ask6)(const uint8_t address[16]);
    uint64_t (*now_ns)(void);
    /* One thread sends at a time. */
    struct nic_frame frames[AT_ONCE];
    struct iovec pieces[AT_ONCE][NIC_PIECES_MAX + 1];
    uint8_t starts[AT_ONCE][COPIED];
};

static struct nic_guard *guard_of(struct nic *nic) {
    return (struct nic_guard *)nic;
}

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool is_own4(const struct nic_guard *guard, uint32_t address) {
    bool own = address == 0;
    for (uint32_t i = 0; i < GUARD_ADDRESSES_MAX; i++)
        own |= address == guard->addresses[i];
    return own;
}

/* The source of a frame of IPv4 or ARP that has that MAC. */
static bool read_source4(const uint8_t *start, size_t length, const uint8_t mac[6], uint32_t *source) {
    const uint8_t *packet = start + ETHERNET_BYTES;
    if (length < ETHERNET_BYTES + 20 || memcmp(start + 6, mac, 6) != 0 || start[12] != 8)
        return false;
    bool ip = start[13] == 0, arp = start[13] == 6 && memcmp(packet + 8, mac, 6) == 0;
    *source = get32(packet + (ip ? 12 : 14));
    return ip || arp;
}

/* What a host says of neighbours: its own addresses, with its own MAC. Routers' messages are not for hosts to send. */
static bool lets_icmp6(const uint8_t *message, size_t length, bool checks, const uint8_t mac[6],
                       guard_is_own *own, void *context) {
    static const uint8_t fixed[] = {8, 0, 24, 24}; /* bytes before the options */
    if (length < 4)
        return false;
    if (message[0] < ROUTER_SOLICITATION || message[0] > REDIRECT)
        return true;
    if (message[0] == ROUTER_ADVERTISEMENT || message[0] == REDIRECT)
        return false;
    size_t at = fixed[message[0] - ROUTER_SOLICITATION];
    /* Who checks an address (RFC 4862) would take it from whoever else does. */
    bool claims = message[0] == NEIGHBOUR_ADVERTISEMENT || (message[0] == NEIGHBOUR_SOLICITATION && checks);
    if (length < at || (claims && !own(context, message + 8)))
        return false;
    for (; at < length; at += message[at + 1] * 8u) {
        if (length - at < 8 || message[at + 1] == 0)
            return false;
        if ((message[at] == SOURCE_LINK_ADDRESS || message[at] == TARGET_LINK_ADDRESS) &&
            memcmp(message + at + 2, mac, 6) != 0)
            return false;
    }
    return true;
}

/* From its fragment header on. Neighbours' messages are never cut (RFC 6980), and headers behind it are not seen. Which
 * message of ICMPv6 it is says the fragment that begins it. */
static bool lets_fragment(const uint8_t *header, size_t length) {
    if (length < 8)
        return false;
    bool first = header[2] == 0 && (header[3] & 0xf8) == 0;
    if (header[0] == ICMP6 && first)
        return length > 8 && (header[8] < ROUTER_SOLICITATION || header[8] > REDIRECT);
    return header[0] != HOP_BY_HOP && header[0] != ROUTING && header[0] != DESTINATION_OPTIONS &&
           header[0] != FRAGMENT;
}

bool guard_lets6(const uint8_t *start, size_t length, const uint8_t mac[6], guard_is_own *own,
                 void *context) {
    static const uint8_t none[16];
    const uint8_t *packet = start + ETHERNET_BYTES;
    if (length < ETHERNET_BYTES + 40 || memcmp(start + 6, mac, 6) != 0)
        return false;
    bool unspecified = memcmp(packet + 8, none, sizeof none) == 0;
    if (!unspecified && !own(context, packet + 8))
        return false;
    size_t end = 40 + (size_t)(packet[4] << 8 | packet[5]), there = length - ETHERNET_BYTES, at = 40;
    uint8_t next = packet[6];
    while (next == HOP_BY_HOP || next == DESTINATION_OPTIONS || next == ROUTING) {
        if (there < at + 8 || (next == ROUTING && packet[at + 2] == 0))
            return false;
        next = packet[at];
        at += (packet[at + 1] + 1u) * 8;
    }
    if (next == FRAGMENT)
        return lets_fragment(packet + at, there > at ? there - at : 0);
    if (next != ICMP6)
        return there >= at;
    bool whole = there >= end && end >= at;
    return at < there && (packet[at] < ROUTER_SOLICITATION || packet[at] > REDIRECT ||
                          (whole && lets_icmp6(packet + at, end - at, unspecified, mac, own, context)));
}

static bool is_own6(void *context, const uint8_t address[16]) {
    struct nic_guard *guard = context;
    if (!guard->ask6)
        return false;
    uint64_t now_ns = guard->now_ns();
    uint32_t place = ADDRESSES6_MAX;
    for (uint32_t i = 0; i < ADDRESSES6_MAX && place == ADDRESSES6_MAX; i++)
        if (guard->until6_ns[i] && memcmp(guard->addresses6[i], address, 16) == 0)
            place = i;
    if (place < ADDRESSES6_MAX && now_ns < guard->until6_ns[place])
        return true;
    bool own = guard->ask6(address);
    if (!own && place == ADDRESSES6_MAX)
        return false;
    if (place == ADDRESSES6_MAX) {
        place = guard->next6;
        guard->next6 = (guard->next6 + 1) % ADDRESSES6_MAX;
        memcpy(guard->addresses6[place], address, 16);
    }
    guard->until6_ns[place] = own ? now_ns + GUARD_ASK_NS : 0;
    return own;
}

static bool lets(struct nic_guard *guard, const uint8_t *start, size_t length) {
    if (length > ETHERNET_BYTES && start[12] == 0x86 && start[13] == 0xdd)
        return guard_lets6(start, length, guard->mac, is_own6, guard);
    uint32_t source;
    if (!read_source4(start, length, guard->mac, &source))
        return false;
    if (!is_own4(guard, source) && guard->ask)
        guard->addresses[0] = guard->ask();
    return is_own4(guard, source);
}

/* Copies the start of a frame, which may lie in several pieces. Returns its length; *piece and *behind say where the rest
 * begins. */
static size_t copy_start(const struct nic_frame *given, uint8_t start[COPIED], int *piece, size_t *behind) {
    size_t copied = 0;
    *behind = 0;
    for (*piece = 0; *piece < given->piece_count; ++*piece) {
        const struct iovec *from = &given->pieces[*piece];
        size_t taken = from->iov_len < COPIED - copied ? from->iov_len : COPIED - copied;
        memcpy(start + copied, from->iov_base, taken);
        copied += taken;
        *behind = taken;
        if (taken < from->iov_len)
            break;
    }
    return copied;
}

/* Makes frame `at` of a copy, if it may leave. */
static bool take_frame(struct nic_guard *guard, int at, const struct nic_frame *given) {
    int piece;
    size_t behind;
    if (given->piece_count > NIC_PIECES_MAX)
        return false;
    size_t copied = copy_start(given, guard->starts[at], &piece, &behind);
    if (copied == 0 || !lets(guard, guard->starts[at], copied))
        return false;
    struct iovec *pieces = guard->pieces[at];
    int count = 0;
    pieces[count++] = (struct iovec){guard->starts[at], copied};
    for (; piece < given->piece_count; piece++, behind = 0)
        pieces[count++] = (struct iovec){(char *)given->pieces[piece].iov_base + behind,
                                         given->pieces[piece].iov_len - behind};
    guard->frames[at] = *given;
    guard->frames[at].pieces = pieces;
    guard->frames[at].piece_count = count;
    return true;
}

/* What may not leave counts as sent: it is lost. */
static int guard_send(struct nic *nic, const struct nic_frame *frames, int count) {
    struct nic_guard *guard = guard_of(nic);
    int behind[AT_ONCE + 1] = {0}; /* how many of `frames` are done with once so many were sent */
    int taken = 0, looked = 0;
    for (; looked < count && taken < AT_ONCE; looked++) {
        behind[taken] = looked;
        if (take_frame(guard, taken, &frames[looked]))
            taken++;
    }
    behind[taken] = looked;
    int sent = taken > 0 ? nic_send(guard->inner, guard->frames, taken) : 0;
    return sent > 0 || taken == 0 ? behind[sent] : behind[0] > 0 ? behind[0] : sent;
}

static int guard_receive(struct nic *nic, struct nic_frame *frames, int count) {
    struct nic_guard *guard = guard_of(nic);
    int result = nic_receive(guard->inner, frames, count);
    nic->counters = guard->inner->counters;
    nic->trouble = guard->inner->trouble;
    return result;
}

static int guard_set_address(struct nic *nic, const uint8_t mac[6]) {
    memcpy(guard_of(nic)->mac, mac, 6);
    return nic_set_address(guard_of(nic)->inner, mac);
}

static void guard_close(struct nic *nic) {
    nic_close(guard_of(nic)->inner);
    free(nic);
}

static const struct nic_operations OPERATIONS = {
    .receive = guard_receive,
    .send = guard_send,
    .set_address = guard_set_address,
    .close = guard_close,
};

struct nic *nic_guard(struct nic *inner) {
    struct nic_guard *guard = calloc(1, sizeof *guard);
    if (!guard)
        return NULL;
    guard->nic =
        (struct nic){.operations = &OPERATIONS, .facts = inner->facts, .descriptor = inner->descriptor};
    guard->nic.facts.features &= ~(unsigned)NIC_SHARED;
    guard->inner = inner;
    return &guard->nic;
}

void guard_allow(struct nic *guard, uint32_t address) {
    uint32_t at = 0;
    while (at < GUARD_ADDRESSES_MAX - 1 && guard_of(guard)->addresses[at])
        at++;
    guard_of(guard)->addresses[at] = address;
}

void guard_ask(struct nic *guard, uint32_t (*address)(void)) {
    guard_of(guard)->ask = address;
}

void guard_ask6(struct nic *guard, bool (*is_own)(const uint8_t address[16]), uint64_t (*now_ns)(void)) {
    guard_of(guard)->ask6 = is_own;
    guard_of(guard)->now_ns = now_ns;
}
