/* SPDX-License-Identifier: MIT */
/*
 * guest_calls.c - see guest_calls.h.
 *
 * Children. One that shares this memory while its parent's thread waits (vfork(2), posix_spawn(3), Go's exec)
 * does so here as well, as in a dynamic program (fork.c, address_space.h): it begins on the next of the
 * thread's stacks for calls, has the parent's FS while in the library, and must not return from the parent's
 * calls. What it changes of the thread, and of the registers saved on the program's stack, is put back when the
 * thread goes on. One that asks for what libc's clone(3) can't say gets a copy of the memory.
 */
#include "shim/library/guest/guest_calls.h"
#include "shim/library/guest/guest_thread.h"
#include "shim/library/memory.h"
#include "shim/library/netinfo/procfs.h"
#include "shim/library/process/fork.h"
#include "shim/library/process/netns.h"
#include "shim/library/syscalls/user_dispatch.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

char guest_program[PATH_MAX];

#if defined __x86_64__ && !defined CALLS_BY_LIBC
#include <asm/prctl.h>

static long make_child(const struct program_frame *frame, long number, const long arguments[6],
                       const struct clone_args *wanted) {
    long pid = fork_by_syscall(number, arguments);
    if (pid < 0)
        return -errno;
    if (pid > 0)
        return pid;
    user_dispatch_forked();
    guest_clear_tid_set(wanted->flags & CLONE_CHILD_CLEARTID ? (int *)wanted->child_tid : NULL);
    if (wanted->flags & CLONE_SETTLS) {
        guest_threads_begin();
        guest_fs_set(wanted->tls);
    }
    if (wanted->stack || wanted->flags & CLONE_SETTLS) {
        user_dispatch_leaves_stack();
        guest_resume(frame, wanted->stack ? wanted->stack + wanted->stack_size : 0);
    }
    return 0;
}

/* A child that runs in this memory: what it begins with. */
struct borrower {
    struct program_frame frame;
    uintptr_t stack, fs;
    bool sets_fs;
    struct guest_child child; /* of one that goes on beside its parent */
    int *child_tid;
};

static int begin_borrower(void *context) {
    const struct borrower *borrower = context;
    guest_thread_borrowed();
    if (borrower->sets_fs) {
        guest_threads_begin();
        guest_fs_set(borrower->fs);
    }
    user_dispatch_borrowed();
    guest_resume(&borrower->frame, borrower->stack);
}

/* What libc's clone(3) can say of a child that is waited for. */
#define OF_A_BORROWER                                                                                     \
    (CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_FILES | CLONE_PIDFD | CLONE_PARENT_SETTID |                \
     CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_SYSVSEM | CLONE_PARENT | CLONE_IO | CLONE_SETTLS | \
     CLONE_SIGHAND | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |        \
     CLONE_NEWPID | CLONE_NEWNET)

static bool can_borrow(const struct clone_args *wanted) {
    return wanted->flags & CLONE_VM && !(wanted->flags & ~(uint64_t)OF_A_BORROWER) && !wanted->set_tid_size &&
           !(wanted->flags & CLONE_PIDFD && wanted->flags & CLONE_PARENT_SETTID);
}

static int begin_beside(void *context) {
    const struct borrower *borrower = context;
    guest_thread_borrowed();
    user_dispatch_take_back(0);
    guest_fs_set(borrower->fs);
    if (borrower->child_tid)
        *borrower->child_tid = (int)kernel_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
    user_dispatch_borrowed();
    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&borrower->child.mask, 0, sizeof borrower->child.mask,
                0, 0);
    guest_resume(&borrower->frame, borrower->stack);
}

static long make_beside(const struct program_frame *frame, const struct clone_args *wanted) {
    const int not_its = CLONE_SETTLS | CLONE_SIGHAND | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    int *child_tid = (int *)wanted->child_tid;
    if (!wanted->stack)
        return -EINVAL; /* both would write to one */
    struct borrower borrower = {
        .frame = *frame,
        .stack = wanted->stack + wanted->stack_size,
        .fs = wanted->flags & CLONE_SETTLS ? wanted->tls : guest_fs(),
        .child = {.function = begin_beside,
                  .context = &borrower,
                  .context_bytes = sizeof borrower,
                  .flags = ((int)wanted->flags & ~not_its) | (int)wanted->exit_signal,
                  .parent_tid = (void *)(wanted->flags & CLONE_PIDFD ? wanted->pidfd : wanted->parent_tid),
                  .clear_tid = wanted->flags & CLONE_CHILD_CLEARTID ? child_tid : NULL},
        .child_tid = wanted->flags & CLONE_CHILD_SETTID ? child_tid : NULL};
    return guest_thread_lend(&borrower.child);
}

