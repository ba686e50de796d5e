/* SPDX-License-Identifier: MIT */
/*
 * clock.c - see clock.h.
 */
#include "shim/region/clock.h"
#include "shim/region/libc.h"
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)
#define SAME_NS 1000000             /* two measurements of one clock differ by less */
#define FORK_NS (UINT64_C(1) << 32) /* fork(2) takes no longer, if all is well */

static int (*vdso)(clockid_t, struct timespec *);
static uint64_t ahead;    /* the stack's time, of this process's clock; modulo 2^64, as all of this */
static uint64_t own_real; /* by how much the time of day was ahead of this process's clock */

void clock_begin(void) {
    void *library = LIBC(dlopen)("linux-vdso.so.1", RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
#if defined __aarch64__
    static const char name[] = "__kernel_clock_gettime";
#else
    static const char name[] = "__vdso_clock_gettime";
#endif
    if (library)
        *(void **)&vdso = dlsym(library, name);
}

/* Neither libc's clock_gettime(2) nor its syscall(2): others may have put themselves in their place. */
static inline void ask_kernel(clockid_t clock, struct timespec *time) {
#if defined __x86_64__
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_clock_gettime), "D"(clock), "S"(time)
                     : "rcx", "r11", "memory");
#elif defined __aarch64__
    register long number __asm__("x8") = SYS_clock_gettime;
    register long first __asm__("x0") = clock;
    register struct timespec *second __asm__("x1") = time;
    __asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second) : "memory");
#else
    clock_gettime(clock, time);
#endif
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
#ifdef CLOCK_OF_LIBC /* for tests/model, whose time is virtual */
    clock_gettime(clock, &time);
#else
    if (!vdso || vdso(clock, &time))
        ask_kernel(clock, &time);
#endif
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

uint64_t clock_now(void) {
    return read_clock(CLOCK_MONOTONIC) + ahead;
}

uint64_t clock_realtime(void) {
    return read_clock(CLOCK_REALTIME);
}

uint64_t clock_realtime_offset(void) {
    return clock_realtime() - clock_now();
}

uint64_t clock_own(uint64_t stack_ns) {
    return stack_ns - ahead;
}

static bool is_between(uint64_t what, uint64_t first, uint64_t last) {
    return what - first + SAME_NS <= last - first + 2 * SAME_NS;
}

void clock_join(uint64_t asked_ns, uint64_t answered_ns, uint64_t keeper_ns,
                uint64_t keeper_realtime_offset) {
    if (!is_between(keeper_ns, asked_ns, answered_ns)) {
        /* The time of day is the same everywhere, so the difference is known exactly, unless that was set
         * just now. */
        uint64_t exact = clock_realtime_offset() - keeper_realtime_offset;
        bool good = is_between(exact, keeper_ns - answered_ns, keeper_ns - asked_ns);
        ahead += good ? exact : keeper_ns - (asked_ns + answered_ns) / 2;
    }
    own_real = clock_realtime_offset() + ahead;
}

void clock_forked(uint64_t before_ns) {
    uint64_t now_ns = clock_now(), real = clock_realtime_offset() + ahead;
    if (now_ns - before_ns < FORK_NS || is_between(real, own_real, own_real))
        return;
    ahead += before_ns - now_ns;
    own_real = real;
}
