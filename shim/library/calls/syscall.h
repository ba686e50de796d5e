/* SPDX-License-Identifier: MIT */
/*
 * syscall.h - system calls by their number.
 */
#ifndef SHIM_LIBRARY_CALLS_SYSCALL_H
#define SHIM_LIBRARY_CALLS_SYSCALL_H

#include <stdbool.h>

/* Does what a system call asks for, where it concerns us, and says so: *result is the call's, or -1 with
 * errno set. False: it is the kernel's. */
bool syscall_take(long number, const long arguments[6], long *result);

#endif
