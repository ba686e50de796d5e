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
    struct epoll_event same = BELL_KEEPER_EVENT;
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
    uint32_t number = bell_number(data);
    if (number && content->count < EPOLL_BELLS_MAX)
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
    const struct handle *handle = descriptor_epoll(fd);
    if (!handle || handle->epoll || fd == comparison->fd || comparison->same >= 0)
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

/* The set of the stack's that a set of the kernel's is, or NULL: the least number counts, of two that were
 * hung at once. The lock is held. */
static struct epoll_set *set_with(const struct epoll_content *content) {
    struct list *link, *next;
    const struct waiter *found = NULL;
    if (shared->broken && !shared->orphaned)
        return NULL;
    list_for_each(link, next, &shared->bells) {
        const struct waiter *bell = container_of(link, struct waiter, link);
        for (int i = 0; i < content->count; i++)
            if (bell->number == content->numbers[i] && (!found || bell->number < found->number))
                found = bell;
    }
    return found ? found->set : NULL;
}

/* Enters a number into the table. The lock is held. */
static struct handle *enter(int fd, const struct epoll_content *content, int same, bool own, bool elder) {
    struct handle *handle = descriptor_epoll(fd);
    struct epoll_set *set = set_with(content);
    if (handle || descriptor_find(fd))
        return handle; /* another thread was first */
    if (set)
        handle = descriptor_handle_of_epoll(set);
    else if (same >= 0)
        handle = descriptor_epoll(same);
    if (!handle && (handle = descriptor_hold_epoll(set))) {
        handle->own = own;
        handle->forks = forks;
        handle->elder = elder;
    }
    if (handle)
        handle->own |= own;
    if (handle && descriptor_set(fd, handle)) {
        if (handle->descriptors == 0)
            descriptor_release(handle);
        return NULL;
    }
    return handle;
}

static struct handle *learn(int fd, bool own, bool elder) {
    struct epoll_content content = {.count = 0};
    int saved = errno, same = -1;
    if (!own || elder) {
        content = epoll_content(fd, NULL);
        same = find_same(fd);
    }
    shared_lock();
    struct handle *handle = enter(fd, &content, same, own, elder);
    shared_unlock();
    errno = saved;
    return handle;
}

void epoll_inherited(int fd) {
    struct epoll_content content = epoll_content(fd, NULL);
    if (set_with(&content))
        enter(fd, &content, -1, false, true);
}

void epoll_made(int fd) {
    if (fd < 0)
        return;
    if (attached())
        learn(fd, true, false);
    else
        note(fd);
}

struct handle *epoll_known(int fd) {
    struct handle *handle = descriptor_find(fd);
    if (handle)
        return handle->kind == HOLDING_EPOLL ? handle : NULL;
    return attached() && epoll_is(fd) ? learn(fd, is_noted(fd), false) : NULL;
}

/* Whether nobody but this process can have a set: all others would have to be told by its bell. */
static bool is_private(const struct handle *handle) {
    return handle->own && handle->forks == forks;
}

/* Makes a set in the region. The lock is held. */
static struct epoll_set *make(struct handle *handle, bool mixed) {
    struct epoll_set *set = pool_take_zeroed(&shared->epoll_sets);
    if (!set)
        return NULL;
    list_init(&set->items);
    list_init(&set->ready);
    list_init(&set->waiters);
    set->mixed = mixed || !is_private(handle);
    set->watched = handle->watched || !is_private(handle);
    if (descriptor_enter_epoll(handle, set)) {
        pool_return(&shared->epoll_sets, set);
        return NULL;
    }
    return set;
}

/* Several processes may give a set that they share its first socket at once. */
static void settle_race(struct handle *handle, int fd) {
    struct epoll_content content = epoll_content(fd, NULL);
    shared_lock();
    struct epoll_set *set = handle->epoll, *winner = set_with(&content);
    if (winner && winner != set && set && list_empty(&set->items)) {
        bell_take_down(handle, fd);
        descriptor_enter_epoll(handle, winner);
    }
    shared_unlock();
}

struct epoll_set *epoll_set_for(int fd) {
    struct handle *handle = epoll_known(fd);
    if (!handle || handle->epoll)
        return handle ? handle->epoll : NULL;
    struct epoll_content content = epoll_content(fd, NULL);
    shared_lock();
    struct epoll_set *set = set_with(&content);
    bool first = !set && !handle->epoll && (!shared->broken || shared->orphaned);
    if (set && !handle->epoll)
        descriptor_enter_epoll(handle, set);
    else if (first)
        first = make(handle, content.unknown || content.kernels);
    shared_unlock();
    if (first) {
        bell_hang(handle, fd);
        if (!is_private(handle))
            settle_race(handle, fd);
    } else {
        bell_place(handle);
    }
    return handle->epoll;
}

/* Its set is held by the message, too, until that has been read. */
static void pass(int fd, bool on) {
    struct handle *handle = descriptor_epoll(fd);
    if (!handle)
        return;
    shared_lock();
    struct epoll_set *set = shared->broken ? NULL : handle->epoll;
    handle->own &= !on;
    if (set && on) {
        set->holders++;
        set->passed++;
    } else if (set && set->passed > 0) {
        set->passed--;
        epoll_set_drop(set);
    }
    shared_unlock();
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
    struct handle *handle = descriptor_epoll(member);
    if (handle)
        bell_want(handle, member);
}

static void look_into(int fd) {
    struct handle *handle = descriptor_epoll(fd);
    epoll_content(fd, want_member);
    if (handle && !handle->epoll && !is_private(handle))
        epoll_set_for(fd); /* others may have it: they are to find its number in it */
}

void epolls_attached(void) {
    int saved = errno;
    visit_all(learn_elder);
    visit_all(look_into);
    errno = saved;
}
