/* SPDX-License-Identifier: MIT */
/*
 * fd_table.c - see fd_table.h.
 */
#include "shim/library/fd/fd_table.h"
#include "shim/library/fd/placeholder.h"
#include "shim/library/memory.h"
#include "shim/library/process/address_space.h"
#include "shim/library/process/fork.h"
#include "shim/library/process/sandbox.h"
#include "shim/library/wait/epoll_eventfd.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FD_ENTRIES_AT_ONCE 200 /* some 16 KB */
#define DOOMED_MAX 32

struct fd_entry *_Atomic *_Atomic descriptor_pages[DESCRIPTOR_PAGES];
_Atomic bool descriptor_any;

static struct list fd_entries = {&fd_entries, &fd_entries};
static struct list unnumbered = {&unnumbered, &unnumbered}; /* entries without a descriptor yet */
static struct list free_entries = {&free_entries, &free_entries};

/* All memory of entries that there is, in which a child of fork finds them when the lists are half changed.
 */
static struct block {
    struct block *next;
    struct fd_entry fd_entries[FD_ENTRIES_AT_ONCE];
} * blocks;

/* Changes of all this that have been begun, and ended; the lock is held meanwhile. */
static uint64_t begun, ended;

static void begin_change(void) {
    begun++;
    atomic_signal_fence(memory_order_seq_cst);
}

static void end_change(void) {
    atomic_signal_fence(memory_order_seq_cst);
    ended++;
}

uint64_t descriptor_version(void) {
    return begun == ended ? begun : UINT64_MAX;
}

static struct fd_entry *fd_entry_take(void) {
    struct list *link = list_first(&free_entries);
    if (!link) {
        struct block *block = memory_take(sizeof *block);
        if (!block)
            return NULL;
        block->next = blocks;
        blocks = block;
        for (int i = 0; i < FD_ENTRIES_AT_ONCE; i++) {
            list_init(&block->fd_entries[i].link);
            list_add_tail(&free_entries, &block->fd_entries[i].link);
        }
        link = list_first(&free_entries);
    }
    list_remove(link);
    return container_of(link, struct fd_entry, link);
}

/* The table is the parent's; the inode of the kernel's object says what it is. An epoll set has no inode of
 * its own: it is believed to be what the parent has under that number. */
struct fd_entry *descriptor_find_borrowed(int fd) {
    LOCK_EXCEPTION;
    struct stat status;
    if (LIBC(syscall)(SYS_fstat, fd, &status) < 0)
        return NULL;
    struct fd_entry *_Atomic *page = descriptor_pages[fd / DESCRIPTOR_PAGE];
    struct fd_entry *entry = page ? page[fd % DESCRIPTOR_PAGE] : NULL;
    if (entry && entry->kind == FILE_REF_EPOLL)
        return status.st_mode & S_IFMT ? NULL : entry;
    if (!S_ISSOCK(status.st_mode))
        return NULL;
    for (int i = 0; i < DESCRIPTOR_PAGES; i++) {
        page = descriptor_pages[i];
        for (int j = 0; page && j < DESCRIPTOR_PAGE; j++) {
            entry = page[j];
            if (entry && entry->kind == FILE_REF_SOCKET && entry->socket->name == status.st_ino)
                return entry;
        }
    }
    return NULL;
}

/* Enters what an entry is of into an fd table, which holds it from then on. */
static struct file_ref *create_file_ref(struct file_table *file_table, const struct fd_entry *entry) {
    struct file_ref *file_ref = file_ref_create(file_table, entry->kind);
    if (!file_ref)
        return NULL;
    if (entry->kind == FILE_REF_SOCKET) {
        entry->socket->holders++;
        file_ref->socket = entry->socket;
    } else {
        entry->epoll->holders++;
        file_ref->epoll = entry->epoll;
    }
    return file_ref;
}

