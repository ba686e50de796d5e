/* SPDX-License-Identifier: MIT */
/*
 * resolver.c - see resolver.h: the sources in turn. What counts as an answer, and which error is told when
 * there is none, is as glibc's getaddrinfo(3) and gethostbyname_r(3) have it.
 */
#include "shim/library/names/resolver.h"
#include "shim/library/memory.h"
#include "shim/library/names/dns_host.h"
#include "shim/library/names/nsswitch.h"
#include "shim/region/libc.h"
#include <dlfcn.h>
#include <errno.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

#define SCRATCH_BYTES (1u << 20) /* for what a module tells; pages that are not touched cost nothing */

enum source_kind {
    SOURCE_MODULE, /* libc's "files", or libnss_NAME.so.2 */
    SOURCE_DNS,    /* also systemd's resolver, which would ask over the kernel's network */
    SOURCE_ABSENT, /* asks over the kernel's network, and has no like here: multicast DNS by avahi */
};

static enum source_kind kind_of(const struct nsswitch_source *source) {
    if (strcmp(source->name, "dns") == 0 || strcmp(source->name, "resolve") == 0)
        return SOURCE_DNS;
    return strncmp(source->name, "mdns", 4) == 0 ? SOURCE_ABSENT : SOURCE_MODULE;
}

/* A module's function, or NULL. A module stays loaded, as libc keeps it. */
static void *function_of(const struct nsswitch_source *source, const char *function) {
    char symbol[NSSWITCH_NAME_BYTES + 40], library[NSSWITCH_NAME_BYTES + 16];
    snprintf(symbol, sizeof symbol, "_nss_%s_%s", source->name, function);
    void *found = strcmp(source->name, "files") == 0 ? dlsym(RTLD_NEXT, symbol) : NULL;
    if (found)
        return found;
    snprintf(library, sizeof library, "libnss_%s.so.2", source->name);
    void *module = dlopen(library, RTLD_NOW);
    return module ? dlsym(module, symbol) : NULL;
}

/* libc reads host.conf(5), of which its "files" makes use, with resolv.conf. */
static void begin_sources(struct nsswitch *nsswitch) {
    static _Atomic bool done;
    struct __res_state state = {0};
    if (!done && LIBC(__res_ninit)(&state) == 0)
        res_nclose(&state);
    done = true;
    nsswitch_read(nsswitch);
}

static enum nss_status unavailable(int *host_error) {
    *host_error = NO_RECOVERY;
    return NSS_STATUS_UNAVAIL;
}

static void add(struct resolved *resolved, int family, const void *address, uint32_t scope) {
    if (resolved->count == RESOLVER_ADDRESSES_MAX || (family != AF_INET && family != AF_INET6))
        return;
    struct resolved_address *to = &resolved->addresses[resolved->count++];
    *to = (struct resolved_address){.family = family, .scope = scope};
    memcpy(&to->address, address, family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr));
}

static void name_canonical(struct resolved *resolved, const char *name) {
    if (name && !resolved->canonical[0])
        snprintf(resolved->canonical, sizeof resolved->canonical, "%s", name);
}

/* gethostbyname4_r: all of a name's addresses. */
static enum nss_status all_of_module(nss_gethostbyname4_r *function, const char *name,
                                     struct resolved *resolved, int *host_error) {
    struct gaih_addrtuple *tuple = NULL;
    char *scratch = memory_take(SCRATCH_BYTES);
    int error = ENOMEM;
    if (!scratch)
        return unavailable(host_error);
    enum nss_status status = function(name, &tuple, scratch, SCRATCH_BYTES, &error, host_error, NULL);
    if (status == NSS_STATUS_SUCCESS && tuple)
        name_canonical(resolved, tuple->name);
    for (; status == NSS_STATUS_SUCCESS && tuple; tuple = tuple->next)
        add(resolved, tuple->family, tuple->addr, tuple->scopeid);
    memory_give(scratch);
    return status;
}

