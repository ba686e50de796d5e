/* SPDX-License-Identifier: MIT */
/*
 * dhcp.c - see dhcp.h: the client's states, after RFC 2131 figure 5.
 *
 * An address is checked by three ARP probes before it is used. RFC 5227 would have a program wait for five
 * seconds for that; as other clients do, we ask in shorter intervals.
 */
#include "stack/dhcp/dhcp.h"
#include "stack/datagram/udp.h"
#include "stack/dhcp/dhcp_message.h"
#include "stack/link/arp.h"
#include "stack/stack.h"
#include <errno.h>

#define SECOND_NS UINT64_C(1000000000)
#define CLIENT_PORT 68
#define SERVER_PORT 67
#define FIRST_TIMEOUT_S 4 /* RFC 2131 section 4.1: 4, 8, ... 64, give or take one */
#define LAST_DOUBLING 4
#define REQUESTS_MAX 4                   /* of one offer; then others are asked for */
#define PROBES 3                         /* PROBE_NUM */
#define PROBE_NS UINT64_C(150000000)     /* between them; and ANNOUNCE_WAIT */
#define DECLINE_WAIT_NS (10 * SECOND_NS) /* RFC 2131 section 3.1 (5) */
#define RENEW_AGAIN_NS (60 * SECOND_NS)  /* section 4.4.5: no more often than this */
#define LEASE_MIN_NS (10 * SECOND_NS)
#define LEASE_FOREVER_NS (UINT32_MAX * SECOND_NS)

static void wait(struct stack *stack, uint64_t ns) {
    timer_start(&stack->timers, &stack->dhcp.timer, stack->now_ns + ns);
}

/* Sends a question: by broadcast until there is an address, and whenever the server may be another. */
static void send_message(struct stack *stack, enum dhcp_type type) {
    struct dhcp *dhcp = &stack->dhcp;
    uint8_t bytes[DHCP_MESSAGE_MAX];
    struct dhcp_question question = {.type = type, .transaction = dhcp->transaction};
    uint32_t own = dhcp->lease.address;
    bool to_server = type == DHCP_RELEASE || dhcp->state == DHCP_RENEWING;
    uint64_t elapsed_s = (stack->now_ns - dhcp->began_ns) / SECOND_NS;
    question.seconds = elapsed_s < UINT16_MAX ? (uint16_t)elapsed_s : UINT16_MAX;
    memcpy(question.mac, stack->config.mac, 6);
    if (type == DHCP_DECLINE || (type == DHCP_REQUEST && !own)) {
        question.requested = dhcp->offer.address;
        question.server = dhcp->offer.server;
    } else if (own) {
        question.own_address = own;
        question.server = type == DHCP_RELEASE ? dhcp->lease.server : 0;
    }
    struct ip_parameters parameters = {
        .source = ip_from_v4(question.own_address),
        .destination = ip_from_v4(to_server ? dhcp->lease.server : UINT32_MAX),
        .protocol = IP_PROTOCOL_UDP,
        .ttl = (uint8_t)stack->sysctl.ip_default_ttl,
    };
    struct byte_queue payload = {0};
    struct iovec piece = {bytes, dhcp_write(&question, bytes)};
    uint32_t length = (uint32_t)piece.iov_len;
    struct frame *frame = frame_begin(&stack->transmit);
    if (frame && byte_queue_append(&payload, &stack->buffers, &piece, 1, 0, length) == length) {
        frame_set_payload(frame, (struct byte_cursor){payload.head, 0}, length);
        udp_output(stack, frame, CLIENT_PORT, SERVER_PORT, &parameters, NULL);
    }
    buffer_drop_chain(&stack->buffers, payload.head);
    dhcp->asked_ns = stack->now_ns;
}

/* The next wait of an exchange: doubled each time, give or take a second. */
static void wait_for_answer(struct stack *stack) {
    uint32_t doublings = stack->dhcp.attempts < LAST_DOUBLING ? stack->dhcp.attempts : LAST_DOUBLING;
    uint64_t base = (FIRST_TIMEOUT_S * SECOND_NS) << doublings;
    stack->dhcp.attempts++;
    wait(stack, base - SECOND_NS + random_u64(&stack->random) % (2 * SECOND_NS));
}

static void enter_state(struct stack *stack, enum dhcp_state state) {
    stack->dhcp.state = state;
    stack->dhcp.attempts = 0;
}