static long make_borrower(struct program_frame *frame, const struct clone_args *wanted, void *stack) {
    const int not_its = CLONE_SETTLS | CLONE_SIGHAND;
    struct borrower borrower = {.frame = *frame,
                                .stack = wanted->stack ? wanted->stack + wanted->stack_size
                                                       : program_frame_stack(frame),
                                .fs = wanted->tls,
                                .sets_fs = wanted->flags & CLONE_SETTLS};
    void *parent_tid = (void *)(wanted->flags & CLONE_PIDFD ? wanted->pidfd : wanted->parent_tid);
    struct guest_thread_state state = guest_thread_save();
    unsigned taken = user_dispatch_taken();
    int pid = clone(begin_borrower, stack, ((int)wanted->flags & ~not_its) | (int)wanted->exit_signal,
                    &borrower, parent_tid, NULL, (void *)wanted->child_tid);
    int error = errno;
    user_dispatch_take_back(taken);
    guest_thread_restore(&state);
    *frame = borrower.frame;
    return pid < 0 ? -error : pid;
}

/*
 * A task that stops all threads of the process (CLONE_UNTRACED), as the sanitizers have one. It may stop its parent's
 * thread anywhere, and must not wait for what that holds then, nor for a thread of ours that waits for it: its calls are
 * the kernel's. It has libc's FS. What it begins with is not given back: it may be about to read it for as long as it
 * has done nothing.
 */
static int begin_tracer(void *context) {
    const struct borrower *borrower = context;
    guest_resume(&borrower->frame, borrower->stack);
}

static bool can_trace(const struct clone_args *wanted) {
    const uint64_t of_it = (OF_A_BORROWER | CLONE_UNTRACED) & ~(uint64_t)CLONE_SETTLS;
    return wanted->stack && !(wanted->flags & ~of_it) && !wanted->set_tid_size && !guest_threads &&
           !(wanted->flags & CLONE_PIDFD && wanted->flags & CLONE_PARENT_SETTID);
}

static long make_tracer(const struct program_frame *frame, const struct clone_args *wanted) {
    struct borrower *borrower = memory_take(sizeof *borrower);
    if (!borrower)
        return -ENOMEM;
    *borrower = (struct borrower){.frame = *frame, .stack = wanted->stack + wanted->stack_size};
    void *parent_tid = (void *)(wanted->flags & CLONE_PIDFD ? wanted->pidfd : wanted->parent_tid);
    int pid =
        clone(begin_tracer, (void *)(borrower->stack & ~15ul), (int)wanted->flags | (int)wanted->exit_signal,
              borrower, parent_tid, NULL, (void *)wanted->child_tid);
    if (pid >= 0)
        return pid;
    int error = errno;
    memory_give(borrower);
    return -error;
}

static long make(struct program_frame *frame, const struct clone_args *wanted, long number,
                 const long arguments[6]) {
    void *stack;
    if (wanted->flags & CLONE_NEWNET)
        netns_leaving();
    if (wanted->flags & CLONE_THREAD) {
        if (!(wanted->flags & CLONE_VM) || !wanted->stack)
            return -EINVAL;
        struct guest_clone clone = {.flags = wanted->flags,
                                    .stack = wanted->stack + wanted->stack_size,
                                    .fs = wanted->flags & CLONE_SETTLS ? wanted->tls : guest_fs(),
                                    .parent_tid = (int *)wanted->parent_tid,
                                    .child_tid = (int *)wanted->child_tid};
        return guest_thread_make(frame, &clone);
    }
    if (wanted->flags & CLONE_VM && !(wanted->flags & CLONE_VFORK)) {
        if (wanted->flags & CLONE_UNTRACED)
            return can_trace(wanted) ? make_tracer(frame, wanted) : -EINVAL;
        return can_borrow(wanted) ? make_beside(frame, wanted) : -EINVAL;
    }
    if (can_borrow(wanted) && (stack = user_dispatch_next_stack()))
        return make_borrower(frame, wanted, stack);
    return make_child(frame, number, arguments, wanted);
}

/* What a child's clone is not to do: it does not share, and FS and the stack are changed by us. */
#define NOT_BY_THE_KERNEL (CLONE_VM | CLONE_VFORK | CLONE_SIGHAND | CLONE_SETTLS | CLONE_CHILD_CLEARTID)

