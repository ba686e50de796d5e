/* SPDX-License-Identifier: MIT */
/*
 * interface.h - what the kinds that use an interface of the kernel's share.
 */
#ifndef NIC_INTERFACE_H
#define NIC_INTERFACE_H

#include "nic/nic.h"
#include <pcap/pcap.h>

/* What is known of an interface by its name, which has to be up. On failure gives false and a line for the
 * user in error (NIC_ERROR_BYTES). */
bool interface_facts(const char *interface, struct nic_facts *facts, char *error);

/* Compiles a filter that passes what is for the address `mac` or for everybody, and comes neither from there nor
 * from the interface's own address `kernel`; to be freed with pcap_freecode. It is meant for both directions: what
 * leaves by the interface may come from another stack on it, whose frames nobody would send back to us. */
bool interface_filter(const uint8_t mac[6], const uint8_t kernel[6], struct bpf_program *program);

#endif
