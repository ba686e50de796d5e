/* SPDX-License-Identifier: MIT */
/*
 * socket_in_handler.c - a process's only thread sleeps inside of libc, and the handler of a signal that interrupts it
 * makes the process's first socket: the thread goes back to sleep where it was.
 *
 * Ends with 0 when it does.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_first(int signal) {
    (void)signal;
    if (socket(AF_INET, SOCK_STREAM, 0) < 0)
        _exit(1);
}

static void on_second(int signal) {
    (void)signal;
    _exit(0);
}

/* Until a process is asleep. */
static void wait_asleep(pid_t process) {
    char name[32], state = 0;
    snprintf(name, sizeof name, "/proc/%d/stat", process);
    while (state != 'S') {
        FILE *file = fopen(name, "r");
        if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z')
            _exit(1);
        fclose(file);
        usleep(1000);
    }
}

int main(void) {
    struct sigaction first = {.sa_handler = on_first}, second = {.sa_handler = on_second};
    pthread_barrier_t barrier;
    pid_t process = getpid();
    sigaction(SIGUSR1, &first, NULL);
    sigaction(SIGUSR2, &second, NULL);
    pthread_barrier_init(&barrier, NULL, 2);
    if (fork() == 0) {
        wait_asleep(process);
        kill(process, SIGUSR1);
        usleep(300000);
        wait_asleep(process);
        kill(process, SIGUSR2);
        _exit(0);
    }
    pthread_barrier_wait(&barrier); /* which nobody else comes to */
    return 1;
}
