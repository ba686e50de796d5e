/* SPDX-License-Identifier: MIT */
/*
 * by_instruction.h - system calls that a program makes by an instruction of its own, and that libc's
 * functions make in another way than by that call alone.
 */
#ifndef SHIM_LIBRARY_CALLS_BY_INSTRUCTION_H
#define SHIM_LIBRARY_CALLS_BY_INSTRUCTION_H

#include <stdbool.h>

/* As syscall_take (syscall.h): children, other programs, the end, signals. */
bool syscall_take_program(long number, const long arguments[6], long *result);

#endif
