/* SPDX-License-Identifier: MIT */
/*
 * two_signals.c ADDRESS PORT ROUNDS - two signals arrive at once while a thread is busy with a socket: both
 * handlers run, and nothing stays blocked.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int *counts; /* of each signal; what the sender has seen to be missing */

static void on_signal(int signal) {
    __atomic_add_fetch(&counts[signal == SIGUSR2], 1, __ATOMIC_SEQ_CST);
}

static _Noreturn void send_pairs(pid_t pid, int rounds) {
    for (int i = 1; i <= rounds && !counts[2]; i++) {
        kill(pid, SIGSTOP);
        kill(pid, SIGUSR1);
        kill(pid, SIGUSR2);
        kill(pid, SIGCONT);
        for (int waited_ms = 0; (counts[0] < i || counts[1] < i) && waited_ms < 3000; waited_ms++)
            usleep(1000);
        if (counts[0] < i || counts[1] < i)
            counts[2] = i;
        usleep(100 + rand() % 200);
    }
    counts[3] = 1;
    _exit(0);
}

int main(int count, char **arguments) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t mask;
    char byte;
    if (count != 4)
        return 2;
    inet_aton(arguments[1], &to.sin_addr);
    to.sin_port = htons(atoi(arguments[2]));
    counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return 1;
    pid_t self = getpid(), child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        send_pairs(self, atoi(arguments[3]));
    }
    while (!counts[3])
        recv(fd, &byte, 1, MSG_DONTWAIT);
    waitpid(child, NULL, 0);
    if (counts[2])
        printf("of pair %d, %d of SIGUSR1 and %d of SIGUSR2 have come\n", counts[2], counts[0], counts[1]);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    if (sigismember(&mask, SIGUSR1) || sigismember(&mask, SIGUSR2))
        printf("a signal stays blocked\n");
    return 0;
}
