/* SPDX-License-Identifier: MIT */
/*
 * guest_thread.h - threads whose thread-local storage is not libc's.
 *
 * A static program, or Go's runtime without cgo, has thread-local storage of its own, in the same register as
 * libc's: the base of segment FS. Such a program is a guest here. While a guest's code runs FS is the
 * guest's, while a function of this library runs FS is libc's; it is changed at the few places where one
 * calls the other (syscall_entry.c, user_dispatch.c, signals.c). Segment GS, which neither uses, leads to
 * what we know of the thread.
 *
 * Every thread is one of libc's. Where the guest makes one by clone(2), libc makes it, and then it takes the
 * stack, the registers and the FS that the guest asked for (guest_thread_make).
 */
#ifndef SHIM_LIBRARY_GUEST_GUEST_THREAD_H
#define SHIM_LIBRARY_GUEST_GUEST_THREAD_H

#include "shim/library/syscalls/syscall_table.h"
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether any thread of this process has an FS of the guest's. Never goes back. */
extern bool guest_threads;

/* May be called with the guest's FS and vector registers live: no canary, which FS has, and no vectors. */
#define GUEST_SAFE __attribute__((target("general-regs-only"), no_stack_protector))

/* This thread, which has libc's FS, makes itself known. Costs a system call. */
void guest_thread_begin(void);

/* From now on FS may be the guest's in this process. */
void guest_threads_begin(void);

/* Code of the library's begins: FS is libc's afterwards. Returns whether it was the guest's. */
GUEST_SAFE bool guest_enter(void);

/* ... and ends. `was`: what guest_enter said. */
GUEST_SAFE void guest_leave(bool was);

/* Calls a signal handler of the program's, with the guest's FS in a thread that has one. */
void guest_call(void (*handler)(int, siginfo_t *, void *), int signal, siginfo_t *info, void *context);

/* What FS is to be when this thread's guest goes on; for a system call of the guest's that asks, or sets it.
 */
uintptr_t guest_fs(void);
void guest_fs_set(uintptr_t base);

/* Goes on in the guest behind a system call of its own, which returns 0, with another stack: in a child.
 * 0: with the same one. */
__attribute__((noreturn)) void guest_resume(const struct program_frame *frame, uintptr_t stack);

/* Begins a guest at an address, with a stack that has what the kernel tells a program. */
__attribute__((noreturn)) void guest_start(uintptr_t entry, uintptr_t stack);

/* clone(2) with CLONE_THREAD. Returns the thread's number or a negative errno. */
struct guest_clone {
    unsigned long flags;
    uintptr_t stack, fs;
    int *parent_tid, *child_tid;
};
long guest_thread_make(const struct program_frame *frame, const struct guest_clone *clone);

/* clone(2) with CLONE_VM alone, of a child that goes on beside its parent. A thread of its own lends it what the
 * library notes of a thread, and sleeps meanwhile. The child begins with `function`, on a stack of the library's, with
 * the caller's mask of signals; `flags` and `parent_tid` are the kernel's. Returns as guest_thread_make. */
struct guest_child {
    int (*function)(void *);
    void *context; /* the child has a copy */
    size_t context_bytes;
    int flags;
    void *parent_tid;
    uint64_t mask;  /* the caller's, written here before the context is copied */
    int *clear_tid; /* cleared at the child's end, and its sleepers woken, or NULL */
};
long guest_thread_lend(struct guest_child *child);

/* set_tid_address(2); and what the kernel does with the word when the thread ends. */
void guest_clear_tid_set(int *address);
void guest_clear_tid(void);

/* set_robust_list(2): a guest's list is the kernel's from then on, and libc's, in which the stack's lock alone is,
 * is not (lock.h). NULL: libc's again. Returns 0 or a negative errno. At a thread's end what the list holds is given
 * back as the kernel does it, since libc's end of the thread is still to come. A child of fork(2) has none. */
struct robust_list_head;
long guest_robust_list_set(struct robust_list_head *list);
struct robust_list_head *guest_robust_list(void);
void guest_robust_list_end(void);
void guest_robust_list_forked(void);

/* libc's, in a thread where it is not the kernel's; else NULL. */
struct robust_list_head *guest_robust_list_of_libc(void);

/* A child that runs in this memory while this thread waits (vfork(2)) has what is noted of the thread: it is
 * no thread of libc's, and the thread is as before when it goes on. */
struct guest_thread_state {
    uintptr_t fs;
    int *clear_tid;
    bool made;
};
struct guest_thread_state guest_thread_save(void);
void guest_thread_borrowed(void);
void guest_thread_restore(const struct guest_thread_state *state);

/* exit(2): a thread ends that guest_thread_make has made; returns in the others. The guest's stack may be
 * gone. The first is for a signal handler: the thread ends when that returns. */
GUEST_SAFE bool guest_thread_is_made(void);
void guest_thread_end_at_return(void *context);
void guest_thread_end(void);

#endif