static long take_clone(struct program_frame *frame) {
    const struct syscall_frame *call = &frame->call;
    const struct clone_args wanted = {.flags = (uint64_t)call->rdi & ~(uint64_t)CSIGNAL,
                                      .stack = (uint64_t)call->rsi,
                                      .exit_signal = (uint64_t)call->rdi & CSIGNAL,
                                      .pidfd = (uint64_t)call->rdx,
                                      .parent_tid = (uint64_t)call->rdx,
                                      .child_tid = (uint64_t)call->r10,
                                      .tls = (uint64_t)call->r8};
    const long arguments[6] = {call->rdi & ~(long)NOT_BY_THE_KERNEL, 0, call->rdx, call->r10, 0, 0};
    return make(frame, &wanted, SYS_clone, arguments);
}

static long take_clone3(struct program_frame *frame) {
    size_t bytes = (size_t)frame->call.rsi;
    struct clone_args wanted = {0}, changed;
    if (bytes < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    if (bytes > sizeof wanted)
        return -E2BIG;
    memcpy(&wanted, (const void *)frame->call.rdi, bytes);
    if (wanted.flags &
        CLONE_CLEAR_SIGHAND) /* SIGSYS has a handler of ours; Linux before 5.5 refuses it as well */
        return -EINVAL;
    changed = wanted;
    changed.flags &= ~(uint64_t)NOT_BY_THE_KERNEL;
    changed.stack = changed.stack_size = 0;
    const long arguments[6] = {(long)&changed, (long)bytes};
    return make(frame, &wanted, SYS_clone3, arguments);
}

static bool take_child(struct program_frame *frame, long *result) {
    static const struct clone_args plain = {.exit_signal = SIGCHLD},
                                   borrowing = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD};
    const long nothing[6] = {0};
    switch (frame->call.number) {
    case SYS_vfork:
        *result = make(frame, &borrowing, SYS_fork, nothing);
        return true;
    case SYS_fork:
        *result = make_child(frame, SYS_fork, nothing, &plain);
        return true;
    case SYS_clone:
        *result = take_clone(frame);
        return true;
    case SYS_clone3:
        *result = take_clone3(frame);
        return true;
    default:
        return false;
    }
}

static struct {
    uintptr_t start, end, limit;
    atomic_flag busy;
} data_break = {.busy = ATOMIC_FLAG_INIT};

void guest_break_begin(uintptr_t end, size_t room) {
    data_break.start = data_break.end = end;
    data_break.limit = (end + room) & ~4095ul;
}

