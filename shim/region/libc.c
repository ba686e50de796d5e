/* SPDX-License-Identifier: MIT */
/*
 * libc.c - see libc.h.
 */
#include "shim/region/libc.h"
#include "shim/region/kernel_calls.h"
#include <dlfcn.h>

struct libc libc = {KERNEL_CALLS(KERNEL_CALL_FIELD)};

void libc_find(void *place, const char *name) {
    __atomic_store_n((void **)place, dlsym(RTLD_NEXT, name), __ATOMIC_RELAXED);
}

void libc_load(void) {
#define LOAD(name) (void)LIBC(name)
    LOAD(sigaction);
    LOAD(sigprocmask);
    LOAD(pthread_sigmask);
    LOAD(fork);
    LOAD(_Fork);
    LOAD(clone);
    LOAD(_exit);
    LOAD(setuid);
    LOAD(setreuid);
    LOAD(setresuid);
#undef LOAD
}
