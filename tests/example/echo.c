/* SPDX-License-Identifier: MIT */
/*
 * echo.c - the stack as a library: `echo TAP` brings one up at 10.79.2.10 on a TAP interface, and sends back
 * whatever comes to port 7. It links stack/ and nothing else of barewire.
 */
#include "stack/stack.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define REGION_BYTES (64u << 20)

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct stack *bring_up(void) {
    struct stack_config config = {
        .address = 0x0a4f020a, .prefix_length = 24, .mac = {2, 0, 10, 79, 2, 10}, .mtu = 1500};
    uint8_t seed[RANDOM_SEED_BYTES];
    char *memory = mmap(NULL, REGION_BYTES + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || getrandom(seed, sizeof seed, 0) != sizeof seed)
        return NULL;
    memory += ARENA_BLOCK_BYTES - (uintptr_t)memory % ARENA_BLOCK_BYTES;
    struct stack *stack = (struct stack *)memory;
    return stack_create(stack, memory, REGION_BYTES, sizeof *stack, &config, seed, now_ns()) == 0 ? stack
                                                                                                  : NULL;
}

static void receive_frames(struct stack *stack, int tap) {
    char bytes[2048];
    ssize_t length;
    while ((length = read(tap, bytes, sizeof bytes)) > 0) {
        struct byte_queue queue = {0};
        struct iovec piece = {bytes, (size_t)length};
        if (byte_queue_append(&queue, &stack->buffers, &piece, 1, 0, (uint32_t)length) == length)
            stack_input(stack, now_ns(), queue.head, 0);
        else
            buffer_drop_chain(&stack->buffers, queue.head);
    }
}

static void send_frames(struct stack *stack, int tap) {
    uint8_t bytes[2048];
    struct frame *frame;
    while ((frame = stack_frame(stack, 0))) {
        if (write(tap, bytes, stack_frame_copy(frame, bytes)) < 0)
            perror("echo: a frame is lost");
        stack_frames_sent(stack, 1);
    }
}

/* Sends back what came, while there is room for a whole part; the socket tells when there is again. */
static void echo(struct stack *stack, struct socket *socket) {
    char bytes[2048];
    ssize_t length = 1;
    while (socket_poll(stack, socket) & POLLOUT) {
        struct iovec piece = {bytes, sizeof bytes};
        struct socket_message in = {.pieces = &piece, .count = 1}, out = in;
        if ((length = socket_receive(stack, socket, &in)) <= 0)
            break;
        piece.iov_len = (size_t)length;
        if ((length = socket_send(stack, socket, &out)) < 0)
            break;
    }
    if (length == 0 || (length < 0 && length != -EAGAIN)) /* the peer's end, or an error */
        socket_release(stack, socket);
}

int main(int count, char **arguments) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    struct socket *listener, *made;
    int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct stack *stack = bring_up();
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", count > 1 ? arguments[1] : "tap0");
    if (!stack || tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0 ||
        socket_create(stack, SOCK_STREAM, IPPROTO_TCP, &listener) != 0 ||
        socket_bind(stack, listener, ip_from_v4(0), 7) != 0 || socket_listen(stack, listener, 64) != 0) {
        perror("echo: can't begin");
        return 1;
    }
    for (;;) {
        struct socket *ready;
        struct pollfd readable = {.fd = tap, .events = POLLIN};
        uint64_t due = stack_deadline(stack), now = now_ns();
        poll(&readable, 1, due == TIMER_NEVER ? -1 : due <= now ? 0 : (int)((due - now) / 1000000 + 1));
        receive_frames(stack, tap);
        stack_advance(stack, now_ns());
        while ((ready = stack_next_event(stack)))
            if (ready != listener)
                echo(stack, ready);
            else
                while (socket_accept(stack, listener, &made) == 0)
                    echo(stack, made);
        stack_advance(stack, now_ns());
        send_frames(stack, tap);
    }
}
