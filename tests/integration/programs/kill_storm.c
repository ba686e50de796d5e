/* SPDX-License-Identifier: MIT */
/*
 * kill_storm.c - children of one process are killed at any moment, thousands of them, while its own
 * connections go on.
 *
 *   kill_storm serve PORT            echoes what it is sent, on every connection, until killed
 *   kill_storm HOST PORT KILLS       the storm; runs on barewire
 *
 * Prints how many deaths the stack had to be repaired after. Exits with 0 when all data came back right.
 */
#include "shim/region/region.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SURVIVORS 3
#define LISTEN_PORT 7001

static struct sockaddr_in server = {.sin_family = AF_INET};
static _Atomic bool over;
static _Atomic uint64_t echoed;

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    _exit(1);
}

static int connect_server(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static bool write_all(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written <= 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

static bool read_all(int fd, char *bytes, size_t length) {
    while (length > 0) {
        ssize_t got = read(fd, bytes, length);
        if (got <= 0)
            return false;
        bytes += got;
        length -= (size_t)got;
    }
    return true;
}

static void *echo(void *context) {
    int fd = (int)(intptr_t)context;
    char bytes[65536];
    ssize_t got;
    while ((got = read(fd, bytes, sizeof bytes)) > 0 && write_all(fd, bytes, (size_t)got))
        continue;
    close(fd);
    return NULL;
}

static int serve(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 4096) < 0)
        fail("listen");
    puts("listening");
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && pthread_create(&thread, NULL, echo, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
    }
    return 0;
}

/* A connection of the parent's: whatever happens to its children, its data comes back as it was sent. */
static void *survive(void *context) {
    unsigned seed = (unsigned)(uintptr_t)context;
    int fd = connect_server();
    static __thread char out[40000], in[40000];
    if (fd < 0)
        fail("survivor's connect");
    while (!over) {
        size_t length = 1 + (size_t)rand_r(&seed) % sizeof out;
        for (size_t i = 0; i < length; i++)
            out[i] = (char)rand_r(&seed);
        if (!write_all(fd, out, length))
            fail("survivor's write");
        if (!read_all(fd, in, length))
            fail("survivor's read");
        if (memcmp(out, in, length) != 0) {
            errno = 0;
            fail("survivor's data");
        }
        echoed += length;
    }
    close(fd);
    return NULL;
}

/* What a child does until it is killed: everything, as fast as it can. */
static void live(int listener) {
    static char bytes[100000];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = connect_server();
        if (fd < 0)
            continue;
        write_all(fd, bytes, sizeof bytes);
        struct pollfd both[] = {{fd, POLLIN, 0}, {listener, POLLIN, 0}};
        for (int i = 0; i < 3; i++) {
            poll(both, 2, 5);
            if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) < 0)
                continue;
        }
        int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (accepted >= 0)
            close(accepted);
        int datagrams = socket(AF_INET, SOCK_DGRAM, 0), segment = 1000;
        sendto(datagrams, bytes, 500, 0, (struct sockaddr *)&server, sizeof server);
        setsockopt(datagrams, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment); /* a burst, not copied */
        for (int i = 0; i < 10; i++)
            sendto(datagrams, bytes, 40000, 0, (struct sockaddr *)&server, sizeof server);
        close(datagrams);
        if (fork() == 0)
            _exit(0);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
}

static int storm(int kills) {
    pthread_t threads[SURVIVORS];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(LISTEN_PORT)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 64) < 0)
        fail("listen");
    signal(SIGPIPE, SIG_IGN);
    srand((unsigned)getpid());
    for (int i = 0; i < SURVIVORS; i++)
        pthread_create(&threads[i], NULL, survive, (void *)(uintptr_t)(i + 1));
    int handed = 0; /* how often the keeper was seen to move the frames, and then not, or the other way */
    for (int i = 0; i < kills; i++) {
        bool helped = shared->receiving.state == RECEIVING_OFFLOADED;
        pid_t child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0)
            live(listener);
        usleep((useconds_t)rand() % 2000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        handed += (shared->receiving.state == RECEIVING_OFFLOADED) != helped;
    }
    over = true;
    for (int i = 0; i < SURVIVORS; i++)
        pthread_join(threads[i], NULL);
    printf("%d killed, repaired %u times, %llu bytes echoed, frames handed over %d times\n", kills,
           shared->repairs, (unsigned long long)echoed, handed);
    return echoed > 0 ? 0 : 1;
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "serve") == 0)
        return serve(atoi(arguments[2]));
    if (count != 4 || inet_pton(AF_INET, arguments[1], &server.sin_addr) != 1)
        return 2;
    server.sin_port = htons((uint16_t)atoi(arguments[2]));
    return storm(atoi(arguments[3]));
}
