/* SPDX-License-Identifier: MIT */
/*
 * filters.c - programs on sockets (SO_ATTACH_FILTER), which the kernel and we must understand alike, and
 * sharing of ports (SO_REUSEPORT, SO_ATTACH_REUSEPORT_CBPF).
 */
#include "tests/conformance/conformance.h"
#include <linux/filter.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRAMS 600
#define LONGEST 14
#define GROUP 4

static uint32_t seed;

static uint32_t any(uint32_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static int attach(int fd, const struct sock_filter *program, uint16_t count) {
    struct sock_fprog all = {.len = count, .filter = (struct sock_filter *)program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof all);
}

/* A number such as programs have: little ones, a few that are at limits, and places in the packet (where runs
 * do not differ, as they do in ports, addresses and checksums). */
static uint32_t operand(void) {
    static const uint32_t special[] = {
        0, 1, 15, 16, 31, 32, 0xffffffff, 0x80000000, 0x7fffffff, 0xfff00000, 0xfff00002, 0xfff00014};
    return any(4) == 0 ? special[any(sizeof special / sizeof *special)] : any(60);
}

static struct sock_filter instruction(uint32_t left) {
    static const uint16_t loads[] = {BPF_LD | BPF_ABS,  BPF_LD | BPF_IND, BPF_LD | BPF_IMM,
                                     BPF_LD | BPF_LEN,  BPF_LD | BPF_MEM, BPF_LDX | BPF_IMM,
                                     BPF_LDX | BPF_MEM, BPF_LDX | BPF_LEN};
    static const uint16_t jumps[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
    uint16_t source = any(2) ? BPF_X : BPF_K;
    uint8_t far = (uint8_t)(left ? any(left + (any(20) == 0)) : 0), near = (uint8_t)(left ? any(left) : 0);
    switch (any(12)) {
    case 0:
    case 1:
    case 2: {
        uint16_t load = loads[any(8)], size = (uint16_t)(any(3) << 3);
        bool sized = BPF_MODE(load) == BPF_ABS || BPF_MODE(load) == BPF_IND;
        return (struct sock_filter){load | (sized || any(20) == 0 ? size : 0), 0, 0,
                                    BPF_MODE(load) == BPF_MEM ? any(17)
                                    : sized                   ? 8 + operand()
                                                              : operand()};
    }
    case 3:
        return (struct sock_filter){BPF_LDX | BPF_B | BPF_MSH, 0, 0, 8 + any(50)};
    case 4:
    case 5:
        return (struct sock_filter){any(2) ? BPF_ST : BPF_STX, 0, 0, any(16)};
    case 6:
    case 7:
    case 8:
        return (struct sock_filter){BPF_ALU | (uint16_t)(any(12) << 4) | source, 0, 0, operand()};
    case 9:
        return (struct sock_filter){BPF_JMP | jumps[any(4)] | source, far, near, operand()};
    case 10:
        return any(4) ? (struct sock_filter){BPF_MISC | (any(2) ? BPF_TAX : BPF_TXA), 0, 0, 0}
                      : (struct sock_filter){BPF_JMP | BPF_JA, 0, 0, far};
    default:
        return any(3) ? (struct sock_filter){BPF_LD | BPF_W | BPF_ABS, 0, 0, 8 + any(40)}
                      : (struct sock_filter){(uint16_t)any(300), near, far, 8 + operand()};
    }
}

/* Sends a datagram past a program, and one past none. Returns what the first one's length was, or -1. */
static int passes(int fd, int from, const char *bytes, size_t length) {
    static const char marker[90] = "marker";
    char got[100];
    int first = -1, none = 0;
    write(from, bytes, length);
    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
    write(from, marker, sizeof marker);
    while (await(fd, POLLIN)) {
        ssize_t had = recv(fd, got, sizeof got, MSG_DONTWAIT);
        if (had == sizeof marker)
            break;
        first = memcmp(got, bytes, (size_t)had) == 0 ? (int)had : -2;
    }
    return first;
}

static void random_programs(int fd, int from) {
    char bytes[60];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 37 + 11);
    seed = 20261122;
    for (int i = 0; i < PROGRAMS; i++) {
        struct sock_filter program[LONGEST];
        uint16_t count = (uint16_t)(1 + any(LONGEST));
        for (uint16_t at = 0; at + 1 < count; at++)
            program[at] = instruction(count - at - 1u);
        program[count - 1] = (struct sock_filter){BPF_RET | (any(2) ? BPF_A : BPF_K), 0, 0, any(80)};
        char name[40];
        int attached = attach(fd, program, count);
        snprintf(name, sizeof name, "random program %d", i);
        if (attached < 0)
            outcome("filter", name, "%s", result(attached));
        else
            outcome("filter", name, "%d", passes(fd, from, bytes, sizeof bytes));
    }
}

static const struct sock_filter drop_all[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
static const struct sock_filter take_all[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};

static void calls(int fd) {
    struct sock_filter got[8], bad[] = {BPF_STMT(BPF_LD | BPF_IMM, 1)};
    struct sock_fprog none = {0}, much = {.len = 5000, .filter = (struct sock_filter *)take_all};
    socklen_t length = 0;
    int one = 1, zero = 0;
    outcome("filter", "detach none", "%s",
            result(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &one, sizeof one)));
    outcome("filter", "no program", "%s",
            result(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof none)));
    outcome("filter", "too much", "%s",
            result(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &much, sizeof much)));
    outcome("filter", "too short", "%s", result(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &much, 8)));
    outcome("filter", "without an end", "%s", result(attach(fd, bad, 1)));
    outcome("filter", "attach", "%s", result(attach(fd, take_all, 1)));
    outcome("filter", "how many", "%s", result(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, got, &length)));
    outcome("filter", "how many", "%u", length);
    length = 8;
    memset(got, 0, sizeof got);
    outcome("filter", "get", "%s", result(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, got, &length)));
    outcome("filter", "got", "%u: %u %u", length, got[0].code, got[0].k);
    outcome("filter", "lock", "%s", result(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one)));
    outcome("filter", "attach when locked", "%s", result(attach(fd, drop_all, 1)));
    outcome("filter", "detach when locked", "%s",
            result(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &one, sizeof one)));
    outcome("filter", "unlock", "%s", result(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &zero, sizeof zero)));
    length = sizeof one;
    outcome("filter", "is locked", "%s", result(getsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, &length)));
    outcome("filter", "is locked", "%d", one);
}

