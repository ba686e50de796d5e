/* SPDX-License-Identifier: MIT */
/*
 * icmp6.c - see icmp6.h.
 */
#include "stack/ip/icmp6.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/ip6_source.h"
#include "stack/ip/mld.h"
#include "stack/ip/nd.h"
#include "stack/stack.h"
#include <errno.h>

#define MS UINT64_C(1000000)

/* The message types that counters of their own know, in and out. */
static void count(struct stack *stack, uint8_t type, bool out) {
    struct mib *mib = &stack->mib;
    const struct {
        uint8_t type;
        uint64_t *in, *out;
    } counters[] = {
        {ICMP6_UNREACHABLE, &mib->Icmp6InDestUnreachs, &mib->Icmp6OutDestUnreachs},
        {ICMP6_TOO_BIG, &mib->Icmp6InPktTooBigs, &mib->Icmp6OutPktTooBigs},
        {ICMP6_TIME_EXCEEDED, &mib->Icmp6InTimeExcds, &mib->Icmp6OutTimeExcds},
        {ICMP6_PARAMETER_PROBLEM, &mib->Icmp6InParmProblems, &mib->Icmp6OutParmProblems},
        {ICMP6_ECHO_REQUEST, &mib->Icmp6InEchos, &mib->Icmp6OutEchos},
        {ICMP6_ECHO_REPLY, &mib->Icmp6InEchoReplies, &mib->Icmp6OutEchoReplies},
        {ICMP6_MLD_QUERY, &mib->Icmp6InGroupMembQueries, &mib->Icmp6OutGroupMembQueries},
        {ICMP6_MLD_REPORT, &mib->Icmp6InGroupMembResponses, &mib->Icmp6OutGroupMembResponses},
        {ICMP6_MLD_DONE, &mib->Icmp6InGroupMembReductions, &mib->Icmp6OutGroupMembReductions},
        {ICMP6_ROUTER_SOLICITATION, &mib->Icmp6InRouterSolicits, &mib->Icmp6OutRouterSolicits},
        {ICMP6_ROUTER_ADVERTISEMENT, &mib->Icmp6InRouterAdvertisements, &mib->Icmp6OutRouterAdvertisements},
        {ICMP6_NEIGHBOUR_SOLICITATION, &mib->Icmp6InNeighborSolicits, &mib->Icmp6OutNeighborSolicits},
        {ICMP6_NEIGHBOUR_ADVERTISEMENT, &mib->Icmp6InNeighborAdvertisements,
         &mib->Icmp6OutNeighborAdvertisements},
        {ICMP6_REDIRECT, &mib->Icmp6InRedirects, &mib->Icmp6OutRedirects},
        {ICMP6_MLD2_REPORT, &mib->Icmp6InMLDv2Reports, &mib->Icmp6OutMLDv2Reports},
    };
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        if (counters[i].type == type)
            ++*(out ? counters[i].out : counters[i].in);
}

int icmp6_output(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters) {
    uint8_t *message = frame->header + FRAME_TRANSPORT_AT;
    uint32_t here = frame->header_length - FRAME_TRANSPORT_AT;
    uint64_t sum = checksum_pseudo_header(parameters->source, parameters->destination, IP_PROTOCOL_ICMP6,
                                          (uint16_t)(here + frame->payload_length));
    wire_put16(message + 2, 0);
    sum = checksum_add(sum, message, here);
    if (frame->payload_length)
        sum += checksum_fold(checksum_add_range(0, frame->payload, frame->payload_length));
    wire_put_sum(message + 2, (uint16_t)~checksum_fold(sum));
    stack->mib.Icmp6OutMsgs++;
    count(stack, message[0], true);
    return ip6_output(stack, frame, parameters);
}

/* A message of the stack's own, whose rest is a range of a received packet; from `from`, or if that is none,
 * from whatever suits the destination. */
static void send_message(struct stack *stack, struct ip_address from, struct ip_address to,
                         const uint8_t header[ICMP6_HEADER_BYTES], struct byte_cursor rest,
                         uint32_t rest_length, uint8_t tos) {
    struct ip_parameters parameters = {.source = from,
                                       .destination = to,
                                       .protocol = IP_PROTOCOL_ICMP6,
                                       .ttl = ip6_hop_limit(stack),
                                       .tos = tos,
                                       .mtu = ip_mtu(stack, to)};
    struct frame *frame = frame_begin(&stack->transmit);
    bool anywhere = ip_is_any(from) || ip_is_multicast(from);
    if (!frame || (anywhere && ip6_source(stack, to, 0, &parameters.source))) {
        stack->mib.Icmp6OutErrors++;
        return;
    }
    parameters.flow_label =
        ip6_flow_label(stack, parameters.source, to, IP_PROTOCOL_ICMP6, wire_get16(header));
    memcpy(frame->header + FRAME_TRANSPORT_AT, header, ICMP6_HEADER_BYTES);
    frame->header_length = FRAME_TRANSPORT_AT + ICMP6_HEADER_BYTES;
    frame_set_payload(frame, rest, rest_length);
    icmp6_output(stack, frame, &parameters);
}

