/* SPDX-License-Identifier: MIT */
/*
 * tcp_md5.c - see tcp_md5.h.
 */
#include "stack/tcp/tcp_md5.h"
#include "stack/base/md5.h"
#include "stack/base/minmax.h"
#include "stack/base/wire.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include <errno.h>
#include <netinet/in.h>

static struct tcp_md5_key **find_exactly(struct tcp *tcp, struct ip_address address, uint8_t prefix_length,
                                         uint32_t *count) {
    struct tcp_md5_key **link = &tcp->md5_keys;
    for (*count = 0; *link; link = &(*link)->next, ++*count)
        if (ip_equal((*link)->address, address) && (*link)->prefix_length == prefix_length)
            break;
    return link;
}

/* Reads whom a key is for: an address of the socket's family and how many bits of it count. */
static int read_peer(const struct tcp *tcp, const struct tcp_md5sig *told, bool by_prefix,
                     struct ip_address *address, uint8_t *prefix_length) {
    struct sockaddr_in in;
    struct sockaddr_in6 six;
    memcpy(&in, &told->tcpm_addr, sizeof in);
    memcpy(&six, &told->tcpm_addr, sizeof six);
    bool inet6 = tcp->socket && tcp->socket->options.inet6;
    if (in.sin_family != (inet6 ? AF_INET6 : AF_INET))
        return -EINVAL;
    *address = inet6 ? ip_from_bytes(&six.sin6_addr) : ip_from_v4(ntohl(in.sin_addr.s_addr));
    uint8_t first = ip_is_v4(*address) ? IP_V4_PREFIX : 0; /* bits that are no part of its own */
    if (by_prefix && told->tcpm_prefixlen > IP_ADDRESS_BITS - first)
        return -EINVAL;
    *prefix_length = by_prefix ? (uint8_t)(first + told->tcpm_prefixlen) : IP_ADDRESS_BITS;
    *address = ip_prefix(*address, *prefix_length);
    return 0;
}

int tcp_md5_set(struct stack *stack, struct tcp *tcp, const void *value, size_t length, bool extended) {
    struct tcp_md5sig told;
    struct ip_address address;
    uint8_t prefix_length;
    uint32_t count;
    if (length < sizeof told)
        return -EINVAL;
    memcpy(&told, value, sizeof told);
    int error =
        read_peer(tcp, &told, extended && told.tcpm_flags & TCP_MD5SIG_FLAG_PREFIX, &address, &prefix_length);
    if (error)
        return error;
    if (told.tcpm_keylen > TCP_MD5_KEY_MAX)
        return -EINVAL;
    struct tcp_md5_key **link = find_exactly(tcp, address, prefix_length, &count), *key = *link;
    if (told.tcpm_keylen == 0) {
        if (!key)
            return -ENOENT;
        *link = key->next;
        pool_return(&stack->md5_keys, key);
        return 0;
    }
    if (!key) {
        key = count < TCP_MD5_KEYS_MAX ? pool_take_zeroed(&stack->md5_keys) : NULL;
        if (!key)
            return -ENOMEM;
        key->address = address;
        key->prefix_length = prefix_length;
        *link = key;
    }
    key->length = (uint8_t)told.tcpm_keylen;
    memcpy(key->bytes, told.tcpm_key, key->length);
    return 0;
}

static const struct tcp_md5_key *find_longest(const struct tcp *tcp, struct ip_address address) {
    const struct tcp_md5_key *best = NULL;
    for (const struct tcp_md5_key *key = tcp->md5_keys; key; key = key->next)
        if (ip_equal(ip_prefix(address, key->prefix_length), key->address) &&
            (!best || key->prefix_length > best->prefix_length))
            best = key;
    return best;
}

const struct tcp_md5_key *tcp_md5_find(const struct tcp *tcp, struct ip_address address) {
    return tcp->md5_keys ? find_longest(tcp, address) : NULL;
}

