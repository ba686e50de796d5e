/* SPDX-License-Identifier: MIT */
/*
 * dhcp_message.c - the format of DHCP's messages (RFC 2131 section 2, RFC 2132). See dhcp.h.
 */
#include "stack/dhcp/dhcp_message.h"
#include "stack/base/wire.h"
#include "stack/dhcp/dhcp.h"
#include <string.h>

enum {
    BOOTP_BYTES = 236, /* op ... file */
    BOOTP_SNAME_AT = 44,
    BOOTP_SNAME_BYTES = 64,
    BOOTP_FILE_AT = 108,
    BOOTP_FILE_BYTES = 128,
    OPTIONS_AT = 240,
    MESSAGE_MIN = 300, /* RFC 1542 section 2.1: what old relays want */
};

#define MAGIC_COOKIE 0x63825363u

enum option {
    OPTION_PAD = 0,
    OPTION_MASK = 1,
    OPTION_ROUTER = 3,
    OPTION_DNS = 6,
    OPTION_DOMAIN = 15,
    OPTION_MTU = 26,
    OPTION_REQUESTED = 50,
    OPTION_LEASE_TIME = 51,
    OPTION_OVERLOAD = 52,
    OPTION_TYPE = 53,
    OPTION_SERVER = 54,
    OPTION_PARAMETERS = 55,
    OPTION_MAXIMUM = 57,
    OPTION_RENEWAL_TIME = 58,
    OPTION_REBINDING_TIME = 59,
    OPTION_CLIENT = 61,
    OPTION_ROUTES = 121,
    OPTION_END = 255,
};

/* An option that comes in several parts is their concatenation (RFC 3396): only that for routes gets so long.
 */
struct reading {
    struct dhcp_message *message;
    uint8_t routes[1024];
    uint32_t routes_length;
    uint8_t overload;
};

static uint8_t prefix_of(uint32_t mask) {
    uint8_t length = 0;
    while (length < 32 && mask & UINT32_C(0x80000000) >> length)
        length++;
    return length;
}

static uint64_t seconds(const uint8_t *data) {
    return (uint64_t)wire_get32(data) * UINT64_C(1000000000);
}

static void read_domain(struct dhcp_lease *lease, const uint8_t *data, uint32_t length) {
    uint32_t used = 0;
    if (length >= DHCP_DOMAIN_BYTES)
        return;
    for (; used < length && data[used]; used++) {
        uint8_t c = data[used];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    c == '-' || c == '_';
        if (!good)
            return; /* a name that is none goes nowhere near a resolver */
    }
    memcpy(lease->domain, data, used);
    lease->domain[used] = 0;
}

static void read_option(struct reading *reading, uint8_t code, const uint8_t *data, uint32_t length) {
    struct dhcp_lease *lease = &reading->message->lease;
    switch (code) {
    case OPTION_MASK:
        if (length == 4)
            lease->prefix_length = prefix_of(wire_get32(data));
        break;
    case OPTION_ROUTER:
        if (length >= 4)
            lease->router = wire_get32(data);
        break;
    case OPTION_DNS:
        for (uint32_t at = 0; at + 4 <= length && lease->dns_count < DHCP_DNS_MAX; at += 4)
            lease->dns[lease->dns_count++] = wire_get32(data + at);
        break;
    case OPTION_DOMAIN:
        read_domain(lease, data, length);
        break;
    case OPTION_MTU:
        if (length == 2 && wire_get16(data) >= DHCP_MTU_MIN)
            lease->mtu = wire_get16(data);
        break;
    case OPTION_LEASE_TIME:
        if (length == 4) /* all ones: for ever (RFC 2131 section 3.3), or as good as */
            lease->length_ns = seconds(data);
        break;
    case OPTION_RENEWAL_TIME:
        if (length == 4)
            lease->renew_ns = seconds(data);
        break;
    case OPTION_REBINDING_TIME:
        if (length == 4)
            lease->rebind_ns = seconds(data);
        break;
    case OPTION_TYPE:
        if (length == 1)
            reading->message->type = data[0];
        break;
    case OPTION_SERVER:
        if (length == 4)
            lease->server = wire_get32(data);
        break;
    case OPTION_OVERLOAD:
        if (length == 1)
            reading->overload = data[0];
        break;
    case OPTION_ROUTES:
        if (length <= sizeof reading->routes - reading->routes_length) {
            memcpy(reading->routes + reading->routes_length, data, length);
            reading->routes_length += length;
        }
        break;
    default:
        break;
    }
}

