/*
 * resolver.c - see resolver.h. A channel of c-ares lives as long as one question: so it needs no lock, knows
 * nothing old, and fork has nothing to carry over.
 */
#include "resolver.h"
#include "attach.h"
#include "lock.h"
#include "shared.h"
#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define TRIES 2 /* as glibc's, where resolv.conf says nothing else */

/* What DHCP has told, copied. */
struct told {
    char servers[INET_ADDRSTRLEN * DHCP_DNS_MAX + DHCP_DNS_MAX];
    char domain[DHCP_DOMAIN_BYTES];
};

static void ask_dhcp(struct told *told) {
    struct dhcp_lease lease;
    size_t used = 0;
    attach();
    shared_lock();
    lease = shared->stack.dhcp.lease;
    shared_unlock();
    for (uint32_t i = 0; i < lease.dns_count && i < DHCP_DNS_MAX; i++) {
        struct in_addr address = {htonl(lease.dns[i])};
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &address, text, sizeof text);
        used += (size_t)snprintf(told->servers + used, sizeof told->servers - used, "%s%s", used ? "," : "",
                                 text);
    }
    memcpy(told->domain, lease.domain, sizeof told->domain);
    told->domain[sizeof told->domain - 1] = 0;
}

static bool attempts_configured(void) {
    FILE *file = fopen("/etc/resolv.conf", "re");
    char line[512];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = strncmp(line, "options", 7) == 0 && strstr(line, "attempts:");
    if (file)
        fclose(file);
    return found;
}

static int open_channel(ares_channel *channel, enum resolver_source source) {
    struct told told = {.servers = "", .domain = ""};
    struct ares_options options = {.tries = TRIES};
    char *domains[1] = {told.domain}, files[] = "f";
    const char *servers = attach_config.dns;
    int mask = 0;
    if (source == RESOLVER_FILES) {
        options.lookups = files;
        mask |= ARES_OPT_LOOKUPS;
    } else {
        if (!attempts_configured())
            mask |= ARES_OPT_TRIES;
        if (!attach_config.address)
            ask_dhcp(&told);
    }
    if (!*servers)
        servers = told.servers;
    if (told.domain[0]) {
        options.domains = domains;
        options.ndomains = 1;
        mask |= ARES_OPT_DOMAINS;
    }
    int status = ares_init_options(channel, &options, mask);
    if (status == ARES_SUCCESS && *servers)
        status = ares_set_servers_csv(*channel, servers);
    return status;
}

static int patience_ms(ares_channel channel) {
    struct timeval most = {5, 0}, time, *next = ares_timeout(channel, &most, &time);
    return (int)(next->tv_sec * 1000 + (next->tv_usec + 999) / 1000);
}

/* Waits for a channel's answers. Its sockets are ours, or the kernel's when the server is at 127.0.0.1. */
static void run(ares_channel channel, const bool *done) {
    while (!*done) {
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
        struct pollfd polled[ARES_GETSOCK_MAXNUM];
        unsigned wanted = (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
        nfds_t count = 0;
        for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            short events = (short)((ARES_GETSOCK_READABLE(wanted, i) ? POLLIN : 0) |
                                   (ARES_GETSOCK_WRITABLE(wanted, i) ? POLLOUT : 0));
            if (events)
                polled[count++] = (struct pollfd){.fd = sockets[i], .events = events};
        }
        if (count == 0)
            return;
        int ready = poll(polled, count, patience_ms(channel));
        if (ready <= 0)
            ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        for (nfds_t i = 0; ready > 0 && i < count; i++) {
            short got = polled[i].revents;
            if (got)
                ares_process_fd(channel, got & (POLLIN | POLLERR | POLLHUP) ? polled[i].fd : ARES_SOCKET_BAD,
                                got & (POLLOUT | POLLERR | POLLHUP) ? polled[i].fd : ARES_SOCKET_BAD);
        }
    }
}

struct addresses_answer {
    bool done;
    int status;
    struct resolved *resolved;
};

static void take_addresses(void *context, int status, int timeouts, struct ares_addrinfo *found) {
    struct addresses_answer *answer = context;
    struct resolved *resolved = answer->resolved;
    (void)timeouts;
    answer->done = true;
    answer->status = status;
    if (status != ARES_SUCCESS || !found)
        return;
    for (struct ares_addrinfo_node *node = found->nodes; node && resolved->count < RESOLVER_ADDRESSES_MAX;
         node = node->ai_next) {
        struct in6_addr *address = &resolved->addresses[resolved->count++];
        if (node->ai_family == AF_INET)
            memcpy(address, &((struct sockaddr_in *)(void *)node->ai_addr)->sin_addr, sizeof(struct in_addr));
        else
            *address = ((struct sockaddr_in6 *)(void *)node->ai_addr)->sin6_addr;
    }
    const char *canonical = found->name;
    for (struct ares_addrinfo_cname *cname = found->cnames; cname; cname = cname->next)
        if (cname->name)
            canonical = cname->name;
    if (canonical)
        snprintf(resolved->canonical, sizeof resolved->canonical, "%s", canonical);
    ares_freeaddrinfo(found);
}

