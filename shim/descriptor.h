/*
 * descriptor.h - which of the process's descriptors are ours.
 *
 * A table of pointers, by descriptor number: NULL for what is the kernel's. Looking up costs two loads, and
 * before the process has its first socket of ours, one. The entry is the process's holding of the socket or
 * epoll set.
 */
#ifndef SHIM_DESCRIPTOR_H
#define SHIM_DESCRIPTOR_H

#include "shared.h"

#define DESCRIPTOR_PAGE 1024
#define DESCRIPTOR_PAGES 1024 /* fs.nr_open's default, 1,048,576 descriptors */

extern struct holding *_Atomic *_Atomic descriptor_pages[DESCRIPTOR_PAGES];
extern bool descriptor_any; /* this process has had one of ours */

static inline struct holding *descriptor_find(int fd) {
    if (!descriptor_any || (unsigned)fd >= DESCRIPTOR_PAGE * DESCRIPTOR_PAGES)
        return NULL;
    struct holding *_Atomic *page =
        atomic_load_explicit(&descriptor_pages[fd / DESCRIPTOR_PAGE], memory_order_acquire);
    return page ? atomic_load_explicit(&page[fd % DESCRIPTOR_PAGE], memory_order_acquire) : NULL;
}

/* The socket under a descriptor, or NULL when it is not one of ours. */
static inline struct socket *descriptor_socket(int fd) {
    struct holding *holding = descriptor_find(fd);
    return holding && holding->kind == HOLDING_SOCKET ? holding->socket : NULL;
}

/* Makes a holding of a new socket, for descriptor_create, so that the socket is somebody's from the
 * beginning. When memory is out it releases the socket, and gives NULL. The lock is held. */
struct holding *descriptor_hold(struct socket *socket);

/* Makes a descriptor for the holding of descriptor_hold, a kernel object of its own whose inode names the
 * socket; `flags` are those of socket(2). The lock is not held. Returns the descriptor, or a negative errno;
 * the socket is gone then. */
int descriptor_create(struct holding *holding, int flags);

/* Points a descriptor at a holding, which counts it. The lock is held. Returns 0 or -ENOMEM. */
int descriptor_set(int fd, struct holding *holding);

/* Forgets a descriptor; the last one of the process gives up the holding, the last process's the socket. The
 * lock is held. */
void descriptor_clear(int fd);

/* Calls visit for each of our descriptors in [first, last], in order. */
void descriptor_walk(unsigned first, unsigned last, void (*visit)(int fd, void *context), void *context);

/* The descriptor that this process uses for itself and the program must neither close nor see: is this one?
 */
bool descriptor_is_private(int fd);

/* Takes over a descriptor for the library's own use: moves it out of the program's way. Returns its new
 * number. */
int descriptor_make_private(int fd);
void descriptor_close_private(int fd);

#endif
