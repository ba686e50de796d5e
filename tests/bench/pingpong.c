/* SPDX-License-Identifier: MIT */
/*
 * pingpong.c - round trips of 64 bytes: prints the median and the 99th percentile, in microseconds.
 *
 *   pingpong serve tcp|udp PORT            answers for ever; tcp6, udp6: on a socket of AF_INET6, to both families
 *   pingpong ask tcp|udp ADDRESS PORT N    N round trips, after a tenth of them to warm up
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BYTES 64

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static void no_delay(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* An address of either family; NULL: any. Returns how long it is. */
static socklen_t make_address(struct sockaddr_storage *made, bool six, const char *host, uint16_t port) {
    struct {
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } both = {{.sin_family = AF_INET, .sin_port = htons(port)},
              {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
    if (host)
        inet_pton(six ? AF_INET6 : AF_INET, host, six ? (void *)&both.six.sin6_addr : &both.four.sin_addr);
    memcpy(made, six ? (void *)&both.six : &both.four, six ? sizeof both.six : sizeof both.four);
    return six ? sizeof both.six : sizeof both.four;
}

static int serve(int type, bool six, uint16_t port) {
    char data[BYTES];
    struct sockaddr_storage address, peer;
    socklen_t length = make_address(&address, six, NULL, port);
    int fd = socket(address.ss_family, type, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, length) < 0)
        return 1;
    if (type == SOCK_DGRAM)
        for (;;) {
            length = sizeof peer;
            ssize_t got = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&peer, &length);
            if (got < 0 || sendto(fd, data, (size_t)got, 0, (struct sockaddr *)&peer, length) < 0)
                return 1;
        }
    if (listen(fd, 5) < 0)
        return 1;
    for (;;) {
        int connection = accept(fd, NULL, NULL);
        ssize_t got;
        no_delay(connection);
        while ((got = recv(connection, data, sizeof data, 0)) > 0)
            if (send(connection, data, (size_t)got, MSG_NOSIGNAL) < 0)
                break;
        close(connection);
    }
}

static int ask(int type, const char *host, uint16_t port, int count) {
    struct sockaddr_storage address;
    char data[BYTES] = "ping";
    double *took = malloc((size_t)count * sizeof *took);
    socklen_t length = make_address(&address, strchr(host, ':'), host, port);
    int fd = socket(address.ss_family, type, 0);
    if (!took || connect(fd, (struct sockaddr *)&address, length) < 0)
        return 1;
    if (type == SOCK_STREAM)
        no_delay(fd);
    for (int i = -count / 10; i < count; i++) {
        double begun = now_us();
        if (send(fd, data, sizeof data, 0) != sizeof data ||
            recv(fd, data, sizeof data, MSG_WAITALL) != sizeof data)
            return 1;
        if (i >= 0)
            took[i] = now_us() - begun;
    }
    qsort(took, (size_t)count, sizeof *took, compare);
    printf("%.1f %.1f", took[count / 2], took[(int)(count * 0.99)]);
    for (int i = 1; i < 100; i++) /* and the whole distribution, by percent */
        printf(" %.1f", took[(int)(count * i / 100.0)]);
    printf("\n");
    return 0;
}

int main(int count, char **arguments) {
    int type = count > 2 && strncmp(arguments[2], "udp", 3) == 0 ? SOCK_DGRAM : SOCK_STREAM;
    if (count == 4 && strcmp(arguments[1], "serve") == 0)
        return serve(type, strchr(arguments[2], '6'), (uint16_t)atoi(arguments[3]));
    if (count == 6 && strcmp(arguments[1], "ask") == 0)
        return ask(type, arguments[3], (uint16_t)atoi(arguments[4]), atoi(arguments[5]));
    return 2;
}
