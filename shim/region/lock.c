/* SPDX-License-Identifier: MIT */
/*
 * lock.c - see lock.h.
 *
 * The lock is a robust mutex. Between taking it and letting it go, shared->busy is set: a process that dies
 * meanwhile leaves a state that is half changed, and the next one repairs it first (region_repair.h).
 *
 * Nothing is called with the lock held that is not the stack's: no handler, destructor or atfork handler of a
 * program's or a library's. A process that ends, stops or executes another program in an orderly way closes a
 * gate before: its other threads wait outside, and none of them leaves a half-made change.
 */
#include "shim/region/lock.h"
#include "shim/region/frames.h"
#include "shim/region/libc.h"
#include "shim/region/region_repair.h"
#include "shim/region/wake.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_AGAIN_NS 50000000
#define GATE_PATIENCE_NS 1000000000
#define TURNS_AT_ONCE 8 /* then it is the keeper's to go on sending: others add to what waits */
#define RECORDER_PAUSE_NS 500000
#define RECORDER_PAUSES 2000 /* a second; then the recording may end */
#define SPINS 200            /* some 5 microseconds */

static __thread int depth __attribute__((tls_model("initial-exec")));
static __thread bool flushing
    __attribute__((tls_model("initial-exec"))); /* the lock is let go, the rest not done */
static _Atomic unsigned unwatched = 1;
static _Atomic uint32_t gate; /* 1: closed, for all threads but the one that keeps it */
static __thread bool holds_signals __attribute__((tls_model("initial-exec")));
static __thread bool keeps_gate __attribute__((tls_model("initial-exec")));

/* While the lock is held, if that is measured: where it was taken, how long that took, and when it was. */
static __thread struct {
    struct lock_place *place; /* NULL: it is not measured */
    uint64_t waited_ns, since_ns;
} measured __attribute__((tls_model("initial-exec")));

void (*_Atomic region_left)(void);
void (*shared_forked)(void);
_Atomic unsigned *shared_unforked = &unwatched;
void (*shared_begin)(void);
void (*_Atomic shared_traced)(void);

__thread struct robust_list_head *lock_robust_list;
static __thread struct robust_list *pending; /* a guest's operation, in whose midst a handler calls */

/* Before the lock is taken; and when it is the kernel's business no more. */
static void announce(void) {
    struct robust_list_head *list = lock_robust_list;
    if (__builtin_expect(!list, 1))
        return;
    pending = list->list_op_pending;
    list->list_op_pending = (void *)((char *)&shared->lock.__data.__lock - list->futex_offset);
    atomic_signal_fence(memory_order_seq_cst);
}

static void withdraw(void) {
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(lock_robust_list != NULL, 0))
        lock_robust_list->list_op_pending = pending;
}

void lock_create(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->lock, &attributes);
    pthread_mutex_init(&shared->keeper_life, &attributes);
    pthread_mutex_lock(&shared->keeper_life);
    pthread_mutexattr_destroy(&attributes);
}

_Atomic uint32_t *keeper_life_word(uint32_t *alive) {
    _Atomic uint32_t *word = (_Atomic uint32_t *)&shared->keeper_life.__data.__lock;
    /* The kernel wakes a robust futex's sleepers when its owner dies, if this bit says that there are any. */
    *alive = atomic_fetch_or(word, FUTEX_WAITERS) | FUTEX_WAITERS;
    return word;
}

bool keeper_has_died(void) {
    uint32_t word =
        atomic_load_explicit((_Atomic uint32_t *)&shared->keeper_life.__data.__lock, memory_order_relaxed);
    if (!(word & FUTEX_OWNER_DIED))
        return false;
    if (!shared->broken)
        shared->orphaned = true;
    shared_break("the stack's keeper has died");
    return true;
}

static void owner_died(void) {
    pthread_mutex_consistent(&shared->lock);
    if (shared->busy && !shared->broken && !shared_repair())
        shared_break("a process died while it was changing the stack, which is out of memory");
}

/* Takes the lock, or gives up: ETIMEDOUT. */
static int take_within(uint64_t patience_ns) {
    uint64_t limit_ns = clock_realtime() + patience_ns;
    struct timespec limit = {(time_t)(limit_ns / 1000000000), (long)(limit_ns % 1000000000)};
    return pthread_mutex_timedlock(&shared->lock, &limit);
}

