/* SPDX-License-Identifier: MIT */
/*
 * datagram_stamp.c - see datagram_stamp.h.
 */
#include "stack/datagram/datagram_stamp.h"
#include "stack/link/ether.h"
#include "stack/stack.h"
#include <errno.h>
#include <linux/errqueue.h>

struct datagram_stamp *datagram_stamp(struct stack *stack, struct socket *socket,
                                      const struct socket_message *message) {
    const uint32_t counted =
        SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED;
    uint32_t stamps = socket_stamps(socket, message);
    if (!(stamps & counted))
        return NULL;
    struct datagram_stamp *stamp = &stack->stamp;
    *stamp = (struct datagram_stamp){.socket = socket, .stamps = stamps};
    if (stamps & SOF_TIMESTAMPING_OPT_ID)
        stamp->key = message->has_stamp_key ? message->stamp_key : socket->stamp_base++;
    return stamp;
}

/* A copy of the packet, with an Ethernet header whose destination may not be known yet. */
static struct byte_queue quote(struct stack *stack, const struct frame *frame, bool v4) {
    struct byte_queue quoted = {0};
    uint8_t header[FRAME_HEADER_MAX];
    struct iovec piece = {header, frame->header_length};
    memset(header, 0, 6);
    memcpy(header + 6, stack->config.mac, 6);
    wire_put16(header + 12, v4 ? ETHER_TYPE_IP : ETHER_TYPE_IP6);
    memcpy(header + FRAME_IP_AT, frame->header + FRAME_IP_AT, frame->header_length - FRAME_IP_AT);
    if (byte_queue_append(&quoted, &stack->buffers, &piece, 1, 0, frame->header_length) <
            frame->header_length ||
        !frame_append_payload(frame, &quoted, &stack->buffers)) {
        buffer_drop_chain(&stack->buffers, quoted.head);
        return (struct byte_queue){0};
    }
    return quoted;
}

static void tell(struct stack *stack, const struct frame *frame, const struct ip_parameters *parameters,
                 uint32_t what) {
    const struct datagram_stamp *stamp = parameters->stamp;
    struct icmp_error told = {.error = ENOMSG,
                              .origin = SO_EE_ORIGIN_TIMESTAMPING,
                              .info = what,
                              .data = stamp->key,
                              .offender = parameters->source,
                              .receiver = parameters->destination,
                              .ttl = parameters->ttl,
                              .tos = parameters->tos};
    struct byte_queue quoted = {0};
    if (!(stamp->stamps & SOF_TIMESTAMPING_OPT_TSONLY))
        quoted = quote(stack, frame, ip_is_v4(parameters->destination));
    datagram_tell(stack, stamp->socket, &told, &quoted);
}

void datagram_leaves(struct stack *stack, const struct frame *frame, const struct ip_parameters *parameters) {
    struct datagram_stamp *stamp = parameters->stamp;
    if (stamp->told)
        return;
    stamp->told = true;
    if (stamp->stamps & SOF_TIMESTAMPING_TX_SCHED)
        tell(stack, frame, parameters, SCM_TSTAMP_SCHED);
    if (stamp->stamps & SOF_TIMESTAMPING_TX_SOFTWARE)
        tell(stack, frame, parameters, SCM_TSTAMP_SND);
}
