/*
 * mld.c - see mld.h.
 *
 * What has changed, or was asked for, and is due at the same time leaves in one report. The group of all
 * nodes is never told of (RFC 3810 section 6).
 */
#include "mld.h"
#include "icmp6.h"
#include "ip6_extension.h"
#include "stack.h"
#include "wire.h"

#define MS UINT64_C(1000000)
#define RECORD_BYTES 20u
#define QUERY_V1_BYTES 24u
#define QUERY_V2_BYTES 28u

enum record {
    MODE_IS_EXCLUDE = 2, /* "I am a member, whatever the source" */
    CHANGE_TO_INCLUDE = 3,
    CHANGE_TO_EXCLUDE = 4,
};

static const struct ip_address MLD2_ROUTERS = {.bytes = {0xff, 2, [15] = 0x16}};

void mld_init(struct stack *stack) {
    stack->ip6.mld.count = 0;
}

static struct mld_group *find(struct stack *stack, struct ip_address address) {
    struct mld *mld = &stack->ip6.mld;
    for (uint32_t i = 0; i < mld->count; i++)
        if (ip_equal(mld->groups[i].address, address))
            return &mld->groups[i];
    return NULL;
}

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
static void tell_v1(struct stack *stack, const struct mld_group *group) {
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame)
        return;
    uint8_t *message = frame->header + FRAME_TRANSPORT_AT;
    memset(message, 0, QUERY_V1_BYTES);
    message[0] = group->own ? ICMP6_MLD_REPORT : ICMP6_MLD_DONE;
    memcpy(message + 8, group->address.bytes, 16);
    frame->header_length = FRAME_TRANSPORT_AT;
    send_message(stack, frame, QUERY_V1_BYTES, group->own ? group->address : IP6_ALL_ROUTERS);
}

static void write_record(const struct mld_group *group, uint8_t *to) {
    bool changed = group->changes > 0;
    memset(to, 0, RECORD_BYTES);
    to[0] = (uint8_t)(!changed ? MODE_IS_EXCLUDE : group->own ? CHANGE_TO_EXCLUDE : CHANGE_TO_INCLUDE);
    memcpy(to + 4, group->address.bytes, 16);
}

/* Sends one report of all groups that are due. */
static void report(struct stack *stack) {
    struct mld *mld = &stack->ip6.mld;
    struct byte_queue records = {0};
    uint16_t count = 0;
    for (uint32_t i = 0; i < mld->count; i++) {
        uint8_t record[RECORD_BYTES];
        struct iovec piece = {record, sizeof record};
        if (mld->groups[i].due_ns > stack->now_ns)
            continue;
        write_record(&mld->groups[i], record);
        count += byte_queue_append(&records, &stack->buffers, &piece, 1, 0, sizeof record) == sizeof record;
    }
    struct frame *frame = frame_begin(&stack->transmit);
    if (frame && records.length == count * RECORD_BYTES) {
        uint8_t *message = frame->header + FRAME_TRANSPORT_AT;
        memset(message, 0, 8);
        message[0] = ICMP6_MLD2_REPORT;
        wire_put16(message + 6, count);
        frame->header_length = FRAME_TRANSPORT_AT;
        frame_set_payload(frame, (struct byte_cursor){records.head, 0}, records.length);
        send_message(stack, frame, 8, MLD2_ROUTERS);
    }
    buffer_drop_chain(&stack->buffers, records.head);
}

static uint64_t within(struct stack *stack, uint64_t ns) {
    return stack->now_ns + (ns ? random_u64(&stack->random) % ns : 0);
}

static uint64_t again_ns(const struct stack *stack) {
    const struct sysctl *sysctl = &stack->sysctl;
    return (is_v1(stack) ? sysctl->ip6_mldv1_interval : sysctl->ip6_mldv2_interval) * MS;
}

static void changed(struct stack *stack, struct mld_group *group) {
    group->changes = is_told(group->address) ? MLD_ROBUSTNESS : 0;
    group->due_ns = group->changes ? stack->now_ns : TIMER_NEVER;
    ip6_wake(stack);
}

