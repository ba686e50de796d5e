/* SPDX-License-Identifier: MIT */
/*
 * guest_thread.c - see guest_thread.h.
 *
 * FS and GS are read and written by instructions where the kernel lets programs do that (FSGSBASE,
 * Linux 5.9), some nanoseconds each; else by arch_prctl(2), which costs a system call.
 *
 * A thread's end. The guest may have given its stack away before it calls exit(2), and another thread may use
 * it already: so the thread leaves it without touching it, for the stack that libc gave the thread, and ends
 * there as libc's threads do. The word that clone(2) was told to clear (CLONE_CHILD_CLEARTID) is cleared
 * last.
 */
#include "shim/library/guest/guest_thread.h"
#include "shim/library/process/fork.h"
#include "shim/library/process/signals.h"
#include "shim/library/syscalls/user_dispatch.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>

bool guest_threads;

#if defined __x86_64__ && !defined CALLS_BY_LIBC
#include <asm/prctl.h>

#define HWCAP2_FSGSBASE 2
#define STACK_BYTES (64 << 10) /* of libc's: its calls run on stacks of their own (user_dispatch.c) */
#define KERNEL_SIGSET_BYTES 8

struct guest_thread {
    uintptr_t own_fs, guest_fs;
    int *clear_tid;
    bool made;
    uintptr_t base; /* on libc's stack, below what is in use there: if made */
    jmp_buf way_out;
};

static __thread struct guest_thread self __attribute__((tls_model("initial-exec")));

static bool by_instructions; /* FS and GS can be read and written */

GUEST_SAFE static uintptr_t ask(int what) {
    uintptr_t value = 0;
    kernel_call(SYS_arch_prctl, what, (long)&value, 0, 0, 0, 0);
    return value;
}

GUEST_SAFE static uintptr_t read_fs(void) {
    uintptr_t value;
    if (!by_instructions)
        return ask(ARCH_GET_FS);
    __asm__ volatile("rdfsbase %0" : "=r"(value));
    return value;
}

GUEST_SAFE static void write_fs(uintptr_t value) {
    if (by_instructions)
        __asm__ volatile("wrfsbase %0" : : "r"(value) : "memory");
    else
        kernel_call(SYS_arch_prctl, ARCH_SET_FS, (long)value, 0, 0, 0, 0);
}

/* NULL: a thread that has never had any but libc's FS. */
GUEST_SAFE static struct guest_thread *this_thread(void) {
    uintptr_t value;
    if (!by_instructions)
        return (struct guest_thread *)ask(ARCH_GET_GS);
    __asm__ volatile("rdgsbase %0" : "=r"(value));
    return (struct guest_thread *)value;
}

void guest_thread_begin(void) {
    by_instructions = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
    if (!self.own_fs && !self.made)
        self.guest_fs = read_fs(); /* of a guest that has yet to begin, or of a thread of libc's */
    self.own_fs = read_fs();
    kernel_call(SYS_arch_prctl, ARCH_SET_GS, (long)&self, 0, 0, 0, 0);
}

void guest_threads_begin(void) {
    guest_threads = true;
}

/* The guest may have changed FS by an instruction of its own, so what there is counts. */
bool guest_enter(void) {
    struct guest_thread *thread = guest_threads ? this_thread() : NULL;
    uintptr_t fs = thread ? read_fs() : 0;
    if (!thread || fs == thread->own_fs)
        return false;
    thread->guest_fs = fs;
    write_fs(thread->own_fs);
    return true;
}

void guest_leave(bool was) {
    if (was)
        write_fs(this_thread()->guest_fs);
}

/* On x86-64 a handler that takes the signal's number alone is called in the same way. */
GUEST_SAFE static void call_with(uintptr_t fs, void (*handler)(int, siginfo_t *, void *), int signal,
                                 siginfo_t *info, void *context) {
    write_fs(fs);
    handler(signal, info, context);
    write_fs(this_thread()->own_fs);
}

void guest_call(void (*handler)(int, siginfo_t *, void *), int signal, siginfo_t *info, void *context) {
    if (guest_threads && self.own_fs && self.guest_fs != self.own_fs)
        call_with(self.guest_fs, handler, signal, info, context);
    else
        handler(signal, info, context);
}

uintptr_t guest_fs(void) {
    return self.guest_fs;
}

void guest_fs_set(uintptr_t base) {
    self.guest_fs = base;
}

/*
 * rdi: the frame, as syscall_entry.c lays it out (struct program_frame); rsi: the stack; rdx: how to set FS,
 * 0: by the instruction; rcx: FS. What comes behind the system-call instruction of the stub goes on.
 */
