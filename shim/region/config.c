/* SPDX-License-Identifier: MIT */
/*
 * config.c - see config.h. Also used by the keeper, which gets the same variables, and by the command, which checks them.
 */
#include "shim/region/config.h"
#include "nic/nearest.h"
#include "shim/region/tracing_text.h"
#include "stack/sysctl.h"
#include "stack/tcp/tcp_congestion.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(char *error, const char *format, const char *value) {
    snprintf(error, CONFIG_ERROR_BYTES, format, value);
    return false;
}

/* The same, and which of the words that there are may have been meant. */
static bool fail_near(char *error, const char *format, const char *value, const struct nearest *near) {
    char hint[NEAREST_HINT_BYTES];
    fail(error, format, value);
    size_t used = strlen(error);
    snprintf(error + used, CONFIG_ERROR_BYTES - used, "%s", nearest_hint(near, "", hint));
    return false;
}

static bool parse_ipv4(const char *text, uint32_t *address) {
    struct in_addr parsed;
    if (inet_pton(AF_INET, text, &parsed) != 1)
        return false;
    *address = ntohl(parsed.s_addr);
    return true;
}

static bool parse_number(const char *text, uint32_t low, uint32_t high, uint32_t *number) {
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || value < low || value > high)
        return false;
    *number = (uint32_t)value;
    return true;
}

#define ADDRESS_WANTED                                                                                    \
    "'%s' is no address; give --address ADDRESS/N, such as 10.77.0.10/24 or 2001:db8::10/64, or dhcp or " \
    "auto"

static bool parse_ipv6(const char *text, struct ip_address *address) {
    return inet_pton(AF_INET6, text, address->bytes) == 1 && !ip_is_v4(*address);
}

static bool parse_address6(const char *text, const char *given, uint32_t prefix, struct config *config,
                           char *error) {
    struct ip_address address;
    if (!parse_ipv6(text, &address) || ip_is_any(address) || ip_is_loopback(address) ||
        ip_is_multicast(address))
        return fail(error, "%s can't be a host's own address", given);
    if (config->count6 == CONFIG_ADDRESSES6_MAX)
        return fail(error, "%s is one --address of IPv6 too many: there may be four", given);
    config->addresses6[config->count6].address = address;
    config->addresses6[config->count6++].prefix_length = (uint8_t)prefix;
    return true;
}

/* Where the next address of IPv4 goes. */
static bool add_address4(const struct ip4_own *own, struct config *config) {
    if (config->address && config->more_count == IP4_MORE_MAX)
        return false;
    if (config->address) {
        config->more[config->more_count++] = *own;
    } else {
        config->address = own->address;
        config->prefix_length = own->prefix_length;
    }
    return true;
}

static bool has_address4(const struct config *config, uint32_t address) {
    for (uint32_t i = 0; i < IP4_ADDRESSES_MAX; i++)
        if (config_address4(config, i).address == address)
            return true;
    return false;
}

static bool parse_address4(const char *text, const char *given, uint32_t prefix, struct config *config,
                           char *error) {
    struct ip4_own own = {.prefix_length = (uint8_t)prefix};
    if (!parse_ipv4(text, &own.address))
        return fail(error, ADDRESS_WANTED, given);
    uint32_t first = own.address >> 24;
    uint32_t hosts = prefix >= 31 ? 0 : UINT32_MAX >> prefix;
    bool names_no_host = hosts && ((own.address & hosts) == 0 || (own.address & hosts) == hosts);
    if (first == 0 || first == 127 || first >= 224 || names_no_host)
        return fail(error, "%s can't be a host's own address", given);
    if (has_address4(config, own.address))
        return fail(error, "--address %s is given twice", given);
    if (!add_address4(&own, config))
        return fail(error, "%s is one --address of IPv4 too many: there may be four", given);
    return true;
}

static bool parse_address(const char *text, struct config *config, char *error) {
    char copy[CONFIG_TEXT_BYTES];
    uint32_t prefix;
    bool *const asked = strcmp(text, "dhcp") == 0   ? &config->dhcp
                        : strcmp(text, "auto") == 0 ? &config->autoconf
                                                    : NULL;
    if (asked)
        return *asked = true;
    snprintf(copy, sizeof copy, "%s", text);
    char *slash = strchr(copy, '/');
    bool six = strchr(copy, ':');
    if (slash)
        *slash++ = 0;
    if (slash && six && parse_number(slash, 0, 128, &prefix))
        return parse_address6(copy, text, prefix, config, error);
    if (!slash || !parse_number(slash, 0, 32, &prefix))
        return fail(error, ADDRESS_WANTED, text);
    return parse_address4(copy, text, prefix, config, error);
}

