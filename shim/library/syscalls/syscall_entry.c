/* SPDX-License-Identifier: MIT */
/*
 * syscall_entry.c - see syscall_entry.h.
 *
 * The frame looks to an unwinder as if the code at rcx had called us, with the 128 bytes of its red zone
 * between: a thread is cancelled through here, and a debugger sees who called.
 */
#include "shim/library/syscalls/syscall_entry.h"

#if defined __x86_64__ && !defined CALLS_BY_LIBC

#define VECTOR_STATE "0xe7" /* x87, SSE, AVX and AVX-512: not the kernel's or a tile's */

/* Saves what a function in C may change; %1 is "libc" or "program". */
#define SAVE_VECTORS                                                                             \
    "    movaps %xmm0, (%rsp)\n    movaps %xmm1, 16(%rsp)\n    movaps %xmm2, 32(%rsp)\n"         \
    "    movaps %xmm3, 48(%rsp)\n    movaps %xmm4, 64(%rsp)\n    movaps %xmm5, 80(%rsp)\n"       \
    "    movaps %xmm6, 96(%rsp)\n    movaps %xmm7, 112(%rsp)\n    movaps %xmm8, 128(%rsp)\n"     \
    "    movaps %xmm9, 144(%rsp)\n    movaps %xmm10, 160(%rsp)\n    movaps %xmm11, 176(%rsp)\n"  \
    "    movaps %xmm12, 192(%rsp)\n    movaps %xmm13, 208(%rsp)\n    movaps %xmm14, 224(%rsp)\n" \
    "    movaps %xmm15, 240(%rsp)\n"
#define RESTORE_VECTORS                                                                          \
    "    movaps (%rsp), %xmm0\n    movaps 16(%rsp), %xmm1\n    movaps 32(%rsp), %xmm2\n"         \
    "    movaps 48(%rsp), %xmm3\n    movaps 64(%rsp), %xmm4\n    movaps 80(%rsp), %xmm5\n"       \
    "    movaps 96(%rsp), %xmm6\n    movaps 112(%rsp), %xmm7\n    movaps 128(%rsp), %xmm8\n"     \
    "    movaps 144(%rsp), %xmm9\n    movaps 160(%rsp), %xmm10\n    movaps 176(%rsp), %xmm11\n"  \
    "    movaps 192(%rsp), %xmm12\n    movaps 208(%rsp), %xmm13\n    movaps 224(%rsp), %xmm14\n" \
    "    movaps 240(%rsp), %xmm15\n"

/* struct syscall_frame, from its last member on; `more`: what comes before it in memory. */
#define ENTER(origin, more)                                                                       \
    ".globl syscall_entry_" origin "\n"                                                           \
    ".hidden syscall_entry_" origin "\n"                                                          \
    ".type syscall_entry_" origin ", @function\n"                                                 \
    "syscall_entry_" origin ":\n"                                                                 \
    "    .cfi_startproc\n"                                                                        \
    "    leaq -128(%rsp), %rsp\n"                                                                 \
    "    pushq %rcx\n"                                                                            \
    "    .cfi_def_cfa rsp, 136\n"                                                                 \
    "    .cfi_offset rip, -136\n"                                                                 \
    "    pushq %rbp\n"                                                                            \
    "    .cfi_def_cfa_offset 144\n"                                                               \
    "    .cfi_offset rbp, -144\n"                                                                 \
    "    movq %rsp, %rbp\n"                                                                       \
    "    .cfi_def_cfa_register rbp\n"                                                             \
    "    pushq %rdi\n    pushq %rsi\n    pushq %rdx\n    pushq %r10\n"                            \
    "    pushq %r8\n    pushq %r9\n    pushq %r11\n    pushq %rax\n" more "    movq %rsp, %rdi\n" \
    "    andq $-64, %rsp\n"                                                                       \
    "    call syscall_concerns_" origin "\n"                                                      \
    "    testb %al, %al\n"                                                                        \
    "    je 2f\n"

/* Back to where rbp was saved; `at` is the register with the way on. */
#define LEAVE(at)                                                  \
    "    leaq -64(%rbp), %rsp\n"                                   \
    "    popq %rcx\n    popq " at "\n    popq %r9\n    popq %r8\n" \
    "    popq %r10\n    popq %rdx\n    popq %rsi\n    popq %rdi\n" \
    "    popq %rbp\n"                                              \
    "    .cfi_def_cfa rsp, 136\n"                                  \
    "    .cfi_restore rbp\n"                                       \
    "    leaq 136(%rsp), %rsp\n"                                   \
    "    .cfi_def_cfa_offset 0\n"

