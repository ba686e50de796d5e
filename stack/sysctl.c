/* SPDX-License-Identifier: MIT */
/*
 * sysctl.c - see sysctl.h.
 */
#include "stack/sysctl.h"
#include "stack/tcp/tcp_congestion.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NUMBERS_MAX 8

enum kind {
    NUMBERS,
    SIGNED,    /* one, of which -1 is the greatest: no bound */
    ALGORITHM, /* a congestion control's name */
    KEY,       /* 8-8-8-8 hexadecimal digits, and perhaps another after a comma */
};

struct entry {
    const char *name;
    uint16_t at;
    uint8_t count, kind;
    uint32_t low, high;
    uint32_t values[3];
};

/* clang-format off */
#define AT(field) (uint16_t)offsetof(struct sysctl, field)
#define ONE(prefix, field, low, high, value) {prefix #field, AT(field), 1, NUMBERS, low, high, {value}}
#define CORE(field, low, high, value) ONE("net.core.", field, low, high, value)
#define IPV4(field, low, high, value) ONE("net.ipv4.", field, low, high, value)
#define CONF(name, field, low, high, value) {"net.ipv6.conf.all." #name, AT(field), 1, NUMBERS, low, high, {value}}
#define NEIGH(name, low, high, value) {"net.ipv6.neigh.default." #name, AT(nd_##name), 1, NUMBERS, low, high, {value}}
#define IPV6(name, field, low, high, value) {"net.ipv6." name, AT(field), 1, NUMBERS, low, high, {value}}
#define MANY UINT32_MAX
#define BUFFER_MAX (UINT32_C(64) << 20)

