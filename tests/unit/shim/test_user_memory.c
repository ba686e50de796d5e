/* SPDX-License-Identifier: MIT */
/*
 * test_user_memory.c - shim/library/user_memory.c: copies from and to memory that may not be there.
 */
#include "shim/library/user_memory.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static uint8_t *pages; /* two that are there, one that is not */
static int faults, others;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    faults++;
    if (user_memory_fault(context))
        return; /* or not even that */
    others++;
    mprotect(pages + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE);
}

/* In each test, since cmocka has handlers of its own. */
static void catch_faults(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

static int begin(void **state) {
    (void)state;
    pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages + 2 * PAGE, PAGE, PROT_NONE);
    faults = others = 0;
    return pages == MAP_FAILED;
}

static int end(void **state) {
    (void)state;
    return munmap(pages, 3 * PAGE);
}

static void what_is_there_is_copied_whatever_its_length_and_nothing_beside_it(void **state) {
    (void)state;
    catch_faults();
    static uint8_t from[1200], to[1200];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t length = 0; length < 1100; length++)
        for (size_t shift = 1; shift < 34; shift += 8) {
            memset(to, 0xee, sizeof to);
            assert_int_equal(user_read(to + shift, from + 3, length), 0);
            assert_memory_equal(to + shift, from + 3, length);
            assert_int_equal(to[shift - 1], 0xee);
            assert_int_equal(to[shift + length], 0xee);
        }
    assert_int_equal(faults, 0);
}

static void what_ends_at_the_last_byte_is_copied_and_a_byte_more_is_a_fault(void **state) {
    (void)state;
    catch_faults();
    static uint8_t own[600];
    for (size_t length = 1; length < sizeof own; length++) {
        uint8_t *last = pages + 2 * PAGE - length;
        assert_int_equal(user_read(own, last, length), 0);
        assert_int_equal(user_write(last, own, length), 0);
        assert_int_equal(user_read(own, last + 1, length), -EFAULT);
        assert_int_equal(user_write(last + 1, own, length), -EFAULT);
    }
    assert_int_equal(faults, 2 * (int)(sizeof own - 1));
    assert_int_equal(others, 0);
}

static void an_address_that_can_be_nobodys_is_a_fault(void **state) {
    (void)state;
    catch_faults();
    uint8_t own[100];
    void *const wild[] = {NULL, (void *)1, (void *)-1L, (void *)0x8000000000000000L,
                          (void *)0xffff888000000000L};
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
        assert_int_equal(user_read(own, wild[i], sizeof own), -EFAULT);
        assert_int_equal(user_write(wild[i], own, sizeof own), -EFAULT);
        assert_int_equal(user_read(own, wild[i], 0), 0);
    }
}

static void what_may_only_be_read_is_read(void **state) {
    (void)state;
    catch_faults();
    uint8_t own[300] = {0};
    mprotect(pages, PAGE, PROT_READ);
    assert_int_equal(user_read(own, pages, sizeof own), 0);
    assert_int_equal(user_write(pages, own, sizeof own), -EFAULT);
}

static void a_mapping_of_a_file_that_was_cut_is_a_fault(void **state) {
    (void)state;
    catch_faults();
    uint8_t own[300] = {0};
    FILE *file = tmpfile();
    assert_int_equal(ftruncate(fileno(file), 2 * PAGE), 0);
    uint8_t *mapped = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    assert_int_equal(user_read(own, mapped + PAGE, sizeof own), 0);
    assert_int_equal(ftruncate(fileno(file), PAGE), 0);
    assert_int_equal(user_read(own, mapped + PAGE - 100, sizeof own), -EFAULT);
    assert_int_equal(user_write(mapped + PAGE - 100, own, sizeof own), -EFAULT);
    munmap(mapped, 2 * PAGE);
    fclose(file);
}

static void another_fault_is_not_taken_for_one_of_a_copy(void **state) {
    (void)state;
    catch_faults();
    uint8_t own[8];
    assert_int_equal(user_read(own, pages + 2 * PAGE, sizeof own), -EFAULT);
    assert_int_equal(*(volatile uint8_t *)(pages + 2 * PAGE), 0);
    assert_int_equal(others, 1);
}

static void a_thread_that_blocks_the_signals_has_faults_as_well_and_blocks_them_still(void **state) {
    (void)state;
    catch_faults();
    uint8_t own[8];
    sigset_t all, before, after;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    user_memory_mask_changed();
    for (int i = 0; i < 2; i++)
        assert_int_equal(user_read(own, pages + 2 * PAGE, sizeof own), -EFAULT);
    pthread_sigmask(SIG_SETMASK, &before, &after);
    user_memory_mask_changed();
    assert_true(sigismember(&after, SIGSEGV) && sigismember(&after, SIGBUS));
    for (int i = 0; i < 2; i++)
        assert_int_equal(user_read(own, pages + 2 * PAGE, sizeof own), -EFAULT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_there_is_copied_whatever_its_length_and_nothing_beside_it,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_ends_at_the_last_byte_is_copied_and_a_byte_more_is_a_fault,
                                        begin, end),
        cmocka_unit_test_setup_teardown(an_address_that_can_be_nobodys_is_a_fault, begin, end),
        cmocka_unit_test_setup_teardown(what_may_only_be_read_is_read, begin, end),
        cmocka_unit_test_setup_teardown(a_mapping_of_a_file_that_was_cut_is_a_fault, begin, end),
        cmocka_unit_test_setup_teardown(another_fault_is_not_taken_for_one_of_a_copy, begin, end),
        cmocka_unit_test_setup_teardown(
            a_thread_that_blocks_the_signals_has_faults_as_well_and_blocks_them_still, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
