/* SPDX-License-Identifier: MIT */
/*
 * stack.c - what the stack itself costs: two stacks in one process, back to back in memory, without a NIC.
 *
 *   stack bulk [CONNECTIONS] [MEGABYTES]      data one way, in turn over so many connections
 *   stack request [CONNECTIONS] [REQUESTS]    100 bytes there, 1,000 back
 *   stack connect [IDLE] [CONNECTIONS]        open and close, beside so many that are idle
 *   stack beside [IDLE] [MEGABYTES]           data one way over one connection, beside so many that are idle
 *   stack idle [CONNECTIONS]                  memory of an open connection, of both its ends' one; and when all are closed
 *   stack waiting [CONNECTIONS]               memory of a connection in TIME_WAIT
 *   stack -6 ...                              the same over IPv6
 *
 * One line: figures by the clock. Under callgrind (valgrind --tool=callgrind --toggle-collect=measure) the
 * count of instructions, divided by the line's segments, repeats exactly.
 */
#include "stack/stack.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define REGION_BYTES (UINT64_C(4) << 30)
#define CLIENT 0x0a000000u /* and up: more connections than one address has ports take several */
#define SERVER 0x0aff0002u
#define PER_PORT 20000u /* connections to a port of the server's */

static uint64_t now = 1000000000;
static uint8_t bytes[65536];
static struct stack *a, *b;
static struct socket **clients, **servers;
static uint64_t frames, data_segments;

static bool six; /* all goes over IPv6 */

static struct ip_address address_of(uint32_t host, bool by_six) {
    struct ip_address address = {.bytes = {0xfd, [15] = (uint8_t)host}};
    return by_six ? address : ip_from_v4(host);
}