bool config_same_addresses4(const struct config *a, const struct config *b) {
    bool same = a->more_count == b->more_count;
    for (uint32_t i = 0; same && i <= a->more_count; i++)
        same = config_address4(a, i).address == config_address4(b, i).address &&
               config_address4(a, i).prefix_length == config_address4(b, i).prefix_length;
    return same;
}

/* A list with commas, of which each is read on its own. */
static bool parse_each(const char *list, struct config *config, char *error,
                       bool (*parse)(const char *, struct config *, char *)) {
    char copy[CONFIG_TEXT_BYTES * 4], *rest = copy, *one;
    if (snprintf(copy, sizeof copy, "%s", list) >= (int)sizeof copy)
        return fail(error, "'%.40s...' is too long", list);
    while ((one = strsep(&rest, ",")))
        if (!parse(one, config, error))
            return false;
    return true;
}

static bool parse_addresses(struct config *config, char *error) {
    const char *given = getenv("BAREWIRE_ADDRESS");
    config->address_given = given != NULL;
    config->dhcp = config->autoconf = !given;
    if (given && !parse_each(given, config, error, parse_address))
        return false;
    if (config->dhcp && config->address)
        return fail(error, "--address %s: IPv4's is either given or DHCP's", given);
    if (getenv("BAREWIRE_NO_IPV6")) {
        config->no_ipv6 = true;
        config->autoconf = false;
        config->count6 = 0;
    }
    if (!config->dhcp && !config->address && !config_inet6(config))
        return fail(error, "--address %s without IPv6 leaves no address: add one of IPv4, or dhcp", given);
    return true;
}

static bool parse_gateway(const char *text, struct config *config, char *error) {
    uint32_t four;
    struct ip_address six;
    if (parse_ipv4(text, &four) && four) {
        if (config->gateway)
            return fail(error, "--gateway %s is one of IPv4 too many: there may be one of each family", text);
        config->gateway = four;
        return true;
    }
    if (parse_ipv6(text, &six) && !ip_is_any(six)) {
        if (!ip_is_any(config->gateway6))
            return fail(error, "--gateway %s is one of IPv6 too many: there may be one of each family", text);
        config->gateway6 = six;
        return true;
    }
    return fail(error,
                "--gateway '%s': give a router's address, of IPv4 or IPv6, such as 10.77.0.1 or fe80::1",
                text);
}

static bool parse_mac(const char *text, struct config *config, char *error) {
    unsigned bytes[6];
    char rest;
    config->mac_given = true;
    if (strcmp(text, "nic") == 0) {
        config->mac_of_nic = true;
        return true;
    }
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4],
               &bytes[5], &rest) != 6 ||
        bytes[0] & 1)
        return fail(error, "'%s' is no MAC address of a host; give --mac XX:XX:XX:XX:XX:XX or --mac nic",
                    text);
    for (int i = 0; i < 6; i++)
        config->mac[i] = (uint8_t)bytes[i];
    return true;
}

/* A name becomes part of a path: letters, digits and -_.: only. */
static bool set_name(const char *text, struct config *config, char *error) {
    size_t length = strlen(text);
    if (length == 0 || length > 64 || text[0] == '.')
        return fail(error, "'%s' can't name a stack: 1 to 64 letters, digits and -_.:", text);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-_.:", text[i]))
            return fail(error, "'%s' can't name a stack: 1 to 64 letters, digits and -_.:", text);
    snprintf(config->name, sizeof config->name, "%s", text);
    config->name_given = true;
    return true;
}

static void default_name(struct config *config) {
    struct stat namespace = {0};
    stat("/proc/self/ns/net", &namespace);
    char text[IP_ADDRESS_TEXT] = "dhcp";
    if (config->address)
        ip_text(ip_from_v4(config->address), text);
    else if (!config->dhcp && config->count6 > 0)
        ip_text(config->addresses6[0].address, text);
    else if (!config->dhcp)
        snprintf(text, sizeof text, "auto");
    snprintf(config->name, sizeof config->name, "%lu-%.48s-%s", (unsigned long)namespace.st_ino, config->nic,
             text);
    for (char *at = config->name; *at; at++)
        if (*at == '/')
            *at = '_';
}

