/* SPDX-License-Identifier: MIT */
/*
 * exec_users.c - see exec_users.h.
 *
 * All is done by system calls of this thread's: libc's setresuid(3) would change all threads, and those that
 * go on may not become root. In a child of vfork, too, they concern the child alone.
 *
 * What the kernel makes of users and capabilities when it executes a program is the same for a process that
 * is root through and through and becomes split afterwards as for one that was split before: with root as its
 * real user it is permitted all that root is and none of it is effective, with root as its effective user all
 * is, and with neither none is permitted. Not so when the process has told the kernel that root is nobody
 * special (securebits), or to give nothing new (no_new_privs): such a process is left as it is.
 */
#include "shim/library/process/exec_users.h"
#include "shim/region/kernel_calls.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define VARIABLE "BAREWIRE_USERS="
#define CALL(...) CALL_FILLED(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_FILLED(number, a, b, c, d, e, ...) kernel_call(number, (long)(a), (long)(b), (long)(c), d, e, 0)

static void look(struct users *now) {
    CALL(SYS_getresuid, &now->user[0], &now->user[1], &now->user[2]);
    CALL(SYS_getresgid, &now->group[0], &now->group[1], &now->group[2]);
    now->of_files[0] = (uid_t)CALL(SYS_setfsuid, -1); /* which gives the one there is */
    now->of_files[1] = (uid_t)CALL(SYS_setfsgid, -1);
}

static bool is_split(const struct users *now) {
    return now->user[0] != now->user[1] || now->group[0] != now->group[1];
}

bool users_are_split(void) {
    struct users now;
    look(&now);
    return is_split(&now);
}

static bool capabilities(long call, unsigned effective[2], bool set) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (CALL(SYS_capget, &header, data) < 0)
        return false;
    for (int i = 0; i < 2; i++)
        if (set)
            data[i].effective = effective[i] & data[i].permitted;
        else
            effective[i] = data[i].effective;
    return !set || CALL(call, &header, data) == 0;
}

/* Whether the next program may become root anyway. One of whose users only the saved one is root may not: the
 * kernel saves its effective user in place of that. */
static bool stays_root(const struct users *now) {
    return now->user[0] == 0 || now->user[1] == 0;
}

/* Whether root will be able to become whoever it likes in the next program. */
static bool root_is_root(void) {
    return CALL(SYS_prctl, PR_GET_NO_NEW_PRIVS) == 0 && CALL(SYS_prctl, PR_GET_SECUREBITS) == 0 &&
           CALL(SYS_prctl, PR_CAPBSET_READ, CAP_SETUID) == 1 &&
           CALL(SYS_prctl, PR_CAPBSET_READ, CAP_SETGID) == 1;
}

/* A program that is not to be whoever it was told to be is not to be root either. */
static _Noreturn void give_up(void) {
    static const char line[] = "barewire: the program can't be given its users back: it is ended\n";
    CALL(SYS_write, 2, line, sizeof line - 1);
    for (;;)
        CALL(SYS_exit_group, 2);
}

static void put_back(const struct users *was) {
    if (CALL(SYS_setresgid, was->group[0], was->group[1], was->group[2]) < 0 ||
        CALL(SYS_setresuid, was->user[0], was->user[1], was->user[2]) < 0)
        give_up();
    CALL(SYS_setfsgid, was->of_files[1]);
    CALL(SYS_setfsuid, was->of_files[0]);
    capabilities(SYS_capset, (unsigned *)was->effective, true);
}

struct users *users_unite(struct users *was) {
    look(was);
    if (!is_split(was) || !stays_root(was) || !root_is_root() ||
        !capabilities(SYS_capget, was->effective, false))
        return NULL;
    gid_t group = was->group[1];
    if (CALL(SYS_setresuid, 0, 0, 0) < 0)
        return NULL;
    if (CALL(SYS_setresgid, group, group, group) < 0) {
        put_back(was);
        return NULL;
    }
    CALL(SYS_setfsgid, was->of_files[1]);
    CALL(SYS_setfsuid, was->of_files[0]);
    return was;
}

struct users *users_part(const struct users *was) {
    if (was)
        put_back(was);
    return NULL;
}

bool users_are_told(const char *variable) {
    return strncmp(variable, VARIABLE, sizeof VARIABLE - 1) == 0;
}

size_t users_tell(const struct users *was, char text[USERS_TEXT_BYTES]) {
    return (size_t)snprintf(text, USERS_TEXT_BYTES, VARIABLE "%x,%x,%x,%x", was->user[0], was->user[1],
                            was->group[0], was->group[1]);
}

/* ld.so(8), "secure-execution mode", and what libc takes out beside. */
bool users_distrusts(const char *variable) {
    static const char *const names[] = {
        "LD_",          "GCONV_PATH=", "GETCONF_DIR=", "GLIBC_TUNABLES=",   "HOSTALIASES=",
        "LOCALDOMAIN=", "LOCPATH=",    "MALLOC_",      "NIS_PATH=",         "NLSPATH=",
        "RES_OPTIONS=", "TMPDIR=",     "TZDIR=",       "RESOLV_HOST_CONF=",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

void users_begin(void) {
    const char *told = getenv("BAREWIRE_USERS");
    unsigned user, effective, group, effective_group;
    if (!told)
        return;
    if (sscanf(told, "%x,%x,%x,%x", &user, &effective, &group, &effective_group) != 4 ||
        CALL(SYS_setresgid, group, effective_group, effective_group) < 0 ||
        CALL(SYS_setresuid, user, effective, effective) < 0)
        give_up();
    CALL(SYS_prctl, PR_SET_DUMPABLE, 0);
    unsetenv("BAREWIRE_USERS");
}
