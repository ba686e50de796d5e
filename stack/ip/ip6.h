/* SPDX-License-Identifier: MIT */
/*
 * ip6.h - IPv6 (RFC 8200): what comes in, what goes out.
 *
 * Theory of operation. All that the stack knows of its IPv6 network lies in struct ip6: its addresses
 * (ip6_addresses.h), its routes, of which routers tell (ip6_route.h, nd_router.h), and what routers say of
 * the link. Its parts have no timers of their own: each says when it is due next, and ip6_wake lets one timer
 * ring for the earliest.
 *
 *     in    ip6_input -> ip6_extensions_input -> (ip6_reassemble) -> icmp6_input | udp_input | tcp_input
 *     out   ip6_output -> (ip6_output_fragments) -> ip6_route_lookup -> neighbour_output
 */
#ifndef STACK_IP_IP6_H
#define STACK_IP_IP6_H

#include "stack/base/timer.h"
#include "stack/dhcp/dhcp6.h"
#include "stack/ip/ip.h"
#include "stack/ip/ip6_addresses.h"
#include "stack/ip/ip6_anycast.h"
#include "stack/ip/ip6_extension.h"
#include "stack/ip/ip6_label.h"
#include "stack/ip/ip6_route.h"
#include "stack/ip/ip6_source.h"
#include "stack/ip/ip_address.h"
#include "stack/ip/mld.h"
#include "stack/ip/nd_router.h"
#include "stack/link/frame.h"

#define IP6_MORE_MAX 4u
#define IP6_MTU_MIN 1280u /* RFC 8200 section 5: every link carries so much */

struct stack;

struct ip6_config {
    bool on;       /* without it the stack neither sends nor hears IPv6 */
    bool at_once;  /* addresses are used while it is checked whether somebody has them, as ARP's are: the host
                      lives as long as a program, which does not wait for a second (else RFC 4862, 4429) */
    bool autoconf; /* routers are asked, and give addresses and routes */
    struct ip_address address; /* "::": none but those of autoconf and the link-local one */
    uint8_t prefix_length;     /* of `address` */
    uint8_t more_count;
    struct ip6_own {
        struct ip_address address;
        uint8_t prefix_length;
    } more[IP6_MORE_MAX];      /* beside `address` */
    struct ip_address gateway; /* "::": none but those of autoconf */
};

struct ip6 {
    bool on;
    uint64_t begun_ns; /* when the first addresses were taken */
    bool begins;       /* with the first look at the clock: tunables may be set before */
    struct timer timer;
    uint64_t key[2];        /* of addresses (RFC 7217) and flow labels */
    uint16_t mtu;           /* of the link, as a router has it; 0: as the NIC has it */
    uint8_t hop_limit;      /* as a router has it; 0: none said so */
    uint64_t reachable_ns;  /* base of how long a neighbour counts as reachable */
    uint64_t retransmit_ns; /* between two questions to a neighbour */
    struct ip6_addresses addresses;
    struct ip6_routes routes;
    struct ip6_labels labels;
    struct ip6_anycast anycast;
    struct nd_router router;
    struct mld mld;
    struct dhcp6 dhcp6;
};

/* Sets IPv6 up, as stack->config.ip6 says: with `on` it takes a link-local address and asks for routers, as
 * soon as time passes. */
void ip6_init(struct stack *stack);

/* Takes the addresses now, rather than when time passes: tunables are set. */
void ip6_begin(struct stack *stack);

/* After a death in the middle of a change (repair.h): what was being changed begins anew, but for what the
 * user said. */
void ip6_repair(struct stack *stack);

/* Something is due earlier than it was: sets the timer anew. */
void ip6_wake(struct stack *stack);
void ip6_timer(struct stack *stack);

/* Handles a received packet in a chain that begins at the IPv6 header; takes the chain. */
void ip6_input(struct stack *stack, struct buffer *chain, unsigned flags);

/* Sends the frame of frame_begin, which has its transport header at FRAME_TRANSPORT_AT and its payload, as
 * ip_output. Returns 0, -ENETUNREACH, -EMSGSIZE or -ENOBUFS; the frame is used up in each case. */
int ip6_output(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters);

/* Sends a frame that has its IPv6 header already. */
int ip6_output_whole(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters);

/* Puts IPv6's header, and `extensions` bytes at `from` that stand between it and the transport header, in
 * front of a frame's transport header, which is at FRAME_TRANSPORT_AT. `protocol`: what the IPv6 header names
 * next. The caller has seen that there is room. */
void ip6_write_header(struct frame *frame, const struct ip_parameters *parameters, uint8_t protocol,
                      const uint8_t *from, uint32_t extensions);

/* An address of the stack's own that may be used: not one that is still being checked. */
bool ip6_is_local(const struct stack *stack, struct ip_address address);

/* Whether routers have been asked a moment ago, or a server for our address, and have not answered so far: there
 * may be a way soon. */
bool ip6_is_asking(const struct stack *stack);

/* Whether there is a way to a destination, and something to send from: 0 or -ENETUNREACH. */
int ip6_reachable(const struct stack *stack, struct ip_address destination);

/* The largest packet on the link; and the hop limit of packets for which nobody said one. */
uint32_t ip6_link_mtu(const struct stack *stack);
uint8_t ip6_hop_limit(const struct stack *stack);

/* The label of a flow, so that routers may take one way for all of it, as Linux's ip6_make_flowlabel; 0: no
 * labels are wanted (auto_flowlabels). `ports` may be anything that tells flows apart. */
uint32_t ip6_flow_label(const struct stack *stack, struct ip_address source, struct ip_address destination,
                        uint8_t protocol, uint32_t ports);

/* An upper layer heard from a destination: its next hop works. */
void ip6_confirm(struct stack *stack, struct ip_address destination);

/* The MAC address of a group (RFC 2464 section 7). */
void ip6_group_mac(struct ip_address group, uint8_t mac[6]);

/* ff02::1, ff02::2. */
extern const struct ip_address IP6_ALL_NODES, IP6_ALL_ROUTERS;

#endif