static bool copy_file_refs(struct file_table *file_table, struct list *of) {
    struct list *link, *next;
    list_for_each(link, next, of) {
        const struct fd_entry *entry = container_of(link, struct fd_entry, link);
        if (entry->file_ref && !create_file_ref(file_table, entry))
            return false;
    }
    return true;
}

/* Points entries at the copies, which are in the same order. */
static struct list *adopt_copies(struct list *copy, struct list *of) {
    struct list *link, *next;
    list_for_each(link, next, of) {
        struct fd_entry *entry = container_of(link, struct fd_entry, link);
        if (!entry->file_ref)
            continue;
        entry->file_ref = container_of(copy, struct file_ref, link);
        copy = copy->next;
    }
    return copy;
}

/* Makes sure that the fd table is this process's alone, before it is changed. */
static bool own_file_table(void) {
    if (wake_self->file_table && wake_self->file_table->processes == 1)
        return true;
    struct file_table *aside = file_table_create();
    if (!aside)
        return false;
    if (!copy_file_refs(aside, &fd_entries) || !copy_file_refs(aside, &unnumbered)) {
        file_table_drop(aside);
        return false;
    }
    adopt_copies(adopt_copies(aside->file_refs.next, &fd_entries), &unnumbered);
    struct file_table *before = wake_self->file_table;
    wake_self->file_table = aside;
    file_table_drop(before);
    return true;
}

/* Makes sure that an fd table of a child that is being made is the child's alone: of what it had till now. */
static bool own_file_table_of(struct process *child) {
    struct list *link, *next;
    if (child->file_table && child->file_table->processes == 1)
        return true;
    struct file_table *aside = file_table_create(), *before = child->file_table;
    if (!aside)
        return false;
    list_for_each(link, next, before ? &before->file_refs : &aside->file_refs) {
        const struct file_ref *file_ref = container_of(link, struct file_ref, link);
        const struct fd_entry copied = {
            .kind = file_ref->kind, .socket = file_ref->socket, .epoll = file_ref->epoll};
        if (!create_file_ref(aside, &copied)) {
            file_table_drop(aside);
            return false;
        }
    }
    child->file_table = aside;
    file_table_drop(before);
    return true;
}

/* A child that is being made has a share in what is opened meanwhile. (When memory is out it does not get
 * it.) */
static void enter_for_child(struct process *child, unsigned *opened, void *context) {
    if (own_file_table_of(child) && create_file_ref(child->file_table, context))
        ++*opened;
}

/* ... unless it is closed again. */
static void leave_for_child(struct process *child, unsigned *opened, void *context) {
    const struct fd_entry *entry = context;
    struct list *link = *opened ? child->file_table->file_refs.previous : NULL;
    for (unsigned i = 0; i < *opened; i++, link = link->previous) {
        struct file_ref *file_ref = container_of(link, struct file_ref, link);
        if (file_ref->socket != entry->socket || file_ref->epoll != entry->epoll)
            continue;
        file_ref_release(file_ref);
        --*opened;
        return;
    }
}

static struct fd_entry *take_fd_entry(struct fd_entry what) {
    if (address_space_is_parents())
        return NULL; /* the table is its parent's */
    bool holds = what.socket || what.epoll;
    begin_change();
    struct fd_entry *entry = !holds || own_file_table() ? fd_entry_take() : NULL;
    if (entry) {
        *entry = what;
        entry->file_ref = holds ? create_file_ref(wake_self->file_table, entry) : NULL;
        list_init(&entry->link);
        list_init(&entry->watch_link);
        list_add_tail(holds && !entry->file_ref ? &free_entries : &unnumbered, &entry->link);
        if (entry->file_ref)
            fork_each_child(enter_for_child, entry);
        else if (holds)
            entry = NULL;
    }
    end_change();
    return entry;
}

struct fd_entry *descriptor_hold_socket(struct socket *socket) {
    return take_fd_entry((struct fd_entry){.kind = FILE_REF_SOCKET, .socket = socket});
}

struct fd_entry *descriptor_hold_epoll(struct epoll_set *epoll) {
    return take_fd_entry((struct fd_entry){.kind = FILE_REF_EPOLL, .epoll = epoll});
}

