/* SPDX-License-Identifier: MIT */
/*
 * libc_inside.c - functions of libc that make their system calls inside libc, where no preloaded function is
 * called: streams, sockatmark(3), daemon(3), login_tty(3), forkpty(3), posix_spawn(3)'s file actions,
 * dprintf(3).
 *
 * Each case has a connection of its own (to 127.0.0.1) and a process of its own. A line for each tells what
 * the other end read; the same on the kernel's stack and on ours. Compiled with -lutil.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

extern char **environ;

static int ours, other; /* the two ends */

static void connect_ends(void) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(listener, (struct sockaddr *)&name, length);
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&name, &length);
    ours = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(ours, (struct sockaddr *)&name, length) < 0)
        exit(2);
    other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
}

static void freopened(void) {
    FILE *stream = fdopen(ours, "w");
    fputs("bye", stream);
    if (!freopen("/dev/null", "w", stream))
        exit(1);
    sleep(5);
}

static void standard_output(void) {
    dup2(ours, 1);
    close(ours);
    puts("a line that is still in the buffer when exit(3) is called");
}

static void standard_output_freopened(void) {
    dup2(ours, 1);
    close(ours);
    puts("before");
    if (!freopen("/dev/null", "w", stdout))
        exit(1);
    puts("behind");
    fflush(stdout);
    sleep(5);
}

static void both_ways(void) {
    char line[40] = "";
    FILE *stream = fdopen(ours, "r+");
    send(other, "question\n", 9, 0);
    if (!fgets(line, sizeof line, stream))
        exit(1);
    fprintf(stream, "answer to %s", line);
    fclose(stream);
    sleep(5);
}

static void formatted(void) {
    dprintf(ours, "%s and %d", "a text of any length", 12345);
    close(ours);
    sleep(5);
}

static void at_mark(void) {
    char bytes[10];
    send(other, "abc", 3, 0);
    send(other, "!", 1, MSG_OOB);
    send(other, "def", 3, 0);
    usleep(100000);
    ssize_t got = read(ours, bytes, sizeof bytes);
    dprintf(ours, "read %zd, then sockatmark %d", got, sockatmark(ours));
}

static void in_background(void) {
    for (int fd = 0; fd <= 2; fd++)
        dup2(ours, fd);
    close(ours);
    if (daemon(0, 0) == 0)
        sleep(5);
    _exit(0);
}

static void on_a_terminal(void) {
    int master, slave;
    if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
        exit(77);
    for (int fd = 0; fd <= 2; fd++)
        dup2(ours, fd);
    close(ours);
    if (fork() == 0) {
        login_tty(slave);
        sleep(5);
        _exit(0);
    }
    for (int fd = 0; fd <= 2; fd++)
        close(fd);
    sleep(5);
}

static void forked_with_a_terminal(void) {
    int master;
    dup2(ours, 0);
    close(ours);
    if (forkpty(&master, NULL, NULL, NULL) == 0) {
        sleep(5);
        _exit(0);
    }
    close(0);
    sleep(5);
}

static void spawned(void) {
    posix_spawn_file_actions_t actions;
    char *arguments[] = {"sh", "-c", "echo hello; exec sleep 5 >/dev/null 2>&1", NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ours, 1);
    posix_spawn_file_actions_addclose(&actions, ours);
    posix_spawn(&(pid_t){0}, "/bin/sh", &actions, NULL, arguments, environ);
    close(ours);
    sleep(5);
}

static void by_system(void) {
    char command[60];
    snprintf(command, sizeof command, "echo from the shell >&%d", ours);
    if (system(command) != 0)
        exit(1);
    dprintf(ours, "and on");
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"freopen", freopened},
    {"standard output at exit", standard_output},
    {"freopen of standard output", standard_output_freopened},
    {"a stream both ways", both_ways},
    {"dprintf", formatted},
    {"sockatmark", at_mark},
    {"daemon", in_background},
    {"login_tty", on_a_terminal},
    {"forkpty", forked_with_a_terminal},
    {"posix_spawn's dup2", spawned},
    {"system", by_system},
};

/* What comes until the end, of which a second is waited for. */
static void tell(const char *name) {
    char heard[200];
    size_t length = 0;
    const char *end = "no end";
    struct pollfd wait = {other, POLLIN, 0};
    while (poll(&wait, 1, 2000) > 0) {
        ssize_t got = read(other, heard + length, sizeof heard - 1 - length);
        if (got <= 0) {
            end = got == 0 ? "end" : strerrorname_np(errno);
            break;
        }
        length += (size_t)got;
    }
    heard[length] = 0;
    printf("%s: '%s', %s\n", name, heard, end);
    fflush(stdout);
}

int main(void) {
    signal(SIGCHLD, SIG_IGN);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        connect_ends();
        pid_t child = fork();
        if (child == 0) {
            setpgid(0, 0);
            signal(SIGCHLD, SIG_DFL);
            cases[i].run();
            exit(0);
        }
        close(ours);
        tell(cases[i].name);
        close(other);
        kill(-child, SIGKILL);
    }
    return 0;
}
