/* SPDX-License-Identifier: MIT */
/*
 * icmp.c - see icmp.h. Redirects are counted and ignored: whoever sends one could lead our packets astray.
 */
#include "stack/ip/icmp.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/stack.h"
#include <errno.h>

#define ICMP_PACKET_MAX 576u /* RFC 1812 section 4.3.2.3: an error quotes what fits */

int icmp_output(struct stack *stack, const uint8_t header[ICMP_HEADER_BYTES], struct byte_cursor rest,
                uint32_t rest_length, const struct ip_parameters *parameters) {
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame)
        return -ENOBUFS;
    uint8_t *message = frame->header + FRAME_TRANSPORT_AT;
    memcpy(message, header, ICMP_HEADER_BYTES);
    frame->header_length = FRAME_TRANSPORT_AT + ICMP_HEADER_BYTES;
    frame_set_payload(frame, rest, rest_length);
    uint64_t sum = checksum_add(0, message, ICMP_HEADER_BYTES);
    sum += checksum_fold(checksum_add_range(0, rest, rest_length));
    wire_put_sum(message + 2, (uint16_t)~checksum_fold(sum));
    stack->mib.IcmpOutMsgs++;
    return ip_output(stack, frame, parameters);
}

static bool is_inet6(const struct icmp_error *error) {
    return !ip_is_v4(error->offender) && !ip_is_any(error->offender);
}

bool icmp_is_too_long(const struct icmp_error *error) {
    return is_inet6(error)
               ? error->type == ICMP6_TOO_BIG
               : error->type == ICMP_DESTINATION_UNREACHABLE && error->code == ICMP_FRAGMENTATION_NEEDED;
}

bool icmp_is_unreachable(const struct icmp_error *error) {
    return is_inet6(error)
               ? error->type == ICMP6_UNREACHABLE && error->code != ICMP6_PORT_UNREACHABLE
               : error->type == ICMP_DESTINATION_UNREACHABLE && error->code <= ICMP_HOST_UNREACHABLE;
}

/* A message of the stack's own, whose rest is a range of a received packet. */
static void send_message(struct stack *stack, struct ip_address from, struct ip_address to,
                         const uint8_t header[ICMP_HEADER_BYTES], struct byte_cursor rest,
                         uint32_t rest_length, uint8_t tos) {
    struct ip_parameters parameters = {.source = from,
                                       .destination = to,
                                       .protocol = IP_PROTOCOL_ICMP,
                                       .ttl = (uint8_t)stack->sysctl.ip_default_ttl,
                                       .tos = tos,
                                       .mtu = ip_mtu(stack, to)};
    if (stack->transmit.count == FRAME_QUEUE_MAX)
        stack->mib.IcmpOutErrors++;
    else
        icmp_output(stack, header, rest, rest_length, &parameters);
}

static void echo_reply(struct stack *stack, const struct ip_packet *packet) {
    struct buffer *chain = packet->chain;
    uint8_t header[ICMP_HEADER_BYTES];
    if (packet->multicast)
        return; /* net.ipv4.icmp_echo_ignore_broadcasts */
    memcpy(header, buffer_data(chain), ICMP_HEADER_BYTES);
    header[0] = ICMP_ECHO_REPLY;
    wire_put16(header + 2, 0);
    stack->mib.IcmpOutEchoReps++;
    send_message(stack, packet->destination, packet->source, header,
                 (struct byte_cursor){chain, chain->start + ICMP_HEADER_BYTES},
                 packet->length - ICMP_HEADER_BYTES, packet->tos);
}

/* Linux's icmp_err_convert. */
static struct icmp_error unreachable(uint8_t code) {
    static const struct {
        int error;
        bool fatal;
    } errors[] = {{ENETUNREACH, false},  {EHOSTUNREACH, false}, {ENOPROTOOPT, true},  {ECONNREFUSED, true},
                  {EMSGSIZE, false},     {EOPNOTSUPP, false},   {ENETUNREACH, true},  {EHOSTDOWN, true},
                  {ENONET, true},        {ENETUNREACH, true},   {EHOSTUNREACH, true}, {ENETUNREACH, false},
                  {EHOSTUNREACH, false}, {EHOSTUNREACH, true},  {EHOSTUNREACH, true}, {EHOSTUNREACH, true}};
    if (code >= sizeof errors / sizeof *errors)
        return (struct icmp_error){.error = EHOSTUNREACH, .fatal = true};
    return (struct icmp_error){.error = errors[code].error, .fatal = errors[code].fatal};
}

