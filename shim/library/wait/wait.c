/* SPDX-License-Identifier: MIT */
/*
 * wait.c - see wait.h.
 */
#include "shim/library/wait/wait.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/signals.h"
#include "shim/library/wait/poller.h"
#include "shim/region/frames.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

static __thread struct waiter *self __attribute__((tls_model("initial-exec")));
__thread bool wait_prepared __attribute__((tls_model("initial-exec")));
static pthread_key_t thread_end;
static bool has_thread_end; /* the program may have taken all keys */
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

static void end_of_thread(void *context) {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL); /* it ends already, and closes descriptors here */
    struct waiter *waiter = self;
    (void)context;
    wait_prepared = false; /* another destructor may wait again */
    if (!waiter)
        return;
    int descriptor = waiter->descriptor;
    poller_end_of_thread();
    self = NULL;
    region_enter();
    waiter_release(waiter);
    region_leave();
    if (descriptor >= 0)
        descriptor_close_private(descriptor);
}

static void make_key(void) {
    has_thread_end =
        pthread_key_create(&thread_end, end_of_thread) == 0; /* else the keeper does it in the end */
}

void wait_prepare_thread(void) {
    wait_prepared = true;
    pthread_once(&thread_end_once, make_key);
    if (has_thread_end)
        pthread_setspecific(thread_end, &wait_prepared); /* any address but NULL */
}

struct waiter *wait_self(void) {
    if (self)
        return self;
    struct waiter *waiter = pool_take_zeroed(&shared->waiters);
    if (!waiter)
        return NULL;
    waiter->process = wake_self;
    waiter->descriptor = waiter->keeper_descriptor = -1;
    waiter->watch.kind = WATCH_WAITER;
    waiter->watch.waiter = waiter;
    waiter_enter(waiter);
    self = waiter;
    return waiter;
}

void wait_forked(void) {
    poller_forked();
    if (self && self->descriptor >= 0)
        descriptor_close_private(self->descriptor);
    self = NULL;
}

uint64_t wait_deadline(uint64_t timeout_ns) {
    return timeout_ns ? clock_now() + timeout_ns : TIMER_NEVER;
}

void wait_done(void) {
    if (self && (self->socket || self->set))
        waiter_let_go(self);
}

/* A call has its socket for as long as it works on it, whoever closes that meanwhile. */
static void wait_on_socket(struct waiter *waiter, struct socket *socket, bool writing) {
    if (waiter->socket != socket || waiter->set) {
        waiter_let_go(waiter); /* of a call that a handler has jumped out of */
        socket->holders++;
        waiter->socket = socket;
    }
    waiter->writing = writing;
    if (writing) {
        socket->blocked_writers++;
        record_writers(&shared->stack, socket);
    }
}

bool wait_hold(struct epoll_set *set) {
    struct waiter *waiter = wait_self();
    if (waiter && waiter->set != set) {
        waiter_let_go(waiter);
        set->holders++;
        waiter->set = set;
    }
    return waiter;
}

struct waiter *wait_hold_socket(struct socket *socket) {
    struct waiter *waiter = wait_self();
    if (waiter)
        wait_on_socket(waiter, socket, false);
    return waiter;
}

/* What a sleep on one socket is for. */
struct purpose {
    unsigned events;
    bool writing;
    enum stream_side side; /* 0: none */
};

/* A handler's own call has let the socket go; it may be this call's turn still. */
static void come_back(struct waiter *waiter, struct socket *socket) {
    uint8_t offered = waiter->turns_offered;
    wait_on_socket(waiter, socket, false);
    waiter->turns_offered = offered;
}

