/* SPDX-License-Identifier: MIT */
/*
 * fuzz_netlink.c - a program's netlink requests: the input's first byte says which protocol and how, the rest
 * is the request. The stack has sockets, neighbours and routes to tell of; the kernel answers with what the
 * program has asked, so that its answers are of any form, too.
 */
#include "shim/library/memory.h"
#include "shim/library/netinfo/interfaces.h"
#include "shim/library/netinfo/netlink_answer.h"
#include "shim/library/netinfo/netlink_kernel.h"
#include "tests/fuzz/region.h"
#include "tests/fuzz/target.h"
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define DATAGRAM_MAX 131072u /* a message quotes a request of 64 KB at most */

static uint32_t delivered;

/* As the library's own, zeroes, but with an end that is watched; of what is long, the same each time. */
#define LONG_BYTES (1u << 20)
static void *long_one;
static size_t long_bytes;

void *memory_take(size_t bytes) {
    if (bytes <= LONG_BYTES)
        return calloc(1, bytes);
    target_expect(!long_one, "one long answer at a time");
    long_one = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    target_expect(long_one != MAP_FAILED, "memory");
    long_bytes = bytes;
    return long_one;
}

void memory_give(void *memory) {
    if (memory != long_one) {
        free(memory);
        return;
    }
    if (memory)
        munmap(memory, long_bytes);
    long_one = NULL;
}

void interfaces_describe(struct interface all[INTERFACES]) {
    target_expect(target_locked, "the lock");
    interfaces_describe_by(all, "packet:bw0");
}

static void look_at(void *context, const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    struct nlmsghdr header;
    (void)context;
    target_expect(!target_locked, "no lock while a datagram is given away");
    target_expect(length <= DATAGRAM_MAX, "a datagram that programs have room for");
    while (length >= sizeof header) {
        memcpy(&header, at, sizeof header);
        target_expect(header.nlmsg_len >= sizeof header && NLMSG_ALIGN(header.nlmsg_len) <= length,
                      "whole messages");
        at += NLMSG_ALIGN(header.nlmsg_len);
        length -= NLMSG_ALIGN(header.nlmsg_len);
    }
    target_expect(length == 0, "nothing behind the messages");
    delivered++;
}

/* What the library finds out outside: nobody waits for routers, ::1 is there, no socket is of this process. */
void call_await_routers(struct ip_address host);
void call_await_routers(struct ip_address host) {
    (void)host;
    target_expect(!target_locked, "no lock while somebody waits");
}

bool interfaces_have_loopback6(void);
bool interfaces_have_loopback6(void) {
    target_expect(!target_locked, "no lock while the kernel is asked");
    return true;
}

struct socket *descriptor_socket_named(uint64_t inode);
struct socket *descriptor_socket_named(uint64_t inode) {
    (void)inode;
    target_expect(target_locked, "a lock");
    return NULL;
}

/* The kernel's answer: the request's own attributes, as they are, if it is no error. */
int __wrap_netlink_ask_kernel(int protocol, const struct nlmsghdr *request, bool strict, uint32_t port,
                              void (*deliver)(void *context, const void *bytes, size_t length),
                              void *context);
int __wrap_netlink_ask_kernel(int protocol, const struct nlmsghdr *request, bool strict, uint32_t port,
                              void (*deliver)(void *context, const void *bytes, size_t length),
                              void *context) {
    uint32_t length = request->nlmsg_len - NLMSG_HDRLEN;
    (void)protocol, (void)port;
    target_expect(!target_locked, "no lock while the kernel is asked");
    if (strict || length < NLMSG_HDRLEN)
        return -EOPNOTSUPP;
    void *copy = malloc(length);
    target_expect(copy != NULL, "memory");
    memcpy(copy, request + 1, length);
    struct nlmsghdr *first = copy;
    if (first->nlmsg_len < sizeof *first || first->nlmsg_len > length)
        first->nlmsg_len = length;
    if (deliver != look_at)
        deliver(context, copy, length);
    free(copy);
    return 0;
}

static void fill_stack(struct stack *stack) {
    static const uint8_t reply[42] = {2, 0, 0, 0, 0, 10, 2, 0,  0,  0, 0, 2, 8, 6, 0, 1, 8, 0,  6,  4, 0,
                                      1, 2, 0, 0, 0, 0,  2, 10, 77, 0, 2, 0, 0, 0, 0, 0, 0, 10, 77, 0, 10};
    static const int types[] = {SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW};
    target_input(stack, reply, sizeof reply);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct socket *socket;
        target_expect(socket_create(stack, types[i], types[i] == SOCK_RAW ? 99 : 0, &socket) == 0,
                      "a socket");
        socket->options.inet6 = i == 1;
        socket_bind(stack, socket, ip_from_v4(0), types[i] == SOCK_RAW ? 0 : (uint16_t)(1000 + i));
        if (i == 0)
            socket_listen(stack, socket, 4);
        else if (types[i] != SOCK_RAW)
            socket_connect(stack, socket, ip_from_v4(TARGET_PEER), 80);
    }
    stack_advance(stack, target_now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 65536)
        return 0;
    struct stack *stack = target_region();
    fill_stack(stack);
    int protocol = data[0] & 1 ? NETLINK_SOCK_DIAG : NETLINK_ROUTE;
    bool strict = data[0] & 2;
    shared->kernel_loopback = data[0] & 4;
    uint8_t *request = target_guarded(data + 1, size - 1);
    delivered = 0;
    bool answered = netlink_answer(protocol, request, size - 1, 1234, strict, look_at, NULL);
    target_expect(answered, "an answer");
    target_expect(delivered <= size, "a bound on the answer");
    target_end(stack);
    return 0;
}
