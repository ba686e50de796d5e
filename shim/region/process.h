/* SPDX-License-Identifier: MIT */
/*
 * process.h - this process's account in the stack: what it holds, and what becomes of that when it forks or
 * ends.
 */
#ifndef SHIM_REGION_PROCESS_H
#define SHIM_REGION_PROCESS_H

#include "shim/region/region.h"

/* How long fork(2) may take until the child has told its number; and when its parent may have died on the
 * way. */
#define FORK_DEADLINE_NS UINT64_C(10000000000)
#define FORK_SOON_NS UINT64_C(500000000)

/* Makes an fd table of one process. The lock is held. NULL when memory is out. */
struct file_table *file_table_create(void);

/* A process gives up its fd table, or one that was to be a process's (NULL: nothing); the last one all that
 * is in it. The lock is held. */
void file_table_leave(struct process *process);
void file_table_drop(struct file_table *file_table);

/* Adds an empty holding to an file_table. The lock is held. NULL when memory is out. */
struct file_ref *file_ref_create(struct file_table *file_table, enum file_ref_kind kind);

/* Gives up a holding; the last one of a socket ends the socket. The lock is held. */
void file_ref_release(struct file_ref *file_ref);

/* Lets a socket go that one holder less has: the last one ends it, and whoever watches it is told. The lock
 * is held. */
void socket_drop(struct socket *socket);

/* Makes a process's account, without an file_table. The lock is held. NULL when memory is out. */
struct process *process_create(int pid);

struct process_record process_record_of(struct process *process);

/* The account, or NULL when it is no more. The lock is held. */
struct process *process_record_find(struct process_record record);

/* Settles the account of a process that has ended: its sockets are closed, its waiters are gone. The lock is
 * held. */
void process_reap(struct process *process);

/* Puts a waiter, which is in no list, into those of its process, waiting for nothing; a epoll eventfd among
 * the epoll eventfds. The lock is held. */
void waiter_enter(struct waiter *waiter);

/* Takes a waiter off everything that it waits for. The lock is held. */
void waiter_unwatch(struct waiter *waiter);

/* Frees a waiter. The lock is held. */
void waiter_release(struct waiter *waiter);

/* Lets go what a call of a waiter's thread held: the epoll set that it waited for, the socket that it worked
 * on, its turn of that, and the buffers that it copied to or from. Who closed them meanwhile has left their
 * end to this. The lock is held. */
void waiter_let_go(struct waiter *waiter);

/* The same for all threads of a process, but those that are copying, whose process settles that when it has
 * ended. */
void waiters_let_go(struct process *process);

/* The buffers that it copied to, or from, are free again. */
void waiter_drop_buffers(struct waiter *waiter);

/* Its turn of a side of its socket's stream, if it has that, is over; another thread may have it. */
void waiter_end_turn(struct waiter *waiter, enum stream_side side);

/* The turns that it was woken for and has not taken are offered to the next who waits: by a call that ends without
 * one (at the end of a stream, say), or that waits for something else first. */
void waiter_pass_turns(struct waiter *waiter);

/* Lets an epoll set go that one holder less has. The lock is held. */
void epoll_set_drop(struct epoll_set *set);

/* Takes an item out of its epoll set and frees it. The lock is held. */
void epoll_item_release(struct epoll_item *item);

#endif
