/* SPDX-License-Identifier: MIT */
/*
 * syscall_site.c - see syscall_site.h. Also used by the keeper's program, which tells of it.
 */
#include "shim/region/syscall_site.h"
#include "shim/region/instruction.h"
#include <stddef.h>
#include <string.h>

#define NUMBER_LOOKBACK 40 /* bytes, in which a number is loaded that is not loaded right before */
#define MOV_BYTES 5
#define LONG_MOV_BYTES 7
#define RT_SIGRETURN 15 /* x86-64's */

static bool is_mov_number(const uint8_t *code) {
    return code[0] == 0xb8 && code[3] == 0 && code[4] == 0;
}

static long number_of(const uint8_t *mov) {
    return mov[1] | mov[2] << 8;
}

/* The register's extension in a prefix makes another instruction of it: mov $n, %r8d. */
static bool is_extended(const uint8_t *mov) {
    return (mov[-1] & 0xf1) == 0x41;
}

/* The number that was loaded last before an instruction; NULL, where none is near. */
static const uint8_t *find_mov(const uint8_t *instruction, const uint8_t *start) {
    for (const uint8_t *at = instruction - MOV_BYTES; at > start && at > instruction - NUMBER_LOOKBACK; at--)
        if (is_mov_number(at) && !is_extended(at))
            return at;
    return NULL;
}

#define IS_LONG_DISPLACEMENT 0x80 /* in a ModRM byte, below a mask of 0xc0 */

/* The length of what stands between the load of the number and the system-call instruction, if it is one instruction
 * that a stub can do instead; else 0. */
static unsigned movable_between(const uint8_t *code) {
    bool extends = (code[0] & 0xf0) == 0x40;
    const uint8_t *operation = code + extends;
    if (operation[0] == 0x8d && (operation[1] & 0xc0) == IS_LONG_DISPLACEMENT)
        return extends + 6u + ((operation[1] & 7) == 4); /* lea with a base, and an index */
    if ((operation[0] & 0xf8) == 0xb8 && (code[0] & 0xf8) != 0x48)
        return extends + 5u; /* mov $constant, %r32 */
    return 0;
}

static const uint8_t long_mov[] = {0x48, 0xc7, 0xc0}; /* mov $constant, %rax */

unsigned syscall_site_load(const uint8_t *instruction, long number) {
    int32_t loaded;
    const uint8_t *mov = instruction - MOV_BYTES;
    memcpy(&loaded, instruction - sizeof loaded, sizeof loaded);
    if (loaded != number || number == RT_SIGRETURN)
        return 0;
    if (mov[0] == 0xb8 && !is_extended(mov))
        return MOV_BYTES;
    return memcmp(instruction - LONG_MOV_BYTES, long_mov, sizeof long_mov) == 0 ? LONG_MOV_BYTES : 0;
}

unsigned syscall_site_behind(const uint8_t *behind) {
    static const uint8_t rest[] = {0xf0, 0xff, 0xff};
    bool compares =
        behind[0] == 0x48 && behind[1] == 0x3d && behind[2] <= 1 && memcmp(behind + 3, rest, 3) == 0;
    return compares ? 6 : 0; /* cmp $-4096 or $-4095, %rax */
}

#define REX_W 0x48
#define IS_REGISTER 0xc0 /* in a ModRM byte: no memory */

/* No operation, of two bytes at least; or what a debugger fills a gap with. */
static bool is_filling(const uint8_t *code) {
    while (code[0] == 0x66 || code[0] == 0x2e)
        if (*++code == 0x90)
            return true;
    return (code[0] == 0x0f && code[1] == 0x1f) || (code[0] == 0x90 && code[1] == 0x90) ||
           (code[0] == 0xcc && code[1] == 0xcc);
}

unsigned syscall_site_movable_behind(const uint8_t *behind) {
    if (behind[0] == 0xc3)
        return is_filling(behind + 1) ? 1 : 0;
    if (behind[0] != REX_W || (behind[2] & IS_REGISTER) != IS_REGISTER)
        return 0;
    switch (behind[1]) {
    case 0x85: /* test */
    case 0x89: /* mov */
    case 0x63: /* movslq */
        return 3;
    case 0x83: /* cmp with a constant of a byte */
        return behind[2] == 0xf8 ? 4 : 0;
    default:
        return 0;
    }
}

/* Whether the bytes at `at` could be a jump or a call to an address. */
static bool leads_to(const uint8_t *at, const uint8_t *address, const uint8_t *end) {
    int8_t near;
    int32_t far;
    bool is_near = (at[0] & 0xf0) == 0x70 || at[0] == 0xeb || (at[0] & 0xfc) == 0xe0;
    bool is_conditional = at[0] == 0x0f && at + 6 <= end && (at[1] & 0xf0) == 0x80;
    const uint8_t *distance = at + (is_conditional ? 2 : 1);
    if (is_near && at + 2 <= end) {
        memcpy(&near, distance, sizeof near);
        return at + 2 + near == address;
    }
    if (!is_conditional && ((at[0] & 0xfe) != 0xe8 || at + 5 > end))
        return false;
    memcpy(&far, distance, sizeof far);
    return distance + sizeof far + far == address;
}

