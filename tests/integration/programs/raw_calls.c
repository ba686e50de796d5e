/* SPDX-License-Identifier: MIT */
/*
 * raw_calls.c - a program that makes its system calls itself, as Go, Zig and Rust's rustix do: none by libc.
 *
 * Speaks to an echo server (ADDRESS PORT) from its main thread, from a thread with all signals blocked, and
 * from children made by fork, vfork and clone, over epoll, poll and sendmsg, with a signal handler that it
 * installs itself. Ends with 0 when everything is as on the kernel's stack, else says what is not.
 */
#include "tests/raw_call.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

static struct sockaddr_in echo;

#define CALL RAW_CALL

static void check(int holds, const char *what, long result) {
    if (holds)
        return;
    char line[120];
    CALL(write, 2, line, snprintf(line, sizeof line, "%s: %ld\n", what, result));
    CALL(exit_group, 1);
}
#define CHECK(condition, result) check(condition, #condition, result)

static int connected(void) {
    int fd = (int)CALL(socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    long result = fd < 0 ? fd : CALL(connect, fd, &echo, sizeof echo);
    CHECK(result == 0, result);
    return fd;
}

static void speak(int fd, const char *words) {
    char heard[100];
    size_t length = strlen(words), got = 0;
    long result = CALL(write, fd, words, length);
    CHECK(result == (long)length, result);
    while (got < length) {
        struct pollfd wait = {fd, POLLIN, 0};
        result = CALL(poll, &wait, 1, 5000);
        CHECK(result == 1 && wait.revents == POLLIN, result);
        result = CALL(read, fd, heard + got, sizeof heard - got);
        CHECK(result > 0, result);
        got += (size_t)result;
    }
    CHECK(memcmp(heard, words, length) == 0, (long)got);
}

/* A message of two pieces, and epoll by edge. */
static void speak_by_epoll(int fd) {
    char heard[20];
    struct iovec pieces[2] = {{"two ", 4}, {"pieces", 6}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x123456789abcdef}, got = {0};
    long epoll = CALL(epoll_create1, EPOLL_CLOEXEC);
    CHECK(CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &event) == 0, epoll);
    CHECK(CALL(epoll_pwait, epoll, &got, 1, 50, 0, 8) == 0, 0);
    CHECK(CALL(sendmsg, fd, &message, 0) == 10, 0);
    long result = CALL(epoll_pwait, epoll, &got, 1, 5000, 0, 8);
    CHECK(result == 1 && got.events == EPOLLIN && got.data.u64 == event.data.u64, result);
    CHECK(CALL(recvfrom, fd, heard, sizeof heard, 0, 0, 0) == 10, 0);
    CHECK(CALL(recvfrom, fd, heard, sizeof heard, MSG_DONTWAIT, 0, 0) == -EAGAIN, 0);
    CHECK(CALL(epoll_pwait, epoll, &got, 1, 50, 0, 8) == 0, 0);
    CALL(close, epoll);
}

static volatile sig_atomic_t signals;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    signals += signal == SIGUSR1;
}

/* What rt_sigaction(2) takes. */
struct kernel_action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

void restore(void);
__asm__(".text\nrestore: mov $15, %rax\n syscall\n");

static void signals_come(int fd) {
    struct kernel_action action = {on_signal, SA_SIGINFO | 0x04000000, restore, ~0ull}, now;
    struct pollfd wait = {fd, POLLIN, 0};
    struct kernel_action plain = {.flags = 0};
    CHECK(CALL(rt_sigaction, SIGUSR1, &action, 0, 8) == 0, 0);
    CHECK(CALL(rt_sigaction, SIGUSR1, 0, &now, 8) == 0, 0);
    CHECK(now.handler == on_signal && now.flags & SA_SIGINFO, (long)now.flags);
    for (int i = 1; i <= 100; i++) {
        CALL(tgkill, CALL(getpid), CALL(gettid), SIGUSR1);
        CHECK(signals == i, signals);
    }
    pid_t child = (pid_t)CALL(fork);
    if (child == 0) {
        CALL(poll, 0, 0, 100);
        CALL(kill, CALL(getppid), SIGUSR1);
        CALL(exit_group, 0);
    }
    long result = CALL(poll, &wait, 1, 5000);
    CHECK(result == -EINTR && signals == 101, result);
    CALL(wait4, child, 0, 0, 0);
    CHECK(CALL(rt_sigaction, SIGUSR1, &plain, 0, 8) == 0, 0);
}

