/* SPDX-License-Identifier: MIT */
/*
 * dhcp_message.h - the format of DHCP's messages (RFC 2131 section 2, RFC 2132).
 */
#ifndef STACK_DHCP_DHCP_MESSAGE_H
#define STACK_DHCP_DHCP_MESSAGE_H

#include "stack/dhcp/dhcp.h"

/* What a message says. */
struct dhcp_message {
    uint8_t type; /* 0: not a DHCP message for us */
    struct dhcp_lease lease;
};

/* Reads a message, from the BOOTP header on. False: it is none, or not an answer to the
 * transaction of this MAC address. */
bool dhcp_parse(const uint8_t *bytes, uint32_t length, uint32_t transaction, const uint8_t mac[6],
                struct dhcp_message *message);

#define DHCP_MTU_MIN \
    576u /* that a server may choose: with less, whoever answers first makes tiny segments of all */
#define DHCP_MESSAGE_MAX 576u
enum dhcp_type {
    DHCP_DISCOVER = 1,
    DHCP_OFFER,
    DHCP_REQUEST,
    DHCP_DECLINE,
    DHCP_ACK,
    DHCP_NAK,
    DHCP_RELEASE,
};

/* What goes into a message of ours; addresses that are 0 are left out. */
struct dhcp_question {
    enum dhcp_type type;
    uint32_t transaction;
    uint16_t seconds;
    uint8_t mac[6];
    uint32_t own_address; /* that we have: ciaddr */
    uint32_t requested, server;
};

/* Writes a message. Returns its length. */
uint32_t dhcp_write(const struct dhcp_question *question, uint8_t bytes[DHCP_MESSAGE_MAX]);

#endif
