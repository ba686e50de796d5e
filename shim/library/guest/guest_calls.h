/* SPDX-License-Identifier: MIT */
/*
 * guest_calls.h - system calls of a program's own instructions that can't be the kernel's as they are: those
 * that make threads and children, end a thread, or concern what a C library has one of in a process: FS, the
 * signal stack, the program break.
 */
#ifndef SHIM_LIBRARY_GUEST_GUEST_CALLS_H
#define SHIM_LIBRARY_GUEST_GUEST_CALLS_H

#include "shim/library/syscalls/syscall_table.h"
#include <stddef.h>

/* Serves a call: false if it is none of those. `result`: what it returns, a negative errno for an error. May
 * not return, in a child or at a thread's end. */
bool guest_take(struct program_frame *frame, long *result);

/* The program's data segment ends here, with so much memory reserved behind it that is not accessible yet. */
void guest_break_begin(uintptr_t end, size_t room);

/* The program that barewire-load has loaded into this process: its file, or an empty string. */
extern char guest_program[];

/* What a path means that leads to the running program's file, /proc/self/exe: guest_program; else the path.
 */
const char *guest_executable(const char *path);

#endif
