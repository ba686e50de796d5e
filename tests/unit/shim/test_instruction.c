/* SPDX-License-Identifier: MIT */
/*
 * test_instruction.c - where instructions end, and which bytes make a system call (shim/region/instruction.h,
 * shim/region/syscall_site.h). The instructions are a disassembler's.
 */
#include "shim/region/instruction.h"
#include "shim/region/syscall_concern.h"
#include "shim/region/syscall_site.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

static void lengths_are_a_disassemblers(void **state) {
    static const struct {
        const char *code;
        unsigned length;
    } known[] = {
        {"\x90", 1},                              /* nop */
        {"\xc3", 1},                              /* ret */
        {"\x0f\x05", 2},                          /* syscall */
        {"\x89\xc7", 2},                          /* mov %eax,%edi */
        {"\x48\x89\xe5", 3},                      /* mov %rsp,%rbp */
        {"\x8b\x45\xfc", 3},                      /* mov -4(%rbp),%eax */
        {"\x8b\x04\x24", 3},                      /* mov (%rsp),%eax */
        {"\x8b\x44\x24\x08", 4},                  /* mov 8(%rsp),%eax */
        {"\xb8\x29\0\0\0", 5},                    /* mov $41,%eax */
        {"\xe8\x0f\x05\0\0", 5},                  /* call, its distance 0f 05 */
        {"\x0f\x84\x0f\x05\0\0", 6},              /* je, likewise */
        {"\x48\x3d\0\xf0\xff\xff", 6},            /* cmp $-4096,%rax */
        {"\x8b\x84\x24\x0f\x05\0\0", 7},          /* mov 0x50f(%rsp),%eax */
        {"\x8b\x04\x25\x0f\x05\0\0", 7},          /* mov 0x50f,%eax */
        {"\x48\x8b\x05\x0f\x05\0\0", 7},          /* mov 0x50f(%rip),%rax */
        {"\x48\xc7\xc0\x0f\x05\0\0", 7},          /* mov $0x50f,%rax */
        {"\x66\x0f\x1f\x84\0\0\0\0\0", 9},        /* nopw 0(%rax,%rax,1) */
        {"\x48\xb8\x0f\x05\0\0\0\0\0\0", 10},     /* movabs $0x50f,%rax */
        {"\xc7\x84\x24\x0f\x05\0\0\1\0\0\0", 11}, /* movl $1,0x50f(%rsp) */
        {"\x66\xc7\x44\x24\x08\x0f\x05", 7},      /* movw $0x50f,8(%rsp) */
        {"\xf6\xc1\x0f", 3},                      /* test $15,%cl */
        {"\xf6\xd9", 2},                          /* neg %cl */
        {"\xf7\xc1\x0f\x05\0\0", 6},              /* test $0x50f,%ecx */
        {"\xf7\xe1", 2},                          /* mul %ecx */
        {"\xc2\x0f\x05", 3},                      /* ret $0x50f */
        {"\x66\x0f\x3a\x0f\xc1\x05", 6},          /* palignr $5,%xmm1,%xmm0 */
        {"\x66\x0f\x38\x00\xc1", 5},              /* pshufb %xmm1,%xmm0 */
        {"\xc5\xf8\x77", 3},                      /* vzeroupper */
        {"\xc4\xe3\x75\x0f\xc2\x05", 6},          /* vpalignr $5,%ymm2,%ymm1,%ymm0 */
        {"\xc4\xe2\x75\x00\xc2", 5},              /* vpshufb %ymm2,%ymm1,%ymm0 */
        {"\x62\xf1\xfe\x48\x6f\x06", 6},          /* vmovdqu64 (%rsi),%zmm0 */
        {"\xf3\x0f\xb8\xc0", 4},                  /* popcnt %eax,%eax */
        {"\xf0\x48\x0f\xb1\x0d\x0f\x05\0\0", 9},  /* lock cmpxchg %rcx,0x50f(%rip) */
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint8_t code[16] = {0};
        memcpy(code, known[i].code, known[i].length);
        assert_int_equal(instruction_length(code, sizeof code), known[i].length);
        for (size_t room = 0; room < known[i].length; room++)
            assert_int_equal(instruction_length(code, room), 0);
    }
}

static void count(const uint8_t *instruction, unsigned length, void *context) {
    *(unsigned *)context += instruction_is_syscall(instruction, length);
}

static void constants_and_distances_are_no_system_calls(void **state) {
    static const uint8_t text[] = {0xe8, 0x0f, 0x05, 0,    0,                /* call */
                                   0x48, 0xc7, 0xc0, 0x0f, 0x05, 0,    0,    /* mov */
                                   0xb8, 0x29, 0,    0,    0,    0x0f, 0x05, /* a real one */
                                   0xc3, 0x0f};                              /* half of one */
    unsigned found = 0;
    (void)state;
    instruction_walk(text, sizeof text, count, &found);
    assert_int_equal(found, 1);
}

static void forms_that_a_jump_can_replace_are_told_from_others(void **state) {
    static const uint8_t __attribute__((aligned(8)))
    text[] = {0x90, 0xb8, 0x29, 0,    0,    0,    0x0f, 0x05,       /* mov $41, %eax; syscall */
              0x90, 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, /* syscall; cmp $-4095, %rax */
              0x41, 0xb8, 0x01, 0,    0,    0,    0x89, 0xf8, 0x0f,
              0x05, /* mov $1, %r8d; mov %edi, %eax; syscall */
              0xc3};
    const uint8_t *end = text + sizeof text;
    struct syscall_site site;
    (void)state;
#ifndef __x86_64__
    skip(); /* the numbers of system calls are others */
#endif
    assert_true(syscall_site_describe(&site, text + 6, text, end));
    assert_int_equal(site.number, SYS_socket);
    assert_ptr_equal(site.before, text + 1);
    assert_true(syscall_site_is_one_store(&site));
    assert_true(syscall_site_describe(&site, text + 9, text, end));
    assert_int_equal(site.after_bytes, 6);
    assert_false(syscall_site_is_one_store(&site)); /* a thread may be asleep in it */
    assert_false(syscall_site_describe(&site, text + 25, text, end));
    assert_int_equal(site.number, SYS_socket); /* %r8d is not the number's register */
    assert_false(syscall_site_describe(&site, text + 9, text,
                                       text + 16)); /* the text ends before the comparison does */
}

static void any_number_may_be_asked_about(void **state) {
    (void)state;
    assert_int_equal(syscall_concern(SYS_socket), ALWAYS);
    assert_int_equal(syscall_concern(SYS_read), OF_FD);
    assert_int_equal(syscall_concern(SYS_getppid), NEVER);
    assert_int_equal(syscall_concern(-1), NEVER);
    assert_int_equal(syscall_concern(SYSCALL_NUMBERS), NEVER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_a_disassemblers),
        cmocka_unit_test(constants_and_distances_are_no_system_calls),
        cmocka_unit_test(forms_that_a_jump_can_replace_are_told_from_others),
        cmocka_unit_test(any_number_may_be_asked_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
