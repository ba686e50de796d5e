/* SPDX-License-Identifier: MIT */
/*
 * forker.c - forks while other code of the same program is at work.
 *
 *   forker handlers early|late close|open|sweep HOST PORT
 *       Handlers of pthread_atfork(3), registered before or after the first socket. The one before fork waits
 * for a thread that uses sockets meanwhile; the one in the child does something with them. The parent's
 * connection stays. forker threads COUNT HOST PORT Threads open and close sockets, and flush all streams, one
 * of which is a socket, while the main thread forks so often. Each child uses a socket that it has inherited,
 * and one of its own. forker signals COUNT HOST PORT A timer's signal comes all the time. No child begins
 * with signals blocked, or gets the parent's signal.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                           \
    do                                                             \
        if (!(condition)) {                                        \
            printf("line %d: not %s: %m\n", __LINE__, #condition); \
            fflush(stdout);                                        \
            _exit(1);                                              \
        }                                                          \
    while (0)

static struct sockaddr_in to = {.sin_family = AF_INET};
static int fd;
static const char *in_child;

static int open_connection(void) {
    int made = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(made >= 0 && connect(made, (struct sockaddr *)&to, sizeof to) == 0);
    return made;
}

static void use_connection(int used) {
    char bytes[4096];
    ssize_t got, all = 0;
    static const char request[] = "GET /1K HTTP/1.0\r\n\r\n";
    CHECK(write(used, request, strlen(request)) == (ssize_t)strlen(request));
    while ((got = read(used, bytes, sizeof bytes)) > 0)
        all += got;
    CHECK(got == 0 && all > 1024);
    CHECK(close(used) == 0);
}

static int wait_for(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR);
    return status;
}

/* Handlers. */
static int ask[2], answer[2];

static void *helper(void *unused) {
    char byte;
    while (read(ask[0], &byte, 1) == 1) {
        int made = socket(AF_INET, SOCK_DGRAM, 0);
        CHECK(made >= 0 && close(made) == 0);
        CHECK(write(answer[1], &byte, 1) == 1);
    }
    return unused;
}

static void before(void) {
    char byte = 0;
    CHECK(write(ask[1], &byte, 1) == 1 && read(answer[0], &byte, 1) == 1);
}

static void child(void) {
    if (strcmp(in_child, "close") == 0)
        close(fd);
    if (strcmp(in_child, "open") == 0)
        close(socket(AF_INET, SOCK_STREAM, 0));
    for (int i = 3; strcmp(in_child, "sweep") == 0 && i < 100; i++)
        close(i);
}

static int handlers(const char *when, const char *what) {
    pthread_t thread;
    in_child = what;
    CHECK(pipe(ask) == 0 && pipe(answer) == 0);
    if (strcmp(when, "early") == 0)
        pthread_atfork(before, NULL, child);
    fd = open_connection();
    if (strcmp(when, "late") == 0)
        pthread_atfork(before, NULL, child);
    pthread_create(&thread, NULL, helper, NULL);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            use_connection(open_connection());
            _exit(0);
        }
        CHECK(wait_for(pid) == 0);
    }
    use_connection(fd);
    return 0;
}

/* Threads. */
static void *opens_and_closes(void *unused) {
    for (;;) {
        int made[4];
        for (int i = 0; i < 4; i++)
            CHECK((made[i] = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
        for (int i = 0; i < 4; i++)
            close(made[i]);
    }
    return unused;
}

static void *flushes(void *stream) {
    for (;;) {
        fputs("x", stream);
        fflush(NULL);
        usleep(500);
    }
    return NULL;
}

static int threads(int count) {
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = to.sin_addr};
    pthread_t thread;
    int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(connect(datagrams, (struct sockaddr *)&nobody, sizeof nobody) == 0);
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, opens_and_closes, NULL);
    pthread_create(&thread, NULL, flushes, fdopen(datagrams, "w"));
    for (int i = 0; i < count; i++) {
        fd = open_connection();
        pid_t pid = fork();
        if (pid == 0) {
            use_connection(fd);
            use_connection(open_connection());
            _exit(0);
        }
        CHECK(close(fd) == 0);
        CHECK(wait_for(pid) == 0);
    }
    _exit(0);
}

/* Signals. */
static pid_t parent;
static volatile sig_atomic_t strange;

static void tick(int signal) {
    (void)signal;
    strange |= getpid() != parent; /* no timer is inherited */
}

static int signals(int count) {
    struct itimerval often = {{0, 300}, {0, 300}};
    parent = getpid();
    fd = open_connection();
    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            sigset_t blocked;
            sigprocmask(SIG_SETMASK, NULL, &blocked);
            for (int signal = 1; signal < 32; signal++)
                CHECK(!sigismember(&blocked, signal));
            close(fd); /* comes to the stack */
            CHECK(!strange);
            _exit(0);
        }
        CHECK(wait_for(pid) == 0);
    }
    return 0;
}

int main(int count, char **arguments) {
    if (count < 5 || inet_pton(AF_INET, arguments[count - 2], &to.sin_addr) != 1)
        return 2;
    to.sin_port = htons((uint16_t)atoi(arguments[count - 1]));
    if (strcmp(arguments[1], "handlers") == 0)
        return handlers(arguments[2], arguments[3]);
    return strcmp(arguments[1], "threads") == 0 ? threads(atoi(arguments[2])) : signals(atoi(arguments[2]));
}