static bool parse_dns(const char *text, struct config *config, char *error) {
    char copy[CONFIG_TEXT_BYTES], *rest = copy, *server;
    uint32_t address;
    struct ip_address six;
    bool good = snprintf(copy, sizeof copy, "%s", text) < (int)sizeof copy && *text;
    while (good && (server = strsep(&rest, ",")))
        good = parse_ipv4(server, &address) || parse_ipv6(server, &six);
    if (!good)
        return fail(error, "--dns '%s': give an address, or several with commas between them", text);
    snprintf(config->dns, sizeof config->dns, "%.*s", CONFIG_TEXT_BYTES - 1, text);
    return true;
}

/* A tunable that there is, and a value that it can't have. */
static bool fail_value(char *error, const char *text) {
    const char *value = strchr(text, '=');
    struct nearest near;
    if (value && strncmp(text, "net.ipv4.tcp_congestion_control=", 32) == 0) {
        nearest_begin(&near, value + 1, strlen(value + 1));
        for (int i = 0; i < TCP_ALGORITHMS; i++)
            nearest_try(&near, tcp_congestion_name((enum tcp_algorithm)i));
        return fail_near(error, "--sysctl '%s': give cubic, reno, bbr, bbr3 or dctcp", text, &near);
    }
    return fail(error,
                "--sysctl '%s': no such value; 'barewire help sysctl' has the value that it has by itself",
                text);
}

static bool parse_sysctl(const char *text, struct config *config, char *error) {
    struct sysctl scratch;
    const char *bad = text;
    char one[CONFIG_TEXT_BYTES];
    sysctl_init(&scratch);
    int result = sysctl_set_all(&scratch, text, &bad);
    snprintf(one, sizeof one, "%.*s", (int)strcspn(bad, ","), bad);
    if (result == -ENOENT) {
        struct nearest near;
        nearest_begin(&near, one, strcspn(one, "="));
        for (size_t i = 0; sysctl_name(i); i++)
            nearest_try(&near, sysctl_name(i));
        return fail_near(
            error,
            near.word ? "--sysctl '%s': no such tunable"
                      : "--sysctl '%s': no such tunable; 'barewire help sysctl' lists those that there are",
            one, &near);
    }
    if (result)
        return fail_value(error, one);
    if (snprintf(config->sysctl, sizeof config->sysctl, "%s", text) >= (int)sizeof config->sysctl)
        return fail(error, "--sysctl '%.40s...' is too long", text);
    return true;
}

#define SPIN_MAX_US 1000000

#define PATH_WANTED(option) "--" option " '%s': give a file's path, of up to 255 bytes in all"

/* The keeper runs in another folder than the program. */
static bool set_file(const char *wanted, const char *text, char path[2 * CONFIG_TEXT_BYTES], char *error) {
    char folder[PATH_MAX] = "";
    bool absolute = *text == '/';
    int length = -1;
    if (*text && (absolute || getcwd(folder, sizeof folder)))
        length = snprintf(path, 2 * CONFIG_TEXT_BYTES, "%s%s%s", folder, absolute ? "" : "/", text);
    return (length > 0 && length < 2 * CONFIG_TEXT_BYTES) || fail(error, wanted, text);
}

#define PASST "passt"

/* Of --publish: ports, each HOST or HOST:OURS, with commas between them. */
static bool parse_publish(const char *text, struct config *config, char *error) {
    bool good =
        *text && strlen(text) < sizeof config->publish && strspn(text, "0123456789:,-") == strlen(text);
    if (!good)
        return fail(
            error,
            "--publish '%s': give PORT or PORT:PORT-OF-THE-PROGRAM, or several with commas between them",
            text);
    if (strcmp(config->nic, PASST) != 0)
        return fail(error, "--publish %s is for --nic passt: on any other the address is the stack's own",
                    text);
    snprintf(config->publish, sizeof config->publish, "%s", text);
    return true;
}

static const char *const nic_kinds[] = {"packet:", "pcap:", "tap:", "vde:", "lan:"};
#define NIC_KINDS (sizeof nic_kinds / sizeof *nic_kinds)

