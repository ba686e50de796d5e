/* SPDX-License-Identifier: MIT */
/*
 * children.c - a child, made in a way of the caller's choice, reads what comes on a socket and copies it to
 * stdout; the parent closes the socket as soon as it can.
 *
 *   children WAY HOST PORT
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int fd;

static int copy(void *unused) {
    char bytes[4096];
    ssize_t got;
    (void)unused;
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        if (write(1, bytes, (size_t)got) != got)
            return 1;
    return 0;
}

/* Waits for the child, after closing the socket. */
static int wait_for(pid_t child) {
    int status = 1;
    close(fd);
    if (child <= 0 || waitpid(child, &status, __WALL) != child)
        return 1;
    return status;
}

static int by_spawn(int (*function)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                                    const posix_spawnattr_t *, char *const *, char *const *),
                    const char *cat) {
    char *arguments[] = {"cat", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, 0);
    if (function(&child, cat, &actions, NULL, arguments, environ))
        return 1;
    return wait_for(child);
}

static int by_popen(void) {
    char command[40], line[4096];
    size_t got;
    snprintf(command, sizeof command, "cat <&%d", fd);
    FILE *stream = popen(command, "r");
    close(fd);
    while ((got = fread(line, 1, sizeof line, stream)) > 0)
        fwrite(line, 1, got, stdout);
    return pclose(stream);
}

static int by_system(void) {
    char command[40];
    snprintf(command, sizeof command, "cat <&%d", fd);
    return system(command);
}

static int by_clone(void) {
    static char stack[65536];
    return wait_for(clone(copy, stack + sizeof stack, SIGCHLD, NULL));
}

static _Atomic int over;

/* A thread that has the stack's lock as often as not. */
static void *busy(void *unused) {
    (void)unused;
    while (!over) {
        int other = socket(AF_INET, SOCK_STREAM, 0);
        close(other);
    }
    return NULL;
}

static void *fork_in_thread(void *status) {
    pid_t child = fork();
    if (child == 0)
        _exit(copy(NULL));
    *(int *)status = wait_for(child);
    return NULL;
}

static int by_thread(void) {
    pthread_t threads[3];
    int status = 1;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, busy, NULL);
    pthread_create(&threads[2], NULL, fork_in_thread, &status);
    pthread_join(threads[2], NULL);
    over = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return status;
}

/* Waits for the child, and until the grandchild has ended, too, who has the pipe. */
static int wait_for_both(pid_t child, const int ends[2]) {
    char nothing;
    close(ends[1]);
    int status = wait_for(child);
    return read(ends[0], &nothing, 1) == 0 ? status : 1;
}

static int by_daemon(void) {
    int ends[2];
    if (pipe(ends) < 0)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        if (daemon(1, 1) < 0)
            _exit(1);
        _exit(copy(NULL));
    }
    return wait_for_both(child, ends);
}

static int by_double_fork(void) {
    int ends[2];
    if (pipe(ends) < 0)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        if (fork() > 0)
            _exit(0);
        _exit(copy(NULL));
    }
    return wait_for_both(child, ends);
}

static int run(const char *way) {
    pid_t child;
    if (strcmp(way, "fork") == 0 || strcmp(way, "_Fork") == 0) {
        child = *way == '_' ? _Fork() : fork();
        if (child == 0)
            _exit(copy(NULL));
        return wait_for(child);
    }
    if (strcmp(way, "vfork") == 0) {
        child = vfork();
        if (child == 0) {
            dup2(fd, 0);
            execlp("cat", "cat", NULL);
            _exit(1);
        }
        return wait_for(child);
    }
    if (strcmp(way, "clone") == 0)
        return by_clone();
    if (strcmp(way, "spawn") == 0)
        return by_spawn(posix_spawn, "/bin/cat");
    if (strcmp(way, "spawnp") == 0)
        return by_spawn(posix_spawnp, "cat");
    if (strcmp(way, "popen") == 0)
        return by_popen();
    if (strcmp(way, "system") == 0)
        return by_system();
    if (strcmp(way, "daemon") == 0)
        return by_daemon();
    if (strcmp(way, "thread") == 0)
        return by_thread();
    return by_double_fork();
}

int main(int count, char **arguments) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    static const char request[] = "GET /1K HTTP/1.0\r\n\r\n";
    if (count != 4 || inet_pton(AF_INET, arguments[2], &to.sin_addr) != 1)
        return 2;
    to.sin_port = htons((uint16_t)atoi(arguments[3]));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 || write(fd, request, strlen(request)) < 0)
        return 1;
    return run(arguments[1]) ? 1 : 0;
}
