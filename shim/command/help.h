/* SPDX-License-Identifier: MIT */
/*
 * help.h - what the command says of itself.
 */
#ifndef SHIM_COMMAND_HELP_H
#define SHIM_COMMAND_HELP_H

enum help { HELP_SHORT, HELP_ALL };

/* Each writes to standard output and exits: with 0, or with 1 and a line on standard error when the output can't
 * be written. */
_Noreturn void help_show(enum help much);
_Noreturn void help_version(void);

/* What a command of ours takes; "sysctl": the tunables; all when there is no such command. */
_Noreturn void help_of_command(const char *name);

#endif
