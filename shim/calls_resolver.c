/*
 * calls_resolver.c - getaddrinfo(3), getnameinfo, gethostbyname, gethostbyaddr and their _r forms; see
 * resolver.h.
 *
 * What needs no name server stays libc's: numbers, services, the making of a result. A list of addresses is
 * the concatenation of what libc's getaddrinfo makes of each as a number, so that libc's freeaddrinfo can
 * free it.
 *
 * Of a name with addresses of both families a program that asks for any is told the IPv4 ones: the stack
 * reaches no others (AI_ADDRCONFIG, whether or not it is asked for). ::1 in /etc/hosts is the kernel's, and
 * told.
 */
#include "call.h"
#include "resolver.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

static bool is_numeric(const char *node) {
    struct addrinfo question = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;
    if (LIBC(getaddrinfo)(node, NULL, &question, &found))
        return false;
    freeaddrinfo(found);
    return true;
}

/* A list that grows at its end. */
struct answer {
    struct addrinfo *first, **end;
};

/* Appends what libc makes of an address. */
static int append(struct answer *answer, const struct in6_addr *address, int family, bool mapped,
                  const char *service, const struct addrinfo *hints) {
    char text[INET6_ADDRSTRLEN + 8] = "::ffff:";
    struct addrinfo question = *hints, *found = NULL;
    size_t prefix = mapped ? strlen(text) : 0;
    inet_ntop(family, address, text + prefix, (socklen_t)(sizeof text - prefix));
    question.ai_family = mapped ? AF_INET6 : family;
    question.ai_flags = (hints->ai_flags & (AI_NUMERICSERV | AI_PASSIVE)) | AI_NUMERICHOST;
    int error = LIBC(getaddrinfo)(text, service, &question, &found);
    if (error)
        return error;
    *answer->end = found;
    while (*answer->end)
        answer->end = &(*answer->end)->ai_next;
    return 0;
}

/* Resolves a name in one family, and appends what is found. `loopback` wants ::1 alone. */
static int resolve(struct answer *answer, const char *node, int family, bool loopback, bool mapped,
                   const char *service, const struct addrinfo *hints, char *canonical) {
    struct resolved resolved;
    int error = resolver_addresses(node, family, loopback ? RESOLVER_FILES : RESOLVER_ANY, &resolved);
    for (int i = 0; i < resolved.count && !error; i++)
        if (!loopback || IN6_IS_ADDR_LOOPBACK(&resolved.addresses[i]))
            error = append(answer, &resolved.addresses[i], family, mapped, service, hints);
    if (!error && !canonical[0])
        strcpy(canonical, resolved.canonical);
    return error;
}

static int resolve_all(struct answer *answer, const char *node, const char *service,
                       const struct addrinfo *hints, char *canonical) {
    bool reachable_only = hints->ai_flags & AI_ADDRCONFIG;
    int error = EAI_NONAME;
    if (hints->ai_family == AF_INET)
        return resolve(answer, node, AF_INET, false, false, service, hints, canonical);
    if (hints->ai_family == AF_UNSPEC) {
        error = resolve(answer, node, AF_INET, false, false, service, hints, canonical);
        if (error == 0 || error == EAI_NONAME || error == EAI_NODATA)
            resolve(answer, node, AF_INET6, true, false, service, hints, canonical);
        return answer->first ? 0 : error;
    }
    error = resolve(answer, node, AF_INET6, reachable_only, false, service, hints, canonical);
    bool wants_mapped = hints->ai_flags & AI_V4MAPPED && (hints->ai_flags & AI_ALL || !answer->first);
    if (wants_mapped) {
        int mapped = resolve(answer, node, AF_INET, false, true, service, hints, canonical);
        error = error && mapped ? mapped : 0;
    }
    return answer->first ? 0 : error ? error : EAI_NONAME;
}

