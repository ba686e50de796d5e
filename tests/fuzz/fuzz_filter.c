/* SPDX-License-Identifier: MIT */
/*
 * fuzz_filter.c - classic BPF programs: the input is a program and the packet that it looks at. The kernel's
 * opinion of both is asked for by a socket of its own, where it gives one: it takes the same programs, and
 * they say the same of the same bytes.
 *
 *   a byte: instructions, then each as in struct sock_filter; the rest is the packet
 */
#include "tests/fuzz/target.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAM_MAX 255u
#define PACKET_MAX 4096u

static struct sock_filter program[PROGRAM_MAX];
static uint8_t seen[PACKET_MAX];
static int kernel[2] = {-1, -1};

/* Attaches the program to the kernel's socket. Gives its error; EAGAIN: it has no opinion. */
static int kernel_takes(unsigned short count) {
    struct sock_fprog given = {count, program};
    if (kernel[0] < 0 && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, kernel) < 0)
        return EAGAIN;
    int error = setsockopt(kernel[1], SOL_SOCKET, SO_ATTACH_FILTER, &given, sizeof given) < 0 ? errno : 0;
    return error == 0 || error == EINVAL ? error : EAGAIN;
}

/* How much of a packet the kernel's socket gets. */
static uint32_t kernel_admits(const uint8_t *packet, uint32_t length) {
    ssize_t got;
    uint32_t all = 0;
    if (send(kernel[0], packet, length, 0) < 0)
        return UINT32_MAX;
    while ((got = recv(kernel[1], seen, sizeof seen, 0)) >= 0)
        all = (uint32_t)got;
    return all;
}

/* Whether a program looks at bytes only: what lies beside them is another thing on another socket. */
static bool is_plain(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint16_t class = BPF_CLASS(program[i].code), mode = BPF_MODE(program[i].code);
        bool loads = class == BPF_LD || class == BPF_LDX;
        if (loads && (mode == BPF_IND || (mode != BPF_IMM && (int32_t)program[i].k < 0)))
            return false;
    }
    return true;
}

static uint32_t stack_admits(struct stack *stack, const struct socket *socket, const uint8_t *packet,
                             uint32_t length) {
    struct byte_queue queue = {0};
    struct iovec piece = {(void *)packet, length};
    struct filter_view view = {.type = 0};
    if (length > 0)
        byte_queue_append(&queue, &stack->buffers, &piece, 1, 0, length);
    view.chain = queue.head;
    uint32_t admitted = filter_admits(socket, &view, length);
    buffer_drop_chain(&stack->buffers, queue.head);
    return admitted < length ? admitted : length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stack *stack = target_stack(TARGET_ADDRESS);
    struct socket *socket;
    if (size < 1)
        return 0;
    uint32_t count = data[0];
    if ((size - 1) / sizeof *program < count)
        count = (uint32_t)((size - 1) / sizeof *program);
    memcpy(program, data + 1, count * sizeof *program);
    data += 1 + count * sizeof *program;
    size -= 1 + count * sizeof *program;
    uint32_t length = size < PACKET_MAX ? (uint32_t)size : PACKET_MAX;
    struct sock_fprog given = {(unsigned short)count, program};
    target_expect(socket_create(stack, SOCK_DGRAM, 0, &socket) == 0, "a socket");
    int error = socket_set_option(stack, socket, SOL_SOCKET, SO_ATTACH_FILTER, &given, sizeof given);
    int kernels = kernel_takes((unsigned short)count);
    target_expect(kernels == EAGAIN || error == -kernels, "the kernel takes the same programs");
    if (!error) {
        uint32_t admitted = stack_admits(stack, socket, data, length);
        target_expect(kernels || !is_plain(count) || kernel_admits(data, length) == admitted,
                      "the kernel admits as much of a packet");
    }
    target_end(stack);
    return 0;
}
