/* SPDX-License-Identifier: MIT */
/*
 * fuzz_options.c - options of IP and TCP, and the boundaries of their headers: the input's first byte says
 * how much of it is IP's, the rest is TCP's.
 */
#include "stack/base/checksum.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stack *stack = target_stack(TARGET_ADDRESS);
    struct tcp_segment segment;
    struct socket *listener;
    uint8_t frame[ETHER_HEADER_BYTES + 120] = {0};
    uint8_t *ip = frame + ETHER_HEADER_BYTES;
    if (size < 1)
        return 0;
    int parsed = tcp_segment_parse(&segment, data + 1, (uint32_t)(size - 1));
    target_expect(parsed < 0 || (parsed >= 20 && (size_t)parsed <= size - 1), "the header's length");
    uint32_t ip_options = (data[0] % 11u) * 4;
    data++;
    size--;
    uint32_t ip_header = IP_HEADER_BYTES + ip_options;
    uint32_t used = size < ip_options ? (uint32_t)size : ip_options;
    memcpy(ip + IP_HEADER_BYTES, data, used);
    data += used;
    size -= used;
    uint32_t tcp_options = size > 40 ? 40 : (uint32_t)size & ~3u, tcp_length = TCP_HEADER_BYTES + tcp_options;
    uint8_t *tcp = ip + ip_header;
    wire_put16(tcp, 999);
    wire_put16(tcp + 2, 80);
    tcp[12] = (uint8_t)(tcp_length / 4 << 4);
    tcp[13] = 2; /* SYN */
    wire_put16(tcp + 14, 1000);
    memcpy(tcp + TCP_HEADER_BYTES, data, tcp_options);
    uint64_t sum = checksum_pseudo_header(ip_from_v4(TARGET_PEER), ip_from_v4(TARGET_ADDRESS),
                                          IP_PROTOCOL_TCP, (uint16_t)tcp_length);
    wire_put_sum(tcp + 16, (uint16_t)~checksum_fold(checksum_add(sum, tcp, tcp_length)));
    target_expect(socket_create(stack, SOCK_STREAM, 0, &listener) == 0, "a socket");
    socket_bind(stack, listener, ip_from_v4(0), 80);
    socket_listen(stack, listener, 1);
    target_packet(stack, frame, IP_PROTOCOL_TCP, TARGET_ADDRESS, ip_header, tcp_length);
    target_end(stack);
    return 0;
}