static struct mld_group *make(struct stack *stack, struct ip_address address) {
    struct mld *mld = &stack->ip6.mld;
    if (mld->count == MLD_GROUPS_MAX)
        return NULL;
    struct mld_group *group = &mld->groups[mld->count++];
    *group = (struct mld_group){.address = address, .due_ns = TIMER_NEVER};
    return group;
}

void mld_own(struct stack *stack, struct ip_address address, bool wanted) {
    struct mld_group *group = find(stack, address);
    if (!group && wanted)
        group = make(stack, address);
    if (!group || (!wanted && group->own == 0))
        return;
    group->own += wanted ? 1u : UINT32_MAX;
    if (group->own == (wanted ? 1u : 0u))
        changed(stack, group);
}

bool mld_wants(const struct stack *stack, struct ip_address group, struct ip_address source) {
    (void)stack, (void)group, (void)source;
    return false;
}

void mld_tell_again(struct stack *stack) {
    struct mld *mld = &stack->ip6.mld;
    for (uint32_t i = 0; i < mld->count; i++)
        if (mld->groups[i].own)
            changed(stack, &mld->groups[i]);
}

uint64_t mld_due(const struct stack *stack) {
    const struct mld *mld = &stack->ip6.mld;
    uint64_t due_ns = TIMER_NEVER;
    for (uint32_t i = 0; i < mld->count; i++)
        due_ns = mld->groups[i].due_ns < due_ns ? mld->groups[i].due_ns : due_ns;
    return due_ns;
}

void mld_run(struct stack *stack) {
    struct mld *mld = &stack->ip6.mld;
    uint64_t next_ns = within(stack, again_ns(stack));
    if (mld_due(stack) > stack->now_ns)
        return;
    if (!is_v1(stack))
        report(stack);
    for (uint32_t i = mld->count; i-- > 0;) {
        struct mld_group *group = &mld->groups[i];
        if (group->due_ns > stack->now_ns)
            continue;
        if (is_v1(stack))
            tell_v1(stack, group);
        group->asked = false;
        group->due_ns = TIMER_NEVER;
        if (group->changes > 0 && --group->changes > 0)
            group->due_ns = next_ns;
        else if (!group->own)
            *group = mld->groups[--mld->count];
    }
}

/* RFC 3810 section 5.1.3: milliseconds, from 32768 on as a floating-point number. */
static uint64_t response_ns(uint16_t code) {
    uint64_t ms = code < 32768 ? code : (uint64_t)((code & 0xfff) | 0x1000) << ((code >> 12 & 7) + 3);
    return (ms ? ms : 1) * MS;
}

static void query(struct stack *stack, const struct ip_packet *packet, const uint8_t *message) {
    struct mld *mld = &stack->ip6.mld;
    struct ip_address address = ip_from_bytes(message + 8);
    uint64_t within_ns = response_ns(wire_get16(message + 4));
    if (packet->length == QUERY_V1_BYTES) {
        within_ns = wire_get16(message + 4) * MS;
        mld->v1_until_ns = stack->now_ns + MLD_OLDER_ROUTER_NS;
    } else if (packet->length < QUERY_V2_BYTES) {
        return; /* section 8.1: of no version */
    }
    uint64_t when_ns = within(stack, within_ns); /* of all groups in one report */
    for (uint32_t i = 0; i < mld->count; i++) {
        struct mld_group *group = &mld->groups[i];
        if (!group->own || !is_told(group->address) ||
            (!ip_is_any(address) && !ip_equal(address, group->address)))
            continue;
        group->asked = true;
        if (when_ns < group->due_ns)
            group->due_ns = when_ns;
    }
    ip6_wake(stack);
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
    struct mld_group *group = find(stack, ip_from_bytes(message + 8));
    if (group && group->own && is_v1(stack) && group->changes == 0) {
        group->asked = false;
        group->due_ns = TIMER_NEVER;
    }
}
