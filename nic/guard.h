/* SPDX-License-Identifier: MIT */
/*
 * guard.h - a NIC that sends only what a host of one MAC and its own addresses of IPv4 and IPv6 may
 * send: no router's messages, and nothing of neighbours but of itself.
 *
 * For a process that opened the NIC with a right that its user has not: whatever this user makes of the
 * memory that frames come from, none leaves in another host's name.
 */
#ifndef NIC_GUARD_H
#define NIC_GUARD_H

#include "nic/nic.h"

/* Puts a guard before a NIC. Until guard_allow is called the source may be 0.0.0.0 alone, as DHCP has it. The
 * MAC is that of nic_set_address. On failure gives NULL. */
struct nic *nic_guard(struct nic *inner);

#define GUARD_ADDRESSES_MAX 4u

/* An address of its own, in host order, beside those that were told before. */
void guard_allow(struct nic *guard, uint32_t address);

/* Who says what the only address is now, 0: none, when a frame has another one. One thread asks at a time. */
void guard_ask(struct nic *guard, uint32_t (*address)(void));

#define GUARD_ASK_NS UINT64_C(1000000000)

/* Who says whether an address of IPv6 is one of its own, of those that were not asked for within GUARD_ASK_NS: a host
 * may get an address that was the stack's, and the stack lose one. One thread asks at a time. */
void guard_ask6(struct nic *guard, bool (*is_own)(const uint8_t address[16]), uint64_t (*now_ns)(void));

/* Whether a frame of IPv6 that begins with these bytes may leave. */
typedef bool guard_is_own(void *context, const uint8_t address[16]);
bool guard_lets6(const uint8_t *start, size_t length, const uint8_t mac[6], guard_is_own *own, void *context);

#endif
