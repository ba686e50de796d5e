/* SPDX-License-Identifier: MIT */
/*
 * dhcp6_message.h - the format of DHCPv6's messages (RFC 8415 sections 8 and 21; RFC 3646).
 */
#ifndef STACK_DHCP_DHCP6_MESSAGE_H
#define STACK_DHCP_DHCP6_MESSAGE_H

#include "stack/dhcp/dhcp6.h"

enum dhcp6_type {
    DHCP6_SOLICIT = 1,
    DHCP6_ADVERTISE = 2,
    DHCP6_REQUEST = 3,
    DHCP6_RENEW = 5,
    DHCP6_REBIND = 6,
    DHCP6_REPLY = 7,
    DHCP6_RELEASE = 8,
    DHCP6_DECLINE = 9,
    DHCP6_INFORMATION_REQUEST = 11,
};

/* What goes into a message of ours. */
struct dhcp6_question {
    enum dhcp6_type type;
    uint32_t transaction;
    uint64_t elapsed_ns;
    uint8_t mac[6];
    const struct dhcp6_duid *server; /* NULL: any */
    struct ip_address address;       /* "::": whichever */
    bool wants_address;
};

uint32_t dhcp6_write(const struct dhcp6_question *question, uint8_t bytes[DHCP6_MESSAGE_MAX]);

/* Reads a message for the client of that MAC address and transaction. False: it is none. */
bool dhcp6_parse(const uint8_t *bytes, uint32_t length, uint32_t transaction, const uint8_t mac[6],
                 struct dhcp6_message *message);

#endif
