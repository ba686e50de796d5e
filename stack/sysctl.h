/* SPDX-License-Identifier: MIT */
/*
 * sysctl.h - the tunables of a stack, by Linux's names and with Linux's meanings (ip-sysctl in the kernel's
 * documentation, tcp(7)).
 *
 * Every one that is listed here is honoured; a name that is not is refused. The values are plain numbers in
 * Linux's units, so that the code which uses one converts it where it is used.
 */
#ifndef STACK_SYSCTL_H
#define STACK_SYSCTL_H

#include <stddef.h>
#include <stdint.h>

#define SYSCTL_TEXT_BYTES 80 /* of a value, with its end */

/* The bits of tcp_fastopen. */
enum sysctl_fastopen {
    SYSCTL_FASTOPEN_CLIENT = 1,
    SYSCTL_FASTOPEN_SERVER = 2,
    SYSCTL_FASTOPEN_CLIENT_NO_COOKIE = 4,
    SYSCTL_FASTOPEN_SERVER_NO_COOKIE = 0x200,
    SYSCTL_FASTOPEN_SERVER_ALL = 0x400, /* every listener, without TCP_FASTOPEN */
};

struct sysctl {
    uint32_t rmem_default, rmem_max, wmem_default, wmem_max, somaxconn; /* net.core */
    uint32_t ip_default_ttl;
    uint32_t ip_local_port_range[2];
    uint32_t ip_unprivileged_port_start; /* 0: no port takes a privilege, since the address is the user's */
    uint32_t tcp_abort_on_overflow;
    uint32_t tcp_autocorking;
    uint32_t tcp_challenge_ack_limit; /* a second; INT32_MAX: none */
    uint32_t tcp_congestion_control;  /* enum tcp_algorithm */
    uint32_t tcp_dsack;
    uint32_t tcp_early_retrans; /* 0: no tail loss probes */
    uint32_t
        tcp_ecn; /* 0: never; 1: ask and answer; 2: answer; 3: AccECN; 4: answer AccECN, ask for ECN; 5: answer AccECN */
    uint32_t tcp_ecn_fallback;
    uint32_t tcp_fastopen;        /* enum sysctl_fastopen */
    uint32_t tcp_fastopen_key[8]; /* the second four: the one before; all 0: none */
    uint32_t tcp_fin_timeout;     /* s */
    uint32_t tcp_frto;
    uint32_t tcp_invalid_ratelimit; /* ms */
    uint32_t tcp_keepalive_time, tcp_keepalive_intvl, tcp_keepalive_probes;
    uint32_t tcp_max_orphans;
    uint32_t tcp_max_reordering;
    uint32_t tcp_max_syn_backlog;
    uint32_t tcp_max_tw_buckets;
    uint32_t tcp_mem[3]; /* pages of 4,096 bytes: see pressure.h */
    uint32_t tcp_min_snd_mss;
    uint32_t tcp_min_tso_segs;
    uint32_t tcp_moderate_rcvbuf;
    uint32_t tcp_no_metrics_save;          /* nothing of a connection is kept for the next: tcp_metrics.h */
    uint32_t tcp_no_ssthresh_metrics_save; /* ... not its slow start threshold */
    uint32_t tcp_notsent_lowat;
    uint32_t tcp_orphan_retries;                       /* 0: 8 */
    uint32_t tcp_pacing_ca_ratio, tcp_pacing_ss_ratio; /* % */
    uint32_t tcp_recovery;                             /* 1: RACK; 0: by segments that arrived since */
    uint32_t tcp_reordering;
    uint32_t tcp_retries2;
    uint32_t tcp_rfc1337;
    uint32_t tcp_rmem[3];
    uint32_t tcp_sack;
    uint32_t tcp_slow_start_after_idle;
    uint32_t tcp_syn_linear_timeouts;
    uint32_t tcp_syn_retries, tcp_synack_retries;
    uint32_t tcp_syncookies; /* 0: never; 1: when the queue is full; 2: always */
    uint32_t tcp_timestamps;
    uint32_t tcp_tw_reuse; /* 1: for connections out; 2: on loopback only */
    uint32_t tcp_window_scaling;
    uint32_t tcp_wmem[3];
    uint32_t udp_mem[3]; /* pages */
    uint32_t udp_rmem_min;

    /* net.ipv6; of net.ipv6.conf and net.ipv6.neigh there is one set, whatever interface is named. */
    uint32_t ip6_accept_dad, ip6_accept_ra, ip6_accept_ra_defrtr, ip6_accept_ra_min_hop_limit;
    uint32_t ip6_accept_ra_mtu, ip6_accept_ra_pinfo, ip6_accept_ra_rt_info_max_plen, ip6_accept_ra_rtr_pref;
    uint32_t ip6_accept_redirects;
    uint32_t ip6_addr_gen_mode; /* 0: EUI-64; 1: no address; 2: stable; 3: random */
    uint32_t ip6_autoconf;
    uint32_t ip6_dad_transmits;
    uint32_t ip6_enhanced_dad;
    uint32_t ip6_hop_limit;
    uint32_t ip6_max_addresses;                      /* 0: no bound but the table's */
    uint32_t ip6_max_desync_factor;                  /* s */
    uint32_t ip6_mldv1_interval, ip6_mldv2_interval; /* ms */
    uint32_t ip6_ndisc_notify;
    uint32_t ip6_optimistic_dad;
    uint32_t ip6_regen_max_retry;
    uint32_t ip6_rtr_solicitation_delay, ip6_rtr_solicitation_interval; /* s */
    uint32_t ip6_rtr_solicitation_max_interval;                         /* s */
    uint32_t ip6_rtr_solicitations;                                     /* UINT32_MAX: no end (-1) */
    uint32_t ip6_suppress_frag_ndisc;
    uint32_t ip6_temp_prefered_lft, ip6_temp_valid_lft; /* s */
    uint32_t ip6_use_tempaddr;                          /* 1: made; 2: and preferred */
    uint32_t nd_mcast_resolicit, nd_mcast_solicit, nd_ucast_solicit;
    uint32_t ip6_auto_flowlabels;
    uint32_t ip6_bindv6only;
    uint32_t ip6_idgen_delay; /* s */
    uint32_t ip6_idgen_retries;
    uint32_t ip6frag_time; /* s */
    uint32_t icmp6_echo_ignore_all, icmp6_echo_ignore_multicast;
    uint32_t icmp6_ratelimit; /* ms */
};

/* Linux's defaults, whatever the machine has; tcp_mem and udp_mem are without effect until memory_init. */
void sysctl_init(struct sysctl *sysctl);

/* Sets one by its name, with dots or slashes. Returns 0, -ENOENT for a name that there is not, or -EINVAL for
 * a value that can't be. */
int sysctl_set(struct sysctl *sysctl, const char *name, const char *value);

/* Sets many: NAME=VALUE, separated by commas. Returns as sysctl_set, with *bad (may be NULL) where the first
 * that failed begins. */
int sysctl_set_all(struct sysctl *sysctl, const char *list, const char **bad);

/* The index-th name, or NULL. */
const char *sysctl_name(size_t index);

/* Writes a value as sysctl(8) shows it. Returns 0 or -ENOENT. */
int sysctl_get(const struct sysctl *sysctl, const char *name, char text[SYSCTL_TEXT_BYTES]);

#endif
