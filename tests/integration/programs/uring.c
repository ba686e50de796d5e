/* SPDX-License-Identifier: MIT */
/*
 * uring.c - an io_uring that names sockets: says how each operation ends, and that none hangs.
 *
 *   uring ADDRESS PORT      of a TCP server that answers what it is sent
 */
#include "tests/integration/programs/ring.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct ring ring;

static const char *run(struct io_uring_sqe entry) {
    return ring_run(&ring, entry);
}

int main(int count, char **arguments) {
    char data[8] = "request";
    signal(SIGPIPE, SIG_IGN);
    if (count < 3)
        return 2;
    ring.fd = (int)RAW_CALL(io_uring_setup, RING_ENTRIES, &ring.params);
    if (ring.fd < 0 || ring_map(&ring) < 0) {
        printf("no io_uring: %s\n", ring_told(ring.fd));
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
