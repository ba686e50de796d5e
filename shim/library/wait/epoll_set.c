/* SPDX-License-Identifier: MIT */
/*
 * epoll_set.c - see epoll_set.h.
 */
#include "shim/library/wait/epoll_set.h"
#include "shim/library/process/after_exec.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/sandbox.h"
#include "shim/library/wait/epoll_eventfd.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#define NOTED_MAX 32

static uint32_t forks; /* how often this process, and those that it comes from, have forked */

/* Sets that were made before the process joined its stack: descriptor + 1, and the count of forks then. */
static struct {
    _Atomic int descriptor;
    uint32_t forks;
} noted[NOTED_MAX];
static _Atomic unsigned noted_next;

void epolls_forking(void) {
    forks++;
}

static void note(int fd) {
    unsigned place = noted_next++ % NOTED_MAX;
    noted[place].descriptor = 0;
    noted[place].forks = forks;
    noted[place].descriptor = fd + 1;
}

static bool is_noted(int fd) {
    for (int i = 0; i < NOTED_MAX; i++)
        if (noted[i].descriptor == fd + 1 && noted[i].forks == forks)
            return true;
    return false;
}

bool epoll_is(int fd) {
    char path[32], kind[32] = "";
    struct epoll_event same = EPOLL_EVENTFD_KEEPER_EVENT;
    int saved = errno, member = attach_connection();
    bool is;
    if (member >= 0) { /* which is in it with this event, or is not */
        is = LIBC(epoll_ctl)(fd, EPOLL_CTL_MOD, member, &same) == 0 || errno == ENOENT;
    } else {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        is = readlink(path, kind, sizeof kind - 1) > 0 && strcmp(kind, "anon_inode:[eventpoll]") == 0;
    }
    errno = saved;
    return is;
}

static void note_member(struct epoll_content *content, int member, unsigned long long data,
                        void (*visit)(int member)) {
    uint32_t number = epoll_eventfd_number(data);
    if (number && content->count < EPOLL_EVENTFDS_MAX)
        content->numbers[content->count++] = number;
    if (number)
        return;
    content->kernels = true;
    if (visit)
        visit(member);
}

struct epoll_content epoll_content(int fd, void (*visit)(int member)) {
    struct epoll_content content = {.unknown = true};
    char path[40], text[1024];
    ssize_t length;
    size_t kept = 0;
    int saved = errno;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    int info = sandboxed() ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    while (info >= 0 && (length = LIBC(read)(info, text + kept, sizeof text - 1 - kept)) > 0) {
        char *line = text, *end;
        content.unknown = false;
        text[kept += (size_t)length] = 0;
        for (; (end = strchr(line, '\n')); line = end + 1) {
            int member;
            unsigned events;
            unsigned long long data;
            *end = 0;
            if (sscanf(line, "tfd: %d events: %x data: %llx", &member, &events, &data) == 3)
                note_member(&content, member, data, visit);
        }
        kept = strlen(line); /* a line that goes on */
        memmove(text, line, kept);
    }
    if (info >= 0)
        LIBC(close)(info);
    errno = saved;
    return content;
}

/* A comparison of a descriptor with the sets of ours that have no socket yet. */
struct comparison {
    int fd, probe, same;
    bool count_only;
    int count;
};

static void compare(int fd, void *context) {
    struct comparison *comparison = context;
    struct epoll_event none = {0};
    const struct fd_entry *entry = descriptor_epoll(fd);
    if (!entry || entry->epoll || fd == comparison->fd || comparison->same >= 0)
        return;
    comparison->count++;
    if (!comparison->count_only && LIBC(epoll_ctl)(fd, EPOLL_CTL_MOD, comparison->probe, &none) == 0)
        comparison->same = fd;
}

/* Another descriptor of the same set, by an eventfd that is in it for a moment; -1: none is known. */
static int find_same(int fd) {
    struct comparison comparison = {.fd = fd, .same = -1, .count_only = true};
    struct epoll_event none = {0};
    descriptor_walk(0, UINT32_MAX, compare, &comparison);
    if (comparison.count == 0)
        return -1;
    comparison.count_only = false;
    comparison.probe = eventfd(0, EFD_CLOEXEC);
    if (comparison.probe < 0)
        return -1;
    if (LIBC(epoll_ctl)(fd, EPOLL_CTL_ADD, comparison.probe, &none) == 0)
        descriptor_walk(0, UINT32_MAX, compare, &comparison);
    LIBC(close)(comparison.probe);
    return comparison.same;
}

