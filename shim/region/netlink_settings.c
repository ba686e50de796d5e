/* SPDX-License-Identifier: MIT */
/*
 * netlink_settings.c - see netlink_settings.h. What a message holds, and in which order, is the kernel's (ip6addrlbl_fill,
 * inet_netconf_fill_devconf, inet6_netconf_fill_devconf, neightbl_fill_info, neightbl_fill_parms).
 */
#include "shim/region/netlink_settings.h"
#include "shim/region/region.h"
#include "stack/ip/ip6_source.h"
#include <errno.h>
#include <linux/if_addrlabel.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define NS_PER_MS UINT64_C(1000000)
#define GC_INTERVAL_MS 30000
#define PROXY_DELAY_MS 800
#define PROXY_QUEUE 64

static bool is_dump(const struct netlink_answer *answer) {
    return answer->request->nlmsg_flags & NLM_F_DUMP;
}

static uint8_t family_of(const struct netlink_answer *answer) {
    struct rtgenmsg wanted;
    netlink_body(answer->request, &wanted, sizeof wanted);
    return wanted.rtgen_family;
}

static void tell_label(struct netlink_answer *answer, const struct ip6_policy *policy) {
    struct ifaddrlblmsg header = {
        .ifal_family = AF_INET6, .ifal_prefixlen = policy->length, .ifal_seq = IP6_POLICIES_COUNT};
    netlink_begin(answer, RTM_NEWADDRLABEL, &header, sizeof header);
    netlink_put(answer, IFAL_ADDRESS, policy->prefix.bytes, sizeof policy->prefix.bytes);
    netlink_put_u32(answer, IFAL_LABEL, policy->label);
    netlink_end(answer);
}

int netlink_tell_labels(struct netlink_answer *answer) {
    struct ifaddrlblmsg wanted;
    netlink_body(answer->request, &wanted, sizeof wanted);
    if (wanted.ifal_family != AF_INET6 || !shared->stack.config.ip6.on)
        return -EOPNOTSUPP;
    if (is_dump(answer)) {
        for (size_t i = 0; i < IP6_POLICIES_COUNT; i++)
            tell_label(answer, &IP6_POLICIES[i]);
        return 0;
    }
    const void *asked = netlink_attribute(answer->request, sizeof wanted, IFAL_ADDRESS, IP_ADDRESS_BYTES);
    if (wanted.ifal_prefixlen != IP_ADDRESS_BITS || !asked)
        return -EINVAL;
    tell_label(answer, ip6_policy_of(ip_from_bytes(asked)));
    return 0;
}

/* A host's: it passes nothing on. */
static void tell_configuration(struct netlink_answer *answer, uint8_t family, int index) {
    struct netconfmsg header = {.ncm_family = family};
    netlink_begin(answer, RTM_NEWNETCONF, &header, sizeof header);
    netlink_put_u32(answer, NETCONFA_IFINDEX, (uint32_t)index);
    netlink_put_u32(answer, NETCONFA_FORWARDING, 0);
    if (family == AF_INET)
        netlink_put_u32(answer, NETCONFA_RP_FILTER, 0);
    netlink_put_u32(answer, NETCONFA_MC_FORWARDING, 0);
    if (family == AF_INET)
        netlink_put_u32(answer, NETCONFA_BC_FORWARDING, 0);
    netlink_put_u32(answer, NETCONFA_PROXY_NEIGH, 0);
    netlink_put_u32(answer, NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN, 0);
    netlink_end(answer);
}

int netlink_tell_configuration(struct netlink_answer *answer, const struct interface all[INTERFACES]) {
    const int indices[] = {(int)all[INTERFACE_LOOPBACK].index, (int)all[INTERFACE_OWN].index,
                           NETCONFA_IFINDEX_ALL, NETCONFA_IFINDEX_DEFAULT};
    const size_t count = sizeof indices / sizeof *indices;
    uint8_t family = family_of(answer);
    for (int six = 0; six < 2 && is_dump(answer); six++)
        for (size_t i = 0; i < count; i++)
            if (family == (six ? AF_INET6 : AF_INET) || family == AF_UNSPEC)
                tell_configuration(answer, six ? AF_INET6 : AF_INET, indices[i]);
    if (is_dump(answer))
        return 0;
    if (family != AF_INET && family != AF_INET6)
        return -EOPNOTSUPP;
    int index;
    const void *asked =
        netlink_attribute(answer->request, sizeof(struct netconfmsg), NETCONFA_IFINDEX, sizeof index);
    if (!asked)
        return -EINVAL;
    memcpy(&index, asked, sizeof index);
    for (size_t i = 0; i < count; i++) {
        if (indices[i] != index)
            continue;
        tell_configuration(answer, family, index);
        return 0;
    }
    return -ENODEV;
}

