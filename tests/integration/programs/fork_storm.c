/* SPDX-License-Identifier: MIT */
/*
 * fork_storm.c - a timer's handler makes a child at any moment of a call that sleeps, and returns in both: the child
 * ends the call for itself and is gone, the parent goes on.
 *
 *   fork_storm ADDRESS ROUNDS
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t parent;
static volatile int children, failed;

static void on_timer(int number) {
    pid_t child = fork();
    (void)number;
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(20); /* it may sleep for ever */
    } else if (child > 0) {
        children++;
    }
}

static void wait_in(int way, int fd, int epoll) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    struct epoll_event event;
    char bytes[100];
    if (way % 3 == 0)
        poll(&one, 1, 5);
    else if (way % 3 == 1)
        epoll_wait(epoll, &event, 1, 5);
    else
        recv(fd, bytes, sizeof bytes, 0); /* begins again after the handler: something comes all the time */
}

/* Sends until it is ended. */
static pid_t make_sender(const struct sockaddr_in *to) {
    pid_t pid = fork();
    int sender = pid == 0 ? socket(AF_INET, SOCK_DGRAM, 0) : -1;
    while (pid == 0 && getppid() == parent) {
        sendto(sender, "x", 1, 0, (const struct sockaddr *)to, sizeof *to);
        usleep(500);
    }
    if (pid == 0)
        _exit(0);
    return pid;
}

static void reap(int flags, pid_t sender) {
    int status;
    pid_t pid;
    while (children > 0 && (pid = waitpid(-1, &status, flags)) > 0)
        if (pid != sender) {
            children--;
            failed += status != 0;
        }
}

int main(int count, char **arguments) {
    struct sockaddr_in here = {.sin_family = AF_INET};
    socklen_t length = sizeof here;
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    const struct itimerval often = {{0, 1300}, {0, 1300}}, never = {0};
    parent = getpid();
    int fd = socket(AF_INET, SOCK_DGRAM, 0), epoll = epoll_create1(0),
        rounds = count > 2 ? atoi(arguments[2]) : 0;
    struct epoll_event event = {.events = EPOLLIN};
    if (rounds == 0 || inet_pton(AF_INET, arguments[1], &here.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&here, sizeof here) < 0 ||
        getsockname(fd, (struct sockaddr *)&here, &length) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return 1;
    pid_t sender = make_sender(&here);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < rounds; i++) {
        wait_in(i, fd, epoll);
        if (getpid() != parent)
            _exit(0);
        reap(WNOHANG, sender);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    reap(0, sender);
    printf("%d children failed\n", failed);
    kill(sender, SIGKILL);
    return 0;
}
