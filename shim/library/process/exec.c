/* SPDX-License-Identifier: MIT */
/*
 * exec.c - see exec.h; and after_exec.c, for what the next program does.
 *
 * Theory of operation. A program started by barewire stays on its stack, and so does whatever it starts. The
 * next program must be told of both: by LD_PRELOAD, and by the variables that this one was told itself. Many
 * programs clean the environment that they pass on (env -i, login programs, mail servers, nginx's binary
 * upgrade), so what is missing is put in again. What is there counts more: a variable of ours that says
 * something else, and an LD_PRELOAD that is empty, which is how one says "not this program". (One that is not
 * there at all has been cleaned away.) Sockets that go on bring both back in any case: without them they
 * would be lost.
 *
 * A program that has no dynamic linker, or not glibc's, is given to barewire-load, which has (guest_load.c):
 * it is executed in the program's place, with the program's arguments, and told by a variable which one it
 * is.
 *
 * A program that can't be taken over is said, or with --strict not started; the keeper takes the sockets off
 * the process's account when it is there.
 *
 * A spawned child's account is made before the child, as by fork, so that the parent may close its sockets at
 * once. A variable in its environment tells the child which. The same goes for a child of vfork, which
 * executes its program from here, but in its parent's memory.
 *
 * A program that is executed while the process's real and effective users differ: see exec_users.h.
 *
 * A program that begins in another network namespace than the stack's (ip netns exec, nsenter, unshare) is
 * told which that is, so that its sockets are the kernel's there, as they were in the program before it.
 */
#include "shim/library/process/exec.h"
#include "shim/library/calls/credentials.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/guest/guest_calls.h"
#include "shim/library/memory.h"
#include "shim/library/process/address_space.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/exec_users.h"
#include "shim/library/process/fork.h"
#include "shim/library/process/netns.h"
#include "shim/region/elf.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include "stack/base/random.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define REMEMBERED_MAX 32
#define STACK_ROOM 32768
#define PRELOAD "LD_PRELOAD="
#define RUNTIME "XDG_RUNTIME_DIR="
#define PROGRAM PROGRAM_GUEST_VARIABLE "="
#define LOADER "barewire-load"
#define DESCRIPTOR_LINK "/proc/self/fd/"

struct process_record exec_record;

static char *remembered[REMEMBERED_MAX]; /* NAME=VALUE */
static size_t remembered_count;
static char store[4096];
static size_t stored;
static char library[PATH_MAX];
static char loader[PATH_MAX]; /* barewire-load, beside it; empty: not there */
char exec_program[PATH_MAX];

static void remember(const char *variable) {
    size_t length = strlen(variable) + 1;
    if (remembered_count == REMEMBERED_MAX || length > sizeof store - stored)
        return;
    remembered[remembered_count++] = memcpy(store + stored, variable, length);
    stored += length;
}

static void find_loader(void) {
    const char *slash = strrchr(library, '/');
    int length = slash ? (int)(slash + 1 - library) : 0;
    if (!slash || snprintf(loader, sizeof loader, "%.*s" LOADER, length, library) >= (int)sizeof loader)
        loader[0] = 0;
}

void exec_begin(void) {
    Dl_info info;
    const char *record = getenv("BAREWIRE_ACCOUNT"), *program = getenv(PROGRAM_GUEST_VARIABLE);
    if (program) {
        snprintf(exec_program, sizeof exec_program, "%s", program);
        unsetenv(PROGRAM_GUEST_VARIABLE);
    }
    if (record) {
        char *made_ns;
        exec_record.process = (struct process *)strtoull(record, &made_ns, 16);
        exec_record.made_ns = *made_ns ? strtoull(made_ns + 1, NULL, 16) : 0;
        unsetenv("BAREWIRE_ACCOUNT");
    }
    const char *netns = getenv("BAREWIRE_NETNS");
    netns_begin(netns);
    if (netns && !*netns)
        unsetenv("BAREWIRE_NETNS");
    if (!dladdr((void *)exec_begin, &info) || !realpath(info.dli_fname, library))
        library[0] = 0;
    find_loader();
    users_begin();
    for (char **variable = environ; variable && *variable; variable++)
        if (strncmp(*variable, "BAREWIRE_", 9) == 0 || strncmp(*variable, RUNTIME, strlen(RUNTIME)) == 0)
            remember(*variable);
}

