/*
 * software_gso.c - what a NIC makes of a frame that leaves work to it (frame.h): the packets that will be on
 * the wire, with their checksums.
 *
 * Of a train each segment gets the header with its own sequence number, length and identification; CWR is the
 * first's alone, PSH and FIN are the last's. A train of datagrams
 * (UDP_SEGMENT) is cut into datagrams.
 */
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/ip.h"
#include "stack/link/frame.h"
#include "stack/tcp/tcp_segment.h"
#include <string.h>

static void finish_checksum(uint8_t *packet, uint32_t length, uint32_t offset) {
    uint8_t *ip = packet + FRAME_IP_AT, *transport = packet + FRAME_TRANSPORT_AT;
    uint32_t covered = length - FRAME_TRANSPORT_AT;
    uint64_t sum = checksum_pseudo_header(ip_from_v4(wire_get32(ip + 12)), ip_from_v4(wire_get32(ip + 16)),
                                          ip[9], (uint16_t)covered);
    wire_put16(transport + offset, 0);
    uint16_t folded = (uint16_t)~checksum_fold(checksum_add(sum, transport, covered));
    bool none = folded == 0 && ip[9] == IP_PROTOCOL_UDP; /* 0 would say that there is none */
    wire_put_sum(transport + offset, none ? 0xffff : folded);
}

uint32_t frame_cut(const struct frame *frame, uint32_t index, uint8_t *to) {
    uint32_t size = frame->segment ? frame->segment : frame->payload_length;
    uint32_t at = index * size, left = frame->payload_length - at;
    if (index > 0 && (!frame->segment || at >= frame->payload_length))
        return 0;
    uint32_t payload = left < size ? left : size, length = frame->header_length + payload;
    memcpy(to, frame->header, frame->header_length);
    frame_copy(frame, at, to + frame->header_length, payload);
    if (frame->segment) {
        uint8_t *ip = to + FRAME_IP_AT, *tcp = to + FRAME_TRANSPORT_AT;
        wire_put16(ip + 2, (uint16_t)(length - FRAME_IP_AT));
        wire_put16(ip + 4, (uint16_t)(wire_get16(ip + 4) + index));
        ip_seal_header(ip);
        if (ip[9] == IP_PROTOCOL_UDP) {
            wire_put16(tcp + 4, (uint16_t)(length - FRAME_TRANSPORT_AT));
            finish_checksum(to, length, frame->checksum_offset);
            return length;
        }
        wire_put32(tcp + 4, wire_get32(tcp + 4) + at);
        if (index > 0)
            tcp[13] &= (uint8_t)~TCP_CWR;
        if (left > size)
            tcp[13] &= (uint8_t) ~(TCP_PSH | TCP_FIN);
    }
    if (frame->checksum_offset)
        finish_checksum(to, length, frame->checksum_offset);
    return length;
}
