/* SPDX-License-Identifier: MIT */
/*
 * pidfd.c - see pidfd.h.
 */
#include "shim/keeper/pidfd.h"
#include "shim/region/lock_assert.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool no_pidfds; /* this kernel has none */

/* Whether a process is not even a zombie. One whose state can't be read is another user's, and lives. */
static bool has_ended(int pid) {
    char path[40], line[80];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *stat = fopen(path, "re");
    bool told = stat && fgets(line, sizeof line, stat);
    if (stat)
        fclose(stat);
    const char *name_end = told ? strrchr(line, ')') : NULL; /* proc(5): the state stands behind the name */
    if (name_end && name_end[1])
        return name_end[2] == 'Z' || name_end[2] == 'X';
    return kill(pid, 0) < 0 && errno == ESRCH;
}

int keeper_pidfd(int pid) {
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd >= 0)
        return pidfd;
    if (errno != ENOSYS)
        return -errno;
    no_pidfds = true;
    return has_ended(pid) ? -ESRCH : -ENOSYS;
}

bool keeper_lives(const struct process *process) {
    LOCK_EXCEPTION;
    struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};
    if (process->pidfd >= 0)
        return poll(&ended, 1, 0) == 0;
    return no_pidfds && process->pid > 0 && !has_ended(process->pid);
}
