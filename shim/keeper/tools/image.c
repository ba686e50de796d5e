/* SPDX-License-Identifier: MIT */
/*
 * image.c - see image.h. The file is anybody's: each offset in it is checked before it is
 * followed.
 */
#include "shim/keeper/tools/image.h"
#include "shim/region/instruction.h"
#include "shim/region/syscall_concern.h"
#include "shim/region/syscall_site.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

struct file {
    const uint8_t *start;
    size_t bytes;
};

/* A part of a file; NULL when the file does not have it whole. */
static const void *part(const struct file *file, uint64_t offset, uint64_t bytes) {
    return offset <= file->bytes && bytes <= file->bytes - offset ? file->start + offset : NULL;
}

/* The same of a table of eight-byte words. */
static const void *table(const struct file *file, uint64_t offset, uint64_t bytes) {
    return offset % 8 == 0 ? part(file, offset, bytes) : NULL;
}

static bool is_go_note(const Elf64_Nhdr *note) {
    return note->n_namesz == 4 && memcmp(note + 1, "Go", 3) == 0;
}

static bool has_go_note(const uint8_t *notes, uint64_t bytes) {
    while (notes && bytes >= sizeof(Elf64_Nhdr) + 4) {
        const Elf64_Nhdr *note = (const Elf64_Nhdr *)notes;
        uint64_t whole = sizeof *note + ((note->n_namesz + 3ull) & ~3ull) + ((note->n_descsz + 3ull) & ~3ull);
        if (is_go_note(note))
            return true;
        if (whole >= bytes)
            return false;
        notes += whole;
        bytes -= whole;
    }
    return false;
}

/*
 * What the unwinder knows: .eh_frame_hdr, a table of functions by address (Linux Standard Base, 10.6.2). It
 * tells code from data that hand-written assembly has among it.
 */
struct unwinding {
    const struct file *file;
    const Elf64_Phdr *segments;
    unsigned segment_count;
    uint64_t at; /* the address of the table's header */
    const struct function {
        int32_t start, entry; /* from there: the function, and its record */
    } * functions;
    uint32_t count;
};

#define TABLE_ENCODING 0x3b    /* DW_EH_PE_datarel | DW_EH_PE_sdata4 */
#define COUNT_ENCODING 0x03    /* DW_EH_PE_udata4 */
#define RECORD_RANGE_OFFSET 12 /* length, CIE, start: each of four bytes */

/* What a file has at an address; NULL: nothing, or less. */
static const void *at_address(const struct unwinding *unwinding, uint64_t address, uint64_t bytes) {
    for (unsigned i = 0; i < unwinding->segment_count; i++) {
        const Elf64_Phdr *segment = &unwinding->segments[i];
        uint64_t inside = address - segment->p_vaddr;
        if (segment->p_type == PT_LOAD && inside < segment->p_filesz && bytes <= segment->p_filesz - inside)
            return part(unwinding->file, segment->p_offset + inside, bytes);
    }
    return NULL;
}

static void find_functions(struct unwinding *unwinding, const Elf64_Phdr *segment) {
    const uint8_t *header = part(unwinding->file, segment->p_offset, 12);
    if (!header || header[0] != 1 || header[2] != COUNT_ENCODING || header[3] != TABLE_ENCODING)
        return;
    uint32_t count;
    memcpy(&count, header + 8, sizeof count);
    unwinding->at = segment->p_vaddr;
    unwinding->functions =
        part(unwinding->file, segment->p_offset + 12, (uint64_t)count * sizeof(struct function));
    unwinding->count = unwinding->functions ? count : 0;
}

