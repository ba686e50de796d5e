/* SPDX-License-Identifier: MIT */
/*
 * after_exec.h - a program that begins with sockets of ours: after exec, or made by posix_spawn.
 */
#ifndef SHIM_LIBRARY_PROCESS_AFTER_EXEC_H
#define SHIM_LIBRARY_PROCESS_AFTER_EXEC_H

#include <stdbool.h>

/* Called when the program begins. If exec has put it in the place of one that had sockets of ours, or if it
 * has inherited some, they go on in it; those that close-on-exec has closed end. */
void resume(void);

/* A descriptor came from another process. If it is a socket of ours, it becomes this process's: gives the
 * socket. */
struct socket *resume_received(int fd);

/* Joins the stack of which a descriptor has come, if this process has not joined one. False: there is none.
 */
bool resume_follow(void);

#endif
