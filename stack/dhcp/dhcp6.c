/* SPDX-License-Identifier: MIT */
/*
 * dhcp6.c - see dhcp6.h: the client's exchanges, after RFC 8415 section 18.2.
 */
#include "stack/dhcp/dhcp6.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/dhcp/dhcp6_message.h"
#include "stack/ip/icmp6.h"
#include "stack/stack.h"

#define SECOND_NS UINT64_C(1000000000)
#define FIRST_DELAY_NS SECOND_NS /* SOL_MAX_DELAY, INF_MAX_DELAY */
#define REFRESH_S 86400u         /* IRT_DEFAULT */
#define REFRESH_MIN_S 600u       /* IRT_MINIMUM */
#define FOREVER UINT32_MAX
#define BEST_PREFERENCE 255u

enum status { NO_ADDRESSES = 2, NO_BINDING = 3, NOT_ON_LINK = 4 };

/* Section 7.6: the first interval, the longest, and how many tries; 0: no bound. */
struct pace {
    enum dhcp6_type type;
    uint16_t first_s, longest_s, tries;
};

static const struct pace *pace_of(enum dhcp6_state state) {
    static const struct pace paces[] = {
        [DHCP6_INFORMING] = {DHCP6_INFORMATION_REQUEST, 1, 3600, 0},
        [DHCP6_SOLICITING] = {DHCP6_SOLICIT, 1, 3600, 0},
        [DHCP6_REQUESTING] = {DHCP6_REQUEST, 1, 30, 10},
        [DHCP6_RENEWING] = {DHCP6_RENEW, 10, 600, 0},
        [DHCP6_REBINDING] = {DHCP6_REBIND, 10, 600, 0},
        [DHCP6_DECLINING] = {DHCP6_DECLINE, 1, 0, 4},
    };
    return &paces[state];
}

static const struct ip_address SERVERS = {.bytes = {0xff, 2, [13] = 1, [15] = 2}};

void dhcp6_init(struct stack *stack) {
    memset(&stack->ip6.dhcp6, 0, sizeof stack->ip6.dhcp6);
    stack->ip6.dhcp6.due_ns = TIMER_NEVER;
}

/* A UDP datagram to all servers on the link. */
static void send_message(struct stack *stack, const uint8_t *bytes, uint32_t length,
                         struct ip_address source) {
    struct frame *frame = frame_begin(&stack->transmit);
    struct byte_queue payload = {0};
    struct iovec piece = {(void *)bytes, length};
    const struct ip_parameters parameters = {
        .source = source, .destination = SERVERS, .protocol = IP_PROTOCOL_UDP, .ttl = 1};
    if (frame && byte_queue_append(&payload, &stack->buffers, &piece, 1, 0, length) == length) {
        uint8_t *udp = frame->header + FRAME_TRANSPORT_AT;
        uint32_t total = UDP_HEADER_BYTES + length;
        wire_put16(udp, DHCP6_CLIENT_PORT);
        wire_put16(udp + 2, DHCP6_SERVER_PORT);
        wire_put16(udp + 4, (uint16_t)total);
        wire_put16(udp + 6, 0);
        uint64_t sum = checksum_pseudo_header(source, SERVERS, IP_PROTOCOL_UDP, (uint16_t)(total));
        sum = checksum_add(checksum_add(sum, udp, UDP_HEADER_BYTES), bytes, length);
        uint16_t folded = (uint16_t)~checksum_fold(sum);
        wire_put_sum(udp + 6, folded ? folded : 0xffff);
        frame->header_length = FRAME_TRANSPORT_AT + UDP_HEADER_BYTES;
        frame_set_payload(frame, (struct byte_cursor){payload.head, 0}, length);
        ip6_output(stack, frame, &parameters);
    }
    buffer_drop_chain(&stack->buffers, payload.head);
}

static bool names_server(enum dhcp6_type type) {
    return type == DHCP6_REQUEST || type == DHCP6_RENEW || type == DHCP6_RELEASE || type == DHCP6_DECLINE;
}

