/* SPDX-License-Identifier: MIT */
/*
 * ether.c - see ether.h.
 */
#include "stack/link/ether.h"
#include "stack/base/wire.h"
#include "stack/stack.h"

const uint8_t ETHER_BROADCAST[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void count_in(struct stack *stack, const struct buffer *frame, bool multicast) {
    stack->ether.in_frames++;
    stack->ether.in_bytes += buffer_chain_length(frame);
    stack->ether.in_multicasts += multicast;
}

void ether_input(struct stack *stack, struct buffer *frame, unsigned flags) {
    uint8_t *header = buffer_data(frame);
    if (buffer_length(frame) < ETHER_HEADER_BYTES) {
        buffer_drop_chain(&stack->buffers, frame);
        return;
    }
    bool group = header[0] & 1;
    uint16_t type = wire_get16(header + 12);
    bool ours = group || memcmp(header, stack->config.mac, 6) == 0;
    bool echo = memcmp(header + 6, stack->config.mac, 6) == 0; /* our own frame, come back */
    if (ours && !echo)
        count_in(stack, frame, group && memcmp(header, ETHER_BROADCAST, 6) != 0);
    frame->start += ETHER_HEADER_BYTES;
    if (ours && !echo && type == ETHER_TYPE_IP) {
        ip_input(stack, frame, flags | (group ? IP_INPUT_LINK_MULTICAST : 0));
        return;
    }
    if (ours && !echo && type == ETHER_TYPE_IP6) {
        ip6_input(stack, frame, flags | (group ? IP_INPUT_LINK_MULTICAST : 0));
        return;
    }
    if (ours && !echo && type == ETHER_TYPE_ARP)
        arp_input(stack, buffer_data(frame), buffer_length(frame));
    buffer_drop_chain(&stack->buffers, frame);
}

void ether_output(struct stack *stack, struct frame *frame, const uint8_t destination[6], uint16_t type) {
    memcpy(frame->header, destination, 6);
    memcpy(frame->header + 6, stack->config.mac, 6);
    wire_put16(frame->header + 12, type);
    stack->ether.out_frames++;
    stack->ether.out_bytes += frame->header_length + frame->payload_length;
    trace_frame_out(stack, frame);
    frame_commit(&stack->transmit);
}
