/* SPDX-License-Identifier: MIT */
/*
 * address_space.c - see address_space.h.
 */
#include "shim/library/process/address_space.h"
#include "shim/region/lock.h"
#include <sys/mman.h>
#include <unistd.h>

static int owner;

_Atomic int address_space_lent;

void address_space_begin(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    owner = getpid();
    _Atomic unsigned *own = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (own == MAP_FAILED)
        return;
    *own = 1;
    if (madvise((void *)own, page, MADV_WIPEONFORK) == 0)
        shared_unforked = own; /* else a child learns of it by its atfork handler (Linux before 4.14) */
}

void address_space_lend(void) {
    address_space_lent++;
}

void address_space_return(void) {
    address_space_lent--;
}

void address_space_forked(void) {
    *shared_unforked = 1;
    address_space_lent = 0;
    owner = getpid();
}

int address_space_owner(void) {
    return owner;
}

bool address_space_by_caller(void) {
    LOCK_EXCEPTION;
    return *shared_unforked && owner && getpid() != owner;
}
