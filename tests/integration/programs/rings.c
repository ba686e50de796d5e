/*
 * rings.c - asks for an io_uring by libc's syscall(2) and by an instruction of its own, and does two
 * operations in the first: one that does nothing, and one that would make a socket (IORING_OP_SOCKET). Prints
 * the errors.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOCKET_OPERATION 45

static struct io_uring_params parameters;
static char *submissions, *completions;
static struct io_uring_sqe *entries;

static void map(int ring) {
    submissions = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    completions = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
}

static int operate(int ring, const struct io_uring_sqe *entry) {
    unsigned *tail = (unsigned *)(submissions + parameters.sq_off.tail);
    unsigned *array = (unsigned *)(submissions + parameters.sq_off.array);
    unsigned *head = (unsigned *)(completions + parameters.cq_off.head);
    struct io_uring_cqe *done = (struct io_uring_cqe *)(completions + parameters.cq_off.cqes);
    unsigned at = *tail % parameters.sq_entries;
    entries[at] = *entry;
    array[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
        return -errno;
    int result = done[*head % parameters.cq_entries].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
}

static const char *told(long result) {
    return strerrorname_np(result < 0 ? (int)-result : 0);
}

int main(void) {
    struct io_uring_params others = {0};
    long ring = syscall(SYS_io_uring_setup, 8, &parameters), raw;
    if (ring < 0)
        ring = -errno;
    __asm__ volatile("syscall"
                     : "=a"(raw)
                     : "0"(SYS_io_uring_setup), "D"(8), "S"(&others)
                     : "rcx", "r11", "memory");
    printf("%s %s", told(ring), told(raw));
    if (ring >= 0) {
        struct io_uring_sqe nothing = {.opcode = IORING_OP_NOP};
        struct io_uring_sqe make = {.opcode = SOCKET_OPERATION, .fd = AF_INET, .off = SOCK_STREAM};
        map((int)ring);
        printf(" %s", told(operate((int)ring, &nothing)));
        printf(" %s", told(operate((int)ring, &make)));
    }
    puts("");
    return 0;
}
