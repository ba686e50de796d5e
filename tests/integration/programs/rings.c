/* SPDX-License-Identifier: MIT */
/*
 * rings.c - asks for an io_uring by libc's syscall(2) and by an instruction of its own, and does two
 * operations in the first: one that does nothing, and one that would make a socket (IORING_OP_SOCKET). Prints
 * the errors.
 */
#include "tests/integration/programs/ring.h"
#include <stdio.h>
#include <sys/socket.h>

#define SOCKET_OPERATION 45

int main(void) {
    struct ring ring = {.fd = -1};
    struct io_uring_params others = {0};
    long by_libc = syscall(SYS_io_uring_setup, RING_ENTRIES, &ring.params);
    long by_instruction = RAW_CALL(io_uring_setup, RING_ENTRIES, &others);
    ring.fd = (int)by_libc;
    printf("%s %s", by_libc < 0 ? ring_told(-errno) : "0",
           by_instruction < 0 ? ring_told(by_instruction) : "0");
    if (ring.fd >= 0 && ring_map(&ring) == 0) {
        struct io_uring_sqe nothing = {.opcode = IORING_OP_NOP};
        struct io_uring_sqe make = {.opcode = SOCKET_OPERATION, .fd = AF_INET, .off = SOCK_STREAM};
        printf(" %s", ring_run(&ring, nothing));
        printf(" %s", ring_run(&ring, make));
    }
    puts("");
    return 0;
}
