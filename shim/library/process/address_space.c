/*
 * address_space.c - see address_space.h.
 */
#include "shim/library/process/address_space.h"
#include "shim/region/lock.h"
#include <sys/mman.h>
#include <unistd.h>

static int owner;

_Atomic int borrowed_lent;

void borrowed_begin(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    owner = getpid();
    _Atomic unsigned *own = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (own == MAP_FAILED)
        return;
    *own = 1;
    if (madvise((void *)own, page, MADV_WIPEONFORK) == 0)
        shared_unforked = own; /* else a child learns of it by its atfork handler (Linux before 4.14) */
}

void borrowed_lend(void) {
    borrowed_lent++;
}

void borrowed_return(void) {
    borrowed_lent--;
}

void borrowed_forked(void) {
    *shared_unforked = 1;
    borrowed_lent = 0;
    owner = getpid();
}

int borrowed_owner(void) {
    return owner;
}

bool borrowed_by_caller(void) {
    return *shared_unforked && owner && getpid() != owner;
}
