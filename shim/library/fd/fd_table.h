/* SPDX-License-Identifier: MIT */
/*
 * fd_table.h - which of the process's descriptors are ours.
 *
 * A table of pointers, by descriptor number: NULL for what is the kernel's. Looking up costs two loads, and
 * before the process has its first socket of ours, one. The entry is an entry: this process's own notes, in
 * its private memory, of a holding in its file_table.
 */
#ifndef SHIM_LIBRARY_FD_FD_TABLE_H
#define SHIM_LIBRARY_FD_FD_TABLE_H

#include "shim/library/process/address_space.h"
#include "shim/region/region.h"

#define DESCRIPTOR_PAGE 1024
#define DESCRIPTOR_PAGES 1024 /* fs.nr_open's default, 1,048,576 descriptors */

/* Handles are never given back to the allocator: who reads one without the lock may find another's, but a
 * entry. */
struct fd_entry {
    struct list link; /* of all of this process */
    uint8_t kind;     /* enum file_ref_kind */
    bool altered;     /* the kernel's object is not as it was made any more */
    bool orphan_told; /* orphan.h */
    bool loopback;    /* the kernel's object is one of the loopback network's: udp_loopback.h */
    bool kernel_next; /* ... and it is its turn to be asked first */
    struct socket *socket;
    struct epoll_set *_Atomic epoll; /* set once, and looked at without the lock */
    struct file_ref *file_ref;
    uint32_t descriptors; /* that point to it; 0 while the first is being made */
    /* Of an epoll set: see epoll_set.h, epoll_eventfd.h. Without sockets of ours in it `epoll` and `holding`
     * are NULL.
     */
    bool own;     /* this process has made it, before its fork number `forks`; nobody was given it */
    bool elder;   /* it was there before the process joined its stack */
    bool watched; /* the process watches the epoll descriptor itself */
    uint32_t forks;
    _Atomic int sleepers;   /* threads that sleep on it in the kernel */
    int epoll_eventfd;      /* this process's copy of the eventfd; 0: none yet */
    struct list watch_link; /* of those that are watched */
};

extern struct fd_entry *_Atomic *_Atomic descriptor_pages[DESCRIPTOR_PAGES];
extern _Atomic bool descriptor_any; /* this process has had one of ours */

/* In borrowed memory: what the calling process has under the number, which the table does not say. */
struct fd_entry *descriptor_find_borrowed(int fd);

static inline struct fd_entry *descriptor_find(int fd) {
    if (!descriptor_any || (unsigned)fd >= DESCRIPTOR_PAGE * DESCRIPTOR_PAGES)
        return NULL;
    if (address_space_is_parents())
        return descriptor_find_borrowed(fd);
    struct fd_entry *_Atomic *page =
        atomic_load_explicit(&descriptor_pages[fd / DESCRIPTOR_PAGE], memory_order_acquire);
    return page ? atomic_load_explicit(&page[fd % DESCRIPTOR_PAGE], memory_order_acquire) : NULL;
}

/* The socket under a descriptor, or NULL when it is not one of ours. */
static inline struct socket *descriptor_socket(int fd) {
    struct fd_entry *entry = descriptor_find(fd);
    return entry && entry->kind == FILE_REF_SOCKET ? entry->socket : NULL;
}

/* This process's notes of an epoll descriptor, or NULL when it has none. */
static inline struct fd_entry *descriptor_epoll(int fd) {
    struct fd_entry *entry = descriptor_find(fd);
    return entry && entry->kind == FILE_REF_EPOLL ? entry : NULL;
}

/* Adds a socket or an epoll set to the process's fd table, under no descriptor yet: it is somebody's from the
 * beginning. The lock is held. NULL when memory is out. */
struct fd_entry *descriptor_hold_socket(struct socket *socket);
struct fd_entry *descriptor_hold_epoll(struct epoll_set *epoll); /* NULL: it has no socket of ours */

/* An epoll set gets its first socket of ours, so that the fd table has it from now on; or turns out to be
 * another one. The lock is held. Returns 0 or -ENOMEM. */
int descriptor_enter_epoll(struct fd_entry *entry, struct epoll_set *epoll);

/* Gives up what no descriptor points to. The lock is held. */
void descriptor_release(struct fd_entry *entry);

/* The socket of the stack's that an object of the kernel's names by its inode, or NULL. The lock is held. */
struct socket *descriptor_socket_named(uint64_t inode);

/* The entry of a socket that this process has, or NULL. The lock is held. */
struct fd_entry *descriptor_entry_of(const struct socket *socket);
struct fd_entry *descriptor_entry_of_epoll(const struct epoll_set *epoll);

/* Whether nobody else has it: no other process, no message on its way. The lock is held. */
bool descriptor_is_last(const struct fd_entry *entry);

/* Changes with each change of the table; UINT64_MAX in the middle of one, as a child of fork(2) may find it
 * that another thread of its parent's was at. */
uint64_t descriptor_version(void);

/* What fork(2) has left of the parent's in this process: everything but what other threads were making
 * (descriptor_forked); what the child's fd table bears out, where the table has changed since that was made
 * (descriptor_rebuild); or nothing, when there is no account (descriptor_forget_all). The lock is held. */
void descriptor_forked(void);
void descriptor_rebuild(void);
void descriptor_forget_all(void);

/* Makes a descriptor for a new socket's entry, a kernel object of its own whose inode names the socket;
 * `flags` are those of socket(2). The lock is not held. Returns the descriptor, or a negative errno; the
 * socket is gone then. */
int descriptor_create(struct fd_entry *entry, int flags);

/* Points a descriptor at an entry, which counts it. The lock is held. Returns 0 or -ENOMEM. */
int descriptor_set(int fd, struct fd_entry *entry);

/* Forgets a descriptor; the last one of the process gives up the holding, the last process's the socket. The
 * lock is held. */
void descriptor_clear(int fd);

/* Calls visit for each of our descriptors in [first, last], in order. */
void descriptor_walk(unsigned first, unsigned last, void (*visit)(int fd, void *context), void *context);

/* The descriptor that this process uses for itself and the program must neither close nor see: is this one?
 */
bool descriptor_is_private(int fd);
int descriptor_next_private(int from); /* the first from this number on; -1: there is none */

/* The program changes the kernel's object under a descriptor of ours. */
static inline void descriptor_alter(int fd) {
    struct fd_entry *entry = descriptor_find(fd);
    if (entry)
        entry->altered = true;
}

/* Duplicates a descriptor for the library's own use, out of the program's way. Returns the new number, or -1.
 */
int descriptor_keep_private(int fd);

/* Takes over a descriptor for the library's own use: moves it out of the program's way. Returns its new
 * number. */
int descriptor_make_private(int fd);

/* A descriptor that the library makes between these two has one of the program's numbers until the second one makes it
 * private, and returns its new number (-1: none could be made). Meanwhile the program, which knows nothing of it, must not close that number, or put something of its own there: its calls
 * that name a number do so between the other two. Neither waits for longer than some milliseconds. No thread is
 * cancelled in between: the first ones return what the second ones are given, to bring back. */
int descriptor_lend_begin(void);
int descriptor_lend_end(int made, int cancel);
int descriptor_naming_begin(void);
void descriptor_naming_end(int cancel);

/* In a child that fork has made. */
void descriptor_gate_forked(void);

/* Closes such a one; later, if another thread may be about to write to it. */
void descriptor_close_private(int fd);

#endif
