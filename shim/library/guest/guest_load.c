/* SPDX-License-Identifier: MIT */
/*
 * guest_load.c - begins a program without a dynamic linker of glibc's in this process, which is
 * barewire-load's.
 *
 * Theory of operation. A static program has nothing into which a library could be preloaded. So a process
 * that has libbarewire begins as barewire-load, and here the program is mapped into it, as execve(2) would
 * (ELF specification, "Program Loading"; what the kernel tells a program is in getauxval(3)). Its system-call
 * instructions lie below the libraries, so that they lead to us (user_dispatch.h); its thread-local storage
 * is its own (guest_thread.h). It never comes back: its stack is this process's, from here on down.
 *
 * The file is the user's own, as for the kernel; but what it says of itself is checked before it is mapped.
 */
#include "shim/library/guest/guest_calls.h"
#include "shim/library/guest/guest_thread.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/exec.h"
#include "shim/library/syscalls/syscall_traps.h"
#include "shim/library/syscalls/user_dispatch.h"
#include "shim/region/elf.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>

#if defined __x86_64__ && !defined CALLS_BY_LIBC

#define PAGE_BYTES 4096ul
#define SEGMENTS_MAX 64
#define NOTES_BYTES 4096
#define BREAK_BYTES (1ul << 30)
#define GAP_MAX (64ul << 20)

struct image {
    int file;
    Elf64_Ehdr header;
    Elf64_Phdr segments[SEGMENTS_MAX];
    uintptr_t low, high; /* what it takes, as the file says; high: the end of its data */
    uintptr_t bias;      /* what is to be added */
};

__attribute__((noreturn)) static void fail(const char *what) {
    attach_fail("can't run %s: %s", exec_program, what);
}

static uintptr_t page_of(uintptr_t address) {
    return address & ~(PAGE_BYTES - 1);
}

static uintptr_t page_behind(uintptr_t address) {
    return page_of(address + PAGE_BYTES - 1);
}

static void read_at(const struct image *image, void *to, size_t bytes, uint64_t at) {
    if (at > LONG_MAX || pread(image->file, to, bytes, (off_t)at) != (ssize_t)bytes)
        fail("it is cut off");
}

static void check_segment(struct image *image, const Elf64_Phdr *segment) {
    uintptr_t end = segment->p_vaddr + segment->p_memsz;
    if (segment->p_filesz > segment->p_memsz || end < segment->p_vaddr || end > ADDRESSES_END ||
        (segment->p_vaddr - segment->p_offset) % PAGE_BYTES)
        fail("a segment of it makes no sense");
    if (segment->p_vaddr < image->low)
        image->low = page_of(segment->p_vaddr);
    if (end > image->high)
        image->high = end;
}

static void read_headers(struct image *image, const char *path) {
    const Elf64_Ehdr *header = &image->header;
    *image = (struct image){.low = ADDRESSES_END};
    image->file =
        faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -1 : LIBC(open)(path, O_RDONLY | O_CLOEXEC);
    if (image->file < 0)
        fail(strerror(errno));
    read_at(image, &image->header, sizeof image->header, 0);
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_machine != EM_X86_64 || (header->e_type != ET_EXEC && header->e_type != ET_DYN) ||
        header->e_phentsize != sizeof *image->segments || header->e_phnum > SEGMENTS_MAX)
        fail("it is no program for this machine");
    read_at(image, image->segments, header->e_phnum * sizeof *image->segments, header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (image->segments[i].p_type == PT_LOAD && image->segments[i].p_memsz > 0)
            check_segment(image, &image->segments[i]);
    }
    if (image->low >= image->high)
        fail("it has no code");
}

