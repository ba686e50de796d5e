/* SPDX-License-Identifier: MIT */
/*
 * software_gso.c - what a NIC makes of a frame that leaves work to it (frame.h): the packets that will be on
 * the wire, with their checksums.
 *
 * Of a burst each segment gets the header with its own sequence number, length and identification; CWR is the
 * first's alone, PSH and FIN are the last's. A burst of datagrams
 * (UDP_SEGMENT) is cut into datagrams.
 */
#include "stack/link/software_gso.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/ip.h"
#include "stack/link/frame.h"
#include "stack/tcp/tcp_segment.h"
#include <string.h>

/* What there is to know of the headers of a packet that leaves work to the NIC: there is nothing between
 * them. */
struct place {
    bool six;
    uint8_t protocol;
    uint8_t *ip, *transport;
    struct ip_address source, destination;
};

static struct place place_of(uint8_t *packet, uint32_t transport_at) {
    uint8_t *ip = packet + FRAME_IP_AT;
    struct place place = {.six = ip[0] >> 4 == 6, .ip = ip, .transport = packet + transport_at};
    place.protocol = ip[place.six ? 6 : 9];
    place.source = place.six ? ip_from_bytes(ip + 8) : ip_from_v4(wire_get32(ip + 12));
    place.destination = place.six ? ip_from_bytes(ip + 24) : ip_from_v4(wire_get32(ip + 16));
    return place;
}

/* `covered`: bytes from the transport header on. */
static void finish_checksum(const struct place *place, uint32_t covered, uint32_t offset) {
    uint8_t *transport = place->transport;
    uint64_t sum =
        checksum_pseudo_header(place->source, place->destination, place->protocol, (uint16_t)covered);
    wire_put16(transport + offset, 0);
    uint16_t folded = (uint16_t)~checksum_fold(checksum_add(sum, transport, covered));
    bool none = folded == 0 && place->protocol == IP_PROTOCOL_UDP; /* 0 would say that there is none */
    wire_put_sum(transport + offset, none ? 0xffff : folded);
}

/* The length of a segment, in IP's header; and its number. */
static void put_length(const struct place *place, uint32_t covered, uint32_t index) {
    uint8_t *ip = place->ip;
    if (place->six) {
        wire_put16(ip + 4, (uint16_t)covered);
        return;
    }
    wire_put16(ip + 2, (uint16_t)((uint32_t)(place->transport - ip) + covered));
    wire_put16(ip + 4, (uint16_t)(wire_get16(ip + 4) + index));
    ip_seal_header(ip);
}

uint32_t frame_cut(const struct frame *frame, uint32_t index, uint8_t *to) {
    uint32_t size = frame->segment ? frame->segment : frame->payload_length;
    uint32_t at = index * size, left = frame->payload_length - at;
    if (index > 0 && (!frame->segment || at >= frame->payload_length))
        return 0;
    uint32_t payload = left < size ? left : size, length = frame->header_length + payload;
    memcpy(to, frame->header, frame->header_length);
    frame_copy(frame, at, to + frame->header_length, payload);
    if (!frame->checksum_offset && !frame->segment)
        return length;
    struct place place = place_of(to, frame->transport_at);
    uint32_t covered = length - frame->transport_at;
    if (frame->segment)
        put_length(&place, covered, index);
    if (frame->segment && place.protocol == IP_PROTOCOL_UDP) {
        wire_put16(place.transport + 4, (uint16_t)covered);
    } else if (frame->segment) {
        wire_put32(place.transport + 4, wire_get32(place.transport + 4) + at);
        if (index > 0)
            place.transport[13] &= (uint8_t)~TCP_CWR;
        if (left > size)
            place.transport[13] &= (uint8_t) ~(TCP_PSH | TCP_FIN);
    }
    if (frame->checksum_offset)
        finish_checksum(&place, covered, frame->checksum_offset);
    return length;
}
