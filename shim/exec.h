/*
 * exec.h - sockets of ours go on in the next program.
 */
#ifndef SHIM_EXEC_H
#define SHIM_EXEC_H

/* Remembers how this program was told of its stack, for programs that clean their children's environment.
 * Takes out what was for this program alone. Called when the program begins. */
void exec_begin(void);

/* The account that posix_spawn(3) made for this process, or NULL. */
extern struct process *exec_account;

#endif
