/* SPDX-License-Identifier: MIT */
/*
 * igmp.c - see igmp.h.
 */
#include "stack/ip/igmp.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/link/ether.h"
#include "stack/stack.h"

#define IGMP_ROUTERS 0xe0000016u     /* 224.0.0.22: where version 3 reports to */
#define IGMP_ALL_ROUTERS 0xe0000002u /* 224.0.0.2: where version 2 leaves to */
#define ROUTER_ALERT 0x94040000u     /* RFC 2113 */
#define IP_HEADER_ALERT_BYTES 24u

enum {
    QUERY = 0x11,
    REPORT_V1 = 0x12,
    REPORT_V2 = 0x16,
    LEAVE_V2 = 0x17,
    REPORT_V3 = 0x22,
};

enum record {
    MODE_IS_INCLUDE = 1,
    MODE_IS_EXCLUDE = 2, /* "I am a member, whatever the source" but for a few */
    CHANGE_TO_INCLUDE = 3,
    CHANGE_TO_EXCLUDE = 4,
};

/* Sends a message of `length` bytes, its checksum not yet computed, with the header that RFC 3376 section 4
 * asks for. */
static void send_message(struct stack *stack, uint32_t to, const uint8_t *message, uint32_t length) {
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame || !stack->config.address)
        return; /* it is told again */
    uint8_t *header = frame->header + FRAME_IP_AT, *body = header + IP_HEADER_ALERT_BYTES;
    const struct ip_parameters parameters = {.source = ip_from_v4(stack->config.address),
                                             .destination = ip_from_v4(to),
                                             .protocol = IP_PROTOCOL_IGMP,
                                             .ttl = 1,
                                             .tos = 0xc0};
    memcpy(body, message, length);
    wire_put_sum(body + 2, (uint16_t)~checksum_fold(checksum_add(0, body, length)));
    frame->header_length = (uint16_t)(FRAME_IP_AT + IP_HEADER_ALERT_BYTES + length);
    ip_write_header(frame, &parameters, ip_identification(stack, &parameters, true, 1), IP_DONT_FRAGMENT);
    header[0] = 0x46;
    wire_put32(header + IP_HEADER_BYTES, ROUTER_ALERT);
    ip_seal_header(header);
    stack->mib.IpOutRequests++;
    ip_output_whole(stack, frame, &parameters);
}

static void report_v3(struct stack *stack, const struct multicast_group *group, enum record record) {
    uint8_t message[16 + 4 * MULTICAST_SOURCES4_MAX] = {REPORT_V3};
    const struct multicast_filter *filter = &group->told;
    wire_put16(message + 6, 1);
    message[8] = (uint8_t)record;
    wire_put16(message + 10, filter->count);
    wire_put32(message + 12, ip_to_v4(group->address));
    for (uint8_t i = 0; i < filter->count; i++)
        wire_put32(message + 16 + 4 * i, ip_to_v4(filter->sources[i]));
    send_message(stack, IGMP_ROUTERS, message, 16 + 4u * filter->count);
}

static void send_old(struct stack *stack, uint8_t type, uint32_t group, uint32_t to) {
    uint8_t message[8] = {type};
    wire_put32(message + 4, group);
    send_message(stack, to, message, sizeof message);
}

static bool version(const struct stack *stack, uint64_t until_ns) {
    return stack->now_ns < until_ns;
}

/* Tells routers what they ask, or what has changed. */
static void send_report(struct stack *stack, const struct multicast_group *group, bool changed) {
    uint32_t address = ip_to_v4(group->address);
    if (version(stack, stack->igmp.v1_until_ns)) {
        if (multicast_has_members(group))
            send_old(stack, REPORT_V1, address, address);
    } else if (version(stack, stack->igmp.v2_until_ns)) {
        if (multicast_has_members(group))
            send_old(stack, REPORT_V2, address, address);
        else
            send_old(stack, LEAVE_V2, address, IGMP_ALL_ROUTERS);
    } else {
        bool includes = group->told.includes;
        report_v3(stack, group,
                  changed ? (includes ? CHANGE_TO_INCLUDE : CHANGE_TO_EXCLUDE)
                          : (includes ? MODE_IS_INCLUDE : MODE_IS_EXCLUDE));
    }
}

/* A group was joined or left, or other sources are wanted: says so now, and again a little later, since
 * either may get lost. */
void igmp_changed(struct stack *stack, struct multicast_group *group) {
    bool old = version(stack, stack->igmp.v1_until_ns) || version(stack, stack->igmp.v2_until_ns);
    send_report(stack, group, true);
    if (old && !multicast_has_members(group)) {
        multicast_forget(stack, group);
        return;
    }
    group->changes = MULTICAST_ROBUSTNESS - 1;
    multicast_tell_within(stack, group, old ? IGMP_UNSOLICITED_V2_NS : IGMP_UNSOLICITED_NS);
}

void igmp_timer(struct stack *stack, struct multicast_group *group) {
    bool change = group->changes > 0;
    if (change || (group->asked && multicast_has_members(group)))
        send_report(stack, group, change);
    group->asked = false;
    if (change && --group->changes > 0)
        multicast_tell_within(stack, group, IGMP_UNSOLICITED_NS);
    else if (!multicast_has_members(group))
        multicast_forget(stack, group);
}

/* RFC 3376 section 4.1.1: tenths of a second, from 128 on as a floating-point number. */
static uint64_t response_ns(uint8_t code) {
    uint64_t tenths = code < 128 ? code : (uint64_t)((code & 15) | 16) << (((code >> 4) & 7) + 3);
    return (tenths ? tenths : 1) * UINT64_C(100000000);
}

static void query(struct stack *stack, const struct ip_packet *packet, const uint8_t *message) {
    struct list *link, *next;
    uint32_t address = wire_get32(message + 4);
    uint64_t within_ns = response_ns(message[1]);
    if (packet->length == 8 && message[1] == 0) {
        within_ns = UINT64_C(10000000000);
        stack->igmp.v1_until_ns = stack->now_ns + IGMP_OLDER_ROUTER_NS;
    } else if (packet->length == 8) {
        stack->igmp.v2_until_ns = stack->now_ns + IGMP_OLDER_ROUTER_NS;
    } else if (packet->length < 12) {
        return; /* section 7.1: of no version */
    }
    list_for_each(link, next, &stack->multicast.list) {
        struct multicast_group *group = container_of(link, struct multicast_group, link);
        if (!multicast_has_members(group) || !ip_is_v4(group->address) ||
            ip_to_v4(group->address) == IP_ALL_HOSTS || (address && address != ip_to_v4(group->address)))
            continue;
        group->asked = true;
        multicast_tell_within(stack, group, within_ns);
    }
}

void igmp_input(struct stack *stack, struct ip_packet *packet) {
    const uint8_t *message = buffer_data(packet->chain);
    /* RFC 3376 section 4: with a TTL of 1, so from the link, and to a group. */
    if (packet->length < 8 || buffer_length(packet->chain) < 8 || packet->looped || packet->ttl != 1 ||
        !ip_is_multicast(packet->destination) ||
        checksum_fold(checksum_add_chain(0, packet->chain)) != 0xffff)
        return;
    if (message[0] == QUERY) {
        query(stack, packet, message);
    } else if (message[0] == REPORT_V1 || message[0] == REPORT_V2) {
        /* RFC 2236 section 3: one member's answer is enough. */
        struct multicast_group *group = multicast_find(stack, ip_from_v4(wire_get32(message + 4)));
        if (group && multicast_has_members(group) && group->changes == 0) {
            group->asked = false;
            timer_stop(&stack->timers, &group->timer);
        }
    }
}
