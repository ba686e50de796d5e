/* SPDX-License-Identifier: MIT */
/*
 * getaddrinfo.c - getaddrinfo(3), getnameinfo, gethostbyname, gethostbyaddr and their _r forms; see
 * resolver.h.
 *
 * What needs no name server stays libc's: numbers, services, the making of a result. A list of addresses is
 * the concatenation of what libc's getaddrinfo makes of each as a number, so that libc's freeaddrinfo can
 * free it.
 *
 * AI_ADDRCONFIG looks at the stack's IPv4 addresses; IPv6 is the kernel's, so whether there is any at all is
 * the kernel's to say. Yet of a name with addresses of both families a program that asks for any is told the
 * IPv4 ones: the stack reaches no others. ::1 in /etc/hosts is the kernel's, and told.
 */
#include "shim/library/calls/call.h"
#include "shim/library/memory.h"
#include "shim/library/names/destination_order.h"
#include "shim/library/names/resolver.h"
#include "shim/library/process/netns.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDN_OLD_FLAGS 0x300 /* AI_IDN_ALLOW_UNASSIGNED, AI_IDN_USE_STD3_ASCII_RULES: known, and of no use */
#define KNOWN_FLAGS                                                                                    \
    (AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_ADDRCONFIG | AI_V4MAPPED | AI_IDN | AI_CANONIDN | \
     AI_NUMERICSERV | AI_ALL | IDN_OLD_FLAGS)
#define IDN2_NFC_INPUT 1 /* <idn2.h> */

static bool is_numeric(const char *node) {
    struct addrinfo question = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;
    if (LIBC(getaddrinfo)(node, NULL, &question, &found))
        return false;
    freeaddrinfo(found);
    return true;
}

/* An address of the stack's counts, unless it is the loopback's; one that is still to come by DHCP, too. */
static bool has_inet(void) {
    return attached() ? shared->stack.config.address != 0
                      : attach_config.dhcp || attach_config.name_given ||
                            (attach_config.address && !ip4_is_loopback(attach_config.address));
}

/* Each interface that knows IPv6 has at least a link-local address, which glibc counts: the stack's, or else
 * the kernel's. */
static bool has_inet6(void) {
    if (attach_has_inet6())
        return true;
    int fd = LIBC(socket)(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        LIBC(close)(fd);
    return fd >= 0;
}

/* AI_ADDRCONFIG: narrows the question to the families that the host has. Returns 0 or EAI_NONAME. */
static int narrow(struct addrinfo *question) {
    bool inet = has_inet(), inet6 = question->ai_family != AF_INET && has_inet6();
    question->ai_flags &= ~AI_ADDRCONFIG;
    if (question->ai_family == AF_UNSPEC && inet != inet6)
        question->ai_family = inet ? AF_INET : AF_INET6;
    return (question->ai_family == AF_INET && !inet) || (question->ai_family == AF_INET6 && !inet6)
               ? EAI_NONAME
               : 0;
}

/* A list that grows at its end. */
struct answer {
    struct addrinfo *first, **end;
};

/* Appends what libc makes of an address. */
static int append(struct answer *answer, const struct resolved_address *address, const char *service,
                  const struct addrinfo *question) {
    char text[INET6_ADDRSTRLEN];
    struct addrinfo as_number = *question, *found = NULL;
    inet_ntop(address->family, &address->address, text, sizeof text);
    as_number.ai_family = address->family;
    as_number.ai_flags = (question->ai_flags & (AI_NUMERICSERV | AI_PASSIVE)) | AI_NUMERICHOST;
    int error = LIBC(getaddrinfo)(text, service, &as_number, &found);
    if (error)
        return error;
    *answer->end = found;
    for (; *answer->end; answer->end = &(*answer->end)->ai_next)
        if (address->family == AF_INET6 && address->scope)
            ((struct sockaddr_in6 *)(void *)(*answer->end)->ai_addr)->sin6_scope_id = address->scope;
    return 0;
}

static void map(struct resolved_address *address) {
    struct in6_addr six = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&six.s6_addr[12], &address->address, sizeof(struct in_addr));
    *address = (struct resolved_address){.family = AF_INET6, .address = six};
}

/* Whether an IPv6 address is told to a program that asks for any: see above. */
static bool is_told(const struct resolved_address *address, bool has_inet) {
    return attach_has_inet6() || IN6_IS_ADDR_LOOPBACK(&address->address) ||
           (!has_inet && !destination_leaves(&address->address));
}