static int wait_file_ref(struct socket *socket, struct purpose purpose, uint64_t deadline_ns) {
    struct waiter *waiter = wait_begin(false);
    if (!waiter)
        return -ENOBUFS;
    wait_on_socket(waiter, socket, purpose.writing);
    waiter_pass_turns(waiter);
    waiter->watch.events = purpose.events;
    waiter->watch.side = (uint8_t)purpose.side;
    waiter->watch.gone = false;
    list_add_tail(&socket->watches, &waiter->watch.socket_link);
    int result = wait_sleep(
        waiter,
        &(struct wait_sleep){.deadline_ns = deadline_ns, .restarts = true, .uninterruptible = purpose.side});
    if (!wait_is_own(waiter))
        return !pool_has(&shared->stack.sockets, socket) ? -EBADF : result == -ETIMEDOUT ? -EAGAIN : result;
    bool gone = waiter->watch.gone;
    bool woken = waiter->word;
    wait_end(waiter);
    if (gone)
        return -EBADF;
    if (waiter->socket == socket)
        socket->blocked_writers -= waiter->writing;
    else
        come_back(waiter, socket);
    waiter->writing = false;
    if (shared->broken || keeper_has_died())
        return -ENETDOWN;
    if (woken)
        return 0;
    return result == -ETIMEDOUT ? -EAGAIN : result;
}

int wait_socket(struct socket *socket, unsigned events, uint64_t deadline_ns) {
    return wait_file_ref(socket, (struct purpose){.events = events}, deadline_ns);
}

int wait_to_write(struct socket *socket, uint64_t deadline_ns) {
    return wait_file_ref(socket, (struct purpose){.events = POLLOUT, .writing = true}, deadline_ns);
}

int wait_turn(struct socket *socket, enum stream_side side) {
    int error = 0;
    while ((error == 0 || error == -EINTR) && socket->turns[side - 1])
        error = wait_file_ref(socket, (struct purpose){.side = side}, TIMER_NEVER);
    return error == -EINTR ? 0 : error;
}

void turn_begin(struct waiter *waiter, enum stream_side side) {
    waiter->socket->turns[side - 1] = waiter->number;
    waiter->turns |= (uint8_t)(1u << side);
    waiter->turns_offered &= (uint8_t) ~(1u << side);
}

int wait_eventfd(void) {
    int cancel = descriptor_lend_begin();
    return descriptor_lend_end(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), cancel);
}

bool wait_introduce(struct waiter *waiter) {
    if (waiter->descriptor >= 0)
        return true;
    struct ipc_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, IPC_WAITER},
                                  .waiter = waiter,
                                  .waiter_number = waiter->number};
    int descriptor = wait_eventfd();
    if (descriptor < 0)
        return false;
    if (!wait_is_own(waiter) || attach_tell(&request, descriptor)) {
        descriptor_close_private(descriptor);
        return false;
    }
    waiter->descriptor = descriptor;
    return true;
}

struct waiter *wait_begin(bool by_descriptor) {
    struct waiter *waiter = wait_self();
    frames_coalesce(0);
    if (!waiter)
        return NULL;
    if (by_descriptor && waiter->descriptor < 0) {
        region_leave();                           /* the keeper needs the lock to answer */
        bool introduced = wait_introduce(waiter); /* else it sleeps as it can */
        region_enter();
        if (!wait_is_own(waiter))
            return wait_begin(by_descriptor);
        by_descriptor = introduced;
    }
    if (waiter->sleeping)
        wait_end(waiter); /* a signal handler jumped out of the last wait */
    waiter->word = 0;
    waiter->by_descriptor = by_descriptor;
    waiter->spinning = waiter->process->spins = attach_config.spin_us > 0;
    waiter->sleeping = true;
    return waiter;
}

int wait_watch(struct waiter *waiter, struct socket *socket, unsigned events) {
    struct watch *watch = pool_take_zeroed(&shared->watches);
    if (!watch)
        return -ENOMEM;
    watch->kind = WATCH_WAITER;
    watch->events = events;
    watch->waiter = waiter;
    list_init(&watch->socket_link);
    list_init(&watch->owner_link);
    list_add_tail(&socket->watches, &watch->socket_link);
    list_add_tail(&waiter->watches, &watch->owner_link);
    return 0;
}