static void *in_thread(void *context) {
    uint64_t all = ~0ull, mask = 0;
    (void)context;
    CHECK(CALL(rt_sigprocmask, SIG_SETMASK, &all, 0, 8) == 0, 0);
    for (int i = 0; i < 20; i++) {
        int fd = connected();
        speak(fd, "from a thread that takes no signals");
        CALL(close, fd);
    }
    CHECK(CALL(rt_sigprocmask, SIG_BLOCK, 0, &mask, 8) == 0, 0);
    CHECK(mask & 1ull << (SIGUSR1 - 1), (long)mask);
    return NULL;
}

static int in_c11_thread(void *context) {
    int fd = connected();
    (void)context;
    speak(fd, "from a thread of C11");
    CALL(close, fd);
    return 5;
}

static void c11_thread(void) {
    thrd_t thread;
    int result = 0;
    CHECK(thrd_create(&thread, in_c11_thread, NULL) == thrd_success, 0);
    CHECK(thrd_join(thread, &result) == thrd_success && result == 5, result);
}

/* A child of each kind speaks over the parent's socket, and ends; the parent's is whole afterwards. */
static void children(int fd) {
    for (int kind = 0; kind < 3; kind++) {
        int status;
        pid_t child = (pid_t)(kind == 0   ? CALL(fork)
                              : kind == 1 ? CALL(clone, SIGCHLD, 0, 0, 0, 0)
                                          : CALL(clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
        if (child == 0) {
            speak(fd, "from a child");
            CALL(close, fd);
            CALL(exit_group, 7);
        }
        CHECK(child > 0, child);
        CHECK(CALL(wait4, child, &status, 0, 0) == child, 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, status);
        speak(fd, "from the parent");
    }
}

/* The next program has the socket as its standard output. */
static void next_program(void) {
    int fd = connected(), status;
    char *arguments[] = {"/bin/echo", "from echo", NULL}, *environment[] = {NULL}, heard[20];
    pid_t child = (pid_t)CALL(fork);
    if (child == 0) {
        CALL(dup2, fd, 1);
        CALL(execve, arguments[0], arguments, environment);
        CALL(exit_group, 99);
    }
    CALL(wait4, child, &status, 0, 0);
    CHECK(status == 0, status);
    CHECK(CALL(recvfrom, fd, heard, 10, MSG_WAITALL, 0, 0) == 10, 0);
    CHECK(memcmp(heard, "from echo\n", 10) == 0, 0);
    CALL(close, fd);
}

int main(int count, char **arguments) {
    pthread_t thread;
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    if (count != 3)
        return 2;
    echo = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    inet_aton(arguments[1], &echo.sin_addr);
    int fd = connected();
    CHECK(CALL(getsockname, fd, &name, &length) == 0 && name.sin_family == AF_INET, 0);
    speak(fd, "from the main thread");
    speak_by_epoll(fd);
    signals_come(fd);
    pthread_attr_t attributes;
    sigset_t all;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setsigmask_np(&attributes, &all);
    pthread_create(&thread, &attributes, in_thread, NULL);
    pthread_attr_destroy(&attributes);
    speak(fd, "beside a thread");
    pthread_join(thread, NULL);
    c11_thread();
    children(fd);
    next_program();
    CHECK(CALL(shutdown, fd, SHUT_WR) == 0, 0);
    CHECK(CALL(read, fd, &name, sizeof name) == 0, 0);
    return 0;
}
