/* SPDX-License-Identifier: MIT */
/*
 * tcp_fastopen.c - see tcp_fastopen.h.
 */
#include "stack/tcp/tcp_fastopen.h"
#include "stack/socket_option.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_metrics.h"
#include <errno.h>
#include <string.h>

#define COOKIE_BYTES 8u /* what Linux makes */
#define OPTIONS_MAX 40u

static struct tcp_fastopen_peer *find_peer(struct stack *stack, struct ip_address address) {
    struct tcp_metrics *metrics = tcp_metrics_find(stack, address);
    return metrics ? &metrics->fastopen : NULL;
}

static bool needs_no_cookie(const struct stack *stack, const struct tcp *tcp) {
    return tcp->options.fastopen_no_cookie || stack->sysctl.tcp_fastopen & SYSCTL_FASTOPEN_CLIENT_NO_COOKIE;
}

bool tcp_fastopen_ready(struct stack *stack, const struct tcp *tcp, struct ip_address address) {
    const struct tcp_fastopen_peer *peer = find_peer(stack, address);
    if (tcp_md5_find(tcp, address))
        return false; /* a header has no room for both options */
    return needs_no_cookie(stack, tcp) || (peer && peer->cookie.length > 0);
}

uint32_t tcp_fastopen_room(struct stack *stack, const struct tcp *tcp, struct ip_address address) {
    const struct tcp_fastopen_peer *peer = find_peer(stack, address);
    uint32_t mss = ip_mtu(stack, address) - ip_header_bytes(address) - TCP_HEADER_BYTES;
    if (tcp->options.mss_limit && tcp->options.mss_limit < mss)
        mss = tcp->options.mss_limit;
    if (peer && peer->mss && peer->mss < mss)
        mss = peer->mss;
    return mss > OPTIONS_MAX ? mss - OPTIONS_MAX : 0;
}

void tcp_fastopen_ask(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment) {
    struct tcp_fastopen_peer *peer = find_peer(stack, tcp->remote_address);
    if (needs_no_cookie(stack, tcp) || tcp_md5_find(tcp, tcp->remote_address))
        return;
    segment->cookie = (struct tcp_cookie){.present = true};
    tcp->fastopen |= TCP_FASTOPEN_OPTION;
    if (peer && peer->cookie.length > 0)
        segment->cookie = peer->cookie;
    else if (peer)
        segment->cookie.experimental = peer->try_experimental == 1;
    tcp->fastopen_experimental = segment->cookie.experimental;
}

void tcp_fastopen_answered(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                           bool all_acked) {
    struct tcp_fastopen_peer *peer = &tcp_metrics_make(stack, tcp->remote_address)->fastopen;
    bool has_cookie = segment->cookie.present && segment->cookie.length > 0;
    if (segment->mss)
        peer->mss = segment->mss;
    bool asked = tcp->fastopen & TCP_FASTOPEN_OPTION;
    uint8_t next = tcp->fastopen_experimental ? 2 : 1;
    if (asked && has_cookie)
        peer->cookie = segment->cookie;
    else if (asked && !tcp->retransmits && !(tcp->fastopen & TCP_FASTOPEN_DATA) &&
             next > peer->try_experimental)
        peer->try_experimental = next; /* not answered: each of the two options is tried once */
    if (!(tcp->fastopen & TCP_FASTOPEN_DATA))
        return;
    if (all_acked) {
        tcp->fastopen |= TCP_FASTOPEN_TAKEN;
        tcp->history.delivered--; /* the SYN and its data were one segment */
        stack->mib.TcpExtTCPFastOpenActive++;
    } else {
        stack->mib.TcpExtTCPFastOpenActiveFail++;
    }
}

/* The key's bytes as Linux has them: words in little-endian order. */
static void key_bytes(const uint32_t *words, uint8_t bytes[TCP_FASTOPEN_KEY_BYTES]) {
    for (unsigned i = 0; i < TCP_FASTOPEN_KEY_BYTES; i++)
        bytes[i] = (uint8_t)(words[i / 4] >> (i % 4 * 8));
}

/* The listener's own key, the sysctl's, or one that nobody knows; `index` 1: the one before it, if any. */
static bool key_of(const struct stack *stack, const struct tcp *listener, unsigned index,
                   uint8_t bytes[TCP_FASTOPEN_KEY_BYTES]) {
    const struct tcp_fastopen_key *own = listener->fastopen_key;
    static const uint32_t none[4];
    const uint32_t *words = stack->sysctl.tcp_fastopen_key + 4 * index;
    if (own) {
        memcpy(bytes, own->bytes + index * TCP_FASTOPEN_KEY_BYTES, TCP_FASTOPEN_KEY_BYTES);
        return own->length > index * TCP_FASTOPEN_KEY_BYTES;
    }
    key_bytes(words, bytes);
    if (memcmp(words, none, sizeof none) != 0)
        return true;
    memcpy(bytes, stack->isn_key, TCP_FASTOPEN_KEY_BYTES);
    bytes[0] ^= 0xfa;
    return index == 0;
}

