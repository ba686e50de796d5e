/* SPDX-License-Identifier: MIT */
/*
 * syscall_patch.h - an instruction of the program's that makes many system calls becomes a jump, so that they
 * come without a signal.
 *
 * The instruction has two bytes, a jump five: it also takes the place of the comparison of the result behind
 * it (as in syscall_sites.h), which the stub makes instead. The stub is too far from the program's text for
 * such a jump, so it goes by a page near that.
 */
#ifndef SHIM_LIBRARY_SYSCALLS_SYSCALL_PATCH_H
#define SHIM_LIBRARY_SYSCALLS_SYSCALL_PATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Replaces an instruction, whose stub goes on behind the comparison, while other threads may execute it. No
 * thread may be asleep in it: each of its calls has been made by the stub. All signals are blocked. Returns
 * whether it did. */
bool syscall_patch(uint8_t *instruction, const uint8_t *stub);

/* The same where the memory is writable already, and a jump over `distance` bytes from its end reaches: five bytes are
 * written. False: nothing is. */
bool syscall_patch_writable(uint8_t *at, int32_t distance);

/* Whether syscall_patch has made a jump to a stub of an instruction. For who calls that, with its lock. Reads five
 * bytes. */
bool syscall_patch_leads(const uint8_t *instruction, const uint8_t *stub);

/* In a child: what another thread of the parent's was replacing, is replaced. */
void syscall_patch_forked(void);

#endif
