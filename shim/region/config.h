/* SPDX-License-Identifier: MIT */
/*
 * config.h - what the user asked for: the environment that the command sets, one variable an option.
 */
#ifndef SHIM_REGION_CONFIG_H
#define SHIM_REGION_CONFIG_H

#include "stack/ip/ip4_addresses.h"
#include "stack/ip/ip_address.h"
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_TEXT_BYTES 128
#define CONFIG_ERROR_BYTES 320
#define CONFIG_ADDRESSES6_MAX 4u

/* What a program gets that asks for an io_uring. */
enum ring_kind { IO_URING_NONE, IO_URING_FILES, IO_URING_KERNEL };

struct config {
    char nic[CONFIG_TEXT_BYTES];  /* BAREWIRE_NIC; empty: none named */
    char name[CONFIG_TEXT_BYTES]; /* BAREWIRE_NAME, or made of network namespace, NIC and address */
    bool name_given;
    /* BAREWIRE_ADDRESS: some of IPv4, or dhcp; some of IPv6, or auto; nothing: dhcp and auto. */
    bool address_given, dhcp, autoconf;
    bool no_ipv6;     /* BAREWIRE_NO_IPV6: auto and addresses of IPv6 count for nothing */
    uint32_t address; /* the first; 0: none, or from a DHCP server */
    uint8_t prefix_length;
    uint8_t more_count;
    struct ip4_own more[IP4_MORE_MAX]; /* beside it */
    uint8_t count6;
    struct {
        struct ip_address address;
        uint8_t prefix_length;
    } addresses6[CONFIG_ADDRESSES6_MAX];
    uint32_t gateway;           /* BAREWIRE_GATEWAY: one of each family; 0: none */
    struct ip_address gateway6; /* "::": none */
    bool mac_given;             /* BAREWIRE_MAC */
    bool mac_of_nic;            /* ... is "nic" */
    uint8_t mac[6];
    char publish[CONFIG_TEXT_BYTES];        /* BAREWIRE_PUBLISH: ports that passt lets in; empty: none */
    char pcap[2 * CONFIG_TEXT_BYTES];       /* BAREWIRE_PCAP, an absolute path; empty: none */
    char record[2 * CONFIG_TEXT_BYTES];     /* BAREWIRE_RECORD, the same */
    uint32_t spin_us;                       /* BAREWIRE_SPIN */
    uint32_t mtu;                           /* BAREWIRE_MTU; 0: the NIC's */
    char impair[CONFIG_TEXT_BYTES * 2];     /* BAREWIRE_IMPAIR; empty: none */
    char sysctl[CONFIG_TEXT_BYTES * 4];     /* BAREWIRE_SYSCTL: NAME=VALUE,...; empty: none */
    bool loopback_given, loopback;          /* BAREWIRE_LOOPBACK; 127.0.0.0/8 is the stack's */
    char dns[CONFIG_TEXT_BYTES];            /* BAREWIRE_DNS; empty: as DHCP or /etc/resolv.conf say */
    bool verbose;                           /* BAREWIRE_VERBOSE */
    bool strict;                            /* BAREWIRE_STRICT: what can't be taken over is not started */
    enum ring_kind io_uring;                /* BAREWIRE_IO_URING */
    unsigned trace;                         /* BAREWIRE_TRACE: enum tracing_group */
    char trace_file[2 * CONFIG_TEXT_BYTES]; /* BAREWIRE_TRACE_FILE; empty: stderr */
};

/* Reads the environment. On failure gives false and a line for the user in error (CONFIG_ERROR_BYTES). */
bool config_read(struct config *config, char *error);

/* The same without making a name where none is given. */
bool config_check(struct config *config, char *error);

/* Whether the stack has IPv6. */
static inline bool config_inet6(const struct config *config) {
    return config->autoconf || config->count6 > 0;
}

/* The index-th address of IPv4 that the user gave; of address 0: there are no more. */
static inline struct ip4_own config_address4(const struct config *config, uint32_t index) {
    if (index == 0)
        return (struct ip4_own){config->address, config->prefix_length};
    return index <= config->more_count && index <= IP4_MORE_MAX ? config->more[index - 1]
                                                                : (struct ip4_own){0};
}

/* Whether both name the same addresses of IPv4, in the same order. */
bool config_same_addresses4(const struct config *a, const struct config *b);

/* What --nic says, with its kind: packet:eth0 of eth0. False if it says nothing known. */
bool config_nic(const char *value, char nic[CONFIG_TEXT_BYTES]);

/* The interface of packet:IF and pcap:IF; NULL for other kinds of NIC. */
const char *config_interface(const char *nic);

/* The directory of this user's stacks, made if need be with mode 0700; false and a line in error when there
 * can be none. */
bool config_directory(char path[108], char *error);

/* The same, but only if it is there. */
bool config_find_directory(char path[108]);

/* Whether a configuration that another process has sent may be looked at: its texts end, its flags are flags.
 */
bool config_is_whole(const struct config *config);

#endif
