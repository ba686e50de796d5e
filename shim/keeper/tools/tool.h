/* SPDX-License-Identifier: MIT */
/*
 * tool.h - what the command asks the keeper's program for, beside keeping. Each returns an exit
 * status.
 */
#ifndef SHIM_KEEPER_TOOLS_TOOL_H
#define SHIM_KEEPER_TOOLS_TOOL_H

#include "shim/region/ipc.h"
#include "stack/ip/ip_address.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lists this user's stacks that run, and who is on them. */
int tool_ls(void);

/* Ends the stack that the environment names. */
int tool_down(void);

/* Calls visit for each of this user's stacks that run and that a name leads to from here. Returns how many.
 */
int tool_stacks(void (*visit)(const char *name, void *context), void *context);

/* A connection to the door of the stack that the environment names, or of the only one there is; its
 * configuration as far as the environment says it. Returns -1 after a line for the user. */
struct config;
int tool_connect(struct config *config);

/* Says what this machine allows. `self`: this program's path. */
int tool_doctor(const char *self);

/* barewire --explain PROGRAM: by which doors its system calls go. 0: all are held; 1: not all are. */
int tool_explain(int count, char **arguments);

/* Whether libc's text may be changed in memory. */
bool doctor_may_change_text(void);

/* Maps the stack that the environment names, or the only one there is, for reading. IPC_TRACE: it notes what
 * happens (stack/trace.h) as long as this process lasts; IPC_LOCK: how long its lock is held; IPC_LOOK:
 * neither. Returns an exit status, after a line for the user. */
int tool_look(enum ipc_request_kind kind);

/* barewire report FILE|--live [SECONDS] [--text] [-o FILE]: what a capture, or a live stack, shows. */
int tool_report(int count, char **options);

/* barewire replay FILE [--until N|TIME] [--break NAME] [--calls] [--quiet] [--interactive]: does again what a
 * recording says. 0: the same frames left; 1: others did; 2: it can't be replayed. */
int tool_replay(int count, char **options);

/* Writes who has a socket, as ss(8) names processes; nothing, if nobody has. */
void tool_name_holders(const void *socket, char *text, size_t room);

/* Shows its sockets in the columns of ss(8), with its options; its counters by Linux's names, as nstat(8). */
int tool_ss(int count, char **options);
int tool_stats(int count, char **options);

/* barewire stats --lock: measures for some seconds how long the lock is held and waited for, by who takes it.
 */
int tool_lock(int seconds, bool json);

/* barewire lan PATH [--hub|--switch ...]: runs a local network at a path; without options shows one that
 * runs. */
int tool_lan(int count, char **options);

/* barewire router NIC=ADDRESS/N,... [--route ...]: runs a router between networks; --show NAME: tells of one. */
int tool_router(int count, char **words);

/* barewire net up|run|down|show|exec FILE: a network in a file, its stations and their programs. */
int tool_net(int count, char **words);

/* Says what the connections of the stack do, until it ends. */
int tool_watch(void);

/* Which family a socket is of, and whether one of AF_INET6 takes IPv6 alone, as ss(8) tells them apart. `socket`
 * NULL: by its address. */
enum tool_family { TOOL_ANY, TOOL_INET, TOOL_INET6, TOOL_INET6_ALONE };
struct socket;
enum tool_family tool_family_of(const struct socket *socket, struct ip_address local);

/* An address as ss(8) has it, in one of several static buffers. */
const char *tool_place(struct ip_address address, uint16_t port, enum tool_family family);

#endif