static void streams(void) {
    char got[10];
    int pair[2], none = 0;
    make_pair(pair);
    outcome("filter tcp", "attach", "%s", result(attach(pair[1], drop_all, 1)));
    outcome("filter tcp", "write", "%s", result(write(pair[0], "hello", 5)));
    settle();
    outcome("filter tcp", "read meanwhile", "%s", result(recv(pair[1], got, sizeof got, MSG_DONTWAIT)));
    outcome("filter tcp", "detach", "%s",
            result(setsockopt(pair[1], SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none)));
    outcome("filter tcp", "comes in the end", "%d", await(pair[1], POLLIN));
    outcome("filter tcp", "read", "%s", result(recv(pair[1], got, sizeof got, MSG_DONTWAIT)));
    close(pair[0]);
    close(pair[1]);
}

static int member(int type, uint16_t *port) {
    int fd = socket(family, type, 0), one = 1;
    union address address = address_of(own, *port);
    socklen_t length = sizeof address;
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    bind(fd, &address.any, address_length);
    if (type == SOCK_STREAM)
        listen(fd, 64);
    nonblocking(fd, true);
    getsockname(fd, &address.any, &length);
    *port = address.in.sin_port;
    return fd;
}

static int steer(int fd, const struct sock_filter *program, uint16_t count) {
    struct sock_fprog all = {.len = count, .filter = (struct sock_filter *)program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &all, sizeof all);
}

static int who(const int group[GROUP], int type) {
    char got[10];
    for (int i = 0; i < GROUP; i++) {
        int had =
            type == SOCK_STREAM ? accept(group[i], NULL, NULL) : (int)recv(group[i], got, sizeof got, 0);
        if (had < 0)
            continue;
        if (type == SOCK_STREAM)
            close(had);
        return i;
    }
    return -1;
}

/* Each of a group gets something of what many send; and what one sends goes to one. */
static void shares(int type, const int group[GROUP], uint16_t port, const char *name) {
    union address address = address_of(own, port);
    int counts[GROUP] = {0};
    bool same = true;
    for (int i = 0; i < 64; i++) {
        int fd = socket(family, type, 0), first;
        connect(fd, &address.any, address_length);
        write(fd, "x", 1);
        settle();
        first = who(group, type);
        if (first >= 0)
            counts[first]++;
        for (int again = 0; type == SOCK_DGRAM && again < 2; again++) {
            write(fd, "x", 1);
            settle();
            same &= who(group, type) == first;
        }
        close(fd);
    }
    outcome(name, "each has some, and all are there", "%d %d",
            counts[0] > 0 && counts[1] > 0 && counts[2] > 0 && counts[3] > 0,
            counts[0] + counts[1] + counts[2] + counts[3]);
    outcome(name, "from one place to one", "%d", same);
}

static void groups(int type, const char *name) {
    static const struct sock_filter by_byte[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
                                                 BPF_STMT(BPF_RET | BPF_A, 0)};
    static const struct sock_filter always_2[] = {BPF_STMT(BPF_RET | BPF_K, 2)};
    int group[GROUP], one = 1;
    uint16_t port = 0;
    for (int i = 0; i < GROUP; i++)
        group[i] = member(type, &port);
    union address address = address_of(own, port);
    shares(type, group, port, name);
    outcome(name, "steer", "%s",
            result(steer(group[1], type == SOCK_DGRAM ? by_byte : always_2, type == SOCK_DGRAM ? 2 : 1)));
    for (char i = 0; i < 6; i++) {
        int fd = socket(family, type, 0);
        char label[40];
        connect(fd, &address.any, address_length);
        write(fd, &i, 1);
        settle();
        int got = who(group, type);
        snprintf(label, sizeof label, "%d goes to", i);
        if (i < GROUP)
            outcome(name, label, "%d", got);
        else
            outcome(name, label, "%s", got >= 0 ? "one" : "none");
        close(fd);
    }
    outcome(name, "steer no more", "%s",
            result(setsockopt(group[1], SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &one, sizeof one)));
    for (int i = 0; i < GROUP; i++)
        close(group[i]);
    int alone = socket(family, type, 0);
    outcome(name, "steer alone", "%s", result(steer(alone, always_2, 1)));
    close(alone);
}

void test_filters(void) {
    uint16_t port, peer;
    int fd = make_datagram(&port), from = make_datagram(&peer);
    union address address = address_of(own, port);
    connect(from, &address.any, address_length);
    random_programs(fd, from);
    calls(fd);
    close(fd);
    close(from);
    streams();
    groups(SOCK_DGRAM, "group udp");
    groups(SOCK_STREAM, "group tcp");
}