static void send_request(struct stack *stack, enum dhcp6_type type) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    const struct ip6_address *own = ip6_link_local(stack);
    uint8_t bytes[DHCP6_MESSAGE_MAX];
    struct dhcp6_question question = {.type = type,
                                      .transaction = dhcp->transaction,
                                      .elapsed_ns = stack->now_ns - dhcp->began_ns,
                                      .server = names_server(type) ? &dhcp->best.server : NULL,
                                      .wants_address = type != DHCP6_INFORMATION_REQUEST};
    if (!own)
        return; /* later */
    memcpy(question.mac, stack->config.mac, 6);
    if (type != DHCP6_SOLICIT)
        question.address = dhcp->best.address;
    send_message(stack, bytes, dhcp6_write(&question, bytes), own->address);
}

/* Section 15: RAND is between -0.1 and 0.1; the first interval of a Solicit is no shorter than IRT. */
static uint64_t vary(struct stack *stack, uint64_t base_ns, uint64_t ns) {
    return base_ns - ns / 10 + random_u64(&stack->random) % (ns / 5 + 1);
}

static void enter_state(struct stack *stack, enum dhcp6_state state, uint64_t delay_ns) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    dhcp->state = state;
    dhcp->transaction = (uint32_t)random_u64(&stack->random) & 0xffffff;
    dhcp->attempts = 0;
    dhcp->interval_ns = 0;
    dhcp->began_ns = stack->now_ns + delay_ns;
    dhcp->due_ns = stack->now_ns + delay_ns;
}

static uint64_t first_delay(struct stack *stack) {
    return random_u64(&stack->random) % FIRST_DELAY_NS;
}

static void solicit(struct stack *stack, uint64_t delay_ns) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    memset(&dhcp->best, 0, sizeof dhcp->best);
    dhcp->has_best = false;
    enter_state(stack, DHCP6_SOLICITING, delay_ns);
}

void dhcp6_router(struct stack *stack, bool managed, bool other) {
    enum dhcp6_state state = stack->ip6.dhcp6.state;
    bool only_informs = state == DHCP6_OFF || state == DHCP6_INFORMING || state == DHCP6_INFORMED;
    if (managed && only_informs)
        solicit(stack, first_delay(stack));
    else if (other && state == DHCP6_OFF)
        enter_state(stack, DHCP6_INFORMING, first_delay(stack));
}

static uint64_t seconds(uint32_t count) {
    return count == FOREVER ? TIMER_NEVER : count * SECOND_NS;
}

static uint64_t since(uint64_t from_ns, uint64_t ns) {
    return ns > TIMER_NEVER - from_ns ? TIMER_NEVER : from_ns + ns;
}

/* Section 14.2: where a server leaves the times to us. */
static void complete(struct dhcp6_message *lease) {
    uint32_t preferred = lease->preferred_s;
    if (lease->renew_s > lease->rebind_s && lease->rebind_s)
        lease->renew_s = 0;
    if (!lease->renew_s)
        lease->renew_s = preferred == FOREVER ? FOREVER : preferred / 2;
    if (!lease->rebind_s)
        lease->rebind_s = preferred == FOREVER ? FOREVER : preferred / 5 * 4;
    if (lease->renew_s < 10)
        lease->renew_s = 10; /* no server can make us ask all the time */
    if (lease->rebind_s < lease->renew_s)
        lease->rebind_s = lease->renew_s;
}

static void remove_address(struct stack *stack, struct ip_address address) {
    struct ip6_address *entry = ip6_address_find(stack, address);
    if (entry && entry->origin == IP6_ADDRESS_DHCP)
        ip6_address_remove(stack, entry);
}

static void bind_lease(struct stack *stack, const struct dhcp6_message *message) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    struct ip_address before = dhcp->state == DHCP6_SOLICITING || dhcp->state == DHCP6_REQUESTING
                                   ? (struct ip_address){0}
                                   : dhcp->best.address;
    dhcp->best = *message;
    complete(&dhcp->best);
    struct ip6_lifetimes lifetimes = {seconds(message->preferred_s), seconds(message->valid_s)};
    if (!ip_is_any(before) && !ip_equal(before, message->address))
        remove_address(stack, before);
    struct ip6_address *entry = ip6_address_find(stack, message->address);
    if (entry)
        ip6_address_set_lifetimes(stack, entry, &lifetimes);
    else
        ip6_address_add(stack, message->address, IP_ADDRESS_BITS, IP6_ADDRESS_DHCP, &lifetimes);
    dhcp->state = DHCP6_BOUND;
    dhcp->bound_ns = stack->now_ns;
    dhcp->due_ns = since(stack->now_ns, seconds(dhcp->best.renew_s));
    stack->ip6.router.changed_ns = stack->now_ns;
}

