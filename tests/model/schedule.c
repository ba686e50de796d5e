/* SPDX-License-Identifier: MIT */
/*
 * schedule.c - who has the token next. See world.h.
 */
#include "nic/splitmix.h"
#include "tests/model/world.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

__thread struct model_thread *model_self __attribute__((tls_model("initial-exec")));

/* Not syscall(3), which is taken over. */
static long machine(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

uint64_t model_random(uint64_t limit) {
    return splitmix64(&world->random) % limit;
}

bool model_one_in(uint64_t n) {
    return model_random(n) == 0;
}

void model_tell(const char *format, ...) {
    char line[300];
    va_list arguments;
    if (!world->trace)
        return;
    int thread = model_self ? (int)(model_self - world->threads) : -1;
    int length = snprintf(line, sizeof line, "%12.6f  %2d.%-2d ", (double)world->now_ns / 1e9,
                          model_self ? model_self->process : -1, thread);
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof line - (size_t)length - 1, format, arguments);
    va_end(arguments);
    length = length < (int)sizeof line - 1 ? length : (int)sizeof line - 2;
    line[length++] = '\n';
    machine(SYS_write, TRACE_FD, (long)line, length, 0, 0, 0);
}

void model_fail(const char *format, ...) {
    va_list arguments;
    if (world->failed)
        return;
    world->failed = true;
    va_start(arguments, format);
    vsnprintf(world->failure, sizeof world->failure, format, arguments);
    va_end(arguments);
}

static bool has_signal(const struct model_thread *thread) {
    uint64_t pending = thread->pending | world->processes[thread->process].pending;
    return thread->interruptible && (pending & ~thread->mask);
}

static bool may_run(const struct model_thread *thread) {
    if (thread->state == THREAD_RUNNABLE)
        return true;
    return thread->state == THREAD_BLOCKED &&
           (thread->retry || thread->deadline_ns <= world->now_ns || has_signal(thread));
}

static struct model_thread *pick(void) {
    for (;;) {
        struct model_thread *found = NULL, *director = &world->threads[DIRECTOR];
        uint64_t first_ns = NEVER, count = 0;
        for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++) {
            if (may_run(thread) && model_random(++count) == 0)
                found = thread;
            if (thread->state == THREAD_BLOCKED && thread->deadline_ns < first_ns)
                first_ns = thread->deadline_ns;
        }
        if (found) {
            world->idle = false;
            world->idle_seen &= found == director;
            return found;
        }
        if (!world->idle_seen) {
            world->idle = world->idle_seen = true;
            return director;
        }
        if (first_ns == NEVER)
            return director;
        world->now_ns = first_ns;
        world->idle_seen = false;
    }
}

static void resume(struct model_thread *thread) {
    if (thread->state == THREAD_BLOCKED) {
        thread->wakened = thread->retry                          ? WAKENED
                          : has_signal(thread)                   ? INTERRUPTED
                          : thread->deadline_ns <= world->now_ns ? TIMED_OUT
                                                                 : WAKENED;
        thread->state = THREAD_RUNNABLE;
    }
    thread->retry = thread->woken_by_nic = false;
    world->running = (int)(thread - world->threads);
    world->print =
        (world->print ^ (uint64_t)world->running ^ world->now_ns << 8) * UINT64_C(0x9e3779b97f4a7c15);
}

static void hand_over(struct model_thread *next) {
    world->switches++;
    atomic_store(&next->token, 1);
    machine(SYS_futex, (long)&next->token, FUTEX_WAKE, 1, 0, 0, 0);
}

void model_wait_for_token(struct model_thread *thread) {
    while (!atomic_load(&thread->token))
        machine(SYS_futex, (long)&thread->token, FUTEX_WAIT, 0, 0, 0, 0);
    atomic_store(&thread->token, 0);
}

void model_schedule(void) {
    struct model_thread *self = model_self, *next;
    world->steps++;
    world->now_ns += 1 + model_random(300);
    if (self->state == THREAD_RUNNABLE && model_random(100) < world->plan.stay_percent)
        return;
    next = pick();
    resume(next);
    if (next == self)
        return;
    int saved = errno;
    hand_over(next);
    model_wait_for_token(self);
    errno = saved;
}

void model_pass_on(void) {
    struct model_thread *next = pick();
    resume(next);
    hand_over(next);
}

void model_ask_director(void) {
    for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
        if (thread->state != THREAD_FREE && thread->process == model_self->process)
            thread->state = THREAD_ENDED;
    resume(&world->threads[DIRECTOR]);
    hand_over(&world->threads[DIRECTOR]);
}

