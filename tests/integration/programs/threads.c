/* SPDX-License-Identifier: MIT */
/*
 * threads.c - what a C library does for a program that has sockets in threads, with signals coming all the
 * while, and children of each kind: to be linked to whatever library, and in whatever way.
 *
 * Fetches http://ADDRESS:PORT/1K. Ends with 0 when all is as it should be, else says what is not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8

extern char **environ;
static struct sockaddr_in server;
static __thread long own = 5; /* thread-local storage is each thread's */
static volatile sig_atomic_t signals;

static void check(int holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "not so: %s (%s)\n", what, strerror(errno));
    exit(1);
}
#define CHECK(condition) check(condition, #condition)

static void on_alarm(int signal) {
    (void)signal;
    own += 0;
    signals++;
}

static void fetch(void) {
    static const char question[] = "GET /1K HTTP/1.0\r\n\r\n";
    char answer[4096];
    ssize_t got, all = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&server, sizeof server) == 0);
    CHECK(write(fd, question, sizeof question - 1) == sizeof question - 1);
    while ((got = read(fd, answer, sizeof answer)) > 0)
        all += got;
    CHECK(got == 0);
    CHECK(all > 1024);
    CHECK(close(fd) == 0);
}

static void *fetch_often(void *number) {
    CHECK(own == 5);
    own = (long)number;
    for (int i = 0; i < 10; i++)
        fetch();
    CHECK(own == (long)number);
    return number;
}

static void *do_nothing(void *argument) {
    return argument;
}

static void *sleep_long(void *argument) {
    for (;;)
        sleep(100); /* signals end it early */
    return argument;
}

static void run_threads(void) {
    pthread_t threads[THREADS], detached;
    pthread_attr_t attributes;
    void *result;
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, fetch_often, (void *)i) == 0);
    CHECK(setuid(getuid()) == 0); /* by a signal to every thread */
    for (long i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], &result) == 0);
        CHECK((long)result == i);
    }
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 100; i++)
        CHECK(pthread_create(&detached, &attributes, do_nothing, NULL) == 0);
    CHECK(pthread_create(&threads[0], NULL, sleep_long, NULL) == 0);
    usleep(10000);
    CHECK(pthread_cancel(threads[0]) == 0);
    CHECK(pthread_join(threads[0], &result) == 0 && result == PTHREAD_CANCELED);
}

static void run_children(void) {
    char *arguments[] = {"sh", "-c", "exit 6", NULL}, line[20] = "";
    int status;
    pid_t child = fork();
    if (child == 0) {
        fetch();
        _exit(7);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK(posix_spawnp(&child, "sh", NULL, NULL, arguments, environ) == 0);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 6);
    FILE *stream = popen("echo by popen", "r");
    CHECK(stream && fgets(line, sizeof line, stream));
    CHECK(strcmp(line, "by popen\n") == 0);
    CHECK(pclose(stream) == 0);
    CHECK(WEXITSTATUS(system("exit 3")) == 3);
}

/* A handler on a stack of its own, which a signal that arrives in a call takes, too. */
static char *signal_stack;
static volatile sig_atomic_t was_on_stack;
static void on_usr1(int signal) {
    char here;
    (void)signal;
    was_on_stack = &here > signal_stack && &here < signal_stack + 65536;
    CHECK(write(2, "", 0) == 0);
}

static void use_signal_stack(void) {
    struct sigaction action = {.sa_handler = on_usr1, .sa_flags = SA_ONSTACK};
    signal_stack = malloc(65536);
    stack_t stack = {.ss_sp = signal_stack, .ss_size = 65536}, now;
    CHECK(sigaltstack(&stack, NULL) == 0);
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == signal_stack && now.ss_flags == 0);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0 && was_on_stack);
    stack.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&stack, NULL) == 0);
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE);
}

static void *use_signal_stack_in_thread(void *nothing) {
    use_signal_stack();
    return nothing;
}

/* Goes on when the main thread has ended. */
static void *end_last(void *nothing) {
    pthread_t other;
    usleep(100000);
    CHECK(pthread_create(&other, NULL, do_nothing, NULL) == 0);
    CHECK(pthread_join(other, NULL) == 0);
    fetch();
    exit(0);
    return nothing;
}

int main(int count, char **arguments) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    pthread_t thread;
    if (count != 3)
        return 2;
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    inet_aton(arguments[1], &server.sin_addr);
    sigfillset(&action.sa_mask);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int i = 0; i < 3; i++)
        run_threads();
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(signals > 10);
    run_children();
    use_signal_stack();
    CHECK(pthread_create(&thread, NULL, use_signal_stack_in_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    fetch();
    CHECK(pthread_create(&thread, NULL, end_last, NULL) == 0);
    pthread_exit(NULL);
}
