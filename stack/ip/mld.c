/* SPDX-License-Identifier: MIT */
/*
 * mld.c - see mld.h.
 *
 * What has changed, or was asked for, and is due at the same time leaves in one report. The group of all
 * nodes is never told of (RFC 3810 section 6).
 */
#include "stack/ip/mld.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip6_extension.h"
#include "stack/stack.h"

#define MS UINT64_C(1000000)
#define ALERT_BYTES 8u /* the hop-by-hop header */
#define REPORT_BYTES 8u
#define RECORD_BYTES 20u
#define QUERY_V1_BYTES 24u
#define QUERY_V2_BYTES 28u

enum record {
    MODE_IS_INCLUDE = 1,
    MODE_IS_EXCLUDE = 2, /* "I am a member, whatever the source" but for a few */
    CHANGE_TO_INCLUDE = 3,
    CHANGE_TO_EXCLUDE = 4,
};

static const struct ip_address MLD2_ROUTERS = {.bytes = {0xff, 2, [15] = 0x16}};

static bool is_v1(const struct stack *stack) {
    return stack->now_ns < stack->ip6.mld.v1_until_ns;
}

static bool is_told(struct ip_address group) {
    return !ip_equal(group, IP6_ALL_NODES) && ip_scope(group) > IP_SCOPE_INTERFACE;
}

/* Begins a message from the link-local address, or from none while it is being checked, with the router alert
 * that RFC 3810 section 5 asks for. */
static void send_message(struct stack *stack, struct frame *frame, uint32_t length,
                         struct ip_address destination) {
    static const struct ip6_extensions alert = {
        .hop_by_hop = {.length = 8, .bytes = {0, 0, 5, 2, 0, 0, 1, 0}}}; /* RFC 2711, PadN */
    const struct ip6_address *own = ip6_link_local(stack);
    struct ip_parameters parameters = {
        .destination = destination, .protocol = IP_PROTOCOL_ICMP6, .ttl = 1, .extensions = &alert};
    if (own && !(own->flags & IP6_FLAG_TENTATIVE))
        parameters.source = own->address;
    frame->header_length = (uint16_t)(frame->header_length + length);
    icmp6_output(stack, frame, &parameters);
}

/* Of version 1, a message a group: to the group itself, or of its end to the routers. */
static void tell_v1(struct stack *stack, const struct multicast_group *group) {
    struct frame *frame = frame_begin(&stack->transmit);
    bool wanted = multicast_has_members(group);
    if (!frame)
        return;
    uint8_t *message = frame->header + FRAME_TRANSPORT_AT;
    memset(message, 0, QUERY_V1_BYTES);
    message[0] = wanted ? ICMP6_MLD_REPORT : ICMP6_MLD_DONE;
    memcpy(message + 8, group->address.bytes, 16);
    frame->header_length = FRAME_TRANSPORT_AT;
    send_message(stack, frame, QUERY_V1_BYTES, wanted ? group->address : IP6_ALL_ROUTERS);
}

/* A report in the making. */
struct report {
    struct byte_queue records;
    uint16_t count;
};

static void send_report(struct stack *stack, struct report *report) {
    struct frame *frame = report->count > 0 ? frame_begin(&stack->transmit) : NULL;
    if (frame) {
        uint8_t *message = frame->header + FRAME_TRANSPORT_AT;
        memset(message, 0, REPORT_BYTES);
        message[0] = ICMP6_MLD2_REPORT;
        wire_put16(message + 6, report->count);
        frame->header_length = FRAME_TRANSPORT_AT;
        frame_set_payload(frame, (struct byte_cursor){report->records.head, 0}, report->records.length);
        send_message(stack, frame, REPORT_BYTES, MLD2_ROUTERS);
    }
    buffer_drop_chain(&stack->buffers, report->records.head);
    *report = (struct report){0};
}

static enum record record_of(const struct multicast_group *group) {
    if (group->changes > 0)
        return group->told.includes ? CHANGE_TO_INCLUDE : CHANGE_TO_EXCLUDE;
    return group->told.includes ? MODE_IS_INCLUDE : MODE_IS_EXCLUDE;
}

static void add_record(struct stack *stack, struct report *report, const struct multicast_group *group) {
    uint8_t head[RECORD_BYTES] = {(uint8_t)record_of(group)};
    const struct multicast_filter *filter = &group->told;
    uint32_t sources = filter->count * (uint32_t)sizeof *filter->sources, length = RECORD_BYTES + sources;
    struct iovec pieces[2] = {{head, sizeof head}, {(void *)filter->sources, sources}};
    uint32_t room = ip6_link_mtu(stack) - IP6_HEADER_BYTES - ALERT_BYTES - REPORT_BYTES;
    if (report->records.length + length > room)
        send_report(stack, report);
    wire_put16(head + 2, filter->count);
    memcpy(head + 4, group->address.bytes, 16);
    if (byte_queue_append(&report->records, &stack->buffers, pieces, 2, 0, length) == length) {
        report->count++;
    } else { /* memory is out: it is told again */
        buffer_drop_chain(&stack->buffers, report->records.head);
        *report = (struct report){0};
    }
}

