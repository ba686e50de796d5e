/* SPDX-License-Identifier: MIT */
/*
 * privileges.h - what the keeper may do, and for how long.
 */
#ifndef SHIM_KEEPER_PRIVILEGES_H
#define SHIM_KEEPER_PRIVILEGES_H

#include "nic/nic.h"
#include "shim/region/config.h"

/* What this program was started for. */
enum job {
    JOB_KEEPER,
    JOB_TOOL,   /* needs no rights */
    JOB_LAN,    /* nor does this, a LAN or a router, but root may look at anybody's LAN */
    JOB_DOCTOR, /* says what the rights are */
};

/* The first thing in main(): takes nothing from the environment that could steer a library, and leaves no
 * right that the job does not need. */
void rights_begin(enum job job);

/* Whether the right to open the NIC is the keeper's file's (a file capability), rather than its user's: what
 * this user may do with it is bounded then, and he does not get the NIC itself. */
bool rights_borrowed(void);

/* Whether this program is the one for users who are not in the group that may run the other one, which has
 * the right to open raw interfaces. */
bool rights_group_has(void);

/* Opens the NIC that the environment names and drops all rights that only this needs. `rest`: what goes on
 * behind the NIC's name. With borrowed rights they are gone before anything else of the user's is read. NULL
 * and a line in error. */
struct nic *rights_open_nic(const char *nic, char *error);
void rights_drop(void);

/* With borrowed rights: whether the user may have that MAC address, by himself given or not, and that address
 * of the stack's; says why not in error. Needs no rights itself. */
bool rights_allow(const struct config *config, const uint8_t mac[6], char *error);

/* An address that a DHCP server has given; 0, if the right was borrowed and an interface of this host has it.
 * Works after rights_confine, too. */
uint32_t rights_own(uint32_t address);

/* The same of one of IPv6: whether no interface of this host has it. */
bool rights_own6(const uint8_t address[16]);

/* Once all is open: what the keeper's work never needs is refused to it, in all its threads. */
void rights_confine(void);

#endif
