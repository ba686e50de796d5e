/*
 * packet.h - what the two parts of the packet NIC share.
 */
#ifndef NIC_PACKET_H
#define NIC_PACKET_H

#include "nic.h"
#include <net/if.h>

#define BATCH 64

struct nic_packet {
    struct nic nic;
    char interface[IF_NAMESIZE]; /* empty: it is another process's, shared */
};

int nic_packet_receive(struct nic *nic, struct nic_frame *frames, int count);
int nic_packet_send(struct nic *nic, const struct nic_frame *frames, int count);

#endif
