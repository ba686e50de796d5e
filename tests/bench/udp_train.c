/* SPDX-License-Identifier: MIT */
/*
 * udp_train.c - datagrams in bursts (UDP_SEGMENT), as QUIC sends them.
 *
 *   udp_train serve PORT           counts what comes, and answers an empty datagram with the count
 *   udp_train send ADDRESS PORT    sends bursts of 40 datagrams of 1,400 bytes for a second; prints what
 * arrived, in Gb/s
 */
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define ONE 1400
#define TRAIN 40

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int serve(int fd) {
    static char buffer[65536];
    uint64_t bytes = 0;
    for (;;) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
        if (got < 0)
            return 1;
        bytes += (uint64_t)got;
        if (got > 0)
            continue;
        sendto(fd, &bytes, sizeof bytes, 0, (struct sockaddr *)&from, length);
        bytes = 0;
    }
}

/* What has arrived; asked until there is an answer. */
static uint64_t ask(int fd) {
    uint64_t bytes = 0;
    for (int i = 0; i < 50; i++) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (send(fd, "", 0, 0) == 0 && poll(&wait, 1, 200) > 0 && recv(fd, &bytes, sizeof bytes, 0) > 0)
            break;
    }
    return bytes;
}

static int stream(int fd) {
    static char gso[ONE * TRAIN];
    int one = ONE;
    if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &one, sizeof one) < 0)
        return 1;
    ask(fd);
    double begun = now();
    while (now() - begun < 1)
        for (int i = 0; i < 10; i++)
            send(fd, gso, sizeof gso, 0);
    double seconds = now() - begun;
    printf("%.3f\n", (double)ask(fd) * 8 / seconds / 1e9);
    return 0;
}

int main(int count, char **arguments) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 32 << 20;
    struct sockaddr_in address = {.sin_family = AF_INET};
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (count == 3 && strcmp(arguments[1], "serve") == 0) {
        address.sin_port = htons((uint16_t)atoi(arguments[2]));
        return bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || serve(fd);
    }
    if (count != 4)
        return 2;
    address.sin_port = htons((uint16_t)atoi(arguments[3]));
    inet_pton(AF_INET, arguments[2], &address.sin_addr);
    return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 || stream(fd);
}
