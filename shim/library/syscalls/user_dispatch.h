/* SPDX-License-Identifier: MIT */
/*
 * user_dispatch.h - system-call instructions of the program's own, led to us by the kernel.
 *
 * Go, Rust's rustix, Zig and others make system calls without libc. Syscall User Dispatch (Linux 5.11,
 * x86-64) raises SIGSYS for a system call from outside a range of addresses; the range is the libraries that
 * the process began with, libc and this one among them. The handler makes a stub of the instruction
 * (syscall_stub.h) and goes on there.
 */
#ifndef SHIM_LIBRARY_SYSCALLS_USER_DISPATCH_H
#define SHIM_LIBRARY_SYSCALLS_USER_DISPATCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a program's addresses end (x86-64 with page tables of four levels). */
#define ADDRESSES_END (1ul << 47)

/* For the constructor: turns it on if the executable has instructions that make system calls. */
void user_dispatch_begin(void);

/* Once the configuration is read: says so, where the kernel refuses what is wanted. With --strict the process
 * ends. */
void user_dispatch_tell(void);

/* At a process's first step on a stack: turns it on if an object that was loaded later has some. */
void user_dispatch_complete(void);

/* Whether it is on in this process. */
extern bool user_dispatch_on;

/* The kernel keeps it for each thread, and turns it off in a new one. */
void user_dispatch_thread(void);

/* A thread that may be new comes by: libc makes some that pthread_create(3) does not hear of. */
void user_dispatch_meet_thread(void);

/* For a call that has begun, with the program's vector registers live: the stack to go on with; NULL: the one
 * in use. And when it ends. */
void *syscall_stack_take(void);
void syscall_stack_give(void);

/* In a child made by a system call alone. */
void user_dispatch_forked(void);

/* In a child that goes on with a stack of a size unknown: what this thread was called for does not return. */
void user_dispatch_leaves_stack(void);

/* A child that runs in this memory while its parent's thread waits for it, as vfork(2) makes one. The stack on
 * which it may begin; NULL: the call in progress is on none of ours, or there is no other one. In the child:
 * turns it on. How many stacks this thread has taken: for the parent, which has as many afterwards. */
void *user_dispatch_next_stack(void);
void user_dispatch_borrowed(void);
unsigned user_dispatch_taken(void);
void user_dispatch_take_back(unsigned taken);

/* For a program that barewire-load is about to begin: its text lies below the libraries. False: the kernel does not let
 * us. */
bool user_dispatch_guest(void);

/* The lowest address from which system calls are the kernel's; 0: there is none. */
uintptr_t user_dispatch_end(void);

/* The signal stack of a thread that guest_thread_make has made, while its guest has none. False: another
 * thread. */
bool user_dispatch_signal_stack(stack_t *stack);

#endif
