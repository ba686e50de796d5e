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

int descriptor_create(struct socket *socket, int flags) {
    struct stat status;
    int fd = LIBC(socket)(AF_UNIX, SOCK_STREAM | (flags & (SOCK_NONBLOCK | SOCK_CLOEXEC)), 0);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0) {
        LIBC(close)(fd);
        return -EMFILE;
    }
    shared_lock();
    struct holding *holding = holding_create(HOLDING_SOCKET);
    int error = holding ? 0 : -ENOBUFS;
    if (!error) {
        holding->socket = socket;
        socket->holders++;
        socket->nonblocking = flags & SOCK_NONBLOCK;
        socket->name = status.st_ino;
        hash_add(&shared->names[socket->name % SHARED_NAME_BUCKETS], &socket->name_link);
        error = descriptor_set(fd, holding);
        if (error) {
            socket->holders--;
            hash_remove(&socket->name_link);
            list_remove(&holding->link);
            pool_return(&shared->holdings, holding);
        }
    }
    shared_unlock();
    if (error) {
        LIBC(close)(fd);
        return error;
    }
    return fd;
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
