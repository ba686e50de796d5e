/*
 * syscall_site.c - see syscall_site.h. Also used by the keeper's program, which tells of it.
 */
#include "shim/region/syscall_site.h"
#include <stddef.h>
#include <string.h>

#define NUMBER_LOOKBACK 40 /* bytes, in which a number is loaded that is not loaded right before */
#define MOV_BYTES 5

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

unsigned syscall_site_behind(const uint8_t *behind) {
    static const uint8_t rest[] = {0xf0, 0xff, 0xff};
    bool compares =
        behind[0] == 0x48 && behind[1] == 0x3d && behind[2] <= 1 && memcmp(behind + 3, rest, 3) == 0;
    return compares ? 6 : 0; /* cmp $-4096 or $-4095, %rax */
}

bool syscall_site_is_one_store(const struct syscall_site *site) {
    return site->before && ((uintptr_t)site->before & 7) <= 3;
}

bool syscall_site_describe(struct syscall_site *site, const uint8_t *instruction, const uint8_t *start,
                           const uint8_t *end) {
    const uint8_t *mov = find_mov(instruction, start);
    *site = (struct syscall_site){.instruction = instruction, .number = mov ? number_of(mov) : -1};
    if (mov == instruction - MOV_BYTES) {
        site->before = mov;
        site->before_bytes = MOV_BYTES;
        return true;
    }
    site->after_bytes = instruction + 8 <= end ? syscall_site_behind(instruction + 2) : 0;
    return site->after_bytes > 0;
}
