/* SPDX-License-Identifier: MIT */
/*
 * arp_requests.c - see arp_requests.h. In the order of arp_ioctl of Linux, for what is refused.
 */
#include "shim/library/netinfo/arp_requests.h"
#include "shim/library/calls/credentials.h"
#include "shim/library/netinfo/interfaces.h"
#include "shim/library/user_memory.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/region.h"
#include "stack/ip/ip.h"
#include "stack/link/neighbour.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

bool arp_request(unsigned long request) {
    return request == SIOCGARP || request == SIOCSARP || request == SIOCDARP;
}

static bool is_own(const char name[16]) {
    struct interface all[INTERFACES];
    region_enter();
    interfaces_describe(all);
    region_leave();
    return strncmp(name, all[INTERFACE_OWN].name, IFNAMSIZ) == 0;
}

static int set(struct stack *stack, struct ip_address address, const struct arpreq *asked) {
    struct neighbour *entry = neighbour_lookup(stack, address);
    if (!entry && !(entry = neighbour_create(stack, address)))
        return -ENOMEM;
    neighbour_learn(stack, entry, (const uint8_t *)asked->arp_ha.sa_data, NEIGHBOUR_REACHABLE);
    return 0;
}

static int get(struct stack *stack, struct ip_address address, struct arpreq *asked) {
    struct interface all[INTERFACES];
    const struct neighbour *entry = neighbour_lookup(stack, address);
    if (!entry)
        return -ENXIO;
    bool known = entry->state != NEIGHBOUR_INCOMPLETE;
    interfaces_describe(all);
    asked->arp_flags = known ? ATF_COM : 0;
    asked->arp_ha = (struct sockaddr){.sa_family = ARPHRD_ETHER};
    if (known)
        memcpy(asked->arp_ha.sa_data, entry->mac, sizeof entry->mac);
    memcpy(asked->arp_dev, all[INTERFACE_OWN].name, sizeof asked->arp_dev);
    return 0;
}

static int drop(struct stack *stack, struct ip_address address) {
    struct neighbour *entry = neighbour_lookup(stack, address);
    if (!entry)
        return -ENXIO;
    neighbour_drop(stack, entry);
    return 0;
}

static int answer(unsigned long request, struct ip_address address, struct arpreq *asked) {
    int result = shared->broken ? -ENETDOWN : ip_reachable(&shared->stack, address);
    if (result)
        return result;
    if (request == SIOCGARP)
        return get(&shared->stack, address, asked);
    return request == SIOCSARP ? set(&shared->stack, address, asked) : drop(&shared->stack, address);
}

int arp_request_answer(int fd, unsigned long request, void *argument) {
    struct arpreq asked;
    struct sockaddr_in name;
    if (user_read(&asked, argument, sizeof asked))
        return -EFAULT;
    if (asked.arp_dev[0] && !is_own(asked.arp_dev))
        return LIBC(ioctl)(fd, request, argument) < 0 ? -errno : 0;
    memcpy(&name, &asked.arp_pa, sizeof name);
    if (request != SIOCGARP && !credentials_have(CAP_NET_ADMIN))
        return -EPERM;
    if (name.sin_family != AF_INET)
        return -EPFNOSUPPORT;
    if (!(asked.arp_flags & ATF_PUBL) && asked.arp_flags & (ATF_NETMASK | ATF_DONTPUB))
        return -EINVAL;
    if (request == SIOCGARP && !asked.arp_dev[0])
        return -ENODEV;
    if (request == SIOCSARP && asked.arp_flags & (ATF_PUBL | ATF_PERM))
        return -EPERM;
    if (asked.arp_ha.sa_family && asked.arp_ha.sa_family != ARPHRD_ETHER && request != SIOCGARP)
        return -EINVAL;
    region_enter();
    int result = answer(request, ip_from_v4(ntohl(name.sin_addr.s_addr)), &asked);
    region_leave();
    if (result || request != SIOCGARP)
        return result;
    return user_write(argument, &asked, sizeof asked) ? -EFAULT : 0;
}
