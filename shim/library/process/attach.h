/* SPDX-License-Identifier: MIT */
/*
 * attach.h - how a process comes to its stack.
 */
#ifndef SHIM_LIBRARY_PROCESS_ATTACH_H
#define SHIM_LIBRARY_PROCESS_ATTACH_H

#include "shim/region/config.h"
#include "shim/region/ipc.h"

extern struct config attach_config;

/* Joins the stack that the environment names, starting its keeper when there is none; does nothing when that
 * was done. What can't work is said in one line, and ends the program with status 2. */
void attach(void);
bool attached(void);
bool attached_unwatched(void); /* for who may be a sanitizer's runtime, before it is ready */

/* The same, before this process gives up rights or a place that it needs for that: what can't work is not
 * said before it is needed. In a child that has only borrowed its parent's memory (vfork(2)), it gets an
 * account with the keeper, and the program that it runs will be on the stack. */
void attach_early(void);

/* Joins as `join` does, which is this process's first step on the stack and is done once; what every process
 * on a stack has begins with it: signals, fork, tracing. Returns whether this process is on the stack. */
bool attach_once(bool (*join)(void));

/* Before a descriptor that may be anybody's is closed: waits while another thread makes that step, which has some that it
 * has not hidden yet. A program that closes what it does not own closes nothing of ours. */
void attach_await(void);

/* Around fork(2), in the parent: no other thread makes that step meanwhile, which the child would have half of. */
void attach_fork_begin(void);
void attach_fork_end(void);

/* In a child that fork has made. */
void attach_forked(void);

/* Finds out where the stack's door would be, for attach_ask. */
void attach_find_keepers(void);

/* Makes the stack of a welcoming reply this process's. */
void attach_adopt(const struct ipc_reply *reply, struct ipc_ancillary ancillary);

/* Gives up when the stack is broken: says why, once. Returns whether it is. */
bool attach_broken(void);

/* Asks the keeper. Fills the reply, and *beside with the descriptors that came with it. Returns 0 or a
 * negative errno
 * (-EPROTO: it is of another version; -EACCES: it is another user's; -ECONNREFUSED, -ENOENT: there is none).
 * After a welcome the connection stays, for attach_tell. */
int attach_ask(const struct ipc_request *request, struct ipc_reply *reply, struct ipc_ancillary *ancillary);

/* Tells the keeper something that needs no answer, with a descriptor beside it. Works also after fork, and
 * after the process has become another user's. Returns 0 or a negative errno. */
int attach_tell(const struct ipc_request *request, int ancillary);

/* Asks the keeper over the same connection, and looks whether an answer to that has come; neither waits, so
 * the lock may be held. */
int attach_ask_later(const struct ipc_request *request);
bool attach_hear(struct ipc_reply *reply, struct ipc_ancillary *ancillary);

/* That connection, which hangs up when the keeper dies; -1 when it is gone. */
int attach_connection(void);

/* Says a line on stderr, prefixed `barewire: `. */
void attach_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says a line and ends the program with status 2. */
_Noreturn void attach_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether this process is on a stack, or would be with its first socket: a NIC or a stack is named. */
bool attach_is_wanted(void);

/* Whether the stack has, or will have, IPv6. */
bool attach_has_inet6(void);

#endif
