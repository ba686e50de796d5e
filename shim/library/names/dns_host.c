/* SPDX-License-Identifier: MIT */
/*
 * dns_host.c - see dns_host.h.
 */
#include "shim/library/names/dns_host.h"
#include "shim/library/memory.h"
#include "shim/library/names/dns.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ALIASES_MAX 64
#define RECORD_BYTES 10 /* type, class, TTL and length, after a record's name */

/* What a walk through an answer finds. */
struct harvest {
    char name[NS_MAXDNAME];       /* the question's, then what it is an alias of, and so on */
    struct resolved *resolved;    /* where addresses go, or NULL */
    char (*aliases)[NS_MAXDNAME]; /* other names, or NULL */
    int alias_count;
    char target[NS_MAXDNAME]; /* of the first PTR; empty: none */
};

static uint16_t get16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void add_alias(struct harvest *harvest, const char *name) {
    if (harvest->aliases && harvest->alias_count < ALIASES_MAX)
        strcpy(harvest->aliases[harvest->alias_count++], name);
}

static void add_address(struct harvest *harvest, int family, const uint8_t *data, uint16_t length) {
    struct resolved *resolved = harvest->resolved;
    uint16_t expected = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    if (!resolved || length != expected || resolved->count == RESOLVER_ADDRESSES_MAX)
        return;
    struct resolved_address *address = &resolved->addresses[resolved->count++];
    *address = (struct resolved_address){.family = family};
    memcpy(&address->address, data, length);
}

/* One record of the answer, whose owner is the name in question. */
static void take_record(struct harvest *harvest, const uint8_t *message, const uint8_t *end, int type,
                        const uint8_t *data, uint16_t length) {
    char name[NS_MAXDNAME];
    bool names = type == ns_t_cname || type == ns_t_ptr;
    if (names && dn_expand(message, end, data, name, sizeof name) < 0)
        return;
    if (type == ns_t_cname) {
        add_alias(harvest, harvest->name);
        strcpy(harvest->name, name);
    } else if (type == ns_t_ptr) {
        if (harvest->target[0])
            add_alias(harvest, name);
        else
            strcpy(harvest->target, name);
    } else if (type == ns_t_a || type == ns_t_aaaa) {
        add_address(harvest, type == ns_t_a ? AF_INET : AF_INET6, data, length);
    }
}

/* Walks through an answer's records. `name` begins as the question's own. */
static void walk(struct harvest *harvest, const struct dns_exchange *exchange) {
    const uint8_t *message = exchange->answer;
    int length = exchange->length < exchange->room ? exchange->length : exchange->room, used;
    const uint8_t *end = message + length, *at = message + NS_HFIXEDSZ;
    if (length < NS_HFIXEDSZ || (message[3] & 15) != ns_r_noerror || get16(message + 4) != 1 ||
        (used = dn_expand(message, end, at, harvest->name, sizeof harvest->name)) < 0)
        return;
    at += used + NS_QFIXEDSZ;
    for (int left = get16(message + 6); left > 0 && at < end; left--) {
        char owner[NS_MAXDNAME];
        used = dn_expand(message, end, at, owner, sizeof owner);
        if (used < 0 || end - at < used + RECORD_BYTES)
            return;
        at += used;
        uint16_t bytes = get16(at + 8);
        if (end - at < RECORD_BYTES + bytes)
            return;
        if (get16(at + 2) == ns_c_in && strcasecmp(owner, harvest->name) == 0)
            take_record(harvest, message, end, get16(at), at + RECORD_BYTES, bytes);
        at += RECORD_BYTES + bytes;
    }
}

/* The state of an NSS module's answer. */
static enum nss_status status_of(int host_error) {
    if (host_error == 0)
        return NSS_STATUS_SUCCESS;
    if (host_error == TRY_AGAIN && (errno == ECONNREFUSED || errno == ETIMEDOUT))
        return NSS_STATUS_UNAVAIL;
    return host_error == TRY_AGAIN ? NSS_STATUS_TRYAGAIN : NSS_STATUS_NOTFOUND;
}

