/* SPDX-License-Identifier: MIT */
/*
 * lan_segment.h - a model of a local network, sans-I/O, in whatever time the caller has: a hub, whose
 * stations share one medium half duplex (CSMA/CD, IEEE 802.3 clause 4), or a learning switch (802.1D), which
 * stores and forwards between ports of full duplex.
 */
#ifndef NIC_LAN_SEGMENT_H
#define NIC_LAN_SEGMENT_H

#include "nic/lan_wire.h"

#define LAN_PORTS_MAX 64
#define LAN_QUEUE_MAX 64u                 /* frames of a port */
#define LAN_TABLE_MAX 1024u               /* addresses that a switch knows */
#define LAN_AGE_NS UINT64_C(300000000000) /* ... so long after they were seen */
#define LAN_ATTEMPTS_MAX 16u              /* collisions of a frame, and it is given up */
#define LAN_SLOT_BITS 512u                /* that a backoff is counted in */
#define LAN_JAM_BITS 32u
#define LAN_NEVER UINT64_MAX

struct lan_config {
    bool is_switch;
    uint64_t rate;           /* bits a second */
    uint64_t propagation_ns; /* from any station to any other */
    double bit_errors;       /* a bit is wrong with this probability, on each cable */
    uint64_t seed;
};

/* Of a port. */
struct lan_counters {
    uint64_t sent, received; /* frames */
    uint64_t collisions;     /* that a frame of its own was in */
    uint64_t deferred;       /* it found the medium busy */
    uint64_t given_up;       /* after LAN_ATTEMPTS_MAX collisions */
    uint64_t dropped;        /* a queue of the switch's was full */
    uint64_t damaged;        /* frames of its own that had a bit changed */
    uint64_t bad_fcs;        /* that the switch found, and dropped */
};

struct lan;

/* NULL: no memory. */
struct lan *lan_create(const struct lan_config *config);
void lan_destroy(struct lan *lan);

/* A station comes and goes. Returns its port, or -1: there is none left. */
int lan_join(struct lan *lan);
void lan_leave(struct lan *lan, int port);
bool lan_port_used(const struct lan *lan, int port);

/* A station wants to send; `wire` is copied. False: it has LAN_QUEUE_MAX frames waiting. */
bool lan_put(struct lan *lan, int port, uint64_t now_ns, const uint8_t *wire, uint32_t length);
bool lan_has_room(const struct lan *lan, int port);

/* The next that has arrived by now: fills wire (LAN_WIRE_MAX) and length, and returns whose port it arrived
 * at, or -1. */
int lan_get(struct lan *lan, uint64_t now_ns, uint8_t *wire, uint32_t *length);

/* When lan_get is due next; LAN_NEVER: nothing is under way. */
uint64_t lan_next(const struct lan *lan);

const struct lan_counters *lan_counters(const struct lan *lan, int port);

/* What a switch has learned: the index-th address and its port. False: there is none. */
bool lan_learned(const struct lan *lan, uint32_t index, uint64_t now_ns, uint8_t mac[6], int *port);

#endif
