/* SPDX-License-Identifier: MIT */
/*
 * first_socket.c - signals that arrive while a process opens its first socket, and another thread waits for events:
 * neither thread blocks them afterwards. As many processes, one after the other, as the argument says.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int opened;

static void on_signal(int signal) {
    (void)signal;
}

static int blocks_signals(void) {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return sigismember(&mask, SIGALRM);
}

/* Calls that concern the stack as soon as there is one. */
static void *watch(void *nothing) {
    int set = epoll_create1(0), pipe_ends[2];
    struct epoll_event event = {.events = EPOLLIN};
    if (pipe(pipe_ends) < 0)
        return "no pipe";
    for (int after = 0; after < 100; after += opened) {
        pthread_kill(pthread_self(), SIGALRM);
        epoll_ctl(set, EPOLL_CTL_ADD, pipe_ends[0], &event);
        epoll_ctl(set, EPOLL_CTL_DEL, pipe_ends[0], &event);
    }
    return blocks_signals() ? "the thread that watches" : nothing;
}

static int open_first(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    pthread_t thread;
    void *who;
    sigaction(SIGALRM, &action, NULL);
    pthread_create(&thread, NULL, watch, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    opened = 1;
    setitimer(ITIMER_REAL, &never, NULL);
    pthread_join(thread, &who);
    if (blocks_signals())
        who = "the thread that opened it";
    if (who)
        fprintf(stderr, "after the first socket signals are blocked in: %s\n", (char *)who);
    return fd < 0 || who;
}

int main(int count, char **arguments) {
    int status = 0;
    for (int i = 0; count == 2 && i < atoi(arguments[1]) && status == 0; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(open_first());
        waitpid(child, &status, 0);
    }
    return status != 0;
}