__asm__(".text\n"
        ".type resume, @function\n"
        "resume:\n"
        "    movq %rsi, %rsp\n"
        "    wrfsbase %rcx\n"
        "resume_registers:\n"
        "    movq 8(%rdi), %r15\n    movq 16(%rdi), %r14\n    movq 24(%rdi), %r13\n"
        "    movq 32(%rdi), %r12\n    movq 40(%rdi), %rbx\n    movq 56(%rdi), %r11\n"
        "    movq 64(%rdi), %r9\n    movq 72(%rdi), %r8\n    movq 80(%rdi), %r10\n"
        "    movq 88(%rdi), %rdx\n    movq 96(%rdi), %rsi\n    movq 112(%rdi), %rbp\n"
        "    movq 104(%rdi), %rdi\n"
        "    xorl %eax, %eax\n"
        "    addq $2, %r11\n"
        "    jmp *%r11\n"
        "resume_slowly:\n" /* SYS_arch_prctl, ARCH_SET_FS */
        "    movq %rsi, %rsp\n"
        "    movq %rdi, %rbx\n"
        "    movl $0x1002, %edi\n    movq %rcx, %rsi\n    movl $158, %eax\n"
        "    syscall\n"
        "    movq %rbx, %rdi\n"
        "    jmp resume_registers\n"
        ".size resume, . - resume\n");

void guest_resume(const struct program_frame *frame, uintptr_t stack) {
    register const struct program_frame *at __asm__("rdi") = frame;
    register uintptr_t to __asm__("rsi") = stack ? stack : program_frame_stack(frame);
    register uintptr_t fs __asm__("rcx") = self.guest_fs;
    if (by_instructions)
        __asm__ volatile("jmp resume" : : "r"(at), "r"(to), "r"(fs) : "memory");
    else
        __asm__ volatile("jmp resume_slowly" : : "r"(at), "r"(to), "r"(fs) : "memory");
    __builtin_unreachable();
}

GUEST_SAFE void guest_start(uintptr_t entry, uintptr_t stack) {
    self.guest_fs = 0;
    write_fs(0);
    __asm__ volatile("movq %0, %%rsp\n xorl %%edx, %%edx\n xorl %%ebp, %%ebp\n jmp *%1"
                     :
                     : "S"(stack), "a"(entry)
                     : "memory");
    __builtin_unreachable();
}

/* For a new thread, on the stack of the one that makes it. */
struct start {
    const struct program_frame *frame;
    const struct guest_clone *clone;
    struct guest_child *child;
    uint64_t mask;
    _Atomic int tid;
};

/* Sets a word to 0 and wakes one that waits; nothing if it is not there any more. */
static void clear_word(int *word) {
    if (word)
        kernel_call(SYS_futex, (long)word, FUTEX_WAKE_OP, 1, 0, (long)word,
                    FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0));
}

void guest_clear_tid(void) {
    clear_word(self.clear_tid);
}

static __thread struct robust_list_head *libcs_list __attribute__((tls_model("initial-exec")));

static long robust_list_of_kernel(struct robust_list_head *list) {
    return kernel_call(SYS_set_robust_list, (long)list, sizeof *list, 0, 0, 0, 0);
}

long guest_robust_list_set(struct robust_list_head *list) {
    size_t bytes;
    long result = 0;
    if (!libcs_list)
        result = kernel_call(SYS_get_robust_list, 0, (long)&libcs_list, (long)&bytes, 0, 0, 0);
    if (result == 0)
        result = robust_list_of_kernel(list ? list : libcs_list);
    if (result == 0)
        lock_robust_list = list;
    return result;
}

struct robust_list_head *guest_robust_list(void) {
    return lock_robust_list;
}

struct robust_list_head *guest_robust_list_of_libc(void) {
    return lock_robust_list ? libcs_list : NULL;
}

void guest_robust_list_forked(void) {
    lock_robust_list = NULL;
}

#define INHERITS 1ul /* a bit of an entry's address: who waits for the futex the kernel knows, and wakes */

/* A futex of the list's is this thread's no more, if it is. */
static void give_back(uintptr_t entry, long offset, uint32_t tid) {
    _Atomic uint32_t *word = (_Atomic uint32_t *)((entry & ~INHERITS) + (uintptr_t)offset);
    uint32_t value = *word;
    while ((value & FUTEX_TID_MASK) == tid)
        if (atomic_compare_exchange_weak(word, &value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED)) {
            if (value & FUTEX_WAITERS && !(entry & INHERITS))
                kernel_call(SYS_futex, (long)word, FUTEX_WAKE, 1, 0, 0, 0);
            return;
        }
}

#define LOCKS_MAX 2048 /* the kernel's limit */

void guest_robust_list_end(void) {
    struct robust_list_head *head = lock_robust_list;
    uint32_t tid = (uint32_t)kernel_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
    if (!head)
        return;
    uintptr_t entry = (uintptr_t)head->list.next, last = (uintptr_t)head->list_op_pending;
    for (unsigned i = 0; i < LOCKS_MAX && (entry & ~INHERITS) != (uintptr_t)&head->list; i++) {
        uintptr_t next = (uintptr_t)((struct robust_list *)(entry & ~INHERITS))->next;
        if (entry != last)
            give_back(entry, head->futex_offset, tid);
        entry = next;
    }
    if (last)
        give_back(last, head->futex_offset, tid);
    guest_robust_list_set(NULL);
}

