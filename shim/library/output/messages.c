/* SPDX-License-Identifier: MIT */
/*
 * messages.c - see messages.h.
 */
#include "shim/library/output/messages.h"
#include "shim/library/process/sandbox.h"
#include "shim/region/libc.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

static struct stat first;
static bool there;

void messages_begin(void) {
    there = LIBC(syscall)(SYS_fstat, STDERR_FILENO, &first) == 0;
}

bool messages_heard(void) {
    struct stat now;
    return there && LIBC(syscall)(SYS_fstat, STDERR_FILENO, &now) == 0 && now.st_dev == first.st_dev &&
           now.st_ino == first.st_ino;
}

/* Takes back the signal that a write has raised for this thread, unless one waits since before. */
static void take_back(const sigset_t *pipe_only, bool waited) {
    const struct timespec no_time = {0, 0};
    if (!waited && !sandboxed())
        sigtimedwait(pipe_only, NULL, &no_time);
}

void messages_write(const void *text, size_t length) {
    sigset_t pipe_only, before, waiting;
    int saved = errno;
    if (messages_heard()) {
        sigemptyset(&waiting);
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
        if (!sandboxed())
            sigpending(&waiting);
        if (LIBC(write)(STDERR_FILENO, text, length) < 0 && errno == EPIPE)
            take_back(&pipe_only, sigismember(&waiting, SIGPIPE));
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    errno = saved;
}