/* KIND:IF, or just an interface, which is a packet socket's. */
bool config_nic(const char *value, char nic[CONFIG_TEXT_BYTES]) {
    if (strcmp(value, PASST) == 0) {
        snprintf(nic, CONFIG_TEXT_BYTES, PASST);
        return true;
    }
    bool bare = *value && !strchr(value, ':');
    for (size_t i = 0; i < NIC_KINDS; i++) {
        size_t length = strlen(nic_kinds[i]);
        if (bare || (strncmp(value, nic_kinds[i], length) == 0 && value[length]))
            return (size_t)snprintf(nic, CONFIG_TEXT_BYTES, "%s%s", bare ? nic_kinds[i] : "", value) <
                   CONFIG_TEXT_BYTES;
    }
    return false;
}

const char *config_interface(const char *nic) {
    for (size_t i = 0; i < NIC_KINDS; i++) {
        size_t length = strlen(nic_kinds[i]);
        if (nic_kinds[i][0] == 'p' && strncmp(nic, nic_kinds[i], length) == 0)
            return nic + length;
    }
    return NULL;
}

static bool parse_nic(const char *value, struct config *config, char *error) {
    struct nearest near;
    const char *colon = strchr(value, ':');
    if (config_nic(value, config->nic))
        return true;
    nearest_begin(&near, value, colon ? (size_t)(colon - value) + 1 : strlen(value));
    for (size_t i = 0; i < NIC_KINDS; i++)
        nearest_try(&near, nic_kinds[i]);
    return fail_near(error,
                     "--nic '%s': this version has packet:IF, pcap:IF, tap:IF, vde:URL, lan:PATH and passt; "
                     "packet:eth0, for example",
                     value, &near);
}

/* Names with commas between them; none at all is all of them. */
static bool parse_trace(const char *value, unsigned *groups, char *error) {
    static const char *const names[] = {"call", "tcp", "ip", "arp", "frame"};
    *groups = 0;
    for (const char *at = value; *at; at += *at == ',') {
        size_t length = strcspn(at, ","), i = 0;
        struct nearest near;
        nearest_begin(&near, at, length);
        for (; i < sizeof names / sizeof *names; i++) {
            if (strlen(names[i]) == length && strncmp(at, names[i], length) == 0)
                break;
            nearest_try(&near, names[i]);
        }
        if (i == sizeof names / sizeof *names)
            return fail_near(error, "--trace=%s: give some of call,tcp,ip,arp,frame", value, &near);
        *groups |= 1u << i;
        at += length;
    }
    if (!*value)
        *groups = TRACING_CALL | TRACING_TCP | TRACING_IP | TRACING_ARP | TRACING_FRAME;
    return *groups != 0;
}

static bool parse_io_uring(const char *value, enum ring_kind *wanted) {
    static const char *const names[] = {"none", "files", "kernel"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(value, names[i]) == 0) {
            *wanted = (enum ring_kind)i;
            return true;
        }
    return false;
}

bool config_check(struct config *config, char *error) {
    const char *value;
    memset(config, 0, sizeof *config);
    config->verbose = getenv("BAREWIRE_VERBOSE") != NULL;
    config->strict = getenv("BAREWIRE_STRICT") != NULL;
    if ((value = getenv("BAREWIRE_TRACE")) && !parse_trace(value, &config->trace, error))
        return false;
    if ((value = getenv("BAREWIRE_TRACE_FILE")))
        snprintf(config->trace_file, sizeof config->trace_file, "%s", value);
    if ((value = getenv("BAREWIRE_PCAP")) && !set_file(PATH_WANTED("pcap"), value, config->pcap, error))
        return false;
    if ((value = getenv("BAREWIRE_RECORD")) && !set_file(PATH_WANTED("record"), value, config->record, error))
        return false;
    if ((value = getenv("BAREWIRE_NIC")) && !parse_nic(value, config, error))
        return false;
    if (!config->nic[0] && !getenv("BAREWIRE_NAME"))
        config_nic(PASST, config->nic);
    if ((value = getenv("BAREWIRE_PUBLISH")) && !parse_publish(value, config, error))
        return false;
    if (!parse_addresses(config, error))
        return false;
    if ((value = getenv("BAREWIRE_GATEWAY")) && !parse_each(value, config, error, parse_gateway))
        return false;
    if ((value = getenv("BAREWIRE_MAC")) && !parse_mac(value, config, error))
        return false;
    if ((value = getenv("BAREWIRE_MTU")) && !parse_number(value, 68, 65535, &config->mtu))
        return fail(error, "--mtu '%s': give a number from 68 to 65535", value);
    if ((value = getenv("BAREWIRE_SPIN")) && !parse_number(value, 0, SPIN_MAX_US, &config->spin_us))
        return fail(error, "--spin '%s': give microseconds, from 0 to 1000000", value);
    if ((value = getenv("BAREWIRE_IO_URING")) && !parse_io_uring(value, &config->io_uring))
        return fail(error, "--io-uring '%s': give none, files or kernel", value);
    if ((value = getenv("BAREWIRE_IMPAIR")) &&
        snprintf(config->impair, sizeof config->impair, "%s", value) >= (int)sizeof config->impair)
        return fail(error, "--impair '%.40s...' is too long", value);
    if ((value = getenv("BAREWIRE_SYSCTL")) && !parse_sysctl(value, config, error))
        return false;
    if ((value = getenv("BAREWIRE_DNS")) && !parse_dns(value, config, error))
        return false;
    if ((value = getenv("BAREWIRE_LOOPBACK"))) {
        config->loopback_given = true;
        config->loopback = strcmp(value, "stack") == 0;
        if (!config->loopback && strcmp(value, "kernel") != 0)
            return fail(error, "--loopback '%s': give kernel or stack", value);
    }
    if ((value = getenv("BAREWIRE_NAME")) && !set_name(value, config, error))
        return false;
    if (config->name_given)
        return true; /* may join a stack that is there, knowing no more than its name */
    if (!config->address && config->gateway)
        return fail(error, "--gateway %s needs an address; without one DHCP tells the gateway",
                    getenv("BAREWIRE_GATEWAY"));
    bool near = !config->gateway;
    for (uint32_t i = 0; i <= config->more_count && !near; i++) {
        struct ip4_own own = config_address4(config, i);
        near = !((config->gateway ^ own.address) & ip4_mask(own.prefix_length));
    }
    return near ||
           fail(error, "--gateway %s is not on the address's own network", getenv("BAREWIRE_GATEWAY"));
}

