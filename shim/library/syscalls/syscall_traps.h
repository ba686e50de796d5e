/* SPDX-License-Identifier: MIT */
/*
 * syscall_traps.h - system-call instructions of the program's own that have trapped (user_dispatch.h): the
 * stub of each, and the replacement of those that trap again and again.
 */
#ifndef SHIM_LIBRARY_SYSCALLS_SYSCALL_TRAPS_H
#define SHIM_LIBRARY_SYSCALLS_SYSCALL_TRAPS_H

#include <stddef.h>
#include <stdint.h>

/* The stub of an instruction that has trapped: `behind` is the address behind it, `number` the system call.
 * For a signal handler that has blocked all signals. NULL: there is no room for more. */
const uint8_t *syscall_trap(uintptr_t behind, long number);

/* The instruction whose stub begins at an address; 0 if none does. Looks at all of them. */
uintptr_t syscall_trap_of_stub(uintptr_t stub);

/* Each thread's calls trap from the thread's beginning on, as in a guest (guest_thread.h) or in a Go program,
 * whose threads libc makes: no thread is asleep in an instruction of the program's. */
void syscall_traps_are_all(void);

/* The same of the text of a library in Go, which was loaded since every thread's calls trap. */
void syscall_traps_of_go(const void *start, size_t bytes);

/* Where a guest's text lies that its compiler has made: none of its jumps is hidden in data. Two at most. */
void syscall_traps_text(const void *start, size_t bytes);

/* In a child: the thread that was changing something is not there. */
void syscall_traps_forked(void);

#endif
