/*
 * uring.c - an io_uring that names sockets: says how each operation ends, and that none hangs.
 *
 *   uring ADDRESS PORT      of a TCP server that answers what it is sent
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct io_uring_params params;
static struct io_uring_sqe *entries;
static uint8_t *ring;
static int fd;

static long raw(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static int start(void) {
    fd = (int)raw(SYS_io_uring_setup, 4, (long)&params, 0, 0, 0, 0);
    if (fd < 0)
        return fd;
    size_t size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
    entries = mmap(NULL, params.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                   IORING_OFF_SQES);
    return ring == MAP_FAILED || entries == MAP_FAILED ? -ENOMEM : 0;
}

/* Submits one operation and waits for its end, two seconds at most. */
static const char *run(struct io_uring_sqe entry) {
    static char text[64];
    uint32_t *tail = (uint32_t *)(ring + params.sq_off.tail),
             *array = (uint32_t *)(ring + params.sq_off.array);
    uint32_t *head = (uint32_t *)(ring + params.cq_off.head), *end = (uint32_t *)(ring + params.cq_off.tail);
    uint32_t mask = *(uint32_t *)(ring + params.sq_off.ring_mask), at = *tail & mask;
    entries[at] = entry;
    array[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    long submitted = raw(SYS_io_uring_enter, fd, 1, 0, 0, 0, 0);
    if (submitted != 1)
        return "was not taken";
    for (int i = 0; i < 200 && __atomic_load_n(end, __ATOMIC_ACQUIRE) == *head; i++)
        usleep(10000);
    if (*end == *head)
        return "hangs";
    uint32_t completion = *head & *(uint32_t *)(ring + params.cq_off.ring_mask);
    int result = ((struct io_uring_cqe *)(ring + params.cq_off.cqes))[completion].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    snprintf(text, sizeof text, "%s",
             result < 0   ? strerrorname_np(-result)
             : result > 0 ? "more than 0"
                          : "0");
    return text;
}

int main(int count, char **arguments) {
    char data[8] = "request";
    signal(SIGPIPE, SIG_IGN);
    if (count < 3)
        return 2;
    int error = start();
    if (error) {
        printf("no io_uring: %s\n", strerrorname_np(-error));
        return 77;
    }
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    inet_aton(arguments[1], &server.sin_addr);
    int stream = socket(AF_INET, SOCK_STREAM, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fresh = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(stream, (struct sockaddr *)&server, sizeof server) < 0 ||
        bind(datagram, (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET}, 16) < 0 ||
        listen(listener, 5) < 0)
        return 1;
    struct io_uring_sqe transfer = {.fd = stream, .addr = (uintptr_t)data, .len = sizeof data};
    static const struct {
        const char *name;
        uint8_t operation;
    } transfers[] = {{"send", IORING_OP_SEND},
                     {"write", IORING_OP_WRITE},
                     {"recv", IORING_OP_RECV},
                     {"read", IORING_OP_READ}};
    for (int i = 0; i < 4; i++) {
        transfer.opcode = transfers[i].operation;
        transfer.fd = stream;
        printf("%s: %s\n", transfers[i].name, run(transfer));
        transfer.fd = datagram;
        printf("datagram %s: %s\n", transfers[i].name, run(transfer));
    }
    printf("accept: %s\n", run((struct io_uring_sqe){.opcode = IORING_OP_ACCEPT, .fd = listener}));
    printf("connect: %s\n",
           run((struct io_uring_sqe){
               .opcode = IORING_OP_CONNECT, .fd = fresh, .addr = (uintptr_t)&server, .off = sizeof server}));
    printf("poll: %s\n",
           run((struct io_uring_sqe){.opcode = IORING_OP_POLL_ADD, .fd = stream, .poll32_events = POLLIN}));
    /* What the program does then. */
    if (write(stream, "after", 5) != 5 || read(stream, data, 5) != 5 || memcmp(data, "after", 5) != 0)
        return 1;
    printf("by its own calls: works\n");
    return 0;
}
