/* SPDX-License-Identifier: MIT */
/*
 * res_query.c - what res_query(3), res_search, their kin and gethostbyname(3) say of names, as lines to
 * compare: res_query NAME...
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 4096

static const int types[] = {ns_t_a, ns_t_aaaa, ns_t_mx, ns_t_txt, ns_t_srv, ns_t_ptr, ns_t_soa, ns_t_any};
#define TYPES (sizeof types / sizeof types[0])

/* A message, without its number and times to live. */
static void tell(const char *call, const char *name, int type, const unsigned char *answer, int length) {
    ns_msg message;
    printf("%s %s %d: %d", call, name, type, length);
    if (length < 0) {
        printf(" %s\n", hstrerror(h_errno));
        return;
    }
    if (ns_initparse(answer, length, &message) == 0)
        for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
            ns_rr record;
            if (ns_parserr(&message, ns_s_an, i, &record) == 0)
                printf(" [%s %d %d]", ns_rr_name(record), ns_rr_type(record), ns_rr_rdlen(record));
        }
    printf("\n");
}

static void ask(const char *name, int type) {
    unsigned char answer[ROOM], query[ROOM];
    struct __res_state state = {0};
    tell("res_query", name, type, answer, res_query(name, ns_c_in, type, answer, sizeof answer));
    tell("res_search", name, type, answer, res_search(name, ns_c_in, type, answer, sizeof answer));
    tell("res_querydomain", name, type, answer,
         res_querydomain(name, "lab.test", ns_c_in, type, answer, sizeof answer));
    int length = res_mkquery(ns_o_query, name, ns_c_in, type, NULL, 0, NULL, query, sizeof query);
    if (length > 0)
        tell("res_send", name, type, answer, res_send(query, length, answer, sizeof answer));
    tell("res_query, short", name, type, answer, res_query(name, ns_c_in, type, answer, 60));
    if (res_ninit(&state) == 0) {
        printf("%d servers, domain %s\n", state.nscount, state.defdname);
        tell("res_nquery", name, type, answer,
             res_nquery(&state, name, ns_c_in, type, answer, sizeof answer));
        tell("res_nsearch", name, type, answer,
             res_nsearch(&state, name, ns_c_in, type, answer, sizeof answer));
        state.options |= RES_USEVC;
        tell("by TCP", name, type, answer, res_nquery(&state, name, ns_c_in, type, answer, sizeof answer));
        res_nclose(&state);
    }
}

static void tell_host(const char *call, const char *name, const struct hostent *host, int error) {
    printf("%s %s:", call, name);
    if (!host) {
        printf(" %s\n", hstrerror(error));
        return;
    }
    printf(" %s %d %d", host->h_name, host->h_addrtype, host->h_length);
    for (char **alias = host->h_aliases; *alias; alias++)
        printf(" (%s)", *alias);
    for (char **address = host->h_addr_list; *address; address++) {
        char text[INET6_ADDRSTRLEN];
        printf(" %s", inet_ntop(host->h_addrtype, *address, text, sizeof text));
    }
    printf("\n");
}

static void ask_host(const char *name) {
    static const int families[] = {AF_INET, AF_INET6};
    struct hostent host, *found;
    char buffer[ROOM];
    int error;
    for (int i = 0; i < 2; i++) {
        unsigned char address[16];
        found = gethostbyname2(name, families[i]);
        tell_host("gethostbyname2", name, found, h_errno);
        error = errno = 0;
        int result = gethostbyname2_r(name, families[i], &host, buffer, sizeof buffer, &found, &error);
        printf("%d ", result);
        tell_host("gethostbyname2_r", name, found, error);
        result = gethostbyname2_r(name, families[i], &host, buffer, 40, &found, &error);
        printf("with little room: %d %d\n", result, found != NULL);
        if (inet_pton(families[i], name, address) != 1)
            continue;
        found = gethostbyaddr(address, i ? 16 : 4, families[i]);
        tell_host("gethostbyaddr", name, found, h_errno);
    }
}

int main(int count, char **names) {
    for (int i = 1; i < count; i++) {
        for (size_t type = 0; type < TYPES; type++)
            ask(names[i], types[type]);
        ask_host(names[i]);
    }
    res_init();
    printf("%d\n", _res.nscount);
    _res.options &= ~(RES_DNSRCH | RES_DEFNAMES);
    for (int i = 1; i < count; i++)
        ask(names[i], ns_t_a);
    return 0;
}