/* The lock is held for a microsecond or so: to look again is cheaper than to sleep. Whoever sleeps looks
 * again now and then: a sleeper that is killed at the moment when it is woken takes that wake-up with it. */
static int take_mutex(void) {
    for (int i = 0; i < SPINS; i++) {
        if (*(volatile int *)&shared->lock.__data.__lock == 0) {
            int result = pthread_mutex_trylock(&shared->lock);
            if (result != EBUSY)
                return result;
        }
        shared_relax();
    }
    int result;
    while ((result = take_within(LOOK_AGAIN_NS)) == ETIMEDOUT)
        continue;
    return result;
}

static void set_busy(bool busy) {
    atomic_signal_fence(memory_order_seq_cst);
    shared->busy = busy;
    atomic_signal_fence(memory_order_seq_cst);
}

/* When somebody asks for the lock, if that is measured; else 0. */
static uint64_t ask(void) {
    return __builtin_expect(shared->lock_profile.wanted, 0) ? clock_now() : 0;
}

/* The stack's time never goes back: a process that was stopped with the time in its hand brings none. */
static void note_entered(struct lock_place *place, uint64_t asked_ns) {
    uint64_t now_ns = clock_now();
    set_busy(true);
    if (now_ns > shared->stack.now_ns)
        shared->stack.now_ns = now_ns;
    if (__builtin_expect(asked_ns != 0, 0)) {
        measured.place = place;
        measured.waited_ns = now_ns - asked_ns;
        measured.since_ns = now_ns;
    }
    lock_assert_held_by(place->name);
}

/* The lock is about to be let go. */
static void end_measuring(void) {
    struct lock_place *place = measured.place;
    measured.place = NULL;
    lock_profile_note(&shared->lock_profile, place, measured.waited_ns, clock_now() - measured.since_ns);
}

static void take_and_begin(struct lock_place *place) {
    uint64_t asked_ns = ask();
    depth = 1;
    if (take_mutex() == EOWNERDEAD)
        owner_died();
    note_entered(place, asked_ns);
}

static bool gate_is_closed(void) {
    return __builtin_expect(gate, 0) && !keeps_gate;
}

/* Waits until the gate is open again, which is never in a process that ends. What waits for a signal's
 * handler may have it meanwhile. */
