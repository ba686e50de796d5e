/* SPDX-License-Identifier: MIT */
/*
 * interfaces.h - what a program is told of interfaces: the kernel's lo, whose 127.0.0.0/8 it may use, and the
 * stack's own, by the name of the NIC, with the stack's addresses.
 */
#ifndef SHIM_LIBRARY_NETINFO_INTERFACES_H
#define SHIM_LIBRARY_NETINFO_INTERFACES_H

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
    uint8_t prefix_length;
    uint32_t address, mask, broadcast; /* host order; 0: none */
    bool inet6;                        /* of the loopback interface: it has ::1 */
};

/* Whether ::1 is there: the stack's, or the kernel's where the stack has no IPv6. The lock is not held. */
bool interfaces_have_loopback6(void);

/* The lock is held; whether ::1 is there is the caller's to add. */
void interfaces_describe(struct interface all[INTERFACES]);

struct rtnl_link_stats;
struct rtnl_link_stats64;

/* Packets in and out of one of them, in both widths (<linux/if_link.h>); the bytes of frames are counted
 * nowhere. The lock is held. */
void interfaces_count(enum interface_place place, struct rtnl_link_stats64 *wide,
                      struct rtnl_link_stats *narrow);

/* ioctl(2)'s questions (netdevice(7)). */
bool interface_request(unsigned long request); /* is it one? */
int interface_ask(int fd, unsigned long request, void *argument);

/* Whose interface, or route, one would change: the stack's own takes no changes. */
enum interface_owner {
    INTERFACE_NOBODYS, /* it is no such request */
    INTERFACE_STACKS,
    INTERFACE_KERNELS,
};
enum interface_owner interface_change(unsigned long request, const void *argument);

#endif
