/* SPDX-License-Identifier: MIT */
/*
 * dhcp6_message.c - the format of DHCPv6's messages (RFC 8415 sections 8 and 21; RFC 3646).
 */
#include "stack/dhcp/dhcp6_message.h"
#include "stack/base/wire.h"
#include "stack/dhcp/dhcp6.h"

enum option {
    OPTION_CLIENT_ID = 1,
    OPTION_SERVER_ID = 2,
    OPTION_IA_NA = 3,
    OPTION_IA_ADDRESS = 5,
    OPTION_REQUEST = 6,
    OPTION_PREFERENCE = 7,
    OPTION_ELAPSED = 8,
    OPTION_STATUS = 13,
    OPTION_RAPID_COMMIT = 14,
    OPTION_DNS = 23,
    OPTION_DOMAINS = 24,
    OPTION_REFRESH = 32,
    OPTION_SOL_MAX_RT = 82,
    OPTION_INF_MAX_RT = 83,
};

#define HEADER_BYTES 4u
#define DUID_LL_BYTES 10u
#define OPTION_BYTES 4u
#define IA_BYTES 12u         /* IAID, T1, T2 */
#define IA_ADDRESS_BYTES 24u /* the address and its lifetimes */
#define ELAPSED_NS UINT64_C(10000000)

/* Section 11.4: by the MAC address alone, so that it is the same next time. */
static void write_duid(uint8_t *to, const uint8_t mac[6]) {
    wire_put16(to, 3);
    wire_put16(to + 2, 1);
    memcpy(to + 4, mac, 6);
}

static uint8_t *begin(uint8_t *at, enum option option, uint32_t length) {
    wire_put16(at, (uint16_t)option);
    wire_put16(at + 2, (uint16_t)length);
    return at + OPTION_BYTES;
}

static uint8_t *write_ia(uint8_t *at, const struct dhcp6_question *question) {
    bool has_address = !ip_is_any(question->address);
    at = begin(at, OPTION_IA_NA, IA_BYTES + (has_address ? OPTION_BYTES + IA_ADDRESS_BYTES : 0));
    memcpy(at, question->mac + 2, 4); /* IAID */
    memset(at + 4, 0, 8);
    at += IA_BYTES;
    if (has_address) {
        at = begin(at, OPTION_IA_ADDRESS, IA_ADDRESS_BYTES);
        memcpy(at, question->address.bytes, 16);
        memset(at + 16, 0, 8);
        at += IA_ADDRESS_BYTES;
    }
    return at;
}

uint32_t dhcp6_write(const struct dhcp6_question *question, uint8_t bytes[DHCP6_MESSAGE_MAX]) {
    static const uint16_t wanted[] = {OPTION_DNS, OPTION_DOMAINS, OPTION_REFRESH, OPTION_SOL_MAX_RT,
                                      OPTION_INF_MAX_RT};
    uint64_t elapsed = question->elapsed_ns / ELAPSED_NS;
    uint8_t *at = bytes;
    wire_put32(at, (uint32_t)question->type << 24 | (question->transaction & 0xffffff));
    at = begin(at + HEADER_BYTES, OPTION_CLIENT_ID, DUID_LL_BYTES);
    write_duid(at, question->mac);
    at += DUID_LL_BYTES;
    if (question->server) {
        at = begin(at, OPTION_SERVER_ID, question->server->length);
        memcpy(at, question->server->bytes, question->server->length);
        at += question->server->length;
    }
    if (question->wants_address)
        at = write_ia(at, question);
    at = begin(at, OPTION_ELAPSED, 2);
    wire_put16(at, elapsed < UINT16_MAX ? (uint16_t)elapsed : UINT16_MAX);
    at += 2;
    if (question->type == DHCP6_RELEASE || question->type == DHCP6_DECLINE)
        return (uint32_t)(at - bytes);
    at = begin(at, OPTION_REQUEST, sizeof wanted);
    for (uint32_t i = 0; i < sizeof wanted / sizeof *wanted; i++, at += 2)
        wire_put16(at, wanted[i]);
    if (question->type == DHCP6_SOLICIT)
        at = begin(at, OPTION_RAPID_COMMIT, 0);
    return (uint32_t)(at - bytes);
}

struct options {
    const uint8_t *at;
    uint32_t left;
};

/* The next option: false when there is none, or it goes beyond the end (then *options is empty, too). */
static bool next(struct options *options, uint16_t *kind, const uint8_t **value, uint32_t *length) {
    if (options->left < OPTION_BYTES)
        return false;
    *kind = wire_get16(options->at);
    *length = wire_get16(options->at + 2);
    *value = options->at + OPTION_BYTES;
    if (*length > options->left - OPTION_BYTES) {
        options->left = 0;
        return false;
    }
    options->at += OPTION_BYTES + *length;
    options->left -= OPTION_BYTES + *length;
    return true;
}