static void wait_at_gate(void) {
    depth = 0;
    withdraw();
    if (region_left && !holds_signals)
        region_left();
    while (gate)
        LIBC(syscall)(SYS_futex, &gate, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
    announce();
    depth = 1;
}

/* The keeper writes a recording to its file: who calls waits while half of the ring is full. */
static void wait_for_recorder(void) {
    const struct recorder *recorder = shared->stack.recorder;
    const struct timespec pause = {0, RECORDER_PAUSE_NS};
    for (int i = 0; i < RECORDER_PAUSES && record_is_crowded(recorder) && !shared->broken; i++)
        LIBC(syscall)(SYS_nanosleep, &pause, NULL);
}

/* The first of a thread's locks. Whoever closed the gate has had the lock since, so that this thread, which
 * got it later, sees that. */
static void enter_locked(struct lock_place *place) {
    uint64_t asked_ns = ask();
    if (__builtin_expect(shared->stack.recorder != NULL, 0))
        wait_for_recorder();
    announce();
    for (;;) {
        int result = gate_is_closed() ? EBUSY : take_mutex();
        if (result == EOWNERDEAD)
            owner_died();
        if (!gate_is_closed())
            break;
        if (result != EBUSY)
            pthread_mutex_unlock(&shared->lock);
        wait_at_gate();
    }
    note_entered(place, asked_ns);
}

void region_enter_at(struct lock_place *place) {
    if (__builtin_expect(!*shared_unforked, 0))
        shared_forked();
    lock_assert_not(depth > 0, "the lock once more");
    if (depth++ == 0)
        enter_locked(place);
    if (shared_begin) {
        void (*begin)(void) = shared_begin;
        shared_begin = NULL;
        begin();
    }
}

/* What is to be done once the lock is let go. */
struct flush {
    int frames; /* to be sent: this thread has the lease */
    bool more;  /* there are more to be woken */
    struct wake_list wakes;
};

/* Lets work go on that the change made possible, notes whom it concerns, and lets the lock go. NULL: what there
 * is to flush stays for later. */
static void let_go(struct flush *flush, bool may_send) {
    int frames = 0;
    if (!shared->broken) {
        if (!list_empty(&shared->stack.output) || shared->stack.loopback_count > 0)
            stack_advance(&shared->stack, shared->stack.now_ns);
        stack_work_on(&shared->stack, NULL);
        frames = may_send ? frames_tx_acquire() : 0;
        if (!frames)
            frames_materialise();
    }
    bool more = wake_collect();
    if (flush) {
        flush->frames = frames;
        flush->more = more;
        wake_take(&flush->wakes);
    }
    if (__builtin_expect(measured.place != NULL, 0))
        end_measuring();
    set_busy(false);
    lock_assert_held_by(NULL);
    pthread_mutex_unlock(&shared->lock);
    depth = 0;
}

/* Lets the lock go, wakes and sends; then there may be more of both. */
static void leave_and_flush(void) {
    static struct lock_place after_sending = {.name = "frames_tx_complete"};
    struct flush flush;
    for (int turns = TURNS_AT_ONCE;;) {
        let_go(&flush, turns > 0);
        wake_deliver(&flush.wakes);
        if (!flush.frames && !flush.more)
            return;
        int sent = flush.frames ? frames_tx_submit(flush.frames) : 0;
        take_and_begin(&after_sending);
        if (flush.frames)
            frames_tx_complete(sent);
        turns = sent == flush.frames ? turns - 1 : 0;
    }
}

void region_let_go(void) {
    if (depth > 1) {
        depth--;
        return;
    }
    let_go(NULL, false);
    if (!flushing)
        withdraw();
}

void region_leave(void) {
    if (depth > 1) {
        depth--;
        return;
    }
    flushing = true;
    leave_and_flush();
    flushing = false;
    withdraw();
    if (shared_traced)
        shared_traced();
    if (region_left && !holds_signals)
        region_left();
}

/* Whether no other thread of this process is in the stack, nor sends on its behalf. */
static bool is_empty(void) {
    announce();
    int result = take_within(GATE_PATIENCE_NS);
    if (result == EOWNERDEAD)
        owner_died();
    bool empty = result != ETIMEDOUT && !frames_sending();
    if (result != ETIMEDOUT)
        pthread_mutex_unlock(&shared->lock);
    withdraw();
    return empty;
}

void shared_gate_close(void) {
    uint32_t open = 0;
    if (__libc_single_threaded || depth > 0 || flushing || keeps_gate)
        return; /* or the caller is in the stack itself, and finishes its change only if it can */
    while (!atomic_compare_exchange_strong(&gate, &open,
                                           1)) { /* another thread keeps it: it is let by, or ends */
        LIBC(syscall)(SYS_futex, &gate, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
        open = 0;
    }
    keeps_gate = true;
    uint64_t end_ns = clock_now() + GATE_PATIENCE_NS;
    while (!is_empty() && clock_now() < end_ns)
        continue;
}

void shared_gate_open(void) {
    if (!keeps_gate)
        return;
    keeps_gate = false;
    gate = 0;
    LIBC(syscall)(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void lock_forked(void) {
    wake_forked();
    depth = 0;
    gate = 0;
    keeps_gate = holds_signals = flushing = false;
    measured.place = NULL;
    lock_assert_held_by(NULL);
}

void lock_returned(void) {
    uint32_t word = *(volatile uint32_t *)&shared->lock.__data.__lock;
    flushing = false;
    if (depth == 0 || (word & FUTEX_TID_MASK) != (uint32_t)LIBC(syscall)(SYS_gettid)) {
        depth = 0;
        return;
    }
    if (shared->busy && !shared->broken && !shared_repair())
        shared_break("a process died while it was changing the stack, which is out of memory");
    depth = 1;
    region_leave();
}

bool region_is_held(void) {
    return depth > 0;
}

bool region_is_entered(void) {
    return depth > 0 || flushing || holds_signals;
}

void shared_hold_signals(void) {
    holds_signals = true;
}

void shared_free_signals(void) {
    holds_signals = false;
}

void shared_break(const char *message) {
    if (shared->broken)
        return;
    snprintf(shared->message, sizeof shared->message, "%s", message);
    shared->broken = true;
    wake_everybody();
}
