/*
 * exec.c - see exec.h; and resume.c, for what the next program does.
 *
 * The next program must be told of its stack. Some programs clean the environment that they pass on (nginx's
 * binary upgrade does): when sockets go on, what this one was told itself is put in again. A program that
 * can't be taken over is said, once; the keeper takes the sockets off the process's account when it is there.
 *
 * A spawned child's account is made before the child, as by fork, so that the parent may close its sockets at
 * once. A variable in its environment tells the child which.
 */
#include "exec.h"
#include "attach.h"
#include "descriptor.h"
#include "fork.h"
#include "libc.h"
#include "lock.h"
#include "memory.h"
#include "program.h"
#include "wake.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define REMEMBERED_MAX 32

struct process *exec_account;

static char *remembered[REMEMBERED_MAX]; /* NAME=VALUE */
static size_t remembered_count;
static char store[4096];
static size_t stored;
static char library[PATH_MAX];

static void remember(const char *variable) {
    size_t length = strlen(variable) + 1;
    if (remembered_count == REMEMBERED_MAX || length > sizeof store - stored)
        return;
    remembered[remembered_count++] = memcpy(store + stored, variable, length);
    stored += length;
}

void exec_begin(void) {
    Dl_info info;
    const char *account = getenv("BAREWIRE_ACCOUNT");
    if (account) {
        exec_account = (struct process *)strtoull(account, NULL, 16);
        unsetenv("BAREWIRE_ACCOUNT");
    }
    if (!dladdr((void *)exec_begin, &info) || !realpath(info.dli_fname, library))
        library[0] = 0;
    for (char **variable = environ; variable && *variable; variable++)
        if (strncmp(*variable, "BAREWIRE_", 9) == 0 || strncmp(*variable, "XDG_RUNTIME_DIR=", 16) == 0)
            remember(*variable);
}

/* An environment in which the next program finds its stack. */
struct told {
    char **environment; /* the program's own when memory is out */
    char *preload;
    char account[40];
};

static char *find_variable(char *const *environment, const char *variable) {
    size_t length = strcspn(variable, "=") + 1;
    for (; *environment; environment++)
        if (strncmp(*environment, variable, length) == 0)
            return *environment;
    return NULL;
}

static bool names_library(const char *preload) {
    return strstr(preload, "/libbarewire.so");
}

static void tell(struct told *told, char *const *given, const struct process *account) {
    static char *const nothing[] = {NULL};
    size_t count = 0;
    if (!given)
        given = nothing;
    while (given[count])
        count++;
    char *preload = find_variable(given, "LD_PRELOAD=");
    bool complete = preload && names_library(preload);
    size_t preload_bytes = (preload ? strlen(preload) : 0) + strlen(library) + sizeof "LD_PRELOAD=:";
    char **environment = memory_take((count + remembered_count + 3) * sizeof *environment);
    told->preload = memory_take(preload_bytes);
    if (!environment || !told->preload) {
        told->environment = (char **)given;
        return;
    }
    count = 0;
    for (; *given; given++)
        if (complete || *given != preload)
            environment[count++] = *given;
    environment[count] = NULL;
    for (size_t i = 0; i < remembered_count; i++)
        if (!find_variable(environment, remembered[i]))
            environment[count++] = remembered[i], environment[count] = NULL;
    if (!complete && library[0]) {
        snprintf(told->preload, preload_bytes, "LD_PRELOAD=%s%s%s", library, preload ? ":" : "",
                 preload ? preload + sizeof "LD_PRELOAD=" - 1 : "");
        environment[count++] = told->preload;
    }
    if (account) {
        snprintf(told->account, sizeof told->account, "BAREWIRE_ACCOUNT=%lx", (unsigned long)account);
        environment[count++] = told->account;
    }
    environment[count] = NULL;
    told->environment = environment;
}

static void untell(struct told *told, char *const *given) {
    if (told->environment != (char **)given)
        memory_give(told->environment);
    memory_give(told->preload);
}

static void count_going_on(int fd, void *context) {
    int flags = descriptor_socket(fd) ? LIBC(fcntl)(fd, F_GETFD) : -1;
    if (flags >= 0 && !(flags & FD_CLOEXEC))
        ++*(int *)context;
}

/* How many descriptors of ours exec leaves open. */
static int going_on(void) {
    int count = 0;
    if (descriptor_any && !shared->broken)
        descriptor_walk(0, UINT32_MAX, count_going_on, &count);
    return count;
}

static void say_out_of_reach(const char *path, const char *reason, int count) {
    static _Atomic bool said;
    if (!atomic_exchange(&said, true))
        attach_say("%s %s and can't be taken over: %d socket%s that it inherits %s of no use to it", path,
                   reason, count, count == 1 ? "" : "s", count == 1 ? "is" : "are");
}

/* What lies ahead of an exec: sockets go on, into this program. */
struct next {
    bool ours;
    bool marked;
    struct told told;
    char *const *given;
};