static void read_options(struct reading *reading, const uint8_t *at, const uint8_t *end) {
    while (at < end && *at != OPTION_END) {
        if (*at == OPTION_PAD) {
            at++;
            continue;
        }
        if (end - at < 2 || end - at - 2 < at[1])
            return;
        read_option(reading, at[0], at + 2, at[1]);
        at += 2 + at[1];
    }
}

/* RFC 3442: prefix length, as many bytes of the prefix as that needs, router. */
static void read_routes(struct reading *reading) {
    struct dhcp_lease *lease = &reading->message->lease;
    const uint8_t *at = reading->routes, *end = at + reading->routes_length;
    while (at < end && lease->route_count < DHCP_ROUTES_MAX) {
        uint8_t length = at[0];
        uint32_t bytes = (length + 7u) / 8, destination = 0;
        if (length > 32 || (uint32_t)(end - at) < 1 + bytes + 4)
            return;
        for (uint32_t i = 0; i < bytes; i++)
            destination |= (uint32_t)at[1 + i] << (24 - 8 * i);
        uint32_t mask = length ? UINT32_MAX << (32 - length) : 0;
        lease->routes[lease->route_count++] =
            (struct ip_route){destination & mask, mask, wire_get32(at + 1 + bytes)};
        at += 1 + bytes + 4;
    }
}

bool dhcp_parse(const uint8_t *bytes, uint32_t length, uint32_t transaction, const uint8_t mac[6],
                struct dhcp_message *message) {
    struct reading reading = {.message = message};
    memset(message, 0, sizeof *message);
    if (length < OPTIONS_AT || bytes[0] != 2 || bytes[1] != 1 || bytes[2] != 6 ||
        wire_get32(bytes + 4) != transaction || memcmp(bytes + 28, mac, 6) != 0 ||
        wire_get32(bytes + BOOTP_BYTES) != MAGIC_COOKIE)
        return false;
    message->lease.address = wire_get32(bytes + 16);
    read_options(&reading, bytes + OPTIONS_AT, bytes + length);
    if (reading.overload & 1)
        read_options(&reading, bytes + BOOTP_FILE_AT, bytes + BOOTP_FILE_AT + BOOTP_FILE_BYTES);
    if (reading.overload & 2)
        read_options(&reading, bytes + BOOTP_SNAME_AT, bytes + BOOTP_SNAME_AT + BOOTP_SNAME_BYTES);
    read_routes(&reading);
    return message->type != 0;
}

static uint8_t *put_option(uint8_t *at, enum option code, uint32_t value) {
    at[0] = (uint8_t)code;
    at[1] = 4;
    wire_put32(at + 2, value);
    return at + 6;
}

uint32_t dhcp_write(const struct dhcp_question *question, uint8_t bytes[DHCP_MESSAGE_MAX]) {
    static const uint8_t parameters[] = {OPTION_PARAMETERS,    9,
                                         OPTION_ROUTES,        OPTION_MASK,
                                         OPTION_ROUTER,        OPTION_DNS,
                                         OPTION_DOMAIN,        OPTION_MTU,
                                         OPTION_LEASE_TIME,    OPTION_RENEWAL_TIME,
                                         OPTION_REBINDING_TIME};
    memset(bytes, 0, DHCP_MESSAGE_MAX);
    bytes[0] = 1; /* a request, over Ethernet */
    bytes[1] = 1;
    bytes[2] = 6;
    wire_put32(bytes + 4, question->transaction);
    wire_put16(bytes + 8, question->seconds);
    wire_put16(bytes + 10,
               question->own_address ? 0 : 0x8000); /* answer by broadcast: we have no address yet */
    wire_put32(bytes + 12, question->own_address);
    memcpy(bytes + 28, question->mac, 6);
    wire_put32(bytes + BOOTP_BYTES, MAGIC_COOKIE);
    uint8_t *at = bytes + OPTIONS_AT;
    *at++ = OPTION_TYPE;
    *at++ = 1;
    *at++ = (uint8_t)question->type;
    *at++ = OPTION_CLIENT;
    *at++ = 7;
    *at++ = 1;
    memcpy(at, question->mac, 6);
    at += 6;
    if (question->requested)
        at = put_option(at, OPTION_REQUESTED, question->requested);
    if (question->server)
        at = put_option(at, OPTION_SERVER, question->server);
    if (question->type == DHCP_DISCOVER || question->type == DHCP_REQUEST) {
        *at++ = OPTION_MAXIMUM;
        *at++ = 2;
        wire_put16(at, 1500);
        memcpy(at + 2, parameters, sizeof parameters);
        at += 2 + sizeof parameters;
    }
    *at++ = OPTION_END;
    uint32_t length = (uint32_t)(at - bytes);
    return length < MESSAGE_MIN ? MESSAGE_MIN : length;
}