static bool has_family(const struct resolved *resolved, int family) {
    for (int i = 0; i < resolved->count; i++)
        if (resolved->addresses[i].family == family)
            return true;
    return false;
}

/* Leaves what the question wants. */
static void choose(struct resolved *resolved, const struct addrinfo *question) {
    bool has_inet = has_family(resolved, AF_INET), has_inet6 = has_family(resolved, AF_INET6);
    int kept = 0;
    for (int i = 0; i < resolved->count; i++) {
        struct resolved_address address = resolved->addresses[i];
        bool six = address.family == AF_INET6;
        if (six ? question->ai_family == AF_INET
                : question->ai_family == AF_INET6 && has_inet6 && !(question->ai_flags & AI_ALL))
            continue;
        if (question->ai_family == AF_UNSPEC && six && !is_told(&address, has_inet))
            continue;
        if (question->ai_family == AF_INET6 && !six)
            map(&address);
        resolved->addresses[kept++] = address;
    }
    resolved->count = kept;
}

/* Internationalized names, by libidn2 where it is there, as libc does. Gives the name to ask for, and in
 * *made what is to be freed; NULL: that can't be. */
static const char *encode_name(const char *node, int flags, char **made) {
    bool plain = true;
    for (const char *at = node; *at; at++)
        plain &= (unsigned char)*at < 0x80;
    *made = NULL;
    if (plain || !(flags & AI_IDN))
        return node;
    void *library = dlopen("libidn2.so.0", RTLD_NOW);
    int (*encode)(const char *, char **, int) = library ? dlsym(library, "idn2_lookup_ul") : NULL;
    return encode && encode(node, made, IDN2_NFC_INPUT) == 0 ? *made : NULL;
}

static char *decode_name(const char *name, int flags) {
    char *decoded = NULL;
    void *library = flags & AI_CANONIDN ? dlopen("libidn2.so.0", RTLD_NOW) : NULL;
    int (*decode)(const char *, char **, int) = library ? dlsym(library, "idn2_to_unicode_lzlz") : NULL;
    return decode && decode(name, &decoded, 0) == 0 ? decoded : strdup(name);
}

/* Resolves a name, which is no number. `question` is what is left of the flags. */
static int resolve(const char *node, const char *service, const struct addrinfo *question,
                   bool configured_only, struct answer *answer) {
    char *made;
    const char *name = encode_name(node, question->ai_flags, &made);
    struct resolver_wish wish = {.name = name,
                                 .family = question->ai_family,
                                 .canonical = question->ai_flags & AI_CANONNAME,
                                 .mapped = question->ai_flags & AI_V4MAPPED,
                                 .all = question->ai_flags & AI_ALL,
                                 .no_inet6 = !attach_has_inet6()};
    struct resolved *resolved = name ? memory_take(sizeof *resolved) : NULL;
    int error = !name ? EAI_IDN_ENCODE : !resolved ? EAI_MEMORY : resolver_addresses(&wish, resolved);
    if ((error == EAI_NODATA || error == EAI_NONAME) && wish.family == AF_UNSPEC && !configured_only) {
        wish.no_inet6 = false;
        error = resolver_addresses(&wish, resolved);
    }
    if (!error) {
        choose(resolved, question);
        destination_order(resolved->addresses, resolved->count);
        error = resolved->count == 0 ? EAI_NODATA : 0;
    }
    for (int i = 0; !error && i < resolved->count; i++)
        error = append(answer, &resolved->addresses[i], service, question);
    if (!error && question->ai_flags & AI_CANONNAME) {
        answer->first->ai_canonname =
            decode_name(resolved->canonical[0] ? resolved->canonical : name, question->ai_flags);
        error = answer->first->ai_canonname ? 0 : EAI_MEMORY;
    }
    memory_give(resolved);
    free(made);
    return error;
}

/* Whatever is wrong with the question but the name, libc finds. */
static int check(const char *service, const struct addrinfo *question) {
    struct addrinfo as_number = *question, *checked;
    as_number.ai_flags &= ~AI_CANONNAME;
    int error = LIBC(getaddrinfo)(question->ai_family == AF_INET6 ? "::1" : "127.0.0.1", service, &as_number,
                                  &checked);
    if (!error)
        freeaddrinfo(checked);
    return error;
}

/* The host itself, of both families: each is asked for alone, since libc would look at how it reaches them by
 * sockets of its own. */