enum wakened model_block(enum reason reason, uint64_t deadline_ns, bool interruptible) {
    struct model_thread *self = model_self;
    self->state = THREAD_BLOCKED;
    self->reason = (uint8_t)reason;
    self->deadline_ns = deadline_ns;
    self->interruptible = interruptible;
    self->retry = self->woken_by_nic = false;
    model_schedule();
    self->interruptible = false;
    self->deadline_ns = NEVER;
    return self->wakened;
}

struct model_thread *model_new_thread(int process) {
    for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
        if (thread->state == THREAD_FREE) {
            memset(thread, 0, sizeof *thread);
            thread->process = process;
            thread->epoll = -1;
            thread->deadline_ns = NEVER;
            thread->state = THREAD_RUNNABLE;
            return thread;
        }
    model_fail("the model has no room for so many threads");
    return NULL;
}

static bool sleeps_on(const struct model_thread *thread, enum reason reason, uintptr_t word, int process) {
    return thread->state == THREAD_BLOCKED && thread->reason == reason &&
           (thread->words[0] == word || thread->words[1] == word) &&
           (process < 0 || thread->process == process);
}

static void rouse(struct model_thread *thread) {
    thread->retry = true;
}

int model_wake(enum reason reason, uintptr_t word, int count, int process) {
    int woken = 0;
    while (woken < count) {
        struct model_thread *found = NULL;
        uint64_t seen = 0;
        for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
            if (sleeps_on(thread, reason, word, process) && !thread->retry && model_random(++seen) == 0)
                found = thread;
        if (!found)
            break;
        rouse(found);
        woken++;
    }
    return woken;
}

void model_descriptors_changed(void) {
    for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
        if (thread->state == THREAD_BLOCKED && thread->reason == ON_DESCRIPTORS)
            rouse(thread);
}

#define IN_FRONT_NS 20000000 /* the keeper gets behind a new watcher meanwhile */

/* The keeper is woken first: nobody may have watched the NIC for long that sleeps now, and would have saved it that. */
static void check_order(const struct model_thread *woken, const struct watcher *first) {
    if (!world->processes[woken->process].keeper || world->failed)
        return;
    for (const struct watcher *later = first + 1; later < world->watchers + world->watcher_count; later++)
        for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
            if (thread->state == THREAD_BLOCKED && thread->reason == ON_DESCRIPTORS && !thread->retry &&
                thread->epoll == later->epoll && world->now_ns - later->since_ns > IN_FRONT_NS)
                model_fail("the NIC wakes the keeper, although thread %d of process %d sleeps on it and has "
                           "watched it for %d ms",
                           (int)(thread - world->threads), thread->process,
                           (int)((world->now_ns - later->since_ns) / 1000000));
}

void model_nic_rings(void) {
    for (struct watcher *watcher = world->watchers; watcher < world->watchers + world->watcher_count;
         watcher++) {
        bool woken = false;
        watcher->pending = true;
        for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX && !woken;
             thread++)
            if (thread->state == THREAD_BLOCKED && thread->reason == ON_DESCRIPTORS &&
                thread->epoll == watcher->epoll && !thread->woken_by_nic) {
                check_order(thread, watcher);
                rouse(thread);
                woken = thread->woken_by_nic = true;
            }
        if (woken && watcher->events & 1u << 28) /* EPOLLEXCLUSIVE */
            break;
    }
    /* poll(2) */
    for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
        if (thread->state == THREAD_BLOCKED && thread->reason == ON_DESCRIPTORS && thread->epoll < 0)
            rouse(thread);
}

void model_epoll_hold(int epoll) {
    world->epoll_references[epoll]++;
}

void model_epoll_drop(int epoll) {
    if (--world->epoll_references[epoll] > 0)
        return;
    for (int i = 0; i < world->watcher_count; i++)
        if (world->watchers[i].epoll == epoll) {
            memmove(&world->watchers[i], &world->watchers[i + 1],
                    sizeof world->watchers[0] * (size_t)(world->watcher_count - i - 1));
            world->watcher_count--;
            i--;
        }
}

void model_process_dead(int number) {
    struct model_process *process = &world->processes[number];
    process->state = PROCESS_DEAD;
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (world->processes[i].state == PROCESS_PLANNED && world->processes[i].parent == number)
            model_process_dead(i); /* a child that it was about to make */
    for (int fd = 0; fd < NUMBERS_MAX; fd++)
        if (process->epoll_of[fd])
            model_epoll_drop(process->epoll_of[fd] - 1);
    for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
        if (thread->state != THREAD_FREE && thread->process == number)
            thread->state = THREAD_FREE;
    for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
        if (thread->state == THREAD_BLOCKED && thread->reason == ON_PROCESS)
            rouse(thread);
    model_descriptors_changed();
}