static const struct entry entries[] = {
    CORE(rmem_default, 2304, BUFFER_MAX, 212992),
    CORE(rmem_max, 2304, BUFFER_MAX, 4 << 20),
    CORE(wmem_default, 4608, BUFFER_MAX, 212992),
    CORE(wmem_max, 4608, BUFFER_MAX, 4 << 20),
    CORE(somaxconn, 0, 65535, 4096),
    IPV4(ip_default_ttl, 1, 255, 64),
    {"net.ipv4.ip_local_port_range", AT(ip_local_port_range), 2, NUMBERS, 1, 65535, {32768, 60999}},
    IPV4(ip_unprivileged_port_start, 0, 65535, 0),
    IPV4(tcp_abort_on_overflow, 0, 1, 0),
    IPV4(tcp_autocorking, 0, 1, 1),
    IPV4(tcp_challenge_ack_limit, 0, MANY, INT32_MAX),
    {"net.ipv4.tcp_congestion_control", AT(tcp_congestion_control), 1, ALGORITHM, 0, 0, {TCP_CUBIC}},
    IPV4(tcp_dsack, 0, 1, 1),
    IPV4(tcp_early_retrans, 0, 4, 3),
    IPV4(tcp_ecn, 0, 5, 2),
    IPV4(tcp_ecn_fallback, 0, 1, 1),
    IPV4(tcp_fastopen, 0, MANY, SYSCTL_FASTOPEN_CLIENT),
    {"net.ipv4.tcp_fastopen_key", AT(tcp_fastopen_key), 8, KEY, 0, 0, {0}},
    IPV4(tcp_fin_timeout, 0, 120, 60),
    IPV4(tcp_frto, 0, 2, 2),
    IPV4(tcp_invalid_ratelimit, 0, 3600000, 500),
    IPV4(tcp_keepalive_intvl, 1, 32767, 75),
    IPV4(tcp_keepalive_probes, 1, 127, 9),
    IPV4(tcp_keepalive_time, 1, 32767, 7200),
    IPV4(tcp_max_orphans, 0, MANY, 65536),
    IPV4(tcp_max_reordering, 3, MANY, 300),
    IPV4(tcp_max_syn_backlog, 0, MANY, 1024),
    IPV4(tcp_max_tw_buckets, 0, MANY, 65536),
    {"net.ipv4.tcp_mem", AT(tcp_mem), 3, NUMBERS, 0, MANY, {MANY, MANY, MANY}},
    IPV4(tcp_min_snd_mss, 48, 65535, 48),
    IPV4(tcp_min_tso_segs, 1, 65535, 2),
    IPV4(tcp_moderate_rcvbuf, 0, 1, 1),
    IPV4(tcp_no_metrics_save, 0, 255, 0),
    IPV4(tcp_no_ssthresh_metrics_save, 0, 1, 1),
    IPV4(tcp_notsent_lowat, 0, MANY, MANY),
    IPV4(tcp_orphan_retries, 0, 255, 0),
    IPV4(tcp_pacing_ca_ratio, 1, 1000, 120),
    IPV4(tcp_pacing_ss_ratio, 1, 1000, 200),
    IPV4(tcp_recovery, 0, MANY, 1),
    IPV4(tcp_reordering, 1, MANY, 3),
    IPV4(tcp_retries2, 1, 255, 15),
    IPV4(tcp_rfc1337, 0, 1, 0),
    {"net.ipv4.tcp_rmem", AT(tcp_rmem), 3, NUMBERS, 1, BUFFER_MAX, {4096, 131072, 33554432}},
    IPV4(tcp_sack, 0, 1, 1),
    IPV4(tcp_slow_start_after_idle, 0, 1, 1),
    IPV4(tcp_syn_linear_timeouts, 0, 127, 4),
    IPV4(tcp_syn_retries, 1, 127, 6),
    IPV4(tcp_synack_retries, 0, 255, 5),
    IPV4(tcp_syncookies, 0, 2, 1),
    IPV4(tcp_timestamps, 0, 2, 1),
    IPV4(tcp_tw_reuse, 0, 2, 2),
    IPV4(tcp_window_scaling, 0, 1, 1),
    {"net.ipv4.tcp_wmem", AT(tcp_wmem), 3, NUMBERS, 1, BUFFER_MAX, {4096, 16384, 4194304}},
    {"net.ipv4.udp_mem", AT(udp_mem), 3, NUMBERS, 0, MANY, {MANY, MANY, MANY}},
    IPV4(udp_rmem_min, 0, BUFFER_MAX, 4096),
    CONF(accept_dad, ip6_accept_dad, 0, 2, 1),
    CONF(accept_ra, ip6_accept_ra, 0, 2, 1),
    CONF(accept_ra_defrtr, ip6_accept_ra_defrtr, 0, 1, 1),
    CONF(accept_ra_min_hop_limit, ip6_accept_ra_min_hop_limit, 0, 255, 1),
    CONF(accept_ra_mtu, ip6_accept_ra_mtu, 0, 1, 1),
    CONF(accept_ra_pinfo, ip6_accept_ra_pinfo, 0, 1, 1),
    CONF(accept_ra_rt_info_max_plen, ip6_accept_ra_rt_info_max_plen, 0, 128, 0),
    CONF(accept_ra_rtr_pref, ip6_accept_ra_rtr_pref, 0, 1, 1),
    CONF(accept_redirects, ip6_accept_redirects, 0, 1, 1),
    CONF(addr_gen_mode, ip6_addr_gen_mode, 0, 3, 2),
    CONF(autoconf, ip6_autoconf, 0, 1, 1),
    CONF(dad_transmits, ip6_dad_transmits, 0, 255, 1),
    CONF(enhanced_dad, ip6_enhanced_dad, 0, 1, 1),
    CONF(hop_limit, ip6_hop_limit, 1, 255, 64),
    CONF(max_addresses, ip6_max_addresses, 0, 1024, 16),
    CONF(max_desync_factor, ip6_max_desync_factor, 0, MANY, 600),
    CONF(mldv1_unsolicited_report_interval, ip6_mldv1_interval, 0, 3600000, 10000),
    CONF(mldv2_unsolicited_report_interval, ip6_mldv2_interval, 0, 3600000, 1000),
    CONF(ndisc_notify, ip6_ndisc_notify, 0, 1, 0),
    CONF(optimistic_dad, ip6_optimistic_dad, 0, 1, 1),
    CONF(regen_max_retry, ip6_regen_max_retry, 0, 255, 3),
    CONF(router_solicitation_delay, ip6_rtr_solicitation_delay, 0, 3600, 1),
    CONF(router_solicitation_interval, ip6_rtr_solicitation_interval, 1, 3600, 4),
    CONF(router_solicitation_max_interval, ip6_rtr_solicitation_max_interval, 1, 86400, 3600),
    {"net.ipv6.conf.all.router_solicitations", AT(ip6_rtr_solicitations), 1, SIGNED, 0, MANY, {MANY}},
    CONF(suppress_frag_ndisc, ip6_suppress_frag_ndisc, 0, 1, 1),
    CONF(temp_prefered_lft, ip6_temp_prefered_lft, 0, MANY, 86400),
    CONF(temp_valid_lft, ip6_temp_valid_lft, 0, MANY, 604800),
    CONF(use_tempaddr, ip6_use_tempaddr, 0, 2, 0),
    NEIGH(mcast_resolicit, 0, 255, 0),
    NEIGH(mcast_solicit, 1, 255, 3),
    NEIGH(ucast_solicit, 0, 255, 3),
    IPV6("auto_flowlabels", ip6_auto_flowlabels, 0, 3, 1),
    IPV6("bindv6only", ip6_bindv6only, 0, 1, 0),
    IPV6("icmp.echo_ignore_all", icmp6_echo_ignore_all, 0, 1, 0),
    IPV6("icmp.echo_ignore_multicast", icmp6_echo_ignore_multicast, 0, 1, 0),
    IPV6("icmp.ratelimit", icmp6_ratelimit, 0, 3600000, 1000),
    IPV6("idgen_delay", ip6_idgen_delay, 0, 3600, 1),
    IPV6("idgen_retries", ip6_idgen_retries, 0, 255, 3),
    IPV6("ip6frag_time", ip6frag_time, 1, 3600, 60),
};
/* clang-format on */

