/* SPDX-License-Identifier: MIT */
/*
 * start.c - see start.h.
 *
 * The program must not notice: no child that its wait() could find, no SIGCHLD, no descriptor of its own kept
 * open, no place in its session or process group. So the keeper is the grandchild of a child that exists only
 * for the length of this call, and that sends no signal when it ends. Both are made like vfork's, sharing the
 * program's memory until exec, so that a large program pays nothing. Nor must who traces the program (strace
 * -f, gdb): the keeper is not the program's, outlives it, and would stand still at each of its system calls
 * while the tracer itself may be waiting for the stack.
 */
#include "shim/library/process/start.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/exec.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEEPER "barewire-keeper"
#define KEEPER_PLAIN "barewire-plain" /* the same without a capability */
#define ENVIRONMENT_MAX 33
#define DHCP_SOON_MS 2000 /* less is no wait */
#define STACK_BYTES (128 << 10)

extern char **environ;

struct plan {
    char path[PATH_MAX];
    char *environment[ENVIRONMENT_MAX + 1];
    int status_pipe; /* the keeper's end, which becomes its stderr */
    char *stack;
};

/* All of the program's but its first three. Before Linux 5.9 there is no call for that. */
static void close_others(void) {
    char entries[1024];
    long length;
    if (LIBC(close_range)(3, ~0u, 0) == 0)
        return;
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (folder >= 0 && (length = LIBC(syscall)(SYS_getdents64, folder, entries, sizeof entries)) > 0)
        for (long at = 0; at < length;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            int fd = atoi(entry->d_name);
            if (fd > 2 && fd != folder)
                LIBC(close)(fd);
            at += entry->d_reclen;
        }
    if (folder >= 0)
        LIBC(close)(folder);
}

static int run_keeper(void *context) {
    struct plan *plan = context;
    char *arguments[] = {plan->path, NULL};
    sigset_t none;
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int signal = 1; signal < NSIG; signal++)
        LIBC(sigaction)(signal, &action, NULL); /* of this child: signal handlers are not shared, memory is */
    LIBC(dup2)(plan->status_pipe, 2);
    close_others();
    LIBC(close)(0);
    LIBC(close)(1);
    open("/dev/null", O_RDWR);
    LIBC(dup2)(0, 1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (geteuid() == 0) { /* root's keeper, whoever the program's real user is */
        kernel_call(SYS_setresgid, getegid(), getegid(), getegid(), 0, 0, 0);
        kernel_call(SYS_setresuid, 0, 0, 0, 0, 0, 0);
    }
    LIBC(execve)(plan->path, arguments, plan->environment);
    /* A file's capability that may not be had here, as in a container without it, is EPERM (capabilities(7)). */
    char *slash = errno == EPERM ? strrchr(plan->path, '/') : NULL;
    if (slash) {
        memcpy(slash + 1, KEEPER_PLAIN, sizeof KEEPER_PLAIN); /* which is shorter */
        LIBC(execve)(plan->path, arguments, plan->environment);
    }
    static const char message[] = "can't run the keeper; is barewire-keeper beside libbarewire.so?";
    LIBC(write)(2, message, sizeof message - 1);
    LIBC(_exit)(127);
    return 127;
}

static int detach(void *context) {
    struct plan *plan = context;
    setsid();
    /* The lower half of the stack is the grandchild's: this process sleeps until that has run exec. */
    pid_t keeper =
        LIBC(clone)(run_keeper, plan->stack + STACK_BYTES / 2, CLONE_VM | CLONE_VFORK | CLONE_UNTRACED, plan);
    LIBC(_exit)(keeper < 0 ? 1 : 0);
    return 0;
}

/* The keeper lies beside this library. */
static bool find_keeper(char path[PATH_MAX]) {
    Dl_info info;
    char resolved[PATH_MAX];
    if (!dladdr((void *)start_keeper, &info) || !realpath(info.dli_fname, resolved))
        return false;
    char *slash = strrchr(resolved, '/');
    *slash = 0;
    /* The package has it for a group alone, since it may open raw interfaces; another for everybody else may
     * not. */
    static const char *const names[] = {KEEPER, KEEPER_PLAIN};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (snprintf(path, PATH_MAX, "%s/%s", resolved, names[i]) < PATH_MAX &&
            faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
            return true;
    return snprintf(path, PATH_MAX, "%s/%s", resolved, names[0]) < PATH_MAX;
}

/* Only our own variables: what the program's loader or libraries are told is not the keeper's business. As
 * they were when the program began: it may have cleaned its environment since. */
static void pick_environment(struct plan *plan) {
    int count = exec_remembered(plan->environment, ENVIRONMENT_MAX - 1);
    for (char **variable = environ; variable && *variable && count < ENVIRONMENT_MAX; variable++)
        if (strncmp(*variable, "ASAN_OPTIONS=", 13) == 0)
            plan->environment[count++] = *variable;
    plan->environment[count] = NULL;
}

/* An answer of a DHCP server's may take its time: who waits for it at a terminal is told. */
static void tell_of_wait(int status_pipe) {
    struct pollfd pipe = {.fd = status_pipe, .events = POLLIN};
    bool dhcp = attach_config.dhcp && strcmp(attach_config.nic, "passt") != 0;
    if (dhcp && (attach_config.verbose || isatty(2)) && LIBC(poll)(&pipe, 1, DHCP_SOON_MS) == 0)
        attach_say("asking on %s for an address, by DHCP; --address A.B.C.D/N needs no server",
                   attach_config.nic);
}

static void read_status(int status_pipe, char *error) {
    size_t length = 0;
    tell_of_wait(status_pipe);
    while (length < CONFIG_ERROR_BYTES - 1) {
        ssize_t got = LIBC(read)(status_pipe, error + length, CONFIG_ERROR_BYTES - 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    error[length] = 0;
    error[strcspn(error, "\n")] = 0;
}

int start_keeper(char *error) {
    static struct plan plan; /* the callers take turns: see attach */
    int ends[2];
    sigset_t all, before;
    if (!find_keeper(plan.path)) {
        snprintf(error, CONFIG_ERROR_BYTES, "can't find where the library lies");
        return -1;
    }
    pick_environment(&plan);
    plan.stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (plan.stack == MAP_FAILED || pipe2(ends, O_CLOEXEC) < 0) {
        snprintf(error, CONFIG_ERROR_BYTES, "can't start the keeper: %s", strerror(errno));
        return -1;
    }
    plan.status_pipe = ends[1];
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child =
        LIBC(clone)(detach, plan.stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_UNTRACED, &plan);
    if (child > 0)
        waitpid(child, NULL, __WCLONE);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    LIBC(close)(ends[1]);
    munmap(plan.stack, STACK_BYTES);
    read_status(ends[0], error);
    LIBC(close)(ends[0]);
    if (child < 0) {
        snprintf(error, CONFIG_ERROR_BYTES, "can't start the keeper: %s", strerror(errno));
        return -1;
    }
    if (strcmp(error, "ready") == 0)
        return 0;
    if (strcmp(error, "taken") == 0)
        return 1;
    if (!error[0])
        snprintf(error, CONFIG_ERROR_BYTES, "the keeper ended without a word");
    return -1;
}
