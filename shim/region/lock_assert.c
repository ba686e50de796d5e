/* SPDX-License-Identifier: MIT */
/*
 * lock_assert.c - see lock_assert.h.
 *
 * What is told is written by the kernel's instruction itself: nothing else may be called here. The places are
 * offsets in the file, as addr2line(1) takes them; they are found by frame pointers, which such a build has.
 */
#include "shim/region/lock_assert.h"

#ifdef LOCK_ASSERTED
#include "shim/region/kernel_calls.h"
#include "shim/region/region.h"
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#define FRAMES_MAX 16

__thread const char *lock_holder;

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* What is told, in the region: the other processes of the stack say so as well. */
static void say(const char *text) {
    size_t said = strlen(shared->message), more = strlen(text);
    if (said + more < sizeof shared->message)
        memcpy(shared->message + said, text, more + 1);
}

static void say_place(uintptr_t address) {
    char text[2 + 2 * sizeof address + 1], *at = text + sizeof text;
    *--at = 0;
    do
        *--at = "0123456789abcdef"[address % 16];
    while ((address /= 16) != 0);
    say(" 0x");
    say(at);
}

/* Those that lie in this file: what is outside is the program's, whose frames may be anything. */
static void say_callers(void **frame) {
    for (int i = 0; frame && i < FRAMES_MAX; i++) {
        uintptr_t caller = (uintptr_t)frame[1] - (uintptr_t)__ehdr_start;
        if (caller > 1 << 26 || (void **)*frame <= frame)
            break;
        say_place(caller - 1);
        frame = *frame;
    }
}

void lock_assert_fail(const char *what) {
    const char *holder = lock_holder;
    lock_holder = NULL;
    shared->broken = true;
    *shared->message = 0;
    say("with the stack's lock held, which ");
    say(holder ? holder : "this thread");
    say(" took, comes: ");
    say(what);
    say(", from");
    say_callers(__builtin_frame_address(0));
    struct iovec line[] = {{"barewire: ", 10}, {shared->message, strlen(shared->message)}, {"\n", 1}};
    kernel_call(SYS_writev, 2, (long)line, 3, 0, 0, 0);
    uint64_t none = 0;
    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof none, 0, 0);
    struct sigaction plain = {.sa_handler = SIG_DFL};
    LIBC(sigaction)(SIGABRT, &plain, NULL);
    for (;;)
        kernel_call(SYS_tgkill, kernel_call(SYS_getpid, 0, 0, 0, 0, 0, 0),
                    kernel_call(SYS_gettid, 0, 0, 0, 0, 0, 0), SIGABRT, 0, 0, 0);
}
#endif
