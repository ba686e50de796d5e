/* SPDX-License-Identifier: MIT */
/*
 * syscall_table.c - see syscall_table.h.
 *
 * The first question is asked with the vector registers of the caller live, so what answers it may not use
 * any (general-regs-only): it is compiled without calls to anything but inline functions.
 */
#include "shim/library/syscalls/syscall_table.h"
#include "shim/library/calls/by_instruction.h"
#include "shim/library/calls/syscall.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/guest/guest_calls.h"
#include "shim/library/guest/guest_thread.h"
#include "shim/library/netinfo/netlink.h"
#include "shim/library/process/address_space.h"
#include "shim/library/process/exec.h"
#include "shim/library/process/preloaded.h"
#include "shim/library/process/signals.h"
#include "shim/library/syscalls/user_dispatch.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include "shim/region/syscall_concern.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <ucontext.h>

bool syscall_table_has(long number) {
    enum syscall_concern concern = syscall_concern(number);
    return concern != NEVER && concern != PROGRAMS && (concern != WITH_DISPATCH || user_dispatch_on);
}

#define NO_VECTORS __attribute__((target("general-regs-only")))

NO_VECTORS static inline bool is_ours(long fd) {
    return descriptor_find((int)fd) || netlink_any;
}

NO_VECTORS static bool concerns_us(const struct syscall_frame *frame, bool of_program) {
    enum syscall_concern concern = syscall_concern(frame->number);
    if (concern == NEVER)
        return false;
    if (preloaded_passing) {
        preloaded_passing = false;
        return false;
    }
    switch (concern) {
    case OF_FD:
        return is_ours(frame->rdi);
    case OF_TWO:
        return is_ours(frame->rdi) || is_ours(frame->rsi) || is_ours(frame->rdx);
    case ALWAYS:
        return true;
    case WITH_DISPATCH:
        return user_dispatch_on;
    case PROGRAMS:
        return of_program;
    default:
        return false;
    }
}

NO_VECTORS bool syscall_concerns_libc(const struct syscall_frame *frame) {
    return concerns_us(frame, false);
}

/* Most calls of a program's concern nobody: FS is left alone for those. */
GUEST_SAFE bool syscall_concerns_program(struct program_frame *frame) {
    if (syscall_concern(frame->call.number) == NEVER)
        return false;
    frame->entered = guest_enter();
    if (concerns_us(&frame->call, true))
        return true;
    guest_leave(frame->entered);
    return false;
}

GUEST_SAFE void syscall_program_leave(const struct program_frame *frame) {
    syscall_stack_give();
    guest_leave(frame->entered);
}

/* Whether the call changes which descriptors there are: in a child that shares its parent's memory, as
 * posix_spawn(3) makes one inside libc, that is the kernel's business alone. */
static bool changes_descriptors(long number) {
    switch (number) {
    case SYS_close:
    case SYS_close_range:
    case SYS_dup:
#ifdef SYS_dup2 /* a new architecture has the other alone */
    case SYS_dup2:
#endif
    case SYS_dup3:
    case SYS_fcntl:
    case SYS_ioctl:
        return true;
    default:
        return false;
    }
}

static struct syscall_answer serve(const struct syscall_frame *frame,
                                   bool (*take)(long number, const long arguments[6], long *result)) {
    const long arguments[6] = {frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9};
    long result;
    if (changes_descriptors(frame->number) && address_space_by_caller())
        return (struct syscall_answer){.pass = true};
    int saved = errno;
    if (!take(frame->number, arguments, &result))
        return (struct syscall_answer){.pass = true};
    if (result == -1)
        result = -errno;
    errno = saved;
    return (struct syscall_answer){.result = result};
}

/* Masks of signals are changed inside libc, too, once the program's instructions lead to us. A thread that libc makes
 * for itself, as for SIGEV_THREAD, does so before it calls a function of the program's. */
static bool of_libc(long number, const long arguments[6], long *result) {
    if (number == SYS_execve)
        return exec_by_libc(arguments, result);
    if (number == SYS_rt_sigprocmask)
        user_dispatch_meet_thread();
    bool with_dispatch = syscall_concern(number) == WITH_DISPATCH;
    return (with_dispatch ? syscall_take_program : syscall_take)(number, arguments, result);
}

/*
 * In a process of several threads libc makes a thread cancellable at any instruction while a call of its
 * sleeps; our calls must not be left so. They have cancellation points of their own.
 */
struct syscall_answer syscall_serve_libc(const struct syscall_frame *frame) {
    int type = PTHREAD_CANCEL_DEFERRED;
    if (__libc_single_threaded)
        return serve(frame, of_libc);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    struct syscall_answer answer = serve(frame, of_libc);
    if (type != PTHREAD_CANCEL_DEFERRED)
        pthread_setcanceltype(type, NULL);
    return answer;
}

static struct syscall_answer serve_other(const struct syscall_frame *frame) {
    return serve(frame, syscall_take_program);
}

/* Where a guest's call that may wait is given up. */
static __thread jmp_buf *way_out __attribute__((tls_model("initial-exec")));

static struct syscall_answer serve_interruptible(const struct syscall_frame *frame) {
    jmp_buf *outer = way_out, here;
    struct syscall_answer answer = {.result = -EINTR};
    if (_setjmp(here) == 0) {
        way_out = &here;
        answer = serve(frame, syscall_take_program);
    }
    way_out = outer;
    return answer;
}

#if defined __x86_64__ && !defined CALLS_BY_LIBC
#define CALL_BYTES (256 << 10) /* of stack that a call may take */

static void leave_call(void) {
    _longjmp(*way_out, 1);
}

void syscall_give_up(void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t stack = (uintptr_t)registers[REG_RSP];
    if ((uintptr_t)way_out - stack > CALL_BYTES) /* of a call that a handler has jumped out of, or NULL */
        return;
    registers[REG_RSP] = (greg_t)(((stack - RED_ZONE_BYTES) & ~15ul) - 8);
    registers[REG_RIP] = (greg_t)(uintptr_t)leave_call;
}
#endif

/* An instruction of the program's own is no cancellation point. */
struct syscall_answer syscall_serve_program(struct program_frame *frame) {
    int state = PTHREAD_CANCEL_ENABLE;
    struct syscall_answer answer;
    if (guest_take(frame, &answer.result))
        return (struct syscall_answer){.result = answer.result};
    struct syscall_answer (*serve_call)(const struct syscall_frame *) =
        guest_threads && signals_interrupt(frame->call.number) ? serve_interruptible : serve_other;
    if (__libc_single_threaded)
        return serve_call(&frame->call);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    answer = serve_call(&frame->call);
    if (state == PTHREAD_CANCEL_ENABLE)
        pthread_setcancelstate(state, NULL);
    return answer;
}