static int eai_of(int status) {
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENODATA:
        return EAI_NODATA;
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return EAI_NONAME;
    case ARES_ENOMEM:
        return EAI_MEMORY;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ECONNREFUSED:
    case ARES_ETIMEOUT:
        return EAI_AGAIN;
    default:
        return EAI_FAIL;
    }
}

int resolver_addresses(const char *name, int family, enum resolver_source source, struct resolved *resolved) {
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_CANONNAME | ARES_AI_NOSORT,
                                              .ai_family = family};
    struct addresses_answer answer = {.resolved = resolved};
    ares_channel channel;
    resolved->count = 0;
    snprintf(resolved->canonical, sizeof resolved->canonical, "%s", name);
    int status = open_channel(&channel, source);
    if (status != ARES_SUCCESS)
        return eai_of(status);
    ares_getaddrinfo(channel, name, NULL, &hints, take_addresses, &answer);
    run(channel, &answer.done);
    ares_destroy(channel); /* what has not been answered is now */
    if (answer.status == ARES_SUCCESS && resolved->count == 0)
        return EAI_NODATA;
    return eai_of(answer.status);
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

static char **pack_list(struct packing *packing, char *const *list, size_t item_bytes) {
    size_t count = 0;
    while (list && list[count])
        count++;
    char **copy = pack(packing, NULL, (count + 1) * sizeof *copy, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        copy[i] = pack(packing, list[i], item_bytes ? item_bytes : strlen(list[i]) + 1, item_bytes ? 4 : 1);
    if (copy)
        copy[count] = NULL;
    return copy;
}

struct host_answer {
    bool done;
    int status;
    struct hostent *host;
    struct packing packing;
};

static void take_host(void *context, int status, int timeouts, struct hostent *found) {
    struct host_answer *answer = context;
    (void)timeouts;
    answer->done = true;
    answer->status = status;
    if (status != ARES_SUCCESS || !found)
        return;
    *answer->host = (struct hostent){.h_addrtype = found->h_addrtype, .h_length = found->h_length};
    answer->host->h_addr_list = pack_list(&answer->packing, found->h_addr_list, (size_t)found->h_length);
    char **aliases = found->h_aliases;
    if (aliases && aliases[0] && strcmp(aliases[0], found->h_name) == 0)
        aliases++; /* a PTR's name is no alias of itself */
    answer->host->h_aliases = pack_list(&answer->packing, aliases, 0);
    answer->host->h_name = pack(&answer->packing, found->h_name, strlen(found->h_name) + 1, 1);
}

static int finish(ares_channel channel, struct host_answer *answer, int *host_error) {
    run(channel, &answer->done);
    ares_destroy(channel);
    switch (eai_of(answer->status)) {
    case 0:
        *host_error = answer->packing.failed ? NETDB_INTERNAL : NETDB_SUCCESS;
        return answer->packing.failed ? ERANGE : 0;
    case EAI_NONAME:
        *host_error = HOST_NOT_FOUND;
        return -1;
    case EAI_NODATA:
        *host_error = NO_DATA;
        return -1;
    case EAI_AGAIN:
        *host_error = TRY_AGAIN;
        return -1;
    default:
        *host_error = NO_RECOVERY;
        return -1;
    }
}

int resolver_host_by_name(const char *name, int family, struct hostent *host, char *buffer, size_t length,
                          int *host_error) {
    struct host_answer answer = {.host = host, .packing = {buffer, length, false}};
    ares_channel channel;
    *host_error = NO_RECOVERY;
    if (open_channel(&channel, RESOLVER_ANY) != ARES_SUCCESS)
        return -1;
    ares_gethostbyname(channel, name, family, take_host, &answer);
    return finish(channel, &answer, host_error);
}

int resolver_host_by_address(const void *address, socklen_t address_length, int family, struct hostent *host,
                             char *buffer, size_t length, int *host_error) {
    struct host_answer answer = {.host = host, .packing = {buffer, length, false}};
    ares_channel channel;
    *host_error = NO_RECOVERY;
    if (open_channel(&channel, RESOLVER_ANY) != ARES_SUCCESS)
        return -1;
    ares_gethostbyaddr(channel, address, (int)address_length, family, take_host, &answer);
    return finish(channel, &answer, host_error);
}
