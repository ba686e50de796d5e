/*
 * libc.c - see libc.h.
 */
#include "libc.h"
#include <dlfcn.h>

struct libc libc;

void libc_load(void) {
#define LIBC_LOAD(type, name, arguments) *(void **)&libc.name = dlsym(RTLD_NEXT, #name);
    LIBC_CALLS(LIBC_LOAD)
#undef LIBC_LOAD
    libc.ready = true;
}