/* gethostbyname3_r, or 2: those of one family. */
static enum nss_status family_of_module(const struct nsswitch_source *source, const char *name, int family,
                                        struct resolved *resolved, int *host_error) {
    nss_gethostbyname3_r *three = function_of(source, "gethostbyname3_r");
    nss_gethostbyname2_r *two = three ? NULL : function_of(source, "gethostbyname2_r");
    struct hostent host;
    char *canonical = NULL, *scratch = three || two ? memory_take(SCRATCH_BYTES) : NULL;
    int error = 0;
    if (!scratch)
        return unavailable(host_error);
    enum nss_status status =
        three ? three(name, family, &host, scratch, SCRATCH_BYTES, &error, host_error, NULL, &canonical)
              : two(name, family, &host, scratch, SCRATCH_BYTES, &error, host_error);
    if (status == NSS_STATUS_SUCCESS) {
        name_canonical(resolved, canonical ? canonical : host.h_name);
        for (char **address = host.h_addr_list; *address; address++)
            add(resolved, host.h_addrtype, *address, 0);
    }
    memory_give(scratch);
    return status;
}

static enum nss_status family_of(const struct nsswitch_source *source, const char *name, int family,
                                 struct resolved *resolved, int *host_error) {
    switch (kind_of(source)) {
    case SOURCE_DNS:
        return dns_host_addresses(name, family, resolved, host_error);
    case SOURCE_MODULE:
        return family_of_module(source, name, family, resolved, host_error);
    default:
        return unavailable(host_error);
    }
}

/* What the sources have said so far of one family. */
struct verdict {
    enum nss_status status;
    int no_data; /* 0, EAI_AGAIN, or 1: the name is known, but has nothing of that kind */
};

static struct verdict verdict_of(enum nss_status status, int host_error) {
    bool good = status == NSS_STATUS_SUCCESS;
    return (struct verdict){status, good ? 0 : host_error == TRY_AGAIN ? EAI_AGAIN : host_error == NO_DATA};
}

/* Of both families a module without gethostbyname4_r is asked twice. */
static enum nss_status both_of(const struct nsswitch_source *source, const struct resolver_wish *wish,
                               struct resolved *resolved, struct verdict verdicts[2], int *host_error) {
    nss_gethostbyname4_r *function = NULL;
    enum source_kind kind = kind_of(source);
    if (kind == SOURCE_MODULE)
        function = function_of(source, "gethostbyname4_r");
    if (function || kind != SOURCE_MODULE) {
        enum nss_status status =
            function
                ? all_of_module(function, wish->name, resolved, host_error)
                : family_of(source, wish->name, wish->no_inet6 ? AF_INET : AF_UNSPEC, resolved, host_error);
        verdicts[0] = verdicts[1] = verdict_of(status, *host_error);
        return status;
    }
    enum nss_status six = family_of(source, wish->name, AF_INET6, resolved, host_error);
    verdicts[1] = verdict_of(six, *host_error);
    enum nss_status four = family_of(source, wish->name, AF_INET, resolved, host_error);
    verdicts[0] = verdict_of(four, *host_error);
    return six == NSS_STATUS_SUCCESS || four == NSS_STATUS_SUCCESS ? NSS_STATUS_SUCCESS
           : six == NSS_STATUS_TRYAGAIN                            ? six
           : four == NSS_STATUS_UNAVAIL                            ? six
                                                                   : four;
}

/* One family, and for AF_INET6 perhaps IPv4 as well. */
static enum nss_status one_of(const struct nsswitch_source *source, const struct resolver_wish *wish,
                              struct resolved *resolved, struct verdict verdicts[2], int *host_error) {
    enum nss_status status = family_of(source, wish->name, wish->family, resolved, host_error);
    verdicts[0] = verdicts[1] = verdict_of(status, *host_error);
    if (wish->family != AF_INET6 || !wish->mapped || (!wish->all && resolved->count > 0))
        return status;
    enum nss_status four = family_of(source, wish->name, AF_INET, resolved, host_error);
    verdicts[0] = verdict_of(four, *host_error);
    return status == NSS_STATUS_SUCCESS ? status : four;
}

