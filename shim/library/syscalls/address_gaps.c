/* SPDX-License-Identifier: MIT */
/*
 * address_gaps.c - see address_gaps.h.
 */
#include "shim/library/syscalls/address_gaps.h"
#include "shim/region/kernel_calls.h"
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* A file of the kernel's, byte by byte. */
struct reader {
    long file;
    long there, at;
    char bytes[4096];
};

static int next_byte(struct reader *reader) {
    if (reader->at == reader->there) {
        reader->there =
            kernel_call(SYS_read, reader->file, (long)reader->bytes, sizeof reader->bytes, 0, 0, 0);
        reader->at = 0;
    }
    return reader->there > 0 ? reader->bytes[reader->at++] : -1;
}

/* A number in hexadecimal digits; the byte behind it is read as well. */
static uintptr_t read_address(struct reader *reader) {
    uintptr_t address = 0;
    for (int byte; (byte = next_byte(reader)) > 0;) {
        if (byte >= '0' && byte <= '9')
            address = address << 4 | (uintptr_t)(byte - '0');
        else if (byte >= 'a' && byte <= 'f')
            address = address << 4 | (uintptr_t)(byte - 'a' + 10);
        else
            break;
    }
    return address;
}

static bool read_line(struct reader *reader, uintptr_t *start, uintptr_t *end) {
    int byte;
    *start = read_address(reader);
    *end = read_address(reader);
    do
        byte = next_byte(reader);
    while (byte > 0 && byte != '\n');
    return byte == '\n';
}

/* What is mapped meanwhile stays. */
static void reserve(uintptr_t from, uintptr_t to) {
    if (from < to)
        kernel_call(SYS_mmap, (long)from, (long)(to - from), PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
}

void address_gaps_reserve(uintptr_t from, uintptr_t to) {
    uintptr_t start, end;
    struct reader reader = {
        .file = kernel_call(SYS_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0, 0, 0)};
    if (reader.file < 0)
        return;
    while (from < to && read_line(&reader, &start, &end) && start < to) {
        reserve(from, start);
        from = end > from ? end : from;
    }
    kernel_call(SYS_close, reader.file, 0, 0, 0, 0, 0);
}