/* A hash of the addresses, as they are in the packet. */
static void make_cookie(const uint8_t key[TCP_FASTOPEN_KEY_BYTES], const struct ip_packet *packet,
                        struct tcp_cookie *cookie) {
    uint64_t words[2];
    bool v4 = ip_is_v4(packet->source);
    size_t length = v4 ? 4 : IP_ADDRESS_BYTES, skip = IP_ADDRESS_BYTES - length;
    uint8_t addresses[2 * IP_ADDRESS_BYTES];
    memcpy(words, key, sizeof words);
    memcpy(addresses, packet->source.bytes + skip, length);
    memcpy(addresses + length, packet->destination.bytes + skip, length);
    uint64_t hash = siphash(words, addresses, 2 * length);
    *cookie = (struct tcp_cookie){.present = true, .length = COOKIE_BYTES};
    memcpy(cookie->bytes, &hash, COOKIE_BYTES);
}

static bool serves(const struct stack *stack, const struct tcp *listener) {
    uint32_t mode = stack->sysctl.tcp_fastopen;
    uint32_t limit = listener->options.fastopen_backlog;
    if (limit == 0 && mode & SYSCTL_FASTOPEN_SERVER_ALL)
        limit = listener->socket->backlog;
    return mode & SYSCTL_FASTOPEN_SERVER && listener->fastopen_count < limit;
}

/* Whether a cookie is one that we made; *key says with which of the two. */
static bool is_ours(const struct stack *stack, const struct tcp *listener, const struct ip_packet *packet,
                    const struct tcp_cookie *cookie, unsigned *key) {
    uint8_t bytes[TCP_FASTOPEN_KEY_BYTES];
    struct tcp_cookie right;
    for (*key = 0; *key < 2; (*key)++) {
        if (!key_of(stack, listener, *key, bytes))
            continue;
        make_cookie(bytes, packet, &right);
        if (cookie->length == right.length && memcmp(cookie->bytes, right.bytes, right.length) == 0)
            return true;
    }
    return false;
}

bool tcp_fastopen_accept(struct stack *stack, struct tcp *listener, const struct ip_packet *packet,
                         const struct tcp_segment *segment, struct tcp_cookie *answer) {
    const struct tcp_cookie *cookie = &segment->cookie;
    uint8_t key[TCP_FASTOPEN_KEY_BYTES];
    unsigned which = 0;
    answer->present = false;
    if (cookie->present && cookie->length == 0)
        stack->mib.TcpExtTCPFastOpenCookieReqd++;
    if (!serves(stack, listener) || listener->md5_keys || (segment->length == 0 && !cookie->present))
        return false;
    bool free_entry =
        listener->options.fastopen_no_cookie || stack->sysctl.tcp_fastopen & SYSCTL_FASTOPEN_SERVER_NO_COOKIE;
    if (!free_entry && !cookie->present)
        return false;
    bool known = !free_entry && cookie->length > 0 && is_ours(stack, listener, packet, cookie, &which);
    if (!free_entry && (!known || which > 0)) {
        /* A request, a wrong cookie, or one of the key before: the right one. */
        key_of(stack, listener, 0, key);
        make_cookie(key, packet, answer);
        answer->experimental = cookie->experimental;
    }
    if (!free_entry && cookie->length > 0 && !known)
        stack->mib.TcpExtTCPFastOpenPassiveFail++;
    stack->mib.TcpExtTCPFastOpenPassive += free_entry || known;
    return free_entry || known;
}

void tcp_fastopen_settled(struct tcp *tcp) {
    if (tcp->fastopen_listener)
        tcp->fastopen_listener->fastopen_count--;
    tcp->fastopen_listener = NULL;
}

int tcp_fastopen_set_key(struct stack *stack, struct tcp *tcp, const void *value, socklen_t length) {
    if (length != TCP_FASTOPEN_KEY_BYTES && length != 2 * TCP_FASTOPEN_KEY_BYTES)
        return -EINVAL;
    if (!tcp->fastopen_key)
        tcp->fastopen_key = pool_take_zeroed(&stack->fastopen_keys);
    if (!tcp->fastopen_key)
        return -ENOMEM;
    memcpy(tcp->fastopen_key->bytes, value, length);
    tcp->fastopen_key->length = length;
    return 0;
}

int tcp_fastopen_get_key(const struct stack *stack, const struct tcp *tcp, void *value, socklen_t *length) {
    uint8_t keys[2 * TCP_FASTOPEN_KEY_BYTES];
    uint32_t have = 0;
    if (tcp->fastopen_key) {
        have = tcp->fastopen_key->length;
        memcpy(keys, tcp->fastopen_key->bytes, have);
    } else {
        for (unsigned i = 0; i < 2 && key_of(stack, tcp, i, keys + have); i++)
            have += TCP_FASTOPEN_KEY_BYTES;
    }
    return option_give(value, length, keys, have);
}