static int resolve_none(const char *service, const struct addrinfo *question, struct answer *answer) {
    struct addrinfo one = *question;
    bool passive = question->ai_flags & AI_PASSIVE;
    struct resolved_address both[2] = {
        {.family = AF_INET6,
         .address = passive ? (struct in6_addr)IN6ADDR_ANY_INIT : (struct in6_addr)IN6ADDR_LOOPBACK_INIT},
        {.family = AF_INET}};
    const struct in_addr inet = {htonl(passive ? INADDR_ANY : INADDR_LOOPBACK)};
    int error = 0;
    memcpy(&both[1].address, &inet, sizeof inet);
    destination_order(both, 2);
    for (int i = 0; i < 2 && !error; i++) {
        one.ai_family = both[i].family;
        error = LIBC(getaddrinfo)(NULL, service, &one, answer->end);
        while (!error && *answer->end)
            answer->end = &(*answer->end)->ai_next;
    }
    return error;
}

/* An address of the link's with the name of an interface that is the stack's own, and which libc does not know: fe80::1%NAME
 * with its index in the name's place. */
static const char *number_scope(const char *node, char numbered[INET6_ADDRSTRLEN + 16]) {
    const char *scope = node ? strchr(node, '%') : NULL;
    size_t address = scope ? (size_t)(scope - node) : 0;
    if (!scope || !scope[1] || address >= INET6_ADDRSTRLEN || LIBC(if_nametoindex)(scope + 1))
        return node;
    unsigned index = if_nametoindex(scope + 1);
    if (!index)
        return node;
    snprintf(numbered, INET6_ADDRSTRLEN + 16, "%.*s%%%u", (int)address, node, index);
    return numbered;
}

/* The other way round, in what libc has made of an address. */
static int name_scope(const struct sockaddr *address, char *host, socklen_t room) {
    struct sockaddr_in6 six;
    char name[IF_NAMESIZE], *scope = host && room ? strchr(host, '%') : NULL;
    if (!scope || address->sa_family != AF_INET6)
        return 0;
    memcpy(&six, address, sizeof six);
    if (!if_indextoname(six.sin6_scope_id, name))
        return 0;
    size_t before = (size_t)(scope + 1 - host);
    if (before + strlen(name) >= room)
        return EAI_OVERFLOW;
    strcpy(scope + 1, name);
    return 0;
}

EXPORT int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result) {
    static const struct addrinfo none = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
    struct answer answer = {NULL, &answer.first};
    struct addrinfo question = hints ? *hints : none;
    int asked_flags = question.ai_flags, error, saved = errno;
    bool known_family =
        question.ai_family == AF_UNSPEC || question.ai_family == AF_INET || question.ai_family == AF_INET6;
    char numbered[INET6_ADDRSTRLEN + 16];
    bool nothing = (!node || strcmp(node, "*") == 0) && (!service || strcmp(service, "*") == 0);
    if (nothing || !known_family || asked_flags & ~KNOWN_FLAGS || netns_away())
        return LIBC(getaddrinfo)(node, service, hints, result);
    node = number_scope(node, numbered);
    if (asked_flags & AI_ADDRCONFIG && (error = narrow(&question)))
        return !node && asked_flags & AI_CANONNAME ? EAI_BADFLAGS : error;
    bool none_named = !node || strcmp(node, "*") == 0;
    if (none_named && question.ai_family == AF_UNSPEC)
        error = resolve_none(service, &question, &answer);
    else if (none_named || question.ai_flags & AI_NUMERICHOST || is_numeric(node))
        error = LIBC(getaddrinfo)(node, service, &question, &answer.first);
    else if (!(error = check(service, &question)))
        error = resolve(node, service, &question, asked_flags & AI_ADDRCONFIG, &answer);
    if (error) {
        if (answer.first)
            freeaddrinfo(answer.first);
        return error;
    }
    for (struct addrinfo *one = answer.first; one; one = one->ai_next)
        one->ai_flags = asked_flags;
    *result = answer.first;
    errno = saved;
    return 0;
}

/* "host.lab.test" as the program's own domain has it. */
static void cut_domain(char *name) {
    char own[RESOLVER_NAME_BYTES];
    char *dot = strchr(name, '.'), *own_dot = NULL;
    if (dot && gethostname(own, sizeof own) == 0 && (own_dot = strchr(own, '.')) &&
        strcasecmp(dot, own_dot) == 0)
        *dot = 0;
}

#define HOST_BYTES 8192

