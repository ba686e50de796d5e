/*
 * fork.h - what fork(2) does with our sockets.
 */
#ifndef SHIM_FORK_H
#define SHIM_FORK_H

/* From the first socket on, forks are prepared for. */
void fork_start(void);

/* clone(2), fork(2) or vfork(2) by syscall(2), without sharing of memory. Returns what that does, in the
 * child, too. */
long fork_by_syscall(long number, const long arguments[6]);

/* An account for a child that is about to be spawned; NULL when it needs none. It is nobody's until the child
 * takes it over (resume.h). The lock is not held in any of these. */
struct process *fork_account(void);

/* There is no such child. */
void fork_account_drop(struct process *account);

/* Nobody will take it over: it lasts until the child has begun with one of its own. */
void fork_account_expire(struct process *account);

#endif
