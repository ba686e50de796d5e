/* SPDX-License-Identifier: MIT */
/*
 * ip6_fragment.c - sending what is longer than the path's MTU in fragments (RFC 8200 section 4.5). Only the
 * source of a packet does it. Identifications are random (RFC 7739), as Linux's are.
 */
#include "stack/ip/ip6_fragment.h"
#include "stack/base/wire.h"
#include "stack/ip/ip6.h"
#include "stack/stack.h"
#include <errno.h>

#define FRAGMENT_HEADER_BYTES 8u
#define MORE_FRAGMENTS 1u

/* What each fragment begins with, and what the first has besides: the headers that are cut with the payload,
 * and the transport's. */
struct parts {
    uint8_t each[IP6_CHAIN_MAX + FRAGMENT_HEADER_BYTES], once[IP6_CHAIN_MAX];
    uint32_t each_length, once_length; /* the fragment header is the last of `each` */
    uint8_t protocol;                  /* the first of `each` */
};

static void collect(struct parts *parts, struct ip_parameters *parameters, uint32_t identification) {
    uint8_t inner = parameters->protocol;
    *parts = (struct parts){.protocol = IP6_FRAGMENT};
    if (parameters->extensions) {
        parts->once_length = ip6_extensions_write(parameters->extensions, IP6_PART_ONCE, &inner, parts->once);
        parts->each_length = ip6_extensions_write(parameters->extensions, IP6_PART_EVERY_FRAGMENT,
                                                  &parts->protocol, parts->each);
        parameters->destination =
            ip6_extensions_route(parameters->extensions, parameters->destination, parts->each);
    }
    uint8_t *header = parts->each + parts->each_length;
    header[0] = inner;
    header[1] = 0;
    wire_put32(header + 4, identification);
    parts->each_length += FRAGMENT_HEADER_BYTES;
}

static uint32_t new_identification(struct stack *stack) {
    uint32_t identification;
    do
        identification = (uint32_t)random_u64(&stack->random);
    while (!identification);
    return identification;
}

int ip6_output_fragments(struct stack *stack, const struct frame *frame, const struct ip_parameters *given) {
    struct parts parts;
    struct ip_parameters routed = *given, *parameters = &routed;
    collect(&parts, parameters, new_identification(stack));
    uint32_t transport = frame->header_length - FRAME_TRANSPORT_AT;
    uint32_t in_first = parts.once_length + transport;
    uint32_t total = in_first + frame->payload_length;
    uint32_t overhead = IP6_HEADER_BYTES + parts.each_length;
    uint32_t step = parameters->mtu > overhead ? (parameters->mtu - overhead) & ~7u : 0;
    struct byte_cursor rest = frame->payload;
    uint8_t *offset_field = parts.each + parts.each_length - 6;
    int result = 0;
    if (parameters->dont_fragment || frame->segment || step == 0 || step < in_first ||
        FRAME_IP_AT + overhead + in_first > FRAME_HEADER_MAX ||
        (total + step - 1) / step > FRAME_QUEUE_MAX - stack->transmit.count) {
        stack->mib.Ip6FragFails++;
        return parameters->dont_fragment || step < in_first ? -EMSGSIZE : -ENOBUFS;
    }
    for (uint32_t offset = 0; offset < total && !result; offset += step) {
        struct frame *fragment = frame_begin(&stack->transmit);
        uint32_t length = total - offset < step ? total - offset : step;
        uint32_t in_header = offset == 0 ? in_first : 0;
        if (!fragment)
            return -ENOBUFS;
        if (in_header) {
            memcpy(fragment->header + FRAME_TRANSPORT_AT, parts.once, parts.once_length);
            memcpy(fragment->header + FRAME_TRANSPORT_AT + parts.once_length,
                   frame->header + FRAME_TRANSPORT_AT, transport);
        }
        fragment->header_length = (uint16_t)(FRAME_TRANSPORT_AT + in_header);
        frame_set_payload(fragment, rest, length - in_header);
        rest = byte_cursor_after(rest, length - in_header);
        wire_put16(offset_field, (uint16_t)(offset | (offset + length < total ? MORE_FRAGMENTS : 0)));
        ip6_write_header(fragment, parameters, parts.protocol, parts.each, parts.each_length);
        stack->mib.Ip6FragCreates++;
        result = ip6_output_whole(stack, fragment, parameters);
    }
    if (!result)
        stack->mib.Ip6FragOKs++;
    else
        stack->mib.Ip6FragFails++;
    return result;
}
