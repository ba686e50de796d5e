/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - children that run in their parent's memory until they execute a program, beside its other threads:
 * to be linked to whatever library, and in whatever way.
 *
 *   spawn ADDRESS PORT      children of a program with a connection to that server; says what is not as it should be
 *   spawn check             a child: ends with 5 if its input is a socket that is connected
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
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static struct sockaddr_in server;
static char *self;

static void check(int holds, const char *what, int line) {
    if (holds)
        return;
    fprintf(stderr, "line %d, not so: %s (%s)\n", line, what, strerror(errno));
    exit(1);
}
#define CHECK(condition) check(condition, #condition, __LINE__)

static int is_connected(int fd) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    return getpeername(fd, (struct sockaddr *)&address, &length) == 0 && address.sin_port != 0;
}

static int status_of(pid_t child) {
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void spawn_what_is_not_there(void) {
    char *arguments[] = {"nothing", NULL};
    pid_t child;
    CHECK(posix_spawn(&child, "/nonexistent", NULL, NULL, arguments, environ) == ENOENT);
    CHECK(posix_spawn(&child, "/", NULL, NULL, arguments, environ) == EACCES);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 || errno == 0);
}

static void spawn_with_a_socket(int fd) {
    char *arguments[] = {self, "check", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, fd, 0) == 0);
    CHECK(posix_spawn_file_actions_addclose(&actions, fd) == 0);
    CHECK(posix_spawn(&child, self, &actions, NULL, arguments, environ) == 0);
    CHECK(status_of(child) == 5);
    CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
    CHECK(is_connected(fd));
}

/* What the child changes is seen, but for its descriptors. Not inlined: it shares this frame. */
__attribute__((noinline)) static void vfork_that_ends(int fd) {
    static volatile int seen, connected;
    pid_t child = vfork();
    if (child == 0) {
        seen = 3;
        connected = is_connected(fd);
        close(fd);
        _exit(9);
    }
    CHECK(child > 0 && seen == 3 && connected);
    CHECK(status_of(child) == 9);
    CHECK(is_connected(fd));
    seen = 0;
}

__attribute__((noinline)) static void vfork_that_executes(void) {
    static volatile int failed;
    pid_t child = vfork();
    if (child == 0) {
        execl("/nonexistent", "nothing", (char *)NULL);
        failed = errno;
        execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
        _exit(1);
    }
    CHECK(failed == ENOENT);
    CHECK(status_of(child) == 6);
}

/* The child's own child has memory of its own, with what is connected, and opens another. */
__attribute__((noinline)) static void vfork_that_forks(int fd) {
    pid_t child = vfork();
    if (child == 0) {
        int status = 0;
        pid_t grandchild = fork();
        if (grandchild == 0) {
            int own = socket(AF_INET, SOCK_STREAM, 0);
            int connected = connect(own, (struct sockaddr *)&server, sizeof server) == 0;
            _exit(connected && is_connected(own) && is_connected(fd) ? 7 : 1);
        }
        _exit(waitpid(grandchild, &status, 0) == grandchild && WIFEXITED(status) ? WEXITSTATUS(status) : 2);
    }
    CHECK(status_of(child) == 7);
    CHECK(is_connected(fd));
}

static void *run_children(void *fd) {
    for (int i = 0; i < 10; i++) {
        spawn_what_is_not_there();
        spawn_with_a_socket(*(int *)fd);
        vfork_that_ends(*(int *)fd);
        vfork_that_executes();
        vfork_that_forks(*(int *)fd);
    }
    return fd;
}

static volatile int stopping;

/* The memory is used meanwhile. */
static void *ask(void *fd) {
    while (!stopping)
        CHECK(is_connected(*(int *)fd));
    return fd;
}

static volatile sig_atomic_t signals;

static void on_alarm(int signal) {
    signals += signal == SIGALRM;
}

int main(int count, char **arguments) {
    pthread_t asker, maker;
    self = arguments[0];
    if (count == 2)
        return is_connected(0) ? 5 : 4;
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    CHECK(inet_pton(AF_INET, arguments[1], &server.sin_addr) == 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&server, sizeof server) == 0);
    CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
    CHECK(ualarm(2000, 2000) == 0);
    run_children(&fd);
    CHECK(pthread_create(&asker, NULL, ask, &fd) == 0);
    CHECK(pthread_create(&maker, NULL, run_children, &fd) == 0);
    CHECK(pthread_join(maker, NULL) == 0);
    stopping = 1;
    CHECK(pthread_join(asker, NULL) == 0);
    CHECK(signals > 0);
    return 0;
}