static struct stack *make(uint32_t address) {
    static const uint8_t seed[RANDOM_SEED_BYTES] = {1};
    struct stack_config config = {
        .address = address, .prefix_length = 8, .mac = {2, 0, 0, 0, 0, (uint8_t)address}, .mtu = 1500};
    config.ip6.on = six;
    config.ip6.address = address_of(address, true);
    config.ip6.prefix_length = 64;
    char *mapped = mmap(NULL, REGION_BYTES + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct stack *stack = (struct stack *)(void *)(mapped + (-(uintptr_t)mapped & (ARENA_BLOCK_BYTES - 1)));
    if (mapped == MAP_FAILED || stack_create(stack, stack, REGION_BYTES, sizeof *stack, &config, seed, now))
        abort();
    stack->sysctl.ip6_dad_transmits = 0; /* addresses are good at once */
    stack_advance(stack, now + 100000000);
    return stack;
}

/* Carries what one has sent to the other. */
static void carry(struct stack *from, struct stack *to) {
    struct frame *frame;
    while ((frame = stack_frame(from, 0))) {
        struct buffer *buffer = buffer_take(&to->buffers);
        if (!buffer)
            abort();
        data_segments += frame->payload_length > 0;
        buffer->end = stack_frame_copy(frame, buffer->storage);
        stack_frames_sent(from, 1);
        stack_input(to, now, buffer, 0);
        frames++;
    }
    stack_advance(to, now);
}

static void exchange(void) {
    do {
        carry(a, b);
        carry(b, a);
    } while (stack_frame(a, 0) || stack_frame(b, 0));
}

static struct socket *listen_on(uint16_t port) {
    struct socket *listener;
    if (socket_create(b, SOCK_STREAM, 0, &listener))
        abort();
    listener->options.inet6 = six;
    if (socket_bind(b, listener, (struct ip_address){0}, port) || socket_listen(b, listener, 4096))
        abort();
    return listener;
}

static void connect_one(struct socket *listener, uint16_t port, struct socket **client,
                        struct socket **server) {
    if (socket_create(a, SOCK_STREAM, 0, client))
        abort();
    (*client)->options.inet6 = six;
    socket_connect(a, *client, address_of(SERVER, six), port);
    stack_advance(a, now);
    exchange();
    if (socket_accept(b, listener, server))
        abort();
}

static void connect_many(uint32_t count) {
    struct socket *listener = NULL;
    clients = calloc(count, sizeof(struct socket *));
    servers = calloc(count, sizeof(struct socket *));
    for (uint32_t i = 0; i < count; i++) {
        uint16_t port = (uint16_t)(80 + i / PER_PORT);
        if (i % PER_PORT == 0)
            listener = listen_on(port);
        connect_one(listener, port, &clients[i], &servers[i]);
    }
    for (int second = 0; second < 4; second++) {
        now += 1000000000;
        stack_advance(a, now);
        stack_advance(b, now);
        exchange();
    }
}

static size_t drain(struct stack *stack, struct socket *socket) {
    struct iovec piece = {bytes, sizeof bytes};
    struct socket_message message = {.pieces = &piece, .count = 1};
    size_t total = 0;
    ssize_t got;
    while ((got = socket_receive(stack, socket, &message)) > 0)
        total += (size_t)got;
    return total;
}

static size_t put(struct stack *stack, struct socket *socket, size_t length) {
    struct iovec piece = {bytes, length};
    struct socket_message message = {.pieces = &piece, .count = 1};
    ssize_t sent = socket_send(stack, socket, &message);
    return sent > 0 ? (size_t)sent : 0;
}

static void tick(uint64_t ns) {
    now += ns;
    stack_advance(a, now);
    stack_advance(b, now);
}

/* Each in turn sends some segments, which are read and acknowledged. */
static void bulk(uint32_t connections, uint64_t total) {
    uint64_t received = 0;
    for (uint32_t i = 0; received < total; i = (i + 1) % connections) {
        put(a, clients[i], connections == 1 ? sizeof bytes : 11680);
        carry(a, b);
        received += drain(b, servers[i]);
        carry(b, a);
        tick(10000);
    }
}

static void request(uint32_t connections, uint64_t total) {
    for (uint64_t i = 0; i < total; i++) {
        uint32_t at = (uint32_t)(i * 7919 % connections);
        put(a, clients[at], 100);
        carry(a, b);
        drain(b, servers[at]);
        put(b, servers[at], 1000);
        carry(b, a);
        drain(a, clients[at]);
        tick(10000);
    }
}

static void connect_and_close(uint64_t total) {
    struct socket *listener = listen_on(8000), *client, *server;
    for (uint64_t i = 0; i < total; i++) {
        connect_one(listener, 8000, &client, &server);
        socket_release(a, client);
        stack_advance(a, now);
        exchange();
        socket_release(b, server);
        stack_advance(b, now);
        exchange();
        tick(3000000); /* TIME_WAIT ends in time for the ports to be enough */
    }
}

/* What the objects of a stack take in their pools. */
static size_t memory_of(const struct stack *stack) {
    const struct pool *pools[] = {
        &stack->connections, &stack->time_waits,           &stack->sockets, &stack->actives, &stack->buffers,
        &stack->sent,        &stack->out_of_order_segments};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        bytes += (size_t)pools[i]->used * pools[i]->object_bytes;
    return bytes;
}

/* All are closed: the clients first, who wait out TIME_WAIT. */
static void close_all(uint32_t connections) {
    for (uint32_t i = 0; i < connections; i++) {
        socket_release(a, clients[i]);
        stack_advance(a, now);
        exchange();
        socket_release(b, servers[i]);
        stack_advance(b, now);
        exchange();
    }
}

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* What is measured: callgrind begins and ends to count here. */
__attribute__((noinline)) void measure(const char *what, uint32_t connections, uint64_t amount);
void measure(const char *what, uint32_t connections, uint64_t amount) {
    if (strcmp(what, "bulk") == 0)
        bulk(connections, amount << 20);
    else if (strcmp(what, "beside") == 0)
        bulk(1, amount << 20);
    else if (strcmp(what, "request") == 0)
        request(connections, amount);
    else if (strcmp(what, "connect") == 0)
        connect_and_close(amount);
}

int main(int count, char **arguments) {
    six = count > 1 && strcmp(arguments[1], "-6") == 0;
    arguments += six;
    count -= six;
    const char *what = count > 1 ? arguments[1] : "bulk";
    uint32_t connections = count > 2 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 1;
    uint64_t amount = count > 3 ? strtoull(arguments[3], NULL, 10)
                      : strcmp(what, "bulk") == 0 || strcmp(what, "beside") == 0 ? 500
                                                                                 : 100000;
    a = make(CLIENT + 1);
    b = make(SERVER);
    now += 100000000;
    sysctl_set(&a->sysctl, "net.ipv4.ip_local_port_range", "1024 65535");
    connect_many(connections);
    frames = data_segments = 0;
    size_t before = memory_of(b);
    double begun = seconds();
    measure(what, connections, amount);
    double took = seconds() - begun;
    if (strcmp(what, "idle") == 0) {
        printf("%zu bytes an idle connection, %u of them", before / connections, connections);
        close_all(connections);
        for (int second = 0; second < 200; second++) {
            tick(1000000000);
            exchange();
        }
        printf(", and %zu when all are closed\n", memory_of(a) + memory_of(b));
    } else if (strcmp(what, "waiting") == 0) {
        before = memory_of(a);
        close_all(connections);
        for (int second = 0; second < 4; second++) {
            tick(1000000000);
            exchange();
        }
        printf("%zu bytes a connection in TIME_WAIT, %u of them; open it was %zu\n",
               memory_of(a) / a->time_wait_count, a->time_wait_count, before / connections);
    } else if (strcmp(what, "bulk") == 0 || strcmp(what, "beside") == 0)
        printf("%.1f Gb/s, %.0f ns a data segment, %lu segments, %u connections\n",
               (double)amount * 1048576 * 8e-9 / took, took * 1e9 / (double)data_segments,
               (unsigned long)data_segments, connections);
    else
        printf("%.0f ns each, %lu segments, %lu of them data, %u connections\n", took * 1e9 / (double)amount,
               (unsigned long)frames, (unsigned long)data_segments, connections);
    return 0;
}
