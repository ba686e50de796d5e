/* SPDX-License-Identifier: MIT */
/*
 * syscall_patch.c - see syscall_patch.h.
 *
 * What other threads may execute is changed in three stores, each of which leaves something that is right to
 * execute: first a jump to itself, in which a thread that comes by stays; then the rest of the new jump; then
 * its first two bytes. In between membarrier(2) makes every processor see what was stored.
 */
#include "shim/library/syscalls/syscall_patch.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include <linux/membarrier.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#if defined __x86_64__ && !defined CALLS_BY_LIBC

#define PAGE_BYTES 4096ul
#define CACHE_LINE 64
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; before, EINVAL */
#endif
#define JUMP_BYTES 14        /* jmp *0(%rip), and the address */
#define REACH (0x7ff00000ul) /* of a jump with 32 bits of distance */
#define STEP (0x100000ul)

static bool barrier(void) {
    return kernel_call(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0, 0, 0, 0) == 0;
}

static bool can_order(void) {
    kernel_call(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0, 0, 0, 0);
    return barrier();
}

static bool protect(const void *address, size_t length, int protection) {
    uintptr_t start = (uintptr_t)address & ~(PAGE_BYTES - 1);
    return kernel_call(SYS_mprotect, (long)start, (long)((uintptr_t)address + length - start), protection, 0,
                       0, 0) == 0;
}

static uint8_t *map_at(uintptr_t address) {
    long result = kernel_call(SYS_mmap, (long)address, PAGE_BYTES, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return result == (long)address ? (uint8_t *)result : NULL;
}

/* A page of jumps, within reach of the program's text: one is enough for what is hot. */
static uint8_t *page;
static size_t used;

static uint8_t *near_page(uintptr_t text) {
    uintptr_t base = text & ~(STEP - 1);
    for (uintptr_t distance = STEP; !page && distance < REACH; distance += STEP) {
        if (base > distance)
            page = map_at(base - distance);
        if (!page)
            page = map_at(base + distance);
    }
    return page;
}

static const uint8_t *near_jump(const uint8_t *instruction, const uint8_t *stub) {
    if (!near_page((uintptr_t)instruction) || used + JUMP_BYTES > PAGE_BYTES ||
        !protect(page, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC))
        return NULL;
    uint8_t *at = page + used;
    used += JUMP_BYTES;
    memcpy(at, "\xff\x25\0\0\0\0", 6);
    memcpy(at + 6, &stub, sizeof stub);
    protect(page, PAGE_BYTES, PROT_READ | PROT_EXEC);
    return at;
}

bool syscall_patch_leads(const uint8_t *instruction, const uint8_t *stub) {
    int32_t distance;
    memcpy(&distance, instruction + 1, sizeof distance);
    uintptr_t jump = (uintptr_t)instruction + 5 + (uintptr_t)(intptr_t)distance,
              in_page = jump - (uintptr_t)page;
    return instruction[0] == 0xe9 && page && in_page + JUMP_BYTES <= used && in_page < used &&
           memcmp(page + in_page + 6, &stub, sizeof stub) == 0;
}

typedef uint16_t __attribute__((aligned(1))) unaligned_uint16;

/* One store, which no processor sees the half of: within a line of the cache. */
static void store_two(uint8_t *at, uint8_t first, uint8_t second) {
    *(volatile unaligned_uint16 *)at = (uint16_t)(first | second << 8);
}

/* Text that the program writes to itself stays as it is: it would not be writable any more. */
static bool is_writable(const uint8_t *instruction) {
    return kernel_call(SYS_madvise, (long)((uintptr_t)instruction & ~(PAGE_BYTES - 1)), PAGE_BYTES,
                       MADV_POPULATE_WRITE, 0, 0, 0) == 0;
}

/* What is being replaced, while its memory is writable: of the program, and of libraries. fork(2) keeps the order in
 * which another thread of the parent's stores: a child that has the jump to itself has this, too. */
static struct replacement {
    uint8_t *_Atomic at; /* NULL: nothing is */
    int32_t distance;
} of_program, of_libraries;

/* The three stores. */
static void write_jump(uint8_t *at, int32_t distance, struct replacement *replacement) {
    uint8_t bytes[4];
    memcpy(bytes, &distance, sizeof bytes);
    replacement->distance = distance;
    replacement->at = at;
    store_two(at, 0xeb, 0xfe);
    barrier();
    memcpy(at + 2, bytes + 1, 3);
    barrier();
    store_two(at, 0xe9, bytes[0]);
    barrier();
    replacement->at = NULL;
}

/* There is one thread. */
static bool finish(struct replacement *replacement) {
    uint8_t *at = replacement->at;
    if (!at)
        return false;
    at[0] = 0xe9;
    memcpy(at + 1, &replacement->distance, sizeof replacement->distance);
    replacement->at = NULL;
    return true;
}

/* The memory of libraries stays writable: nobody knows how far it is. */
void syscall_patch_forked(void) {
    uint8_t *at = of_program.at;
    if (finish(&of_program))
        protect(at, 5, PROT_READ | PROT_EXEC);
    finish(&of_libraries);
}

static bool is_split(const uint8_t *at) {
    return (uintptr_t)at % CACHE_LINE == CACHE_LINE - 1;
}

bool syscall_patch_writable(uint8_t *at, int32_t distance) {
    if (is_split(at) || !can_order())
        return false;
    write_jump(at, distance, &of_libraries);
    return true;
}

bool syscall_patch(uint8_t *instruction, const uint8_t *stub) {
    if (is_writable(instruction) || is_split(instruction) || !can_order())
        return false;
    const uint8_t *jump = near_jump(instruction, stub);
    intptr_t distance = (intptr_t)jump - (intptr_t)(instruction + 5);
    if (!jump || distance != (int32_t)distance ||
        !protect(instruction, 5, PROT_READ | PROT_WRITE | PROT_EXEC))
        return false;
    write_jump(instruction, (int32_t)distance, &of_program);
    protect(instruction, 5, PROT_READ | PROT_EXEC);
    return true;
}

#else

bool syscall_patch_writable(uint8_t *at, int32_t distance) {
    (void)at, (void)distance;
    return false;
}

bool syscall_patch(uint8_t *instruction, const uint8_t *stub) {
    (void)instruction, (void)stub;
    return false;
}

void syscall_patch_forked(void) {
}

#endif