bool syscall_site_is_target(const uint8_t *address, const uint8_t *start, const uint8_t *end) {
    for (const uint8_t *at = start; at < end; at++)
        if (leads_to(at, address, end))
            return true;
    return false;
}

#ifdef __SSE2__
#include <emmintrin.h>

#define VECTOR_BYTES 16

/* As far as whole vectors go; what is there, or where to go on. */
static const uint8_t *find_by_vectors(const uint8_t *at, const uint8_t *end) {
    const __m128i first = _mm_set1_epi8(0x0f), second = _mm_set1_epi8(0x05);
    for (; end - at > VECTOR_BYTES; at += VECTOR_BYTES) {
        __m128i here = _mm_loadu_si128((const __m128i *)at);
        __m128i next = _mm_loadu_si128((const __m128i *)(at + 1));
        __m128i both = _mm_and_si128(_mm_cmpeq_epi8(here, first), _mm_cmpeq_epi8(next, second));
        unsigned hits = (unsigned)_mm_movemask_epi8(both);
        if (hits)
            return at + __builtin_ctz(hits);
    }
    return at;
}
#else
static const uint8_t *find_by_vectors(const uint8_t *at, const uint8_t *end) {
    (void)end;
    return at;
}
#endif

const uint8_t *syscall_site_find(const uint8_t *start, const uint8_t *end) {
    for (const uint8_t *at = find_by_vectors(start, end); end - at >= 2; at++)
        if (at[0] == 0x0f && at[1] == 0x05)
            return at;
    return NULL;
}

#define BEFORE_MAX 64
#define INSTRUCTION_MAX 15

static bool leads_there(const uint8_t *at, const uint8_t *instruction, const uint8_t *end) {
    while (at < instruction) {
        unsigned length = instruction_length(at, (size_t)(end - at));
        at += length ? length : 1;
    }
    return at == instruction;
}

/* One of so many ways to begin is in step from the start, unless data lies there. */
bool syscall_site_is_reached(const uint8_t *instruction, const uint8_t *start, const uint8_t *end) {
    if (instruction - start < BEFORE_MAX)
        return leads_there(start, instruction, end);
    for (const uint8_t *at = instruction - BEFORE_MAX; at <= instruction - BEFORE_MAX + INSTRUCTION_MAX; at++)
        if (leads_there(at, instruction, end))
            return true;
    return false;
}

#define CACHE_LINE 64

bool syscall_site_is_one_store(const struct syscall_site *site) {
    return site->before && ((uintptr_t)site->before & 7) <= 3;
}

bool syscall_site_is_replaceable_late(const struct syscall_site *site) {
    return site->before && (uintptr_t)site->before % CACHE_LINE < CACHE_LINE - 1;
}

bool syscall_site_is_jumped_over(const uint8_t *instruction, const uint8_t *start) {
    if (instruction - MOV_BYTES >= start && instruction[-MOV_BYTES] == 0xe9)
        return true;
    return instruction - LONG_MOV_BYTES >= start && instruction[-LONG_MOV_BYTES] == 0xe9 &&
           instruction[-2] == 0 && instruction[-1] == 0;
}

static bool is_loaded_long(const uint8_t *instruction, const uint8_t *start) {
    return instruction - LONG_MOV_BYTES >= start &&
           memcmp(instruction - LONG_MOV_BYTES, long_mov, sizeof long_mov) == 0 && instruction[-2] == 0 &&
           instruction[-1] == 0;
}

bool syscall_site_describe(struct syscall_site *site, const uint8_t *instruction, const uint8_t *start,
                           const uint8_t *end) {
    if (is_loaded_long(instruction, start)) {
        *site = (struct syscall_site){.instruction = instruction,
                                      .before = instruction - LONG_MOV_BYTES,
                                      .before_bytes = LONG_MOV_BYTES,
                                      .number = instruction[-4] | instruction[-3] << 8};
        return site->number != RT_SIGRETURN;
    }
    const uint8_t *mov = find_mov(instruction, start);
    *site = (struct syscall_site){.instruction = instruction, .number = mov ? number_of(mov) : -1};
    if (mov == instruction - MOV_BYTES) {
        site->before = mov;
        site->before_bytes = MOV_BYTES;
        return true;
    }
    unsigned between = mov ? (unsigned)(instruction - (mov + MOV_BYTES)) : 0;
    if (between >= MOV_BYTES && mov[MOV_BYTES] == 0xe9)
        return false; /* a jump already */
    if (between >= MOV_BYTES && movable_between(mov + MOV_BYTES) == between) {
        site->before = mov + MOV_BYTES;
        site->before_bytes = between;
        return true;
    }
    bool whole = instruction + 8 <= end && !syscall_site_is_jumped_over(instruction, start);
    site->after_bytes = whole ? syscall_site_behind(instruction + 2) : 0;
    return site->after_bytes > 0;
}