bool wait_is_own(const struct waiter *waiter) {
    return waiter == self;
}

void wait_end(struct waiter *waiter) {
    if (!wait_is_own(waiter))
        return;
    waiter->sleeping = false;
    poller_end(waiter);
    waiter_unwatch(waiter);
}

struct timespec wait_time_left(uint64_t deadline_ns) {
    uint64_t now = clock_now();
    uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
    return (struct timespec){(time_t)(left / 1000000000), (long)(left % 1000000000)};
}

int wait_milliseconds_left(uint64_t deadline_ns) {
    if (deadline_ns == TIMER_NEVER)
        return -1;
    uint64_t now = deadline_ns ? clock_now() : 0;
    uint64_t left_ms = ((deadline_ns > now ? deadline_ns - now : 0) + 999999) / 1000000;
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

#define ALONE_NS 500000000 /* nothing else tells that the keeper has died */
#define BOTH_NS 5000000    /* nothing else tells of the kernel's descriptors */

static bool restarts(const struct wait_sleep *sleep) {
    return sleep->restarts && sleep->deadline_ns == TIMER_NEVER;
}

bool wait_interrupted(const struct wait_sleep *sleep) {
    return !sleep->uninterruptible && signals_interrupted(restarts(sleep));
}

bool wait_ends(const struct waiter *waiter, const struct wait_sleep *sleep) {
    return !wait_is_own(waiter) || wait_interrupted(sleep);
}

struct timespec *wait_limit(const struct wait_sleep *sleep) {
    bool never = sleep->deadline_ns == TIMER_NEVER;
    return signals_sleep_limit(never ? SIGNALS_NO_LIMIT : wait_time_left(sleep->deadline_ns));
}

static int sleep_on_futex(struct waiter *waiter, const struct wait_sleep *sleep, uint64_t deadline_ns) {
    bool never = deadline_ns == TIMER_NEVER;
    const struct timespec *limit = signals_sleep_limit(never ? SIGNALS_NO_LIMIT : wake_limit(deadline_ns));
    if (wait_ends(waiter, sleep))
        return -EINTR;
    return never ? wake_sleep_or_death(&waiter->word, 0, limit) : wake_sleep_until(&waiter->word, 0, limit);
}

/* Where there is no descriptor to be had: the program has forbidden itself any more, or has so many as it may
 * have. A futex wait with a time limit is never begun again after a signal, as poll(2) is not. */
static int sleep_without_descriptor(struct waiter *waiter, const struct wait_sleep *sleep) {
    struct pollfd *kernel = sleep->kernel;
    nfds_t count = sleep->count;
    const sigset_t *mask = sleep->mask;
    const struct timespec no_time = {0, 0};
    sigset_t before;
    bool watches = false, ends = false;
    int result = 0;
    for (nfds_t i = 0; i < count; i++)
        watches |= kernel[i].fd >= 0;
    if (mask)
        pthread_sigmask(SIG_SETMASK, mask, &before);
    while (!ends) {
        uint64_t limit_ns = clock_now() + (watches ? BOTH_NS : ALONE_NS);
        result = sleep_on_futex(waiter, sleep, limit_ns < sleep->deadline_ns ? limit_ns : sleep->deadline_ns);
        ends = result != -ETIMEDOUT || sleep->deadline_ns <= limit_ns;
        if (watches && LIBC(ppoll)(kernel, count, &no_time, NULL) > 0)
            ends = true, result = 0;
        region_enter();
        ends |= shared->broken || keeper_has_died();
        region_leave();
    }
    if (mask)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

/* In poll(2): with the thread's eventfd and the connection to the keeper behind the kernel's descriptors. */
static int sleep_in_poll(struct waiter *waiter, const struct wait_sleep *sleep) {
    struct pollfd *kernel = sleep->kernel;
    nfds_t count = sleep->count;
    if (!waiter->by_descriptor)
        return sleep_without_descriptor(waiter, sleep);
    kernel[count] = (struct pollfd){.fd = waiter->descriptor, .events = POLLIN};
    kernel[count + 1] = (struct pollfd){.fd = attach_connection(), .events = 0};
    struct timespec *limit = wait_limit(sleep);
    if (wait_ends(waiter, sleep))
        return -EINTR;
    int cancel = wake_cancellable();
    long result = LIBC(syscall)(SYS_ppoll, kernel, count + 2, limit, sleep->mask, (size_t)_NSIG / 8);
    int error = result < 0 ? errno : 0;
    wake_cancellable_end(cancel);
    if (error == EINVAL) {
        /* Not so many descriptors in one set (RLIMIT_NOFILE). */
        region_enter();
        waiter->by_descriptor = false;
        region_leave();
        return sleep_without_descriptor(waiter, sleep);
    }
    if (error)
        return -error;
    if (kernel[count + 1].revents) {
        region_enter();
        keeper_has_died();
        region_leave();
    }
    if (kernel[count].revents) {
        uint64_t ignored;
        if (LIBC(read)(waiter->descriptor, &ignored, sizeof ignored) < 0)
            return 0;
    }
    return result == 0 ? -ETIMEDOUT : 0;
}

static int sleep_on_nic(struct waiter *waiter, const struct wait_sleep *sleep) {
    const struct timespec no_time = {0, 0};
    int result = poller_sleep(waiter, sleep);
    if (result == 1 && sleep->caller_looks)
        sleep->kernel[0].revents = POLLIN;
    else if (result == 1 && LIBC(ppoll)(sleep->kernel, sleep->count, &no_time, NULL) < 0)
        return -errno;
    return result == 1 ? 0 : result;
}

/* By what there is without the NIC. On the futex word nothing of the kernel's ends the wait. */
static int sleep_beside_nic(struct waiter *waiter, const struct wait_sleep *sleep) {
    bool looks = !sleep->restarts && sleep->count > 0; /* the kernel's descriptors can't wait */
    int spun = poller_spin(waiter, sleep, looks ? 0 : sleep->deadline_ns);
    if (spun)
        return spun > 0 ? 0 : spun;
    return sleep->restarts ? sleep_on_futex(waiter, sleep, sleep->deadline_ns) : sleep_in_poll(waiter, sleep);
}

/* A handler that the wait does not heed has ended the system call all the same, or cut its time limit short: the caller
 * looks again. */
static int end_of_sleep(const struct wait_sleep *sleep, int result) {
    bool never = sleep->deadline_ns == TIMER_NEVER;
    bool early = result == -ETIMEDOUT && (never || clock_now() < sleep->deadline_ns);
    bool goes_on = result == -EINTR && (restarts(sleep) || sleep->outlasts_stops);
    if (!early && !goes_on)
        return result;
    return wait_interrupted(sleep) ? -EINTR : 0;
}

/* The lock is not held: handlers run, for signals that were held back, and may make children. */
static int sleep_somehow(struct waiter *waiter, const struct wait_sleep *sleep, bool prepares, bool polls) {
    int result = 0;
    if (!wait_is_own(waiter))
        return -EINTR;
    if (prepares) {
        poller_prepare(waiter);
        return 0; /* and the caller looks again: a frame may have come meanwhile */
    }
    if (polls)
        result = sleep_on_nic(waiter, sleep);
    if (polls && result == -EINVAL)
        poller_yield(waiter);
    if (!polls || result == -EINVAL)
        result = sleep_beside_nic(waiter, sleep);
    return wait_is_own(waiter) ? result : -EINTR;
}

int wait_sleep(struct waiter *waiter, const struct wait_sleep *sleep) {
    bool prepares = poller_wanted(waiter), polls = !prepares && poller_begin(waiter);
    waiter->by_descriptor |= polls;
    region_leave();
    int result = end_of_sleep(sleep, sleep_somehow(waiter, sleep, prepares, polls));
    region_enter();
    return result;
}
