/* SPDX-License-Identifier: MIT */
/*
 * main.c - barewire: runs a program on a TCP/IP stack of its own. See README.md.
 */
#include "shim/command/configuration.h"
#include "shim/command/fail.h"
#include "shim/command/help.h"
#include "shim/command/installation.h"
#include "shim/command/option.h"
#include "shim/command/program.h"
#include "shim/command/tools.h"
#include <string.h>

/* barewire help [COMMAND], barewire version, and the commands that look at stacks. */
static void run_own(char **words, const char *profile) {
    if (strcmp(words[0], "help") == 0) {
        if (!words[1])
            help_show(HELP_ALL);
        help_of_command(words[1]);
    }
    if (strcmp(words[0], "version") == 0)
        help_version();
    if (tools_have(words))
        tools_run(words, profile);
}

int main(int count, char **arguments) {
    struct asked asked = {.profile = NULL};
    bool literal;
    char **words = count > 0 ? options_read(arguments + 1, &asked, &literal) : arguments;
    if (*words && !literal)
        run_own(words, asked.profile);
    configuration_read(asked.profile);
    installation_library();
    if (!*words)
        fail("no program named; 'barewire --help' tells more");
    if (asked.explain)
        program_explain(*words);
    program_run(words);
}