static void *run(void *context) {
    struct start *start = context;
    struct program_frame frame = *start->frame;
    struct guest_clone clone = *start->clone;
    uint64_t mask = start->mask;
    int tid = (int)kernel_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
    self.made = true;
    self.guest_fs = clone.fs;
    self.clear_tid = clone.flags & CLONE_CHILD_CLEARTID ? clone.child_tid : NULL;
    user_dispatch_thread();
    if (clone.flags & CLONE_CHILD_SETTID)
        *clone.child_tid = tid;
    if (clone.flags & CLONE_PARENT_SETTID)
        *clone.parent_tid = tid;
    start->tid = tid;
    kernel_call(SYS_futex, (long)&start->tid, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    if (_setjmp(self.way_out) == 0) {
        self.base = ((uintptr_t)__builtin_frame_address(0) - sizeof frame - 4096) & ~63ul;
        kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, KERNEL_SIGSET_BYTES, 0, 0);
        guest_resume(&frame, clone.stack);
    }
    guest_robust_list_end();
    guest_clear_tid();
    return NULL;
}

static void *lend(void *context) {
    struct start *start = context;
    struct guest_child child = *start->child;
    void *copy = memcpy(__builtin_alloca(child.context_bytes), child.context, child.context_bytes);
    user_dispatch_thread();
    fork_beside(child.function, syscall_stack_take(), child.flags, copy, child.parent_tid, &start->tid);
    syscall_stack_give();
    clear_word(child.clear_tid);
    return NULL;
}

/* Has libc make a thread, with all signals blocked, which sets start->tid. Returns that, or a negative errno. */
static long make_thread(void *(*function)(void *), struct start *start) {
    const uint64_t all = ~0ull;
    pthread_attr_t attributes;
    pthread_t thread;
    guest_threads_begin();
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&start->mask, KERNEL_SIGSET_BYTES, 0, 0);
    if (start->child)
        start->child->mask = start->mask;
    int error = LIBC(pthread_create)(&thread, &attributes, function, start);
    while (!error && !start->tid)
        kernel_call(SYS_futex, (long)&start->tid, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
    static atomic_flag given_back = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&given_back))
        signals_give_back(SIGNAL_SETXID); /* which libc takes with its first thread */
    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&start->mask, 0, KERNEL_SIGSET_BYTES, 0, 0);
    pthread_attr_destroy(&attributes);
    return error ? -error : start->tid;
}

long guest_thread_make(const struct program_frame *frame, const struct guest_clone *clone) {
    return make_thread(run, &(struct start){.frame = frame, .clone = clone});
}

long guest_thread_lend(struct guest_child *child) {
    return make_thread(lend, &(struct start){.child = child});
}

void guest_clear_tid_set(int *address) {
    self.clear_tid = address;
}

struct guest_thread_state guest_thread_save(void) {
    return (struct guest_thread_state){.fs = self.guest_fs, .clear_tid = self.clear_tid, .made = self.made};
}

void guest_thread_borrowed(void) {
    self.clear_tid = NULL;
    self.made = false;
}

void guest_thread_restore(const struct guest_thread_state *state) {
    self.guest_fs = state->fs;
    self.clear_tid = state->clear_tid;
    self.made = state->made;
}

bool guest_thread_is_made(void) {
    const struct guest_thread *thread = guest_threads ? this_thread() : NULL;
    return thread && thread->made;
}

/* On libc's stack, with libc's FS, and with all signals blocked. */
__attribute__((used, noreturn)) static void way_out(void) {
    longjmp(self.way_out, 1);
}

void guest_thread_end_at_return(void *context) {
    ucontext_t *at = context;
    self.guest_fs = self.own_fs;
    sigfillset(&at->uc_sigmask);
    at->uc_mcontext.gregs[REG_RSP] = (greg_t)(self.base - 8);
    at->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)way_out;
}

void guest_thread_end(void) {
    const uint64_t all = ~0ull;
    if (!self.made)
        return;
    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, 0, KERNEL_SIGSET_BYTES, 0, 0);
    __asm__ volatile("movq %0, %%rsp\n call *%1" : : "r"(self.base), "r"(way_out) : "memory");
    __builtin_unreachable();
}

#else

void guest_call(void (*handler)(int, siginfo_t *, void *), int signal, siginfo_t *info, void *context) {
    handler(signal, info, context);
}

void guest_thread_begin(void) {
}

struct robust_list_head *guest_robust_list_of_libc(void) {
    return NULL;
}

void guest_robust_list_forked(void) {
}

void guest_threads_begin(void) {
}

bool guest_enter(void) {
    return false;
}

void guest_leave(bool was) {
    (void)was;
}

#endif