static uint64_t again_ns(const struct stack *stack) {
    const struct sysctl *sysctl = &stack->sysctl;
    uint32_t ms = is_v1(stack) ? sysctl->ip6_mldv1_interval : sysctl->ip6_mldv2_interval;
    return (ms ? ms : 1) * MS;
}

void mld_changed(struct stack *stack, struct multicast_group *group) {
    if (!is_told(group->address)) {
        if (!multicast_has_members(group))
            multicast_forget(stack, group);
        return;
    }
    group->changes = MULTICAST_ROBUSTNESS;
    timer_start(&stack->timers, &group->timer, stack->now_ns); /* with others that change at the same time */
}

void mld_tell_again(struct stack *stack) {
    struct list *link, *next;
    list_for_each(link, next, &stack->multicast.list) {
        struct multicast_group *group = container_of(link, struct multicast_group, link);
        if (!ip_is_v4(group->address) && multicast_has_members(group))
            mld_changed(stack, group);
    }
}

static bool is_due(const struct stack *stack, const struct multicast_group *group) {
    return timer_running(&group->timer) && group->timer.due <= timer_tick(stack->now_ns);
}

/* A group has been told of: once more, if it has changed. */
static void told(struct stack *stack, struct multicast_group *group, uint64_t again_at_ns) {
    timer_stop(&stack->timers, &group->timer);
    group->asked = false;
    if (group->changes > 0 && --group->changes > 0)
        timer_start(&stack->timers, &group->timer, again_at_ns);
    else if (!multicast_has_members(group))
        multicast_forget(stack, group);
}

void mld_tell(struct stack *stack, struct multicast_group *fired) {
    uint64_t again_at_ns = stack->now_ns + random_u64(&stack->random) % again_ns(stack);
    struct report report = {0};
    struct list *link, *next;
    list_for_each(link, next, &stack->multicast.list) {
        struct multicast_group *group = container_of(link, struct multicast_group, link);
        if (ip_is_v4(group->address) || (group != fired && !is_due(stack, group)))
            continue;
        if (is_v1(stack))
            tell_v1(stack, group);
        else if (group->changes > 0 || multicast_has_members(group))
            add_record(stack, &report, group);
        told(stack, group, again_at_ns);
    }
    send_report(stack, &report);
}

/* RFC 3810 section 5.1.3: milliseconds, from 32768 on as a floating-point number. */
static uint64_t response_ns(uint16_t code) {
    uint64_t ms = code < 32768 ? code : (uint64_t)((code & 0xfff) | 0x1000) << ((code >> 12 & 7) + 3);
    return (ms ? ms : 1) * MS;
}

static void query(struct stack *stack, const struct ip_packet *packet, const uint8_t *message) {
    struct ip_address address = ip_from_bytes(message + 8);
    uint64_t within_ns = response_ns(wire_get16(message + 4));
    struct list *link, *next;
    if (packet->length == QUERY_V1_BYTES) {
        within_ns = (wire_get16(message + 4) + 1) * MS;
        stack->ip6.mld.v1_until_ns = stack->now_ns + MLD_OLDER_ROUTER_NS;
    } else if (packet->length < QUERY_V2_BYTES) {
        return; /* section 8.1: of no version */
    }
    uint64_t when_ns = random_u64(&stack->random) % within_ns + 1; /* of all groups in one report */
    list_for_each(link, next, &stack->multicast.list) {
        struct multicast_group *group = container_of(link, struct multicast_group, link);
        uint64_t when = stack->now_ns + when_ns;
        if (ip_is_v4(group->address) || !multicast_has_members(group) || !is_told(group->address) ||
            (!ip_is_any(address) && !ip_equal(address, group->address)))
            continue;
        group->asked = true;
        if (!timer_running(&group->timer) || when < timer_deadline_ns(&group->timer))
            timer_start(&stack->timers, &group->timer, when);
    }
}

void mld_input(struct stack *stack, struct ip_packet *packet) {
    const uint8_t *message = buffer_data(packet->chain);
    /* Section 6.2: from the link, with a hop limit of 1. */
    if (packet->length < QUERY_V1_BYTES || buffer_length(packet->chain) < QUERY_V1_BYTES || packet->looped ||
        packet->ttl != 1 || !ip_is_link_local(packet->source)) {
        stack->mib.Icmp6InErrors++;
        return;
    }
    if (message[0] == ICMP6_MLD_QUERY) {
        query(stack, packet, message);
        return;
    }
    /* RFC 2710 section 4: one member's answer is enough. */
    struct multicast_group *group = multicast_find(stack, ip_from_bytes(message + 8));
    if (group && multicast_has_members(group) && is_v1(stack) && group->changes == 0) {
        group->asked = false;
        timer_stop(&stack->timers, &group->timer);
    }
}
