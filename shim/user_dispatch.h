/*
 * user_dispatch.h - system-call instructions of the program's own, led to us by the kernel.
 *
 * Go, Rust's rustix, Zig and others make system calls without libc. Syscall User Dispatch (Linux 5.11,
 * x86-64) raises SIGSYS for a system call from outside a range of addresses; the range is the libraries that
 * the process began with, libc and this one among them. The handler makes a stub of the instruction
 * (syscall_stub.h) and goes on there.
 */
#ifndef SHIM_USER_DISPATCH_H
#define SHIM_USER_DISPATCH_H

#include <stdbool.h>

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

#endif
