/* SPDX-License-Identifier: MIT */
/*
 * program.h - the program that is to run on a stack.
 */
#ifndef SHIM_COMMAND_PROGRAM_H
#define SHIM_COMMAND_PROGRAM_H

/* Runs it in this process's place: words[0] with its arguments. What is wrong with the options is said before, and so
 * is what can't be taken over: a program of 32 bits, one that runs as another user. */
_Noreturn void program_run(char **words);

/* Says by which doors its system calls would go. */
_Noreturn void program_explain(const char *name);

/* Runs another program of the installation in this process's place. */
_Noreturn void program_replace(const char *path, char **words);

#endif