__asm__(".text\n" ENTER("libc",
                        "") "    leaq -64(%rbp), %rdi\n"
                            "    subq $256, %rsp\n" SAVE_VECTORS
                            "    call syscall_serve_libc\n" RESTORE_VECTORS "    testb %dl, %dl\n"
                            "    jne 2f\n"
                            "    .cfi_remember_state\n" LEAVE(
                                "%r11") "    addq $2, %r11\n"
                                        "    jmp *%r11\n"
                                        "    .cfi_restore_state\n"
                                        "2:\n"
                                        "    movq -64(%rbp), %rax\n" LEAVE(
                                            "%r11") "    jmp *%r11\n"
                                                    "    .cfi_endproc\n"
                                                    ".size syscall_entry_libc, . - syscall_entry_libc\n");

/*
 * A program may have more live than libc has: all vector registers are saved, by xsavec, whose area must
 * begin with a clean header. Its stack may be too small: the call may get another (syscall_stack_take). Below
 * the frame lie the stack taken, the result and where it goes.
 */
#define MORE "    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n    pushq %r15\n    pushq $0\n"

__asm__(".text\n" ENTER(
    "program", MORE) "    call syscall_stack_take\n"
                     "    leaq -128(%rbp), %rsp\n"
                     "    testq %rax, %rax\n"
                     "    cmovneq %rax, %rsp\n"
                     "    subq syscall_vector_bytes(%rip), %rsp\n"
                     "    andq $-64, %rsp\n"
                     "    xorl %eax, %eax\n"
                     "    movq %rax, 512(%rsp)\n    movq %rax, 520(%rsp)\n    movq %rax, 528(%rsp)\n"
                     "    movq %rax, 536(%rsp)\n    movq %rax, 544(%rsp)\n    movq %rax, 552(%rsp)\n"
                     "    movq %rax, 560(%rsp)\n    movq %rax, 568(%rsp)\n"
                     "    movl $" VECTOR_STATE ", %eax\n"
                     "    xorl %edx, %edx\n"
                     "    cmpb $0, syscall_vector_compact(%rip)\n"
                     "    je 1f\n"
                     "    xsavec (%rsp)\n"
                     "    jmp 3f\n"
                     "1:  xsave (%rsp)\n"
                     "3:\n"
                     "    leaq -112(%rbp), %rdi\n"
                     "    call syscall_serve_program\n"
                     "    movq %rax, -120(%rbp)\n"
                     "    movq %rdx, -128(%rbp)\n"
                     "    movl $" VECTOR_STATE ", %eax\n"
                     "    xorl %edx, %edx\n"
                     "    xrstor (%rsp)\n"
                     "    leaq -128(%rbp), %rsp\n" /* a handler may take the other stack from now on */
                     "    andq $-64, %rsp\n"
                     "    leaq -112(%rbp), %rdi\n"
                     "    call syscall_program_leave\n"
                     "    cmpb $0, -128(%rbp)\n"
                     "    jne 2f\n"
                     "    movq -120(%rbp), %rax\n"
                     "    .cfi_remember_state\n" LEAVE(
                         "%r11") "    addq $2, %r11\n"
                                 "    jmp *%r11\n"
                                 "    .cfi_restore_state\n"
                                 "2:\n"
                                 "    movq -64(%rbp), %rax\n" LEAVE(
                                     "%r11") "    jmp *%r11\n"
                                             "    .cfi_endproc\n"
                                             ".size syscall_entry_program, . - syscall_entry_program\n");

#include <cpuid.h>
#include <stdbool.h>

unsigned long syscall_vector_bytes __attribute__((visibility("hidden"))) = 4096;
bool syscall_vector_compact __attribute__((visibility("hidden")));

void syscall_entry_program_begin(void) {
    static bool known;
    unsigned a, b, c, d;
    if (known)
        return;
    if (__get_cpuid_count(0xd, 0, &a, &b, &c, &d))
        syscall_vector_bytes = (b + 63) & ~63u; /* of all that is enabled, in the longer form */
    if (__get_cpuid_count(0xd, 1, &a, &b, &c, &d))
        syscall_vector_compact = a & 2;
    known = true;
}

#endif