/* Whether an address is inside of a function; yes, where nothing is known. */
static bool is_function(const struct unwinding *unwinding, uint64_t address) {
    uint32_t low = 0, high = unwinding->count, range;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (unwinding->at + (uint64_t)(int64_t)unwinding->functions[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return unwinding->count == 0;
    const struct function *function = &unwinding->functions[low - 1];
    const uint8_t *record = at_address(unwinding, unwinding->at + (uint64_t)(int64_t)function->entry, 16);
    if (!record)
        return true;
    memcpy(&range, record + RECORD_RANGE_OFFSET, sizeof range);
    return address - (unwinding->at + (uint64_t)(int64_t)function->start) < range;
}

struct text {
    struct image *image;
    const struct unwinding *unwinding;
    const uint8_t *start, *end;
    uint64_t address;
    unsigned ring_number; /* instructions since the number of io_uring_setup(2) was loaded */
};

/* Bytes that nothing says are code: no number before, no comparison of a result behind, no function. */
static bool is_data(const struct text *text, const struct syscall_site *site) {
    uint64_t address = text->address + (uint64_t)(site->instruction - text->start);
    return site->number < 0 && !site->after_bytes && !text->image->go &&
           !is_function(text->unwinding, address);
}

static void count_syscall(const uint8_t *instruction, struct text *text) {
    struct syscall_site site;
    bool replaceable = syscall_site_describe(&site, instruction, text->start, text->end);
    if (is_data(text, &site) || (site.number >= 0 && syscall_concern(site.number) == NEVER))
        return;
    text->image->instructions++;
    text->image->opens |= site.number < 0 || site.number == SYS_socket;
    text->image->irreplaceable += !replaceable;
    text->image->late += replaceable && !syscall_site_is_replaceable_late(&site);
}

/* syscall(SYS_io_uring_setup, ...), as libuv makes it: mov $425, %edi; soon after it the call. */
static void look_for_ring(const uint8_t *instruction, unsigned length, struct text *text) {
    static const uint8_t number[] = {0xbf, SYS_io_uring_setup & 255, SYS_io_uring_setup >> 8, 0, 0};
    if (length == sizeof number && memcmp(instruction, number, sizeof number) == 0)
        text->ring_number = 0;
    else if (++text->ring_number <= 3 && length == 5 && instruction[0] == 0xe8)
        text->image->rings = true;
}

static void look(const uint8_t *instruction, unsigned length, void *context) {
    struct text *text = context;
    if (instruction_is_syscall(instruction, length))
        count_syscall(instruction, text);
    look_for_ring(instruction, length, text);
}

static void read_text(const struct unwinding *unwinding, const Elf64_Phdr *segment, struct image *image) {
    const uint8_t *start = part(unwinding->file, segment->p_offset, segment->p_filesz);
    if (!start)
        return;
    struct text text = {.image = image,
                        .unwinding = unwinding,
                        .start = start,
                        .end = start + segment->p_filesz,
                        .address = segment->p_vaddr,
                        .ring_number = UINT16_MAX};
    image->text_bytes += segment->p_filesz;
    if (MACHINE == EM_X86_64)
        instruction_walk(start, segment->p_filesz, look, &text);
}

static void read_segments(const struct file *file, const Elf64_Phdr *segments, unsigned count,
                          struct image *image) {
    struct unwinding unwinding = {.file = file, .segments = segments, .segment_count = count};
    for (unsigned i = 0; i < count; i++)
        if (segments[i].p_type == PT_NOTE)
            image->go |=
                has_go_note(part(file, segments[i].p_offset, segments[i].p_filesz), segments[i].p_filesz);
        else if (segments[i].p_type == PT_GNU_EH_FRAME)
            find_functions(&unwinding, &segments[i]);
    for (unsigned i = 0; i < count; i++)
        if (segments[i].p_type == PT_LOAD && segments[i].p_flags & PF_X)
            read_text(&unwinding, &segments[i], image);
}

/* A function that the file takes from others. */
static void read_import(const char *name, struct image *image) {
    image->loads |= strcmp(name, "dlopen") == 0 || strcmp(name, "dlmopen") == 0;
    image->rings |= strncmp(name, "io_uring_", 9) == 0;
}

static void read_imports(const struct file *file, const Elf64_Shdr *list, const Elf64_Shdr *names,
                         struct image *image) {
    const Elf64_Sym *symbols = table(file, list->sh_offset, list->sh_size);
    const char *texts = part(file, names->sh_offset, names->sh_size);
    if (!symbols || !texts || names->sh_size == 0 || texts[names->sh_size - 1])
        return;
    for (uint64_t i = 0; i < list->sh_size / sizeof *symbols; i++)
        if (symbols[i].st_shndx == SHN_UNDEF && symbols[i].st_name < names->sh_size)
            read_import(texts + symbols[i].st_name, image);
}

static void read_sections(const struct file *file, const Elf64_Ehdr *header, struct image *image) {
    const Elf64_Shdr *sections = table(file, header->e_shoff, (uint64_t)header->e_shnum * sizeof(Elf64_Shdr));
    for (unsigned i = 0; sections && i < header->e_shnum; i++)
        if (sections[i].sh_type == SHT_DYNSYM && sections[i].sh_link < header->e_shnum)
            read_imports(file, &sections[i], &sections[sections[i].sh_link], image);
}

static bool read_elf(const struct file *file, struct image *image) {
    const Elf64_Ehdr *header = part(file, 0, sizeof *header);
    if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_machine != MACHINE || header->e_phentsize != sizeof(Elf64_Phdr))
        return false;
    const Elf64_Phdr *segments = table(file, header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr));
    if (segments)
        read_segments(file, segments, header->e_phnum, image);
    if (header->e_shentsize == sizeof(Elf64_Shdr))
        read_sections(file, header, image);
    return segments != NULL;
}

bool image_read(const char *path, struct image *image) {
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    *image = (struct image){.go = false};
    if (descriptor < 0)
        return false;
    struct file file = {.bytes = fstat(descriptor, &status) == 0 ? (size_t)status.st_size : 0};
    void *memory = mmap(NULL, file.bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    close(descriptor);
    if (memory == MAP_FAILED) {
        errno = ENOEXEC;
        return false;
    }
    file.start = memory;
    bool read = read_elf(&file, image);
    munmap(memory, file.bytes);
    if (!read)
        errno = ENOEXEC;
    return read;
}
