/* SPDX-License-Identifier: MIT */
/*
 * load.c - barewire-load: begins a program that has no dynamic linker, or not glibc's, in a process in which
 * libbarewire is.
 *
 * It is preloaded itself, and that is all it is for: the command and the library execute this program in the place of
 * such a one, with its arguments and BAREWIRE_PROGRAM=FILE in the environment, and the library has the rest
 * (guest_load.c).
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **arguments) {
    void (*load)(char **arguments, char **environment) = NULL;
    *(void **)&load = dlsym(RTLD_DEFAULT, "barewire_load");
    if (load && count > 0)
        load(arguments, environ); /* returns if it has no program */
    fprintf(
        stderr,
        "barewire: barewire-load is run by libbarewire.so, which %s: 'barewire PROGRAM' starts a program\n",
        load ? "has named no program" : "is not here");
    return 2;
}
