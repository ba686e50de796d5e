/* SPDX-License-Identifier: MIT */
/*
 * interface.c - see interface.h.
 */
#include "shim/region/interface.h"
#include "shim/region/region.h"
#include <linux/if_link.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define LOOPBACK_MTU 65536

/* pcap:eth0 is called eth0. */
static void name_interface(char name[IFNAMSIZ], const char *nic) {
    const char *colon = strchr(nic, ':');
    const char *from = colon && colon[1] ? colon + 1 : nic;
    snprintf(name, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, from);
}

/* The count is everybody's to write who shares the stack. */
static void describe_inet(struct interface *own) {
    const struct ip4_addresses *addresses = &shared->stack.addresses4;
    for (uint32_t i = 0; i < addresses->count && i < IP4_ADDRESSES_MAX; i++) {
        const struct ip4_address *entry = &addresses->entries[i];
        own->inet[own->inet_count++] =
            (struct interface_inet){.address = entry->address,
                                    .mask = entry->mask,
                                    .broadcast = entry->prefix_length < 31 ? entry->broadcast : 0,
                                    .prefix_length = entry->prefix_length,
                                    .secondary = entry->secondary};
    }
}

void interfaces_describe_by(struct interface both[INTERFACES], const char *nic) {
    const struct stack_config *config = &shared->stack.config;
    both[0] = (struct interface){.name = "lo",
                                 .index = LOOPBACK_INDEX,
                                 .flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP,
                                 .mtu = LOOPBACK_MTU,
                                 .hardware = ARPHRD_LOOPBACK,
                                 .inet_count = 1,
                                 .inet[0] = {INADDR_LOOPBACK, 0xff000000, 0, 8, false}};
    both[1] = (struct interface){.index = config->interface_index ? config->interface_index : 2,
                                 .flags = IFF_UP | IFF_BROADCAST | IFF_RUNNING | IFF_MULTICAST | IFF_LOWER_UP,
                                 .mtu = config->mtu,
                                 .hardware = ARPHRD_ETHER};
    describe_inet(&both[1]);
    name_interface(both[1].name, nic);
    memcpy(both[1].mac, config->mac, sizeof both[1].mac);
}

void interfaces_count(enum interface_place place, struct rtnl_link_stats64 *wide,
                      struct rtnl_link_stats *narrow) {
    const struct stack *stack = &shared->stack;
    bool own = place == INTERFACE_OWN;
    const struct ether_counters *counters = own ? &stack->ether : &stack->looped;
    *wide = (struct rtnl_link_stats64){.rx_packets = counters->in_frames,
                                       .rx_bytes = counters->in_bytes,
                                       .multicast = counters->in_multicasts,
                                       .tx_packets = counters->out_frames,
                                       .tx_bytes = counters->out_bytes,
                                       .rx_dropped = own ? stack->mib.IpInDiscards : 0,
                                       .tx_dropped =
                                           own ? stack->mib.IpOutDiscards + stack->mib.Ip6OutDiscards : 0};
    /* The narrow one has the same fields in the same order. */
    const uint64_t *from = (const uint64_t *)wide;
    uint32_t *to = (uint32_t *)narrow;
    for (size_t i = 0; i < sizeof *narrow / sizeof *to; i++)
        to[i] = (uint32_t)from[i];
}
