/* SPDX-License-Identifier: MIT */
/*
 * interface.c - see interface.h.
 */
#include "nic/interface.h"
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

bool interface_facts(const char *interface, struct nic_facts *facts, char *error) {
    struct ifreq request = {0};
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool known = false;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
    if (strlen(interface) >= IF_NAMESIZE || probe < 0 || ioctl(probe, SIOCGIFFLAGS, &request) < 0) {
        snprintf(error, NIC_ERROR_BYTES, "no interface '%s' here; 'ip link' lists those there are",
                 interface);
    } else if (request.ifr_flags & IFF_LOOPBACK) {
        snprintf(error, NIC_ERROR_BYTES,
                 "interface '%s' is this host's loopback, which leads nowhere; 'ip link' lists others, and "
                 "without --nic "
                 "passt is taken",
                 interface);
    } else if (!(request.ifr_flags & IFF_UP)) {
        snprintf(error, NIC_ERROR_BYTES, "interface '%s' is down; 'ip link set %s up' brings it up",
                 interface, interface);
    } else if (ioctl(probe, SIOCGIFMTU, &request) < 0) {
        snprintf(error, NIC_ERROR_BYTES, "can't read the MTU of interface '%s': %s", interface,
                 strerror(errno));
    } else {
        facts->mtu = (uint32_t)request.ifr_mtu; /* before the union's next use */
        known = ioctl(probe, SIOCGIFHWADDR, &request) == 0;
        memcpy(facts->mac, request.ifr_hwaddr.sa_data, 6);
        uint16_t family = request.ifr_hwaddr.sa_family;
        facts->index = known && ioctl(probe, SIOCGIFINDEX, &request) == 0 ? (unsigned)request.ifr_ifindex : 0;
        bool ethernet = known && family == ARPHRD_ETHER;
        if (!known)
            snprintf(error, NIC_ERROR_BYTES, "can't read the address of interface '%s': %s", interface,
                     strerror(errno));
        else if (!ethernet)
            snprintf(error, NIC_ERROR_BYTES,
                     "interface '%s' does not carry Ethernet frames; 'barewire doctor' lists those that do",
                     interface);
        known = ethernet;
    }
    if (probe >= 0)
        close(probe);
    return known;
}
