/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - a program's own sandbox must let the stack's system calls pass.
 */
#ifndef SHIM_LIBRARY_PROCESS_SANDBOX_H
#define SHIM_LIBRARY_PROCESS_SANDBOX_H

#include <stdbool.h>

struct sock_fprog;

/* A filter with our system calls allowed before it, to be freed with memory_give; NULL when there can be
 * none. */
struct sock_fprog *sandbox_widen(const struct sock_fprog *program);

/* Before a filter is installed: joins the stack if the filter lets the program make sockets. */
void sandbox_before(const struct sock_fprog *program);

/* Whether the program has a filter of its own, as far as we know. */
bool sandboxed(void);

/* A limit to the process's address space leaves no room for the stack's memory, which is none of the
 * program's: the limit is raised by so much, once. Returns whether it was; a program is told the limit that
 * it knows. */
bool sandbox_make_room(void);

/* For prctl(2) and seccomp(2): if the mode is SECCOMP_MODE_STRICT, and the library has to make calls in it, goes into it and
 * gives the call's result. False: it is the kernel's business. */
bool sandbox_strictly(long mode, int *result);

#endif
