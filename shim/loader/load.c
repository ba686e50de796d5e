/* SPDX-License-Identifier: MIT */
/*
 * load.c - barewire-load: begins a program that has no dynamic linker, or not glibc's, in a process in which
 * libbarewire is.
 *
 *   barewire-load FILE NAME [ARG...]    executes FILE with NAME and the arguments
 *
 * It is preloaded itself, and that is all it is for: the library executes this program in the place of such a
 * one, with its arguments and BAREWIRE_PROGRAM=FILE in the environment (exec.c), and has the rest
 * (guest_load.c).
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **arguments) {
    void (*load)(char **arguments, char **environment) = NULL;
    *(void **)&load = dlsym(RTLD_DEFAULT, "barewire_load");
    if (!load) {
        fprintf(
            stderr,
            "barewire: barewire-load is run by libbarewire.so, which is not here: 'barewire PROGRAM' starts "
            "a program\n");
        return 2;
    }
    load(arguments, environ); /* returns if it has no program yet */
    if (count < 3)
        return 2;
    execve(arguments[1], arguments + 2, environ);
    fprintf(stderr, "barewire: can't run %s: %s\n", arguments[1], strerror(errno));
    return 126;
}
