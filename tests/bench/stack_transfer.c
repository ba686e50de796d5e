/*
 * stack_transfer.c - what the stack itself costs: two stacks in one process, a cable without delay, one
 * connection.
 *
 *   stack_transfer [MEGABYTES]     nanoseconds a segment; or run it under callgrind, whose counts repeat
 * exactly
 */
#include "stack.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define REGION_BYTES (64u << 20)

static uint64_t now = 1000000000;

static struct stack *make(uint32_t address) {
    static const uint8_t seed[RANDOM_SEED_BYTES] = {1};
    struct stack_config config = {
        .address = address, .prefix_length = 24, .mac = {2, 0, 0, 0, 0, (uint8_t)address}, .mtu = 1500};
    char *mapped = mmap(NULL, REGION_BYTES + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct stack *stack = (struct stack *)(void *)(mapped + (-(uintptr_t)mapped & (ARENA_BLOCK_BYTES - 1)));
    if (mapped == MAP_FAILED || stack_create(stack, stack, REGION_BYTES, sizeof *stack, &config, seed, now))
        abort();
    return stack;
}

/* Carries what one has sent to the other. Returns how many frames. */
static uint32_t carry(struct stack *from, struct stack *to) {
    uint32_t count = 0;
    struct frame *frame;
    while ((frame = stack_frame(from, 0))) {
        struct buffer *buffer = buffer_take(&to->buffers);
        if (!buffer)
            abort();
        buffer->end = stack_frame_copy(frame, buffer->storage);
        stack_frames_sent(from, 1);
        stack_input(to, now, buffer, 0);
        count++;
    }
    stack_advance(to, now);
    return count;
}

int main(int count, char **arguments) {
    static uint8_t bytes[65536];
    uint64_t left = (count > 1 ? strtoull(arguments[1], NULL, 10) : 100) << 20, frames = 0, received = 0,
             total = left;
    struct stack *a = make(0x0a000001), *b = make(0x0a000002);
    struct socket *client, *server = NULL, *listener;
    struct timespec begin, end;
    if (socket_create(b, SOCK_STREAM, 0, &listener) || socket_bind(b, listener, 0, 80) ||
        socket_listen(b, listener, 1) || socket_create(a, SOCK_STREAM, 0, &client))
        abort();
    socket_connect(a, client, 0x0a000002, 80);
    for (int i = 0; i < 10; i++) {
        stack_advance(a, now);
        carry(a, b);
        carry(b, a);
    }
    if (socket_accept(b, listener, &server))
        abort();
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (received < total) {
        struct iovec piece = {bytes, left < sizeof bytes ? left : sizeof bytes};
        struct socket_message message = {.pieces = &piece, .count = 1};
        ssize_t sent = left ? socket_send(a, client, &message) : 0;
        if (sent > 0)
            left -= (uint64_t)sent;
        frames += carry(a, b);
        piece = (struct iovec){bytes, sizeof bytes};
        ssize_t got;
        while ((got = socket_receive(b, server, &message)) > 0)
            received += (uint64_t)got;
        frames += carry(b, a);
        now += 100000;
        stack_advance(a, now);
        stack_advance(b, now);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double ns = (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
    printf("%.0f ns a frame, %.0f MB/s\n", ns / (double)frames, (double)total * 1e3 / ns);
    return 0;
}
