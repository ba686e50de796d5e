/* SPDX-License-Identifier: MIT */
/* Which neighbours of a system-call instruction may move into a stub. */
#include "shim/region/syscall_site.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static unsigned load_before(const char *code, size_t length, long number) {
    uint8_t text[16] = {0};
    memcpy(text, code, length);
    return syscall_site_load(text + length, number);
}

static void load_of_the_number_moves(void **state) {
    (void)state;
    assert_int_equal(load_before("\x90\x90\x90\xb8\xca\0\0\0", 8, 202), 5); /* mov $202, %eax */
    assert_int_equal(load_before("\x90\x48\xc7\xc0\xca\0\0\0", 8, 202), 7); /* mov $202, %rax */
    assert_int_equal(load_before("\x90\x90\x41\xb8\xca\0\0\0", 8, 202), 0); /* mov $202, %r8d */
    assert_int_equal(load_before("\x90\x90\x90\xb9\xca\0\0\0", 8, 202), 0); /* mov $202, %ecx */
    assert_int_equal(load_before("\x90\x90\x90\xb8\xca\0\0\0", 8, 203), 0); /* of another one */
    assert_int_equal(load_before("\x90\x48\xc7\xc0\x0f\0\0\0", 8, 15), 0);  /* rt_sigreturn(2) */
    assert_int_equal(load_before("\xb8\xca\0\0\0\x48\x89\xdf", 8, 202), 0); /* not right before */
}

static bool replaceable(const char *code, size_t length, size_t at) {
    struct syscall_site site;
    return syscall_site_describe(&site, (const uint8_t *)code + at, (const uint8_t *)code,
                                 (const uint8_t *)code + length);
}

/* A text is looked through once more when a library has come. */
static void what_has_been_replaced_is_not_replaced_again(void **state) {
    (void)state;
#define BEHIND "\x0f\x05\x48\x3d\x01\xf0\xff\xff\xc3"
    assert_true(replaceable("\x90\x90\x90\xb8\x0e\0\0\0" BEHIND, 17, 8));
    assert_true(replaceable("\x90\x90\x90\x48\x89\xd0\x90\x90" BEHIND, 17, 8));
    assert_true(replaceable("\xb8\x3b\0\0\0" BEHIND, 14, 5)); /* where a function begins */
    assert_false(replaceable("\x90\x90\x90\xe9\x21\x92\x98\0" BEHIND, 17, 8));
    assert_false(replaceable("\x90\xe9\x21\x92\x98\0\0\0" BEHIND, 17, 8)); /* mov of seven bytes */
}

/* How many bytes before the instruction a stub does instead. */
static unsigned before(const char *code, size_t length, size_t at) {
    struct syscall_site site;
    bool moves = syscall_site_describe(&site, (const uint8_t *)code + at, (const uint8_t *)code,
                                       (const uint8_t *)code + length);
    return moves ? site.before_bytes : 0;
}

static void what_stands_between_the_load_and_the_call_moves(void **state) {
    (void)state;
#define LOAD "\x90\xb8\x0e\0\0\0"
    assert_int_equal(before(LOAD "\x48\x8d\xb3\xf0\x08\0\0\x0f\x05", 15, 13), 7); /* lea 0x8f0(%rbx), %rsi */
    assert_int_equal(before(LOAD "\x48\x8d\xb4\x24\xf0\x08\0\0\x0f\x05", 16, 14),
                     8);                                                    /* lea 0x8f0(%rsp), %rsi */
    assert_int_equal(before(LOAD "\x41\xba\x08\0\0\0\x0f\x05", 14, 12), 6); /* mov $8, %r10d */
    assert_int_equal(before(LOAD "\xba\x08\0\0\0\x0f\x05", 13, 11), 5);     /* mov $8, %edx */
    assert_int_equal(before(LOAD "\x48\x8d\x35\xdd\x78\x11\0\x0f\x05", 15, 13), 0); /* lea of %rip */
    assert_int_equal(before(LOAD "\x48\x8d\x73\x08\x0f\x05", 12, 10), 0);           /* too short for a jump */
    assert_int_equal(before(LOAD "\x48\x8d\xb3\xf0\x08\0\0\x90\x0f\x05", 16, 14), 0); /* two of them */
    assert_int_equal(before(LOAD "\xe8\x08\0\0\0\x0f\x05", 13, 11), 0);               /* a call */
    assert_false(replaceable(LOAD "\xe9\xb3\xf0\x08\0\0\0" BEHIND, 22, 13));          /* it has moved */
}

static void comparison_of_the_result_moves(void **state) {
    (void)state;
    assert_int_equal(syscall_site_behind((const uint8_t *)"\x48\x3d\x00\xf0\xff\xff"), 6);
    assert_int_equal(syscall_site_behind((const uint8_t *)"\x48\x3d\x01\xf0\xff\xff"), 6);
    assert_int_equal(syscall_site_behind((const uint8_t *)"\x48\x3d\x02\xf0\xff\xff"), 0);
}

static void instructions_of_registers_alone_move(void **state) {
    (void)state;
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\x48\x89\xc7\xe8"),
                     3); /* mov %rax, %rdi */
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\x48\x85\xc0\x74"),
                     3); /* test %rax, %rax */
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\x48\x63\xf8\xe8"),
                     3); /* movslq %eax, %rdi */
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\x48\x83\xf8\xda"),
                     4); /* cmp $-38, %rax */
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\x48\x83\xc4\x10"), 0); /* add $16, %rsp */
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\x48\x89\x45\xf8"),
                     0); /* mov %rax, -8(%rbp) */
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\x89\xc7\xe8\x00"),
                     0); /* mov %eax, %edi */
}

