/* SPDX-License-Identifier: MIT */
/*
 * interface.h - what the kinds that use an interface of the kernel's share.
 */
#ifndef NIC_INTERFACE_H
#define NIC_INTERFACE_H

#include "nic/nic.h"

/* What is known of an interface by its name, which has to be up. On failure gives false and a line for the
 * user in error (NIC_ERROR_BYTES). */
bool interface_facts(const char *interface, struct nic_facts *facts, char *error);

#endif