bool config_read(struct config *config, char *error) {
    bool good = config_check(config, error);
    if (good && !config->name_given)
        default_name(config);
    return good;
}

/* XDG_RUNTIME_DIR counts if it is this user's own: after sudo(8) or su(1) it may be another's, who could put
 * something else there at any time. */
static const char *runtime_directory(void) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat status;
    bool own = runtime && *runtime == '/' && strlen(runtime) < 40 && stat(runtime, &status) == 0 &&
               status.st_uid == geteuid();
    return own ? runtime : "/run";
}

static bool directory_good(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & 077) == 0 && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

/* The index-th place for the directory. False when there are no more. */
static bool directory_candidate(unsigned index, char path[108]) {
    const char *const parents[] = {runtime_directory(), "/run", "/tmp"};
    if (index >= sizeof parents / sizeof *parents)
        return false;
    snprintf(path, 108, "%s/barewire-%u", parents[index], (unsigned)geteuid());
    return true;
}

bool config_find_directory(char path[108]) {
    for (unsigned i = 0; directory_candidate(i, path); i++)
        if (directory_good(path))
            return true;
    return false;
}

bool config_directory(char path[108], char *error) {
    for (unsigned i = 0; directory_candidate(i, path); i++)
        if ((mkdir(path, 0700) == 0 || errno == EEXIST) && directory_good(path))
            return true;
    directory_candidate(2, path);
    return fail(error, "can't make the directory %s for this user alone; remove what is there", path);
}

#define TEXT(field) \
    { offsetof(struct config, field), sizeof((struct config *)0)->field }
#define FLAG(field) \
    { offsetof(struct config, field), 0 }

bool config_is_whole(const struct config *config) {
    static const struct {
        size_t at, room; /* of a text; 0: a flag */
    } parts[] = {
        TEXT(nic),        TEXT(name),           TEXT(publish),  TEXT(pcap),       TEXT(record),
        TEXT(impair),     TEXT(sysctl),         TEXT(dns),      TEXT(trace_file), FLAG(address_given),
        FLAG(dhcp),       FLAG(autoconf),       FLAG(no_ipv6),  FLAG(name_given), FLAG(mac_given),
        FLAG(mac_of_nic), FLAG(loopback_given), FLAG(loopback), FLAG(verbose),    FLAG(strict)};
    const uint8_t *bytes = (const uint8_t *)config;
    if (config->count6 > CONFIG_ADDRESSES6_MAX || config->more_count > IP4_MORE_MAX)
        return false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const uint8_t *part = bytes + parts[i].at;
        if (parts[i].room ? !memchr(part, 0, parts[i].room) : *part > 1)
            return false;
    }
    return true;
}
