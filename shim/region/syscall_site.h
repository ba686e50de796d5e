/* SPDX-License-Identifier: MIT */
/*
 * syscall_site.h - the forms in which a system-call instruction stands, and which of them a jump can replace.
 *
 * A jump takes five bytes, a system-call instruction has two (0f 05). There are four forms in which the
 * neighbours can move into a stub (syscall_stub.h) without anybody noticing:
 *
 *   b8 NN NN 00 00  0f 05              mov $number, %eax; syscall
 *   b8 NN NN 00 00  XX..XX  0f 05      mov $number, %eax; lea D(%R), %R or mov $C, %R; syscall
 *   48 c7 c0 NN NN 00 00  0f 05        mov $number, %rax; syscall, as Go has it
 *   0f 05  48 3d NN f0 ff ff           syscall; cmp $-4096 or $-4095, %rax
 *
 * and one in which they can if no jump leads to them:
 *
 *   0f 05  48 OP MM                    syscall; and mov, movslq, test or cmp of registers alone, as musl's
 * has it
 */
#ifndef SHIM_REGION_SYSCALL_SITE_H
#define SHIM_REGION_SYSCALL_SITE_H

#include <stdbool.h>
#include <stdint.h>

/* What a stub replaces. */
struct syscall_site {
    const uint8_t *instruction; /* the system-call instruction, 0f 05 */
    const uint8_t *before;      /* instructions right before it that the stub does instead, or NULL; */
    unsigned before_bytes;
    unsigned after_bytes; /* right behind it: what compares the result */
    long number;          /* of the system call, where it was loaded right before, or lately; -1: not known */
};

/* Whether the load of the number before an instruction of a text, which begins at `start`, has become a jump. That
 * comes back behind the instruction, which may not be replaced as well. */
bool syscall_site_is_jumped_over(const uint8_t *instruction, const uint8_t *start);

/* Describes an instruction of a text. Gives whether a jump can replace it. */
bool syscall_site_describe(struct syscall_site *site, const uint8_t *instruction, const uint8_t *start,
                           const uint8_t *end);

/* Whether one store of eight bytes replaces it, and no thread can be asleep in what is replaced. */
bool syscall_site_is_one_store(const struct syscall_site *site);

/* Whether it may be replaced while other threads are there: by one store, or in steps (syscall_patch.h). */
bool syscall_site_is_replaceable_late(const struct syscall_site *site);

/* Libraries beyond libc are searched up to so many bytes of text, when they are loaded, or at the first socket. Of those
 * that a program is linked to the small ones are searched when it begins: 1 MB takes a fifth of a millisecond. */
#define SYSCALL_SITE_TEXT_MAX (8 << 20)
#define SYSCALL_SITE_SMALL_TEXT_MAX (64 << 10)

/* The first two bytes of a text that may be a system-call instruction; NULL: there are none. */
const uint8_t *syscall_site_find(const uint8_t *start, const uint8_t *end);

/* Whether two such bytes are an instruction for whoever comes from a little before: in x86-64's code one falls into step
 * after a few instructions, wherever one begins to read it. */
bool syscall_site_is_reached(const uint8_t *instruction, const uint8_t *start, const uint8_t *end);

/* How many bytes right before an instruction load the number of the system call that it makes; 0: something else
 * is there. Reads up to SYSCALL_SITE_LOAD_MAX bytes before it. The number of rt_sigreturn(2) is never one: by its
 * load unwinders know a signal's frame. */
#define SYSCALL_SITE_LOAD_MAX 8
unsigned syscall_site_load(const uint8_t *instruction, long number);

/* How many bytes of what follows a system-call instruction the stub can do instead: a comparison of the
 * result, else 0. */
unsigned syscall_site_behind(const uint8_t *behind);

/* The same of the last two forms. */
unsigned syscall_site_movable_behind(const uint8_t *behind);

/* Whether any jump of a text may lead to an address: whatever looks like one is taken for one, also inside of
 * other instructions. Reads all of the text. */
bool syscall_site_is_target(const uint8_t *address, const uint8_t *start, const uint8_t *end);

#endif