static void begin_discovery(struct stack *stack) {
    struct dhcp *dhcp = &stack->dhcp;
    enter_state(stack, DHCP_SELECTING);
    dhcp->transaction = (uint32_t)random_u64(&stack->random);
    dhcp->began_ns = stack->now_ns;
    memset(&dhcp->offer, 0, sizeof dhcp->offer);
    send_message(stack, DHCP_DISCOVER);
    wait_for_answer(stack);
}

void dhcp_start(struct stack *stack) {
    struct dhcp *dhcp = &stack->dhcp;
    memset(dhcp, 0, sizeof *dhcp);
    timer_init(&dhcp->timer, TIMER_DHCP);
    dhcp->interface_mtu = stack->config.mtu;
    begin_discovery(stack);
}

void dhcp_release(struct stack *stack) {
    struct dhcp *dhcp = &stack->dhcp;
    if (dhcp->state == DHCP_OFF)
        return;
    timer_stop(&stack->timers, &dhcp->timer);
    if (dhcp->lease.address) {
        dhcp->transaction = (uint32_t)random_u64(&stack->random);
        send_message(stack, DHCP_RELEASE);
    }
    dhcp->state = DHCP_OFF;
}

/* The lease has ended, or was taken away: the address is not ours any more. */
static void lose(struct stack *stack) {
    memset(&stack->dhcp.lease, 0, sizeof stack->dhcp.lease);
    stack_set_address(stack, 0, 0);
    begin_discovery(stack);
}

/* What a server left out, and what no server would mean. */
static void complete(struct dhcp_lease *lease) {
    if (lease->length_ns < LEASE_MIN_NS)
        lease->length_ns = LEASE_MIN_NS;
    if (lease->rebind_ns == 0 || lease->rebind_ns >= lease->length_ns)
        lease->rebind_ns = lease->length_ns / 8 * 7;
    if (lease->renew_ns == 0 || lease->renew_ns >= lease->rebind_ns)
        lease->renew_ns =
            lease->length_ns / 2 < lease->rebind_ns ? lease->length_ns / 2 : lease->rebind_ns / 2;
    if (lease->prefix_length == 0)
        lease->prefix_length = lease->address >> 31 == 0 ? 8 : lease->address >> 30 == 2 ? 16 : 24;
}

/* Takes an address, or what is new about it, into use. */
static void bind_lease(struct stack *stack) {
    struct dhcp *dhcp = &stack->dhcp;
    bool fresh = dhcp->lease.address != dhcp->offer.address;
    dhcp->lease = dhcp->offer;
    const struct dhcp_lease *lease = &dhcp->lease;
    dhcp->bound_ns = dhcp->asked_ns;
    stack->config.mtu = lease->mtu && lease->mtu < dhcp->interface_mtu ? lease->mtu : dhcp->interface_mtu;
    if (fresh)
        stack_set_address(stack, lease->address, lease->prefix_length);
    else
        stack_set_routes(stack);
    for (uint32_t i = 0; i < lease->route_count; i++)
        ip_route_add(&stack->routes, lease->routes[i].destination, lease->routes[i].mask,
                     lease->routes[i].gateway);
    stack->config.gateway = lease->route_count ? 0 : lease->router;
    if (stack->config.gateway)
        ip_route_add(&stack->routes, 0, 0, stack->config.gateway);
    enter_state(stack, DHCP_BOUND);
    if (lease->length_ns < LEASE_FOREVER_NS)
        timer_start(&stack->timers, &dhcp->timer, dhcp->bound_ns + lease->renew_ns);
    else
        timer_stop(&stack->timers, &dhcp->timer);
}

static void probe(struct stack *stack) {
    struct dhcp *dhcp = &stack->dhcp;
    if (dhcp->attempts++ == PROBES) {
        bind_lease(stack);
        return;
    }
    arp_probe(stack, dhcp->offer.address);
    wait(stack, PROBE_NS);
}

void dhcp_conflict(struct stack *stack) {
    send_message(stack, DHCP_DECLINE);
    stack->dhcp.declined++;
    enter_state(stack, DHCP_WAITING);
    wait(stack, DECLINE_WAIT_NS);
}

static bool usable(const struct dhcp_lease *lease) {
    uint8_t first = (uint8_t)(lease->address >> 24);
    return first != 0 && first != 127 && first < 224 && lease->length_ns > 0 && lease->server;
}

/* Whether a server may say no: the one that was asked; any, once all are. */
static bool may_refuse(const struct dhcp *dhcp, uint32_t server) {
    uint32_t asked = dhcp->state == DHCP_REQUESTING ? dhcp->offer.server : dhcp->lease.server;
    return dhcp->state == DHCP_REBINDING || server == asked;
}