static void mark_leaving(bool leaving) {
    shared_lock();
    wake_self->leaving = leaving;
    shared_unlock();
    wake_keeper();
}

/* Gives the environment to use. */
static char *const *leave(struct next *next, const char *path, char *const *environment) {
    int count = going_on();
    *next = (struct next){.ours = count > 0, .given = environment};
    if (!next->ours)
        return environment;
    const char *reason = path ? program_out_of_reach(path) : NULL;
    if (reason) {
        say_out_of_reach(path, reason, count);
        next->marked = true;
        mark_leaving(true);
    }
    tell(&next->told, environment, NULL);
    return next->told.environment;
}

/* exec has failed, and this program stays. */
static int stay(struct next *next) {
    int error = errno;
    if (next->marked)
        mark_leaving(false);
    if (next->ours)
        untell(&next->told, next->given);
    errno = error;
    return -1;
}

EXPORT int execve(const char *path, char *const *arguments, char *const *environment) {
    struct next next;
    environment = leave(&next, path, environment);
    LIBC(execve)(path, arguments, environment);
    return stay(&next);
}

EXPORT int execvpe(const char *file, char *const *arguments, char *const *environment) {
    struct next next;
    char room[PATH_MAX];
    environment = leave(&next, program_find(file, room), environment);
    LIBC(execvpe)(file, arguments, environment);
    return stay(&next);
}

EXPORT int fexecve(int fd, char *const *arguments, char *const *environment) {
    struct next next;
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    environment = leave(&next, path, environment);
    LIBC(fexecve)(fd, arguments, environment);
    return stay(&next);
}

EXPORT int execveat(int folder, const char *path, char *const *arguments, char *const *environment,
                    int flags) {
    struct next next;
    bool known = folder == AT_FDCWD || *path == '/';
    environment = leave(&next, known ? path : NULL, environment);
    LIBC(execveat)(folder, path, arguments, environment, flags);
    return stay(&next);
}

EXPORT int execv(const char *path, char *const *arguments) {
    return execve(path, arguments, environ);
}

EXPORT int execvp(const char *file, char *const *arguments) {
    return execvpe(file, arguments, environ);
}

/* The arguments of execl(3) and its kin as an array, on the caller's stack. */
#define COLLECT_ARGUMENTS(array, first, list)                                          \
    char **array;                                                                      \
    va_list list;                                                                      \
    do {                                                                               \
        size_t count = 1;                                                              \
        va_start(list, first);                                                         \
        while (va_arg(list, char *))                                                   \
            count++;                                                                   \
        va_end(list);                                                                  \
        array = __builtin_alloca((count + 1) * sizeof *array);                         \
        array[0] = (char *)first;                                                      \
        va_start(list, first);                                                         \
        for (size_t i = 1; (array[i] = i <= count ? va_arg(list, char *) : NULL); i++) \
            continue;                                                                  \
    } while (0)

EXPORT int execl(const char *path, const char *first, ...) {
    COLLECT_ARGUMENTS(arguments, first, list);
    va_end(list);
    return execve(path, arguments, environ);
}

EXPORT int execlp(const char *file, const char *first, ...) {
    COLLECT_ARGUMENTS(arguments, first, list);
    va_end(list);
    return execvpe(file, arguments, environ);
}

EXPORT int execle(const char *path, const char *first, ...) {
    COLLECT_ARGUMENTS(arguments, first, list);
    char **environment = va_arg(list, char **);
    va_end(list);
    return execve(path, arguments, environment);
}

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *,
                           const posix_spawnattr_t *, char *const *, char *const *);

static int spawn(spawn_function *function, pid_t *pid, const char *file, const char *path,
                 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const *arguments, char *const *environment) {
    if (!descriptor_any || !path)
        return function(pid, file, actions, attributes, arguments, environment);
    int count = going_on();
    const char *reason = program_out_of_reach(path);
    if (reason) {
        if (count > 0)
            say_out_of_reach(path, reason, count);
        return function(pid, file, actions, attributes, arguments, environment);
    }
    struct told told;
    struct process *account = fork_account();
    tell(&told, environment, account);
    int result = function(pid, file, actions, attributes, arguments, told.environment);
    untell(&told, environment);
    if (result)
        fork_account_drop(account);
    return result;
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const *arguments,
                       char *const *environment) {
    return spawn(LIBC(posix_spawn), pid, path, path, actions, attributes, arguments, environment);
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const *arguments,
                        char *const *environment) {
    char room[PATH_MAX];
    return spawn(LIBC(posix_spawnp), pid, file, program_find(file, room), actions, attributes, arguments,
                 environment);
}

/* The shell finds its sockets by itself; until it has, an account of nobody's holds them. (In system(3) the
 * parent does.) */
EXPORT FILE *popen(const char *command, const char *mode) {
    struct process *account = descriptor_any ? fork_account() : NULL;
    FILE *stream = LIBC(popen)(command, mode);
    fork_account_expire(account);
    return stream;
}
