/* SPDX-License-Identifier: MIT */
/*
 * program.c - see program.h.
 *
 * The library is preloaded, and the program takes this process's place: so the exit status is the program's, and
 * LD_PRELOAD with the same variables does the same.
 */
#include "shim/command/program.h"
#include "nic/impair.h"
#include "nic/interface.h"
#include "nic/nearest.h"
#include "shim/command/fail.h"
#include "shim/command/installation.h"
#include "shim/command/tools.h"
#include "shim/region/config.h"
#include "shim/region/elf.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a shell does itself: there may be no program of that name, and none could do the same. */
static bool is_of_a_shell(const char *name) {
    static const char *const names[] = {".",       ":",     "alias",  "bg",     "builtin", "cd",    "command",
                                        "declare", "eval",  "exec",   "exit",   "export",  "fg",    "hash",
                                        "jobs",    "local", "read",   "return", "set",     "shift", "source",
                                        "trap",    "type",  "ulimit", "umask",  "unset",   "wait"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_program(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

static _Noreturn void fail_missing(const char *name) {
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    nearest_begin(&near, name, strlen(name));
    tools_try(&near);
    fail_with(STATUS_NOT_FOUND, "can't run %s: there is no such program%s%s", name,
              is_of_a_shell(name) ? "; the shell has it built in" : "",
              nearest_hint(&near, "barewire ", hint));
}

/* The file of a program, found as execvp(3) does. `room` has PATH_MAX bytes. */
static const char *find_program(const char *name, char *room) {
    const char *path = *name ? program_find(name, room) : NULL;
    if (!path || (path == name && access(path, F_OK) < 0))
        fail_missing(name);
    if (!is_program(path))
        fail_with(STATUS_NO_PROGRAM, "can't run %s: it is no program, or may not be executed", name);
    return path;
}

/* What is named and wrong is said before the program begins. A stack that is joined by its name may be in another
 * network namespace, with another NIC. */
static void check_options(void) {
    static struct config config;
    struct impair_specs specs;
    struct nic_facts facts;
    char error[CONFIG_ERROR_BYTES];
    const char *interface;
    bool right =
        config_check(&config, error) && (!config.impair[0] || impair_parse(config.impair, &specs, error));
    if (right && !config.name_given && (interface = config_interface(config.nic)))
        right = interface_facts(interface, &facts, error);
    if (!right)
        fail("%s", error);
}

/* Whether it becomes a guest of barewire-load. */
static bool is_guest(const char *name, const char *path, struct program *program) {
    program_look(path, false, program);
    if (!program->out_of_reach)
        return program->guest && !getenv(PROGRAM_VALGRIND);
    if (getenv("BAREWIRE_STRICT"))
        fail("%s %s and can't be taken over: --strict does not let it run", name, program->out_of_reach);
    warn_user("%s %s and can't be taken over: it uses the kernel's network", name, program->out_of_reach);
    return false;
}

static void preload(void) {
    char path[PATH_MAX], *both;
    const char *others = getenv("LD_PRELOAD");
    bool more = others && *others;
    installation_file(LIBRARY_NAME, path);
    /* Behind others: what leads connections elsewhere (proxychains4, tsocks) is to hear of them first, and to make them
     * on the stack. */
    if (asprintf(&both, "%s%s%s", more ? others : "", more ? ":" : "", path) < 0 ||
        setenv("LD_PRELOAD", both, 1) < 0 || setenv("BAREWIRE_NETNS", "", 1) < 0)
        fail("there is no memory for the program's environment");
    /* BAREWIRE_NETNS: the stack's network namespace is this one, even if this process runs on a stack of another. */
}

/* Room for the words with so many before them. */
static char **room_for(char **words, unsigned before) {
    size_t count = 0;
    while (words[count])
        count++;
    char **more = calloc(count + before + 1, sizeof *more);
    if (!more)
        fail("there is no memory for the program's arguments");
    return more;
}

/* A file that no loader of the kernel's knows is a script of the shell's, as for execvp(3). */
static void execute_script(const char *path, char **words) {
    char **script = room_for(words, 1), **to = script;
    *to++ = "/bin/sh";
    *to++ = (char *)path;
    while (*words && *++words)
        *to++ = *words;
    *to = NULL;
    execv(script[0], script);
}

static _Noreturn void execute_guest(struct program *program, const char *path, char **words) {
    char loader[PATH_MAX], **arguments = room_for(words, 2 * PROGRAM_INTERPRETERS_MAX);
    if (setenv(PROGRAM_GUEST_VARIABLE, program_guest_arguments(program, path, words, arguments), 1) < 0)
        fail("there is no memory for the program's environment");
    program_replace(installation_file("barewire-load", loader), arguments);
}

void program_run(char **words) {
    static struct program program;
    char room[PATH_MAX];
    const char *name = words[0], *path = find_program(name, room);
    check_options();
    bool guest = is_guest(name, path, &program);
    preload();
    if (guest)
        execute_guest(&program, path, words);
    execv(path, words);
    if (errno == ENOEXEC)
        execute_script(path, words);
    fail_with(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NO_PROGRAM, "can't run %s: %s%s", name,
              errno == ENOENT ? "the interpreter that it names is not there: " : "", strerror(errno));
}

void program_explain(const char *name) {
    char tool[PATH_MAX];
    char *words[] = {installation_tool(tool), "--explain", (char *)name, NULL};
    program_replace(tool, words);
}

void program_replace(const char *path, char **words) {
    execv(path, words);
    fail_with(STATUS_NO_PROGRAM, "can't run %s: %s", path, strerror(errno));
}
