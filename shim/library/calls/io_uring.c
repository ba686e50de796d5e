/* SPDX-License-Identifier: MIT */
/*
 * io_uring.c - see io_uring.h.
 */
#include "shim/library/calls/io_uring.h"
#include "shim/library/process/attach.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPERATIONS_MAX 64
#define SOCKET_OPERATION 45 /* IORING_OP_SOCKET, of Linux 5.19 */

static bool concerns_sockets(int operation) {
    switch (operation) {
    case IORING_OP_SENDMSG:
    case IORING_OP_RECVMSG:
    case IORING_OP_ACCEPT:
    case IORING_OP_CONNECT:
    case IORING_OP_SEND:
    case IORING_OP_RECV:
    case IORING_OP_SHUTDOWN:
    case IORING_OP_EPOLL_CTL:
    case IORING_OP_POLL_ADD:
    case IORING_OP_POLL_REMOVE:
    case SOCKET_OPERATION:
        return true;
    default:
        return operation > SOCKET_OPERATION; /* zero-copy sends, bind, listen, commands of sockets ... */
    }
}

/* What a ring allows: an operation that is not named is refused (EACCES), as is a way to register something.
 */
static unsigned restrict_to_files(struct io_uring_restriction allowed[2 * OPERATIONS_MAX], int operations,
                                  int ways) {
    unsigned count = 0;
    memset(allowed, 0, 2 * OPERATIONS_MAX * sizeof *allowed);
    for (int operation = 0; operation < operations; operation++)
        if (!concerns_sockets(operation))
            allowed[count++] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP,
                                                             .sqe_op = (uint8_t)operation};
    for (int way = 0; way < ways; way++)
        allowed[count++] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_REGISTER_OP,
                                                         .register_op = (uint8_t)way};
    allowed[count++] =
        (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = 0x7f};
    return count;
}

/* A kernel refuses a list with what it does not know: shorter ones are tried. Gives 0 or a negative errno. */
static long restrict_ring(int ring) {
    struct io_uring_restriction allowed[2 * OPERATIONS_MAX];
    long result = -EINVAL;
    for (int operations = SOCKET_OPERATION; result == -EINVAL && operations > 0; operations--)
        for (int ways = IORING_REGISTER_LAST; result == -EINVAL && ways > IORING_REGISTER_ENABLE_RINGS;
             ways--)
            result = kernel_call(SYS_io_uring_register, ring, IORING_REGISTER_RESTRICTIONS, (long)allowed,
                                 restrict_to_files(allowed, operations, ways), 0, 0);
    return result;
}

/* Restricts a ring that was made disabled, and lets it begin unless it is to stay so. Gives 0 or a negative
 * errno. */
static long begin_ring(int ring, bool stays_disabled) {
    long result = restrict_ring(ring);
    if (result == 0 && !stays_disabled)
        result = kernel_call(SYS_io_uring_register, ring, IORING_REGISTER_ENABLE_RINGS, 0, 0, 0, 0);
    return result;
}

static long ring_for_files(const long arguments[6]) {
    struct io_uring_params *parameters = (struct io_uring_params *)arguments[1];
    bool stays_disabled = parameters->flags & IORING_SETUP_R_DISABLED;
    parameters->flags |= IORING_SETUP_R_DISABLED;
    long ring = kernel_call(SYS_io_uring_setup, arguments[0], arguments[1], 0, 0, 0, 0);
    if (!stays_disabled)
        parameters->flags &= ~(unsigned)IORING_SETUP_R_DISABLED;
    if (ring < 0 || begin_ring((int)ring, stays_disabled) == 0)
        return ring;
    kernel_call(SYS_close, ring, 0, 0, 0, 0, 0);
    return -ENOSYS;
}

bool ring_take(long number, const long arguments[6], long *result) {
    bool is_setup = number == SYS_io_uring_setup;
    if (!is_setup && number != SYS_io_uring_enter && number != SYS_io_uring_register)
        return false;
    if (attach_config.io_uring == IO_URING_KERNEL || (attach_config.io_uring == IO_URING_FILES && !is_setup))
        return false;
    long answer = attach_config.io_uring == IO_URING_FILES ? ring_for_files(arguments) : -ENOSYS;
    if (answer < 0)
        errno = (int)-answer;
    *result = answer < 0 ? -1 : answer;
    return true;
}

/*
 * liburing makes the system call inside of these, by an instruction that can't be replaced (syscall_sites.c).
 * They give 0 or a negative errno.
 */
EXPORT int io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *parameters) {
    if (attach_config.io_uring == IO_URING_NONE || !LIBC(io_uring_queue_init_params))
        return -ENOSYS;
    if (attach_config.io_uring == IO_URING_KERNEL)
        return LIBC(io_uring_queue_init_params)(entries, ring, parameters);
    bool stays_disabled = parameters->flags & IORING_SETUP_R_DISABLED;
    parameters->flags |= IORING_SETUP_R_DISABLED;
    int result = LIBC(io_uring_queue_init_params)(entries, ring, parameters);
    if (!stays_disabled)
        parameters->flags &= ~(unsigned)IORING_SETUP_R_DISABLED;
    if (result < 0 || begin_ring(ring->ring_fd, stays_disabled) == 0)
        return result;
    LIBC(io_uring_queue_exit)(ring);
    return -ENOSYS;
}

EXPORT int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags) {
    struct io_uring_params parameters = {.flags = flags};
    return io_uring_queue_init_params(entries, ring, &parameters);
}
