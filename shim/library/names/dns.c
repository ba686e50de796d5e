/* SPDX-License-Identifier: MIT */
/*
 * dns.c - see dns.h. Facts about the order of tries and of domains: resolver(3), resolv.conf(5), and what
 * glibc does.
 */
#include "shim/library/names/dns.h"
#include "shim/library/memory.h"
#include "shim/library/process/attach.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/region.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <unistd.h>

#define QUERY_BYTES (NS_HFIXEDSZ + NS_MAXCDNAME + NS_QFIXEDSZ + OPT_BYTES + 1)
#define OPT_BYTES 11         /* an OPT record without options (RFC 6891) */
#define OPT_PAYLOAD_MAX 1200 /* as glibc says */
#define NS_PER_MS 1000000u
#define MS_PER_S 1000u

struct server {
    struct sockaddr_storage address;
    socklen_t length;
};

/* The n-th server, if it can be asked from here: where the stack has no IPv6, ::1, which is the kernel's, is
 * the only one of those. */
static bool find_server(res_state state, int n, struct server *server) {
    const struct sockaddr_in *in = &state->nsaddr_list[n];
    const struct sockaddr_in6 *in6 = state->_u._ext.nsaddrs[n];
    *server = (struct server){.length = 0};
    if (in->sin_family == AF_INET) {
        server->length = sizeof *in;
        memcpy(&server->address, in, sizeof *in);
    } else if (in6 && in6->sin6_family == AF_INET6 &&
               (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) || attach_has_inet6())) {
        server->length = sizeof *in6;
        memcpy(&server->address, in6, sizeof *in6);
    }
    return server->length > 0;
}

static uint16_t get16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* Where a message's question ends, or 0: there is not one, or it is cut off. */
static int question_end(const uint8_t *message, int length) {
    if (length < NS_HFIXEDSZ || get16(message + 4) != 1)
        return 0;
    int name = dn_skipname(message + NS_HFIXEDSZ, message + length);
    int end = NS_HFIXEDSZ + name + NS_QFIXEDSZ;
    return name > 0 && end <= length ? end : 0;
}

/* Whether a message is the answer: it has the query's number and question. */
static bool answers(const struct dns_exchange *exchange, const uint8_t *message, int length) {
    int end = question_end(exchange->query, exchange->query_length);
    if (length < NS_HFIXEDSZ || memcmp(message, exchange->query, 2) != 0 || !(message[2] & 0x80))
        return false;
    if (end == 0 || question_end(message, length) == 0) /* a server may leave it out when it refuses */
        return end == 0 || (message[3] & 15) != 0;
    for (int i = NS_HFIXEDSZ; i < end; i++)
        if (i >= length || tolower(message[i]) != tolower(exchange->query[i]))
            return false;
    return true;
}

/* A server that does not want to is as good as none: the next may know. */
static bool is_refusal(const uint8_t *message) {
    int code = message[3] & 15;
    return code == ns_r_servfail || code == ns_r_notimpl || code == ns_r_refused;
}

