/* SPDX-License-Identifier: MIT */
/*
 * preloaded.h - other libraries that take over libc's calls, behind this one.
 *
 * A call that is not ours goes on to the next library that has a function of its name, as it would without
 * us: a second preloaded library (stderred, libfaketime) or a sanitizer's runtime. Only a process that has
 * such a library is looked at for it.
 */
#ifndef SHIM_LIBRARY_PROCESS_PRELOADED_H
#define SHIM_LIBRARY_PROCESS_PRELOADED_H

#include <stdbool.h>

/* Puts the functions of such libraries into LIBC()'s table. For the constructor. */
void preloaded_find(void);

/* Whether this thread's call comes from us by way of such a library: it is the kernel's then, and the next
 * one is not. For syscall_table.c, with the vector registers live. */
extern __thread bool preloaded_passing __attribute__((tls_model("initial-exec")));

#endif
