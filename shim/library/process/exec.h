/* SPDX-License-Identifier: MIT */
/*
 * exec.h - sockets of ours go on in the next program.
 */
#ifndef SHIM_LIBRARY_PROCESS_EXEC_H
#define SHIM_LIBRARY_PROCESS_EXEC_H

#include <stdbool.h>

/* Remembers how this program was told of its stack: it may clean its environment, or its children's.
 * Takes out what was for this program alone. Called when the program begins. */
void exec_begin(void);

/* How this program was told of its stack, as NAME=VALUE, whatever has become of its environment since.
 * Returns how many. */
int exec_remembered(char **variables, int room);

/* The program that this process has been started for, if it is barewire-load; else an empty string. */
extern char exec_program[];

/* execve(2) where libc itself makes it, for system(3), popen(3) and wordexp(3), whose environment the program
 * may have cleaned. As syscall_take (calls/syscall.h): false, where nothing is missing in it. */
bool exec_by_libc(const long arguments[6], long *result);

/* The account that posix_spawn(3) made for this process, or NULL. */
extern struct process_record exec_record;

#endif