/* The set of the stack's that a set of the kernel's is, or NULL: of several that were hung at once the one that is
 * settled. The lock is held. */
static struct epoll_set *set_with(const struct epoll_content *content) {
    struct list *link, *next;
    if (shared->broken && !shared->orphaned)
        return NULL;
    list_for_each(link, next, &shared->epoll_eventfds) {
        const struct waiter *epoll_eventfd = container_of(link, struct waiter, link);
        for (int i = 0; i < content->count; i++)
            if (epoll_eventfd->number == content->numbers[i] && epoll_eventfd->set->settled)
                return epoll_eventfd->set;
    }
    return NULL;
}

/* Enters a number into the table. The lock is held. */
static struct fd_entry *enter_epoll_descriptor(int fd, const struct epoll_content *content, int same,
                                               bool own, bool elder) {
    struct fd_entry *entry = descriptor_epoll(fd);
    struct epoll_set *set = set_with(content);
    if (entry || descriptor_find(fd))
        return entry; /* another thread was first */
    if (set)
        entry = descriptor_entry_of_epoll(set);
    else if (same >= 0)
        entry = descriptor_epoll(same);
    if (!entry && (entry = descriptor_hold_epoll(set))) {
        entry->own = own;
        entry->forks = forks;
        entry->elder = elder;
    }
    if (entry)
        entry->own |= own;
    if (entry && descriptor_set(fd, entry)) {
        if (entry->descriptors == 0)
            descriptor_release(entry);
        return NULL;
    }
    return entry;
}

static struct fd_entry *learn(int fd, bool own, bool elder) {
    struct epoll_content content = {.count = 0};
    int saved = errno, same = -1;
    if (!own || elder) {
        content = epoll_content(fd, NULL);
        same = find_same(fd);
    }
    region_enter();
    struct fd_entry *entry = enter_epoll_descriptor(fd, &content, same, own, elder);
    region_leave();
    errno = saved;
    return entry;
}

void epoll_inherited(int fd) {
    struct epoll_content content = epoll_content(fd, NULL);
    if (set_with(&content))
        enter_epoll_descriptor(fd, &content, -1, false, true);
}

void epoll_made(int fd) {
    if (fd < 0)
        return;
    if (attached())
        learn(fd, true, false);
    else
        note(fd);
}

struct fd_entry *epoll_known(int fd) {
    struct fd_entry *entry = descriptor_find(fd);
    if (entry)
        return entry->kind == FILE_REF_EPOLL ? entry : NULL;
    return attached() && epoll_is(fd) ? learn(fd, is_noted(fd), false) : NULL;
}

/* Whether nobody but this process can have a set: all others would have to be told by its epoll eventfd. */
static bool is_private(const struct fd_entry *entry) {
    return entry->own && entry->forks == forks;
}

/* Makes a set in the region. The lock is held. */
static struct epoll_set *make(struct fd_entry *entry, bool mixed) {
    struct epoll_set *set = pool_take_zeroed(&shared->epoll_sets);
    if (!set)
        return NULL;
    list_init(&set->items);
    list_init(&set->ready);
    list_init(&set->waiters);
    set->mixed = mixed || !is_private(entry);
    set->watched = entry->watched || !is_private(entry);
    if (descriptor_enter_epoll(entry, set)) {
        pool_return(&shared->epoll_sets, set);
        return NULL;
    }
    return set;
}

/* Of sets that were hung at once one is settled: this, unless another is by now. The lock is held. */
static void settle(struct fd_entry *entry, struct fd_entry *candidate, int fd, struct epoll_set *settled) {
    LOCK_EXCEPTION;
    struct epoll_set *set = candidate->epoll;
    if (!entry->epoll && !settled && !descriptor_enter_epoll(entry, set)) {
        set->settled = true;
        shared->sets_settled++;
        epoll_eventfd_move(entry, candidate);
    } else {
        epoll_eventfd_take_down(candidate, fd);
        if (!entry->epoll && settled)
            descriptor_enter_epoll(entry, settled);
    }
    descriptor_release(candidate);
}

