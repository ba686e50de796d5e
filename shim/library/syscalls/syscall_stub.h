/* SPDX-License-Identifier: MIT */
/*
 * syscall_stub.h - code that takes the place of a system-call instruction.
 *
 * A stub loads what the code that it replaces had loaded, notes where it is, and goes to syscall_entry.c. It
 * has a system-call instruction of its own, for calls that are the kernel's, and goes on behind the one
 * replaced. Stubs lie in this library: one place for all, known to be ours, and near the C library.
 */
#ifndef SHIM_LIBRARY_SYSCALLS_SYSCALL_STUB_H
#define SHIM_LIBRARY_SYSCALLS_SYSCALL_STUB_H

#include "shim/region/syscall_site.h"
#include <stdbool.h>
#include <stdint.h>

/* Makes a stub. `entry` is one of syscall_entry.h's. NULL when there is no room, or the stubs can't be
 * written. Between syscall_stubs_open and syscall_stubs_close only: one thread at a time, with all signals
 * blocked. */
const uint8_t *syscall_stub_make(const struct syscall_site *site, void (*entry)(void));
bool syscall_stubs_open(void);
void syscall_stubs_close(void);

#define SYSCALL_STUBS_BYTES (256 << 10)

/* Whether a stub that replaces nothing before its instruction does just the `bytes` bytes that follow it, at `behind`,
 * and goes on behind those. */
bool syscall_stub_does(const uint8_t *stub, const uint8_t *behind, unsigned bytes);

/* Where stubs lie: whole pages, of which syscall_stubs_open and syscall_stubs_close change the protection. */
extern uint8_t syscall_stubs_room[] __attribute__((visibility("hidden")));

/* In a child: nobody is between the two. */
void syscall_stubs_forked(void);

#endif