EXPORT int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result) {
    static const struct addrinfo none = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
    struct answer answer = {NULL, &answer.first};
    struct addrinfo *checked;
    char canonical[RESOLVER_NAME_BYTES] = "";
    const struct addrinfo *asked = hints ? hints : &none;
    bool known_family =
        asked->ai_family == AF_UNSPEC || asked->ai_family == AF_INET || asked->ai_family == AF_INET6;
    if (!node || asked->ai_flags & AI_NUMERICHOST || !known_family || is_numeric(node))
        return LIBC(getaddrinfo)(node, service, hints, result);
    /* Whatever is wrong with the question but the name, libc finds. */
    struct addrinfo question = *asked;
    question.ai_flags &= ~(AI_ADDRCONFIG | AI_CANONNAME);
    int error =
        LIBC(getaddrinfo)(asked->ai_family == AF_INET6 ? "::1" : "127.0.0.1", service, &question, &checked);
    if (error)
        return error;
    freeaddrinfo(checked);
    error = resolve_all(&answer, node, service, asked, canonical);
    if (!error && asked->ai_flags & AI_CANONNAME && answer.first) {
        free(answer.first->ai_canonname);
        answer.first->ai_canonname = strdup(canonical);
        if (!answer.first->ai_canonname)
            error = EAI_MEMORY;
    }
    if (error && answer.first)
        freeaddrinfo(answer.first);
    if (!error)
        *result = answer.first;
    return error;
}

/* "host.lab.test" as the program's own domain has it. */
static void cut_domain(char *name) {
    char own[RESOLVER_NAME_BYTES];
    char *dot = strchr(name, '.'), *own_dot = NULL;
    if (dot && gethostname(own, sizeof own) == 0 && (own_dot = strchr(own, '.')) &&
        strcasecmp(dot, own_dot) == 0)
        *dot = 0;
}

/* The name of an address, into host. Returns 0, or an EAI_* error. */
static int name_of(const void *address, socklen_t length, int family, char *host, socklen_t host_length,
                   int flags) {
    struct hostent found;
    char buffer[8192];
    int host_error;
    if (resolver_host_by_address(address, length, family, &found, buffer, sizeof buffer, &host_error))
        return host_error == TRY_AGAIN ? EAI_AGAIN : EAI_NONAME;
    if (flags & NI_NOFQDN)
        cut_domain(found.h_name);
    if (strlen(found.h_name) >= host_length)
        return EAI_OVERFLOW;
    strcpy(host, found.h_name);
    return 0;
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
    if (!number || !host || host_length == 0 || flags & NI_NUMERICHOST)
        return LIBC(getnameinfo)(address, length, host, host_length, service, service_length, flags);
    int error = name_of(number, number_length, address->sa_family, host, host_length, flags);
    if (error && (flags & NI_NAMEREQD || error != EAI_NONAME))
        return error;
    if (!error)
        return service && service_length
                   ? LIBC(getnameinfo)(address, length, NULL, 0, service, service_length, flags)
                   : 0;
    return LIBC(getnameinfo)(address, length, host, host_length, service, service_length,
                             flags | NI_NUMERICHOST);
}

static int reentrant_result(int error, struct hostent *host, struct hostent **result, int host_error) {
    *result = error ? NULL : host;
    if (error)
        h_errno = host_error; /* as glibc does, and Python relies on */
    if (error == ERANGE)
        errno = ERANGE;
    return error < 0 ? 0 : error; /* "not found" is no error of the call's */
}

EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *host, char *buffer, size_t length,
                            struct hostent **result, int *host_error) {
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
    gethostbyname2_r(name, family, &static_host, static_buffer, sizeof static_buffer, &result, &h_errno);
    return result;
}

EXPORT struct hostent *gethostbyname(const char *name) {
    return gethostbyname2(name, AF_INET);
}

EXPORT struct hostent *gethostbyaddr(const void *address, socklen_t length, int family) {
    struct hostent *result;
    gethostbyaddr_r(address, length, family, &static_host, static_buffer, sizeof static_buffer, &result,
                    &h_errno);
    return result;
}