static void echo_reply(struct stack *stack, const struct ip_packet *packet) {
    struct buffer *chain = packet->chain;
    uint8_t header[ICMP6_HEADER_BYTES];
    if (stack->sysctl.icmp6_echo_ignore_all ||
        (stack->sysctl.icmp6_echo_ignore_multicast && ip_is_multicast(packet->destination)))
        return;
    memcpy(header, buffer_data(chain), ICMP6_HEADER_BYTES);
    header[0] = ICMP6_ECHO_REPLY;
    ip_path_sent(stack, packet->source);
    const struct ip_address any = {0};
    bool anycast = ip6_is_anycast(stack, packet->destination);
    send_message(stack, anycast ? any : packet->destination, packet->source, header,
                 (struct byte_cursor){chain, chain->start + ICMP6_HEADER_BYTES},
                 packet->length - ICMP6_HEADER_BYTES, packet->tos);
}

/* Linux's icmpv6_err_convert. */
static struct icmp_error convert(uint8_t type, uint8_t code) {
    static const struct {
        int error;
        bool fatal;
    } unreachable[] = {{ENETUNREACH, false}, {EACCES, true}, {EHOSTUNREACH, false}, {EHOSTUNREACH, false},
                       {ECONNREFUSED, true}, {EACCES, true}, {EACCES, true}};
    struct icmp_error error = {.error = EPROTO, .type = type, .code = code};
    switch (type) {
    case ICMP6_UNREACHABLE:
        error.fatal = true;
        if (code < sizeof unreachable / sizeof *unreachable) {
            error.error = unreachable[code].error;
            error.fatal = unreachable[code].fatal;
        }
        break;
    case ICMP6_TOO_BIG:
        error.error = EMSGSIZE;
        break;
    case ICMP6_TIME_EXCEEDED:
        error.error = EHOSTUNREACH;
        break;
    case ICMP6_PARAMETER_PROBLEM:
        error.fatal = true;
        break;
    }
    return error;
}

/* The stack's own: routers cut no packet of IPv6, so that it has to know how long its answers may be. */
static bool is_echo_reply(const struct icmp_quoted *quoted) {
    return quoted->protocol == IP_PROTOCOL_ICMP6 && quoted->transport[0] == ICMP6_ECHO_REPLY;
}

/* Tells the socket of a packet of ours, of which so many bytes are there. */
static void tell_sockets(struct stack *stack, const uint8_t *packet, uint32_t length,
                         const struct icmp_error *error) {
    struct icmp_quoted quoted = {.header = packet};
    uint32_t at;
    if (!ip6_find_transport(packet, length, &quoted.protocol, &at) || length - at < 8 || packet[0] >> 4 != 6)
        return;
    quoted.local = ip_from_bytes(packet + 8);
    quoted.remote = ip_from_bytes(packet + 24);
    quoted.transport = packet + at;
    quoted.transport_length = length - at;
    quoted.total = IP6_HEADER_BYTES + wire_get16(packet + 4);
    if (error->type == ICMP6_TOO_BIG && is_echo_reply(&quoted) && ip_path_sent_lately(stack, quoted.remote))
        ip_path_reduce(stack, quoted.remote, error->info, quoted.total);
    ip_error_quoted(stack, &quoted, error);
}

void icmp6_undelivered(struct stack *stack, const uint8_t *packet, uint32_t length) {
    struct icmp_error error = convert(ICMP6_UNREACHABLE, ICMP6_ADDRESS_UNREACHABLE);
    error.offender = error.receiver = ip_from_bytes(packet + 8); /* ourselves */
    error.ttl = ip6_hop_limit(stack);
    tell_sockets(stack, packet, length, &error);
}

static void error_input(struct stack *stack, const struct ip_packet *packet) {
    const uint8_t *message = buffer_data(packet->chain);
    uint32_t quoted = buffer_length(packet->chain) - ICMP6_HEADER_BYTES;
    struct icmp_error error = convert(message[0], message[1]);
    error.info = wire_get32(message + 4);
    if (message[0] == ICMP6_UNREACHABLE || message[0] == ICMP6_TIME_EXCEEDED)
        error.original_bytes = (uint16_t)(message[4] * 8u);
    error.offender = packet->source;
    error.receiver = packet->destination;
    error.ttl = packet->ttl;
    error.tos = packet->tos;
    if (ip_is_multicast(packet->destination) || quoted < IP6_HEADER_BYTES ||
        !ip6_is_local(stack, ip_from_bytes(message + ICMP6_HEADER_BYTES + 8))) {
        stack->mib.Icmp6InErrors++;
        return;
    }
    tell_sockets(stack, message + ICMP6_HEADER_BYTES, quoted, &error);
}