/* A question, its answers' places, and where libc keeps what it has read. */
struct asking {
    struct dns_resolver resolver;
    struct dns_exchange exchanges[DNS_AT_ONCE];
    uint8_t answers[DNS_AT_ONCE][DNS_MESSAGE_MAX];
    char aliases[ALIASES_MAX][NS_MAXDNAME];
    struct resolved resolved;
};

/* Asks for a name's records. Leaves nothing to give back but the memory. */
static enum nss_status ask_servers(struct asking *asking, const char *name, const int *types, int count,
                                   bool search, int *host_error) {
    res_state state = dns_begin(&asking->resolver);
    *host_error = NO_RECOVERY;
    if (!state)
        return NSS_STATUS_UNAVAIL;
    for (int i = 0; i < count; i++)
        asking->exchanges[i] = (struct dns_exchange){.answer = asking->answers[i], .room = DNS_MESSAGE_MAX};
    errno = 0;
    if ((search ? dns_search : dns_query)(state, name, ns_c_in, types, asking->exchanges, count,
                                          host_error) == 0)
        *host_error = 0;
    dns_end(&asking->resolver);
    return status_of(*host_error);
}

static struct asking *begin_question(int *host_error, enum nss_status *status) {
    struct asking *asking = memory_take(sizeof *asking);
    if (!asking) {
        errno = ENOMEM;
        *host_error = NETDB_INTERNAL;
        *status = NSS_STATUS_TRYAGAIN;
    }
    return asking;
}

enum nss_status dns_host_addresses(const char *name, int family, struct resolved *resolved, int *host_error) {
    static const int both[DNS_AT_ONCE] = {ns_t_a, ns_t_aaaa}, four[1] = {ns_t_a}, six[1] = {ns_t_aaaa};
    enum nss_status status;
    struct asking *asking = begin_question(host_error, &status);
    if (!asking)
        return status;
    int count = family == AF_UNSPEC ? DNS_AT_ONCE : 1, before = resolved->count;
    status = ask_servers(asking, name,
                         family == AF_UNSPEC ? both
                         : family == AF_INET ? four
                                             : six,
                         count, true, host_error);
    for (int i = 0; i < count && status == NSS_STATUS_SUCCESS; i++) {
        struct harvest harvest = {.resolved = resolved};
        int had = resolved->count;
        walk(&harvest, &asking->exchanges[i]);
        if (resolved->count > had && !resolved->canonical[0])
            strcpy(resolved->canonical, harvest.name);
    }
    memory_give(asking);
    if (status == NSS_STATUS_SUCCESS && resolved->count == before) {
        *host_error = HOST_NOT_FOUND;
        status = NSS_STATUS_NOTFOUND;
    }
    return status;
}

/* A hostent and what it points to, in the caller's buffer. */
struct packing {
    char *at;
    size_t left;
    bool failed;
};

static void *pack(struct packing *packing, const void *from, size_t length, size_t alignment) {
    size_t skip = -(uintptr_t)packing->at % alignment;
    if (packing->failed || packing->left < skip + length) {
        packing->failed = true;
        return NULL;
    }
    void *to = packing->at + skip;
    if (from)
        memcpy(to, from, length);
    packing->at += skip + length;
    packing->left -= skip + length;
    return to;
}

static char *pack_text(struct packing *packing, const char *text) {
    return pack(packing, text, strlen(text) + 1, 1);
}

