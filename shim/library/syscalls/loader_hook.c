/* SPDX-License-Identifier: MIT */
/*
 * loader_hook.c - see loader_hook.h.
 *
 * For debuggers the dynamic linker calls an empty function at every such change, in which they set a breakpoint: its
 * address is r_debug.r_brk (<link.h>). All that it has is a return, and filling up to the next function: here it
 * becomes a jump.
 */
#include "shim/library/syscalls/loader_hook.h"

#if defined __x86_64__ && !defined CALLS_BY_LIBC

#include "shim/region/kernel_calls.h"
#include "shim/region/syscall_site.h"
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE_BYTES 4096ul
#define JUMP_BYTES 5
#define ALIGNMENT 16 /* of functions */

static const uint8_t branch_target[] = {0xf3, 0x0f, 0x1e, 0xfa}; /* endbr64 */

/* Its return, with filling behind it as far as a jump reaches; NULL: it is another function than expected. */
static uint8_t *find_return(uint8_t *function) {
    uint8_t *at = function;
    if (memcmp(at, branch_target, sizeof branch_target) == 0)
        at += sizeof branch_target;
    bool empty = syscall_site_movable_behind(at) == 1, aligned = (uintptr_t)function % ALIGNMENT == 0;
    return empty && aligned && at + JUMP_BYTES <= function + ALIGNMENT ? at : NULL;
}

static bool protect(const uint8_t *at, int protection) {
    uintptr_t start = (uintptr_t)at & ~(PAGE_BYTES - 1);
    return kernel_call(SYS_mprotect, (long)start, (long)((uintptr_t)at + JUMP_BYTES - start), protection, 0,
                       0, 0) == 0;
}

void loader_hook_begin(void (*changed)(void)) {
    uint8_t *at = _r_debug.r_brk ? find_return((uint8_t *)_r_debug.r_brk) : NULL;
    if (!at)
        return;
    intptr_t distance = (intptr_t)changed - (intptr_t)(at + JUMP_BYTES);
    if (distance != (int32_t)distance || !protect(at, PROT_READ | PROT_WRITE | PROT_EXEC))
        return;
    memcpy(at + 1, &(int32_t){(int32_t)distance}, sizeof(int32_t)); /* where nobody comes */
    __atomic_store_n(at, 0xe9, __ATOMIC_SEQ_CST);
    protect(at, PROT_READ | PROT_EXEC);
}

#else

void loader_hook_begin(void (*changed)(void)) {
    (void)changed;
}

#endif
