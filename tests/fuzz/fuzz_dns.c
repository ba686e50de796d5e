/* SPDX-License-Identifier: MIT */
/*
 * fuzz_dns.c - what name servers answer: the input is what is asked (a byte for how, one for how much room,
 * the name up to a zero), and a list of answers, each a byte for how, two for how long, and so many bytes.
 */
#include "shim/library/memory.h"
#include "shim/library/names/dns.h"
#include "shim/library/names/dns_host.h"
#include "shim/library/process/attach.h"
#include "shim/region/clock.h"
#include "shim/region/libc.h"
#include "tests/fuzz/region.h"
#include "tests/fuzz/target.h"
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <stdlib.h>

#define HOW_PLAIN 1   /* an answer begins as it is, not with the question's number and the question */
#define HOW_REFUSED 2 /* the server sends an error */

struct config attach_config;
static const uint8_t *input;
static size_t left;
static uint8_t query[NS_MAXDNAME + 100];
static size_t query_length;
static uint8_t stream[65537]; /* what comes next of an answer by TCP */
static size_t stream_length, stream_at;
static bool streaming;
static int opened;

uint64_t clock_now(void) {
    return target_now;
}

void attach(void) {
}

bool attached(void) {
    return true;
}

bool attach_has_inet6(void) {
    return true;
}

void *memory_take(size_t bytes) {
    return calloc(1, bytes);
}

void memory_give(void *memory) {
    free(memory);
}

/* The next answer. */
static size_t next_answer(uint8_t *to, size_t room) {
    if (left < 3)
        return 0;
    uint8_t how = input[0];
    size_t length = wire_get16(input + 1), used = 0;
    input += 3;
    left -= 3;
    length = length < left ? length : left;
    if (!(how & HOW_PLAIN)) {
        used = query_length < room ? query_length : room;
        memcpy(to, query, used);
        if (used >= NS_HFIXEDSZ) {
            to[2] |= 0x80;
            to[3] = 0;
        }
        if (used >= NS_HFIXEDSZ && length >= 2) { /* how many records */
            memcpy(to + 6, input, 2);
            input += 2;
            left -= 2;
            length -= 2;
        }
    }
    size_t rest = length < room - used ? length : room - used;
    memcpy(to + used, input, rest);
    input += length;
    left -= length;
    return used + rest;
}

int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol) {
    (void)family, (void)protocol;
    opened++;
    streaming = (type & 0xf) == SOCK_STREAM;
    stream_length = stream_at = 0;
    return 1000;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length) {
    (void)fd, (void)address, (void)length;
    return 0;
}

int __wrap_close(int fd);
int __wrap_close(int fd) {
    target_expect(fd == 1000 && opened > 0, "a socket that is open");
    opened--;
    return 0;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags) {
    (void)fd;
    if (!(flags & MSG_MORE)) {
        query_length = length < sizeof query ? length : sizeof query;
        memcpy(query, bytes, query_length);
    }
    return (ssize_t)length;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t length, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t length, int flags) {
    (void)fd, (void)flags;
    if (left >= 3 && input[0] & HOW_REFUSED) {
        input += 3;
        left -= 3;
        errno = ECONNREFUSED;
        return -1;
    }
    if (!streaming) {
        size_t got = next_answer(bytes, length);
        if (got == 0)
            errno = EAGAIN;
        return got ? (ssize_t)got : -1;
    }
    if (stream_at == stream_length) {
        stream_length = 2 + next_answer(stream + 2, 65535);
        wire_put16(stream, (uint16_t)(stream_length - 2));
        stream_at = 0;
        if (stream_length == 2)
            return 0;
    }
    size_t some = stream_length - stream_at < length ? stream_length - stream_at : length;
    memcpy(bytes, stream + stream_at, some);
    stream_at += some;
    return (ssize_t)some;
}

int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout_ms) {
    target_expect(count == 1 && timeout_ms >= 0, "one descriptor, and not for ever");
    polled->revents = polled->events;
    if (polled->events & POLLOUT || left >= 3 || stream_at < stream_length)
        return 1;
    target_now += (uint64_t)timeout_ms * 1000000u;
    return 0;
}

/* What resolv.conf has. */
static int init_state(struct __res_state *state) {
    *state = (struct __res_state){.retrans = 1,
                                  .retry = 1,
                                  .nscount = 2,
                                  .ndots = 1,
                                  .options = RES_INIT | RES_RECURSE | RES_DEFNAMES | RES_DNSRCH};
    for (int i = 0; i < 2; i++)
        state->nsaddr_list[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(53)};
    strcpy(state->defdname, "example.org");
    state->dnsrch[0] = state->defdname;
    if (left > 0 && input[0] & 1)
        state->options |= RES_USE_EDNS0;
    if (left > 0 && input[0] & 4)
        state->options |= RES_USEVC;
    return 0;
}

static void check_host(const struct hostent *host, const char *buffer, size_t length) {
    const char *end = buffer + length;
    target_expect(host->h_name >= buffer && host->h_name + strlen(host->h_name) < end,
                  "a name in the buffer");
    for (int i = 0; host->h_aliases[i]; i++)
        target_expect(host->h_aliases[i] >= buffer && host->h_aliases[i] + strlen(host->h_aliases[i]) < end,
                      "an alias in the buffer");
    for (int i = 0; host->h_addr_list[i]; i++)
        target_expect(host->h_addr_list[i] >= buffer && host->h_addr_list[i] + host->h_length <= end,
                      "an address in the buffer");
}

static void ask(uint8_t how, const char *name, size_t room) {
    static struct resolved resolved;
    struct hostent host;
    int host_error, family = how & 8 ? AF_INET6 : AF_INET;
    enum nss_status status;
    char *buffer = malloc(room);
    target_expect(room == 0 || buffer, "memory");
    switch (how & 3) {
    case 0:
        memset(&resolved, 0, sizeof resolved);
        dns_host_addresses(name, how & 16 ? AF_UNSPEC : family, &resolved, &host_error);
        target_expect(resolved.count >= 0 && resolved.count <= RESOLVER_ADDRESSES_MAX, "a bound");
        break;
    case 1:
        status = dns_host_by_name(name, family, &host, buffer, room, &host_error);
        if (status == NSS_STATUS_SUCCESS)
            check_host(&host, buffer, room);
        break;
    default:
        status = dns_host_by_address("\x0a\x4d\0\x02\0\0\0\0\0\0\xff\xff\x0a\x4d\0\x02",
                                     family == AF_INET ? 4 : 16, family, &host, buffer, room, &host_error);
        if (status == NSS_STATUS_SUCCESS)
            check_host(&host, buffer, room);
    }
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3)
        return 0;
    uint8_t how = data[0];
    size_t room = data[1] * 16u, length = strnlen((const char *)data + 2, size - 2);
    char *name = strndup((const char *)data + 2, length);
    target_expect(name != NULL, "memory");
    target_now = SECOND;
    libc.__res_ninit = init_state;
    attach_config.address = TARGET_ADDRESS;
    input = data + 2 + length + (length < size - 2);
    left = size - (size_t)(input - data);
    opened = 0;
    query_length = 0;
    ask(how, name, room);
    target_expect(opened == 0, "no socket left");
    free(name);
    return 0;
}
