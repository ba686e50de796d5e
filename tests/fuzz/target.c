/* SPDX-License-Identifier: MIT */
/*
 * target.c - see target.h. Without libFuzzer (make check) the main of this file runs a target over the files
 * given.
 */
#include "tests/fuzz/target.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define REGION_BYTES (64u << 20)
#define GUARDED_BYTES (1u << 20)
#define GUARD_BYTES 65536u

uint64_t target_now;
static char *region;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void target_expect(bool true_now, const char *what) {
    if (true_now)
        return;
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

struct stack *target_create(void *start, size_t bytes, size_t reserved, uint32_t address) {
    static const uint8_t seed[RANDOM_SEED_BYTES] = {7};
    const struct stack_config config = {.address = address,
                                        .prefix_length = 24,
                                        .gateway = address ? TARGET_PEER : 0,
                                        .mac = {2, 0, 0, 0, 0, 10},
                                        .mtu = 1500,
                                        .ip6 = {.on = address != 0,
                                                .autoconf = true,
                                                .address = TARGET_ADDRESS6,
                                                .prefix_length = 64,
                                                .gateway = TARGET_PEER6}};
    struct stack *stack = start;
    target_now = 1000 * SECOND;
    int error = stack_create(stack, start, bytes, reserved, &config, seed, target_now);
    target_expect(!error, "a stack");
    stack->sysctl.ip6_dad_transmits = 0; /* its addresses are good at once */
    return stack;
}

struct stack *target_stack(uint32_t address) {
    if (!region) {
        char *mapped = mmap(NULL, REGION_BYTES + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        target_expect(mapped != MAP_FAILED, "memory for a stack");
        region = mapped + (-(uintptr_t)mapped & (ARENA_BLOCK_BYTES - 1));
    } else {
        madvise(region, REGION_BYTES, MADV_DONTNEED); /* zeroes, at the cost of what was used */
    }
    return target_create(region, REGION_BYTES, sizeof(struct stack), address);
}

void target_input(struct stack *stack, const uint8_t *bytes, size_t length) {
    struct byte_queue queue = {0};
    struct iovec piece = {(void *)bytes, length};
    if (length == 0 || length > 65549)
        return;
    byte_queue_append(&queue, &stack->buffers, &piece, 1, 0, (uint32_t)length);
    stack_input(stack, target_now, queue.head, 0);
    stack_advance(stack, target_now);
}

void target_packet(struct stack *stack, uint8_t *frame, uint8_t protocol, uint32_t destination,
                   uint32_t header_length, uint32_t length) {
    static const uint8_t peer[6] = {2, 0, 0, 0, 0, 2};
    uint8_t *ip = frame + ETHER_HEADER_BYTES;
    memcpy(frame, stack->config.mac, 6);
    memcpy(frame + 6, peer, 6);
    wire_put16(frame + 12, ETHER_TYPE_IP);
    memset(ip, 0, IP_HEADER_BYTES);
    ip[0] = (uint8_t)(0x40 | header_length / 4);
    wire_put16(ip + 2, (uint16_t)(header_length + length));
    ip[8] = 64;
    ip[9] = protocol;
    wire_put32(ip + 12, TARGET_PEER);
    wire_put32(ip + 16, destination);
    ip_seal_header(ip);
    target_input(stack, frame, ETHER_HEADER_BYTES + header_length + length);
}

uint8_t *target_guarded(const uint8_t *bytes, size_t length) {
    static uint8_t *room;
    if (!room) {
        room = mmap(NULL, GUARDED_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);
        target_expect(room != MAP_FAILED && mprotect(room + GUARDED_BYTES, GUARD_BYTES, PROT_NONE) == 0,
                      "memory with a guard");
    }
    size_t aligned = (length + 3) & ~(size_t)3;
    target_expect(aligned <= GUARDED_BYTES, "an input of a megabyte at most");
    uint8_t *copy = room + GUARDED_BYTES - aligned;
    memcpy(copy, bytes, length);
    memset(copy + length, 0, aligned - length);
    return copy;
}

void target_run(struct stack *stack, uint64_t ns) {
    uint64_t end = target_now + ns;
    for (int steps = 0; steps < 20000; steps++) {
        uint64_t next = stack_deadline(stack);
        stack_frames_sent(stack, UINT32_MAX);
        if (next > end)
            break;
        if (next > target_now)
            target_now = next;
        stack_advance(stack, target_now);
    }
    target_now = end;
    stack_advance(stack, target_now);
    stack_frames_sent(stack, UINT32_MAX);
}

static void drop(void *object, void *context) {
    socket_release(context, object);
}

void target_end(struct stack *stack) {
    pool_walk(&stack->sockets, drop, stack);
    target_run(stack, 10000 * SECOND);
    target_expect(stack->sockets.used == 0, "no socket left");
    target_expect(!stack_busy(stack), "no connection left");
    target_expect(stack->datagrams.used == 0, "no datagram left");
    target_expect(stack->out_of_order_segments.used == 0, "no segment left");
    target_expect(stack->actives.used == 0 && tcp_active_is_blank(&stack->idle_active), "all at rest");
    target_expect(stack->reassemblies.pool.used == 0, "no fragment left");
    target_expect(stack->multicast.memberships.used == 0, "no membership left");
    target_expect(stack->ip6.on || stack->multicast.groups.used == 0, "no group left");
    target_expect(stack->buffers.used == 0, "no buffer left");
}

#ifndef WITH_LIBFUZZER
int main(int count, char **arguments) {
    static uint8_t bytes[1 << 20];
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(arguments[i], "rb");
        if (!file) {
            perror(arguments[i]);
            return 1;
        }
        size_t length = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        LLVMFuzzerTestOneInput(bytes, length);
    }
    printf("%d inputs\n", count - 1);
    return count > 1 ? 0 : 1;
}
#endif