static void read_address(struct dhcp6_message *message, const uint8_t *value, uint32_t length) {
    struct options inner = {value + IA_ADDRESS_BYTES, length - IA_ADDRESS_BYTES};
    uint32_t preferred = wire_get32(value + 16), valid = wire_get32(value + 20), size;
    struct ip_address address = ip_from_bytes(value);
    const uint8_t *option;
    uint16_t kind;
    while (next(&inner, &kind, &option, &size))
        if (kind == OPTION_STATUS && size >= 2 && wire_get16(option))
            return;
    bool usable = !ip_is_multicast(address) && !ip_is_link_local(address) && !ip_is_v4(address) &&
                  !ip_is_loopback(address);
    if (!ip_is_any(message->address) || !usable || valid == 0 || preferred > valid)
        return;
    message->address = address;
    message->preferred_s = preferred;
    message->valid_s = valid;
}

static void read_ia(struct dhcp6_message *message, const uint8_t *value, uint32_t length,
                    const uint8_t mac[6]) {
    struct options inner = {value + IA_BYTES, length - IA_BYTES};
    const uint8_t *option;
    uint32_t size;
    uint16_t kind;
    if (memcmp(value, mac + 2, 4) != 0)
        return;
    message->renew_s = wire_get32(value + 4);
    message->rebind_s = wire_get32(value + 8);
    while (next(&inner, &kind, &option, &size)) {
        if (kind == OPTION_IA_ADDRESS && size >= IA_ADDRESS_BYTES)
            read_address(message, option, size);
        else if (kind == OPTION_STATUS && size >= 2)
            message->status = wire_get16(option);
    }
}

static void read_dns(struct dhcp6_message *message, const uint8_t *value, uint32_t length) {
    for (; length >= 16 && message->dns_count < DHCP6_DNS_MAX; value += 16, length -= 16) {
        struct ip_address address = ip_from_bytes(value);
        if (!ip_is_any(address) && !ip_is_multicast(address) && !ip_is_v4(address))
            message->dns[message->dns_count++] = address;
    }
}

static bool is_plain(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Names of RFC 1035, one after the other; with one that is none, none of them is taken. */
static void read_domains(struct dhcp6_message *message, const uint8_t *value, uint32_t length) {
    char *text = message->domains;
    uint32_t at = 0, written = 0;
    while (at < length) {
        uint32_t label = value[at++];
        if (label == 0) {
            if (written && text[written - 1] == '.')
                text[written - 1] = ' ';
            continue;
        }
        bool whole = label <= 63 && label <= length - at && written + label + 2 < DHCP6_DOMAIN_BYTES;
        for (uint32_t i = 0; whole && i < label; i++)
            whole = is_plain(value[at + i]);
        if (!whole) {
            written = 0;
            break;
        }
        memcpy(text + written, value + at, label);
        written += label;
        text[written++] = '.';
        at += label;
    }
    text[written ? written - 1 : 0] = 0;
}

static void read_option(struct dhcp6_message *message, uint16_t kind, const uint8_t *value, uint32_t length,
                        const uint8_t mac[6], bool *is_ours) {
    uint8_t duid[DUID_LL_BYTES];
    switch (kind) {
    case OPTION_CLIENT_ID:
        write_duid(duid, mac);
        *is_ours = length == sizeof duid && memcmp(value, duid, sizeof duid) == 0;
        break;
    case OPTION_SERVER_ID:
        if (length > 0 && length <= DHCP6_DUID_MAX) {
            message->server.length = (uint16_t)length;
            memcpy(message->server.bytes, value, length);
        }
        break;
    case OPTION_IA_NA:
        if (length >= IA_BYTES)
            read_ia(message, value, length, mac);
        break;
    case OPTION_PREFERENCE:
        message->preference = length == 1 ? value[0] : 0;
        break;
    case OPTION_STATUS:
        if (length >= 2 && wire_get16(value))
            message->status = wire_get16(value);
        break;
    case OPTION_RAPID_COMMIT:
        message->rapid = true;
        break;
    case OPTION_DNS:
        read_dns(message, value, length);
        break;
    case OPTION_DOMAINS:
        read_domains(message, value, length);
        break;
    case OPTION_REFRESH:
        message->refresh_s = length == 4 ? wire_get32(value) : 0;
        break;
    default:
        break;
    }
}

bool dhcp6_parse(const uint8_t *bytes, uint32_t length, uint32_t transaction, const uint8_t mac[6],
                 struct dhcp6_message *message) {
    struct options options = {bytes + HEADER_BYTES, length - HEADER_BYTES};
    const uint8_t *value;
    uint32_t size;
    uint16_t kind;
    bool is_ours = false;
    memset(message, 0, sizeof *message);
    if (length < HEADER_BYTES || (wire_get32(bytes) & 0xffffff) != (transaction & 0xffffff))
        return false;
    message->type = bytes[0];
    while (next(&options, &kind, &value, &size))
        read_option(message, kind, value, size, mac, &is_ours);
    return is_ours && message->server.length > 0 && options.left == 0;
}
