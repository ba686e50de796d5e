/* SPDX-License-Identifier: MIT */
/*
 * poller.c - see poller.h.
 */
#include "shim/library/wait/poller.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/sandbox.h"
#include "shim/library/process/signals.h"
#include "shim/library/wait/wait.h"
#include "shim/region/frames.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/wake.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#define FURTHER_MAX 8 /* more cost more than a wake-up by the keeper */
#define LOOKS 20
#define EVENTS_MAX (3 + FURTHER_MAX)

enum source {
    SOURCE_NIC,
    SOURCE_EVENTFD,
    SOURCE_KEEPER,
    SOURCE_FURTHER,
};

static __thread struct {
    int epoll;    /* + 1; 0: not made yet */
    bool failed;  /* nor can it be */
    bool watches; /* the NIC */
    int short_sleeps;
    int remote_wakeups; /* how much more often the NIC has woken it for others than for its own process */
} own __attribute__((tls_model("initial-exec")));

/* A sleep that ends at once costs a wake-up of two processors for nothing: whose sleeps were short lately
 * looks for a moment first. */
#define SHORT_SLEEP_NS 40000
#define MOMENT_NS 20000
#define SHORT_SLEEPS 3 /* in excess of long ones */
#define SHORT_SLEEPS_MAX 8

static void note_sleep(uint64_t ns) {
    if (ns > SHORT_SLEEP_NS)
        own.short_sleeps -= own.short_sleeps > 0;
    else
        own.short_sleeps += own.short_sleeps < SHORT_SLEEPS_MAX;
}

/* Who is woken by the NIC for the frames of other processes, mostly, leaves it to them for a while: for so
 * many events of its own. */
#define REMOTE_WAKEUPS_MAX 8
#define REMOTE_WAKEUPS_REST 32

static bool watch(int epoll, int descriptor, uint32_t events, enum source source) {
    struct epoll_event event = {.events = events, .data.u32 = source};
    return LIBC(epoll_ctl)(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

/* There is one more who watches the NIC; or the keeper has to look at it. */
static void tell_keeper(void) {
    struct ipc_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, IPC_POLLER}};
    attach_tell(&request, -1);
}

bool poller_wanted(const struct waiter *waiter) {
    return !own.epoll && !own.failed && !waiter->process->poller && !sandboxed() && frames_may_receive();
}

static bool watch_nic(int epoll) {
    const struct nic *nic = frames_nic; /* another thread may give it up */
    own.watches =
        own.watches || (nic && watch(epoll, nic->descriptor, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, SOURCE_NIC));
    return own.watches;
}

static bool watch_all(int epoll, const struct waiter *waiter) {
    return watch(epoll, waiter->descriptor, EPOLLIN, SOURCE_EVENTFD) &&
           watch(epoll, attach_connection(), 0, SOURCE_KEEPER) && watch_nic(epoll);
}

static int make_epoll(void) {
    int cancel = descriptor_lend_begin();
    return descriptor_lend_end(LIBC(epoll_create1)(EPOLL_CLOEXEC), cancel);
}

void poller_prepare(struct waiter *waiter) {
    int epoll = wait_introduce(waiter) ? make_epoll() : -1;
    own.failed = true;
    if (epoll < 0)
        return;
    if (!wait_is_own(waiter) || !watch_all(epoll, waiter)) {
        descriptor_close_private(epoll);
        return;
    }
    own.epoll = epoll + 1;
    tell_keeper();
}

bool poller_begin(struct waiter *waiter) {
    struct process *process = waiter->process;
    if (!own.epoll || (own.remote_wakeups > 0 && !own.watches) ||
        (process->poller && process->poller != waiter) || !frames_may_receive())
        return false;
    process->poller = waiter;
    return true;
}

void poller_end(struct waiter *waiter) {
    if (waiter->word && own.remote_wakeups > 0)
        own.remote_wakeups--;
    if (waiter->process->poller == waiter)
        waiter->process->poller = NULL;
}

void poller_yield(struct waiter *waiter) {
    region_enter();
    if (wait_is_own(waiter))
        poller_end(waiter);
    region_leave();
}

