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
    bool guest;               /* by barewire-load: it has no loader, or not glibc's */
    /* A script's interpreter with its argument, as its first line has them, and that one's: "/bin/sh -e".
     * What they lead to is the program. */
    unsigned interpreters;
    char lines[PROGRAM_INTERPRETERS_MAX][PROGRAM_LINE_BYTES];
};

/* as_real_user: its effective user is made the real one first, as posix_spawn(3) can. */
void program_look(const char *path, bool as_real_user, struct program *program);

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