struct icmp_error icmp_host_unreachable(const struct stack *stack, uint32_t source) {
    struct icmp_error error = unreachable(ICMP_HOST_UNREACHABLE);
    error.type = ICMP_DESTINATION_UNREACHABLE;
    error.code = ICMP_HOST_UNREACHABLE;
    error.offender = error.receiver = ip_from_v4(ip4_source(stack, source));
    error.ttl = (uint8_t)stack->sysctl.ip_default_ttl;
    error.tos = 0xc0;
    return error;
}

static void error_input(struct stack *stack, const struct ip_packet *packet) {
    const uint8_t *message = buffer_data(packet->chain);
    uint32_t quoted = buffer_length(packet->chain) - ICMP_HEADER_BYTES;
    const uint8_t *header = message + ICMP_HEADER_BYTES;
    struct icmp_error error = {.error = EHOSTUNREACH};
    switch (message[0]) {
    case ICMP_DESTINATION_UNREACHABLE:
        stack->mib.IcmpInDestUnreachs++;
        error = unreachable(message[1]);
        if (message[1] == ICMP_FRAGMENTATION_NEEDED)
            error.info = wire_get16(message + 6);
        break;
    case ICMP_TIME_EXCEEDED:
        stack->mib.IcmpInTimeExcds++;
        break;
    case ICMP_PARAMETER_PROBLEM:
        stack->mib.IcmpInParmProbs++;
        error = (struct icmp_error){.error = EPROTO, .fatal = true, .info = message[4]};
        break;
    default:
        return;
    }
    if (packet->multicast || quoted < IP_HEADER_BYTES || !ip4_is_local(stack, wire_get32(header + 12))) {
        stack->mib.IcmpInErrors++;
        return;
    }
    error.type = message[0];
    error.code = message[1];
    error.original_bytes = (uint16_t)(message[5] * 4u);
    error.offender = packet->source;
    error.receiver = packet->destination;
    error.ttl = packet->ttl;
    error.tos = packet->tos;
    ip_error(stack, header, quoted, &error);
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
    case ICMP_ECHO_REPLY:
        stack->mib.IcmpInEchoReps++;
        ping_input(stack, packet);
        break;
    case ICMP_SOURCE_QUENCH: /* RFC 6633: ignored */
        stack->mib.IcmpInSrcQuenchs++;
        break;
    case ICMP_REDIRECT:
        stack->mib.IcmpInRedirects++;
        break;
    default:
        error_input(stack, packet);
        break;
    }
}

/* RFC 1122 section 3.2.2: not about an ICMP error, a broadcast or multicast, a source that is no host, or
 * a fragment other than the first. */
static bool may_be_answered(const struct ip_packet *packet) {
    const uint8_t *header = packet->chain->storage + packet->header_at;
    if (packet->multicast || ip_is_any(packet->source) || wire_get16(header + 6) & IP_OFFSET_MASK)
        return false;
    if (packet->protocol != IP_PROTOCOL_ICMP)
        return true;
    return buffer_length(packet->chain) > 0 && (buffer_data(packet->chain)[0] == ICMP_ECHO_REQUEST ||
                                                buffer_data(packet->chain)[0] == ICMP_ECHO_REPLY);
}

void icmp_send_error(struct stack *stack, const struct ip_packet *packet, enum icmp_type type,
                     enum icmp_code code, uint32_t info) {
    if (!may_be_answered(packet) || !icmp_limit_allows(stack, &stack->mib.IcmpOutRateLimitGlobal))
        return;
    if (!packet->looped && !icmp_limit_allows_host(stack, packet->source, ICMP_HOST_NS)) {
        stack->mib.IcmpOutRateLimitHost++;
        return;
    }
    icmp_limit_take(stack); /* only for what leaves: who asks too much does not silence us for others */
    uint8_t header[ICMP_HEADER_BYTES] = {(uint8_t)type, (uint8_t)code};
    wire_put32(header + 4, info);
    struct byte_cursor quoted = {packet->chain, packet->header_at};
    uint32_t length = packet->chain->end - packet->header_at; /* of the first buffer, which is plenty */
    if (length > ICMP_PACKET_MAX - IP_HEADER_BYTES - ICMP_HEADER_BYTES)
        length = ICMP_PACKET_MAX - IP_HEADER_BYTES - ICMP_HEADER_BYTES;
    if (type == ICMP_DESTINATION_UNREACHABLE)
        stack->mib.IcmpOutDestUnreachs++;
    else if (type == ICMP_TIME_EXCEEDED)
        stack->mib.IcmpOutTimeExcds++;
    else
        stack->mib.IcmpOutParmProbs++;
    send_message(stack, packet->destination, packet->source, header, quoted, length, 0xc0);
}