/* Several processes, and threads, may give a set that they share its first socket at once. Each makes a set that nobody
 * else uses and hangs its eventfd in the kernel's, then looks who has done so. The first to come to the lock settles its
 * own; the others find its eventfd if they looked after that, and look again if not. */
static bool make_shared(struct fd_entry *entry, int fd, bool mixed) {
    bool done = false;
    region_enter();
    struct fd_entry *candidate = descriptor_hold_epoll(NULL);
    if (candidate && !make(candidate, mixed)) {
        descriptor_release(candidate);
        candidate = NULL;
    }
    region_leave();
    if (!candidate)
        return false;
    epoll_eventfd_hang(candidate, fd);
    while (!done) {
        uint32_t before = shared->sets_settled;
        struct epoll_content content = epoll_content(fd, NULL);
        region_enter();
        done = before == shared->sets_settled;
        if (done)
            settle(entry, candidate, fd, set_with(&content));
        region_leave();
    }
    epoll_eventfd_place(entry);
    return true;
}

struct epoll_set *epoll_set_for(int fd) {
    struct fd_entry *entry = epoll_known(fd);
    if (!entry || entry->epoll)
        return entry ? entry->epoll : NULL;
    struct epoll_content content = epoll_content(fd, NULL);
    bool mixed = content.unknown || content.kernels, own = is_private(entry);
    region_enter();
    struct epoll_set *set = set_with(&content);
    bool first = !set && !entry->epoll && (!shared->broken || shared->orphaned);
    if (set && !entry->epoll)
        descriptor_enter_epoll(entry, set);
    region_leave();
    if (first && !own && make_shared(entry, fd, mixed))
        return entry->epoll;
    region_enter();
    first = first && !entry->epoll && (set = make(entry, mixed));
    if (first)
        set->settled = true;
    region_leave();
    if (first)
        epoll_eventfd_hang(entry, fd);
    else
        epoll_eventfd_place(entry);
    return entry->epoll;
}

/* Its set is held by the message, too, until that has been read. */
static void pass(int fd, bool on) {
    struct fd_entry *entry = descriptor_epoll(fd);
    if (!entry)
        return;
    region_enter();
    struct epoll_set *set = shared->broken ? NULL : entry->epoll;
    entry->own &= !on;
    if (set && on) {
        set->holders++;
        set->passed++;
    } else if (set && set->passed > 0) {
        set->passed--;
        epoll_set_drop(set);
    }
    region_leave();
}

void epoll_arrived(int fd, bool in_message) {
    int saved = errno;
    if (epoll_is(fd) && (attached() || (epoll_content(fd, NULL).count > 0 && resume_follow())) &&
        epoll_set_for(fd) && in_message)
        pass(fd, false);
    errno = saved;
}

void epoll_passed(int fd) {
    pass(fd, true);
}

void epoll_not_passed(int fd) {
    pass(fd, false);
}

static void visit_all(void (*visit)(int fd)) {
    char entries[1024];
    long length;
    int folder = sandboxed() ? -1 : open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (folder >= 0 && (length = LIBC(syscall)(SYS_getdents64, folder, entries, sizeof entries)) > 0)
        for (long at = 0; at < length;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            if (entry->d_name[0] != '.' && epoll_is(atoi(entry->d_name)))
                visit(atoi(entry->d_name));
            at += entry->d_reclen;
        }
    if (folder >= 0)
        LIBC(close)(folder);
}

static void learn_elder(int fd) {
    if (!descriptor_find(fd))
        learn(fd, is_noted(fd), true);
}

static void want_member(int member) {
    struct fd_entry *entry = descriptor_epoll(member);
    if (entry)
        epoll_eventfd_want(entry, member);
}

static void look_into(int fd) {
    struct fd_entry *entry = descriptor_epoll(fd);
    epoll_content(fd, want_member);
    if (entry && !entry->epoll && !is_private(entry))
        epoll_set_for(fd); /* others may have it: they are to find its number in it */
}

void epolls_attached(void) {
    int saved = errno;
    visit_all(learn_elder);
    visit_all(look_into);
    errno = saved;
}
