/*
 * program.c - see program.h. Also used by the keeper's program, for the command.
 */
#include "program.h"
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INTERPRETERS_MAX 4 /* the kernel's limit, too */

static bool has_loader(int file, const Elf64_Ehdr *header) {
    for (int i = 0; i < header->e_phnum && header->e_ident[EI_CLASS] == ELFCLASS64; i++) {
        Elf64_Phdr segment;
        off_t at = (off_t)(header->e_phoff + (uint64_t)i * header->e_phentsize);
        if (pread(file, &segment, sizeof segment, at) == sizeof segment && segment.p_type == PT_INTERP)
            return true;
    }
    return false;
}

/* The interpreter that a script's first line names. */
static bool script_interpreter(const char *start, size_t length, char interpreter[PATH_MAX]) {
    char line[256];
    if (length < 3 || start[0] != '#' || start[1] != '!')
        return false;
    snprintf(line, sizeof line, "%.*s", (int)length - 2, start + 2);
    line[strcspn(line, "\n")] = 0;
    const char *from = line + strspn(line, " \t");
    snprintf(interpreter, PATH_MAX, "%.*s", (int)strcspn(from, " \t"), from);
    return interpreter[0];
}

const char *program_out_of_reach(const char *path) {
    char interpreter[PATH_MAX];
    union {
        Elf64_Ehdr header;
        char bytes[256];
    } start;
    struct stat status;
    for (int depth = 0; depth <= INTERPRETERS_MAX; depth++) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return NULL;
        ssize_t length = read(file, &start, sizeof start);
        bool elf = length >= (ssize_t)sizeof start.header && memcmp(start.bytes, ELFMAG, SELFMAG) == 0;
        bool raised = elf && fstat(file, &status) == 0 &&
                      ((status.st_mode & S_ISUID && status.st_uid != getuid()) ||
                       (status.st_mode & S_ISGID && status.st_gid != getgid()));
        bool loaded = elf && has_loader(file, &start.header);
        close(file);
        if (raised)
            return "runs as another user";
        if (elf)
            return loaded ? NULL : "is statically linked";
        if (length < 0 || !script_interpreter(start.bytes, (size_t)length, interpreter))
            return NULL;
        path = interpreter;
    }
    return NULL;
}

const char *program_find(const char *name, char *room) {
    const char *path = getenv("PATH");
    if (strchr(name, '/'))
        return name;
    if (!path)
        path = "/bin:/usr/bin";
    while (*path) {
        size_t length = strcspn(path, ":");
        snprintf(room, PATH_MAX, "%.*s/%s", (int)length, length ? path : ".", name);
        if (access(room, X_OK) == 0)
            return room;
        path += length;
        path += *path == ':';
    }
    return NULL;
}
