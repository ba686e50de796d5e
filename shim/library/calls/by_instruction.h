/*
 * calls_program.h - system calls that a program makes by an instruction of its own, and that libc's functions
 * make in another way than by that call alone.
 */
#ifndef SHIM_CALLS_PROGRAM_H
#define SHIM_CALLS_PROGRAM_H

#include <stdbool.h>

/* As syscall_take (calls_syscall.h): children, other programs, the end, signals. */
bool syscall_take_program(long number, const long arguments[6], long *result);

#endif
