/* SPDX-License-Identifier: MIT */
/*
 * syscall_sites.c - see syscall_sites.h.
 *
 * In the forms whose load moves (syscall_site.h) the instruction itself stays where it is, so that code which
 * jumps to it is right, as is a thread which is asleep in it: it is replaced whatever other threads do. Code never
 * jumps between the two instructions of the form whose comparison moves: it is of the result just made. But a thread
 * that is asleep in such an instruction would wake up in the midst of the jump: these are replaced before there is
 * another thread, and not by a signal's handler, which may have interrupted the only one there.
 *
 * A search of the whole of libc takes 0.1 ms and reads all of its pages, which every program would pay. libc
 * has nearly all of the instructions in question side by side, so the constructor searches between the first
 * and the last of a few functions; the first socket, the rest.
 */
#include "shim/library/syscalls/syscall_sites.h"
#include "shim/library/process/signals.h"
#include "shim/library/syscalls/syscall_entry.h"
#include "shim/library/syscalls/syscall_patch.h"
#include "shim/library/syscalls/syscall_stub.h"
#include "shim/library/syscalls/syscall_table.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>

static unsigned taken;

#if defined __x86_64__ && !defined CALLS_BY_LIBC

#define PAGE_BYTES 4096
#define SITES_MAX 512

struct text {
    const uint8_t *start, *end;
    void (*entry)(void); /* of the stubs: libc's when NULL */
};

/* Whether a jump can replace it, and no number tells that the call is none of our business. */
static bool describe(const uint8_t *instruction, const struct text *text, struct syscall_site *site) {
    return syscall_site_describe(site, instruction, text->start, text->end) &&
           (site->number < 0 || syscall_table_has(site->number));
}

static unsigned find_sites(const struct text *text, struct syscall_site *sites) {
    unsigned count = 0;
    const uint8_t *at = text->start;
    while (count < SITES_MAX && (at = syscall_site_find(at, text->end)))
        count += describe(at++, text, &sites[count]);
    return count;
}

/* By a store that the program can't execute the half of. */
static void write_at_once(uint8_t *from, int32_t distance) {
    uint8_t *word = (uint8_t *)((uintptr_t)from & ~(uintptr_t)7), jump[8];
    uint64_t whole;
    memcpy(jump, word, sizeof jump);
    jump[from - word] = 0xe9;
    memcpy(jump + (from - word) + 1, &distance, sizeof distance);
    memcpy(&whole, jump, sizeof whole);
    __atomic_store_n((uint64_t *)word, whole, __ATOMIC_SEQ_CST);
}

static void write_alone(uint8_t *from, int32_t distance) {
    from[0] = 0xe9;
    memcpy(from + 1, &distance, sizeof distance);
}

static void lead(const struct syscall_site *site, const struct text *text, bool unused) {
    uint8_t *from = (uint8_t *)(site->before ? site->before : site->instruction);
    bool alone = unused || (__libc_single_threaded && !signals_running());
    const uint8_t *stub = alone || syscall_site_is_replaceable_late(site)
                              ? syscall_stub_make(site, text->entry ? text->entry : syscall_entry_libc)
                              : NULL;
    intptr_t distance = (intptr_t)stub - (intptr_t)(from + 5);
    if (!stub || distance != (int32_t)distance)
        return;
    if (syscall_site_is_one_store(site))
        write_at_once(from, (int32_t)distance);
    else if (alone)
        write_alone(from, (int32_t)distance);
    else if (!syscall_patch_writable(from, (int32_t)distance))
        return;
    taken++;
}

static bool protect(const struct text *text, int protection) {
    uintptr_t start = (uintptr_t)text->start & ~(uintptr_t)(PAGE_BYTES - 1);
    return kernel_call(SYS_mprotect, (long)start, (long)((uintptr_t)text->end - start), protection, 0, 0,
                       0) == 0;
}

/* Of a library that begins at `base` with its ELF header. */
static struct text text_at(uintptr_t base) {
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)base;
    const ElfW(Phdr) *segment = (const ElfW(Phdr) *)(base + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++, segment++) {
        const uint8_t *start = (const uint8_t *)(base + segment->p_vaddr);
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X)
            return (struct text){.start = start, .end = start + segment->p_memsz};
    }
    return (struct text){.start = NULL};
}

/* Of the libc that this library is linked to. dladdr(3) would compare the address with all of libc's symbols, which
 * takes 20 us at the start of every program. */
static struct text text_of_libc(void *library) {
    struct link_map *object;
    if (!library || dlinfo(library, RTLD_DI_LINKMAP, &object) < 0)
        return (struct text){.start = NULL};
    return text_at(object->l_addr);
}

