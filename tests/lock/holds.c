/* SPDX-License-Identifier: MIT */
/*
 * holds.c - what tests/lock/run ends by the check itself: a call of libc's with the lock held, and without.
 */
#include "shim/region/lock_assert.h"
#include "shim/region/region.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool excepted(void) {
    LOCK_EXCEPTION;
    return getpid() > 0;
}

int main(int count, char **arguments) {
    size_t bytes = (sizeof(struct shared) + 4095) & ~(size_t)4095;
    if (mmap((void *)SHARED_BASE, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
        return 2;
    lock_assert_held_by("main");
    bool well = excepted() && strlen(arguments[0]) > 0;
    if (count > 1)
        lock_assert_held_by(NULL);
    return well && getpid() > 0 ? 0 : 1;
}
