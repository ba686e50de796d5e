/* SPDX-License-Identifier: MIT */
/*
 * getifaddrs.c - getifaddrs(3), if_nameindex, and netdevice(7)'s ioctls; see interfaces.h.
 */
#include "shim/library/calls/call.h"
#include "shim/library/netinfo/interfaces.h"
#include "shim/library/process/netns.h"
#include "shim/library/user_memory.h"
#include <assert.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

void interfaces_describe(struct interface all[INTERFACES]) {
    interfaces_describe_by(all, attached() ? shared->nic : attach_config.nic);
}

bool interfaces_have_loopback6(void) {
    const struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (attach_has_inet6())
        return true;
    int fd = LIBC(socket)(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool there = fd >= 0 && LIBC(bind)(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;
    if (fd >= 0)
        LIBC(close)(fd);
    return there;
}

/* False: there is no stack, and the kernel is to answer. */
static bool ask_kernel(struct interface both[INTERFACES]) {
    if (!attach_is_wanted() || netns_away() || !call_join())
        return false;
    region_enter();
    interfaces_describe(both);
    region_leave();
    return true;
}

static struct sockaddr_in inet(uint32_t host) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
}

#define FOUR_MAX (1 + IP4_ADDRESSES_MAX) /* 127.0.0.1, and the stack's own */
#define SIX_MAX (1 + IP6_ADDRESSES_MAX)  /* ::1, and the stack's own */

/* One allocation that begins with the list: that is the pointer which freeifaddrs of glibc gives to free(3). */
struct told {
    struct ifaddrs entries[INTERFACES + FOUR_MAX + SIX_MAX];
    int count;
    struct sockaddr_in6 addresses6[SIX_MAX], masks6[SIX_MAX];
    struct sockaddr_ll links[INTERFACES], link_broadcasts[INTERFACES];
    struct sockaddr_in addresses[FOUR_MAX], masks[FOUR_MAX], broadcasts[FOUR_MAX];
    int fours, sixes;
    struct interface interfaces[INTERFACES];
    struct rtnl_link_stats counts[INTERFACES];
};

static_assert(offsetof(struct told, entries) == 0, "freeifaddrs");

static void tell_link(struct told *told, int index) {
    const struct interface *interface = &told->interfaces[index];
    bool loopback = interface->flags & IFF_LOOPBACK;
    struct sockaddr_ll hardware = {.sll_family = AF_PACKET,
                                   .sll_ifindex = (int)interface->index,
                                   .sll_hatype = interface->hardware,
                                   .sll_halen = 6};
    memcpy(hardware.sll_addr, interface->mac, 6);
    told->links[index] = told->link_broadcasts[index] = hardware;
    memset(told->link_broadcasts[index].sll_addr, loopback ? 0 : 0xff, 6);
    told->entries[told->count++] =
        (struct ifaddrs){.ifa_name = told->interfaces[index].name,
                         .ifa_flags = interface->flags,
                         .ifa_addr = (struct sockaddr *)&told->links[index],
                         .ifa_broadaddr = (struct sockaddr *)&told->link_broadcasts[index],
                         .ifa_data = &told->counts[index]};
}

static void tell_fours(struct told *told, int index) {
    struct interface *interface = &told->interfaces[index];
    bool loopback = interface->flags & IFF_LOOPBACK;
    for (uint32_t i = 0; i < interface->inet_count; i++) {
        const struct interface_inet *own = &interface->inet[i];
        int place = told->fours++;
        told->addresses[place] = inet(own->address);
        told->masks[place] = inet(own->mask);
        told->broadcasts[place] = inet(loopback ? own->address : own->broadcast);
        told->entries[told->count++] =
            (struct ifaddrs){.ifa_name = interface->name,
                             .ifa_flags = interface->flags,
                             .ifa_addr = (struct sockaddr *)&told->addresses[place],
                             .ifa_netmask = (struct sockaddr *)&told->masks[place],
                             .ifa_broadaddr = (struct sockaddr *)&told->broadcasts[place]};
    }
}

static void tell_six(struct told *told, int index, struct ip_address address, unsigned prefix_length) {
    struct interface *interface = &told->interfaces[index];
    int place = told->sixes++;
    struct sockaddr_in6 *six = &told->addresses6[place], *mask = &told->masks6[place];
    *six = (struct sockaddr_in6){.sin6_family = AF_INET6};
    *mask = *six;
    memcpy(&six->sin6_addr, address.bytes, sizeof six->sin6_addr);
    six->sin6_scope_id = address_scope(address);
    for (unsigned bit = 0; bit < prefix_length; bit++)
        mask->sin6_addr.s6_addr[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    told->entries[told->count++] = (struct ifaddrs){.ifa_name = interface->name,
                                                    .ifa_flags = interface->flags,
                                                    .ifa_addr = (struct sockaddr *)six,
                                                    .ifa_netmask = (struct sockaddr *)mask};
}

/* The lock is held. */
static void tell_sixes(struct told *told) {
    static const struct ip_address loopback = {{{[15] = 1}}};
    const struct ip6_addresses *addresses = &shared->stack.ip6.addresses;
    if (told->interfaces[INTERFACE_LOOPBACK].inet6)
        tell_six(told, INTERFACE_LOOPBACK, loopback, IP_ADDRESS_BITS);
    for (uint32_t i = 0; i < addresses->count && i < IP6_ADDRESSES_MAX; i++)
        tell_six(told, INTERFACE_OWN, addresses->entries[i].address, addresses->entries[i].prefix_length);
}

EXPORT int getifaddrs(struct ifaddrs **list) {
    CALL_BEGINS;
    struct interface both[INTERFACES];
    if (!ask_kernel(both))
        return LIBC(getifaddrs)(list);
    call_await_routers((struct ip_address){0});
    both[INTERFACE_LOOPBACK].inet6 = interfaces_have_loopback6();
    struct told *told = calloc(1, sizeof *told);
    if (!told)
        return (int)call_result(-ENOMEM);
    memcpy(told->interfaces, both, sizeof both);
    for (int i = 0; i < INTERFACES; i++)
        tell_link(told, i);
    for (int i = 0; i < INTERFACES; i++)
        tell_fours(told, i);
    region_enter();
    for (int i = 0; i < INTERFACES; i++) {
        struct rtnl_link_stats64 wide;
        interfaces_count((enum interface_place)i, &wide, &told->counts[i]);
    }
    tell_sixes(told);
    region_leave();
    for (int i = 0; i + 1 < told->count; i++)
        told->entries[i].ifa_next = &told->entries[i + 1];
    *list = told->entries;
    return 0;
}

EXPORT struct if_nameindex *if_nameindex(void) {
    struct interface both[INTERFACES];
    if (!ask_kernel(both))
        return LIBC(if_nameindex)();
    struct if_nameindex *list = calloc(3, sizeof *list);
    for (int i = 0; list && i < 2; i++) {
        list[i].if_index = both[i].index;
        list[i].if_name = strdup(both[i].name);
    }
    return list;
}

EXPORT unsigned if_nametoindex(const char *name) {
    struct interface both[INTERFACES];
    if (!ask_kernel(both))
        return LIBC(if_nametoindex)(name);
    for (int i = 0; i < 2; i++)
        if (strcmp(both[i].name, name) == 0)
            return both[i].index;
    return LIBC(if_nametoindex)(name); /* one of the kernel's own: a tun that the program has made */
}

EXPORT char *if_indextoname(unsigned index, char name[IF_NAMESIZE]) {
    struct interface both[INTERFACES];
    if (!ask_kernel(both))
        return LIBC(if_indextoname)(index, name);
    for (int i = 0; i < 2; i++)
        if (both[i].index == index)
            return strcpy(name, both[i].name);
    return LIBC(if_indextoname)(index, name);
}

static void put_inet(struct sockaddr *to, uint32_t host) {
    struct sockaddr_in address = inet(host);
    memcpy(to, &address, sizeof address);
}

/* SIOCGIFCONF, an entry an address; the list's room is the program's. */
static int list_interfaces(const struct interface both[INTERFACES], struct ifconf *list) {
    int used = 0;
    for (int i = 0; i < INTERFACES; i++)
        for (uint32_t j = 0; j < both[i].inet_count; j++) {
            struct ifreq entry = {0};
            if (list->ifc_buf && list->ifc_len - used < (int)sizeof entry)
                break;
            memcpy(entry.ifr_name, both[i].name, IFNAMSIZ);
            put_inet(&entry.ifr_addr, both[i].inet[j].address);
            if (list->ifc_buf && user_write(list->ifc_buf + used, &entry, sizeof entry))
                return -EFAULT;
            used += (int)sizeof entry;
        }
    list->ifc_len = used;
    return 0;
}

static int find(const struct interface both[INTERFACES], const char *name) {
    for (int i = 0; i < 2; i++)
        if (strncmp(both[i].name, name, IFNAMSIZ) == 0)
            return i;
    return -ENODEV;
}

bool interface_request(unsigned long request) {
    switch (request) {
    case SIOCGIFCONF:
    case SIOCGIFNAME:
    case SIOCGIFADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFBRDADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFFLAGS:
    case SIOCGIFMTU:
    case SIOCGIFMETRIC:
    case SIOCGIFINDEX:
    case SIOCGIFHWADDR:
    case SIOCGIFTXQLEN:
        return true;
    default:
        return false;
    }
}

static bool is_own(const char *name) {
    struct interface both[INTERFACES];
    region_enter();
    interfaces_describe(both);
    region_leave();
    return strncmp(name, both[INTERFACE_OWN].name, IFNAMSIZ) == 0;
}

/* A socket of ours takes no such request: the kernel's object under it does, for an interface of the kernel's
 * own. */
static enum interface_owner owner_of(const char *name) {
    return is_own(name) ? INTERFACE_STACKS : INTERFACE_KERNELS;
}

enum interface_owner interface_change(unsigned long request, const void *argument) {
    union {
        struct ifreq interface;
        struct rtentry route;
    } request_of;
    char name[IFNAMSIZ] = "";
    switch (request) {
    case SIOCSIFADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFBRDADDR:
    case SIOCSIFDSTADDR:
    case SIOCSIFFLAGS:
    case SIOCSIFMTU:
    case SIOCSIFMETRIC:
    case SIOCSIFHWADDR:
    case SIOCSIFHWBROADCAST:
    case SIOCSIFNAME:
    case SIOCSIFTXQLEN:
        if (user_read(&request_of.interface, argument, sizeof request_of.interface))
            return INTERFACE_KERNELS; /* which says EFAULT */
        return owner_of(request_of.interface.ifr_name);
    case SIOCADDRT:
    case SIOCDELRT:
        if (user_read(&request_of.route, argument, sizeof request_of.route))
            return INTERFACE_KERNELS;
        if (!request_of.route.rt_dev)
            return INTERFACE_STACKS;
        return user_read(name, request_of.route.rt_dev, IFNAMSIZ - 1) ? INTERFACE_KERNELS : owner_of(name);
    default:
        return INTERFACE_NOBODYS;
    }
}

/* The address of an interface that a request is about: that which it has (devinet_ioctl's tryaddrmatch), or the first. */
static const struct interface_inet *address_asked_for(const struct interface *interface,
                                                      const struct ifreq *ask_for) {
    struct sockaddr_in wanted;
    memcpy(&wanted, &ask_for->ifr_addr, sizeof wanted);
    for (uint32_t i = 0; i < interface->inet_count && wanted.sin_family == AF_INET; i++)
        if (interface->inet[i].address == ntohl(wanted.sin_addr.s_addr))
            return &interface->inet[i];
    return &interface->inet[0];
}

/* What an interface is, in a copy of the program's request. Returns 0; a negative errno; or 1: it is one of
 * the kernel's own. */
static int answer(const struct interface both[INTERFACES], unsigned long request, struct ifreq *ask_for) {
    if (request == SIOCGIFNAME) {
        for (int i = 0; i < 2; i++)
            if ((int)both[i].index == ask_for->ifr_ifindex) {
                memcpy(ask_for->ifr_name, both[i].name, IFNAMSIZ);
                return 0;
            }
        return 1;
    }
    int which = find(both, ask_for->ifr_name);
    if (which < 0)
        return 1;
    const struct interface *interface = &both[which];
    bool of_address = request == SIOCGIFADDR || request == SIOCGIFNETMASK || request == SIOCGIFBRDADDR ||
                      request == SIOCGIFDSTADDR;
    const struct interface_inet *own = address_asked_for(interface, ask_for);
    if (of_address && !interface->inet_count)
        return -EADDRNOTAVAIL;
    switch (request) {
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
        put_inet(&ask_for->ifr_addr, own->address);
        break;
    case SIOCGIFNETMASK:
        put_inet(&ask_for->ifr_netmask, own->mask);
        break;
    case SIOCGIFBRDADDR:
        put_inet(&ask_for->ifr_broadaddr, own->broadcast);
        break;
    case SIOCGIFFLAGS:
        ask_for->ifr_flags = (short)interface->flags;
        break;
    case SIOCGIFMTU:
        ask_for->ifr_mtu = interface->mtu;
        break;
    case SIOCGIFMETRIC:
        ask_for->ifr_metric = 0;
        break;
    case SIOCGIFINDEX:
        ask_for->ifr_ifindex = (int)interface->index;
        break;
    case SIOCGIFHWADDR:
        memset(&ask_for->ifr_hwaddr, 0, sizeof ask_for->ifr_hwaddr);
        ask_for->ifr_hwaddr.sa_family = interface->hardware;
        memcpy(ask_for->ifr_hwaddr.sa_data, interface->mac, 6);
        break;
    default:
        ask_for->ifr_qlen = INTERFACE_QUEUE_LENGTH;
        break;
    }
    return 0;
}

int interface_ask(int fd, unsigned long request, void *argument) {
    struct interface both[INTERFACES];
    struct ifconf list;
    struct ifreq ask_for;
    bool lists = request == SIOCGIFCONF;
    void *copy = lists ? (void *)&list : (void *)&ask_for;
    size_t bytes = lists ? sizeof list : sizeof ask_for;
    if (user_read(copy, argument, bytes))
        return -EFAULT;
    region_enter();
    interfaces_describe(both);
    region_leave();
    int result = lists ? list_interfaces(both, &list) : answer(both, request, &ask_for);
    if (result > 0)
        return LIBC(ioctl)(fd, request, argument) < 0 ? -errno : 0;
    return !result && user_write(argument, copy, bytes) ? -EFAULT : result;
}
