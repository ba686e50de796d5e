/*
 * fd_table.c - see fd_table.h.
 */
#include "shim/library/fd/fd_table.h"
#include "shim/library/fd/placeholder.h"
#include "shim/library/fd/udp_loopback.h"
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
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define HANDLES_AT_ONCE 200 /* some 16 KB */
#define DOOMED_MAX 32

struct handle *_Atomic *_Atomic descriptor_pages[DESCRIPTOR_PAGES];
_Atomic bool descriptor_any;

static struct list handles = {&handles, &handles};
static struct list born = {&born, &born}; /* handles without a descriptor yet */
static struct list spare = {&spare, &spare};

/* All memory of handles that there is, in which a child of fork finds them when the lists are half changed.
 */
static struct block {
    struct block *next;
    struct handle handles[HANDLES_AT_ONCE];
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

static struct handle *handle_take(void) {
    struct list *link = list_first(&spare);
    if (!link) {
        struct block *block = memory_take(sizeof *block);
        if (!block)
            return NULL;
        block->next = blocks;
        blocks = block;
        for (int i = 0; i < HANDLES_AT_ONCE; i++) {
            list_init(&block->handles[i].link);
            list_add_tail(&spare, &block->handles[i].link);
        }
        link = list_first(&spare);
    }
    list_remove(link);
    return container_of(link, struct handle, link);
}

/* The table is the parent's; the inode of the kernel's object says what it is. An epoll set has no inode of
 * its own: it is believed to be what the parent has under that number. */
struct handle *descriptor_find_borrowed(int fd) {
    struct stat status;
    if (LIBC(syscall)(SYS_fstat, fd, &status) < 0)
        return NULL;
    struct handle *_Atomic *page = descriptor_pages[fd / DESCRIPTOR_PAGE];
    struct handle *handle = page ? page[fd % DESCRIPTOR_PAGE] : NULL;
    if (handle && handle->kind == HOLDING_EPOLL)
        return status.st_mode & S_IFMT ? NULL : handle;
    if (!S_ISSOCK(status.st_mode))
        return NULL;
    for (int i = 0; i < DESCRIPTOR_PAGES; i++) {
        page = descriptor_pages[i];
        for (int j = 0; page && j < DESCRIPTOR_PAGE; j++) {
            handle = page[j];
            if (handle && handle->kind == HOLDING_SOCKET && handle->socket->name == status.st_ino)
                return handle;
        }
    }
    return NULL;
}

/* Enters what a handle is of into an estate, which holds it from then on. */
static struct holding *enter(struct estate *estate, const struct handle *handle) {
    struct holding *holding = holding_create(estate, handle->kind);
    if (!holding)
        return NULL;
    if (handle->kind == HOLDING_SOCKET) {
        handle->socket->holders++;
        holding->socket = handle->socket;
    } else {
        handle->epoll->holders++;
        holding->epoll = handle->epoll;
    }
    return holding;
}

static bool copy_holdings(struct estate *estate, struct list *of) {
    struct list *link, *next;
    list_for_each(link, next, of) {
        const struct handle *handle = container_of(link, struct handle, link);
        if (handle->holding && !enter(estate, handle))
            return false;
    }
    return true;
}

/* Points handles at the copies, which are in the same order. */
static struct list *adopt_copies(struct list *copy, struct list *of) {
    struct list *link, *next;
    list_for_each(link, next, of) {
        struct handle *handle = container_of(link, struct handle, link);
        if (!handle->holding)
            continue;
        handle->holding = container_of(copy, struct holding, link);
        copy = copy->next;
    }
    return copy;
}

/* Makes sure that the estate is this process's alone, before it is changed. */
static bool own_estate(void) {
    if (wake_self->estate && wake_self->estate->processes == 1)
        return true;
    struct estate *aside = estate_create();
    if (!aside)
        return false;
    if (!copy_holdings(aside, &handles) || !copy_holdings(aside, &born)) {
        estate_drop(aside);
        return false;
    }
    adopt_copies(adopt_copies(aside->holdings.next, &handles), &born);
    struct estate *before = wake_self->estate;
    wake_self->estate = aside;
    estate_drop(before);
    return true;
}

/* Makes sure that an estate of a child that is being made is the child's alone: of what it had till now. */
static bool own_estate_of(struct process *child) {
    struct list *link, *next;
    if (child->estate && child->estate->processes == 1)
        return true;
    struct estate *aside = estate_create(), *before = child->estate;
    if (!aside)
        return false;
    list_for_each(link, next, before ? &before->holdings : &aside->holdings) {
        const struct holding *holding = container_of(link, struct holding, link);
        const struct handle copied = {
            .kind = holding->kind, .socket = holding->socket, .epoll = holding->epoll};
        if (!enter(aside, &copied)) {
            estate_drop(aside);
            return false;
        }
    }
    child->estate = aside;
    estate_drop(before);
    return true;
}

/* A child that is being made has a share in what is opened meanwhile. (When memory is out it does not get
 * it.) */
static void enter_for_child(struct process *child, unsigned *opened, void *context) {
    if (own_estate_of(child) && enter(child->estate, context))
        ++*opened;
}

/* ... unless it is closed again. */
static void leave_for_child(struct process *child, unsigned *opened, void *context) {
    const struct handle *handle = context;
    struct list *link = *opened ? child->estate->holdings.previous : NULL;
    for (unsigned i = 0; i < *opened; i++, link = link->previous) {
        struct holding *holding = container_of(link, struct holding, link);
        if (holding->socket != handle->socket || holding->epoll != handle->epoll)
            continue;
        holding_release(holding);
        --*opened;
        return;
    }
}

static struct handle *hold(struct handle what) {
    if (memory_is_borrowed())
        return NULL; /* the table is its parent's */
    bool holds = what.socket || what.epoll;
    begin_change();
    struct handle *handle = !holds || own_estate() ? handle_take() : NULL;
    if (handle) {
        *handle = what;
        handle->holding = holds ? enter(wake_self->estate, handle) : NULL;
        list_init(&handle->link);
        list_init(&handle->watch_link);
        list_add_tail(holds && !handle->holding ? &spare : &born, &handle->link);
        if (handle->holding)
            fork_each_child(enter_for_child, handle);
        else if (holds)
            handle = NULL;
    }
    end_change();
    return handle;
}

struct handle *descriptor_hold_socket(struct socket *socket) {
    return hold((struct handle){.kind = HOLDING_SOCKET, .socket = socket});
}

struct handle *descriptor_hold_epoll(struct epoll_set *epoll) {
    return hold((struct handle){.kind = HOLDING_EPOLL, .epoll = epoll});
}

int descriptor_enter_epoll(struct handle *handle, struct epoll_set *epoll) {
    if (!own_estate())
        return -ENOMEM;
    struct handle as = {.kind = HOLDING_EPOLL, .epoll = epoll};
    struct holding *holding = enter(wake_self->estate, &as), *before = handle->holding;
    if (!holding)
        return -ENOMEM;
    begin_change();
    handle->holding = holding;
    handle->epoll = epoll;
    fork_each_child(enter_for_child, handle);
    if (before)
        holding_release(before);
    end_change();
    return 0;
}

void descriptor_release(struct handle *handle) {
    begin_change();
    if (handle->kind == HOLDING_EPOLL)
        bell_drop(handle);
    if (handle->holding && own_estate())
        holding_release(handle->holding); /* else it is given up when the process ends */
    if (handle->holding)
        fork_each_child(leave_for_child, handle);
    handle->epoll = NULL; /* a wait of another thread's that began with it looks once more at what there is */
    list_move_tail(&spare, &handle->link);
    end_change();
}

struct handle *descriptor_handle_of(const struct socket *socket) {
    struct list *link, *next;
    list_for_each(link, next, &handles) {
        struct handle *handle = container_of(link, struct handle, link);
        if (handle->kind == HOLDING_SOCKET && handle->socket == socket)
            return handle;
    }
    return NULL;
}

struct handle *descriptor_handle_of_epoll(const struct epoll_set *epoll) {
    struct list *link, *next;
    list_for_each(link, next, &handles) {
        struct handle *handle = container_of(link, struct handle, link);
        if (handle->kind == HOLDING_EPOLL && handle->epoll == epoll)
            return handle;
    }
    return NULL;
}

bool descriptor_is_last(const struct handle *handle) {
    return handle->descriptors == 1 && handle->socket->holders == 1 && wake_self->estate->processes == 1;
}

void descriptor_forked(void) {
    struct list *link;
    while ((link = list_first(&born)))
        list_move_tail(&spare, link);
}

static void forget(int fd, void *context) {
    (void)context;
    descriptor_pages[fd / DESCRIPTOR_PAGE][fd % DESCRIPTOR_PAGE] = NULL;
}

void descriptor_forget_all(void) {
    begin_change();
    descriptor_walk(0, UINT32_MAX, forget, NULL);
    bells_forget();
    list_init(&handles);
    list_init(&born);
    end_change();
}

/* What the process holds, for looking up: addresses of sockets and epoll sets. */
struct held {
    size_t places;
    const void **what;
};

static const void *of_holding(const struct holding *holding) {
    return holding->kind == HOLDING_SOCKET ? (const void *)holding->socket : (const void *)holding->epoll;
}

static const void *of_handle(const struct handle *handle) {
    return handle->kind == HOLDING_SOCKET ? (const void *)handle->socket : (const void *)handle->epoll;
}

static const void **place_of(const struct held *held, const void *what) {
    size_t at = (uintptr_t)what / 64;
    while (held->what[at % held->places] && held->what[at % held->places] != what)
        at++;
    return &held->what[at % held->places];
}

static bool held_by(struct held *held, const struct estate *estate) {
    struct list *link, *next;
    size_t count = 0;
    list_for_each(link, next, &estate->holdings) count++;
    held->places = 2 * count + 1;
    held->what = memory_take(held->places * sizeof *held->what);
    if (!held->what)
        return false;
    list_for_each(link, next, &estate->holdings) {
        const void *what = of_holding(container_of(link, struct holding, link));
        *place_of(held, what) = what;
    }
    return true;
}

static void count_or_forget(int fd, void *context) {
    struct handle *handle = descriptor_find(fd);
    if (of_handle(handle) ? *place_of(context, of_handle(handle)) != NULL : handle->kind == HOLDING_EPOLL)
        handle->descriptors++;
    else
        forget(fd, NULL);
}

/* Lists and counts are made anew from the table itself. */
void descriptor_rebuild(void) {
    struct held held;
    struct estate *before = wake_self->estate;
    if (!before || !held_by(&held, before)) {
        descriptor_forget_all();
        return;
    }
    list_init(&handles);
    list_init(&born);
    list_init(&spare);
    begun = ended = 0;
    for (struct block *block = blocks; block; block = block->next)
        for (int i = 0; i < HANDLES_AT_ONCE; i++)
            block->handles[i].descriptors = 0;
    descriptor_walk(0, UINT32_MAX, count_or_forget, &held);
    for (struct block *block = blocks; block; block = block->next)
        for (int i = 0; i < HANDLES_AT_ONCE; i++) {
            list_init(&block->handles[i].link);
            list_add_tail(block->handles[i].descriptors ? &handles : &spare, &block->handles[i].link);
        }
    memory_give(held.what);
    before->processes++; /* so that it is copied, without what has no descriptor */
    own_estate();
    if (wake_self->estate != before)
        estate_drop(before);
    else
        before->processes--;
}

int descriptor_set(int fd, struct handle *handle) {
    if ((unsigned)fd >= DESCRIPTOR_PAGE * DESCRIPTOR_PAGES)
        return -EMFILE;
    struct handle *_Atomic *page = descriptor_pages[fd / DESCRIPTOR_PAGE];
    if (!page) {
        page = memory_take(DESCRIPTOR_PAGE * sizeof *page);
        if (!page)
            return -ENOMEM;
        descriptor_pages[fd / DESCRIPTOR_PAGE] = page;
    }
    if (handle->descriptors == 0)
        handle->loopback = handle->kind == HOLDING_SOCKET && worlds_object(handle->socket, fd);
    begin_change();
    if (handle->descriptors++ == 0)
        list_move_tail(&handles, &handle->link);
    page[fd % DESCRIPTOR_PAGE] = handle;
    end_change();
    descriptor_any = true;
    return 0;
}

void descriptor_clear(int fd) {
    struct handle *handle = descriptor_find(fd);
    if (!handle || memory_is_borrowed())
        return;
    begin_change();
    forget(fd, NULL);
    if (--handle->descriptors == 0)
        descriptor_release(handle);
    end_change();
}

/* The kernel's object that holds the number: a socket of the same kind, so that it knows the options that
 * mean nothing to us; a UNIX socket for what takes rights to make, and for a program that has forbidden
 * itself others. What goes past us (io_uring(7), say) neither reaches a network from it nor waits. */
static int make_object(const struct socket *socket, int flags) {
    bool same = socket->tcp || udp_is(socket);
    const int no_interface = INT_MAX;
    int fd = -1;
    if (same && !sandboxed())
        fd = LIBC(socket)(socket->options.inet6 ? AF_INET6 : AF_INET, socket->type | flags,
                          socket->tcp ? IPPROTO_TCP : socket->datagram->binding.protocol);
    if (fd >= 0)
        LIBC(setsockopt)(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &no_interface, sizeof no_interface);
    if (fd >= 0 && socket->type == SOCK_DGRAM)
        LIBC(shutdown)(fd, SHUT_RDWR);
    return fd >= 0 ? fd : LIBC(socket)(AF_UNIX, SOCK_STREAM | flags, 0);
}

int descriptor_create(struct handle *handle, int flags) {
    struct stat status;
    int error = 0;
    shared_lock();
    int fd = spare_take(handle->socket, flags, &status.st_ino);
    if (fd < 0) {
        shared_unlock();
        fd = make_object(handle->socket, flags & (SOCK_NONBLOCK | SOCK_CLOEXEC));
        error = fd < 0 ? -errno : LIBC(syscall)(SYS_fstat, fd, &status) < 0 ? -EMFILE : 0;
        shared_lock();
    }
    if (!error && shared->broken)
        error = -ENETDOWN;
    if (!error)
        error = descriptor_set(fd, handle);
    if (!error) {
        struct socket *socket = handle->socket;
        socket->nonblocking = flags & SOCK_NONBLOCK;
        socket->name = status.st_ino;
        hash_add(&shared->names[socket->name % SHARED_NAME_BUCKETS], &socket->name_link);
    } else if (!shared->broken) {
        descriptor_release(handle);
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
        struct handle *_Atomic *page = descriptor_pages[fd / DESCRIPTOR_PAGE];
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

/* Beyond the program's own limit, as far as the limit may be raised, for a moment. */
static int keep_beyond_limit(int fd) {
    struct rlimit limit, raised;
    if (sandboxed() || LIBC(prlimit)(0, RLIMIT_NOFILE, NULL, &limit) < 0 || limit.rlim_cur >= FEW ||
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
static void close_doomed(void) {
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
        else
            sched_yield();
    close_doomed();
    close_private(fd);
}
