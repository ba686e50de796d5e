/* SPDX-License-Identifier: MIT */
/*
 * interface_filter.c - see interface_filter.h.
 */
#include "nic/interface_filter.h"
#include <stdio.h>

#define MAC "%02x:%02x:%02x:%02x:%02x:%02x"
#define BYTES_OF(mac) (mac)[0], (mac)[1], (mac)[2], (mac)[3], (mac)[4], (mac)[5]

bool interface_filter(const uint8_t mac[6], const uint8_t kernel[6], struct bpf_program *program) {
    char filter[256];
    /* By addresses, not by "inbound": libpcap also runs the filter itself, on the first frames, and can't tell
     * the direction there. */
    snprintf(filter, sizeof filter,
             "(ether dst " MAC " or ether broadcast or ether multicast) and (ip or ip6 or arp) and "
             "not ether src " MAC " and not ether src " MAC,
             BYTES_OF(mac), BYTES_OF(mac), BYTES_OF(kernel));
    /* Compiled for whole frames, however long: what a filter lets through is cut to the length that it was
     * compiled for. */
    pcap_t *compiler = pcap_open_dead(DLT_EN10MB, NIC_FRAME_MAX);
    int result = compiler ? pcap_compile(compiler, program, filter, 1, PCAP_NETMASK_UNKNOWN) : -1;
    if (compiler)
        pcap_close(compiler);
    return result == 0;
}
