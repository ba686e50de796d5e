/* SPDX-License-Identifier: MIT */
/*
 * fork_in_sleep.c - a handler that runs in the midst of a sleep makes a child, and returns in both: parent and child
 * go on in the call, each for itself.
 *
 *   fork_in_sleep recv|poll|epoll ADDRESS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t child = -1;

/* The child returns when the parent sleeps again. */
static void on_alarm(int signal) {
    (void)signal;
    if ((child = fork()) == 0)
        usleep(200000);
}

static int await(const char *way, int fd, int epoll) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    struct epoll_event event;
    if (strcmp(way, "poll") == 0)
        return poll(&one, 1, -1);
    return strcmp(way, "epoll") == 0 ? epoll_wait(epoll, &event, 1, -1) : 1;
}

/* Sends itself a datagram half a second from now. */
static void send_later(const struct sockaddr_in *to) {
    if (fork() == 0) {
        int sender = socket(AF_INET, SOCK_DGRAM, 0);
        usleep(500000);
        sendto(sender, "1", 1, 0, (const struct sockaddr *)to, sizeof *to);
        usleep(200000);
        sendto(sender, "2", 1, 0, (const struct sockaddr *)to, sizeof *to);
        _exit(0);
    }
}

int main(int count, char **arguments) {
    struct sockaddr_in here = {.sin_family = AF_INET};
    socklen_t length = sizeof here;
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct epoll_event event = {.events = EPOLLIN};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), epoll = epoll_create1(0), status;
    char byte = 0;
    if (count < 3 || inet_pton(AF_INET, arguments[2], &here.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&here, sizeof here) < 0 ||
        getsockname(fd, (struct sockaddr *)&here, &length) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return 1;
    send_later(&here);
    sigaction(SIGALRM, &action, NULL);
    ualarm(100000, 0);
    while (await(arguments[1], fd, epoll) < 0 && errno == EINTR)
        continue;
    ssize_t got = recv(fd, &byte, 1, 0);
    if (child == 0)
        _exit(got == 1 ? 0 : 2); /* each has had one of the two, in whatever order */
    if (got != 1 || (byte != '1' && byte != '2') || waitpid(child, &status, 0) != child || status != 0)
        return 3;
    puts("both went on");
    return 0;
}
