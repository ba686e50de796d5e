/* SPDX-License-Identifier: MIT */
/*
 * user_memory.c - see user_memory.h.
 *
 * Theory of operation. All accesses are made by one function, user_copy, which is written in assembler and
 * calls nothing. The handler of SIGSEGV and SIGBUS (signals.c) knows a fault in it by the instruction's
 * address, as the kernel knows its own copies by a table of them, and lets the thread go on where the
 * function fails. Where there is no such function, a copy leaves word of where to go on.
 *
 * The kernel ends a process whose fault's signal is blocked, so a thread finds out once whether it has any of
 * the two blocked, and again when it may have changed its mask; if so they are let in for as long as a copy
 * takes.
 */
#include "shim/library/user_memory.h"
#include "shim/region/libc.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#if defined __x86_64__ && !defined USER_COPY_IN_C

/* Returns 0, or 1 after a fault. Up to 256 bytes: by the widest moves, of which the last two may overlap;
 * above that by the instruction that is made for it. */
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden user_copy\n"
        ".globl user_copy\n"
        ".type user_copy, @function\n"
        "user_copy:\n"
        "    .cfi_startproc\n"
        "    cmpq $16, %rdx\n"
        "    jb 3f\n"
        "    cmpq $256, %rdx\n"
        "    ja 2f\n"
        "    leaq -16(%rsi,%rdx), %r8\n"
        "    leaq -16(%rdi,%rdx), %r9\n"
        "    movdqu (%r8), %xmm1\n"
        "1:  movdqu (%rsi), %xmm0\n"
        "    movdqu %xmm0, (%rdi)\n"
        "    addq $16, %rsi\n"
        "    addq $16, %rdi\n"
        "    cmpq %r8, %rsi\n"
        "    jb 1b\n"
        "    movdqu %xmm1, (%r9)\n"
        "    xorl %eax, %eax\n"
        "    ret\n"
        "2:  movq %rdx, %rcx\n"
        "    rep movsb\n"
        "    xorl %eax, %eax\n"
        "    ret\n"
        "3:  cmpq $8, %rdx\n"
        "    jb 4f\n"
        "    movq (%rsi), %rax\n"
        "    movq -8(%rsi,%rdx), %rcx\n"
        "    movq %rax, (%rdi)\n"
        "    movq %rcx, -8(%rdi,%rdx)\n"
        "    xorl %eax, %eax\n"
        "    ret\n"
        "4:  cmpq $4, %rdx\n"
        "    jb 5f\n"
        "    movl (%rsi), %eax\n"
        "    movl -4(%rsi,%rdx), %ecx\n"
        "    movl %eax, (%rdi)\n"
        "    movl %ecx, -4(%rdi,%rdx)\n"
        "    xorl %eax, %eax\n"
        "    ret\n"
        "5:  testq %rdx, %rdx\n"
        "    jz 6f\n"
        "    movzbl (%rsi), %eax\n"
        "    movzbl -1(%rsi,%rdx), %ecx\n"
        "    movq %rdx, %r9\n"
        "    shrq %r9\n"
        "    movzbl (%rsi,%r9), %r8d\n"
        "    movb %al, (%rdi)\n"
        "    movb %r8b, (%rdi,%r9)\n"
        "    movb %cl, -1(%rdi,%rdx)\n"
        "6:  xorl %eax, %eax\n"
        "    ret\n"
        ".hidden user_copy_failed\n"
        ".globl user_copy_failed\n"
        "user_copy_failed:\n"
        "    movl $1, %eax\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size user_copy, .-user_copy\n");

extern int user_copy(void *to, const void *from, size_t bytes);
extern const char user_copy_failed[];

bool user_memory_fault(void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t at = (uintptr_t)registers[REG_RIP];
    if (at < (uintptr_t)user_copy || at >= (uintptr_t)user_copy_failed)
        return false;
    registers[REG_RIP] = (greg_t)(uintptr_t)user_copy_failed;
    return true;
}

#else

struct place {
    void *jump[5];
};

static __thread struct place *_Atomic place __attribute__((tls_model("initial-exec")));

__attribute__((noinline)) static int user_copy(void *to, const void *from, size_t bytes) {
    struct place here, *before = place;
    if (__builtin_setjmp(here.jump)) {
        place = before;
        return 1;
    }
    place = &here;
    atomic_signal_fence(memory_order_seq_cst);
    memcpy(to, from, bytes);
    atomic_signal_fence(memory_order_seq_cst);
    place = before;
    return 0;
}

bool user_memory_fault(void *context) {
    struct place *there = place;
    if (!there)
        return false;
    LIBC(pthread_sigmask)(SIG_SETMASK, &((ucontext_t *)context)->uc_sigmask, NULL);
    __builtin_longjmp(there->jump, 1);
}

#endif

/* Whether faults of this thread are known to arrive. */
static __thread bool lets_in __attribute__((tls_model("initial-exec")));

void user_memory_mask_changed(void) {
    lets_in = false;
}

/* With the two signals let in for as long as it takes, if they are not. */
static int copy_unsure(void *to, const void *from, size_t bytes) {
    sigset_t faults, before;
    sigemptyset(&faults);
    sigaddset(&faults, SIGSEGV);
    sigaddset(&faults, SIGBUS);
    LIBC(pthread_sigmask)(SIG_UNBLOCK, &faults, &before);
    int failed = user_copy(to, from, bytes);
    if (sigismember(&before, SIGSEGV) || sigismember(&before, SIGBUS))
        LIBC(pthread_sigmask)(SIG_SETMASK, &before, NULL);
    else
        lets_in = true;
    return failed;
}

static inline int copy(void *to, const void *from, size_t bytes) {
    lock_assert_free("an access to the program's memory");
    int failed = __builtin_expect(lets_in, 1) ? user_copy(to, from, bytes) : copy_unsure(to, from, bytes);
    return failed ? -EFAULT : 0;
}

int user_read(void *to, const void *from, size_t bytes) {
    return copy(to, from, bytes);
}

int user_write(void *to, const void *from, size_t bytes) {
    return copy(to, from, bytes);
}