/* Watches a descriptor of the program's as well. What a wait has not used up is taken for nothing by the
 * next: each fires once, so that none has to be taken out again. */
static bool watch_further(const struct pollfd *further) {
    struct epoll_event event = {.events = (uint32_t)further->events | EPOLLONESHOT,
                                .data.u32 = SOURCE_FURTHER};
    return LIBC(epoll_ctl)(own.epoll - 1, EPOLL_CTL_MOD, further->fd, &event) == 0 ||
           (errno == ENOENT && LIBC(epoll_ctl)(own.epoll - 1, EPOLL_CTL_ADD, further->fd, &event) == 0);
}

/* Returns how many there are to watch, or -EINVAL. */
static int watch_all_further(const struct pollfd *further, nfds_t count) {
    int watched = 0;
    for (nfds_t i = 0; i < count; i++) {
        for (nfds_t j = 0; j < i; j++)
            if (further[i].fd >= 0 && further[j].fd == further[i].fd)
                return -EINVAL; /* in it twice, with other events */
        if (further[i].fd >= 0 && (++watched > FURTHER_MAX || !watch_further(&further[i])))
            return -EINVAL;
    }
    return watched;
}

static int sleep_once(const struct waiter *waiter, struct epoll_event *events,
                      const struct wait_sleep *sleep) {
    const struct timespec *limit = wait_limit(sleep);
    if (wait_ends(waiter, sleep))
        return -EINTR;
    int cancel = wake_cancellable();
    long count = LIBC(syscall)(SYS_epoll_pwait2, own.epoll - 1, events, EVENTS_MAX, limit, sleep->mask,
                               (size_t)_NSIG / 8);
    if (count < 0 && errno == ENOSYS) /* a kernel before 5.11 */
        count = LIBC(epoll_pwait)(own.epoll - 1, events, EVENTS_MAX,
                                  wait_milliseconds_left(sleep->deadline_ns), sleep->mask);
    int error = count < 0 ? -errno : 0;
    wake_cancellable_end(cancel);
    return error ? error : count == 0 ? -ETIMEDOUT : (int)count;
}

static void take_in(struct waiter *waiter) {
    uint32_t own_before = wake_own, remote_before = wake_remote;
    wake_awake = waiter;
    if (frames_rx_poll() < 0)
        tell_keeper();
    wake_awake = NULL;
    if (wake_own != own_before)
        own.remote_wakeups -= own.remote_wakeups > 0;
    else if (wake_remote != remote_before)
        own.remote_wakeups++; /* frames that nobody waits for are nobody's */
}

/* Leaves the NIC to others: the keeper, if nobody else. */
static void retire(struct waiter *waiter) {
    const struct nic *nic = frames_nic;
    if (nic)
        LIBC(epoll_ctl)(own.epoll - 1, EPOLL_CTL_DEL, nic->descriptor, NULL);
    own.watches = false;
    own.remote_wakeups = REMOTE_WAKEUPS_REST;
    if (frames_rx_poll() < 0) /* what came last, unless another is at it */
        tell_keeper();
    region_enter();
    poller_end(waiter);
    waiter->process->receives = false; /* until it is at work again: the keeper is not to rely on it */
    region_leave();
}

/* Looks at the word for a microsecond or so: whoever wakes us may be on the same stack. */
static bool watch_word(const struct waiter *waiter) {
    for (int i = 0; i < LOOKS && !waiter->word; i++)
        shared_relax();
    return waiter->word;
}

/* Looks once at the NIC, and at what else is waited for; neither takes the lock, which others want. */
static bool look(struct waiter *waiter, const struct pollfd *further, nfds_t count) {
    const struct timespec no_time = {0, 0};
    struct pollfd fds[1 + FURTHER_MAX] = {{.fd = -1, .events = POLLIN}};
    const struct nic *nic = *(struct nic *volatile *)&frames_nic; /* another thread may give it up */
    if (waiter->process->poller == waiter && nic)
        fds[0].fd = nic->descriptor;
    nfds_t watched = count < FURTHER_MAX ? count : FURTHER_MAX;
    for (nfds_t i = 0; i < watched; i++)
        fds[1 + i] = further[i];
    if (LIBC(ppoll)(fds, 1 + watched, &no_time, NULL) <= 0)
        return false;
    if (fds[0].revents)
        take_in(waiter);
    for (nfds_t i = 1; i <= watched; i++)
        if (fds[i].revents)
            return true;
    return waiter->word;
}

