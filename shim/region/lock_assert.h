/* SPDX-License-Identifier: MIT */
/*
 * lock_assert.h - make SAN=lock: nothing leaves the library while its thread holds the stack's lock.
 *
 * In such a build a call of libc's, of an interposed function or of the kernel's that is made with the lock
 * held ends the process by SIGABRT, as do an access to the program's memory and a fault: what was called is
 * told, which function had taken the lock, and from where it was called. tests/lock/guard puts the check
 * before every function that the library or the keeper imports, and before what the library exports. In any
 * other build all of this is nothing.
 */
#ifndef SHIM_REGION_LOCK_ASSERT_H
#define SHIM_REGION_LOCK_ASSERT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef LOCK_ASSERTED
/* The function that took the lock which this thread holds; NULL: it does not hold it. */
extern __thread const char *lock_holder __attribute__((tls_model("initial-exec")));

/* Ends the process: this must not happen with the lock held. */
_Noreturn void lock_assert_fail(const char *what);

static inline void lock_assert_free(const char *what) {
    if (__builtin_expect(lock_holder != NULL, 0))
        lock_assert_fail(what);
}

static inline void lock_assert_not(bool wrong, const char *what) {
    if (__builtin_expect(wrong, 0))
        lock_assert_fail(what);
}

static inline void lock_assert_held_by(const char *holder) {
    lock_holder = holder;
}

static inline const char *lock_exception_begin(void) {
    const char *holder = lock_holder;
    lock_holder = NULL;
    return holder;
}

static inline void lock_exception_end(const char **holder) {
    lock_holder = *holder;
}

/* For the rest of the block that this stands in nothing is looked at: one of the exceptions that
 * shim/region/README.md lists. The block neither takes the lock nor lets it go. */
#define LOCK_EXCEPTION \
    __attribute__((cleanup(lock_exception_end))) const char *lock_exception = lock_exception_begin()
#else
#define LOCK_EXCEPTION _Static_assert(1, "nothing is looked at")

static inline void lock_assert_free(const char *what) {
    (void)what;
}

static inline void lock_assert_not(bool wrong, const char *what) {
    (void)wrong, (void)what;
}

static inline void lock_assert_held_by(const char *holder) {
    (void)holder;
}
#endif

#endif
