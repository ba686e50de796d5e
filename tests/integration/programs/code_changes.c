/* SPDX-License-Identifier: MIT */
/*
 * code_changes.c - code with a system-call instruction is unmapped, and other code comes to its address, as by dlclose(3)
 * and dlopen(3), or in a program that makes code as it runs.
 */
#include "tests/raw_call.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PLACE ((void *)0x7e0000000)
#define BYTES 4096

/* What is behind the instruction differs. */
#define CALL "\xb8\x27\0\0\0\x0f\x05" /* mov $39, %eax; syscall: getpid(2) */
static const struct code {
    const char *text;
    size_t bytes;
    int gives; /* 0: the process's number */
} codes[] = {
    {CALL "\x48\x3d\x00\xf0\xff\xff\xc3", 14, 0},                 /* cmp $-4096, %rax; ret */
    {CALL "\xb8\x07\0\0\0\xc3", 13, 7},                           /* mov $7, %eax; ret */
    {CALL "\x48\x89\xc0\xb8\x08\0\0\0\xc3", 16, 8},               /* mov %rax, %rax; mov $8, %eax; ret */
    {"\xb8\x27\0\0\0\x90\x0f\x05\xb8\x09\0\0\0\xc3", 14, 9},      /* nop before it */
    {"\xb9\x27\0\0\0\x89\xc8\x0f\x05\xb8\x0a\0\0\0\xc3", 15, 10}, /* mov $39, %ecx; mov %ecx, %eax */
};

static int run(const struct code *code) {
    void *place =
        mmap(PLACE, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (place != PLACE)
        return -1;
    memcpy(place, code->text, code->bytes);
    mprotect(place, BYTES, PROT_READ | PROT_EXEC);
    int result = ((int (*)(void))place)();
    munmap(place, BYTES);
    return result == (int)getpid() ? 0 : result;
}

int main(void) {
    RAW_CALL(getpid);
    for (int time = 0; time < 200; time++) {
        const struct code *code = &codes[(time / 20 + time % 20) % 5];
        int result = run(code);
        if (result == code->gives)
            continue;
        fprintf(stderr, "at %d: %d instead of %d\n", time, result, code->gives);
        return 1;
    }
    return 0;
}
