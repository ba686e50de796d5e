/* SPDX-License-Identifier: MIT */
/*
 * patch.c - see patch.h. The program's relocations (elf(5), DT_JMPREL and DT_RELA) say where it keeps the
 * addresses of what it imports.
 */
#include "tests/packetdrill/patch.h"
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct tables {
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * sets[2];
    size_t counts[2];
};

static void read_tables(const struct link_map *map, struct tables *tables) {
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
        case DT_SYMTAB:
            tables->symbols = (const void *)entry->d_un.d_ptr;
            break;
        case DT_STRTAB:
            tables->names = (const void *)entry->d_un.d_ptr;
            break;
        case DT_JMPREL:
            tables->sets[0] = (const void *)entry->d_un.d_ptr;
            break;
        case DT_PLTRELSZ:
            tables->counts[0] = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_RELA:
            tables->sets[1] = (const void *)entry->d_un.d_ptr;
            break;
        case DT_RELASZ:
            tables->counts[1] = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        default:
            break;
        }
    }
}

static void replace(uintptr_t place, void *replacement) {
    uintptr_t page = place & ~((uintptr_t)getpagesize() - 1);
    if (mprotect((void *)page, (size_t)getpagesize(), PROT_READ | PROT_WRITE) == 0)
        memcpy((void *)place, &replacement, sizeof replacement);
}

void patch_import(const char *name, void *replacement) {
    struct link_map *map;
    struct tables tables = {0};
    void *program = dlopen(NULL, RTLD_LAZY);
    if (!program || dlinfo(program, RTLD_DI_LINKMAP, &map) != 0)
        return;
    read_tables(map, &tables);
    for (int set = 0; set < 2 && tables.symbols && tables.names; set++)
        for (size_t i = 0; tables.sets[set] && i < tables.counts[set]; i++) {
            const ElfW(Rela) *entry = &tables.sets[set][i];
            const ElfW(Sym) *symbol = &tables.symbols[ELF64_R_SYM(entry->r_info)];
            unsigned long type = ELF64_R_TYPE(entry->r_info);
            if ((type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT) &&
                strcmp(tables.names + symbol->st_name, name) == 0)
                replace(map->l_addr + entry->r_offset, replacement);
        }
}