static enum nss_status pack_host(struct asking *asking, const struct harvest *harvest, const char *name,
                                 struct hostent *host, char *buffer, size_t length, int *host_error) {
    struct packing packing = {buffer, length, false};
    const struct resolved *resolved = harvest->resolved;
    host->h_addr_list = pack(&packing, NULL, ((size_t)resolved->count + 1) * sizeof(char *), sizeof(char *));
    host->h_aliases =
        pack(&packing, NULL, ((size_t)harvest->alias_count + 1) * sizeof(char *), sizeof(char *));
    for (int i = 0; i < resolved->count && !packing.failed; i++)
        host->h_addr_list[i] = pack(&packing, &resolved->addresses[i].address, (size_t)host->h_length, 4);
    for (int i = 0; i < harvest->alias_count && !packing.failed; i++)
        host->h_aliases[i] = pack_text(&packing, asking->aliases[i]);
    host->h_name = packing.failed ? NULL : pack_text(&packing, name);
    if (packing.failed) {
        errno = ERANGE;
        *host_error = NETDB_INTERNAL;
        return NSS_STATUS_TRYAGAIN;
    }
    host->h_addr_list[resolved->count] = NULL;
    host->h_aliases[harvest->alias_count] = NULL;
    return NSS_STATUS_SUCCESS;
}

/* Records there were, as of an alias, but not what was asked for. */
static enum nss_status nothing_found(int *host_error) {
    *host_error = HOST_NOT_FOUND;
    return NSS_STATUS_NOTFOUND;
}

enum nss_status dns_host_by_name(const char *name, int family, struct hostent *host, char *buffer,
                                 size_t length, int *host_error) {
    const int type = family == AF_INET6 ? ns_t_aaaa : ns_t_a;
    enum nss_status status;
    struct asking *asking = begin_question(host_error, &status);
    if (!asking)
        return status;
    struct harvest harvest = {.resolved = &asking->resolved, .aliases = asking->aliases};
    status = ask_servers(asking, name, &type, 1, true, host_error);
    if (status == NSS_STATUS_SUCCESS) {
        walk(&harvest, &asking->exchanges[0]);
        host->h_addrtype = family;
        host->h_length = family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
        status = asking->resolved.count == 0
                     ? nothing_found(host_error)
                     : pack_host(asking, &harvest, harvest.name, host, buffer, length, host_error);
    }
    memory_give(asking);
    return status;
}

/* The name in the DNS of an address (RFC 1035 section 3.5, RFC 3596 section 2.5). */
static void name_address(const uint8_t *address, int family, char name[NS_MAXDNAME]) {
    size_t used = 0;
    if (family == AF_INET) {
        snprintf(name, NS_MAXDNAME, "%u.%u.%u.%u.in-addr.arpa", address[3], address[2], address[1],
                 address[0]);
        return;
    }
    for (int i = sizeof(struct in6_addr) - 1; i >= 0; i--)
        used += (size_t)snprintf(name + used, NS_MAXDNAME - used, "%x.%x.", address[i] & 15, address[i] >> 4);
    snprintf(name + used, NS_MAXDNAME - used, "ip6.arpa");
}

enum nss_status dns_host_by_address(const void *address, socklen_t address_length, int family,
                                    struct hostent *host, char *buffer, size_t length, int *host_error) {
    static const int type = ns_t_ptr;
    enum nss_status status;
    char name[NS_MAXDNAME];
    struct asking *asking = begin_question(host_error, &status);
    if (!asking)
        return status;
    bool mapped = family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address);
    name_address((const uint8_t *)address + (mapped ? 12 : 0), mapped ? AF_INET : family, name);
    struct harvest harvest = {.resolved = &asking->resolved, .aliases = asking->aliases};
    status = ask_servers(asking, name, &type, 1, false, host_error);
    if (status == NSS_STATUS_SUCCESS) {
        walk(&harvest, &asking->exchanges[0]);
        host->h_addrtype = family;
        host->h_length = (int)address_length;
        asking->resolved.count = 1;
        memcpy(&asking->resolved.addresses[0].address, address, address_length);
        status = harvest.target[0]
                     ? pack_host(asking, &harvest, harvest.target, host, buffer, length, host_error)
                     : nothing_found(host_error);
    }
    memory_give(asking);
    return status;
}
