/* SPDX-License-Identifier: MIT */
/*
 * borrower.c - a child that runs in its parent's memory changes its own descriptors, signal handlers, user
 * and environment, as programs do before exec; what the parent has of those must stay as it was. Memory is
 * shared: the parent sees what the child has written there.
 *
 *   borrower vfork|clone|beside exit|exec|fail none
 *   borrower vfork|clone|beside exit|exec|fail HOST PORT     with a connection to a web server of the
 * parent's
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd = -1, pipe_ends[2];
static const char *what;
static volatile sig_atomic_t ran;
static volatile int written, failed;

#define CHECK(condition)                                       \
    do                                                         \
        if (!(condition)) {                                    \
            printf("line %d: not %s\n", __LINE__, #condition); \
            exit(1);                                           \
        }                                                      \
    while (0)

static void handler(int signal) {
    (void)signal;
    ran++;
}

static void other_handler(int signal) {
    (void)signal;
    written = -1;
}

/* What a child does before exec. */
static int child(void *unused) {
    struct sigaction plain = {.sa_handler = SIG_DFL}, said;
    (void)unused;
    sigaction(SIGUSR1, &plain, NULL);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGHUP, other_handler);
    sigaction(SIGHUP, NULL, &said);
    written = said.sa_handler == other_handler && signal(SIGUSR2, SIG_IGN) == SIG_IGN ? 42 : 1;
    if (fd >= 0) {
        dup2(fd, 0);
        dup2(fd, 77);
        fcntl(fd, F_DUPFD, 100);
    }
    dup2(pipe_ends[1], 1);
    if (strcmp(what, "exec") == 0) {
        if (fd < 0)
            execl("/bin/sh", "sh", "-c", "echo GET", NULL);
        static const char request[] = "GET /1K HTTP/1.0\r\n\r\n";
        if (write(fd, request, strlen(request)) < 0)
            _exit(1);
        execl("/usr/bin/head", "head", "-c", "3", NULL);
        _exit(1);
    }
    if (strcmp(what, "fail") == 0) {
        execl("/nowhere", "nowhere", NULL);
        failed = errno;
    }
    close_range(3, ~0u, 0);
    for (int i = 0; i < 200; i++)
        close(i);
    if (setgid(65534) < 0 || setuid(65534) < 0)
        written = 2;
    _exit(7);
}

static pid_t make(const char *way) {
    static char stack[1 << 18];
    if (strcmp(way, "clone") == 0)
        return clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    if (strcmp(way, "beside") == 0)
        return clone(child, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    pid_t pid = vfork();
    if (pid == 0)
        _exit(child(NULL));
    return pid;
}

static void open_connection(const char *host, const char *port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    CHECK(inet_pton(AF_INET, host, &to.sin_addr) == 1);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
}

static void use_connection(void) {
    char bytes[4096];
    ssize_t got, all = 0;
    static const char request[] = "GET /1K HTTP/1.0\r\n\r\n";
    CHECK(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        all += got;
    CHECK(got == 0 && all > 1024);
    CHECK(close(fd) == 0);
}

static void once(const char *way, const char *host, const char *port) {
    struct sigaction now;
    int status;
    char text[4] = "";
    uid_t user = getuid();
    if (host)
        open_connection(host, port);
    CHECK(pipe(pipe_ends) == 0);
    written = failed = ran = 0;
    pid_t pid = make(way);
    CHECK(pid > 0);
    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR);
    close(pipe_ends[1]);
    CHECK(written == 42);
    if (strcmp(what, "exec") == 0)
        CHECK(status == 0 && read(pipe_ends[0], text, 3) == 3 && strcmp(text, host ? "HTT" : "GET") == 0);
    else
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK(failed == (strcmp(what, "fail") == 0 ? ENOENT : 0));
    CHECK(ran == 1); /* SIGCHLD's */
    for (int i = 0; i < 3; i++) {
        static const int signals[] = {SIGUSR1, SIGUSR2, SIGHUP};
        CHECK(sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == handler);
        raise(signals[i]);
        CHECK(ran == i + 2);
    }
    CHECK(getuid() == user);
    CHECK(fcntl(77, F_GETFD) < 0 && errno == EBADF);
    if (host && strcmp(what, "exec") != 0)
        use_connection();
    else if (host)
        CHECK(close(fd) == 0);
    close(pipe_ends[0]);
}

static void *rest(void *unused) {
    pause();
    return unused;
}

int main(int count, char **arguments) {
    static const int signals[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGCHLD};
    pthread_t thread;
    if (count < 4)
        return 2;
    what = arguments[2];
    for (int i = 0; i < 4; i++)
        signal(signals[i], handler);
    pthread_create(&thread, NULL, rest, NULL);
    for (int i = 0; i < 20; i++)
        once(arguments[1], count > 4 ? arguments[3] : NULL, arguments[count - 1]);
    puts("as before");
    return 0;
}
