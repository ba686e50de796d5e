/* SPDX-License-Identifier: MIT */
/*
 * loopback.h - 127.0.0.0/8 and ::1, which are the kernel's: but a server that listens at any address listens
 * there, too.
 */
#ifndef SHIM_LIBRARY_FD_LOOPBACK_H
#define SHIM_LIBRARY_FD_LOOPBACK_H

#include "stack/ip/ip_address.h"
#include <stdbool.h>
#include <stdint.h>

/* Whether a stream to an address of these goes to a listener of the stack's: one at any address has the
 * port, and nobody of the kernel's listens at the very address. The lock is not held. */
bool loopback_listens(struct ip_address host, uint16_t port);

#endif