static void put_ms(struct netlink_answer *answer, uint16_t type, uint64_t ns) {
    uint64_t ms = ns / NS_PER_MS;
    netlink_put(answer, type, &ms, sizeof ms);
}

/* What is set for an interface, or for those to come (0). */
static void put_parameters(struct netlink_answer *answer, uint8_t family, unsigned interface) {
    const struct ip6 *six = &shared->stack.ip6;
    bool v4 = family == AF_INET;
    bool told = !v4 && interface == shared->stack.config.interface_index; /* what routers say of a link */
    size_t nest = netlink_begin_nest(answer, NDTA_PARMS);
    if (interface)
        netlink_put_u32(answer, NDTPA_IFINDEX, interface);
    netlink_put_u32(answer, NDTPA_REFCNT, 1);
    netlink_put_u32(answer, NDTPA_QUEUE_LENBYTES, NEIGHBOUR_PENDING_BYTES_MAX);
    netlink_put_u32(answer, NDTPA_QUEUE_LEN, NEIGHBOUR_PENDING_MAX);
    netlink_put_u32(answer, NDTPA_PROXY_QLEN, PROXY_QUEUE);
    netlink_put_u32(answer, NDTPA_APP_PROBES, 0);
    netlink_put_u32(answer, NDTPA_UCAST_PROBES, NEIGHBOUR_PROBES_MAX);
    netlink_put_u32(answer, NDTPA_MCAST_PROBES, NEIGHBOUR_PROBES_MAX);
    netlink_put_u32(answer, NDTPA_MCAST_REPROBES, 0);
    put_ms(answer, NDTPA_REACHABLE_TIME, told ? six->reachable_ns : NEIGHBOUR_REACHABLE_NS);
    put_ms(answer, NDTPA_BASE_REACHABLE_TIME, told ? six->reachable_ns : NEIGHBOUR_REACHABLE_NS);
    put_ms(answer, NDTPA_GC_STALETIME, NEIGHBOUR_STALE_KEEP_NS);
    put_ms(answer, NDTPA_DELAY_PROBE_TIME, NEIGHBOUR_DELAY_PROBE_NS);
    put_ms(answer, NDTPA_RETRANS_TIME, told ? six->retransmit_ns : NEIGHBOUR_RETRANSMIT_NS);
    put_ms(answer, NDTPA_ANYCAST_DELAY, 1000 * NS_PER_MS);
    put_ms(answer, NDTPA_PROXY_DELAY, PROXY_DELAY_MS * NS_PER_MS);
    put_ms(answer, NDTPA_LOCKTIME, v4 ? NEIGHBOUR_LOCK_NS : 0);
    netlink_end_nest(answer, nest);
}

/* The table as a whole, with what is set for interfaces to come; or an interface's part of it. */
static void tell_table(struct netlink_answer *answer, uint8_t family, unsigned interface) {
    const struct neighbours *table = &shared->stack.neighbours;
    struct ndtmsg header = {.ndtm_family = family};
    netlink_begin(answer, RTM_NEWNEIGHTBL, &header, sizeof header);
    netlink_put_text(answer, NDTA_NAME, family == AF_INET ? "arp_cache" : "ndisc_cache");
    if (!interface) {
        struct ndt_config config = {.ndtc_key_len = family == AF_INET ? 4 : IP_ADDRESS_BYTES,
                                    .ndtc_entry_size = sizeof(struct neighbour),
                                    .ndtc_entries = table->entries.used,
                                    .ndtc_hash_mask = NEIGHBOUR_BUCKETS - 1};
        struct ndt_stats counts = {0};
        put_ms(answer, NDTA_GC_INTERVAL, GC_INTERVAL_MS * NS_PER_MS);
        netlink_put_u32(answer, NDTA_THRESH1, table->entries.limit);
        netlink_put_u32(answer, NDTA_THRESH2, table->entries.limit);
        netlink_put_u32(answer, NDTA_THRESH3, table->entries.limit);
        netlink_put(answer, NDTA_CONFIG, &config, sizeof config);
        netlink_put(answer, NDTA_STATS, &counts, sizeof counts);
    }
    put_parameters(answer, family, interface);
    netlink_end(answer);
}

int netlink_tell_neighbour_tables(struct netlink_answer *answer, const struct interface all[INTERFACES]) {
    uint8_t family = family_of(answer);
    if (!is_dump(answer))
        return -EOPNOTSUPP;
    for (int six = 0; six < 2; six++) {
        uint8_t this = six ? AF_INET6 : AF_INET;
        if ((family != this && family != AF_UNSPEC) || (six && !shared->stack.config.ip6.on))
            continue;
        tell_table(answer, this, 0);
        tell_table(answer, this, all[INTERFACE_OWN].index);
        tell_table(answer, this, all[INTERFACE_LOOPBACK].index);
    }
    return 0;
}
