/*
 * icmp.c - see icmp.h.
 */
#include "icmp.h"
#include "checksum.h"
#include "stack.h"
#include "wire.h"
#include <errno.h>

#define ICMP_HEADER_BYTES 8u
#define ICMP_PACKET_MAX 576u /* RFC 1812 section 4.3.2.3: an error quotes what fits */

/* Sends an ICMP message whose header (8 bytes, checksum 0) is given and whose rest is a range of a received
 * packet. */
static void send_message(struct stack *stack, uint32_t to, const uint8_t header[ICMP_HEADER_BYTES],
                         struct byte_cursor rest, uint32_t rest_length) {
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame)
        return;
    uint8_t *message = frame->header + FRAME_TRANSPORT_AT;
    memcpy(message, header, ICMP_HEADER_BYTES);
    frame->header_length = FRAME_TRANSPORT_AT + ICMP_HEADER_BYTES;
    frame_set_payload(frame, rest, rest_length);
    uint64_t sum = checksum_add(0, message, ICMP_HEADER_BYTES);
    sum += checksum_fold(checksum_add_range(0, rest, rest_length));
    wire_put_sum(message + 2, (uint16_t)~checksum_fold(sum));
    stack->mib.IcmpOutMsgs++;
    ip_output(stack, frame, ip_source(stack, to), to, IP_PROTOCOL_ICMP, IP_DEFAULT_TTL, 0);
}

static void echo_reply(struct stack *stack, const struct ip_packet *packet) {
    struct buffer *chain = packet->chain;
    uint32_t rest = packet->length - ICMP_HEADER_BYTES;
    if (packet->multicast || packet->length + IP_HEADER_BYTES > ip_mtu(stack, packet->source))
        return;
    uint8_t header[ICMP_HEADER_BYTES];
    memcpy(header, buffer_data(chain), ICMP_HEADER_BYTES);
    header[0] = ICMP_ECHO_REPLY;
    wire_put16(header + 2, 0);
    stack->mib.IcmpOutEchoReps++;
    send_message(stack, packet->source, header, (struct byte_cursor){chain, chain->start + ICMP_HEADER_BYTES},
                 rest);
}

/* The errno of a destination unreachable, as Linux's icmp_err_convert has it. */
static int unreachable_errno(uint8_t code) {
    static const int errors[] = {ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT,  ECONNREFUSED,
                                 EMSGSIZE,     EOPNOTSUPP,   ENETUNREACH,  EHOSTDOWN,
                                 ENONET,       ENETUNREACH,  EHOSTUNREACH, ENETUNREACH,
                                 EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH};
    return code < sizeof errors / sizeof *errors ? errors[code] : EHOSTUNREACH;
}

static void unreachable_input(struct stack *stack, const struct ip_packet *packet) {
    const uint8_t *message = buffer_data(packet->chain);
    uint32_t quoted = buffer_length(packet->chain) - ICMP_HEADER_BYTES;
    const uint8_t *header = message + ICMP_HEADER_BYTES;
    stack->mib.IcmpInDestUnreachs++;
    if (quoted < IP_HEADER_BYTES + 8 || header[0] >> 4 != 4 || !ip_is_local(stack, wire_get32(header + 12)))
        return;
    if (message[1] != ICMP_FRAGMENTATION_NEEDED)
        ip_error(stack, header, quoted, unreachable_errno(message[1]));
}

void icmp_input(struct stack *stack, struct ip_packet *packet) {
    stack->mib.IcmpInMsgs++;
    if (packet->length < ICMP_HEADER_BYTES || buffer_length(packet->chain) < ICMP_HEADER_BYTES) {
        stack->mib.IcmpInErrors++;
        return;
    }
    if (checksum_fold(checksum_add_chain(0, packet->chain)) != 0xffff) {
        stack->mib.IcmpInCsumErrors++;
        stack->mib.IcmpInErrors++;
        return;
    }
    switch (buffer_data(packet->chain)[0]) {
    case ICMP_ECHO_REQUEST:
        stack->mib.IcmpInEchos++;
        echo_reply(stack, packet);
        break;
    case ICMP_DESTINATION_UNREACHABLE:
        unreachable_input(stack, packet);
        break;
    default:
        break;
    }
}

static bool limiter_allows(struct stack *stack) {
    struct icmp_limiter *limiter = &stack->icmp_limiter;
    uint64_t elapsed_ns = stack->now_ns - limiter->refilled_ns;
    uint64_t earned =
        elapsed_ns > 1000000000 ? ICMP_ERRORS_BURST : elapsed_ns * ICMP_ERRORS_PER_SECOND / 1000000000;
    if (earned > 0) {
        limiter->refilled_ns = stack->now_ns;
        limiter->tokens += (uint32_t)earned;
        if (limiter->tokens > ICMP_ERRORS_BURST)
            limiter->tokens = ICMP_ERRORS_BURST;
    }
    if (limiter->tokens == 0) {
        stack->mib.IcmpOutRateLimitGlobal++;
        return false;
    }
    limiter->tokens--;
    return true;
}

void icmp_send_unreachable(struct stack *stack, const struct ip_packet *packet, enum icmp_unreachable code) {
    if (packet->multicast || !limiter_allows(stack))
        return;
    uint8_t header[ICMP_HEADER_BYTES] = {ICMP_DESTINATION_UNREACHABLE, (uint8_t)code};
    struct byte_cursor quoted = {packet->chain, packet->header_at};
    uint32_t length = packet->chain->end - packet->header_at; /* of the first buffer, which is plenty */
    if (length > ICMP_PACKET_MAX - IP_HEADER_BYTES - ICMP_HEADER_BYTES)
        length = ICMP_PACKET_MAX - IP_HEADER_BYTES - ICMP_HEADER_BYTES;
    stack->mib.IcmpOutDestUnreachs++;
    send_message(stack, packet->source, header, quoted, length);
}
