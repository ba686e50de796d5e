/* SPDX-License-Identifier: MIT */
/*
 * fork.h - what fork(2) does with our sockets.
 */
#ifndef SHIM_LIBRARY_PROCESS_FORK_H
#define SHIM_LIBRARY_PROCESS_FORK_H

/* The library begins in this process: what it notes is put right in children. */
void fork_begin(void);

/* clone(2), fork(2) or vfork(2) by syscall(2), without sharing of memory. Returns what that does, in the
 * child, too. */
long fork_by_syscall(long number, const long arguments[6]);

/* An account for a child that is about to be spawned; NULL when it needs none. What this process opens until
 * one of the three that follow is called is the child's, too. The lock is not held in any of these. */
struct process *fork_record(void);

/* The child was made: it takes the account over when it comes to the stack (after_exec.h). */
void fork_record_given(void);

/* There is no such child. */
void fork_record_drop(void);

/* Nobody will take it over: it lasts until the child has begun with one of its own. */
void fork_record_expire(void);

/* A child that runs in its parent's memory: the account that its next program is to take over (NULL: it has
 * none). It is about to run that, and has taken this memory, which its parent gives back then; or exec has
 * failed.
 */
struct process *fork_borrower_record(void);
void fork_borrower_executes(void *memory);
void fork_borrower_stays(void);

/* clone(2) of a child that runs in this memory beside its parent's threads. The calling thread has nothing else to
 * do until the child has ended or executes another program, when this returns; its thread-local storage is the
 * child's until then. `made` is set before, and its sleepers woken: the child's number, or a negative errno. */
void fork_beside(int (*function)(void *), void *stack, int flags, void *argument, void *parent_tid,
                 _Atomic int *made);

/* Of the children that are being made now, each has a share in what this process opens, as long as it stays
 * open. Calls visit for the account of each, with the count of what is the child's for that reason: its last
 * holdings. The lock is held. */
void fork_each_child(void (*visit)(struct process *child, unsigned *opened, void *context), void *context);

#endif