void icmp6_input(struct stack *stack, struct ip_packet *packet) {
    stack->mib.Icmp6InMsgs++;
    if (packet->length < 4 || buffer_length(packet->chain) < 4) {
        stack->mib.Icmp6InErrors++;
        return;
    }
    uint64_t sum = checksum_pseudo_header(packet->source, packet->destination, IP_PROTOCOL_ICMP6,
                                          (uint16_t)(packet->length));
    if (checksum_fold(sum + checksum_fold(checksum_add_chain(0, packet->chain))) != 0xffff) {
        stack->mib.Icmp6InCsumErrors++;
        stack->mib.Icmp6InErrors++;
        return;
    }
    uint8_t type = buffer_data(packet->chain)[0];
    stack_work_on(stack, &stack->ip6);
    count(stack, type, false);
    if (packet->length < ICMP6_HEADER_BYTES || buffer_length(packet->chain) < ICMP6_HEADER_BYTES) {
        stack->mib.Icmp6InErrors++;
        return;
    }
    switch (type) {
    case ICMP6_ECHO_REQUEST:
        echo_reply(stack, packet);
        break;
    case ICMP6_ECHO_REPLY:
        ping_input(stack, packet);
        break;
    case ICMP6_ROUTER_ADVERTISEMENT:
    case ICMP6_NEIGHBOUR_SOLICITATION:
    case ICMP6_NEIGHBOUR_ADVERTISEMENT:
    case ICMP6_REDIRECT:
        nd_input(stack, packet);
        break;
    case ICMP6_MLD_QUERY:
    case ICMP6_MLD_REPORT:
        mld_input(stack, packet);
        break;
    case ICMP6_UNREACHABLE:
    case ICMP6_TOO_BIG:
    case ICMP6_TIME_EXCEEDED:
    case ICMP6_PARAMETER_PROBLEM:
        error_input(stack, packet);
        break;
    default: /* RFC 4443 section 2.4 (b): what is unknown and no error is dropped */
        break;
    }
    stack_work_on(stack, NULL);
}

/* RFC 4443 section 2.4 (e): not about an error or a redirect, a group (but for what path MTU discovery and
 * new options need), a source that is no host, or a fragment other than the first. */
static bool may_be_answered(const struct ip_packet *packet, enum icmp6_type type, enum icmp6_code code) {
    const struct buffer *chain = packet->chain;
    const uint8_t *start = chain->storage + packet->header_at;
    uint32_t at, length = chain->end - packet->header_at;
    uint8_t protocol;
    bool may_be_group =
        type == ICMP6_TOO_BIG || (type == ICMP6_PARAMETER_PROBLEM && code == ICMP6_UNKNOWN_OPTION);
    if ((packet->multicast && !may_be_group) || ip_is_any(packet->source) || ip_is_multicast(packet->source))
        return false;
    if (!ip6_find_transport(start, length, &protocol, &at))
        return true; /* cut off: whatever it is, it was for us */
    if (protocol != IP_PROTOCOL_ICMP6)
        return true;
    if (at >= length)
        return packet->fragmented;
    return start[at] >= ICMP6_ECHO_REQUEST && start[at] != ICMP6_REDIRECT;
}

/* Linux's icmpv6_xrlim_allow: one in icmp.ratelimit, and more for destinations on a wider route. */
static bool host_may_hear(struct stack *stack, const struct ip_packet *packet) {
    uint64_t each_ns = stack->sysctl.icmp6_ratelimit * MS;
    uint32_t prefix = ip6_route_prefix(stack, packet->source);
    if (each_ns == 0 || packet->looped)
        return true;
    if (prefix < IP_ADDRESS_BITS)
        each_ns >>= (IP_ADDRESS_BITS - prefix) >> 5;
    if (icmp_limit_allows_host(stack, packet->source, each_ns))
        return true;
    stack->mib.Icmp6OutRateLimitHost++;
    return false;
}

void icmp6_send_error(struct stack *stack, const struct ip_packet *packet, enum icmp6_type type,
                      enum icmp6_code code, uint32_t info) {
    if (!may_be_answered(packet, type, code))
        return;
    if (type != ICMP6_TOO_BIG) { /* ratemask: 0-1,3-127 */
        if (!icmp_limit_allows(stack, &stack->mib.IcmpOutRateLimitGlobal) || !host_may_hear(stack, packet))
            return;
        icmp_limit_take(stack);
    }
    uint8_t header[ICMP6_HEADER_BYTES] = {(uint8_t)type, (uint8_t)code};
    wire_put32(header + 4, info);
    struct byte_cursor quoted = {packet->chain, packet->header_at};
    uint32_t length = packet->chain->end - packet->header_at; /* of the first buffer, which is plenty */
    if (length > IP6_MTU_MIN - IP6_HEADER_BYTES - ICMP6_HEADER_BYTES)
        length = IP6_MTU_MIN - IP6_HEADER_BYTES - ICMP6_HEADER_BYTES;
    send_message(stack, packet->destination, packet->source, header, quoted, length, 0);
}