static void inform(struct stack *stack, const struct dhcp6_message *message) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    uint32_t refresh_s = message->refresh_s ? message->refresh_s : REFRESH_S;
    dhcp->best = *message;
    dhcp->state = DHCP6_INFORMED;
    dhcp->due_ns = since(stack->now_ns, seconds(refresh_s < REFRESH_MIN_S ? REFRESH_MIN_S : refresh_s));
    stack->ip6.router.changed_ns = stack->now_ns;
}

static void advertised(struct stack *stack, const struct dhcp6_message *message) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    if (ip_is_any(message->address) || message->status)
        return;
    if (dhcp->has_best && message->preference <= dhcp->best.preference)
        return;
    dhcp->best = *message;
    dhcp->has_best = true;
    if (message->preference == BEST_PREFERENCE || dhcp->attempts > 1)
        enter_state(stack, DHCP6_REQUESTING, 0);
}

static bool same_server(const struct dhcp6_duid *a, const struct dhcp6_duid *b) {
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static void replied(struct stack *stack, const struct dhcp6_message *message) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    bool asked_one = dhcp->state == DHCP6_REQUESTING || dhcp->state == DHCP6_RENEWING;
    if (asked_one && !same_server(&message->server, &dhcp->best.server))
        return;
    if (dhcp->state == DHCP6_INFORMING) {
        inform(stack, message);
    } else if (dhcp->state == DHCP6_DECLINING) {
        solicit(stack, first_delay(stack));
    } else if (!ip_is_any(message->address) && !message->status) {
        if (dhcp->state != DHCP6_SOLICITING || message->rapid)
            bind_lease(stack, message);
    } else if (message->status == NO_BINDING && dhcp->state != DHCP6_SOLICITING) {
        enter_state(stack, DHCP6_REQUESTING, 0);
    } else if (message->status == NOT_ON_LINK || message->status == NO_ADDRESSES) {
        if (asked_one && dhcp->state == DHCP6_REQUESTING)
            solicit(stack, SECOND_NS);
    }
}

static void handle_message(struct stack *stack, const struct dhcp6_message *message) {
    enum dhcp6_state state = stack->ip6.dhcp6.state;
    stack_work_on(stack, &stack->ip6);
    bool waits = state != DHCP6_OFF && state != DHCP6_BOUND && state != DHCP6_INFORMED;
    if (message->type == DHCP6_ADVERTISE && state == DHCP6_SOLICITING)
        advertised(stack, message);
    else if (message->type == DHCP6_REPLY && waits)
        replied(stack, message);
    ip6_wake(stack);
    stack_work_on(stack, NULL);
}

bool dhcp6_input(struct stack *stack, const struct ip_packet *packet) {
    struct dhcp6_message message;
    uint8_t bytes[UDP_HEADER_BYTES + 1500];
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    struct byte_queue queue = {.head = packet->chain, .length = packet->length};
    struct iovec piece = {bytes, sizeof bytes};
    if (dhcp->state == DHCP6_OFF || packet->length < UDP_HEADER_BYTES)
        return false;
    uint32_t length = (uint32_t)byte_queue_peek(&queue, &piece, 1, packet->length);
    if (wire_get16(bytes + 2) != DHCP6_CLIENT_PORT || wire_get16(bytes) != DHCP6_SERVER_PORT)
        return false;
    uint64_t sum = checksum_pseudo_header(packet->source, packet->destination, IP_PROTOCOL_UDP,
                                          (uint16_t)(packet->length));
    bool whole = length == packet->length && wire_get16(bytes + 4) == length && wire_get16(bytes + 6) &&
                 (packet->checksum_good || packet->checksum_partial ||
                  checksum_fold(checksum_add(sum, bytes, length)) == 0xffff);
    if (whole && !ip_is_multicast(packet->destination) &&
        dhcp6_parse(bytes + UDP_HEADER_BYTES, length - UDP_HEADER_BYTES, dhcp->transaction, stack->config.mac,
                    &message))
        handle_message(stack, &message);
    return true;
}

