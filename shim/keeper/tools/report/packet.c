/* SPDX-License-Identifier: MIT */
/*
 * packet.c - see packet.h. Every length is checked against what is there.
 */
#include "shim/keeper/tools/report/packet.h"
#include <arpa/inet.h>
#include <string.h>

#define EXTENSIONS_MAX 8

uint32_t packet_get16(const uint8_t *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

uint32_t packet_get32(const uint8_t *at) {
    return packet_get16(at) << 16 | packet_get16(at + 2);
}

struct address packet_map(const uint8_t *bytes) {
    struct address address = {{[10] = 0xff, [11] = 0xff}};
    memcpy(address.bytes + 12, bytes, 4);
    return address;
}

static bool is_mapped(const struct address *address) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address->bytes, prefix, sizeof prefix) == 0;
}

const char *packet_address(const struct address *address) {
    static char texts[8][INET6_ADDRSTRLEN];
    static unsigned next;
    char *text = texts[next++ % 8];
    bool mapped = is_mapped(address);
    inet_ntop(mapped ? AF_INET : AF_INET6, address->bytes + (mapped ? 12 : 0), text, sizeof *texts);
    return text;
}

bool packet_same_address(const struct address *a, const struct address *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

static bool read_ipv4(const struct capture_packet *packet, struct captured_ip *ip) {
    const uint8_t *at = packet->payload;
    if (packet->captured < 20)
        return false;
    uint32_t header = (at[0] & 15u) * 4, total = packet_get16(at + 2);
    if (total == 0) /* a segment that offload made too long to say */
        total = packet->length - (packet->frame_bytes - packet->captured);
    if (header < 20 || packet->captured < header || total < header)
        return false;
    *ip = (struct captured_ip){.source = packet_map(at + 12),
                               .destination = packet_map(at + 16),
                               .protocol = at[9],
                               .ttl = at[8],
                               .identification = (uint16_t)packet_get16(at + 4),
                               .fragment = packet_get16(at + 6) & 0x1fff,
                               .payload = at + header,
                               .captured = packet->captured - header,
                               .length = total - header};
    return true;
}

/* Passes over the extension headers of RFC 8200, section 4. */
static bool read_ipv6(const struct capture_packet *packet, struct captured_ip *ip) {
    const uint8_t *at = packet->payload;
    if (packet->captured < 40)
        return false;
    uint32_t length = packet_get16(at + 4), used = 40;
    if (length == 0) /* a jumbogram, or a segment that offload made too long to say */
        length = packet->length - (packet->frame_bytes - packet->captured) - 40;
    *ip = (struct captured_ip){.protocol = at[6], .ttl = at[7]};
    memcpy(&ip->source, at + 8, 16);
    memcpy(&ip->destination, at + 24, 16);
    for (int i = 0; i < EXTENSIONS_MAX; i++) {
        bool options = ip->protocol == 0 || ip->protocol == 43 || ip->protocol == 60,
             fragment = ip->protocol == 44;
        if (!options && !fragment)
            break;
        if (packet->captured < used + 8)
            return false;
        const uint8_t *extension = at + used;
        ip->fragment |= fragment && packet_get16(extension + 2) & 0xfff8;
        ip->protocol = extension[0];
        used += fragment ? 8 : (extension[1] + 1u) * 8;
    }
    if (packet->captured < used || length + 40 < used)
        return false;
    ip->payload = at + used;
    ip->captured = packet->captured - used;
    ip->length = length + 40 - used;
    return true;
}

bool packet_read_ip(const struct capture_packet *packet, struct captured_ip *ip) {
    if (packet->type == CAPTURE_IPV4)
        return read_ipv4(packet, ip);
    return packet->type == CAPTURE_IPV6 && read_ipv6(packet, ip);
}

static void read_options(struct header *header, const uint8_t *at, const uint8_t *end) {
    while (at < end && *at) {
        if (*at == 1) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            return;
        if (at[0] == 2 && at[1] == 4) {
            header->mss = (uint16_t)packet_get16(at + 2);
        } else if (at[0] == 3 && at[1] == 3) {
            header->scale = at[2] > 14 ? 14 : at[2];
        } else if (at[0] == 4) {
            header->sack_permitted = true;
        } else if (at[0] == 8 && at[1] == 10) {
            header->timestamps = true;
            header->timestamp = packet_get32(at + 2);
            header->echo = packet_get32(at + 6);
        } else if (at[0] == 5) {
            for (int i = 2; i + 8 <= at[1] && header->sack_count < 8; i += 8) {
                header->sack[header->sack_count++] = packet_get32(at + i);
                header->sack[header->sack_count++] = packet_get32(at + i + 4);
            }
        }
        at += at[1];
    }
}

bool packet_read_tcp(const struct captured_ip *ip, struct header *header) {
    const uint8_t *tcp = ip->payload;
    if (ip->fragment || ip->captured < 20)
        return false;
    uint32_t bytes = (tcp[12] >> 4) * 4u;
    if (bytes < 20 || ip->length < bytes)
        return false;
    *header = (struct header){.source = ip->source,
                              .destination = ip->destination,
                              .from = (uint16_t)packet_get16(tcp),
                              .to = (uint16_t)packet_get16(tcp + 2),
                              .sequence = packet_get32(tcp + 4),
                              .acknowledgment = packet_get32(tcp + 8),
                              .flags = tcp[13],
                              .window = packet_get16(tcp + 14),
                              .length = ip->length - bytes,
                              .ttl = ip->ttl,
                              .identification = ip->identification,
                              .scale = -1};
    read_options(header, tcp + 20, tcp + (bytes < ip->captured ? bytes : ip->captured));
    return true;
}