static void look_for_a_moment(struct waiter *waiter, const struct pollfd *further, nfds_t count) {
    uint64_t end_ns = clock_now() + MOMENT_NS;
    while (!watch_word(waiter) && !look(waiter, further, count))
        if (clock_now() >= end_ns) {
            own.short_sleeps--;
            return;
        }
}

/* Returns 0, or -EINTR: a handler has run. With a mask of its own a wait must not keep what that lets in
 * waiting. */
static int spin(struct waiter *waiter, const struct wait_sleep *sleep, nfds_t count, uint64_t deadline_ns) {
    uint64_t end_ns = sleep->mask ? 0 : clock_now() + attach_config.spin_us * UINT64_C(1000);
    if (deadline_ns < end_ns)
        end_ns = deadline_ns;
    while (!watch_word(waiter) && !look(waiter, sleep->kernel, count) && !shared->broken &&
           !wait_interrupted(sleep) && clock_now() < end_ns)
        continue;
    region_enter();
    waiter->spinning = false;
    region_leave();
    return !waiter->word && wait_interrupted(sleep) ? -EINTR : 0;
}

int poller_spin(struct waiter *waiter, const struct wait_sleep *sleep, uint64_t deadline_ns) {
    int result = waiter->spinning ? spin(waiter, sleep, 0, deadline_ns) : 0;
    return waiter->word ? 1 : result;
}

static bool is_late(const struct wait_sleep *sleep) {
    return sleep->deadline_ns != TIMER_NEVER && clock_now() >= sleep->deadline_ns;
}

int poller_sleep(struct waiter *waiter, const struct wait_sleep *sleep) {
    const struct pollfd *further = sleep->kernel;
    nfds_t count = sleep->count;
    if (waiter->spinning) {
        if (spin(waiter, sleep, count, sleep->deadline_ns))
            return -EINTR;
    } else if (own.short_sleeps >= SHORT_SLEEPS && !shared->receiving.bulk) {
        look_for_a_moment(waiter, further, count);
    }
    if (waiter->word)
        return 0;
    int watched = watch_all_further(further, count);
    if (watched < 0)
        return watched;
    watch_nic(own.epoll - 1); /* if it can't be, the keeper does */
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        uint64_t begun_ns = clock_now();
        int happened = sleep_once(waiter, events, sleep);
        note_sleep(clock_now() - begun_ns);
        bool nic = false, told = false, ready = false, alone = false;
        if (happened < 0)
            return happened;
        for (int i = 0; i < happened; i++) {
            uint64_t ignored;
            nic |= events[i].data.u32 == SOURCE_NIC;
            ready |= events[i].data.u32 == SOURCE_FURTHER;
            alone |= events[i].data.u32 == SOURCE_KEEPER;
            if (events[i].data.u32 == SOURCE_EVENTFD)
                told |= LIBC(read)(waiter->descriptor, &ignored, sizeof ignored) > 0;
        }
        if (alone) {
            region_enter();
            keeper_has_died();
            region_leave();
            return 0;
        }
        if (nic)
            take_in(waiter);
        if (own.remote_wakeups >= REMOTE_WAKEUPS_MAX && own.watches)
            retire(waiter);
        if (ready && watched > 0)
            return 1;
        if (told || waiter->word)
            return 0;
        if (is_late(sleep)) /* whatever else comes in */
            return -ETIMEDOUT;
    }
}

void poller_end_of_thread(void) {
    if (own.epoll)
        descriptor_close_private(own.epoll - 1);
    own.epoll = 0;
    own.watches = false;
}

void poller_forked(void) {
    poller_end_of_thread();
    own.failed = false;
}