void dhcp6_taken(struct stack *stack, struct ip_address address) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    if (dhcp->state != DHCP6_BOUND || !ip_equal(address, dhcp->best.address))
        return;
    enter_state(stack, DHCP6_DECLINING, 0);
    ip6_wake(stack);
}

bool dhcp6_is_bound(const struct stack *stack) {
    enum dhcp6_state state = stack->ip6.dhcp6.state;
    return state == DHCP6_BOUND || state == DHCP6_RENEWING || state == DHCP6_REBINDING;
}

void dhcp6_release(struct stack *stack) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    if (dhcp6_is_bound(stack)) {
        enter_state(stack, DHCP6_BOUND, 0);
        send_request(stack, DHCP6_RELEASE);
        remove_address(stack, dhcp->best.address);
    }
    dhcp->state = DHCP6_OFF;
    dhcp->due_ns = TIMER_NEVER;
}

uint64_t dhcp6_due(const struct stack *stack) {
    return stack->ip6.dhcp6.due_ns;
}

/* The lease has come to one of its times. */
static void lease_goes_on(struct stack *stack) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    uint64_t rebind_ns = since(dhcp->bound_ns, seconds(dhcp->best.rebind_s));
    uint64_t end_ns = since(dhcp->bound_ns, seconds(dhcp->best.valid_s));
    if (stack->now_ns >= end_ns) {
        remove_address(stack, dhcp->best.address);
        solicit(stack, 0);
    } else if (stack->now_ns >= rebind_ns && dhcp->state != DHCP6_REBINDING) {
        enter_state(stack, DHCP6_REBINDING, 0);
    } else if (dhcp->state == DHCP6_BOUND) {
        enter_state(stack, DHCP6_RENEWING, 0);
    }
}

/* No later than the lease's next time. */
static uint64_t no_later(const struct stack *stack, uint64_t when_ns) {
    const struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    uint64_t bound = TIMER_NEVER;
    if (dhcp->state == DHCP6_RENEWING)
        bound = since(dhcp->bound_ns, seconds(dhcp->best.rebind_s));
    else if (dhcp->state == DHCP6_REBINDING)
        bound = since(dhcp->bound_ns, seconds(dhcp->best.valid_s));
    return when_ns < bound ? when_ns : bound;
}

void dhcp6_run(struct stack *stack) {
    struct dhcp6 *dhcp = &stack->ip6.dhcp6;
    if (dhcp->due_ns > stack->now_ns)
        return;
    if (dhcp->state == DHCP6_OFF) {
        dhcp->due_ns = TIMER_NEVER;
        return;
    }
    if (dhcp->state == DHCP6_INFORMED)
        enter_state(stack, DHCP6_INFORMING, first_delay(stack));
    else if (dhcp6_is_bound(stack))
        lease_goes_on(stack);
    else if (dhcp->state == DHCP6_SOLICITING && dhcp->has_best)
        enter_state(stack, DHCP6_REQUESTING, 0); /* of those that answered within the first interval */
    if (dhcp->due_ns > stack->now_ns)
        return;
    const struct pace *pace = pace_of(dhcp->state);
    if (pace->tries && dhcp->attempts == pace->tries) {
        solicit(stack, first_delay(stack));
        return;
    }
    send_request(stack, pace->type);
    uint64_t first_ns = pace->first_s * SECOND_NS, longest_ns = pace->longest_s * SECOND_NS;
    if (dhcp->attempts++ == 0)
        dhcp->interval_ns =
            vary(stack, first_ns + (pace->type == DHCP6_SOLICIT ? first_ns / 10 : 0), first_ns);
    else
        dhcp->interval_ns = vary(stack, 2 * dhcp->interval_ns, dhcp->interval_ns);
    if (longest_ns && dhcp->interval_ns > longest_ns)
        dhcp->interval_ns = vary(stack, longest_ns, longest_ns);
    dhcp->due_ns = no_later(stack, stack->now_ns + dhcp->interval_ns);
}
