/* SPDX-License-Identifier: MIT */
/*
 * interface.h - what there is to tell of interfaces: the kernel's lo, whose 127.0.0.0/8 programs may use, and the
 * stack's own, by the name of the NIC, with the stack's addresses.
 */
#ifndef SHIM_REGION_INTERFACE_H
#define SHIM_REGION_INTERFACE_H

#include "stack/ip/ip4_addresses.h"
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define INTERFACE_QUEUE_LENGTH 1000
#define LOOPBACK_INDEX 1
#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000 /* <linux/if.h>, which does not go with <net/if.h> */
#endif

enum interface_place {
    INTERFACE_LOOPBACK,
    INTERFACE_OWN,
    INTERFACES,
};

struct interface {
    char name[IFNAMSIZ];
    unsigned index, flags;
    int mtu;
    uint16_t hardware; /* ARPHRD_* */
    uint8_t mac[6];
    uint32_t inet_count;
    struct interface_inet {
        uint32_t address, mask, broadcast; /* host order; broadcast 0: none */
        uint8_t prefix_length;
        bool secondary;
    } inet[IP4_ADDRESSES_MAX]; /* in the kernel's order */
    bool inet6;                /* of the loopback interface: it has ::1 */
};

/* `nic` as in --nic: pcap:eth0 is called eth0. The lock is held; whether ::1 is there is the caller's to add. */
void interfaces_describe_by(struct interface all[INTERFACES], const char *nic);

struct rtnl_link_stats;
struct rtnl_link_stats64;

/* Frames and bytes in and out of one of them, in both widths (<linux/if_link.h>). The lock is held. */
void interfaces_count(enum interface_place place, struct rtnl_link_stats64 *wide,
                      struct rtnl_link_stats *narrow);

#endif
