/*
 * keeper_tool.h - what the command asks the keeper's program for, beside keeping. Each returns an exit
 * status.
 */
#ifndef SHIM_KEEPER_TOOL_H
#define SHIM_KEEPER_TOOL_H

/* 0 when the loader would preload our library into the program; 1 when not, and says why on stdout. */
int tool_is_dynamic(const char *path);

/* Ends the stack that the environment names. */
int tool_down(void);

/* Says what this machine allows. `self`: this program's path. */
int tool_doctor(const char *self);

/* Shows its sockets in the columns of ss(8), with its options; its counters by Linux's names, as nstat(8). */
int tool_ss(int count, char **options);
int tool_stats(int count, char **options);

#endif
