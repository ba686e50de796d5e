/*
 * syscall_table.h - which system calls concern the library when they come by an instruction, rather than by
 * the name of a libc function.
 *
 * A system-call instruction that leads to us (syscall_sites.h: libc's own; user_dispatch.h: the program's)
 * asks here first, and most often goes on to the kernel: the answer costs a few loads and no system call.
 */
#ifndef SHIM_SYSCALL_TABLE_H
#define SHIM_SYSCALL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* The registers of a system call, as syscall_entry.c saves them on the stack. */
struct syscall_frame {
    long number;
    const void *pass; /* the stub's own instruction; what it continues with lies two bytes after it */
    long r9, r8, r10, rdx, rsi, rdi;
};

struct syscall_answer {
    long result; /* a negative errno */
    bool pass;   /* to the kernel, by the stub's own instruction */
};

enum syscall_origin { FROM_LIBC, FROM_PROGRAM };

/* Whether a number may ever concern us, from libc's text: whether its site is worth a stub. */
bool syscall_table_has(long number);

/* Whether this call does. Called with the program's vector registers live. */
bool syscall_concerns_libc(const struct syscall_frame *frame);
bool syscall_concerns_program(const struct syscall_frame *frame);

/* Serves a call that does. */
struct syscall_answer syscall_serve_libc(const struct syscall_frame *frame);
struct syscall_answer syscall_serve_program(const struct syscall_frame *frame);

#endif
