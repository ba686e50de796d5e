/* SPDX-License-Identifier: MIT */
/*
 * exec_users.h - a program that is executed while the process's real and effective users, or groups, differ.
 *
 * The kernel tells the loader of such a program to distrust the environment (AT_SECURE of getauxval(3)), and
 * the loader preloads nothing. squid's workers are executed so, and whatever a daemon executes after
 * seteuid(2). So the process is made one whose users agree for just that moment, and the library in the next
 * program makes them what they would have been, before anything of the program's own runs. That takes root's
 * rights, which such a process has as a rule: its real or its effective user is root, so that the next program may
 * become root, too, and is trusted with no more than it has. Files are found and opened with the
 * rights of its effective user all the while (setfsuid(2)), and what the loader would not have believed in
 * the environment is taken out as the loader would have.
 */
#ifndef SHIM_LIBRARY_PROCESS_EXEC_USERS_H
#define SHIM_LIBRARY_PROCESS_EXEC_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct users {
    uid_t user[3]; /* real, effective, saved */
    gid_t group[3];
    uid_t of_files[2];     /* the user and the group that files are opened as */
    unsigned effective[2]; /* capabilities */
};

#define USERS_TEXT_BYTES 64

/* Whether the calling thread's users or groups differ. */
bool users_are_split(void);

/* Makes the calling thread's users agree, and its groups. Gives `was`, or NULL: they did, or that can't be
 * done so that it can be undone in the next program. */
struct users *users_unite(struct users *was);

/* Undoes that, as far as there is anything to undo (not NULL): the program is not executed after all. Always
 * gives NULL; leaves errno alone. */
struct users *users_part(const struct users *was);

/* The variable by which the next program knows: NAME=VALUE. Returns its length. What a program has of that name in
 * its environment itself is never passed on. */
bool users_are_told(const char *variable);
size_t users_tell(const struct users *was, char text[USERS_TEXT_BYTES]);

/* Whether the loader takes a variable, NAME=VALUE, out of the environment that it distrusts. */
bool users_distrusts(const char *variable);

/* In the next program, when it begins. */
void users_begin(void);

#endif
