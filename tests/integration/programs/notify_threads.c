/* SPDX-License-Identifier: MIT */
/*
 * notify_threads.c - functions that run in threads which libc makes inside of itself: those of SIGEV_THREAD of
 * timer_create(2) and mq_notify(3).
 *
 * Each connects to an echo server (ADDRESS PORT) by instructions of its own and says from which address.
 */
#include "tests/raw_call.h"
#include <arpa/inet.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in echo;
static sem_t done;

static void on_event(union sigval value) {
    struct sockaddr_in own = {0};
    socklen_t length = sizeof own;
    char heard[5] = {0};
    long fd = RAW_CALL(socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    long result = RAW_CALL(connect, fd, &echo, sizeof echo);
    if (result == 0)
        result = RAW_CALL(getsockname, fd, &own, &length);
    if (result == 0 && RAW_CALL(write, fd, "hello", 5) == 5)
        result = RAW_CALL(recvfrom, fd, heard, 5, MSG_WAITALL, 0, 0);
    RAW_CALL(close, fd);
    printf("%s %ld %.5s %s\n", (const char *)value.sival_ptr, result, heard, inet_ntoa(own.sin_addr));
    sem_post(&done);
}

/* Fires `times` times: the functions run in as many threads. */
static void by_timer(int times) {
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_event, .sigev_value.sival_ptr = "timer"};
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        exit(2);
    for (int i = 0; i < times; i++) {
        timer_settime(timer, 0, &soon, NULL);
        sem_wait(&done);
    }
    timer_delete(timer);
}

static void by_queue(void) {
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_event, .sigev_value.sival_ptr = "queue"};
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    char name[40];
    snprintf(name, sizeof name, "/barewire-test-%d", (int)getpid());
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (queue < 0) {
        puts("queue none"); /* this kernel has none */
        return;
    }
    mq_unlink(name);
    if (mq_notify(queue, &event) < 0 || mq_send(queue, "x", 1, 0) < 0)
        exit(3);
    sem_wait(&done);
    mq_close(queue);
}

int main(int count, char **arguments) {
    if (count < 3)
        return 2;
    echo = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    inet_aton(arguments[1], &echo.sin_addr);
    sem_init(&done, 0, 0);
    by_timer(2);
    by_queue();
    return 0;
}
