/* SPDX-License-Identifier: MIT */
/*
 * doors.c - what read(2) of a file costs by each door that leads to the library: nanoseconds, the median of
 * several rounds.
 *
 *   doors names | libc | instruction | loaded     by libc's name; by libc itself, where its function is looked
 * up; by an instruction of the program's own, and by one that its number is loaded for right before, which the
 * library replaces once it is used often
 *
 * Built with AS_GO it has a note of Go's, and the instruction in the form that Go has it in: the library
 * replaces it once it is used often.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 15
#define CALLS 20000

#ifdef AS_GO
__asm__(".section .note.go.buildid, \"a\", @note\n"
        ".long 4, 0, 4\n.asciz \"Go\\0\"\n"
        ".text\n");
#endif

/* syscall; cmp $-4095, %rax */
static ssize_t by_instruction(int fd, void *buffer, size_t length) {
    ssize_t result;
    __asm__ volatile("syscall; cmp $-4095, %%rax"
                     : "=a"(result)
                     : "0"(SYS_read), "D"(fd), "S"(buffer), "d"(length)
                     : "rcx", "r11", "memory", "cc");
    return result;
}

static ssize_t by_loaded(int fd, void *buffer, size_t length) {
    ssize_t result;
    __asm__ volatile("mov %1, %%eax; syscall"
                     : "=a"(result)
                     : "i"(SYS_read), "D"(fd), "S"(buffer), "d"(length)
                     : "rcx", "r11", "memory");
    return result;
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

int main(int count, char **arguments) {
    ssize_t (*function)(int, void *, size_t) = read;
    double rounds[ROUNDS];
    char byte;
    int from = open("/dev/null", O_RDONLY);
    if (count != 2 || from < 0)
        return 2;
    if (strcmp(arguments[1], "libc") == 0)
        *(void **)&function = dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "read");
    else if (strcmp(arguments[1], "instruction") == 0)
        function = by_instruction;
    else if (strcmp(arguments[1], "loaded") == 0)
        function = by_loaded;
    for (int round = 0; round < ROUNDS; round++) {
        double begun = now_ns();
        for (int i = 0; i < CALLS; i++)
            if (function(from, &byte, 1) != 0)
                return 1;
        rounds[round] = (now_ns() - begun) / CALLS;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, compare);
    printf("%.2f\n", rounds[ROUNDS / 2]);
    return 0;
}
