/* SPDX-License-Identifier: MIT */
/*
 * network.h - packets made by hand, and those that a stack has sent.
 */
#ifndef TESTS_UNIT_NETWORK_H
#define TESTS_UNIT_NETWORK_H

#include "stack/base/checksum.h"
#include "stack/ip/ip.h"
#include "tests/unit/host.h"

/* The last packet that was sent, what it carries, and room for what is sent and received. */
extern struct seen seen;
extern uint8_t *body;
extern uint32_t body_length;
extern uint8_t payload[66000], got[66000];

ssize_t send_to(struct host *host, struct socket *socket, uint32_t address, uint32_t length);

/* A datagram of the peer's to port 9, to be cut into pieces of 400 bytes. */
extern uint8_t datagram[4000];
uint32_t make_datagram(uint32_t length);

void send_piece(struct host *host, uint16_t identification, uint32_t offset, uint32_t length, bool more);

/* Answers the last packet that was sent with an ICMP error that quotes it. */
void complain(struct host *host, uint8_t type, uint8_t code, uint32_t info);

/* The identification of the next packet of a protocol, and whether it has DF. */
uint16_t identification(struct host *host, uint8_t protocol, bool *whole);

extern const uint8_t PEER[6];

extern const uint8_t OTHER[6];

void send_arp(struct host *host, uint16_t operation, const uint8_t mac[6], uint32_t sender, uint32_t target);

/* The next ARP packet that was sent: its operation, or 0 when there is none. */
uint16_t read_arp(struct host *host, uint32_t *sender, uint32_t *target);

uint32_t make_ip(struct host *host, uint8_t *frame, uint8_t protocol, uint32_t source, uint32_t destination,
                 const void *payload, uint32_t length);

void send_udp(struct host *host, uint32_t source, uint32_t destination, uint16_t port, const char *text);

#define GROUP 0xefff0001u /* 239.255.0.1 */

ssize_t send_message(struct host *host, struct socket *socket, uint32_t address, uint32_t length,
                     struct socket_message message);

ssize_t receive_message(struct host *host, struct socket *socket, uint32_t room, int flags,
                        struct socket_message *message);

int join(struct host *host, struct socket *socket, int name, uint32_t group, uint32_t interface);

/* The next IGMP message: its type, and for version 3 the record's, in the upper byte. */
unsigned next_igmp(struct host *host, uint32_t *group);

#endif
