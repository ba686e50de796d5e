/* SPDX-License-Identifier: MIT */
/*
 * syscall_sites.h - the C library's own system-call instructions, led to us.
 *
 * libc's functions are taken over by their names, which serves a program that calls them by name. It does not
 * serve what looks them up in libc itself (RTLD_DEEPBIND, dlsym(3) on libc's handle: plug-ins, ctypes, JNA),
 * nor libc where it calls itself (stdio, its resolver, daemon(3), posix_spawn(3)'s file actions ...). All of
 * these end in one of some ninety instructions that make a system call which concerns us. In this process's
 * copy of libc each becomes a jump to a stub (syscall_stub.h).
 */
#ifndef SHIM_LIBRARY_SYSCALLS_SYSCALL_SITES_H
#define SHIM_LIBRARY_SYSCALLS_SYSCALL_SITES_H

#include <link.h>
#include <stdbool.h>

/* Leads the instructions of libc's input and output here. For the constructor: no other thread may be in
 * them. */
void syscall_sites_begin(void);

/* Leads the rest of libc's, of which a program without sockets has no need, and those of the libraries that
 * the process began with: at a process's first step on a stack. */
void syscall_sites_complete(void);

/* Leads those of another library in place, unless it is libc, the loader or a sanitizer's. `unused`: no thread can be in
 * its text. */
void syscall_sites_take(const struct dl_phdr_info *library, bool unused);

/* Leads those of another copy of libc, as dlmopen(3) makes one: beside `object`, in its name space. */
void syscall_sites_take_beside(const struct link_map *object);

/* How many were found and led here; 0 when that is not allowed. */
unsigned syscall_sites_taken(void);

#endif