/* The name of an address, into host. Returns 0, or an EAI_* error. */
static int name_of(const void *address, socklen_t length, int family, char *host, socklen_t host_length,
                   int flags) {
    struct hostent found;
    char *buffer = memory_take(HOST_BYTES);
    int host_error, error = 0;
    if (!buffer)
        return EAI_MEMORY;
    if (resolver_host_by_address(address, length, family, &found, buffer, HOST_BYTES, &host_error))
        error = host_error == TRY_AGAIN ? EAI_AGAIN : EAI_NONAME;
    if (!error && flags & NI_NOFQDN)
        cut_domain(found.h_name);
    if (!error && strlen(found.h_name) >= host_length)
        error = EAI_OVERFLOW;
    if (!error)
        strcpy(host, found.h_name);
    memory_give(buffer);
    return error;
}

EXPORT int getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_length,
                       char *service, socklen_t service_length, int flags) {
    const void *number = NULL;
    socklen_t number_length = 0;
    if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        number = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
        number_length = sizeof(struct in_addr);
    } else if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        number = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        number_length = sizeof(struct in6_addr);
    }
    if (netns_away() || !number || !host || host_length == 0 || flags & NI_NUMERICHOST) {
        int failed = LIBC(getnameinfo)(address, length, host, host_length, service, service_length, flags);
        return failed || netns_away() || !number ? failed : name_scope(address, host, host_length);
    }
    int error = name_of(number, number_length, address->sa_family, host, host_length, flags);
    if (error && (flags & NI_NAMEREQD || error != EAI_NONAME))
        return error;
    if (!error)
        return service && service_length
                   ? LIBC(getnameinfo)(address, length, NULL, 0, service, service_length, flags)
                   : 0;
    error = LIBC(getnameinfo)(address, length, host, host_length, service, service_length,
                              flags | NI_NUMERICHOST);
    return error ? error : name_scope(address, host, host_length);
}

static int reentrant_result(int error, struct hostent *host, struct hostent **result, int host_error) {
    *result = error ? NULL : host;
    if (error && error != ERANGE)
        h_errno = host_error; /* as glibc does, and Python relies on */
    if (error && error != ENOENT)
        errno = error;
    return error == ENOENT ? 0 : error; /* "not found" is no error of the call's */
}

/* What libc takes for an address at once: digits and dots, or an IPv6 address. */
static bool looks_numeric(const char *name) {
    struct in6_addr ignored;
    size_t length = strlen(name);
    bool digits = length > 0 && strspn(name, "0123456789.") == length && name[length - 1] != '.';
    return digits || inet_pton(AF_INET6, name, &ignored) == 1;
}

EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *host, char *buffer, size_t length,
                            struct hostent **result, int *host_error) {
    if (netns_away() || looks_numeric(name) || (family != AF_INET && family != AF_INET6))
        return LIBC(gethostbyname2_r)(name, family, host, buffer, length, result, host_error);
    int error = resolver_host_by_name(name, family, host, buffer, length, host_error);
    return reentrant_result(error, host, result, *host_error);
}

EXPORT int gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t length,
                           struct hostent **result, int *host_error) {
    return gethostbyname2_r(name, AF_INET, host, buffer, length, result, host_error);
}

EXPORT int gethostbyaddr_r(const void *address, socklen_t address_length, int family, struct hostent *host,
                           char *buffer, size_t length, struct hostent **result, int *host_error) {
    int error = resolver_host_by_address(address, address_length, family, host, buffer, length, host_error);
    return reentrant_result(error, host, result, *host_error);
}

/* The forms without _r share one result, as libc's do. */
#define STATIC_BYTES 16384
static struct hostent static_host;
static char static_buffer[STATIC_BYTES];

EXPORT struct hostent *gethostbyname2(const char *name, int family) {
    struct hostent *result;
    int saved = errno;
    gethostbyname2_r(name, family, &static_host, static_buffer, sizeof static_buffer, &result, &h_errno);
    if (result)
        errno = saved;
    return result;
}

EXPORT struct hostent *gethostbyname(const char *name) {
    return gethostbyname2(name, AF_INET);
}

EXPORT struct hostent *gethostbyaddr(const void *address, socklen_t length, int family) {
    struct hostent *result;
    int saved = errno;
    gethostbyaddr_r(address, length, family, &static_host, static_buffer, sizeof static_buffer, &result,
                    &h_errno);
    if (result)
        errno = saved;
    return result;
}
