/* SPDX-License-Identifier: MIT */
/*
 * syscall_entry.h - where a stub goes (syscall_stub.h).
 *
 * A stub is what a system-call instruction has been replaced by. It comes here with the registers of the
 * system call as they are, number in rax, and in the two that a system call may change rcx = the address in
 * the code replaced that unwinders are to see, and r11 = the stub's own system-call instruction. All other
 * registers, and the 128 bytes below the stack pointer, are kept.
 */
#ifndef SHIM_LIBRARY_SYSCALLS_SYSCALL_ENTRY_H
#define SHIM_LIBRARY_SYSCALLS_SYSCALL_ENTRY_H

void syscall_entry_libc(void);
void syscall_entry_program(void);

/* Asks the processor how large its vectors are; before anything leads to syscall_entry_program. A program that makes
 * all of its calls by libc's names does not wait for the answers: each takes 6 us in a virtual machine. */
void syscall_entry_program_begin(void);

#endif