static void return_moves_if_a_gap_follows(void **state) {
    (void)state;
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\xc3\x0f\x1f\x00"), 1);
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\xc3\x66\x2e\x0f\x1f\x84"), 1);
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\xc3\x66\x90\x55"), 1);
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\xc3\x90\x90\x55"), 1);
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\xc3\x90\x55\x53"), 0);
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\xc3\x48\x89\xf8"), 0);
    assert_int_equal(syscall_site_movable_behind((const uint8_t *)"\xc3\x66\x0f\x6f\xc0"), 0);
}

static uint8_t text[64];

static bool is_target_with(size_t at, const char *code, size_t length) {
    memset(text, 0x90, sizeof text);
    memcpy(text + at, code, length);
    return syscall_site_is_target(text + 30, text, text + sizeof text);
}

static void jumps_of_each_form_are_found(void **state) {
    (void)state;
    assert_false(is_target_with(0, "\x90", 1));
    assert_true(is_target_with(10, "\xeb\x12", 2)); /* jmp */
    assert_true(is_target_with(40, "\x74\xf4", 2)); /* je, backwards */
    assert_true(is_target_with(10, "\xe2\x12", 2)); /* loop */
    assert_true(is_target_with(10, "\xe9\x0f\0\0\0", 5));
    assert_true(is_target_with(10, "\xe8\x0f\0\0\0", 5));
    assert_true(is_target_with(40, "\x0f\x85\xf0\xff\xff\xff", 6));
    assert_false(is_target_with(10, "\xeb\x13", 2));
    assert_false(is_target_with(40, "\x0f\x95\xf0\xff\xff\xff", 6)); /* setne */
}

static void last_bytes_of_a_text_are_no_jump(void **state) {
    (void)state;
    assert_false(is_target_with(63, "\xeb", 1));
    assert_false(is_target_with(62, "\x0f\x85", 2));
    assert_false(is_target_with(60, "\xe9\0\0\0", 4));
    assert_true(is_target_with(62, "\xeb\xde", 2));
}

static bool number_is(const char *code, size_t length, size_t at, long number) {
    struct syscall_site site;
    return syscall_site_describe(&site, (const uint8_t *)code + at, (const uint8_t *)code,
                                 (const uint8_t *)code + length) &&
           site.number == number && site.before_bytes == 7;
}

static void long_load_of_the_number_moves(void **state) {
    (void)state;
    assert_true(number_is("\x90\x48\xc7\xc0\x1c\0\0\0\x0f\x05\x89", 11, 8, 28));
    assert_true(number_is("\x48\xc7\xc0\x01\x01\0\0\x0f\x05", 9, 7, 257));      /* where a text begins */
    assert_false(replaceable("\x90\x48\xc7\xc0\x0f\0\0\0\x0f\x05\x90", 11, 8)); /* rt_sigreturn(2) */
    assert_false(replaceable("\x90\x48\xc7\xc3\x1c\0\0\0\x0f\x05\x90", 11, 8)); /* into %rbx */
}

static void both_bytes_are_found_wherever_they_stand(void **state) {
    (void)state;
    uint8_t text[80];
    for (size_t length = 0; length <= sizeof text; length++)
        for (size_t at = 0; at + 2 <= length; at++) {
            memset(text, 0x0f, sizeof text);
            text[at + 1] = 5;
            assert_ptr_equal(syscall_site_find(text, text + length), text + at);
            assert_null(syscall_site_find(text + at + 1, text + length));
            assert_null(syscall_site_find(text, text + at + 1)); /* one of them */
        }
}

/* Behind as much code as is looked at. */
static bool reached(const char *last, size_t length, size_t at) {
    uint8_t text[200] = {0};
    for (size_t i = 0; i < 150; i++) /* push %rbp; mov %rsp, %rbp; nop; nop */
        text[i] = (uint8_t) "\x55\x48\x89\xe5\x90\x90"[i % 6];
    memcpy(text + 150, last, length);
    return syscall_site_is_reached(text + 150 + at, text, text + sizeof text);
}

static void constants_are_told_from_instructions_by_what_is_before(void **state) {
    (void)state;
    assert_true(reached("\x0f\x05", 2, 0));
    assert_true(reached("\xb8\x29\0\0\0\x0f\x05", 7, 5));
    assert_false(reached("\xb8\x29\x0f\x05\0", 5, 2));              /* mov $0x50f29, %eax */
    assert_false(reached("\xc7\x05\x0f\x05\0\0\x01\0\0\0", 10, 2)); /* movl $1, 0x50f(%rip) */
    const uint8_t *text = (const uint8_t *)"\xb8\x29\0\0\0\x0f\x05";
    assert_true(syscall_site_is_reached(text + 5, text, text + 7)); /* where a text begins */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_of_the_number_moves),
        cmocka_unit_test(what_has_been_replaced_is_not_replaced_again),
        cmocka_unit_test(what_stands_between_the_load_and_the_call_moves),
        cmocka_unit_test(comparison_of_the_result_moves),
        cmocka_unit_test(instructions_of_registers_alone_move),
        cmocka_unit_test(return_moves_if_a_gap_follows),
        cmocka_unit_test(jumps_of_each_form_are_found),
        cmocka_unit_test(last_bytes_of_a_text_are_no_jump),
        cmocka_unit_test(long_load_of_the_number_moves),
        cmocka_unit_test(both_bytes_are_found_wherever_they_stand),
        cmocka_unit_test(constants_are_told_from_instructions_by_what_is_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