static int protection_of(const Elf64_Phdr *segment) {
    return (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
           (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* A segment's pages: the file's, zeros behind them. */
static void map_segment(const struct image *image, const Elf64_Phdr *segment) {
    uintptr_t start = image->bias + segment->p_vaddr, first = page_of(start);
    uintptr_t data_end = start + segment->p_filesz, end = page_behind(start + segment->p_memsz);
    int protection = protection_of(segment);
    if (segment->p_filesz > 0 && mmap((void *)first, data_end - first, protection, MAP_PRIVATE | MAP_FIXED,
                                      image->file, (off_t)page_of(segment->p_offset)) == MAP_FAILED)
        fail(strerror(errno));
    if (segment->p_flags & PF_X)
        syscall_traps_text((const void *)start, segment->p_filesz);
    uintptr_t zeros = segment->p_filesz > 0 ? page_behind(data_end) : first;
    if (segment->p_memsz > segment->p_filesz && segment->p_filesz > 0 && protection & PROT_WRITE)
        memset((void *)data_end, 0, zeros - data_end);
    if (end > zeros && mprotect((void *)zeros, end - zeros, protection) < 0)
        fail(strerror(errno));
}

static uintptr_t alignment_of(const struct image *image) {
    uintptr_t alignment = PAGE_BYTES;
    for (unsigned i = 0; i < image->header.e_phnum; i++) {
        uintptr_t wanted = image->segments[i].p_align;
        if (image->segments[i].p_type == PT_LOAD && wanted > alignment && wanted <= GAP_MAX &&
            !(wanted & (wanted - 1)))
            alignment = wanted;
    }
    return alignment;
}

#define BELOW_BYTES (16ul << 30) /* of what is mapped later, between a program and the libraries */

/* Takes the addresses, with `room` bytes behind the data; gives whether there was so much. Where a file does
 * not say which, they must lie below the libraries, too. */
static bool reserve(struct image *image, size_t room) {
    uintptr_t alignment = alignment_of(image), bytes = page_behind(image->high) - image->low + room;
    bool fixed = image->header.e_type == ET_EXEC;
    if (!fixed)
        bytes += alignment;
    void *wanted = (void *)(fixed ? image->low : page_of(user_dispatch_end() - BELOW_BYTES - bytes));
    void *got = mmap(wanted, bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (fixed ? MAP_FIXED_NOREPLACE : 0), -1, 0);
    if (got == MAP_FAILED)
        return false;
    if ((uintptr_t)got + bytes > user_dispatch_end())
        fail("there is no room for it below the libraries");
    if (!fixed)
        image->bias = (((uintptr_t)got + alignment - 1) & ~(alignment - 1)) - (image->low & ~(alignment - 1));
    return true;
}

/* `room`: for the program break. */
static void map_image(struct image *image, size_t room) {
    bool has_room = room > 0 && reserve(image, room);
    if (!has_room && !reserve(image, 0))
        fail("its addresses are taken");
    for (unsigned i = 0; i < image->header.e_phnum; i++)
        if (image->segments[i].p_type == PT_LOAD && image->segments[i].p_memsz > 0)
            map_segment(image, &image->segments[i]);
    if (room > 0)
        guest_break_begin(page_behind(image->bias + image->high), has_room ? room : 0);
    LIBC(close)(image->file);
}

/* The loader that the program names, if any: another C library's. */
static bool find_interpreter(const struct image *image, char path[PATH_MAX]) {
    for (unsigned i = 0; i < image->header.e_phnum; i++) {
        const Elf64_Phdr *segment = &image->segments[i];
        if (segment->p_type != PT_INTERP)
            continue;
        if (segment->p_filesz < 2 || segment->p_filesz >= PATH_MAX)
            fail("the loader that it names makes no sense");
        read_at(image, path, segment->p_filesz, segment->p_offset);
        path[segment->p_filesz] = 0;
        return true;
    }
    return false;
}

/* What is mapped later must lie below the libraries, for its system calls to lead to us: holes between those
 * are closed. The last of them, which the stack may grow into, is not one that the kernel would take. */
static void close_holes(void) {
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long start, end, before = 0;
    char line[PATH_MAX + 100];
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx", &start, &end) != 2 || end > ADDRESSES_END)
            continue;
        if (before >= user_dispatch_end() && start > before && start - before <= GAP_MAX &&
            !strstr(line, "[stack]"))
            (void)mmap((void *)before, start - before, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        before = end;
    }
    if (maps)
        fclose(maps);
}

/* With a stack without a limit (ulimit -s) the kernel maps upwards. */
static bool maps_below_libraries(void) {
    void *page = mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED)
        munmap(page, PAGE_BYTES);
    return page != MAP_FAILED && (uintptr_t)page < user_dispatch_end();
}

/* Where the program headers lie in memory. */
static uintptr_t headers_of(const struct image *image) {
    uint64_t at = image->header.e_phoff;
    for (unsigned i = 0; i < image->header.e_phnum; i++) {
        const Elf64_Phdr *segment = &image->segments[i];
        if (segment->p_type == PT_LOAD && at >= segment->p_offset &&
            at < segment->p_offset + segment->p_filesz)
            return image->bias + segment->p_vaddr + (at - segment->p_offset);
    }
    return 0;
}

#define AUXILIARY_MAX 32

/* What the kernel told this process, but for what is about the program. `random`: 16 bytes. */
static size_t write_auxiliary_vector(Elf64_auxv_t *to, const struct image *image, uintptr_t interpreter,
                                     const uint8_t *random) {
    static const unsigned long kept[] = {AT_SYSINFO_EHDR, AT_MINSIGSTKSZ, AT_HWCAP,  AT_PAGESZ,
                                         AT_CLKTCK,       AT_UID,         AT_EUID,   AT_GID,
                                         AT_EGID,         AT_SECURE,      AT_HWCAP2, AT_PLATFORM};
    const Elf64_auxv_t own[] = {{AT_PHDR, {headers_of(image)}},
                                {AT_PHENT, {sizeof(Elf64_Phdr)}},
                                {AT_PHNUM, {image->header.e_phnum}},
                                {AT_BASE, {interpreter}},
                                {AT_FLAGS, {0}},
                                {AT_ENTRY, {image->bias + image->header.e_entry}},
                                {AT_RANDOM, {(uintptr_t)random}},
                                {AT_EXECFN, {(uintptr_t)exec_program}}};
    size_t count = 0;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        errno = 0;
        unsigned long value = getauxval(kept[i]);
        if (value || errno == 0)
            to[count++] = (Elf64_auxv_t){kept[i], {value}};
    }
    memcpy(to + count, own, sizeof own);
    count += sizeof own / sizeof *own;
    to[count++] = (Elf64_auxv_t){AT_NULL, {0}};
    return count;
}

#define PRELOAD "LD_PRELOAD="

/* Another C library's loader would preload this library, which is not for it. (What the program executes is
 * told of it again: exec.c.) An LD_PRELOAD that is empty would say "not this program". */
static void hide_library(char **environment) {
    static const char name[] = "libbarewire.so";
    char **to = environment;
    for (; *environment; environment++) {
        char *value = *environment + strlen(PRELOAD);
        bool is = strncmp(*environment, PRELOAD, strlen(PRELOAD)) == 0;
        char *start = is ? strstr(value, name) : NULL, *end = start ? start + strlen(name) : NULL;
        while (start && start > value && !strchr(": ", start[-1]))
            start--;
        if (start) {
            end += *end == ':' || *end == ' ';
            memmove(start, end, strlen(end) + 1);
        }
        if (!start || *value)
            *to++ = *environment;
    }
    *to = NULL;
}

static size_t count_of(char *const *list) {
    size_t count = 0;
    while (list[count])
        count++;
    return count;
}

/* As the kernel names a process: by the last part of its program's path. A file without a name is known by what its
 * descriptor's link says, as /proc/self/exe says it; the descriptor may be one that was opened for this alone. */
static void take_name(void) {
    const char *slash = strrchr(exec_program, '/');
    LIBC(prctl)(PR_SET_NAME, slash ? slash + 1 : exec_program);
    if (!realpath(exec_program, guest_program)) {
        ssize_t length = readlink(exec_program, guest_program, PATH_MAX - 1);
        if (length >= 0)
            guest_program[length] = 0;
        else
            snprintf(guest_program, PATH_MAX, "%s", exec_program);
    }
    if (strncmp(exec_program, PROGRAM_GUEST_DESCRIPTOR, strlen(PROGRAM_GUEST_DESCRIPTOR)) == 0)
        LIBC(close)(atoi(exec_program + strlen(PROGRAM_GUEST_DESCRIPTOR)));
}

/* Called by barewire-load. Returns if this process has not been told a program. */
EXPORT void barewire_load(char **arguments, char **environment) {
    static struct image program, interpreter;
    static uint8_t random[16];
    static char path[PATH_MAX];
    if (!exec_program[0])
        return;
    read_headers(&program, exec_program);
    bool interpreted = find_interpreter(&program, path);
    if (interpreted) {
        read_headers(&interpreter, path);
        hide_library(environment);
    }
    close_holes();
    if (interpreted && !maps_below_libraries())
        fail("its libraries would lie above ours, as with 'ulimit -s unlimited'");
    map_image(&program, BREAK_BYTES);
    if (interpreted)
        map_image(&interpreter, 0);
    if (getrandom(random, sizeof random, GRND_NONBLOCK) < 0)
        memcpy(random, (const void *)getauxval(AT_RANDOM), sizeof random);
    take_name();

    /* The stack as a program finds it: how many arguments, these, the environment, the auxiliary vector. */
    size_t argument_count = count_of(arguments), variable_count = count_of(environment);
    size_t words = 1 + argument_count + 1 + variable_count + 1 + AUXILIARY_MAX * 2;
    uintptr_t *stack = __builtin_alloca((words + 2) * sizeof *stack), *at;
    stack = (uintptr_t *)(((uintptr_t)stack + 15) & ~15ul);
    at = stack;
    *at++ = argument_count;
    memcpy(at, arguments, (argument_count + 1) * sizeof *at);
    at += argument_count + 1;
    memcpy(at, environment, (variable_count + 1) * sizeof *at);
    at += variable_count + 1;
    write_auxiliary_vector((Elf64_auxv_t *)at, &program, interpreted ? interpreter.bias + interpreter.low : 0,
                           random);

    const struct image *first = interpreted ? &interpreter : &program;
    if (!user_dispatch_guest())
        fail("this kernel lets nobody take over its system calls");
    guest_start(first->bias + first->header.e_entry, (uintptr_t)stack);
}

#else

EXPORT void barewire_load(char **arguments, char **environment) {
    (void)arguments, (void)environment;
}

#endif