static int tell_error(const struct resolver_wish *wish, const struct verdict verdicts[2], int host_error) {
    enum nss_status status = verdicts[0].status;
    if ((status == NSS_STATUS_TRYAGAIN || status == NSS_STATUS_UNAVAIL) && host_error == NETDB_INTERNAL)
        return EAI_SYSTEM;
    if (wish->family == AF_INET && !wish->canonical)
        return host_error == TRY_AGAIN ? EAI_AGAIN : host_error == NO_DATA ? EAI_NODATA : EAI_NONAME;
    if (verdicts[0].no_data && verdicts[1].no_data)
        return verdicts[0].no_data == EAI_AGAIN && verdicts[1].no_data == EAI_AGAIN ? EAI_AGAIN : EAI_NODATA;
    return EAI_NONAME;
}

int resolver_addresses(const struct resolver_wish *wish, struct resolved *resolved) {
    struct nsswitch nsswitch;
    struct verdict verdicts[2] = {0};
    int host_error = HOST_NOT_FOUND;
    begin_sources(&nsswitch);
    for (int i = 0; i < nsswitch.count; i++) {
        const struct nsswitch_source *source = &nsswitch.sources[i];
        resolved->count = 0;
        resolved->canonical[0] = 0;
        enum nss_status status =
            (wish->family == AF_UNSPEC ? both_of : one_of)(source, wish, resolved, verdicts, &host_error);
        if (nsswitch_ends(source, status))
            break;
    }
    return resolved->count > 0 ? 0 : tell_error(wish, verdicts, host_error);
}

/* The end of a search for a hostent. */
static int host_result(enum nss_status status, int *host_error) {
    if (status == NSS_STATUS_SUCCESS) {
        *host_error = NETDB_SUCCESS;
        return 0;
    }
    if (status == NSS_STATUS_NOTFOUND)
        return ENOENT;
    return status == NSS_STATUS_TRYAGAIN && *host_error == NETDB_INTERNAL && errno ? errno : EAGAIN;
}

static bool too_small(enum nss_status status, int host_error) {
    return status == NSS_STATUS_TRYAGAIN && host_error == NETDB_INTERNAL && errno == ERANGE;
}

int resolver_host_by_name(const char *name, int family, struct hostent *host, char *buffer, size_t length,
                          int *host_error) {
    struct nsswitch nsswitch;
    enum nss_status status = NSS_STATUS_UNAVAIL;
    begin_sources(&nsswitch);
    for (int i = 0; i < nsswitch.count; i++) {
        const struct nsswitch_source *source = &nsswitch.sources[i];
        nss_gethostbyname2_r *function =
            kind_of(source) == SOURCE_MODULE ? function_of(source, "gethostbyname2_r") : NULL;
        status = kind_of(source) == SOURCE_DNS
                     ? dns_host_by_name(name, family, host, buffer, length, host_error)
                 : function ? function(name, family, host, buffer, length, &errno, host_error)
                            : unavailable(host_error);
        if (nsswitch_ends(source, status) || too_small(status, *host_error))
            break;
    }
    return host_result(status, host_error);
}

int resolver_host_by_address(const void *address, socklen_t address_length, int family, struct hostent *host,
                             char *buffer, size_t length, int *host_error) {
    struct nsswitch nsswitch;
    enum nss_status status = NSS_STATUS_UNAVAIL;
    begin_sources(&nsswitch);
    for (int i = 0; i < nsswitch.count; i++) {
        const struct nsswitch_source *source = &nsswitch.sources[i];
        nss_gethostbyaddr_r *function =
            kind_of(source) == SOURCE_MODULE ? function_of(source, "gethostbyaddr_r") : NULL;
        status = kind_of(source) == SOURCE_DNS
                     ? dns_host_by_address(address, address_length, family, host, buffer, length, host_error)
                 : function
                     ? function(address, address_length, family, host, buffer, length, &errno, host_error)
                     : unavailable(host_error);
        if (nsswitch_ends(source, status) || too_small(status, *host_error))
            break;
    }
    return host_result(status, host_error);
}
