/* SPDX-License-Identifier: MIT */
/*
 * small_stack.c - socket calls on the smallest stack that a thread may have, and in a signal's handler on an
 * alternate stack of 8 KB, each of which reaches the NIC.
 *
 *   small_stack HOST PORT       a web server; prints nothing when all is well
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHECK(condition)                                                            \
    do                                                                              \
        if (!(condition)) {                                                         \
            dprintf(2, "line %d: not %s, errno %d\n", __LINE__, #condition, errno); \
            _exit(1);                                                               \
        }                                                                           \
    while (0)

static struct sockaddr_in to = {.sin_family = AF_INET};
static const char request[] = "GET /1K HTTP/1.0\r\n\r\n";
static char bytes[200000];
static int used = -1;

static int open_connection(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static void read_answer(int fd) {
    ssize_t got, all = 0;
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        all += got;
    CHECK(got == 0 && all > 1024);
    CHECK(close(fd) == 0);
}

static void by_file(int fd) {
    char name[] = "/tmp/barewire-small-XXXXXX";
    int file = mkstemp(name);
    CHECK(file >= 0 && unlink(name) == 0 && write(file, request, sizeof request - 1) == sizeof request - 1);
    CHECK(sendfile(fd, file, &(off_t){0}, 1 << 20) == sizeof request - 1);
    close(file);
}

static void by_pipe(int fd) {
    int ends[2];
    CHECK(pipe(ends) == 0 && write(ends[1], request, sizeof request - 1) == sizeof request - 1);
    CHECK(splice(ends[0], NULL, fd, NULL, 1 << 16, 0) == sizeof request - 1);
    CHECK(splice(fd, NULL, ends[1], NULL, 1 << 16, 0) > 0);
    close(ends[0]);
    close(ends[1]);
}

static void wait_in_every_way(int fd) {
    struct pollfd poll_fd = {fd, POLLIN, 0};
    struct epoll_event event = {.events = EPOLLIN};
    fd_set set;
    CHECK(poll(&poll_fd, 1, 10000) == 1);
    FD_ZERO(&set);
    FD_SET(fd, &set);
    CHECK(select(fd + 1, &set, NULL, NULL, NULL) == 1);
    int epoll = epoll_create1(0);
    CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK(epoll_wait(epoll, &event, 1, 10000) == 1);
    close(epoll);
}

static void *on_small_stack(void *unused) {
    int fd = open_connection();
    CHECK(send(fd, request, sizeof request - 1, 0) == sizeof request - 1);
    wait_in_every_way(fd);
    read_answer(fd);
    by_file(fd = open_connection());
    read_answer(fd);
    by_pipe(fd = open_connection());
    close(fd);
    fd = open_connection();
    struct iovec piece = {(void *)request, sizeof request - 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
    CHECK(sendmmsg(fd, &message, 1, 0) == 1);
    piece = (struct iovec){bytes, sizeof bytes};
    CHECK(recvmmsg(fd, &message, 1, 0, NULL) == 1);
    close(fd);
    return unused;
}

static void handler(int signal) {
    char some[100];
    struct pollfd poll_fd = {used, POLLIN, 0};
    (void)signal;
    CHECK(send(used, request, sizeof request - 1, 0) == sizeof request - 1);
    CHECK(poll(&poll_fd, 1, 10000) == 1);
    CHECK(recv(used, some, sizeof some, 0) == sizeof some);
}

int main(int count, char **arguments) {
    pthread_attr_t attributes;
    pthread_t thread;
    if (count != 3 || inet_pton(AF_INET, arguments[1], &to.sin_addr) != 1)
        return 2;
    to.sin_port = htons((uint16_t)atoi(arguments[2]));
    /* The first call of all makes the stack, and its thread has a stack as usual. */
    used = open_connection();
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) ==
          0); /* a page below it can't be touched */
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_create(&thread, &attributes, on_small_stack, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    char *low = mmap(NULL, 3 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(low != MAP_FAILED && mprotect(low, 1 << 12, PROT_NONE) == 0);
    stack_t alternate = {.ss_sp = low + (1 << 12), .ss_size = 2 << 12};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    CHECK(sigaltstack(&alternate, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0);
    return 0;
}
