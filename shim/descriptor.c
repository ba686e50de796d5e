/*
 * descriptor.c - see descriptor.h.
 */
#include "descriptor.h"
#include "libc.h"
#include "lock.h"
#include "process.h"
#include <errno.h>
#include <fcntl.h>
#include <jemalloc/jemalloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PRIVATE_MAX 256 /* a thread that waits in poll(2) has one */

struct holding *_Atomic *_Atomic descriptor_pages[DESCRIPTOR_PAGES];
bool descriptor_any;

static _Atomic int private_descriptors[PRIVATE_MAX]; /* number + 1, or 0 */

int descriptor_set(int fd, struct holding *holding) {
    if ((unsigned)fd >= DESCRIPTOR_PAGE * DESCRIPTOR_PAGES)
        return -EMFILE;
    struct holding *_Atomic *page = descriptor_pages[fd / DESCRIPTOR_PAGE];
    if (!page) {
        page = mallocx(DESCRIPTOR_PAGE * sizeof *page, MALLOCX_ZERO);
        if (!page)
            return -ENOMEM;
        descriptor_pages[fd / DESCRIPTOR_PAGE] = page;
    }
    holding->descriptors++;
    page[fd % DESCRIPTOR_PAGE] = holding;
    descriptor_any = true;
    return 0;
}

void descriptor_clear(int fd) {
    struct holding *holding = descriptor_find(fd);
    if (!holding)
        return;
    descriptor_pages[fd / DESCRIPTOR_PAGE][fd % DESCRIPTOR_PAGE] = NULL;
    if (--holding->descriptors == 0)
        holding_release(holding);
}

struct holding *descriptor_hold(struct socket *socket) {
    struct holding *holding = holding_create(HOLDING_SOCKET);
    if (!holding) {
        socket_release(&shared->stack, socket);
        return NULL;
    }
    holding->socket = socket;
    socket->holders++;
    return holding;
}

int descriptor_create(struct holding *holding, int flags) {
    struct stat status;
    int fd = LIBC(socket)(AF_UNIX, SOCK_STREAM | (flags & (SOCK_NONBLOCK | SOCK_CLOEXEC)), 0);
    int error = fd < 0 ? -errno : LIBC(syscall)(SYS_fstat, fd, &status) < 0 ? -EMFILE : 0;
    shared_lock();
    if (!error && shared->broken)
        error = -ENETDOWN;
    if (!error)
        error = descriptor_set(fd, holding);
    if (!error) {
        struct socket *socket = holding->socket;
        socket->nonblocking = flags & SOCK_NONBLOCK;
        socket->name = status.st_ino;
        hash_add(&shared->names[socket->name % SHARED_NAME_BUCKETS], &socket->name_link);
    } else if (!shared->broken) {
        holding_release(holding);
    }
    shared_unlock();
    if (error && fd >= 0)
        LIBC(close)(fd);
    return error ? error : fd;
}

void descriptor_walk(unsigned first, unsigned last, void (*visit)(int fd, void *context), void *context) {
    unsigned limit = DESCRIPTOR_PAGE * DESCRIPTOR_PAGES - 1;
    if (last > limit)
        last = limit;
    for (unsigned fd = first; fd <= last; fd++) {
        struct holding *_Atomic *page = descriptor_pages[fd / DESCRIPTOR_PAGE];
        if (!page)
            fd |= DESCRIPTOR_PAGE - 1; /* on to the next page */
        else if (page[fd % DESCRIPTOR_PAGE])
            visit((int)fd, context);
    }
}

bool descriptor_is_private(int fd) {
    if (!descriptor_any)
        return false;
    for (int i = 0; i < PRIVATE_MAX; i++)
        if (private_descriptors[i] == fd + 1)
            return true;
    return false;
}

int descriptor_make_private(int fd) {
    struct rlimit limit;
    /* Programs count on low numbers being free, and loop over them. */
    int least =
        getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4096 ? (int)limit.rlim_cur * 3 / 4 : 3000;
    int moved = LIBC(fcntl)(fd, F_DUPFD_CLOEXEC, least);
    if (moved >= 0) {
        LIBC(close)(fd);
        fd = moved;
    }
    for (int i = 0; i < PRIVATE_MAX; i++) {
        int empty = 0;
        if (atomic_compare_exchange_strong(&private_descriptors[i], &empty, fd + 1))
            break;
    }
    return fd;
}

void descriptor_close_private(int fd) {
    for (int i = 0; i < PRIVATE_MAX; i++) {
        int mine = fd + 1;
        atomic_compare_exchange_strong(&private_descriptors[i], &mine, 0);
    }
    LIBC(close)(fd);
}
