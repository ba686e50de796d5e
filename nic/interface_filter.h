/* SPDX-License-Identifier: MIT */
/*
 * interface_filter.h - which frames of an interface are the stack's, as a program for the kernel.
 */
#ifndef NIC_INTERFACE_FILTER_H
#define NIC_INTERFACE_FILTER_H

#include "nic/nic.h"
#include <pcap/pcap.h>

/* Compiles a filter that passes what is for the address `mac` or for everybody, and comes neither from there nor
 * from the interface's own address `kernel`; to be freed with pcap_freecode. It is meant for both directions: what
 * leaves by the interface may come from another stack on it, whose frames nobody would send back to us. */
bool interface_filter(const uint8_t mac[6], const uint8_t kernel[6], struct bpf_program *program);

#endif