int descriptor_enter_epoll(struct fd_entry *entry, struct epoll_set *epoll) {
    if (!own_file_table())
        return -ENOMEM;
    struct fd_entry as = {.kind = FILE_REF_EPOLL, .epoll = epoll};
    struct file_ref *file_ref = create_file_ref(wake_self->file_table, &as), *before = entry->file_ref;
    if (!file_ref)
        return -ENOMEM;
    begin_change();
    entry->file_ref = file_ref;
    entry->epoll = epoll;
    fork_each_child(enter_for_child, entry);
    if (before)
        file_ref_release(before);
    end_change();
    return 0;
}

void descriptor_release(struct fd_entry *entry) {
    begin_change();
    if (entry->kind == FILE_REF_EPOLL)
        epoll_eventfd_drop(entry);
    if (entry->file_ref && own_file_table())
        file_ref_release(entry->file_ref); /* else it is given up when the process ends */
    if (entry->file_ref)
        fork_each_child(leave_for_child, entry);
    entry->epoll = NULL; /* a wait of another thread's that began with it looks once more at what there is */
    list_move_tail(&free_entries, &entry->link);
    end_change();
}

struct socket *descriptor_socket_named(uint64_t inode) {
    struct hash_link *link = shared->names[inode % SHARED_NAME_BUCKETS];
    while (link && container_of(link, struct socket, name_link)->name != inode)
        link = link->next;
    return link ? container_of(link, struct socket, name_link) : NULL;
}

struct fd_entry *descriptor_entry_of(const struct socket *socket) {
    struct list *link, *next;
    list_for_each(link, next, &fd_entries) {
        struct fd_entry *entry = container_of(link, struct fd_entry, link);
        if (entry->kind == FILE_REF_SOCKET && entry->socket == socket)
            return entry;
    }
    return NULL;
}

struct fd_entry *descriptor_entry_of_epoll(const struct epoll_set *epoll) {
    struct list *link, *next;
    list_for_each(link, next, &fd_entries) {
        struct fd_entry *entry = container_of(link, struct fd_entry, link);
        if (entry->kind == FILE_REF_EPOLL && entry->epoll == epoll)
            return entry;
    }
    return NULL;
}

bool descriptor_is_last(const struct fd_entry *entry) {
    return entry->descriptors == 1 && entry->socket->holders == 1 && wake_self->file_table->processes == 1;
}

void descriptor_forked(void) {
    struct list *link;
    while ((link = list_first(&unnumbered)))
        list_move_tail(&free_entries, link);
}

static void forget_descriptor(int fd, void *context) {
    (void)context;
    descriptor_pages[fd / DESCRIPTOR_PAGE][fd % DESCRIPTOR_PAGE] = NULL;
}

void descriptor_forget_all(void) {
    begin_change();
    descriptor_walk(0, UINT32_MAX, forget_descriptor, NULL);
    epoll_eventfds_forget();
    list_init(&fd_entries);
    list_init(&unnumbered);
    end_change();
}

/* What the process holds, for looking up: addresses of sockets and epoll sets. */
struct held {
    size_t places;
    const void **what;
};

static const void *of_file_ref(const struct file_ref *file_ref) {
    return file_ref->kind == FILE_REF_SOCKET ? (const void *)file_ref->socket : (const void *)file_ref->epoll;
}

static const void *of_fd_entry(const struct fd_entry *entry) {
    return entry->kind == FILE_REF_SOCKET ? (const void *)entry->socket : (const void *)entry->epoll;
}

static const void **place_of(const struct held *held, const void *what) {
    size_t at = (uintptr_t)what / 64;
    while (held->what[at % held->places] && held->what[at % held->places] != what)
        at++;
    return &held->what[at % held->places];
}

