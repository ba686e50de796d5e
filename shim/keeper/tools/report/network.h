/* SPDX-License-Identifier: MIT */
/*
 * network.h - what a capture shows beside TCP: who was asked for by ARP (or IPv6's neighbour discovery), by
 * DNS and DHCP, and whether an answer came; and errors that ICMP tells of.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_NETWORK_H
#define SHIM_KEEPER_TOOLS_REPORT_NETWORK_H

#include "shim/keeper/tools/report/connection.h"

/* Takes a packet of ARP, or of IP that is not TCP. */
void network_arp(struct report *report, const struct capture_packet *packet);
void network_packet(struct report *report, const struct capture_packet *packet, const struct captured_ip *ip);

/* All have come: findings of the report. */
void network_diagnose(struct report *report);

#endif
