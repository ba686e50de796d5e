/* SPDX-License-Identifier: MIT */
/*
 * syscall_stub.c - see syscall_stub.h.
 */
#include "shim/library/syscalls/syscall_stub.h"
#include "shim/region/kernel_calls.h"
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#if defined __x86_64__ && !defined CALLS_BY_LIBC

#define STUB_BYTES 128
#define ORIGIN 120 /* in a stub: the address behind the instruction that it replaces */

#define TEXT_(value) #value
#define TEXT(value) TEXT_(value)

/*
 * Whole pages of the library's, made executable when they are first needed. A debugger that finds a thread in one of the
 * stubs, in a call that is the kernel's, goes on where the instruction was, with the same stack: the return address (16)
 * is what lies at ORIGIN of the stub. (DWARF 5, 2.5 and 6.4.2.)
 */
extern uint8_t syscall_stubs_room[];
__asm__(
    ".pushsection .bss.syscall_stubs, \"aw\", @nobits\n"
    ".globl syscall_stubs_room\n"
    ".hidden syscall_stubs_room\n"
    ".type syscall_stubs_room, @object\n"
    ".balign 4096\n"
    "syscall_stubs_room:\n"
    "    .cfi_startproc\n"
    "    .cfi_signal_frame\n" /* the instruction is this one, not the one before it */
    "    .cfi_def_cfa rsp, 0\n"
    /* DW_CFA_expression of the return address: DW_OP_breg16 0 (rip), DW_OP_const1s -STUB_BYTES, DW_OP_and,
         * DW_OP_plus_uconst ORIGIN */
    "    .cfi_escape 0x10, 16, 7, 0x80, 0, 0x09, -" TEXT(STUB_BYTES) ", 0x1a, 0x23, " TEXT(
        ORIGIN) "\n"
                "    .skip " TEXT(SYSCALL_STUBS_BYTES) "\n"
                                                       "    .cfi_endproc\n"
                                                       ".size syscall_stubs_room, . - syscall_stubs_room\n"
                                                       ".popsection\n");
static unsigned used;
static atomic_flag busy = ATOMIC_FLAG_INIT;

static bool protect(int protection) {
    return kernel_call(SYS_mprotect, (long)syscall_stubs_room, SYSCALL_STUBS_BYTES, protection, 0, 0, 0) == 0;
}

/* Other threads may be in stubs that there are: they stay executable. */
bool syscall_stubs_open(void) {
    while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
        kernel_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    bool open = protect(PROT_READ | PROT_WRITE | PROT_EXEC);
    if (!open)
        syscall_stubs_forked();
    return open;
}

void syscall_stubs_close(void) {
    protect(PROT_READ | PROT_EXEC);
    syscall_stubs_forked();
}

void syscall_stubs_forked(void) {
    atomic_flag_clear_explicit(&busy, memory_order_release);
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t length) {
    return (uint8_t *)memcpy(at, bytes, length) + length;
}

/* movabs $value, %rcx */
static uint8_t *put_rcx(uint8_t *at, const void *value) {
    return put(put(at, "\x48\xb9", 2), &value, sizeof value);
}

static uint8_t *put_distance(uint8_t *at, const void *to) {
    int32_t distance = (int32_t)((intptr_t)to - (intptr_t)(at + 4));
    return put(at, &distance, sizeof distance);
}

/* jmp *0(%rip), with the address behind it: to anywhere, and no register changes */
static uint8_t *put_far_jump(uint8_t *at, const void *to) {
    return put(put(at, "\xff\x25\0\0\0\0", 6), &to, sizeof to);
}

#define ENTRY_BYTES (10 + 7 + 5) /* rcx, r11, the jump */

/* The stub's own system-call instruction. */
static const uint8_t *stub_pass(const uint8_t *stub, const struct syscall_site *site) {
    return stub + site->before_bytes + ENTRY_BYTES;
}

const uint8_t *syscall_stub_make(const struct syscall_site *site, void (*entry)(void)) {
    if (used + STUB_BYTES > SYSCALL_STUBS_BYTES || site->before_bytes + site->after_bytes > STUB_BYTES - 48)
        return NULL;
    uint8_t *stub = syscall_stubs_room + used, *at = stub;
    const uint8_t *behind = site->instruction + 2;
    used += STUB_BYTES;
    at = put(at, site->before, site->before_bytes);
    at = put_rcx(at, behind);
    at = put_distance(put(at, "\x4c\x8d\x1d", 3), stub_pass(stub, site)); /* lea pass(%rip), %r11 */
    at = put_distance(put(at, "\xe9", 1), (const void *)entry);
    at = put(at, "\x0f\x05", 2);
    at = put(at, behind, site->after_bytes);
    put_far_jump(at, behind + site->after_bytes);
    put(stub + ORIGIN, &behind, sizeof behind);
    return stub;
}

bool syscall_stub_does(const uint8_t *stub, const uint8_t *behind, unsigned bytes) {
    const uint8_t *copy = stub + ENTRY_BYTES + 2, *end = copy + bytes;
    const void *on = behind + bytes;
    return memcmp(copy, behind, bytes) == 0 && memcmp(end, "\xff\x25\0\0\0\0", 6) == 0 &&
           memcmp(end + 6, &on, sizeof on) == 0;
}

#else

uint8_t syscall_stubs_room[1];

void syscall_stubs_forked(void) {
}

#endif