static void *open_libc(void) {
    return LIBC(dlopen)(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
}

extern const char own_header[] __asm__("__ehdr_start")
    __attribute__((visibility("hidden"))); /* ld(1) defines it */

/* `unused`: no other thread can be in it. */
static void note_text(const struct text *text, bool unused) {
    static struct syscall_site sites[SITES_MAX]; /* whose stubs are open has it */
    unsigned count = text->start < text->end ? find_sites(text, sites) : 0;
    bool writable = count && protect(text, PROT_READ | PROT_WRITE | PROT_EXEC);
    for (unsigned i = 0; writable && i < count; i++)
        lead(&sites[i], text, unused);
    if (writable)
        protect(text, PROT_READ | PROT_EXEC);
}

/* Several texts: the memory of the stubs is opened once for all of them. */
static void note_texts(const struct text *texts, unsigned count, bool unused) {
    const uint64_t all = ~0ull;
    uint64_t before;
    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, sizeof before, 0, 0);
    if (syscall_stubs_open()) {
        for (unsigned i = 0; i < count; i++)
            note_text(&texts[i], unused);
        syscall_stubs_close();
    }
    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof before, 0, 0);
}

#define SMALL_BYTES 128    /* of a function that is little more than its system call */
#define FUNCTION_BYTES 512 /* the last function's instructions are in as many */

static struct text whole, begun; /* libc's; and what of it the constructor has searched */

static void include(void *function) {
    const uint8_t *start = function;
    if (!begun.start || start < begun.start)
        begun.start = start;
    if (start + FUNCTION_BYTES > begun.end)
        begun.end = start + FUNCTION_BYTES;
}

static bool is_apart(const struct dl_phdr_info *library) {
    static const char *const names[] = {LIBC_SO, LD_SO, "linux-vdso", "san.so"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(library->dlpi_name, names[i]))
            return true;
    return !*library->dlpi_name || library->dlpi_addr == (uintptr_t)own_header;
}

void syscall_sites_take(const struct dl_phdr_info *library, bool unused) {
    if (is_apart(library))
        return;
    struct text text = text_at(library->dlpi_addr);
    text.entry = syscall_entry_program;
    if ((!unused && text.end - text.start > SYSCALL_SITE_TEXT_MAX) ||
        !syscall_site_find(text.start, text.end))
        return;
    syscall_entry_program_begin();
    note_texts(&text, 1, unused);
}

static int take_other(struct dl_phdr_info *library, size_t size, void *context) {
    (void)size, (void)context;
    syscall_sites_take(library, false);
    return 0;
}

void syscall_sites_begin(void) {
    static const char *const functions[] = {"read",    "close_range",  "poll",   "writev",
                                            "syscall", "epoll_pwait2", "socket", "sendmmsg"};
    static const char *const apart[] = {"_exit", "execve"}; /* on one page, which is another one */
    void *library = open_libc();
    struct text text = text_of_libc(library);
    whole = text;
    for (size_t i = 0; library && i < sizeof functions / sizeof *functions; i++) {
        const uint8_t *function = dlsym(library, functions[i]);
        if (function && function >= text.start && function + FUNCTION_BYTES <= text.end)
            include((void *)function);
    }
    struct text texts[1 + sizeof apart / sizeof *apart] = {begun};
    for (size_t i = 0; library && i < sizeof apart / sizeof *apart; i++) {
        const uint8_t *function = dlsym(library, apart[i]);
        texts[1 + i] = (struct text){.start = function, .end = function ? function + SMALL_BYTES : NULL};
    }
    note_texts(texts, sizeof texts / sizeof *texts, true);
}

void syscall_sites_complete(void) {
    struct text around[] = {{.start = whole.start, .end = begun.start},
                            {.start = begun.end, .end = whole.end}};
    if (!begun.start || !whole.start)
        return;
    note_texts(around, 2, false);
    dl_iterate_phdr(
        take_other,
        NULL); /* what the program began with is where the kernel raises no signal (user_dispatch.h) */
}

static bool is_libc(const struct link_map *object) {
    const char *name = strrchr(object->l_name, '/');
    return name && strcmp(name + 1, LIBC_SO) == 0;
}

void syscall_sites_take_beside(const struct link_map *object) {
    while (object->l_prev)
        object = object->l_prev;
    for (; object; object = object->l_next) {
        if (!is_libc(object))
            continue;
        struct text text = text_at(object->l_addr);
        note_texts(&text, 1, true);
    }
}

#else

void syscall_sites_take(const struct dl_phdr_info *library, bool unused) {
    (void)library, (void)unused;
}

void syscall_sites_take_beside(const struct link_map *object) {
    (void)object;
}

void syscall_sites_begin(void) {
}

void syscall_sites_complete(void) {
}

#endif

/* A name space of its own has a libc of its own. */
EXPORT void *dlmopen(Lmid_t space, const char *file, int mode) {
    struct link_map *object = LIBC(dlmopen)(space, file, mode);
    if (object && space != LM_ID_BASE)
        syscall_sites_take_beside(object);
    return object;
}

unsigned syscall_sites_taken(void) {
    return taken;
}