int exec_remembered(char **variables, int room) {
    int count = 0;
    for (size_t i = 0; i < remembered_count && count < room; i++)
        variables[count++] = remembered[i];
    return count;
}

/* An environment in which the next program finds its stack. */
struct told {
    char **environment;
    void *given_memory; /* in which it lies, if that is not the caller's stack */
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

static bool says_anything(char *const *environment) {
    for (; *environment; environment++)
        if (strncmp(*environment, "BAREWIRE_", 9) == 0)
            return true;
    return false;
}

#define RECORD_BYTES 60
#define NETNS "BAREWIRE_NETNS="

static size_t count_of(char *const *environment) {
    size_t count = 0;
    while (environment && environment[count])
        count++;
    return count;
}

/* What tell needs for an environment. */
static size_t told_bytes(char *const *given, const char *guest) {
    const char *preload = given ? find_variable(given, PRELOAD) : NULL;
    return (count_of(given) + remembered_count + 6) * sizeof(char *) + USERS_TEXT_BYTES +
           (preload ? strlen(preload) : sizeof PRELOAD) + strlen(library) + 2 + RECORD_BYTES + sizeof NETNS +
           NETNS_TEXT_BYTES + (guest ? sizeof PROGRAM + strlen(guest) : 0);
}

/* "Not this program": no matter what, unless sockets go on. */
static bool is_dismissed(char *const *given, bool needed) {
    const char *preload = given ? find_variable(given, PRELOAD) : NULL;
    return preload && !preload[strlen(PRELOAD)] && !needed;
}

/* Makes an environment in `room`. `guest`: a program for barewire-load, or NULL; `needed`: sockets go on;
 * `united`: the process's users, if the next program is to part them again, or NULL. */
static void write_environment(struct told *told, void *room, char *const *given, const char *guest,
                              struct process_record record, bool needed, const struct users *united) {
    static char *const nothing[] = {NULL};
    if (!given)
        given = nothing;
    char **environment = room, *text = (char *)(environment + count_of(given) + remembered_count + 6);
    const char *preload = united ? NULL : find_variable(given, PRELOAD);
    bool dismissed = is_dismissed(given, needed);
    bool complete = dismissed || !library[0] || (preload && names_library(preload));
    bool silent = !says_anything(given);
    size_t count = 0;
    for (; *given; given++)
        if ((complete || *given != preload) && !users_are_told(*given) &&
            !(united && users_distrusts(*given)))
            environment[count++] = *given;
    environment[count] = NULL;
    for (size_t i = 0; i < remembered_count && !dismissed; i++)
        if ((needed || (silent && strncmp(remembered[i], RUNTIME, strlen(RUNTIME)) != 0)) &&
            !find_variable(environment, remembered[i]))
            environment[count++] = remembered[i], environment[count] = NULL;
    if (!complete) {
        const char *others = preload ? preload + strlen(PRELOAD) : "";
        environment[count++] = text;
        text += sprintf(text, PRELOAD "%s%s%s", others, *others ? ":" : "", library) +
                1; /* as the command does */
    }
    if (!dismissed && netns_away() && !find_variable(environment, NETNS)) {
        environment[count++] = text;
        text = stpcpy(text, NETNS);
        netns_tell(text);
        text += strlen(text) + 1;
    }
    if (united) {
        environment[count++] = text;
        text += users_tell(united, text) + 1;
    }
    if (record.process) {
        environment[count++] = text;
        text += snprintf(text, RECORD_BYTES, "BAREWIRE_ACCOUNT=%lx,%llx", (unsigned long)record.process,
                         (unsigned long long)record.made_ns) +
                1;
    }
    if (guest) {
        environment[count++] = text;
        sprintf(text, PROGRAM "%s", guest);
    }
    environment[count] = NULL;
    told->environment = environment;
}

/* On the caller's stack, if it is not too much for that: memory taken in a child of vfork would stay its
 * parent's. */
#define TELL(told, given, guest, record, needed, united)                                            \
    do {                                                                                            \
        size_t bytes = told_bytes(given, guest);                                                    \
        (told)->given_memory = bytes > STACK_ROOM ? memory_take(bytes) : NULL;                      \
        void *room = bytes > STACK_ROOM ? (told)->given_memory : __builtin_alloca(bytes);           \
        if (room)                                                                                   \
            write_environment(told, room, given, guest, process_record_of(record), needed, united); \
        else                                                                                        \
            (told)->environment = (char **)(given);                                                 \
    } while (0)

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

/* Says each program once. */
static bool is_news(const char *path) {
    static const uint64_t key[2] = {0, 0};
    static _Atomic uint64_t said[32];
    static _Atomic unsigned next;
    uint64_t hash = siphash(key, path, strlen(path));
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (said[i] == hash)
            return false;
    said[next++ % (sizeof said / sizeof *said)] = hash;
    return true;
}

static bool is_strict(void) {
    return attach_config.strict;
}

static void say_out_of_reach(const char *path, const char *reason, int count) {
    if (is_strict())
        attach_say("%s %s and can't be taken over: --strict does not let it run", path, reason);
    else if (!is_news(path))
        return;
    else if (count > 0)
        attach_say("%s %s and can't be taken over: %d socket%s that it inherits %s of no use to it", path,
                   reason, count, count == 1 ? "" : "s", count == 1 ? "is" : "are");
    else
        attach_say("%s %s and can't be taken over: it uses the kernel's network", path, reason);
}

/* Not of a program that is not there. */
static void find_program(const char *path, char *const *environment, bool as_real_user,
                         struct program *program) {
    *program = (struct program){.out_of_reach = NULL};
    if (!path || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
        return;
    program_look(path, as_real_user, program);
    if (program->guest && environment && find_variable(environment, PROGRAM_VALGRIND "="))
        program->guest = false;
    if (!program->out_of_reach && library[0] && faccessat(AT_FDCWD, library, R_OK, AT_EACCESS) < 0)
        program->out_of_reach = "does not find libbarewire.so in its root";
    else if (program->guest && faccessat(AT_FDCWD, loader, X_OK, AT_EACCESS) < 0)
        program->out_of_reach = "does not find " LOADER;
}

/* The same where the process's users may differ: as a process whose users agree, if it can be that, since what is
 * executed will be. Gives `users`, by which they are told apart again, if they do differ and the program is one in
 * which this library will be for sure; else NULL. */
static struct users *find_program_of_users(const char *path, char *const *environment,
                                           struct program *program, struct users *users) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    struct users *united = users_unite(users);
    find_program(path, environment, false, program);
    users_part(united);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (united && !program->out_of_reach && !program->seen && path &&
        faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
        program->out_of_reach = "is run with the rights of two users";
    return program->seen && !program->out_of_reach ? united : NULL;
}

static void mark_leaving(bool leaving) {
    region_enter();
    wake_self->leaving = leaving;
    shared->unwatched |= leaving; /* the keeper looks at accounts */
    region_leave();
    wake_keeper();
}

/* One of libc's functions, with its arguments. */
struct call {
    enum { EXECVE, EXECVPE, FEXECVE, EXECVEAT } function;
    int fd;
    const char *path;
    char *const *arguments;
    int flags;
};

static void make(const struct call *call, char *const *environment) {
    switch (call->function) {
    case EXECVE:
        LIBC(execve)(call->path, call->arguments, environment);
        break;
    case EXECVPE:
        LIBC(execvpe)(call->path, call->arguments, environment);
        break;
    case FEXECVE:
        LIBC(fexecve)(call->fd, call->arguments, environment);
        break;
    case EXECVEAT:
        LIBC(execveat)(call->fd, call->path, call->arguments, environment, call->flags);
        break;
    }
}

/* The program of a guest when barewire-load begins: one that has no name but that of a descriptor which exec
 * closes is told by a copy. `copy`: that, or -1; `room` has PROGRAM_LINE_BYTES. */
static const char *keep_nameless(const char *guest, char *room, int *copy) {
    int fd = strncmp(guest, DESCRIPTOR_LINK, strlen(DESCRIPTOR_LINK)) == 0
                 ? atoi(guest + strlen(DESCRIPTOR_LINK))
                 : -1;
    int flags = fd >= 0 ? LIBC(fcntl)(fd, F_GETFD) : -1;
    *copy = flags >= 0 && flags & FD_CLOEXEC ? LIBC(fcntl)(fd, F_DUPFD, 3) : -1;
    if (*copy < 0)
        return guest;
    snprintf(room, PROGRAM_LINE_BYTES, PROGRAM_GUEST_DESCRIPTOR "%d", *copy);
    return room;
}

/* `found`: the program's file, if that is known. Returns if exec has failed, and this program stays. */
static int run(const struct call *call, const char *found, char *const *environment) {
    struct told told;
    bool borrowed = address_space_is_parents();
    int count = going_on();
    struct program program;
    struct users users, *split = find_program_of_users(found, environment, &program, &users);
    const char *reason = program.out_of_reach, *guest = NULL;
    bool marks = reason && count > 0 && !borrowed;
    if (reason)
        say_out_of_reach(found, reason, count);
    if (reason && is_strict()) {
        errno = EPERM;
        return -1;
    }
    struct process *record = borrowed && !reason ? fork_borrower_record() : NULL;
    bool needed = count > 0 || record;
    if (is_dismissed(environment, needed))
        split = NULL;
    struct call by_loader = {EXECVE, -1, loader, NULL, 0};
    char nameless[PROGRAM_LINE_BYTES];
    int copy = -1;
    if (program.guest && !reason && !is_dismissed(environment, needed)) {
        char **arguments =
            __builtin_alloca((count_of(call->arguments) + 2 * program.interpreters + 2) * sizeof *arguments);
        guest = program_guest_arguments(&program, found, call->arguments, arguments);
        guest = keep_nameless(guest, nameless, &copy);
        by_loader.arguments = arguments;
        call = &by_loader;
    }
    TELL(&told, environment, guest, record, needed, split);
    if (told.environment == environment)
        split = NULL; /* there was no memory to tell the next program in */
    if (marks)
        mark_leaving(true);
    if (borrowed && !reason)
        fork_borrower_executes(told.given_memory);
    else if (!borrowed && attached())
        shared_gate_close(); /* exec ends the other threads: not in the middle of a change */
    struct users *united = split ? users_unite(split) : NULL;
    make(call, told.environment);
    int error = errno;
    users_part(united);
    if (borrowed && !reason)
        fork_borrower_stays();
    else if (!borrowed)
        shared_gate_open();
    if (marks)
        mark_leaving(false);
    memory_give(told.given_memory);
    if (copy >= 0)
        LIBC(close)(copy);
    errno = error;
    return -1;
}

EXPORT int execve(const char *path, char *const *arguments, char *const *environment) {
    path = guest_executable(path);
    return run(&(struct call){EXECVE, -1, path, arguments, 0}, path, environment);
}

EXPORT int execvpe(const char *file, char *const *arguments, char *const *environment) {
    char room[PATH_MAX];
    return run(&(struct call){EXECVPE, -1, file, arguments, 0}, program_find(file, room), environment);
}

/* The path of a program that is named by a descriptor, or from one of a folder: the descriptor may not
 * outlive exec. A file without a name, as memfd_create(2) makes them, is told by its descriptor alone. NULL:
 * it is too long. */
static const char *path_at(int folder, const char *path, char room[PATH_MAX]) {
    char link[40];
    if (folder == AT_FDCWD || *path == '/')
        return path;
    snprintf(link, sizeof link, DESCRIPTOR_LINK "%d", folder);
    ssize_t length = readlink(link, room, PATH_MAX - 1);
    if (length < 0)
        return NULL;
    int rest = snprintf(room + length, (size_t)(PATH_MAX - length), "%s%s", *path ? "/" : "", path);
    if (!*path && access(room, F_OK) < 0)
        strcpy(room, link);
    return rest < PATH_MAX - length ? room : NULL;
}

EXPORT int fexecve(int fd, char *const *arguments, char *const *environment) {
    char room[PATH_MAX];
    return run(&(struct call){FEXECVE, fd, NULL, arguments, 0}, path_at(fd, "", room), environment);
}

EXPORT int execveat(int folder, const char *path, char *const *arguments, char *const *environment,
                    int flags) {
    char room[PATH_MAX];
    return run(&(struct call){EXECVEAT, folder, path, arguments, flags}, path_at(folder, path, room),
               environment);
}

/* The stack that libc gives a child of posix_spawn(3) has 32 KB. */
#define SPAWN_STACK_ROOM 8192

bool exec_by_libc(const long a[6], long *result) {
    char *const *given = (char *const *)a[2], *preload = given ? find_variable(given, PRELOAD) : NULL;
    struct users users;
    if (!library[0] || is_dismissed(given, false) ||
        (preload && names_library(preload) && !users_are_split()))
        return false;
    struct told told;
    size_t bytes = told_bytes(given, NULL);
    void *taken = bytes > SPAWN_STACK_ROOM ? memory_take(bytes) : NULL;
    void *room = bytes > SPAWN_STACK_ROOM ? taken : __builtin_alloca(bytes);
    if (!room)
        return false;
    struct program program;
    struct users *united = find_program_of_users((const char *)a[0], given, &program, &users);
    write_environment(&told, room, given, NULL, process_record_of(NULL), false, united);
    united = united && !program.guest ? users_unite(united) : NULL;
    *result = kernel_call(SYS_execve, a[0], a[1], (long)told.environment, 0, 0, 0);
    users_part(united);
    memory_give(taken);
    errno = (int)-*result;
    *result = -1;
    return true;
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

static bool resets_users(const posix_spawnattr_t *attributes) {
    short flags = 0;
    return attributes && posix_spawnattr_getflags(attributes, &flags) == 0 && flags & POSIX_SPAWN_RESETIDS;
}

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *,
                           const posix_spawnattr_t *, char *const *, char *const *);

static int spawn(spawn_function *function, pid_t *pid, const char *file, const char *path,
                 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const *arguments, char *const *environment) {
    int count = going_on();
    struct program program;
    bool resets = resets_users(attributes);
    if (resets)
        user_before_syscall(SYS_setuid, (const long[6]){getuid()});
    struct users users, *split = NULL;
    if (resets)
        find_program(path, environment, true, &program);
    else
        split = find_program_of_users(path, environment, &program, &users);
    const char *reason = program.out_of_reach, *guest = NULL;
    if (reason)
        say_out_of_reach(path, reason, count);
    if (is_dismissed(environment, count > 0))
        split = NULL;
    if (reason && is_strict())
        return EPERM;
    struct told told;
    bool records = descriptor_any && path && !reason && !address_space_is_parents();
    struct process *record = records ? fork_record() : NULL;
    if (program.guest && !reason && !is_dismissed(environment, count > 0)) {
        char **room = __builtin_alloca((count_of(arguments) + 2 * program.interpreters + 2) * sizeof *room);
        guest = program_guest_arguments(&program, path, arguments, room);
        arguments = room;
        file = loader;
    }
    TELL(&told, environment, guest, record, count > 0, split);
    struct users *united = split && told.environment != environment ? users_unite(split) : NULL;
    int result = function(pid, file, actions, attributes, arguments, told.environment);
    users_part(united);
    memory_give(told.given_memory);
    if (records && result)
        fork_record_drop();
    else if (records)
        fork_record_given();
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
    if (!descriptor_any || address_space_is_parents())
        return LIBC(popen)(command, mode);
    fork_record();
    FILE *stream = LIBC(popen)(command, mode);
    int error = errno;
    fork_record_expire();
    errno = error;
    return stream;
}
