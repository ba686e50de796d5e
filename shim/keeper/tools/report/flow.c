/* SPDX-License-Identifier: MIT */
/*
 * flow.c - see flow.h.
 *
 * Names of flows are those of their ports in the IANA's registry; only ports that say something to a reader are
 * known here.
 */
#include "shim/keeper/tools/report/flow.h"
#include "shim/keeper/tools/report/finding.h"
#include "shim/keeper/tools/report/hash.h"
#include <stdlib.h>
#include <string.h>

#define UDP_HEADER 8u

static uint64_t hash_of_end(const struct flows *flows, const struct address *address, uint16_t port) {
    uint64_t high, low;
    memcpy(&high, address->bytes, 8);
    memcpy(&low, address->bytes + 8, 8);
    return hash_mix(hash_mix(high ^ flows->key, low ^ ~flows->key) ^ port, flows->key);
}

/* The same for both directions. */
static uint32_t hash_of(const struct flows *flows, const struct address *a, uint16_t a_port,
                        const struct address *b, uint16_t b_port) {
    return (uint32_t)(hash_mix(hash_of_end(flows, a, a_port) + hash_of_end(flows, b, b_port), flows->key) %
                      FLOWS_MAX);
}

struct flow *flow_find(const struct flows *flows, const struct address *from, uint16_t from_port,
                       const struct address *to, uint16_t to_port, int *side_of_from) {
    for (uint32_t at = flows->heads[hash_of(flows, from, from_port, to, to_port)]; at;
         at = flows->next[at - 1]) {
        struct flow *flow = &flows->all[at - 1];
        for (int i = 0; i < 2; i++)
            if (flow->ports[i] == from_port && flow->ports[1 - i] == to_port &&
                packet_same_address(&flow->addresses[i], from) &&
                packet_same_address(&flow->addresses[1 - i], to)) {
                *side_of_from = i;
                return flow;
            }
    }
    return NULL;
}

static struct flow *add(struct flows *flows, const struct captured_ip *ip, uint16_t from, uint16_t to,
                        uint64_t now_ns) {
    if (flows->count == FLOWS_MAX ||
        !array_grow((void **)&flows->all, flows->count, &flows->room, sizeof *flows->all) ||
        !array_grow((void **)&flows->next, flows->count, &flows->next_room, sizeof *flows->next))
        return NULL;
    struct flow *flow = &flows->all[flows->count];
    uint32_t *head = &flows->heads[hash_of(flows, &ip->source, from, &ip->destination, to)];
    flows->next[flows->count] = *head;
    *head = ++flows->count;
    memset(flow, 0, sizeof *flow);
    flow->addresses[0] = ip->source;
    flow->addresses[1] = ip->destination;
    flow->ports[0] = from;
    flow->ports[1] = to;
    flow->protocol = ip->protocol;
    flow->begin_ns = flow->end_ns = now_ns;
    return flow;
}

void flow_packet(struct flows *flows, const struct captured_ip *ip, uint64_t now_ns) {
    if (ip->captured < UDP_HEADER || ip->length < UDP_HEADER)
        return;
    uint32_t said =
        packet_get16(ip->payload + 4); /* by UDP itself: the first fragment of a datagram is not all of it */
    uint32_t length = said >= UDP_HEADER ? said - UDP_HEADER : ip->length - UDP_HEADER;
    uint16_t from = (uint16_t)packet_get16(ip->payload), to = (uint16_t)packet_get16(ip->payload + 2);
    int side = 0;
    if (!flows->key)
        flows->key = hash_key();
    struct flow *flow = flow_find(flows, &ip->source, from, &ip->destination, to, &side);
    if (!flow && !(flow = add(flows, ip, from, to, now_ns))) {
        flows->left_out++;
        return;
    }
    now_ns =
        now_ns > flow->end_ns ? now_ns : flow->end_ns; /* what stands earlier in time is taken to be of now */
    uint64_t pause_ns = flow->last_ns[side] ? now_ns - flow->last_ns[side] : 0;
    if (pause_ns > flow->longest_pause_ns)
        flow->longest_pause_ns = pause_ns;
    if (side == 1 && !flow->packets[1])
        flow->answer_ns = now_ns - flow->begin_ns;
    flow->packets[side]++;
    flow->bytes[side] += length;
    flow->end_ns = flow->last_ns[side] = now_ns;
    series_add(&flow->series[side], now_ns, length);
}

const char *flow_kind(const struct flow *flow) {
    static const struct {
        uint16_t port;
        const char *name;
    } kinds[] = {{53, "DNS"},         {67, "DHCP"},      {69, "TFTP"},     {123, "NTP"},    {137, "NetBIOS"},
                 {161, "SNMP"},       {443, "QUIC"},     {500, "IKE"},     {514, "syslog"}, {546, "DHCPv6"},
                 {547, "DHCPv6"},     {1194, "OpenVPN"}, {1900, "SSDP"},   {3478, "STUN"},  {4500, "IPsec"},
                 {5004, "RTP"},       {5060, "SIP"},     {5201, "iperf3"}, {5353, "mDNS"},  {5355, "LLMNR"},
                 {51820, "WireGuard"}};
    for (int i = 1; i >= 0; i--)
        for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++)
            if (flow->ports[i] == kinds[j].port)
                return kinds[j].name;
    return "";
}

void flow_free(struct flows *flows) {
    free(flows->all);
    free(flows->next);
    memset(flows, 0, sizeof *flows);
}
