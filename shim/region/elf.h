/* SPDX-License-Identifier: MIT */
/*
 * elf.h - whether a program can be taken over.
 */
#ifndef SHIM_REGION_ELF_H
#define SHIM_REGION_ELF_H

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM_INTERPRETERS_MAX 4 /* the kernel's limit, too */
#define PROGRAM_LINE_BYTES 256

/* What can be said of a file that is to be executed. */
struct program {
    const char *out_of_reach; /* why it can't be taken over; NULL: it can, or that can't be told */
    bool seen;                /* it was read, and is one that can be */
    bool guest;               /* by barewire-load: it has no loader, or not glibc's */
    /* A script's interpreter with its argument, as its first line has them, and that one's: "/bin/sh -e".
     * What they lead to is the program. */
    unsigned interpreters;
    char lines[PROGRAM_INTERPRETERS_MAX][PROGRAM_LINE_BYTES];
};

/* as_real_user: its effective user is made the real one first, as posix_spawn(3) can. */
void program_look(const char *path, bool as_real_user, struct program *program);

/* A guest is executed as barewire-load, with this variable in its environment. */
#define PROGRAM_GUEST_VARIABLE "BAREWIRE_PROGRAM"

/* ... which names a file that has no name itself so, when barewire-load is to close the descriptor: written as
 * nobody else writes it. */
#define PROGRAM_GUEST_DESCRIPTOR "//proc/self/fd/"

/* Where this variable is, a static program is one of Valgrind's tools, which load what is preloaded into the program
 * that they run in themselves: no guest. */
#define PROGRAM_VALGRIND "VALGRIND_LAUNCHER"

/* The arguments of barewire-load: the program's, for a script behind those of its interpreters, which
 * program_look has found, and which are split. `room`: for as many as there are, 2 for each interpreter, and the
 * NULL. Returns what the variable says: the program's file. */
const char *program_guest_arguments(struct program *program, const char *path, char *const *given,
                                    char **room);

/* Splits an interpreter's line: ends its name with 0, and gives the argument, or NULL. */
char *program_split_line(char *line);

/* Whether this kernel has Syscall User Dispatch, and lets us use it. */
bool program_calls_can_be_taken(void);

/* The ELF file that the kernel runs for a program: itself, or its interpreter; of a script that env(1) finds
 * an interpreter for, that; /bin/sh for what is neither. `room` has PATH_MAX bytes. */
const char *program_image(const char *path, char *room);

/* Finds a program's file as execvp(3) does. Returns `name` or `room`, which has PATH_MAX bytes, or NULL. */
const char *program_find(const char *name, char *room);

#endif
