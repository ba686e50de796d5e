/* SPDX-License-Identifier: MIT */
/*
 * ip_fragment.c - sending what is longer than the path's MTU in fragments (RFC 791 section 3.2).
 */
#include "stack/ip/ip_fragment.h"
#include "stack/base/wire.h"
#include "stack/ip/ip.h"
#include "stack/stack.h"
#include <errno.h>

int ip_output_fragments(struct stack *stack, const struct frame *frame,
                        const struct ip_parameters *parameters) {
    uint32_t transport = frame->header_length - FRAME_TRANSPORT_AT; /* bytes of it in the frame's header */
    uint32_t total = transport + frame->payload_length;
    uint32_t step = (parameters->mtu - IP_HEADER_BYTES) & ~7u; /* every fragment has the options, too */
    uint32_t fragments = (total + step - 1) / step;
    struct byte_cursor rest = frame->payload;
    int result = 0;
    if (parameters->dont_fragment || step < transport ||
        fragments > FRAME_QUEUE_MAX - stack->transmit.count) {
        stack->mib.IpFragFails++;
        return parameters->dont_fragment ? -EMSGSIZE : -ENOBUFS;
    }
    uint16_t identification = ip_identification(stack, parameters, false, 1);
    for (uint32_t offset = 0; offset < total && !result; offset += step) {
        struct frame *fragment = frame_begin(&stack->transmit);
        uint32_t length = total - offset < step ? total - offset : step;
        uint32_t in_header = offset == 0 ? transport : 0;
        uint16_t flags = (uint16_t)(offset / 8 | (offset + length < total ? IP_MORE_FRAGMENTS : 0));
        if (!fragment)
            return -ENOBUFS;
        memcpy(fragment->header + FRAME_TRANSPORT_AT, frame->header + FRAME_TRANSPORT_AT, in_header);
        fragment->header_length = (uint16_t)(FRAME_TRANSPORT_AT + in_header);
        frame_set_payload(fragment, rest, length - in_header);
        rest = byte_cursor_after(rest, length - in_header);
        ip_write_header(fragment, parameters, identification, flags);
        stack->mib.IpFragCreates++;
        result = ip_output_whole(stack, fragment, parameters);
    }
    if (!result)
        stack->mib.IpFragOKs++;
    else
        stack->mib.IpFragFails++;
    return result;
}
