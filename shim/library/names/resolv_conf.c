/* SPDX-License-Identifier: MIT */
/*
 * resolv_conf.c - see resolv_conf.h, and resolv.conf(5).
 */
#include "shim/library/names/resolv_conf.h"
#include "shim/library/calls/call.h"
#include "shim/library/memory.h"
#include "shim/library/names/dns.h"
#include "shim/library/netinfo/procfs.h"
#include "shim/library/process/netns.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES 65536 /* of the host's; what is longer is cut */
#define ROOM_BYTES (FILE_BYTES + 1024)

static size_t read_hosts(char *to) {
    size_t used = 0;
    ssize_t got;
    int fd = LIBC(open)("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    while (used < FILE_BYTES - 1 && (got = LIBC(read)(fd, to + used, FILE_BYTES - 1 - used)) > 0)
        used += (size_t)got;
    LIBC(close)(fd);
    return used;
}

static bool begins(const char *line, const char *word) {
    size_t length = strlen(word);
    return strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\t');
}

/* Whether a line of the host's is not the stack's: another place has been told. */
static bool is_replaced(const char *line, const char *domain) {
    return begins(line, "nameserver") || (domain && (begins(line, "search") || begins(line, "domain")));
}

/* The host's lines, then ours. Returns the length. */
static size_t write_text(char *to, const char *hosts, const struct __res_state *state) {
    const char *domain = state->dnsrch[0];
    size_t used = 0;
    for (const char *line = hosts; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (!is_replaced(line, domain))
            used += (size_t)snprintf(to + used, ROOM_BYTES - used, "%.*s\n", (int)strcspn(line, "\n"), line);
    if (domain)
        used += (size_t)snprintf(to + used, ROOM_BYTES - used, "search %s\n", domain);
    for (int i = 0; i < state->nscount; i++) {
        char server[INET6_ADDRSTRLEN];
        const struct sockaddr_in6 *six = state->_u._ext.nsaddrs[i];
        if (six)
            inet_ntop(AF_INET6, &six->sin6_addr, server, sizeof server);
        else
            inet_ntop(AF_INET, &state->nsaddr_list[i].sin_addr, server, sizeof server);
        used += (size_t)snprintf(to + used, ROOM_BYTES - used, "nameserver %s\n", server);
    }
    return used;
}

int resolv_conf_open(int flags) {
    struct __res_state state = {.nscount = 0};
    int kept = errno, fd = -1;
    if ((flags & O_ACCMODE) != O_RDONLY || flags & (O_DIRECTORY | O_PATH))
        return -1;
    if ((!attached() && !attach_config.nic[0]) || netns_away() || (!attach_config.dns[0] && !call_join()))
        return -1;
    dns_name_servers(&state);
    char *hosts = state.nscount ? memory_take(FILE_BYTES) : NULL,
         *text = hosts ? memory_take(ROOM_BYTES) : NULL;
    if (text) {
        hosts[read_hosts(hosts)] = 0;
        fd = procfs_file(text, write_text(text, hosts, &state), flags);
    }
    for (int i = 0; i < MAXNS; i++)
        free(state._u._ext.nsaddrs[i]);
    memory_give(text);
    memory_give(hosts);
    errno = kept;
    return fd;
}
