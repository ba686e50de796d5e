/* SPDX-License-Identifier: MIT */
/*
 * raw_call.h - system calls by an instruction of the program's own, as Go, Zig and Rust's rustix make them.
 */
#ifndef TESTS_RAW_CALL_H
#define TESTS_RAW_CALL_H

#include <sys/syscall.h>

/* Gives what the kernel gives: a result, or a negative errno. */
static inline long raw_call(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* RAW_CALL(read, fd, buffer, length) */
#define RAW_CALL(...) RAW_CALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RAW_CALL_(number, a, b, c, d, e, f, ...) \
    raw_call(SYS_##number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