static bool held_by(struct held *held, const struct file_table *file_table) {
    struct list *link, *next;
    size_t count = 0;
    list_for_each(link, next, &file_table->file_refs)
        count++;
    held->places = 2 * count + 1;
    held->what = memory_take(held->places * sizeof *held->what);
    if (!held->what)
        return false;
    list_for_each(link, next, &file_table->file_refs) {
        const void *what = of_file_ref(container_of(link, struct file_ref, link));
        *place_of(held, what) = what;
    }
    return true;
}

static void count_or_forget(int fd, void *context) {
    struct fd_entry *entry = descriptor_find(fd);
    if (of_fd_entry(entry) ? *place_of(context, of_fd_entry(entry)) != NULL : entry->kind == FILE_REF_EPOLL)
        entry->descriptors++;
    else
        forget_descriptor(fd, NULL);
}

/* Lists and counts are made anew from the table itself. */
void descriptor_rebuild(void) {
    struct held held;
    struct file_table *before = wake_self->file_table;
    if (!before || !held_by(&held, before)) {
        descriptor_forget_all();
        return;
    }
    list_init(&fd_entries);
    list_init(&unnumbered);
    list_init(&free_entries);
    begun = ended = 0;
    for (struct block *block = blocks; block; block = block->next)
        for (int i = 0; i < FD_ENTRIES_AT_ONCE; i++)
            block->fd_entries[i].descriptors = 0;
    descriptor_walk(0, UINT32_MAX, count_or_forget, &held);
    for (struct block *block = blocks; block; block = block->next)
        for (int i = 0; i < FD_ENTRIES_AT_ONCE; i++) {
            list_init(&block->fd_entries[i].link);
            list_add_tail(block->fd_entries[i].descriptors ? &fd_entries : &free_entries,
                          &block->fd_entries[i].link);
        }
    memory_give(held.what);
    before->processes++; /* so that it is copied, without what has no descriptor */
    if (!own_file_table())
        descriptor_forget_all(); /* what the entries name may be the parent's */
    file_table_drop(before);
}

int descriptor_set(int fd, struct fd_entry *entry) {
    if ((unsigned)fd >= DESCRIPTOR_PAGE * DESCRIPTOR_PAGES)
        return -EMFILE;
    struct fd_entry *_Atomic *page = descriptor_pages[fd / DESCRIPTOR_PAGE];
    if (!page) {
        page = memory_take(DESCRIPTOR_PAGE * sizeof *page);
        if (!page)
            return -ENOMEM;
        descriptor_pages[fd / DESCRIPTOR_PAGE] = page;
    }
    begin_change();
    if (entry->descriptors++ == 0)
        list_move_tail(&fd_entries, &entry->link);
    page[fd % DESCRIPTOR_PAGE] = entry;
    end_change();
    descriptor_any = true;
    return 0;
}

void descriptor_clear(int fd) {
    struct fd_entry *entry = descriptor_find(fd);
    if (!entry || address_space_is_parents())
        return;
    begin_change();
    forget_descriptor(fd, NULL);
    if (--entry->descriptors == 0)
        descriptor_release(entry);
    end_change();
}

/* The kernel's object that holds the number: a socket of the same kind, so that it knows the options that
 * mean nothing to us; one of UDP for what takes rights to make; a UNIX socket for a program that has
 * forbidden itself others. What goes past us (io_uring(7), say) neither reaches a network from it nor waits. */
static int make_object(const struct socket *socket, int flags) {
    int type = socket->tcp ? SOCK_STREAM : SOCK_DGRAM;
    int protocol = socket->tcp      ? IPPROTO_TCP
                   : udp_is(socket) ? socket->datagram->binding.protocol
                                    : IPPROTO_UDP;
    const int no_interface = INT_MAX;
    int fd = -1;
    if (!sandboxed())
        fd = LIBC(socket)(socket->options.inet6 ? AF_INET6 : AF_INET, type | flags, protocol);
    if (fd >= 0)
        LIBC(setsockopt)(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &no_interface, sizeof no_interface);
    if (fd >= 0 && !socket->tcp)
        LIBC(shutdown)(fd, SHUT_RDWR);
    return fd >= 0 ? fd : LIBC(socket)(AF_UNIX, SOCK_STREAM | flags, 0);
}