static void handle_message(struct stack *stack, const struct dhcp_message *message) {
    struct dhcp *dhcp = &stack->dhcp;
    bool waits =
        dhcp->state == DHCP_REQUESTING || dhcp->state == DHCP_RENEWING || dhcp->state == DHCP_REBINDING;
    if (message->type == DHCP_OFFER && dhcp->state == DHCP_SELECTING && usable(&message->lease)) {
        dhcp->offer = message->lease;
        enter_state(stack, DHCP_REQUESTING);
        send_message(stack, DHCP_REQUEST);
        wait_for_answer(stack);
    } else if (message->type == DHCP_NAK && waits && may_refuse(dhcp, message->lease.server)) {
        lose(stack);
    } else if (message->type == DHCP_ACK && waits && usable(&message->lease)) {
        if (dhcp->lease.address && dhcp->lease.address != message->lease.address)
            return; /* not what was asked for */
        dhcp->offer = message->lease;
        complete(&dhcp->offer);
        if (dhcp->lease.address) {
            bind_lease(stack);
        } else {
            enter_state(stack, DHCP_PROBING);
            probe(stack);
        }
    }
}

bool dhcp_expects(const struct stack *stack, uint32_t destination, uint8_t protocol) {
    const struct dhcp *dhcp = &stack->dhcp;
    if (protocol != IP_PROTOCOL_UDP)
        return false;
    /* We ask for a broadcast (RFC 2131 section 4.1), but some servers send to the address that they offer. */
    return dhcp->state == DHCP_SELECTING ||
           (dhcp->state == DHCP_REQUESTING && destination == dhcp->offer.address);
}

bool dhcp_input(struct stack *stack, const struct ip_packet *packet, uint16_t source_port, uint16_t port) {
    struct dhcp_message message;
    uint8_t bytes[1500];
    if (stack->dhcp.state == DHCP_OFF || port != CLIENT_PORT || source_port != SERVER_PORT)
        return false;
    uint32_t length = packet->length - UDP_HEADER_BYTES;
    if (length > sizeof bytes)
        return true;
    struct byte_queue queue = {.head = packet->chain, .length = packet->length};
    uint8_t header[UDP_HEADER_BYTES];
    struct iovec pieces[2] = {{header, sizeof header}, {bytes, length}};
    byte_queue_peek(&queue, pieces, 2, UINT32_MAX);
    if (dhcp_parse(bytes, length, stack->dhcp.transaction, stack->config.mac, &message))
        handle_message(stack, &message);
    return true;
}

/* Half of what is left until then (RFC 2131 section 4.4.5), but no more often than once in a minute. */
static void wait_towards(struct stack *stack, uint64_t when_ns) {
    uint64_t left = when_ns > stack->now_ns ? when_ns - stack->now_ns : 0;
    uint64_t half = left / 2 < RENEW_AGAIN_NS ? RENEW_AGAIN_NS : left / 2;
    wait(stack, half < left ? half : left);
}

static void ask_for_more(struct stack *stack) {
    struct dhcp *dhcp = &stack->dhcp;
    uint64_t rebind_ns = dhcp->bound_ns + dhcp->lease.rebind_ns,
             end_ns = dhcp->bound_ns + dhcp->lease.length_ns;
    if (stack->now_ns >= end_ns) {
        lose(stack);
        return;
    }
    if (dhcp->state == DHCP_BOUND) {
        enter_state(stack, DHCP_RENEWING);
        dhcp->transaction = (uint32_t)random_u64(&stack->random);
        dhcp->began_ns = stack->now_ns;
    }
    if (stack->now_ns >= rebind_ns)
        dhcp->state = DHCP_REBINDING;
    send_message(stack, DHCP_REQUEST);
    wait_towards(stack, dhcp->state == DHCP_REBINDING ? end_ns : rebind_ns);
}

void dhcp_timer(struct stack *stack) {
    struct dhcp *dhcp = &stack->dhcp;
    switch (dhcp->state) {
    case DHCP_OFF:
        break;
    case DHCP_WAITING:
        begin_discovery(stack);
        break;
    case DHCP_SELECTING:
        send_message(stack, DHCP_DISCOVER);
        wait_for_answer(stack);
        break;
    case DHCP_REQUESTING:
        if (dhcp->attempts == REQUESTS_MAX) {
            begin_discovery(stack);
            break;
        }
        send_message(stack, DHCP_REQUEST);
        wait_for_answer(stack);
        break;
    case DHCP_PROBING:
        probe(stack);
        break;
    case DHCP_BOUND:
    case DHCP_RENEWING:
    case DHCP_REBINDING:
        ask_for_more(stack);
        break;
    }
}