#define ENTRIES (sizeof entries / sizeof *entries)

static uint32_t *place(struct sysctl *sysctl, const struct entry *entry) {
    return (uint32_t *)((char *)sysctl + entry->at);
}

void sysctl_init(struct sysctl *sysctl) {
    memset(sysctl, 0, sizeof *sysctl);
    for (size_t i = 0; i < ENTRIES; i++)
        memcpy(place(sysctl, &entries[i]), entries[i].values,
               (entries[i].count < 3 ? entries[i].count : 3) * sizeof(uint32_t));
}

static bool same_name(const char *known, const char *given) {
    while (*known && (*known == *given || (*known == '.' && *given == '/')))
        known++, given++;
    return *known == *given;
}

/* What follows the interface's name in a family that has a set of tunables for each: the stack has one
 * interface, so that whichever is named, "all" and "default" too, means it. NULL: another family. */
static const char *after_interface(const char *name) {
    static const char *const families[] = {"net.ipv6.conf.", "net.ipv6.neigh."};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        size_t at = 0, length = strlen(families[i]);
        while (at < length && (name[at] == families[i][at] || (name[at] == '/' && families[i][at] == '.')))
            at++;
        if (at == length)
            return strpbrk(name + at, "./");
    }
    return NULL;
}

/* Whether both names are of one such family, and the same but for the interface. */
static bool same_but_interface(const char *known, const char *given) {
    const char *known_rest = after_interface(known), *given_rest = after_interface(given);
    return known_rest && given_rest && known[9] == given[9] && same_name(known_rest, given_rest);
}

static const struct entry *find(const char *name) {
    for (size_t i = 0; i < ENTRIES; i++)
        if (same_name(entries[i].name, name) || same_but_interface(entries[i].name, name))
            return &entries[i];
    return NULL;
}

const char *sysctl_name(size_t index) {
    return index < ENTRIES ? entries[index].name : NULL;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}

/* Reads a decimal or 0x number. Returns what follows it, or NULL. */
static const char *read_number(const char *text, uint32_t *number) {
    uint64_t value = 0;
    unsigned base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    const char *at = text + (base == 16 ? 2 : 0), *first = at;
    for (;; at++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                         : *at >= 'A' && *at <= 'F' ? (unsigned)(*at - 'A') + 10
                                                    : 16;
        if (digit >= base || value > UINT32_MAX)
            break;
        value = value * base + digit;
    }
    *number = (uint32_t)value;
    return at > first && value <= UINT32_MAX ? at : NULL;
}

