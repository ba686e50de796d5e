/* SPDX-License-Identifier: MIT */
/*
 * tools.h - the commands that look at stacks and files: ss, stats, ls, down, report, doctor, lan, lab. The keeper's
 * program has what they do, and scripts/lab the lab's; here their words are checked.
 */
#ifndef SHIM_COMMAND_TOOLS_H
#define SHIM_COMMAND_TOOLS_H

#include "nic/nearest.h"
#include <stdbool.h>

/* Whether words[0] is one of them. With arguments, ls is ls(1). */
bool tools_have(char **words);

/* Runs it. `profile`: that of the options before it, or NULL. */
_Noreturn void tools_run(char **words, const char *profile);

/* Compares a word with their names. */
void tools_try(struct nearest *nearest);

#endif
