/* SPDX-License-Identifier: MIT */
/*
 * loader_hook.h - being told of libraries that are loaded as the program runs.
 */
#ifndef SHIM_LIBRARY_SYSCALLS_LOADER_HOOK_H
#define SHIM_LIBRARY_SYSCALLS_LOADER_HOOK_H

/* Has the dynamic linker call a function whenever it is about to change what is loaded, and has: when it has
 * mapped libraries, but before any of their code runs. It holds its lock, and its list of objects is whole. Nobody is
 * called where the linker's text is not as expected, or may not be changed. For the constructor. */
void loader_hook_begin(void (*changed)(void));

#endif