bool tcp_md5_inherit(struct stack *stack, const struct tcp *listener, struct tcp *child) {
    const struct tcp_md5_key *key = tcp_md5_find(listener, child->remote_address);
    if (!key)
        return true;
    struct tcp_md5_key *own = pool_take_zeroed(&stack->md5_keys);
    if (!own)
        return false;
    *own = *key;
    own->next = NULL;
    own->address = child->remote_address;
    own->prefix_length = IP_ADDRESS_BITS;
    child->md5_keys = own;
    return true;
}

void tcp_md5_purge(struct stack *stack, struct tcp *tcp) {
    struct tcp_md5_key *key;
    while ((key = tcp->md5_keys)) {
        tcp->md5_keys = key->next;
        pool_return(&stack->md5_keys, key);
    }
}

void tcp_md5_repair(struct stack *stack, struct tcp_md5_key **keys) {
    while (*keys && pool_has(&stack->md5_keys, *keys) && pool_mark(&stack->md5_keys, *keys))
        keys = &(*keys)->next;
    *keys = NULL;
}

static void add_payload(struct md5 *md5, struct byte_cursor from, uint32_t length) {
    while (length > 0) {
        uint32_t part = min_u32(length, from.buffer->end - from.position);
        md5_add(md5, from.buffer->storage + from.position, part);
        length -= part;
        from.buffer = from.buffer->next;
        from.position = from.buffer ? from.buffer->start : 0;
    }
}

#define PSEUDO_MAX 40u

/* The pseudo-header of either family. Returns its length. */
static uint32_t pseudo_header(uint8_t to[PSEUDO_MAX], struct ip_address source, struct ip_address destination,
                              uint32_t length) {
    memset(to, 0, PSEUDO_MAX);
    if (ip_is_v4(source)) {
        wire_put32(to, ip_to_v4(source));
        wire_put32(to + 4, ip_to_v4(destination));
        to[9] = IP_PROTOCOL_TCP;
        wire_put16(to + 10, (uint16_t)length);
        return 12;
    }
    memcpy(to, source.bytes, IP_ADDRESS_BYTES);
    memcpy(to + 16, destination.bytes, IP_ADDRESS_BYTES);
    wire_put32(to + 32, length);
    to[39] = IP_PROTOCOL_TCP;
    return 40;
}

void tcp_md5_sign(const struct tcp_md5_key *key, struct ip_address source, struct ip_address destination,
                  const uint8_t *header, uint32_t header_length, struct byte_cursor payload, uint32_t length,
                  uint8_t signature[TCP_SIGNATURE_BYTES]) {
    struct md5 md5;
    uint8_t pseudo[PSEUDO_MAX], fixed[TCP_HEADER_BYTES];
    uint32_t pseudo_length = pseudo_header(pseudo, source, destination, header_length + length);
    memcpy(fixed, header, sizeof fixed);
    wire_put16(fixed + 16, 0);
    md5_begin(&md5);
    md5_add(&md5, pseudo, pseudo_length);
    md5_add(&md5, fixed, sizeof fixed);
    add_payload(&md5, payload, length);
    md5_add(&md5, key->bytes, key->length);
    md5_end(&md5, signature);
}

bool tcp_md5_good(struct stack *stack, const struct tcp *tcp, const struct ip_packet *packet,
                  const struct tcp_segment *segment) {
    const struct tcp_signature *signature = &segment->signature;
    const struct tcp_md5_key *key = tcp->md5_keys ? tcp_md5_find(tcp, packet->source) : NULL;
    uint8_t wanted[TCP_SIGNATURE_BYTES];
    if (!key && !signature->present)
        return true;
    if (!key || !signature->present) {
        stack->mib.TcpExtTCPMD5Unexpected += !key;
        stack->mib.TcpExtTCPMD5NotFound += !!key;
        return false;
    }
    struct byte_cursor payload = {segment->chain, segment->chain ? segment->chain->start : 0};
    tcp_md5_sign(key, packet->source, packet->destination, signature->header,
                 (signature->header[12] >> 4) * 4u, payload, segment->length, wanted);
    if (memcmp(wanted, signature->bytes, sizeof wanted) == 0)
        return true;
    stack->mib.TcpExtTCPMD5Failure++;
    return false;
}