int descriptor_create(struct fd_entry *entry, int flags) {
    struct stat status;
    int error = 0, fd = placeholder_take(entry->socket, flags, &status.st_ino);
    if (fd < 0) {
        fd = make_object(entry->socket, flags & (SOCK_NONBLOCK | SOCK_CLOEXEC));
        error = fd < 0 ? -errno : LIBC(syscall)(SYS_fstat, fd, &status) < 0 ? -EMFILE : 0;
    }
    region_enter();
    if (!error && shared->broken)
        error = -ENETDOWN;
    if (!error)
        error = descriptor_set(fd, entry);
    if (!error) {
        struct socket *socket = entry->socket;
        socket->nonblocking = flags & SOCK_NONBLOCK;
        socket->name = status.st_ino;
        hash_add(&shared->names[socket->name % SHARED_NAME_BUCKETS], &socket->name_link);
    } else if (!shared->broken) {
        descriptor_release(entry);
    }
    region_leave();
    if (error && fd >= 0)
        LIBC(close)(fd);
    return error ? error : fd;
}

void descriptor_walk(unsigned first, unsigned last, void (*visit)(int fd, void *context), void *context) {
    unsigned limit = DESCRIPTOR_PAGE * DESCRIPTOR_PAGES - 1;
    if (last > limit)
        last = limit;
    for (unsigned fd = first; fd <= last; fd++) {
        struct fd_entry *_Atomic *page = descriptor_pages[fd / DESCRIPTOR_PAGE];
        if (!page)
            fd |= DESCRIPTOR_PAGE - 1; /* on to the next page */
        else if (page[fd % DESCRIPTOR_PAGE])
            visit((int)fd, context);
    }
}

/* One bit a number; no number from private_end on has it. */
static _Atomic uint64_t private_bits[DESCRIPTOR_PAGE * DESCRIPTOR_PAGES / 64];
static _Atomic int private_end;

bool descriptor_is_private(int fd) {
    return fd >= 0 && fd < private_end && private_bits[fd / 64] >> (fd % 64) & 1;
}

int descriptor_next_private(int from) {
    for (int fd = from; fd < private_end; fd++) {
        uint64_t rest = private_bits[fd / 64] >> (fd % 64);
        if (rest)
            return fd + __builtin_ctzll(rest);
        fd |= 63;
    }
    return -1;
}

static void enter_private(int fd) {
    int end = private_end;
    if (fd >= DESCRIPTOR_PAGE * DESCRIPTOR_PAGES)
        return;
    private_bits[fd / 64] |= UINT64_C(1) << (fd % 64);
    while (end <= fd && !atomic_compare_exchange_weak(&private_end, &end, fd + 1))
        continue;
}

int descriptor_keep_private(int fd) {
    static _Atomic int least; /* programs count on low numbers being free, and loop over them */
    struct rlimit limit;
    if (!least)
        least = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4096 ? (int)limit.rlim_cur * 3 / 4
                                                                               : 3000;
    int kept = LIBC(fcntl)(fd, F_DUPFD_CLOEXEC, least);
    if (kept >= 0)
        enter_private(kept);
    return kept;
}

#define FEW 256 /* numbers that a program may use: then none of them is taken from it */

/* Waits for another thread of the process, which is done in microseconds if it has a processor. Not for ever: a handler
 * may have interrupted it in this very thread. Returns false then. */
#define YIELDS 1000
#define PAUSES 200
#define PAUSE_NS 500000

static bool give_way(int turn) {
    const struct timespec pause = {0, PAUSE_NS};
    if (turn < YIELDS)
        sched_yield();
    else
        nanosleep(&pause, NULL);
    return turn < YIELDS + PAUSES;
}

/* Beyond the program's own limit, as far as the limit may be raised, for a moment: one thread at a time, since
 * another one would take the raised limit for the program's. */
