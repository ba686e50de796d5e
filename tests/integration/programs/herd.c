/* SPDX-License-Identifier: MIT */
/*
 * herd.c - eight threads wait in epoll_wait(2) for one listener, and answer what comes. Ends when they have
 * served 300 connections, and prints how often they were woken, and how many connections they served.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 300

static int listener, epoll;
static _Atomic int woken, served;

static void *serve(void *unused) {
    char data[100];
    struct epoll_event event;
    while (epoll_wait(epoll, &event, 1, -1) > 0) {
        woken++;
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            continue;
        ssize_t got = recv(connection, data, sizeof data, 0);
        if (got > 0 && send(connection, data, (size_t)got, 0) == got)
            served++;
        close(connection);
    }
    return unused;
}

int main(int count, char **arguments) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(arguments[count - 1]))};
    struct epoll_event event = {.events = EPOLLIN};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    epoll = epoll_create1(0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 100) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
        return 1;
    for (int i = 0; i < 8; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, serve, NULL);
    }
    puts("listening");
    fflush(stdout);
    while (served < CONNECTIONS)
        usleep(10000);
    printf("%d %d\n", woken, served);
    fflush(stdout);
    _exit(0);
}
