/* SPDX-License-Identifier: MIT */
/*
 * syscall_concern.h - when a system call concerns the library.
 */
#ifndef SHIM_REGION_SYSCALL_CONCERN_H
#define SHIM_REGION_SYSCALL_CONCERN_H

#include <stdint.h>

#define SYSCALL_NUMBERS 512

/* When a system call is served. */
enum syscall_concern {
    NEVER,
    OF_FD,    /* its first argument is a descriptor of ours */
    OF_TWO,   /* its first, second or third is */
    ALWAYS,   /* it may be the first of a process that does, or changes what descriptors and epoll sets there
                 are */
    PROGRAMS, /* as ALWAYS, but not from libc's text: libc's function is taken over by its name */
    WITH_DISPATCH, /* once the program's own instructions lead to us (user_dispatch.h) */
};

/* By number: enum syscall_concern, of what syscall_list.h has. */
extern const uint8_t syscall_concerns[SYSCALL_NUMBERS] __attribute__((visibility("hidden")));

/* Of any number. */
static inline enum syscall_concern syscall_concern(long number) {
    return (unsigned long)number < SYSCALL_NUMBERS ? (enum syscall_concern)syscall_concerns[number] : NEVER;
}

#endif