/* Pages between two breaks become accessible, or are given back. */
static bool move_break(uintptr_t from, uintptr_t to) {
    from = (from + 4095) & ~4095ul;
    to = (to + 4095) & ~4095ul;
    if (to > from)
        return kernel_call(SYS_mprotect, (long)from, (long)(to - from), PROT_READ | PROT_WRITE, 0, 0, 0) == 0;
    return to == from ||
           kernel_call(SYS_mmap, (long)to, (long)(from - to), PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == (long)to;
}

static long take_break(uintptr_t wanted) {
    while (atomic_flag_test_and_set_explicit(&data_break.busy, memory_order_acquire))
        kernel_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    if (wanted >= data_break.start && wanted <= data_break.limit && move_break(data_break.end, wanted))
        data_break.end = wanted;
    long end = (long)data_break.end;
    atomic_flag_clear_explicit(&data_break.busy, memory_order_release);
    return end;
}

static bool take_arch(struct program_frame *frame, long *result) {
    uintptr_t address = (uintptr_t)frame->call.rsi;
    *result = 0;
    switch (frame->call.rdi) {
    case ARCH_SET_FS:
        if (address >= ADDRESSES_END)
            *result = -EPERM;
        else
            guest_fs_set(address), frame->entered = true;
        return true;
    case ARCH_GET_FS:
        *(uintptr_t *)address = guest_fs();
        return true;
    case ARCH_SET_GS: /* ours */
        *result = -EPERM;
        return true;
    case ARCH_GET_GS:
        *(uintptr_t *)address = 0;
        return true;
    default:
        return false;
    }
}

/* A thread that has no signal stack of its guest's has one of ours (user_dispatch.c). */
static long take_signal_stack(const struct program_frame *frame, const stack_t ours) {
    const stack_t *wanted = (const stack_t *)frame->call.rdi;
    stack_t *told = (stack_t *)frame->call.rsi, now;
    uintptr_t at = program_frame_stack(frame);
    kernel_call(SYS_sigaltstack, 0, (long)&now, 0, 0, 0, 0);
    bool is_ours = now.ss_sp == ours.ss_sp;
    if (!is_ours && at > (uintptr_t)now.ss_sp && at <= (uintptr_t)now.ss_sp + now.ss_size)
        now.ss_flags |= SS_ONSTACK;
    const stack_t change = wanted && wanted->ss_flags & SS_DISABLE ? ours : wanted ? *wanted : now;
    if (wanted && now.ss_flags & SS_ONSTACK)
        return -EPERM;
    long result = wanted ? kernel_call(SYS_sigaltstack, (long)&change, 0, 0, 0, 0, 0) : 0;
    if (result == 0 && told)
        *told = is_ours ? (stack_t){.ss_flags = SS_DISABLE} : now;
    return result;
}

/* What is the guest's alone in a process or a thread of guests. */
static bool take_own(struct program_frame *frame, long *result) {
    stack_t ours;
    switch (frame->call.number) {
    case SYS_arch_prctl:
        return take_arch(frame, result);
    case SYS_set_tid_address:
        guest_clear_tid_set((int *)frame->call.rdi);
        *result = kernel_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
        return true;
    case SYS_rseq: /* libc's own is registered */
        *result = -ENOSYS;
        return true;
    case SYS_set_robust_list:
        *result = frame->call.rsi == sizeof(struct robust_list_head)
                      ? guest_robust_list_set((struct robust_list_head *)frame->call.rdi)
                      : -EINVAL;
        return true;
    case SYS_get_robust_list:
        if (frame->call.rdi)
            return false;
        *(struct robust_list_head **)frame->call.rsi = guest_robust_list();
        *(size_t *)frame->call.rdx = sizeof(struct robust_list_head);
        *result = 0;
        return true;
    case SYS_exit:
        guest_thread_end();
        guest_robust_list_end();
        guest_clear_tid(); /* the main thread, which ends before others */
        return false;
    case SYS_sigaltstack:
        if (!user_dispatch_signal_stack(&ours))
            return false;
        *result = take_signal_stack(frame, ours);
        return true;
    case SYS_brk:
        if (!data_break.start)
            return false;
        *result = take_break((uintptr_t)frame->call.rdi);
        return true;
    default:
        return false;
    }
}

const char *guest_executable(const char *path) {
    char own[32];
    if (!guest_program[0] || !path || strncmp(path, "/proc/", 6) != 0)
        return path;
    snprintf(own, sizeof own, "/proc/%d/exe", (int)getpid());
    bool is = strcmp(path, "/proc/self/exe") == 0 || strcmp(path, "/proc/thread-self/exe") == 0 ||
              strcmp(path, own) == 0;
    return is ? guest_program : path;
}

static long told(long result) {
    return result < 0 ? -errno : result;
}

/* The program's own file. */
static bool take_file(const struct syscall_frame *call, long *result) {
    bool at = call->number == SYS_openat || call->number == SYS_readlinkat;
    long a[4] = {call->rdi, call->rsi, call->rdx, call->r10};
    const long *rest = at ? a + 2 : a + 1;
    const char *path = (const char *)rest[-1];
    if (!path || !procfs_may_be(path))
        return false;
    const char *meant = guest_executable(path);
    if (meant == path)
        return false;
    if (call->number == SYS_open || call->number == SYS_openat) {
        *result = told(openat(at ? (int)a[0] : AT_FDCWD, meant, (int)rest[0], (mode_t)rest[1]));
        return true;
    }
    size_t length = strlen(guest_program);
    *result = rest[1] <= 0 ? -EINVAL : (long)(length < (size_t)rest[1] ? length : (size_t)rest[1]);
    if (*result > 0)
        memcpy((char *)rest[0], guest_program, (size_t)*result);
    return true;
}

bool guest_take(struct program_frame *frame, long *result) {
    int saved = errno;
    bool taken = false;
    switch (frame->call.number) {
    case SYS_open:
    case SYS_openat:
    case SYS_readlink:
    case SYS_readlinkat:
        taken = take_file(&frame->call, result);
        break;
    default:
        taken = take_child(frame, result) || (guest_threads && take_own(frame, result));
    }
    errno = saved;
    return taken;
}

#else

bool guest_take(struct program_frame *frame, long *result) {
    (void)frame, (void)result;
    return false;
}

const char *guest_executable(const char *path) {
    return path;
}

#endif
