/* SPDX-License-Identifier: MIT */
/*
 * syscall_table.h - which system calls concern the library when they come by an instruction, rather than by
 * the name of a libc function.
 *
 * A system-call instruction that leads to us (syscall_sites.h: libc's own; user_dispatch.h: the program's)
 * asks here first, and most often goes on to the kernel: the answer costs a few loads and no system call.
 */
#ifndef SHIM_LIBRARY_SYSCALLS_SYSCALL_TABLE_H
#define SHIM_LIBRARY_SYSCALLS_SYSCALL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* The registers of a system call, as syscall_entry.c saves them on the stack. */
struct syscall_frame {
    long number;
    const void *pass; /* the stub's own instruction; what it continues with lies two bytes after it */
    long r9, r8, r10, rdx, rsi, rdi;
    long rbp;
    const void *behind; /* the instruction replaced */
};

/* Of a program's own instruction: all registers, since a child may go on with them. */
struct program_frame {
    long entered; /* whether FS was a guest's (guest_thread.h) */
    long r15, r14, r13, r12, rbx;
    struct syscall_frame call;
};

#define RED_ZONE_BYTES 128

/* The program's stack pointer. */
static inline uintptr_t program_frame_stack(const struct program_frame *frame) {
    return (uintptr_t)(frame + 1) + RED_ZONE_BYTES;
}

struct syscall_answer {
    long result; /* a negative errno */
    bool pass;   /* to the kernel, by the stub's own instruction */
};

enum syscall_origin { FROM_LIBC, FROM_PROGRAM };

/* Whether a number may ever concern us, from libc's text: whether its site is worth a stub. */
bool syscall_table_has(long number);

/* Whether this call does. Called with the program's vector registers live. */
bool syscall_concerns_libc(const struct syscall_frame *frame);

/* The same for the program's; if so FS is libc's until syscall_program_leave. */
bool syscall_concerns_program(struct program_frame *frame);
void syscall_program_leave(const struct program_frame *frame);

/* A signal's handler: when it returns, the call of a guest's that the thread is in is EINTR, if it is one that may
 * wait; nothing if there is none. `context`: the handler's. */
void syscall_give_up(void *context);

/* Serves a call that does. */
struct syscall_answer syscall_serve_libc(const struct syscall_frame *frame);
struct syscall_answer syscall_serve_program(struct program_frame *frame);

#endif
