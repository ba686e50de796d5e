/* SPDX-License-Identifier: MIT */
/*
 * corners.c - what a static program may ask of the kernel beside sockets, for the program and for its threads: to be
 * linked to whatever library, and in whatever way.
 *
 *   corners ADDRESS PORT      with a connection to that server; says what is not as it should be
 *   corners check             a child: ends with 5 if its input is a socket that is connected
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

extern char **environ;
static int connection;

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
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* A child that shares this memory and goes on beside its parent. */
struct beside {
    int go, seen, connected;
    pid_t self;
    const char *executes;
};

static int run_beside(void *context) {
    struct beside *beside = context;
    char *arguments[] = {"sh", "-c", "exit 6", NULL};
    while (!__atomic_load_n(&beside->go, __ATOMIC_ACQUIRE))
        usleep(100);
    beside->self = (pid_t)syscall(SYS_getpid);
    beside->connected = is_connected(connection);
    close(connection); /* its own */
    __atomic_store_n(&beside->seen, 1, __ATOMIC_RELEASE);
    if (beside->executes)
        execve(beside->executes, arguments, environ);
    _exit(beside->executes ? 1 : 7);
}

static void children_beside(void) {
    char *stacks = malloc(2 << 16);
    struct beside first = {.executes = NULL}, second = {.executes = "/bin/sh"};
    CHECK(stacks != NULL);
    pid_t ends = clone(run_beside, stacks + (1 << 16), CLONE_VM | SIGCHLD, &first);
    pid_t executes = clone(run_beside, stacks + (2 << 16), CLONE_VM | SIGCHLD, &second);
    CHECK(ends > 0 && executes > 0);
    CHECK(!first.seen && !second.seen && is_connected(connection));
    __atomic_store_n(&first.go, 1, __ATOMIC_RELEASE);
    CHECK(status_of(ends) == 7);
    CHECK(first.seen && first.connected && first.self == ends && !second.seen);
    __atomic_store_n(&second.go, 1, __ATOMIC_RELEASE);
    CHECK(status_of(executes) == 6);
    CHECK(second.seen && second.connected && second.self == executes);
    CHECK(is_connected(connection));
    first.go = 0; /* one that is killed */
    CHECK((ends = clone(run_beside, stacks + (1 << 16), CLONE_VM | SIGCHLD, &first)) > 0);
    CHECK(kill(ends, SIGKILL) == 0);
    CHECK(status_of(ends) == -SIGKILL);
    free(stacks);
}

/* Locks that their holder does not give back. */
static void *lock_and_end(void *mutex) {
    CHECK(pthread_mutex_lock(mutex) == 0);
    CHECK(is_connected(connection)); /* a call of the library's, with a lock of its own */
    return mutex;
}

static void robust_mutexes(void) {
    pthread_mutexattr_t attributes;
    pthread_mutex_t *mutexes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_t thread;
    CHECK(mutexes != MAP_FAILED && pthread_mutexattr_init(&attributes) == 0);
    CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
    CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_mutex_init(&mutexes[i], &attributes) == 0);
    CHECK(pthread_create(&thread, NULL, lock_and_end, &mutexes[0]) == 0);
    CHECK(pthread_mutex_lock(&mutexes[1]) == 0);
    for (int killed = 0; killed < 2; killed++) {
        pid_t child = fork();
        if (child == 0) {
            CHECK(pthread_mutex_lock(&mutexes[2 + killed]) == 0);
            CHECK(is_connected(connection));
            if (killed)
                kill(getpid(), SIGKILL);
            _exit(3);
        }
        CHECK(status_of(child) == (killed ? -SIGKILL : 3));
    }
    CHECK(pthread_join(thread, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        if (i == 1)
            continue;
        CHECK(pthread_mutex_lock(&mutexes[i]) == EOWNERDEAD);
        CHECK(pthread_mutex_consistent(&mutexes[i]) == 0);
        CHECK(is_connected(connection));
        CHECK(pthread_mutex_unlock(&mutexes[i]) == 0);
        CHECK(pthread_mutex_lock(&mutexes[i]) == 0);
        CHECK(pthread_mutex_unlock(&mutexes[i]) == 0);
    }
    CHECK(pthread_mutex_unlock(&mutexes[1]) == 0);
}

/* Threads that are cancelled in a call that waits, on a socket and on a pipe. */
static int pipe_ends[2], listener, cleaned;

static void clean(void *nothing) {
    (void)nothing;
    cleaned++;
}

static void *wait_for_ever(void *what) {
    char byte;
    pthread_cleanup_push(clean, NULL);
    if (*(char *)what == 's')
        recv(connection, &byte, 1, 0);
    else if (*(char *)what == 'a')
        accept(listener, NULL, NULL);
    else
        read(pipe_ends[0], &byte, 1);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *do_not_be_cancelled(void *nothing) {
    char byte = 0;
    int state;
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state) == 0);
    CHECK(read(pipe_ends[0], &byte, 1) == 1 && byte == 'x');
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state) == 0);
    pthread_testcancel();
    return nothing;
}

static void cancellation(void) {
    struct sockaddr_in any = {.sin_family = AF_INET};
    pthread_t thread;
    void *result;
    CHECK(pipe(pipe_ends) == 0);
    CHECK((listener = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
    CHECK(bind(listener, (struct sockaddr *)&any, sizeof any) == 0 && listen(listener, 1) == 0);
    for (const char *what = "spaspaspa"; *what; what++) {
        cleaned = 0;
        CHECK(pthread_create(&thread, NULL, wait_for_ever, (void *)what) == 0);
        if (what[3]) /* else at once */
            usleep(20000);
        CHECK(pthread_cancel(thread) == 0);
        CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
        CHECK(cleaned == 1 || !what[3]);
    }
    CHECK(pthread_create(&thread, NULL, do_not_be_cancelled, NULL) == 0);
    usleep(20000);
    CHECK(pthread_cancel(thread) == 0);
    usleep(20000);
    CHECK(write(pipe_ends[1], "x", 1) == 1);
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    close(listener);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static int memory_is_open(void) {
    char link[40], name[40] = "";
    for (int fd = 0; fd < 1024; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, name, sizeof name - 1) > 0 && strncmp(name, "/memfd:corners", 14) == 0)
            return 1;
    }
    return 0;
}

/* A program without a name, by a descriptor that closes when it begins. */
static void execute_memory(void) {
    char *arguments[] = {"corners", "check", NULL};
    struct stat file;
    int memory = (int)syscall(SYS_memfd_create, "corners", 1 /* MFD_CLOEXEC */);
    int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(memory >= 0 && own >= 0 && fstat(own, &file) == 0);
    for (off_t at = 0; at < file.st_size;)
        CHECK(sendfile(memory, own, &at, (size_t)(file.st_size - at)) > 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(connection, 0);
        syscall(SYS_execveat, memory, "", arguments, environ, AT_EMPTY_PATH);
        _exit(1);
    }
    CHECK(status_of(child) == 5);
    close(memory);
    close(own);
}

int main(int count, char **arguments) {
    if (count == 2)
        return memory_is_open() ? 6 : is_connected(0) ? 5 : 4;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    CHECK(count == 3 && inet_pton(AF_INET, arguments[1], &server.sin_addr) == 1);
    connection = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(connection, (struct sockaddr *)&server, sizeof server) == 0);
    children_beside();
    robust_mutexes();
    cancellation();
    execute_memory();
    return 0;
}