static int set_numbers(const struct entry *entry, uint32_t *to, const char *text) {
    uint32_t numbers[NUMBERS_MAX];
    for (unsigned i = 0; i < entry->count; i++) {
        while (is_space(*text))
            text++;
        text = read_number(text, &numbers[i]);
        if (!text || numbers[i] < entry->low || numbers[i] > entry->high)
            return -EINVAL;
    }
    while (is_space(*text))
        text++;
    if (*text || (entry->count == 2 && numbers[0] > numbers[1]))
        return -EINVAL;
    memcpy(to, numbers, entry->count * sizeof *to);
    return 0;
}

static int set_algorithm(uint32_t *to, const char *text) {
    size_t length = strcspn(text, " \t\n");
    int algorithm = tcp_congestion_find(text, (uint32_t)length);
    if (algorithm < 0)
        return -EINVAL;
    *to = (uint32_t)algorithm;
    return 0;
}

static int set_key(uint32_t *to, const char *text) {
    unsigned words[8] = {0};
    int read = sscanf(text, "%8x-%8x-%8x-%8x,%8x-%8x-%8x-%8x", &words[0], &words[1], &words[2], &words[3],
                      &words[4], &words[5], &words[6], &words[7]);
    if (read != 4 && read != 8)
        return -EINVAL;
    for (int i = 0; i < 8; i++)
        to[i] = words[i];
    return 0;
}

int sysctl_set(struct sysctl *sysctl, const char *name, const char *value) {
    const struct entry *entry = find(name);
    if (!entry)
        return -ENOENT;
    uint32_t *to = place(sysctl, entry);
    switch ((enum kind)entry->kind) {
    case ALGORITHM:
        return set_algorithm(to, value);
    case KEY:
        return set_key(to, value);
    case SIGNED:
        if (strcmp(value, "-1") == 0) {
            *to = UINT32_MAX;
            return 0;
        }
        return set_numbers(entry, to, value);
    default:
        return set_numbers(entry, to, value);
    }
}

int sysctl_set_all(struct sysctl *sysctl, const char *list, const char **bad) {
    while (*list) {
        char one[2 * SYSCTL_TEXT_BYTES], *value;
        size_t length = strcspn(list, ",");
        if (bad)
            *bad = list;
        if (length >= sizeof one)
            return -EINVAL;
        memcpy(one, list, length);
        one[length] = 0;
        value = strchr(one, '=');
        if (!value)
            return -EINVAL;
        *value++ = 0;
        int error = sysctl_set(sysctl, one, value);
        if (error)
            return error;
        list += length + (list[length] == ',');
    }
    return 0;
}

int sysctl_get(const struct sysctl *sysctl, const char *name, char text[SYSCTL_TEXT_BYTES]) {
    const struct entry *entry = find(name);
    const uint32_t *from;
    int used = 0;
    if (!entry)
        return -ENOENT;
    from = (const uint32_t *)((const char *)sysctl + entry->at);
    if (entry->kind == ALGORITHM) {
        snprintf(text, SYSCTL_TEXT_BYTES, "%s", tcp_congestion_name((enum tcp_algorithm)from[0]));
    } else if (entry->kind == SIGNED) {
        snprintf(text, SYSCTL_TEXT_BYTES, "%d", (int)from[0]);
    } else if (entry->kind == KEY) {
        used = snprintf(text, SYSCTL_TEXT_BYTES, "%08x-%08x-%08x-%08x", from[0], from[1], from[2], from[3]);
        if (from[4] | from[5] | from[6] | from[7])
            snprintf(text + used, SYSCTL_TEXT_BYTES - (size_t)used, ",%08x-%08x-%08x-%08x", from[4], from[5],
                     from[6], from[7]);
    } else {
        for (unsigned i = 0; i < entry->count; i++)
            used += snprintf(text + used, SYSCTL_TEXT_BYTES - (size_t)used, "%s%u", i ? "\t" : "", from[i]);
    }
    return 0;
}