static int milliseconds_left(uint64_t deadline_ns) {
    uint64_t now_ns = clock_now();
    return now_ns >= deadline_ns ? 0 : (int)((deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/* Waits for an event. Returns 0, -ETIMEDOUT or another error. */
static int wait_until(int fd, short events, uint64_t deadline_ns) {
    struct pollfd polled = {.fd = fd, .events = events};
    int result;
    do
        result = poll(&polled, 1, milliseconds_left(deadline_ns));
    while (result < 0 && errno == EINTR);
    return result > 0 ? 0 : result == 0 ? -ETIMEDOUT : -errno;
}

static int open_to(const struct server *server, int type) {
    int fd = socket(server->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&server->address, server->length) < 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static int send_all(int fd, const uint8_t *bytes, int length, int flags, uint64_t deadline_ns) {
    while (length > 0) {
        ssize_t sent = send(fd, bytes, (size_t)length, flags | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        int error = sent < 0 ? wait_until(fd, POLLOUT, deadline_ns) : 0;
        if (error)
            return error;
        length -= sent > 0 ? (int)sent : 0;
        bytes += sent > 0 ? sent : 0;
    }
    return 0;
}

static int receive_all(int fd, uint8_t *bytes, int length, uint64_t deadline_ns) {
    while (length > 0) {
        ssize_t got = recv(fd, bytes, (size_t)length, 0);
        if (got == 0)
            return -ECONNRESET;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        int error = got < 0 ? wait_until(fd, POLLIN, deadline_ns) : 0;
        if (error)
            return error;
        length -= got > 0 ? (int)got : 0;
        bytes += got > 0 ? got : 0;
    }
    return 0;
}

/* Takes an answer's bytes from a stream: what there is no room for is read and forgotten. */
static int take_stream(int fd, struct dns_exchange *exchange, uint64_t deadline_ns) {
    uint8_t prefix[2], rest[512];
    int error = receive_all(fd, prefix, sizeof prefix, deadline_ns), length = get16(prefix);
    if (error)
        return error;
    int kept = length < exchange->room ? length : exchange->room;
    error = receive_all(fd, exchange->answer, kept, deadline_ns);
    for (int left = length - kept; left > 0 && !error; left -= (int)sizeof rest)
        error = receive_all(fd, rest, left < (int)sizeof rest ? left : (int)sizeof rest, deadline_ns);
    if (!error && kept >= NS_HFIXEDSZ && kept < length)
        exchange->answer[2] |= 2; /* TC: there was more */
    if (!error && !answers(exchange, exchange->answer, kept))
        error = -EBADMSG;
    exchange->length = error ? 0 : length;
    return error;
}

/* By TCP: one connection for one query. */
static int ask_stream(const struct server *server, struct dns_exchange *exchange, uint64_t deadline_ns) {
    const uint8_t prefix[2] = {(uint8_t)(exchange->query_length >> 8), (uint8_t)exchange->query_length};
    int fd = open_to(server, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int error = wait_until(fd, POLLOUT, deadline_ns);
    if (!error)
        error = send_all(fd, prefix, sizeof prefix, MSG_MORE, deadline_ns);
    if (!error)
        error = send_all(fd, exchange->query, exchange->query_length, 0, deadline_ns);
    if (!error)
        error = take_stream(fd, exchange, deadline_ns);
    close(fd);
    return error;
}

static bool all_answered(const struct dns_exchange *exchanges, int count) {
    for (int i = 0; i < count; i++)
        if (exchanges[i].length == 0)
            return false;
    return true;
}

/* Takes a datagram for whichever query it answers. Returns 0, or -ECONNREFUSED when the server does not want
 * to. */
static int take_datagram(int fd, const struct server *server, res_state state, struct dns_exchange *exchanges,
                         int count, uint8_t *buffer, uint64_t deadline_ns) {
    ssize_t got = recv(fd, buffer, DNS_MESSAGE_MAX, 0);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        struct dns_exchange *exchange = &exchanges[i];
        if (exchange->length || !answers(exchange, buffer, (int)got))
            continue;
        if (is_refusal(buffer))
            return -ECONNREFUSED;
        if (buffer[2] & 2 && !(state->options & RES_IGNTC)) /* TC: the whole of it comes by TCP */
            return ask_stream(server, exchange, deadline_ns);
        exchange->length = (int)got < exchange->room ? (int)got : exchange->room;
        memcpy(exchange->answer, buffer, (size_t)exchange->length);
        return 0;
    }
    return 0; /* somebody else's, or too late */
}

static int ask_datagrams(const struct server *server, res_state state, struct dns_exchange *exchanges,
                         int count, uint8_t *buffer, uint64_t deadline_ns) {
    int fd = open_to(server, SOCK_DGRAM), error = fd < 0 ? fd : 0;
    for (int i = 0; i < count && !error; i++)
        if (exchanges[i].length == 0 &&
            send(fd, exchanges[i].query, (size_t)exchanges[i].query_length, MSG_NOSIGNAL) < 0)
            error = -errno;
    while (!error && !all_answered(exchanges, count)) {
        error = wait_until(fd, POLLIN, deadline_ns);
        if (!error)
            error = take_datagram(fd, server, state, exchanges, count, buffer, deadline_ns);
    }
    if (fd >= 0)
        close(fd);
    return error;
}

static int ask_server(const struct server *server, res_state state, struct dns_exchange *exchanges, int count,
                      uint8_t *buffer, uint64_t limit_ns) {
    bool stream = state->options & RES_USEVC;
    int error = 0;
    for (int i = 0; i < count; i++)
        stream |= exchanges[i].query_length > NS_PACKETSZ;
    if (!stream)
        return ask_datagrams(server, state, exchanges, count, buffer, clock_now() + limit_ns);
    for (int i = 0; i < count && !error; i++)
        if (exchanges[i].length == 0)
            error = ask_stream(server, &exchanges[i], clock_now() + limit_ns);
    return error;
}

/* How long the n-th server is waited for. */
static uint64_t limit_of(res_state state, int n) {
    int seconds = state->retrans << n;
    if (n > 0)
        seconds /= state->nscount;
    return (uint64_t)(seconds > 0 ? seconds : 1) * MS_PER_S * NS_PER_MS;
}

int dns_send(res_state state, struct dns_exchange *exchanges, int count) {
    static _Atomic unsigned turn;
    unsigned first = state->options & RES_ROTATE ? turn++ : 0;
    uint8_t *buffer = memory_take(DNS_MESSAGE_MAX);
    bool late = false;
    if (!buffer) {
        errno = ENOMEM;
        return -1;
    }
    for (int i = 0; i < count; i++)
        exchanges[i].length = 0;
    for (int try = 0; try < state->retry; try++)
        for (int n = 0; n < state->nscount; n++) {
            struct server server;
            if (!find_server(state, (int)((first + (unsigned)n) % (unsigned)state->nscount), &server))
                continue;
            int error = ask_server(&server, state, exchanges, count, buffer, limit_of(state, n));
            if (all_answered(exchanges, count)) {
                memory_give(buffer);
                return 0;
            }
            late |= error == -ETIMEDOUT;
        }
    memory_give(buffer);
    errno = late ? ETIMEDOUT : ECONNREFUSED;
    return -1;
}

/* Says that long answers may come by UDP (RFC 6891), for "options edns0". */
static int add_opt(res_state state, uint8_t *query, int length, int room) {
    uint8_t *at = query + length;
    if (!(state->options & (RES_USE_EDNS0 | RES_USE_DNSSEC)))
        return length;
    uint16_t payload = (uint16_t)(room < NS_PACKETSZ       ? NS_PACKETSZ
                                  : room > OPT_PAYLOAD_MAX ? OPT_PAYLOAD_MAX
                                                           : room);
    memset(at, 0, OPT_BYTES);
    at[2] = ns_t_opt;
    at[3] = (uint8_t)(payload >> 8);
    at[4] = (uint8_t)payload;
    at[7] = state->options & RES_USE_DNSSEC ? 0x80 : 0;
    query[11]++; /* the count of additional records */
    return length + OPT_BYTES;
}

/* What the answers to all types of a question come to. */
static int judge(const struct dns_exchange *exchanges, int count) {
    int result = NO_DATA;
    for (int i = 0; i < count; i++) {
        const uint8_t *answer = exchanges[i].answer;
        int code = exchanges[i].length < NS_HFIXEDSZ ? ns_r_formerr : answer[3] & 15;
        if (code == ns_r_noerror && get16(answer + 6) > 0)
            return 0;
        if (code != ns_r_noerror && result == NO_DATA)
            result = code == ns_r_nxdomain ? HOST_NOT_FOUND : code == ns_r_servfail ? TRY_AGAIN : NO_RECOVERY;
    }
    return result;
}

int dns_query(res_state state, const char *name, int class, const int *types, struct dns_exchange *exchanges,
              int count, int *host_error) {
    uint8_t queries[DNS_AT_ONCE][QUERY_BYTES];
    for (int i = 0; i < count; i++) {
        int length = res_nmkquery(state, ns_o_query, name, class, types[i], NULL, 0, NULL, queries[i],
                                  QUERY_BYTES - OPT_BYTES);
        if (length <= 0) {
            *host_error = NO_RECOVERY;
            return -1;
        }
        exchanges[i].query = queries[i];
        exchanges[i].query_length = add_opt(state, queries[i], length, exchanges[i].room);
    }
    if (count == 2 && memcmp(queries[0], queries[1], 2) == 0)
        queries[1][1] ^= 1; /* no two have one number */
    if (dns_send(state, exchanges, count) < 0) {
        *host_error = TRY_AGAIN;
        return -1;
    }
    *host_error = judge(exchanges, count);
    return *host_error ? -1 : 0;
}

int dns_query_domain(res_state state, const char *name, const char *domain, int class, const int *types,
                     struct dns_exchange *exchanges, int count, int *host_error) {
    char whole[NS_MAXDNAME];
    int length = domain ? snprintf(whole, sizeof whole, "%s.%s", name, domain)
                        : snprintf(whole, sizeof whole, "%s", name);
    if (length <= 0 || length >= (int)sizeof whole) {
        *host_error = NO_RECOVERY;
        return -1;
    }
    return dns_query(state, whole, class, types, exchanges, count, host_error);
}

/* What the user's own file of aliases has for a name without dots (hostname(7)). */
static bool find_alias(res_state state, const char *name, char alias[NS_MAXDNAME]) {
    const char *path = getauxval(AT_SECURE) ? NULL : getenv("HOSTALIASES");
    FILE *file = path && !(state->options & RES_NOALIASES) ? fopen(path, "re") : NULL;
    char line[2 * NS_MAXDNAME], of[NS_MAXDNAME];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "%1024s %1024s", of, alias) == 2 && strcasecmp(of, name) == 0;
    if (file)
        fclose(file);
    return found;
}

/* The name under each domain of resolv.conf. Returns 0 when that gave an answer; else *host_error says why
 * not, and *root whether one of them was the root. */
static int search_domains(res_state state, const char *name, int class, const int *types,
                          struct dns_exchange *exchanges, int count, int *host_error, bool *root) {
    bool no_data = false, failed = false;
    for (int i = 0; i < MAXDNSRCH && state->dnsrch[i]; i++) {
        const char *domain = state->dnsrch[i] + (state->dnsrch[i][0] == '.');
        *root |= !domain[0];
        if (dns_query_domain(state, name, domain, class, types, exchanges, count, host_error) == 0)
            return 0;
        bool refused = *host_error == TRY_AGAIN;
        no_data |= *host_error == NO_DATA;
        failed |= refused;
        if (refused && errno == ECONNREFUSED)
            return -1;
        if (*host_error == NO_RECOVERY || refused || !(state->options & RES_DNSRCH))
            break;
    }
    *host_error = no_data ? NO_DATA : failed ? TRY_AGAIN : *host_error;
    return -1;
}

int dns_search(res_state state, const char *name, int class, const int *types, struct dns_exchange *exchanges,
               int count, int *host_error) {
    size_t length = strlen(name);
    unsigned dots = 0;
    for (const char *at = name; *at; at++)
        dots += *at == '.';
    bool whole = length > 0 && name[length - 1] == '.', root = false, searched = false;
    int first_error = 0;
    char alias[NS_MAXDNAME];
    *host_error = HOST_NOT_FOUND;
    if (dots == 0 && find_alias(state, name, alias))
        return dns_query(state, alias, class, types, exchanges, count, host_error);
    if (dots >= state->ndots || whole) {
        if (dns_query_domain(state, name, NULL, class, types, exchanges, count, host_error) == 0)
            return 0;
        if (whole)
            return -1;
        first_error = *host_error;
    }
    if (state->options & (dots ? RES_DNSRCH : RES_DEFNAMES) && state->dnsrch[0]) {
        searched = true;
        if (search_domains(state, name, class, types, exchanges, count, host_error, &root) == 0)
            return 0;
        if (*host_error == TRY_AGAIN && errno == ECONNREFUSED)
            return -1;
    }
    int last_error = *host_error;
    bool as_it_is = dots || !searched || !(state->options & RES_NOTLDQUERY);
    if (as_it_is && !first_error && !root) {
        if (dns_query_domain(state, name, NULL, class, types, exchanges, count, host_error) == 0)
            return 0;
        if (searched && last_error == NO_DATA)
            *host_error = NO_DATA;
    }
    if (first_error)
        *host_error = first_error;
    return -1;
}

struct name_servers {
    int count;
    struct ip_address addresses[MAXNS];
};

static void add_server(struct name_servers *servers, struct ip_address address) {
    if (servers->count < MAXNS)
        servers->addresses[servers->count++] = address;
}

/* --dns, whose text was checked. */
static void read_servers(const char *text, struct name_servers *servers) {
    while (*text) {
        char one[INET6_ADDRSTRLEN];
        struct in_addr four;
        struct ip_address address;
        snprintf(one, sizeof one, "%.*s", (int)strcspn(text, ","), text);
        if (inet_pton(AF_INET, one, &four) == 1)
            add_server(servers, ip_from_v4(ntohl(four.s_addr)));
        else if (inet_pton(AF_INET6, one, address.bytes) == 1)
            add_server(servers, address);
        text += strcspn(text, ",");
        text += *text == ',';
    }
}

static void take_domain(res_state state, const char *domain, size_t room) {
    snprintf(state->defdname, sizeof state->defdname, "%.*s", (int)room, domain);
    state->dnsrch[0] = state->defdname;
    state->dnsrch[1] = NULL;
}

/* What the network has told, as far as the stack asks it: a DHCP server, routers (RFC 8106), DHCPv6. */
static void ask_network(res_state state, struct name_servers *servers) {
    struct dhcp_lease lease = {0};
    struct nd_router router = {0};
    if (!attach_config.dhcp && !attach_config.autoconf)
        return;
    attach();
    region_enter();
    if (attach_config.dhcp)
        lease = shared->stack.dhcp.lease;
    if (attach_config.autoconf)
        router = shared->stack.ip6.router;
    region_leave();
    for (uint32_t i = 0; i < lease.dns_count && i < DHCP_DNS_MAX; i++)
        add_server(servers, ip_from_v4(lease.dns[i]));
    for (uint32_t i = 0; i < router.dns_count && i < ND_DNS_MAX; i++)
        add_server(servers, router.dns[i].address);
    if (lease.domain[0])
        take_domain(state, lease.domain, sizeof lease.domain - 1);
    else if (router.domain_count > 0)
        take_domain(state, router.domains[0].name, sizeof router.domains[0].name - 1);
}

/* The n-th server of a state: glibc has those of IPv6 beside, in memory that res_nclose(3) frees. */
static bool put_server(res_state state, int n, struct ip_address address) {
    free(state->_u._ext.nsaddrs[n]);
    state->_u._ext.nsaddrs[n] = NULL;
    if (ip_is_v4(address)) {
        state->nsaddr_list[n] = (struct sockaddr_in){.sin_family = AF_INET,
                                                     .sin_port = htons(NS_DEFAULTPORT),
                                                     .sin_addr.s_addr = htonl(ip_to_v4(address))};
        return true;
    }
    if (ip_needs_scope(address))
        attach(); /* the interface is the stack's to name */
    struct sockaddr_in6 *six = calloc(1, sizeof *six);
    if (!six)
        return false;
    *six = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                 .sin6_port = htons(NS_DEFAULTPORT),
                                 .sin6_scope_id = attached() ? ip_scope_id(&shared->stack, address) : 0};
    memcpy(&six->sin6_addr, address.bytes, sizeof six->sin6_addr);
    state->nsaddr_list[n].sin_family = 0;
    state->_u._ext.nsaddrs[n] = six;
    return true;
}

void dns_name_servers(res_state state) {
    struct name_servers servers = {0};
    read_servers(attach_config.dns, &servers);
    struct name_servers told = {0};
    ask_network(state, &told);
    if (servers.count == 0)
        servers = told;
    if (servers.count == 0)
        return;
    state->nscount = 0;
    for (int i = 0; i < servers.count; i++)
        state->nscount += put_server(state, state->nscount, servers.addresses[i]);
}

static _Thread_local bool program_has_begun;

void dns_note_init(void) {
    program_has_begun = true;
}

res_state dns_begin(struct dns_resolver *resolver) {
    resolver->owned = !program_has_begun;
    if (!resolver->owned)
        return &_res;
    memset(&resolver->own, 0, sizeof resolver->own);
    if (LIBC(__res_ninit)(&resolver->own) < 0)
        return NULL;
    dns_name_servers(&resolver->own);
    return &resolver->own;
}

void dns_end(struct dns_resolver *resolver) {
    if (resolver->owned)
        res_nclose(&resolver->own);
}
