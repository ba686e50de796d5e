/* SPDX-License-Identifier: MIT */
/*
 * address_gaps.h - gaps between what is mapped.
 */
#ifndef SHIM_LIBRARY_SYSCALLS_ADDRESS_GAPS_H
#define SHIM_LIBRARY_SYSCALLS_ADDRESS_GAPS_H

#include <stdint.h>

/* Reserves the gaps between the mappings from one address on and below another: nothing will be mapped there. */
void address_gaps_reserve(uintptr_t from, uintptr_t to);

#endif
