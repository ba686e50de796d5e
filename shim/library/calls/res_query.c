/* SPDX-License-Identifier: MIT */
/*
 * res_query.c - res_query(3) and its kin: messages to name servers, which dns.c carries.
 *
 * Programs that were linked before glibc 2.34 have the names with two underscores.
 */
#include "shim/library/calls/call.h"
#include "shim/library/names/dns.h"
#include <netdb.h>
#include <string.h>

#if __has_attribute(copy)
#define AS(name) , copy(name)
#else
#define AS(name)
#endif
#define ALIAS_OF(name, other) \
    extern __typeof(name) other __attribute__((alias(#name), visibility("default") AS(name)))

/* As res_init(3), which reads resolv.conf; then the stack's own servers take their place. */

EXPORT int __res_ninit(res_state state) {
    int result = LIBC(__res_ninit)(state);
    if (result == 0)
        dns_name_servers(state);
    return result;
}

EXPORT int __res_init(void) {
    int result = LIBC(__res_init)();
    dns_note_init();
    dns_name_servers(&_res);
    return result;
}

/* A state that the program has made without res_ninit is made by it. */
static res_state made(res_state state) {
    if (!(state->options & RES_INIT))
        __res_ninit(state);
    return state;
}

static int fail(res_state state, int host_error) {
    state->res_h_errno = host_error;
    h_errno = host_error;
    return -1;
}

static int result_of(res_state state, const struct dns_exchange *exchange, int error, int host_error) {
    if (error)
        return fail(state, host_error);
    return exchange->length;
}

EXPORT int res_nquery(res_state state, const char *name, int class, int type, unsigned char *answer,
                      int length) {
    struct dns_exchange exchange = {.answer = answer, .room = length};
    int host_error = 0, error = dns_query(made(state), name, class, &type, &exchange, 1, &host_error);
    return result_of(state, &exchange, error, host_error);
}

EXPORT int res_nsearch(res_state state, const char *name, int class, int type, unsigned char *answer,
                       int length) {
    struct dns_exchange exchange = {.answer = answer, .room = length};
    fail(state, HOST_NOT_FOUND); /* what stays when it is found */
    int host_error = 0, error = dns_search(made(state), name, class, &type, &exchange, 1, &host_error);
    return result_of(state, &exchange, error, host_error);
}

EXPORT int res_nquerydomain(res_state state, const char *name, const char *domain, int class, int type,
                            unsigned char *answer, int length) {
    struct dns_exchange exchange = {.answer = answer, .room = length};
    int host_error = 0,
        error = dns_query_domain(made(state), name, domain, class, &type, &exchange, 1, &host_error);
    return result_of(state, &exchange, error, host_error);
}

EXPORT int res_nsend(res_state state, const unsigned char *query, int query_length, unsigned char *answer,
                     int length) {
    struct dns_exchange exchange = {
        .query = query, .query_length = query_length, .answer = answer, .room = length};
    if (length < NS_HFIXEDSZ) {
        errno = EINVAL;
        return -1;
    }
    return dns_send(made(state), &exchange, 1) < 0 ? -1 : exchange.length;
}

/* The forms without a state: of the program's own, or one of the files as they are. */
#define WITH_STATE(call)                    \
    struct dns_resolver resolver;           \
    res_state state = dns_begin(&resolver); \
    if (!state)                             \
        return fail(&_res, NETDB_INTERNAL); \
    int result = call;                      \
    dns_end(&resolver);                     \
    return result

EXPORT int res_query(const char *name, int class, int type, unsigned char *answer, int length) {
    WITH_STATE(res_nquery(state, name, class, type, answer, length));
}

EXPORT int res_search(const char *name, int class, int type, unsigned char *answer, int length) {
    WITH_STATE(res_nsearch(state, name, class, type, answer, length));
}

EXPORT int res_querydomain(const char *name, const char *domain, int class, int type, unsigned char *answer,
                           int length) {
    WITH_STATE(res_nquerydomain(state, name, domain, class, type, answer, length));
}

EXPORT int res_send(const unsigned char *query, int query_length, unsigned char *answer, int length) {
    WITH_STATE(res_nsend(state, query, query_length, answer, length));
}

ALIAS_OF(res_nquery, __res_nquery);
ALIAS_OF(res_nsearch, __res_nsearch);
ALIAS_OF(res_nquerydomain, __res_nquerydomain);
ALIAS_OF(res_nsend, __res_nsend);
ALIAS_OF(res_query, __res_query);
ALIAS_OF(res_search, __res_search);
ALIAS_OF(res_querydomain, __res_querydomain);
ALIAS_OF(res_send, __res_send);
