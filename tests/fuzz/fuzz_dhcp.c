/* SPDX-License-Identifier: MIT */
/*
 * fuzz_dhcp.c - a DHCP server's answers: the input is a list of messages, each two bytes of length and the
 * message from the BOOTP header on. The transaction, the MAC address and the cookie are put right.
 */
#include "tests/fuzz/target.h"

static void send_message(struct stack *stack, const uint8_t *data, uint32_t length) {
    uint8_t frame[2000];
    uint8_t *udp = frame + ETHER_HEADER_BYTES + IP_HEADER_BYTES, *message = udp + UDP_HEADER_BYTES;
    uint16_t total = (uint16_t)(length + UDP_HEADER_BYTES);
    memcpy(message, data, length);
    message[0] = 2;
    message[1] = 1;
    message[2] = 6;
    wire_put32(message + 4, stack->dhcp.transaction);
    memcpy(message + 28, stack->config.mac, 6);
    wire_put32(message + 236, 0x63825363);
    wire_put16(udp, 67);
    wire_put16(udp + 2, 68);
    wire_put16(udp + 4, total);
    wire_put16(udp + 6, 0); /* no checksum */
    target_packet(stack, frame, IP_PROTOCOL_UDP, UINT32_MAX, IP_HEADER_BYTES, total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stack *stack = target_stack(0);
    dhcp_start(stack);
    while (size >= 2) {
        uint32_t length = wire_get16(data) % 1400;
        data += 2;
        size -= 2;
        length = length < size ? length : (uint32_t)size;
        if (length >= 240)
            send_message(stack, data, length);
        target_run(stack, length < 240 ? length * SECOND : SECOND / 2);
        const struct dhcp_lease *lease = &stack->dhcp.lease;
        target_expect(stack->config.address == lease->address, "the lease's address");
        target_expect(!lease->address ||
                          (lease->renew_ns < lease->rebind_ns && lease->rebind_ns < lease->length_ns),
                      "renew < rebind < end");
        target_expect(stack->config.mtu >= IP_MTU_MIN && stack->config.mtu <= 1500, "the MTU");
        data += length;
        size -= length;
    }
    dhcp_release(stack);
    target_end(stack);
    return 0;
}