static int raise_and_keep(int fd) {
    struct rlimit limit, raised;
    if (LIBC(prlimit)(0, RLIMIT_NOFILE, NULL, &limit) < 0 || limit.rlim_cur >= FEW ||
        limit.rlim_max <= limit.rlim_cur)
        return -1;
    raised = limit;
    raised.rlim_cur = limit.rlim_max < 2 * FEW ? limit.rlim_max : 2 * FEW;
    if (LIBC(prlimit)(0, RLIMIT_NOFILE, &raised, NULL) < 0)
        return -1;
    int kept = LIBC(fcntl)(fd, F_DUPFD_CLOEXEC, (int)limit.rlim_cur);
    LIBC(prlimit)(0, RLIMIT_NOFILE, &limit, NULL);
    if (kept >= 0)
        enter_private(kept);
    return kept;
}

static _Atomic bool raised;

static int keep_beyond_limit(int fd) {
    if (sandboxed())
        return -1;
    bool mine = false;
    for (int turn = 0; !(mine = !atomic_exchange(&raised, true)) && give_way(turn); turn++)
        continue;
    int kept = raise_and_keep(fd);
    if (mine)
        atomic_store(&raised, false);
    return kept;
}

static _Atomic int lent;   /* threads that have, or are about to have, one of the program's numbers */
static _Atomic int naming; /* threads in calls of the program's that name numbers */

/* A thread that is cancelled in between would be waited for by all others, for as long as they wait, each time. */
static int cancel_off(void) {
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

int descriptor_lend_begin(void) {
    int cancel = cancel_off();
    lent++;
    for (int turn = 0; naming > 0 && give_way(turn); turn++)
        continue;
    return cancel;
}

int descriptor_lend_end(int made, int cancel) {
    int moved = made < 0 ? -1 : descriptor_make_private(made);
    lent--;
    pthread_setcancelstate(cancel, NULL);
    return moved;
}

int descriptor_naming_begin(void) {
    int cancel = cancel_off();
    naming++;
    for (int turn = 0; lent > 0; turn++) {
        naming--;
        bool again = give_way(turn);
        naming++;
        if (!again)
            break;
    }
    return cancel;
}

void descriptor_naming_end(int cancel) {
    naming--;
    pthread_setcancelstate(cancel, NULL);
}

void descriptor_gate_forked(void) {
    lent = naming = 0; /* of threads that the child has not */
    raised = false;
}

int descriptor_make_private(int fd) {
    int moved = keep_beyond_limit(fd);
    if (moved < 0)
        moved = descriptor_keep_private(fd);
    if (moved < 0) {
        enter_private(fd);
        return fd;
    }
    LIBC(close)(fd);
    return moved;
}

static void close_private(int fd) {
    if (descriptor_is_private(fd))
        private_bits[fd / 64] &= ~(UINT64_C(1) << (fd % 64));
    LIBC(close)(fd);
}

/* Those that another thread may be about to write to; descriptor + 1. Who is given up with the lock held is
 * looked up by nobody any more. */
static _Atomic int doomed[DOOMED_MAX];

static bool doom(int fd) {
    for (int i = 0; i < DOOMED_MAX; i++) {
        int empty = 0;
        if (atomic_compare_exchange_strong(&doomed[i], &empty, fd + 1))
            return true;
    }
    return false;
}

/* Looks whether anybody writes after it has taken each: who began later does not know it. */
static void close_unrepairable(void) {
    for (int i = 0; i < DOOMED_MAX; i++) {
        int fd = atomic_exchange(&doomed[i], 0);
        if (fd && (wake_delivering == 0 || !doom(fd - 1)))
            close_private(fd - 1);
    }
}

void descriptor_close_private(int fd) {
    while (wake_delivering > 0)
        if (doom(fd))
            return;
        else {
            if (region_is_held())
                wake_at_once(); /* this thread may be the one */
            sched_yield();
        }
    close_unrepairable();
    close_private(fd);
}
